"""Frames between the core of a hub and its edge: four bytes of length, then MessagePack.

The core owns the store; the edge listens to senders and calls partners. They speak over a pair of Unix sockets, so that
each sees at once when the other is gone.
"""

from __future__ import annotations

import select
import socket
import struct
import threading

import msgspec

from crossdock import errors
from crossdock.bootstrap.front import PartnerState
from crossdock.engine.messages import Arrival, Receipt
from crossdock.engine.performing import Attempted, Call
from crossdock.errors import CrossdockError, RetryableError

HEAD = struct.Struct(">I")
READ_BYTES = 262_144
FRAME_BYTES_MAX = 1 << 30


class Trouble(msgspec.Struct, frozen=True, array_like=True):
    """An error on its way to the other side."""

    name: str
    message: str
    field: str | None = None
    retry_after: float | None = None


class Frame(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What travels."""


class TakeIn(Frame, frozen=True):
    """Edge to core: keep these; answered with Kept."""

    number: int
    arrivals: list[Arrival]


class Kept(Frame, frozen=True):
    """Core to edge: they are durable, or could not be kept."""

    number: int
    receipts: list[Receipt]
    trouble: Trouble | None = None


class Read(Frame, frozen=True):
    """Edge to core: what messages say, by message id (`bootstrap.reading`)."""

    messages: list[tuple[int, bytes]]


class ReadThese(Frame, frozen=True):
    """Core to edge: read these messages of the store ahead; what is below `first` is not worth it any more."""

    messages: list[int]
    first: int


class Begin(Frame, frozen=True):
    """Core to edge: perform these, each under its number."""

    calls: list[tuple[int, Call]]


class Over(Frame, frozen=True):
    """Edge to core: what became of calls."""

    calls: list[tuple[int, Attempted]]


class Ask(Frame, frozen=True):
    """Edge to core: a question of a face; answered with Told."""

    number: int
    what: str
    subject: int = 0


class Told(Frame, frozen=True):
    """Core to edge: the answer."""

    number: int
    text: str = ""
    partners: dict[str, PartnerState] = {}
    trouble: Trouble | None = None


class Up(Frame, frozen=True):
    """Edge to core: it listens; or why it cannot."""

    trouble: Trouble | None = None


class Stop(Frame, frozen=True):
    """Core to edge: begin nothing more, end what has begun, then end."""


Frames = TakeIn | Kept | Read | ReadThese | Begin | Over | Ask | Told | Up | Stop
_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(Frames).decode


def packed(frame: Frames) -> bytes:
    """A frame as bytes."""
    body = _encoder.encode(frame)
    return HEAD.pack(len(body)) + body


class Unpacker:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frames]:
        """The frames that are whole by now."""
        buffer = self._buffer
        buffer += data
        frames: list[Frames] = []
        start = 0
        while len(buffer) - start >= HEAD.size:
            (size,) = HEAD.unpack_from(buffer, start)
            end = start + HEAD.size + size
            if len(buffer) < end:
                break
            frames.append(_decode(bytes(memoryview(buffer)[start + HEAD.size : end])))
            start = end
        del buffer[:start]
        return frames


class Link:
    """One end, for threads: `send` from any, `frames` from one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lock = threading.Lock()
        self._unpacker = Unpacker()

    def send(self, frame: Frames) -> None:
        """Send a frame; OSError where the other side is gone."""
        data = packed(frame)
        with self._lock:
            self._socket.sendall(data)

    def frames(self, wait_s: float) -> list[Frames] | None:
        """Wait for frames, `wait_s` seconds at most; None when the other side is gone."""
        try:
            if not select.select([self._socket], [], [], wait_s)[0]:
                return []
            data = self._socket.recv(READ_BYTES)
        except OSError:
            return None
        return self._unpacker.feed(data) if data else None

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def trouble_of(error: Exception) -> Trouble:
    """An error, for the other side."""
    name = type(error).__name__
    if not isinstance(error, CrossdockError):
        return Trouble("CrossdockError", f"{name}: {error}")
    retry_after = error.retry_after if isinstance(error, RetryableError) else None
    return Trouble(name, error.message, error.field, retry_after)


def error_of(trouble: Trouble) -> CrossdockError:
    """An error from the other side, of the same group of recovery."""
    kind = getattr(errors, trouble.name, CrossdockError)
    if isinstance(kind, type) and issubclass(kind, RetryableError):
        return kind(trouble.message, retry_after=trouble.retry_after, field=trouble.field)
    try:
        error: CrossdockError = kind(trouble.message, field=trouble.field)
    except TypeError:
        return CrossdockError(trouble.message, field=trouble.field)
    return error
