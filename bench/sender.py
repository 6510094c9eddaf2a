"""Sends ready requests over keep-alive connections, as fast as they are answered or at a rate; prints figures as JSON."""

from __future__ import annotations

import json
import pickle
import socket
import sys
import threading
import time
from pathlib import Path


class Sender:
    """Each connection sends one request after the other. With a rate, each has its time, and waits for it."""

    def __init__(self, requests: list[bytes], port: int, connections: int, rate: float) -> None:
        self._requests, self._port, self._connections, self._rate = requests, port, connections, rate
        self._latencies: list[list[float]] = [[] for _ in range(connections)]
        self._refused = 0

    def run(self) -> dict[str, float]:
        """Send everything; seconds, requests a second, latencies in milliseconds."""
        threads = [threading.Thread(target=self._send, args=(n,)) for n in range(self._connections)]
        self._start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - self._start
        latencies = sorted(latency for part in self._latencies for latency in part)
        return {
            "accepted": len(latencies),
            "refused": self._refused,
            "seconds": seconds,
            "per_s": len(latencies) / seconds,
            "p50_ms": _percentile(latencies, 0.50),
            "p95_ms": _percentile(latencies, 0.95),
            "p99_ms": _percentile(latencies, 0.99),
            "max_ms": latencies[-1] * 1000 if latencies else 0.0,
        }

    def _send(self, number: int) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for position in range(number, len(self._requests), self._connections):
                due = self._start + position / self._rate if self._rate else 0.0
                wait = due - time.perf_counter()
                if self._rate and wait > 0:
                    time.sleep(wait)
                began = due if self._rate else time.perf_counter()
                connection.sendall(self._requests[position])
                if b" 200 " in _reply(connection)[:16]:
                    self._latencies[number].append(time.perf_counter() - began)
                else:
                    self._refused += 1


def _reply(connection: socket.socket) -> bytes:
    """One whole reply; the hub's are small and say how long they are, or come in one chunk."""
    reply = connection.recv(65_536)
    while b"\r\n\r\n" not in reply or not _whole(reply):
        more = connection.recv(65_536)
        if not more:
            break
        reply += more
    return reply


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
