"""Wires between a client and a PostgreSQL server's socket, which can be cut at the worst moment, carry nothing, or carry badly."""

from __future__ import annotations

import contextlib
import itertools
import socket
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

RECEIVE_BYTES = 65_536


class Wire(ABC):
    """Listens on a socket in a folder of its own, and connects each who comes to the server. Use as a context manager."""

    def __init__(self, server: Path) -> None:
        self._server = server / ".s.PGSQL.5432"
        self._folder = tempfile.TemporaryDirectory(prefix="crossdock-wire-")
        self.folder = Path(self._folder.name)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.folder / ".s.PGSQL.5432"))
        self._listening.listen(128)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        for end in (self._listening, *self._open):
            _close(end)
        self._folder.cleanup()

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

    @abstractmethod
    def _talk(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what a client says, until it has gone."""

    @abstractmethod
    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        """Pass on what the server says, until it has gone."""


class CuttingProxy(Wire):
    """Passes everything on, but for what it is told.

    After `cut_after(words)` the first client message that holds these words still reaches the server, and its answer is
    read; the client never sees it, and its connection is gone. After `stall_after(words)` that message and everything
    after it, of every connection there is, gets stuck on the way: both ends stay open, and nobody hears anything.
    """

    def __init__(self, server: Path) -> None:
        self._words = b""
        self.cuts = 0
        self.stalls = 0
        self._stalling = b""
        self._stalled: set[socket.socket] = set()
        self._deaf: set[socket.socket] = set()
        super().__init__(server)

    def __enter__(self) -> CuttingProxy:
        return self

    def cut_after(self, words: bytes) -> None:
        """Cut once, when a client says this."""
        self._words = words

    def stall_after(self, words: bytes) -> None:
        """Carry nothing more, once, from when a client says this; connections that are made later are well."""
        self._stalling = words

    def _talk(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while told := client.recv(RECEIVE_BYTES):
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
            while (told := server.recv(RECEIVE_BYTES)) and client not in self._deaf:
                if server not in self._stalled:
                    client.sendall(told)
        _close(client)
        _close(server)


Spoil = Callable[[bytes, socket.socket], bool]
"""Passes on what came, or some of it; False: the connection is gone."""
EVERY = 60
"""Which of the pieces that pass are cut or truncated."""
DELAY_S = 0.05
TRICKLED_BYTES = 200


def whole(told: bytes, to: socket.socket) -> bool:
    """As it should be."""
    to.sendall(told)
    return True


def _hit(numbers: Iterator[int]) -> bool:
    return next(numbers) % EVERY == 0


def cuts() -> Spoil:
    """Now and then a connection is gone, and what was on its way with it: a statement, a COMMIT, an answer."""
    numbers = itertools.count(1)
    return lambda told, to: not _hit(numbers) and whole(told, to)


def truncates() -> Spoil:
    """Now and then half of something arrives, and then the end."""
    numbers = itertools.count(1)

    def spoil(told: bytes, to: socket.socket) -> bool:
        if not _hit(numbers):
            return whole(told, to)
        to.sendall(told[: len(told) // 2])
        return False

    return spoil


def delays() -> Spoil:
    """Everything takes its time."""

    def spoil(told: bytes, to: socket.socket) -> bool:
        threading.Event().wait(DELAY_S)
        return whole(told, to)

    return spoil


def trickles() -> Spoil:
    """Now and then something arrives a byte at a time."""
    numbers = itertools.count(1)

    def spoil(told: bytes, to: socket.socket) -> bool:
        if _hit(numbers):
            for byte in told[:TRICKLED_BYTES]:
                to.sendall(bytes([byte]))
                threading.Event().wait(DELAY_S / 10)
            told = told[TRICKLED_BYTES:]
        return whole(told, to)

    return spoil


class RoughWire(Wire):
    """Passes everything on by way of `spoil`, in both directions; counts the pieces, and the connections that it ended."""

    def __init__(self, server: Path) -> None:
        self.spoil: Spoil = whole
        self.carried = self.ended = 0
        super().__init__(server)

    def __enter__(self) -> RoughWire:
        return self

    def _talk(self, client: socket.socket, server: socket.socket) -> None:
        self._carry(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        self._carry(server, client)

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while told := here.recv(RECEIVE_BYTES):
                self.carried += 1
                if not self.spoil(told, there):
                    self.ended += 1
                    break
        _close(here)
        _close(there)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
