"""What a batch knows and learns of stores: the days that tickets belong to, the tickets, when each store was heard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from crossdock.domain.policy import Mode, Place, Plan
from crossdock.domain.state import Run, Snapshot, TicketRow
from crossdock.domain.store_day import begins_since, business_date
from crossdock.model.ids import ExternalRef
from crossdock.model.tills import TillTicket

STORE_DAY = "store_day"
"""The kind of reference by which a connection's store day is found."""
TOUCHED = "store_day.touched"


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket tells its day where that is not known, or not open any more: open, or count again."""

    store: str
    date: date
    currency: str = ""


class DayBook:
    """Days, tickets and pulses under change. What a message adds is kept, or dropped with it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._days, self._tickets, self._pulses = snapshot.days, snapshot.tickets, snapshot.pulses
        self._runs, self._firsts = snapshot.runs, snapshot.firsts
        self._staged: list[tuple[TicketRow, bool]] = []
        self.rows: list[TicketRow] = []
        self._heard: dict[tuple[str, str], int] = {}
        self._touched: dict[tuple[str, str], None] = {}

    def stage(self, connection: str, ref: str) -> str:
        """The stage of a day; "" where it is not known."""
        return self._days.get((connection, ref), "")

    def add(self, row: TicketRow, *, touches: bool) -> bool:
        """Add a ticket; returns whether its day is still to be told of it, where it is to be told at all."""
        self._staged.append((row, touches))
        return touches and (row.connection, day_ref(row.store, row.day)) not in self._touched

    def tickets(self, key: tuple[str, str, str]) -> Sequence[TicketRow]:
        """Every ticket of a day, those of this batch included."""
        held = {(row.till, row.sequence): row for row in self._tickets.get(key, ())}
        for row in self.rows:
            if row.key == key:
                held[row.till, row.sequence] = row
        return tuple(held.values())

    def before(self, key: tuple[str, str, str]) -> Sequence[Run]:
        """The numbers of each till on the days before one, as they are kept."""
        return self._runs.get(key, ())

    def first(self, connection: str, store: str, till: str) -> int | None:
        """The first number that is held of a till; None where none is."""
        return self._firsts.get((connection, store, till))

    def heard(self, connection: str) -> dict[str, int]:
        """When each store of a connection was heard last."""
        found = {store: at for (name, store), at in self._pulses.items() if name == connection}
        for (name, store), at in self._heard.items():
            if name == connection:
                found[store] = max(at, found.get(store, 0))
        return found

    def pulses(self) -> list[tuple[str, str, int]]:
        """What was heard in this batch."""
        return [(connection, store, at) for (connection, store), at in self._heard.items()]

    def keep(self) -> None:
        """End a message: what it added stays."""
        for row, touches in self._staged:
            self.rows.append(row)
            store = (row.connection, row.store)
            self._heard[store] = max(row.at, self._heard.get(store, 0))
            if touches:
                self._touched[row.connection, day_ref(row.store, row.day)] = None
        self._staged.clear()

    def undo(self) -> None:
        """End a message as if it had never been."""
        self._staged.clear()


def day_ref(store: str, day: str) -> str:
    """What a connection calls a store's day: "berlin/2026-03-29"."""
    return f"{store}/{day}"


def told_store(location: str, ref: ExternalRef | None) -> str:
    """The store as its till names it: its days are known by that name."""
    return location if ref is None else ref.id


def store_place(plan: Plan, store: str) -> Place | None:
    """Our place that a till means by a name: our id of it, or the code that we hold for it."""
    if store in plan.places:
        return plan.places[store]
    return next((place for place in plan.places.values() if store and place.partner_code == store), None)


def ticket_date(plan: Plan, ticket: TillTicket, place: Place) -> date | None:
    """The business date: as the till says, else by the store's wall clock; None where it has no time either."""
    if ticket.business_date is not None:
        return ticket.business_date
    if ticket.occurred_at is None:
        return None
    return business_date(ticket.occurred_at, place.zone, plan.policy.day_ends_hour)


def day_mode(plan: Plan, connection: str, place: Place, day: date) -> Mode:
    """The mode of a store's day and of its tickets, which are summed or not as a whole: that of the day's beginning.

    There is nothing to take over of what a till has sold and others have posted: what is older is observed.
    """
    mode, since = plan.modes.get(connection, "live"), plan.since.get(connection)
    if mode == "observe" or since is None:
        return mode
    return "live" if begins_since(day, since, place.zone, plan.policy.day_ends_hour) else "observe"
