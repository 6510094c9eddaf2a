"""Sends ready requests over keep-alive connections, as fast as they are answered or at a rate; prints figures as JSON."""

from __future__ import annotations

import json
import pickle
import selectors
import socket
import sys
import time
from collections import deque
from pathlib import Path


class Line:
    """One keep-alive connection: the request that it waits for, since when, and what has come of the reply."""

    __slots__ = ("began", "reply", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self.reply = b""

    def send(self, request: bytes, began: float) -> None:
        """Send a whole request; they are small enough to go at once."""
        self.began, self.reply = began, b""
        self.socket.sendall(request)


class Sender:
    """One thread, many connections. With a rate, a request is due at its time, and its wait counts from then."""

    def __init__(self, requests: list[bytes], port: int, connections: int, rate: float) -> None:
        self._requests, self._rate = requests, rate
        # The one that has rested longest goes first: a server closes what is not used.
        self._idle = deque(Line(port) for _ in range(min(connections, len(requests))))
        self._selector = selectors.DefaultSelector()
        for line in self._idle:
            self._selector.register(line.socket, selectors.EVENT_READ, line)
        self._latencies: list[float] = []
        self._refused = 0
        self._answer = b""
        self._next = 0

    def run(self) -> dict[str, float | str]:
        """Send everything; seconds, requests a second, latencies in milliseconds, and the last refusal where there was one."""
        start = time.perf_counter()
        while len(self._latencies) + self._refused < len(self._requests):
            wait = self._start_what_is_due(start)
            for key, _ in self._selector.select(wait):
                self._read(key.data)
        seconds = time.perf_counter() - start
        latencies = sorted(self._latencies)
        refusal = {"refusal": self._answer.decode(errors="replace")} if self._refused else {}
        return {
            "accepted": len(latencies),
            "refused": self._refused,
            "seconds": seconds,
            "per_s": len(latencies) / seconds,
            "p50_ms": _percentile(latencies, 0.50),
            "p95_ms": _percentile(latencies, 0.95),
            "p99_ms": _percentile(latencies, 0.99),
            "max_ms": latencies[-1] * 1000 if latencies else 0.0,
            **refusal,
        }

    def _start_what_is_due(self, start: float) -> float | None:
        """Send on idle connections; returns how long until the next request is due, None where it waits for a place."""
        while self._idle and self._next < len(self._requests):
            due = start + self._next / self._rate if self._rate else time.perf_counter()
            early = due - time.perf_counter()
            if early > 0:
                return early
            self._idle.popleft().send(self._requests[self._next], due)
            self._next += 1
        return None

    def _read(self, line: Line) -> None:
        received = line.socket.recv(65_536)
        if not received:
            raise ConnectionError("The hub closed a connection; what was asked on it is not answered.")
        line.reply += received
        if b"\r\n\r\n" not in line.reply or not _whole(line.reply):
            return
        if b" 200 " in line.reply[:16]:
            self._latencies.append(time.perf_counter() - line.began)
        else:
            self._refused += 1
            self._answer = line.reply[:600]
        self._idle.append(line)


def _whole(reply: bytes) -> bool:
    head, _, body = reply.partition(b"\r\n\r\n")
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        return body.endswith(b"0\r\n\r\n")
    _, _, length = lowered.partition(b"content-length: ")
    return len(body) >= int(length.split(b"\r\n")[0] or 0)


def _percentile(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(len(values) * part))] * 1000 if values else 0.0


if __name__ == "__main__":
    file, port, connections, rate = sys.argv[1:5]
    ready = pickle.loads(Path(file).read_bytes())
    print(json.dumps(Sender(ready, int(port), int(connections), float(rate)).run()))
