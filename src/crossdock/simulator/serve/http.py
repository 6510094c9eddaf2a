"""Just enough HTTP/1.1 to be a partner on loopback, and to be a bad one: replies may be late, cut off or never come.

A server library cannot drop a connection in the middle of a reply on purpose, and costs more than the simulators
themselves; so this is ours. Bodies come with a Content-Length; a chunked request is answered with 411.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import parse_qsl, unquote

from crossdock.simulator.base import SimRequest, SimResponse, problem

REQUEST_BYTES_MAX = 32 * 1024 * 1024
HEAD_BYTES_MAX = 64 * 1024

Answer = Callable[[SimRequest], SimResponse]

_REASONS = {
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    204: b"No Content",
    401: b"Unauthorized",
    404: b"Not Found",
    409: b"Conflict",
    422: b"Unprocessable Content",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}
_HEADS = {status: b"HTTP/1.1 %d %b\r\ncontent-length: " % (status, text) for status, text in _REASONS.items()}


class HttpServer:
    """Listens on one port and answers every request by one function; for the running loop."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen, on a free port for 0, and return the address."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(partial(HttpProtocol, self), host, port, backlog=1024)
        return f"http://{host}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # the loop closes them in its next turn


class HttpProtocol(asyncio.Protocol):
    """One connection: requests one after the other, each answered before the next is read."""

    __slots__ = ("_buffer", "_busy", "_server", "_transport")

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._buffer = b""
        self._busy = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        """Answer every whole request of the buffer, unless a late reply is due first."""
        while self._buffer and not self._busy:
            end = self._buffer.find(b"\r\n\r\n")
            head = _head(self._buffer[:end]) if end >= 0 else None
            if head is None:
                if end >= 0 or len(self._buffer) > HEAD_BYTES_MAX:
                    self._give_up(400, "this is no request")
                return
            method, target, headers, length = head
            if "transfer-encoding" in headers or length > REQUEST_BYTES_MAX:
                self._give_up(411, f"send a Content-Length of at most {REQUEST_BYTES_MAX}")
                return
            stop = end + 4 + length
            if len(self._buffer) < stop:
                return
            body = self._buffer[end + 4 : stop]
            self._buffer = self._buffer[stop:]
            path, _, query = target.partition("?")
            request = SimRequest(
                method=method,
                path=unquote(path) if "%" in path else path,
                query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
                headers=headers,
                body=body,
            )
            self._reply(self._server.answer(request))

    def _give_up(self, status: int, why: str) -> None:
        self._buffer = b""
        self._write(problem(status, why))
        self._transport.close()

    def _reply(self, reply: SimResponse) -> None:
        if reply.delay_s:
            self._busy = True
            asyncio.get_running_loop().call_later(reply.delay_s, self._late, reply)
        else:
            self._write(reply)

    def _late(self, reply: SimResponse) -> None:
        self._busy = False
        if not self._transport.is_closing():
            self._write(reply)
            self._next()

    def _write(self, reply: SimResponse) -> None:
        if reply.cut == "before":
            self._transport.abort()
            return
        head = _HEADS.get(reply.status) or b"HTTP/1.1 %d -\r\ncontent-length: " % reply.status
        body = reply.body
        parts = [head, b"%d" % (len(body) + (reply.cut == "body"))]
        for name, value in reply.headers.items():
            parts.append(f"\r\n{name}: {value}".encode("latin-1"))
        parts.append(b"\r\n\r\n")
        if reply.cut == "body":
            parts.append(body[: len(body) // 2])
            self._transport.write(b"".join(parts))
            self._transport.close()
            return
        parts.append(body)
        self._transport.write(b"".join(parts))


def _head(head: bytes) -> tuple[str, str, dict[str, str], int] | None:
    """Method, target, headers and length of the body; None where it is no request."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3:
        return None
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    return (words[0], words[1], headers, int(length)) if length.isdecimal() else None
