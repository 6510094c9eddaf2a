"""What one process at a time does for all: time passes, schedules fire, what the dead had claimed is taken over."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.engine.port import Expired, Late, Terms
from crossdock.stores.expiring import look
from crossdock.stores.postgres.expiring import Shelves
from crossdock.stores.postgres.floors import US
from crossdock.stores.postgres.intake import Intake
from crossdock.stores.postgres.leases import SCHEDULER, Leases
from crossdock.stores.postgres.session import Session
from crossdock.stores.ticks import tick

WAKE_MAX = 5_000
"""Rows of a kind that one wake makes due; the rest at the next."""
NOBODY = "nobody"
LOOK_US = 60 * US
"""Longer than any transaction of ours: what somebody claimed who died before anybody saw it alive is found by then."""


class Upkeep:
    """The scheduler of one process; it works while it has the one lease."""

    def __init__(self, owner: str, intake: Intake) -> None:
        self._owner, self._intake = owner, intake
        self.leases = Leases(SCHEDULER, owner, [""])
        self._grace_us, self._keyed = 0, list[str]()
        self._alive: frozenset[str] | None = None
        """The dispatchers that lived when it was looked last what the dead had claimed; None: that is to be looked at."""
        self._look_at = 0

    def wake(self, session: Session, now: int) -> int | None:
        """Inside a transaction: make due what is due; when the next will be. None also where another process does it."""
        if not self.leases.held_now(session, [""]):
            return None
        self._take_over_from_dead(session, now)
        for name in ("wake_inbox", "wake_outbox", "wake_marks", "retake_marks"):
            session.run(name, now, WAKE_MAX)
        arrivals = []
        for name, connection, feed, every, next_at, busy in session.run("due_schedules", now):
            if not session.change("move_schedule", name, now + every, next_at) or busy:
                continue
            cursor = session.run("read_cursor", connection, feed)
            arrivals.append(tick(connection, feed, cursor[0][0] if cursor else "", next_at))
        self._intake.accept(session, arrivals, now)
        found = session.run("next_due")[0][0]
        return None if found is None else int(found)

    def forget(self) -> None:
        """What was done in a transaction that came to nothing is to be done again."""
        self._alive = None

    def remind(self, session: Session, kind: str, before: int, now: int, limit: int) -> int:
        """Inside a transaction: a message to each unfinished subject, once for ever, whichever process sends it."""
        if not self.leases.held_now(session, [""]):
            return 0
        arrivals = [
            Arrival(source=HUB, kind=kind, body=b"{}", subject=subject, delivery_id=kind, lane=LANE_FREE)
            for (subject,) in session.run("unfinished_since", before, kind, limit)
        ]
        self._intake.accept(session, arrivals, now)
        return len(arrivals)

    def expire(self, session: Session, terms: Terms, now: int, limit: int) -> Expired:
        """Inside a transaction: look on; nothing where another process does it."""
        if not self.leases.held_now(session, [""]):
            return Expired()
        return look(Shelves(session), terms, now, limit)

    @staticmethod
    def late(session: Session, before: int) -> list[Late]:
        """What is still to be done by itself though it was staged before."""
        return [
            Late(connection=connection, operation=operation, count=count, oldest=oldest)
            for connection, operation, count, oldest in session.run("late_calls", before)
        ]

    @staticmethod
    def schedules(session: Session, wanted: Mapping[str, tuple[str, str, int]], now: int) -> None:
        """Inside a transaction: these and no others."""
        if wanted:
            session.run("drop_schedules", list(wanted))
        else:
            session.run("drop_all_schedules")
        for name, (connection, feed, every) in sorted(wanted.items()):
            session.run("put_schedule", name, connection, feed, every, now)

    def recover(self, session: Session, grace_us: int, keyed: Collection[str]) -> dict[str, int]:
        """Inside a transaction, at the start of a process: from now on it knows how to take over what the dead had."""
        self._grace_us, self._keyed = grace_us, list(keyed)
        return self._take_over(session, self._owner)

    def _take_over_from_dead(self, session: Session, now: int) -> None:
        """Where a dispatcher has died, and now and then: looking at all that is claimed passes over every dead row."""
        alive = frozenset(owner for (owner,) in session.run("dispatchers_alive"))
        before, self._alive = self._alive, alive
        if before is None or before - alive or not 0 < self._look_at - now <= LOOK_US:
            self._look_at = now + LOOK_US
            self._take_over(session, NOBODY)

    def _take_over(self, session: Session, also: str) -> dict[str, int]:
        """What the dead had claimed, and what `also` had: effects may have happened, values are sent again."""
        effects = session.change("recover_outbox", self._grace_us, self._owner, also)
        if effects and self._keyed:
            session.run("recover_keyed", self._keyed)
        return {"effects": effects, "marks": session.change("recover_marks", self._owner, also)}
