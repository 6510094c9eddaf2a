"""Being told to stop, by SIGTERM or SIGINT."""

from __future__ import annotations

import os
import select
import signal

NUMBERS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Listens from when it is made, in the main thread; what was told is kept until it is asked for.

    The handler takes no lock, for a second signal interrupts it in the middle: an Event that is being set would wait
    for itself.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._told = False
        for number in NUMBERS:
            signal.signal(number, self._hear)

    def wait(self, wait_s: float) -> bool:
        """Whether it is told to stop, at once or within so many seconds."""
        return self._told or bool(select.select([self._read], [], [], wait_s)[0])

    def _hear(self, *_: object) -> None:
        if not self._told:
            self._told = True
            for (
                number
            ) in NUMBERS:  # the handler is gone when the interpreter ends, and one more would kill it
                signal.signal(number, signal.SIG_IGN)
            os.write(self._write, b"!")
