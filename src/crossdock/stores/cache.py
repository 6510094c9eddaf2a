"""What has just been written, so that it need not be read and opened again a moment later."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

RECENT_BYTES_MAX = 32 * 1024 * 1024

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A bounded memory, for any thread. Only a memory: what is not here is read from the store."""

    def __init__(self, bytes_max: int = RECENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        # A dict finds its oldest by passing over all that has left before it, which took longer than all else here.
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, key: K, value: V, size: int) -> None:
        """Remember one; the oldest go when there are too many bytes."""
        with self._lock:
            self._drop(key)
            self._kept[key] = (value, size)
            self._bytes += size
            while self._bytes > self._bytes_max and self._kept:
                _, (_, size) = self._kept.popitem(last=False)
                self._bytes -= size

    def drop(self, key: K) -> None:
        """Forget one."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: K) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= found[1]

    def get(self, key: K) -> V | None:
        """Look at one."""
        found = self._kept.get(key)
        return found[0] if found is not None else None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


class Memory:
    """What one store has at hand: bodies by message (headers, raw bytes), documents by subject and version (value, persons)."""

    def __init__(self) -> None:
        self.bodies: Recent[int, tuple[Mapping[str, str], bytes]] = Recent()
        self.documents: Recent[tuple[int, int], tuple[bytes, bytes]] = Recent()

    def clear(self) -> None:
        """Forget everything, because a person must be forgotten."""
        self.bodies.clear()
        self.documents.clear()
