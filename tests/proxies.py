"""A wire between a client and a PostgreSQL server's socket, which can be cut at the worst moment, or carry nothing."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from pathlib import Path


class CuttingProxy:
    """Listens on a socket in a folder of its own and passes everything on. Use as a context manager.

    After `cut_after(words)` the first client message that holds these words still reaches the server, and its answer is
    read; the client never sees it, and its connection is gone. After `stall_after(words)` that message and everything
    after it, of every connection there is, gets stuck on the way: both ends stay open, and nobody hears anything.
    """

    def __init__(self, server: Path) -> None:
        self._server = server / ".s.PGSQL.5432"
        self._folder = tempfile.TemporaryDirectory(prefix="crossdock-wire-")
        self.folder = Path(self._folder.name)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.folder / ".s.PGSQL.5432"))
        self._listening.listen()
        self._words = b""
        self.cuts = 0
        self.stalls = 0
        self._stalling = b""
        self._stalled: set[socket.socket] = set()
        self._deaf: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listening, *self._open):
            _close(end)
        self._folder.cleanup()

    def cut_after(self, words: bytes) -> None:
        """Cut once, when a client says this."""
        self._words = words

    def stall_after(self, words: bytes) -> None:
        """Carry nothing more, once, from when a client says this; connections that are made later are well."""
        self._stalling = words

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            self._open += (client, server)
            threading.Thread(target=self._talk, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _talk(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while told := client.recv(65_536):
                if self._stalling and self._stalling in told:
                    self._stalling = b""
                    self.stalls += 1
                    self._stalled.update(self._open)
                if client in self._stalled:
                    continue
                if self._words and self._words in told:
                    self._words = b""
                    self.cuts += 1
                    self._deaf.add(client)
                server.sendall(told)
        _close(server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (told := server.recv(65_536)) and client not in self._deaf:
                if server not in self._stalled:
                    client.sendall(told)
        _close(client)
        _close(server)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
