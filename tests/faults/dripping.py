"""A partner that answers one byte at a time, for ever."""

import socket
import threading
from contextlib import contextmanager

HEAD = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n"


class Dripping:
    def __init__(self, server, every_s):
        self._server, self._every_s = server, every_s
        self.posts = 0
        self.stop = threading.Event()
        self.url = f"http://127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while not self.stop.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection:
            try:
                self.posts += connection.recv(65_536).startswith(b"POST")
                connection.sendall(HEAD)
                while not self.stop.wait(self._every_s):
                    connection.sendall(b" ")
            except OSError:
                pass


@contextmanager
def dripping(every_s=0.05):
    with socket.create_server(("127.0.0.1", 0)) as server:
        partner = Dripping(server, every_s)
        try:
            yield partner
        finally:
            partner.stop.set()
