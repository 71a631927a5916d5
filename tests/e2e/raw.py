"""A server without manners: what it answers is said byte by byte."""
import socket
import threading

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"


class Raw:
    """Answers every request with <answer>, byte by byte what it says."""

    def __init__(self, _folder, answer):
        self.answer, self.asked, self.socket = answer, [], socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                with connection:
                    self.asked.append(connection.recv(65536))
                    connection.sendall(self.answer)
            except OSError:
                if self.socket.fileno() < 0:
                    return

    def stop(self):
        self.socket.close()
