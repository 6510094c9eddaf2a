"""Bodies that have just come in, so that they need not be read and opened again a moment later."""

from __future__ import annotations

from collections.abc import Mapping

RECENT_BYTES_MAX = 48 * 1024 * 1024


class Recent:
    """A bounded memory of recent bodies. Only a memory: what is not here is read from the store."""

    def __init__(self, bytes_max: int = RECENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._bodies: dict[int, tuple[Mapping[str, str], bytes]] = {}

    def add(self, message: int, headers: Mapping[str, str], body: bytes) -> None:
        """Remember one; the oldest go when there are too many bytes."""
        self._bodies[message] = (headers, body)
        self._bytes += len(body)
        while self._bytes > self._bytes_max and self._bodies:
            oldest = next(iter(self._bodies))
            self.take(oldest)

    def take(self, message: int) -> tuple[Mapping[str, str], bytes] | None:
        """Give one back and forget it."""
        found = self._bodies.pop(message, None)
        if found is not None:
            self._bytes -= len(found[1])
        return found

    def peek(self, message: int) -> tuple[Mapping[str, str], bytes] | None:
        """Look at one without forgetting it."""
        return self._bodies.get(message)
