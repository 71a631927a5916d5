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


class Talker:
    """Accepts, waits for the first bytes, and sends what say(connection) sends."""

    def __init__(self, say):
        self.say, self.connections = say, 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                if self.socket.fileno() < 0:
                    return
                continue
            self.connections += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        try:
            with connection:
                self.hear(connection)
                self.say(connection)
        except OSError:
            pass

    def hear(self, connection):
        connection.recv(65536)

    def stop(self):
        hang_up(self.socket)


class Raw(Talker):
    """Answers every request with <answer>, byte by byte what it says."""

    def __init__(self, _folder, answer):
        self.answer, self.asked = answer, []
        super().__init__(lambda connection: connection.sendall(self.answer))

    def hear(self, connection):
        self.asked.append(request(connection))
