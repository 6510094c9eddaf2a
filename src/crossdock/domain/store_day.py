"""A store's business day: its date, what its tickets come to, and how that compares with what its close states.

The date is the store's: its zone's wall clock, less the hour at which a day ends there, so that a ticket of half past
midnight belongs to the evening before, and a day may have 23 or 25 hours. Everything here is derived from the tickets'
rows, whatever order they came in. Amounts in minor units, times in microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from crossdock.domain.state import TicketRow
from crossdock.domain.tickets import Value, decode_value
from crossdock.model.tills import StoreDay, over_short

Range = tuple[int, int]
"""First and last number, both included."""
PostingState = Literal["staged", "done", "refused", "in_doubt", "exhausted", "dropped", "undone"]
"""dropped: a person has given it up, and its tickets are theirs to book; undone: they are to be posted again."""
GIVEN_UP = "given_up"
"""The hold whose release posts again what a person has given up; the day is finished without it."""
DATES_MAX = 36
"""How many months may be closed before nobody can say where a day belongs."""
US = 1_000_000


class DayPosting(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One document of a day in the ERP: the first, or a supplement, and the tickets that it sums.

    number counts the attempts of a day, those without a document too: voids alone make none, nor does what was given up.
    connection: the ERP. ranges: numbers per till. total is ours, erp_total theirs; date is the open date that it was posted to.
    """

    number: int
    connection: str
    total: int
    ranges: dict[str, list[Range]]
    reference: str = ""
    """Under what it was sent; "" of what was posted before this was kept: there the first document bears the day's id."""
    tickets: int = 0
    state: PostingState = "staged"
    document: str = ""
    erp_total: int | None = None
    date: str = ""
    over_short: int | None = None
    """What it tells of what people counted less what was expected; None where that was not remembered yet."""

    @property
    def made(self) -> bool:
        """Whether the ERP has made a document of it."""
        return self.state == "done" and (bool(self.document) or self.erp_total is not None)

    @property
    def on_its_way(self) -> bool:
        """Whether it was sent, or is to be sent, and nobody knows yet what becomes of it."""
        return self.state not in ("done", "dropped", "undone")

    def holds(self, till: str, sequence: int) -> bool:
        """Whether a ticket is in it."""
        return self.state != "undone" and any(
            first <= sequence <= last for first, last in self.ranges.get(till, ())
        )


