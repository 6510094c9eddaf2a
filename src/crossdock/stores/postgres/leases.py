"""Who may do what among processes that share a database: leases with fencing numbers, by the clock of the database.

Each process aims at its fair share, takes what nobody holds or whose holder is gone, and gives up what is too much. The
lease alone makes nothing safe: `check` inside the writing transaction does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from crossdock.errors import LeaseLostError
from crossdock.stores.postgres.session import Session

LEASE_US = 3_000_000
RENEW_US = 1_000_000
INBOX, CONNECTION, SCHEDULER = "inbox", "connection", "scheduler"

Busy = Callable[[str], bool]
"""Whether this process is in the middle of something that the lease of a part covers."""


def idle(part: str) -> bool:
    """Nothing is ever in the middle."""
    return False


class Leases:
    """What one process holds of one kind of work. `step` is called each second, by whoever has the time."""

    def __init__(self, kind: str, owner: str, parts: Collection[str] = (), busy: Busy = idle) -> None:
        self.kind, self.owner = kind, owner
        self._parts: dict[str, None] = dict.fromkeys(parts)
        self._busy = busy
        self._fences: dict[str, int] = {}
        self._leaving: frozenset[str] = frozenset()
        self.keeps: frozenset[str] = frozenset()
        """Parts of which this process knows what another one would not: they are not given up for fairness."""
        self._next_at: int | None = None

    @property
    def parts(self) -> list[str]:
        """What may be claimed from: held, and not about to be given up."""
        return [part for part in self._fences if part not in self._leaving]

    def due(self, now: int) -> bool:
        """Whether it is time for a step."""
        return self._next_at is None or now >= self._next_at

    def know(self, session: Session, parts: Collection[str]) -> None:
        """Take part in the work on these too; a new one may be had at the next step."""
        new = [part for part in parts if part not in self._parts]
        if new:
            session.run("add_leases", self.kind, new)
            self._parts.update(dict.fromkeys(new))
            self._next_at = None

    @property
    def known(self) -> list[str]:
        """What this process takes part in."""
        return list(self._parts)

    def again(self, known: Collection[str]) -> None:
        """A transaction has come to nothing: what was known before it is, and the next step, due at once, tells what is held."""
        self._parts, self._next_at = dict.fromkeys(known), None

    def step(self, session: Session, now: int) -> list[str]:
        """Inside a transaction: renew, give up what is too much, take what is free. Returns who held what was taken."""
        session.run("attend", self.kind, self.owner, LEASE_US)
        held: dict[str, int] = dict(session.run("held_leases", self.kind, self.owner))
        alive, rowwise = session.run("members_alive", self.kind)[0]
        if rowwise:
            session.run("renew_leases", self.kind, self.owner, LEASE_US)
        share = -(-len(self._parts) // max(1, alive))
        taken_from: list[str] = []
        if len(held) > share:
            held = self._give_up(session, held, share)
        elif len(held) < share:
            missing = share - len(held)
            taken = session.run("take_leases", self.kind, self.owner, LEASE_US, list(self._parts), missing)
            held.update((part, fence) for part, fence, _ in taken)
            taken_from = sorted({before for _, _, before in taken if before})
        self._leaving = self._leaving & held.keys() if len(held) > share else frozenset()
        self._fences = {part: held[part] for part in sorted(held)}
        self._next_at = now + RENEW_US
        return taken_from

    def _give_up(self, session: Session, held: dict[str, int], share: int) -> dict[str, int]:
        """Hand over what is too much; what is in the middle of something is claimed from no more, and goes next time."""
        may_go = [part for part in held if part not in self.keeps]
        going = sorted(may_go, key=lambda part: (part not in self._leaving, self._busy(part)))[
            : len(held) - share
        ]
        free = [part for part in going if not self._busy(part)]
        self._leaving = frozenset(going) - frozenset(free)
        if free:
            session.run("give_up_leases", self.kind, self.owner, free)
        return {part: fence for part, fence in held.items() if part not in free}

    def check(self, session: Session, parts: Collection[str]) -> None:
        """Inside the writing transaction: nobody has taken these since, and nobody can until it ends.

        Raises LeaseLostError; then everything that is held is in question, and the next step tells.
        """
        wanted = sorted(parts)
        if not wanted:
            return
        found: dict[str, int] = dict(session.run("check_leases", self.kind, self.owner, wanted))
        lost = [part for part in wanted if part not in self._fences or found.get(part) != self._fences[part]]
        if lost:
            self.forget()
            raise LeaseLostError(
                f"Another process has taken over {len(lost)} of {len(wanted)} parts of the {self.kind} work. Nothing was "
                "written; whoever has them does it.",
                retry_after=0,
            )

    def held_now(self, session: Session, parts: Sequence[str]) -> list[str]:
        """Inside the writing transaction: those of these that are still held, and stay so until it ends."""
        wanted = sorted(part for part in parts if part in self._fences and part not in self._leaving)
        if not wanted:
            return []
        found: dict[str, int] = dict(session.run("check_leases", self.kind, self.owner, wanted))
        held = [part for part in wanted if found.get(part) == self._fences[part]]
        if len(held) < len(wanted):
            self._next_at = None
        return held

    def forget(self) -> None:
        """Hold nothing until the next step, which is due at once."""
        self._fences, self._next_at = {}, None

    def release(self, session: Session) -> None:
        """Inside a transaction: give up everything, so that others need not wait for it to run out."""
        session.run("give_up_leases", self.kind, self.owner, list(self._parts))
        session.run("leave_work", self.kind, self.owner)
        self.forget()
