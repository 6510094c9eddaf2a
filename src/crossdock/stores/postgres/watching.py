"""A server that is there and does not answer: the time limits that it keeps itself are of no use, so we hang up.

A thread looks at every connection in use, and shuts the socket of one whose answer is overdue. Whoever waits for it wakes
up with an error, as if the server had gone; what it was in the middle of may have happened, as after any lost reply.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import weakref

LOOK_S = 0.25


class Line:
    """The socket of a connection, for hanging up on it from another thread. `busy` and `free` are called by its user.

    It is a handle of its own: the driver may close its own at any time, and the number would be another's.
    """

    def __init__(self, descriptor: int, patience_s: float) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._patience_s = patience_s
        self._since: float | None = None
        self._lock = threading.Lock()
        self.cut = False
        """Whether we have hung up."""
        WATCH.add(self)

    def busy(self) -> None:
        """From now on an answer is waited for."""
        self._since = time.monotonic()

    def free(self) -> None:
        """Nothing is waited for."""
        self._since = None

    def look(self, now: float) -> None:
        """Hang up where the answer is overdue."""
        since = self._since
        if since is not None and now - since > self._patience_s and not self.cut:
            with self._lock, contextlib.suppress(OSError):
                self.cut = True
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The connection is closed."""
        WATCH.remove(self)
        with self._lock:
            self._socket.close()


class Watch:
    """All lines of this process, and the thread that looks at them: it begins with the first, and ends after the last."""

    def __init__(self) -> None:
        self._lines: weakref.WeakSet[Line] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, line: Line) -> None:
        with self._lock:
            self._lines.add(line)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="database watch", daemon=True)
                self._thread.start()

    def remove(self, line: Line) -> None:
        with self._lock:
            self._lines.discard(line)

    def _run(self) -> None:
        while True:
            with self._lock:
                lines = tuple(self._lines)
                if not lines:
                    self._thread = None
                    return
            now = time.monotonic()
            for line in lines:
                line.look(now)
            del lines, line  # nothing is kept alive between two looks
            time.sleep(LOOK_S)


WATCH = Watch()