class DayState(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What is remembered of a store's day between messages. `control` is what its close stated, None while it is open.

    store is the name by which its tills call it, place our id of it.
    tickets and total are as last counted; checked: it was counted since it was closed.
    """

    store: str
    place: str
    date: str
    opened_at: int = 0
    closed_at: int = 0
    control: StoreDay | None = None
    version: str = ""
    tickets: int = 0
    total: int = 0
    checked: bool = False
    left: int = 0
    """Tickets that are counted and not posted."""
    silent: bool = False
    watch_at: int = 0
    """When it looks next whether its store is silent; closed, whether the next day has begun. 0: not any more."""
    across: bool = False
    """A person was told that it began before the start, and sold after it."""
    postings: list[DayPosting] = []
    over_short: int = 0
    """What the journal holds of it."""
    accepted: tuple[tuple[str, int, int], ...] = ()
    """Differences that a person has accepted: what about, stated and held. With other figures they are new ones."""

    @property
    def stage(self) -> Literal["day_open", "day_closed", "day_posted"]:
        """Where it is: open, closed, or posted."""
        if self.control is None:
            return "day_open"
        posted = self.postings and not self.left and all(p.state in ("done", "undone") for p in self.postings)
        return "day_posted" if posted else "day_closed"

    @property
    def documents(self) -> list[DayPosting]:
        """The postings of which the ERP has a document, the first before its supplements."""
        return [posting for posting in self.postings if posting.made]

    @property
    def counted(self) -> int:
        """What people counted less what was expected, as its close states it now."""
        return 0 if self.control is None else over_short(self.control.tenders)

    @property
    def untold(self) -> int:
        """What of that no posting tells; a close that is corrected changes it. What was given up is a person's to book."""
        told = [posting for posting in self.postings if posting.state != "undone"]
        if any(posting.over_short is None and (posting.made or posting.on_its_way) for posting in told):
            return 0  # posted before it was remembered: with what the close stated then
        return self.counted - sum(posting.over_short or 0 for posting in told)

    @property
    def on_its_way(self) -> bool:
        """Whether a posting is on its way: the next one waits for it."""
        return any(posting.on_its_way for posting in self.postings)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a day's tickets come to: numbers by till, tenders by (till, kind), cash besides the sales."""

    numbers: Mapping[str, Sequence[int]]
    tenders: Mapping[tuple[str, str], int]
    tickets: int = 0
    total: int = 0
    tax: int = 0
    paid_in: int = 0
    paid_out: int = 0
    floats: int | None = None
    """What tills say lay in their drawers when the day began; None where none says it."""
    currencies: tuple[str, ...] = ()

    @property
    def cash(self) -> int:
        """What was taken in cash less what was given back."""
        return sum(amount for (_, kind), amount in self.tenders.items() if kind == "cash")


SALES = "sales less returns"
_FIGURES = frozenset({"paid_in", "paid_out", "tickets", "tax", "float_opening", "float_closing"})


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What a close states, and what we hold: of a till's tender, of paid in or out, of all tickets or their number.

    named: the close says something of it; what it does not name counts as nothing taken.
    """

    till: str
    what: str
    stated: int
    held: int
    named: bool = True

    @property
    def about(self) -> str:
        """Its name within the day."""
        return f"{self.till or '*'}/{self.what}"

    @property
    def field(self) -> str:
        """Where the close states it: a field of its own, else one of its tenders."""
        if self.what == SALES:
            return "sales_gross"
        return self.what if self.what in _FIGURES else "tenders"


def business_date(moment: datetime, zone: str, ends_hour: int) -> date:
    """The business date of a moment: by the store's wall clock, where a day lasts until `ends_hour` of the next."""
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (local - timedelta(hours=ends_hour)).date()


def day_end(day: date, zone: str, ends_hour: int) -> int:
    """The moment at which a business day ends by the store's wall clock."""
    wall = datetime.combine(day + timedelta(days=1), time(ends_hour), tzinfo=ZoneInfo(zone))
    return int(wall.astimezone(UTC).timestamp()) * US


def begins_since(day: date, since: datetime, zone: str, ends_hour: int) -> bool:
    """Whether a business day is one of those from the start on. A day that had begun before is none of them, as a whole.

    A start at midnight UTC is a date, and that of the first day in every zone; any other is a moment.
    """
    first = first_date(since)
    if first is not None:
        return day >= first
    return day_end(day - timedelta(days=1), zone, ends_hour) >= int(since.timestamp()) * US


def first_date(since: datetime) -> date | None:
    """The date that a start is; None where it is a moment."""
    start = since.astimezone(UTC)
    return start.date() if start.time() == time() else None


def posting_dates(day: date, today: date, closed_period: Literal["next_month", "today"]) -> tuple[date, ...]:
    """Dates to post a day to, in order: its own, then where that period is closed the next that may be open."""
    found = [day]
    if closed_period == "next_month":
        month = day
        while len(found) < DATES_MAX:
            month = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
            if month > today:
                break
            found.append(month)
    if today > found[-1]:
        found.append(today)
    return tuple(found)


def hold(rows: Iterable[tuple[TicketRow, Value]]) -> Held:
    """Sum up tickets, each once."""
    numbers: dict[str, list[int]] = {}
    tenders: dict[tuple[str, str], int] = {}
    currencies: dict[str, None] = {}
    tickets = total = tax = paid_in = paid_out = 0
    floats: int | None = None
    for row, value in rows:
        numbers.setdefault(row.till, []).append(row.sequence)
        tickets += 1
        total += value.total
        tax += sum(part.gross - part.net for part in (*value.sold, *value.back))
        if value.kind == "paid_in":
            paid_in += value.amount
        elif value.kind == "paid_out":
            paid_out += value.amount
        elif value.kind == "float":
            floats = (floats or 0) + value.amount
        if value.currency:
            currencies[value.currency] = None
        for kind, amount in value.tenders:
            tenders[row.till, kind] = tenders.get((row.till, kind), 0) + amount
    return Held(
        numbers={till: sorted(found) for till, found in sorted(numbers.items())},
        tenders=tenders,
        tickets=tickets,
        total=total,
        tax=tax,
        paid_in=paid_in,
        paid_out=paid_out,
        floats=floats,
        currencies=tuple(sorted(currencies)),
    )


def differences(held: Held, control: StoreDay) -> list[Difference]:
    """Everything that the close states otherwise than we hold it, to the minor unit; in a fixed order.

    A tender is compared where the close names its kind: per till, for the whole store, or both. Nowhere means nothing taken.
    """
    stated: dict[tuple[str, str], int] = {}
    for tender in control.tenders:
        key = (tender.register, tender.kind)
        stated[key] = stated.get(key, 0) + tender.expected
    by_till = any(register for register, _ in stated)
    ours: dict[tuple[str, str], int] = {}
    for (till, kind), amount in held.tenders.items():
        said = [place for place in ("", till) if (place, kind) in stated]
        for place in said or [till if by_till else ""]:
            ours[place, kind] = ours.get((place, kind), 0) + amount
    found = [
        Difference(
            till=till,
            what=kind,
            stated=stated.get((till, kind), 0),
            held=amount,
            named=(till, kind) in stated,
        )
        for (till, kind), amount in sorted((dict.fromkeys(stated, 0) | ours).items())
    ]
    if control.sales_gross or control.returns_gross:
        net = control.sales_gross - control.returns_gross
        found.append(Difference(till="", what=SALES, stated=net, held=held.total))
    found.append(Difference(till="", what="paid_in", stated=control.paid_in, held=held.paid_in))
    found.append(Difference(till="", what="paid_out", stated=control.paid_out, held=held.paid_out))
    if control.tickets:
        found.append(Difference(till="", what="tickets", stated=control.tickets, held=held.tickets))
    if control.tax:
        found.append(Difference(till="", what="tax", stated=control.tax, held=held.tax))
    if control.float_opening and held.floats is not None:
        found.append(
            Difference(till="", what="float_opening", stated=control.float_opening, held=held.floats)
        )
    if control.float_closing:
        drawers = (control.float_opening or held.floats or 0) + held.cash + held.paid_in - held.paid_out
        found.append(Difference(till="", what="float_closing", stated=control.float_closing, held=drawers))
    return [difference for difference in found if difference.stated != difference.held]


def gaps(held: Held, control: StoreDay | None) -> dict[str, list[Range]]:
    """Per till, the numbers that are missing: between the first and the last held, or those that the close states."""
    bounds = {till: (numbers[0], numbers[-1]) for till, numbers in held.numbers.items()}
    for stated in control.sequences if control is not None else ():
        first, last = bounds.get(stated.register, (stated.first, stated.last))
        bounds[stated.register] = (min(first, stated.first), max(last, stated.last))
    return {
        till: missing
        for till, (first, last) in sorted(bounds.items())
        if (missing := _missing(ranges(held.numbers.get(till, ())), first, last))
    }


def ranges(numbers: Iterable[int]) -> list[Range]:
    """Sorted numbers as ranges."""
    found: list[Range] = []
    for number in numbers:
        if found and number <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(number, found[-1][1]))
        else:
            found.append((number, number))
    return found


def unposted(rows: Sequence[TicketRow], postings: Sequence[DayPosting]) -> list[TicketRow]:
    """The tickets that are in no posting of their day, by till and number."""
    left = [row for row in rows if not any(posting.holds(row.till, row.sequence) for posting in postings)]
    return sorted(left, key=lambda row: (row.till, row.sequence))


def valued(rows: Iterable[TicketRow]) -> list[tuple[TicketRow, Value]]:
    """Rows with what they hold."""
    return [(row, decode_value(row.value)) for row in rows]


def _missing(held: Sequence[Range], first: int, last: int) -> list[Range]:
    found: list[Range] = []
    for low, high in held:
        if low > first:
            found.append((first, min(low - 1, last)))
        first = max(first, high + 1)
    if first <= last:
        found.append((first, last))
    return found
