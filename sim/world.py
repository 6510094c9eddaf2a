"""One thread, one agenda, one clock: what happens next, and the trace of what has happened.

`now` is the time of the world, in microseconds since 1970, which never goes back; the hub's clock is it plus `skew`.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import IO

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_773_619_200 * SECOND
"""Midnight, 16 March 2026 UTC, as every simulation begins."""
TOLD_MAX = 40


class Violation(BaseException):
    """An invariant does not hold: nothing of the hub may catch this and go on.

    letter: as in the list of invariants; `-` for a defect of another kind.
    """

    def __init__(self, letter: str, text: str) -> None:
        super().__init__(f"({letter}) {text}")
        self.letter, self.text = letter, text


class Killed(BaseException):
    """The process is dead from here on: nothing may catch this but the world. life: which of the hub's lives ends."""

    def __init__(self, life: int) -> None:
        super().__init__(f"life {life} ends")
        self.life = life


class World:
    """The agenda. Things that are due at the same time happen in the order planned."""

    def __init__(self, seed: int, trace: IO[str] | None = None) -> None:
        self.now = START
        self.skew = 0
        self.steps = 0
        self.dice = random.Random(seed)
        self.on_killed: Callable[[int], None] = lambda life: None
        self.last: deque[str] = deque(maxlen=TOLD_MAX)
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._planned = 0
        self._hash = hashlib.sha256()
        self._file = trace

    def dice_for(self) -> random.Random:
        """Dice of their own for one matter, so that what one rolls changes nothing for another."""
        return random.Random(self.dice.getrandbits(64))

    def clock(self) -> int:
        """The hub's clock."""
        return self.now + self.skew

    def at(self, when: int, what: Callable[[], None]) -> None:
        """Plan something."""
        self._planned += 1
        heapq.heappush(self._agenda, (max(when, self.now), self._planned, what))

    def after(self, delay: int, what: Callable[[], None]) -> None:
        """Plan something, so many microseconds from now."""
        self.at(self.now + delay, what)

    def run_until(self, until: int) -> None:
        """Let everything happen that is due up to a time, and leave the clock there. May be called from within."""
        while self._agenda and self._agenda[0][0] <= until:
            when, _, what = heapq.heappop(self._agenda)
            self.now = max(self.now, when)
            self.steps += 1
            try:
                what()
            except Killed as end:
                self.on_killed(end.life)
        self.now = max(self.now, until)

    def tell(self, *words: object) -> None:
        """One line of the trace: the step, the time, and what happened."""
        line = f"{self.steps} {self.now - START} {' '.join(map(str, words))}\n"
        self._hash.update(line.encode())
        self.last.append(line)
        if self._file is not None:
            self._file.write(line)

    @property
    def digest(self) -> str:
        """The hash of the trace so far."""
        return self._hash.hexdigest()
