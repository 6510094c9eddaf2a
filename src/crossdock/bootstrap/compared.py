"""What the hub would have booked against what its ERPs hold, read from the store while it works (domain/comparing.py)."""

from __future__ import annotations

import msgspec

from crossdock.domain.comparing import KINDS, OF_DAY, BookedSale, Compared, Wanted, compare
from crossdock.domain.comparing_days import WantedDay, compare_days
from crossdock.domain.policy import Plan, Route
from crossdock.domain.tickets import decode_value, gross_of
from crossdock.errors import ConfigurationError
from crossdock.flows.day_book import store_place
from crossdock.stores.reads import Reads

SALES, DAYS = "sales", "days"
US = 1_000_000


class _Line(msgspec.Struct, gc=False):
    ordered: int = 0
    gross: int = 0
    removed: int = 0
    asked: int = 0
    cancelled: int = 0

    @property
    def gone(self) -> bool:
        return max(self.removed, self.asked, self.cancelled) >= self.ordered


class _Day(msgspec.Struct, gc=False):
    store: str
    place: str
    date: str
    closed_at: int = 0


class _Process(msgspec.Struct, gc=False):
    """As much of an order's process as is compared."""

    order: str
    connection: str = ""
    external_id: str = ""
    number: str = ""
    currency: str = ""
    known: bool = False
    test: bool = False
    copy_of: str = ""
    cancelled: bool = False
    commitment: str = "tentative"
    placed_at: int = 0
    total: int = 0
    ticket: str = ""
    day: _Day | None = None
    lines: list[_Line] = []
    booked: list[BookedSale] = []


_decode = msgspec.json.Decoder(_Process).decode


def compared(reads: Reads, plan: Plan, *, since: int = 0, late_s: float) -> Compared:
    """Compare every order placed since a time (microseconds UTC) with the sales that its ERP has told of, and every store's day.

    Tickets that are booked each are orders here; those that are booked in sum are their day's. Raises ConfigurationError where
    nothing of any ERP was ever read, for then nothing can be said.
    """
    erps = dict.fromkeys(route.erp for route in plan.routes.values() if route.erp)
    read = {feed: _read_until(reads, erps, feed) for feed in (SALES, DAYS)}
    if not any(read.values()):
        names = ", ".join(erps) or "no route has one"
        raise ConfigurationError(
            f"The sales of the ERP ({names}) were never read. Let its connection read them: "
            f'feeds = ["{SALES}"] and poll_every_s, then compare once it has been read; where tills are booked in sum, '
            f'"{DAYS}" too.'
        )
    orders: list[Wanted] = []
    days: list[WantedDay] = []
    booked: list[BookedSale] = []
    unread = 0
    for _, value in reads.processes():
        process = _decode(value)
        booked += process.booked
        route = plan.routes.get(process.connection)
        if not process.known or route is None or not _is_compared(process, route):
            continue
        if route.erp not in read[SALES if process.day is None else DAYS]:
            unread += 1
        elif process.day is not None:
            days.append(_wanted_day(reads, process, process.day, route.erp, since))
        else:
            orders.append(_wanted(process, route.erp, since))
    late_us = int(late_s * US)
    sold = [sale for sale in booked if sale.kind != OF_DAY]
    summed = [_placed(plan, sale) for sale in booked if sale.kind == OF_DAY]
    found = compare(orders, sold, read_until=read[SALES], late_us=late_us, since=since)
    of_days = compare_days(days, summed, read_until=read[DAYS], late_us=late_us)
    return msgspec.structs.replace(
        found,
        findings=tuple(
            sorted((*found.findings, *of_days.findings), key=lambda finding: KINDS.index(finding.kind))
        ),
        days=of_days.orders,
        days_agree=of_days.agree,
        days_early=of_days.early,
        unread=unread,
    )


def _read_until(reads: Reads, erps: dict[str, None], feed: str) -> dict[str, int]:
    """Up to when each ERP's feed was read, of those whose it ever was."""
    return {erp: at[0][0] for erp in erps if (at := reads.rows("feed_read_at", erp, feed))}


def _is_compared(process: _Process, route: Route) -> bool:
    """Whether it is booked by itself: a ticket where each is, a day where they are not."""
    if process.day is not None:
        return route.post != "each"
    return not process.ticket or route.post == "each"


def _placed(plan: Plan, sale: BookedSale) -> BookedSale:
    """What is booked of a day, under our id of the store: its keeper may call it by its code."""
    store, _, day = sale.ref.rpartition("/")
    place = store_place(plan, store)
    return sale if place is None else msgspec.structs.replace(sale, ref=f"{place.id}/{day}")


def _wanted_day(reads: Reads, process: _Process, day: _Day, erp: str, since: int) -> WantedDay:
    rows = reads.rows("day_tickets", process.connection, day.store, day.date)
    values = [decode_value(value) for (value,) in rows]
    return WantedDay(
        order=process.order,
        connection=process.connection,
        name=f"{day.place}/{day.date}",
        erp=erp,
        currency=process.currency,
        total=sum(gross_of((*value.sold, *value.back)) for value in values),
        closed_at=day.closed_at,
        expected=process.placed_at >= since,
    )


def _wanted(process: _Process, erp: str, since: int) -> Wanted:
    """An order, or a ticket: what that took back is a credit of its own."""
    gone = process.cancelled or all(line.gone for line in process.lines)
    wanted = process.commitment == "committed" and not process.test and not process.copy_of and not gone
    back = sum(line.gross for line in process.lines if line.ordered < 0) if process.ticket else 0
    return Wanted(
        order=process.order,
        connection=process.connection,
        external_id=process.external_id,
        number=process.number,
        erp=erp,
        currency=process.currency,
        total=process.total - back,
        placed_at=process.placed_at,
        expected=wanted and process.placed_at >= since,
    )
