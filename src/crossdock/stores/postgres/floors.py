"""Where a claim may begin to look. Pure.

What becomes due gets the next turn, so what lies below the last claim is done with, but for rows whose transaction took
longer than those after it. A floor therefore lags behind; now and then a look goes back further than any transaction of
ours can last. Dead rows that an open transaction keeps alive below the floor are never looked at.
"""

from __future__ import annotations

from collections import deque

US = 1_000_000
LAG_US = 2 * US
FAR_LAG_US = 60 * US
"""Longer than any transaction of ours: statements and idle transactions are ended long before it."""
FAR_EVERY_US = 5 * US
JUMP_US = 10 * US


class Floors:
    """The turns at which past claims began, and which of them is safe to begin at now."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()
        self._far_at = 0
        self._asked_at = 0

    def floor(self, now: int) -> int:
        """Begin at this turn; 0 is the very beginning, and so it is where the clock has jumped or nobody has asked for long."""
        if not 0 <= now - self._asked_at <= JUMP_US:
            self.reset()
        self._asked_at = now
        lag = LAG_US
        if now >= self._far_at:
            self._far_at, lag = now + FAR_EVERY_US, FAR_LAG_US
        while len(self._seen) > 1 and self._seen[1][0] <= now - FAR_LAG_US:
            self._seen.popleft()
        found = 0
        for at, turn in self._seen:
            if at > now - lag:
                break
            found = turn
        return found

    def saw(self, now: int, turn: int) -> None:
        """A claim at `now` found this turn to be the first that was due."""
        if not self._seen or now - self._seen[-1][0] >= LAG_US // 8:
            self._seen.append((now, turn))

    def reset(self) -> None:
        """Begin at the beginning: what was passed over may be due after all."""
        self._seen.clear()
        self._far_at = 0
