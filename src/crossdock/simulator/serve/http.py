"""Just enough HTTP/1.1 to be a partner on loopback, and to be a bad one: replies may be late, cut off or never come.

A server library cannot drop a connection in the middle of a reply on purpose, and costs more than the simulators
themselves; so this is ours. Bodies come with a Content-Length; a chunked request is answered with 411.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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


class HttpProtocol(asyncio.Protocol):
    """One connection: requests one after the other, each answered before the next is read."""

    __slots__ = ("_answer", "_buffer", "_busy", "_transport")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._buffer = b""
        self._busy = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        """Answer every whole request of the buffer, unless a late reply is due first."""
        while self._buffer and not self._busy:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    self._transport.abort()
                return
            method, target, headers = _head(self._buffer[:end])
            if "transfer-encoding" in headers:
                self._write(problem(411, "send a Content-Length"))
                self._transport.close()
                return
            length = int(headers.get("content-length", 0))
            if length > REQUEST_BYTES_MAX:
                self._transport.abort()
                return
            stop = end + 4 + length
            if len(self._buffer) < stop:
                return
            body = self._buffer[end + 4 : stop]
            self._buffer = self._buffer[stop:]
            path, _, query = target.partition("?")
            self._reply(
                self._answer(
                    SimRequest(
                        method=method,
                        path=unquote(path) if "%" in path else path,
                        query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
                        headers=headers,
                        body=body,
                    )
                )
            )

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


def _head(head: bytes) -> tuple[str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return method, target, headers
