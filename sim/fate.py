"""When the hub is killed, and when it is only stopped for a while: planned by the dice, done where the moment is worst."""

from __future__ import annotations

from crossdock.engine import crash
from sim.faults import Faults
from sim.world import DAY, SECOND, World

LENGTHS = (5, 40, 300, 1200)
"""Seconds that a frozen process is frozen for."""
REPLY, FOUND = "reply", "found"
"""A reply has just come; the answer to a look-up has."""
FREEZING = (
    crash.EFFECT_BEFORE_SEND,
    crash.EFFECTS_CLAIMED,
    crash.BATCH_DECIDED,
    crash.MARKS_CLAIMED,
    REPLY,
    FOUND,
)
BOUNDARIES = ("before", "within", "after")
"""Of a write of the store."""
PAUSES = (1, 5, 60, 900)
"""Seconds until a process that was killed is started again."""


class Fate:
    """What is to happen to the process; each is done once, as soon as the place is reached after its time."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self._dice = world.dice_for()
        self._named = {point: self._times("crash", 1) for point in crash.POINTS}
        self._writes = [(at, self._dice.choice(BOUNDARIES)) for at in self._times("crash_random", 6)]
        self._freezes = [
            (at, self._dice.choice(FREEZING), int(self._dice.choice(LENGTHS) * SECOND))
            for at in faults.freezes
        ]

    def kills(self, point: str) -> bool:
        """Whether the process is killed at this point, now."""
        times = self._named.get(point)
        if not times or self._world.now < times[0]:
            return False
        times.pop(0)
        self._faults.count("crash")
        self._world.tell("killed at", point)
        return True

    def kills_write(self) -> str:
        """On which side of its next write the process is killed; "" where it is not."""
        if not self._writes or self._world.now < self._writes[0][0]:
            return ""
        _, kind = self._writes.pop(0)
        self._faults.count("crash_random")
        self._world.tell("killed", kind, "a write")
        return kind

    def freezes(self, point: str) -> int:
        """For how long the process is stopped at this point, in microseconds; 0 is not at all."""
        for n, (at, where, length) in enumerate(self._freezes):
            if self._world.now >= at and where == point:
                del self._freezes[n]
                self._faults.count("freeze")
                self._world.tell("frozen at", point, length // SECOND)
                return length
        return 0

    def pause(self) -> int:
        """How long nobody starts it again, in microseconds."""
        return self._dice.choice(PAUSES) * SECOND

    def _times(self, name: str, a_day: int) -> list[int]:
        length = self._faults.until - self._world.now
        days = max(1, length // DAY)
        times = sorted(self._world.now + self._dice.randrange(length) for _ in range(a_day * days))
        return times if self._faults.has(name) else []
