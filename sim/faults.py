"""What goes wrong, by name. Each fault has dice of its own, so that leaving one out changes no other's."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from sim.world import DAY, HOUR, MINUTE, SECOND, START, World

FAULTS: dict[str, tuple[str, str]] = {
    "crash": ("1 2 3", "killed at every named crash point, once a day each"),
    "crash_random": ("1 2 3", "killed before, within or after any write of the store"),
    "freeze": (
        "11",
        "the process is stopped in the middle of what it does, for up to twenty minutes, and wakes",
    ),
    "zombie": ("11", "an old worker writes a batch that another has handled since"),
    "slow": ("12 21", "a call takes almost, or more than, its whole deadline"),
    "throttle": ("18 20", "429 with Retry-After, and a partner that counts whether it is obeyed"),
    "gone": ("19 20", "a partner answers nobody for minutes, hours, or 72 hours"),
    "lost_reply": ("17 3", "it was done, and the reply never comes, or a 502 does"),
    "lost_request": ("17", "the connection breaks before anything was done"),
    "error": ("17", "500: nothing was done"),
    "cut_body": ("22", "it was done, and the reply ends in the middle"),
    "part_reply": ("22", "many documents went in one request, and of some of them the reply says nothing"),
    "html": ("23", "it was done, and the reply is a 200 with a page of HTML"),
    "revoked": ("26", "our credentials are refused for a while"),
    "no_keys": ("4", "the ERP has neither keys nor a look-up that we may use: unclear is in doubt"),
    "forgotten_keys": ("37", "partners forget their idempotency keys"),
    "webhook_lost": ("28", "a shop's webhook never comes; a poll repairs it"),
    "webhook_twice": ("33", "a webhook comes twice, or many times"),
    "webhook_late": ("31 38", "a webhook is overtaken by later ones, or comes hours later"),
    "webhook_torn": ("34", "a webhook arrives cut off, and whole only later"),
    "clock": ("35", "the hub's clock jumps ten minutes, either way"),
    "disk": ("8", "the disk takes nothing for a while, or refuses a write that is under way"),
    "poison": ("47 30", "an order that cannot be understood until somebody mends it"),
    "defect": ("16 30", "a flow fails in the middle of deciding: to be tried again, or a defect that parks"),
    "scarce": ("39", "too little of some SKUs, sold by two shops at once"),
    "offline": ("40", "a store's line is down for up to eight hours, and what it sold comes in one upload"),
    "beyond": (
        "43 44",
        "a shop gives back more than was paid, and a warehouse takes back more than had left",
    ),
    "replay": ("56", "everything that a shop sent is replayed at the peak, twice"),
}
"""Name -> (numbers of the list of faults to survive, what it is)."""


class Window:
    """A time in which something is so, for one partner or for all."""

    def __init__(self, start: int, end: int, whom: str = "") -> None:
        self.start, self.end, self.whom = start, end, whom

    def holds(self, now: int, whom: str = "") -> bool:
        return self.start <= now < self.end and self.whom in ("", whom)


class Faults:
    """Which faults there are, when, and how often. `until`: after it nothing new goes wrong."""

    def __init__(self, world: World, wanted: Iterable[str], days: int, partners: Sequence[str]) -> None:
        chosen = set(wanted)
        self.names = tuple(name for name in FAULTS if name in chosen)
        self.until = START + days * DAY
        self._world = world
        self._dice: dict[str, random.Random] = {name: world.dice_for() for name in FAULTS}
        self.gone = self._windows("gone", days, partners, 4, (30 * SECOND, 10 * MINUTE, 2 * HOUR, 4 * HOUR))
        if "gone" in chosen and self._dice["gone"].random() < 0.08 * days:
            start = START + self._dice["gone"].randrange(days * DAY)
            self.gone.append(Window(start, start + 72 * HOUR, self._dice["gone"].choice(list(partners))))
        self.revoked = self._windows("revoked", days, partners, 1, (MINUTE, 40 * MINUTE))
        self.disk = self._windows("disk", days, ("",), 2, (5 * SECOND, 3 * MINUTE))
        self.jumps = self._times("clock", days, 3)
        self.freezes = self._times("freeze", days, 12)
        self.zombies = self._times("zombie", days, 6)
        self.forgets = self._times("forgotten_keys", days, 4)
        self.replays = self._times("replay", days, 2)
        self.counts: dict[str, int] = {}

    def has(self, name: str) -> bool:
        """Whether a fault is wanted at all."""
        return name in self.names

    def dice(self, name: str) -> random.Random:
        """A fault's own dice."""
        return self._dice[name]

    def strikes(self, name: str, rate: float) -> bool:
        """Roll for a fault that comes with some probability."""
        if name not in self.names or self._world.now >= self.until:
            return False
        if self._dice[name].random() >= rate:
            return False
        self.count(name)
        return True

    def within(self, windows: Iterable[Window], whom: str = "") -> bool:
        """Whether one of these windows is open for somebody now."""
        now = self._world.now
        return any(window.holds(now, whom) for window in windows)

    def count(self, name: str) -> None:
        """A fault has struck."""
        self.counts[name] = self.counts.get(name, 0) + 1

    @property
    def last(self) -> int:
        """When the last planned fault is over."""
        return max([self.until, *(window.end for window in self.gone + self.revoked + self.disk)])

    def _times(self, name: str, days: int, a_day: int) -> list[int]:
        dice = self._dice[name]
        times = sorted(START + dice.randrange(days * DAY) for _ in range(a_day * days))
        return times if name in self.names else []

    def _windows(
        self, name: str, days: int, partners: Sequence[str], a_day: int, lengths: Sequence[int]
    ) -> list[Window]:
        dice = self._dice[name]
        found = []
        for _ in range(a_day * days):
            start, length = (
                START + dice.randrange(days * DAY),
                int(dice.choice(lengths) * dice.uniform(0.5, 1)),
            )
            found.append(Window(start, start + length, dice.choice(list(partners))))
        return found if name in self.names else []


def parse(text: str) -> tuple[str, ...]:
    """`all`, `none`, or names with commas; a name that is none raises ValueError with those there are."""
    if text in ("", "all"):
        return tuple(FAULTS)
    if text == "none":
        return ()
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if name not in FAULTS:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(FAULTS)}.")
    return names
