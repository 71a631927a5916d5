"""A server without manners: what it answers is said byte by byte."""
import socket
import threading

from servers import hang_up

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"


def request(connection):
    """All of its head, in however many pieces it comes."""
    text = b""
    while b"\r\n\r\n" not in text and (piece := connection.recv(65536)):
        text += piece
    return text


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
                    self.asked.append(request(connection))
                    connection.sendall(self.answer)
            except OSError:
                if self.socket.fileno() < 0:
                    return

    def stop(self):
        hang_up(self.socket)
