"""What stands still is told to a person: an order that is not done in time, and a partner that does not get its calls."""

from __future__ import annotations

import msgspec

from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.engine.operations import CONNECTION_LATE
from crossdock.engine.port import Late, Store

US = 1_000_000
EVERY_US = 60 * US
"""How often it is looked: each time reads what is unfinished, which is bounded by what is in progress."""
AGAIN_US = 3600 * US
"""How often a partner that is still late is told anew, with its figures of then."""
TOLD_AGAIN_US = AGAIN_US + 2 * EVERY_US
"""Who closes the case of a partner that stays late is told again within this."""
REMINDED_MAX = 500
"""Subjects that are reminded at a time; the next ones a minute later."""


class Sweep:
    """Looks every minute. `step` returns when it wants to be called again.

    `overdue` is the kind of message that an unfinished subject is sent, once for ever, `overdue_us` after it was first
    heard of. A call that is in the outbox for `late_us`, and that no person has been asked about, makes a case of its
    connection and operation: one, however many there are.
    """

    def __init__(self, store: Store, *, overdue: str, overdue_us: int, late_us: int) -> None:
        self._store, self._overdue = store, overdue
        self._overdue_us, self._late_us = overdue_us, late_us
        self._next_at = 0

    def step(self, now: int) -> int:
        """Look, if it is time; a clock that has jumped back far makes no pause longer than the usual one."""
        if self._next_at - EVERY_US <= now < self._next_at:
            return self._next_at
        self._store.remind(self._overdue, now - self._overdue_us, now, REMINDED_MAX)
        late = self._store.late(now - self._late_us)
        if late:
            self._store.accept([_word_of(found, now) for found in late], now)
        self._next_at = now + EVERY_US
        return self._next_at


def _word_of(late: Late, now: int) -> Arrival:
    """Word that a connection is late: told again under the same case, but not twice within the hour."""
    return Arrival(
        source=HUB,
        kind=CONNECTION_LATE,
        body=msgspec.json.encode(late),
        ref_kind="connection",
        ref=late.connection,
        delivery_id=f"late {late.operation} {now // AGAIN_US}",
        strict=True,
        lane=LANE_FREE,
    )
