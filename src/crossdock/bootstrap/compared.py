"""What the hub would have booked against what its ERPs hold, read from the store while it works (domain/comparing.py)."""

from __future__ import annotations

import msgspec

from crossdock.domain.comparing import BookedSale, Compared, Wanted, compare
from crossdock.domain.policy import Plan
from crossdock.errors import ConfigurationError
from crossdock.stores.reads import Reads

FEED = "sales"
US = 1_000_000


class _Line(msgspec.Struct, gc=False):
    ordered: int = 0
    removed: int = 0
    asked: int = 0
    cancelled: int = 0

    @property
    def gone(self) -> bool:
        return max(self.removed, self.asked, self.cancelled) >= self.ordered


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
    day: msgspec.Raw = msgspec.Raw(b"")
    lines: list[_Line] = []
    booked: list[BookedSale] = []


_decode = msgspec.json.Decoder(_Process).decode


def compared(reads: Reads, plan: Plan, *, since: int = 0, late_s: float) -> Compared:
    """Compare every order placed since a time (microseconds UTC) with the sales that its ERP has told of.

    Raises ConfigurationError where no ERP's sales were ever read, for then nothing can be said.
    """
    erps = dict.fromkeys(route.erp for route in plan.routes.values() if route.erp)
    read_until = {erp: at[0][0] for erp in erps if (at := reads.rows("feed_read_at", erp, FEED))}
    if not read_until:
        names = ", ".join(erps) or "no route has one"
        raise ConfigurationError(
            f"The sales of the ERP ({names}) were never read. Let its connection read them: "
            f'feeds = ["{FEED}"] and poll_every_s, then compare once it has been read.'
        )
    orders: list[Wanted] = []
    booked: list[BookedSale] = []
    for _, value in reads.processes():
        process = _decode(value)
        booked += process.booked
        route = plan.routes.get(process.connection)
        if process.known and route is not None and route.erp in read_until and not process.ticket:
            orders.append(_wanted(process, route.erp, since))
    return compare(orders, booked, read_until=read_until, late_us=int(late_s * US), since=since)


def _wanted(process: _Process, erp: str, since: int) -> Wanted:
    gone = process.cancelled or all(line.gone for line in process.lines)
    wanted = (
        process.commitment == "committed"
        and not process.test
        and not process.copy_of
        and not gone
        and not process.day
    )
    return Wanted(
        order=process.order,
        connection=process.connection,
        external_id=process.external_id,
        number=process.number,
        erp=erp,
        currency=process.currency,
        total=process.total,
        placed_at=process.placed_at,
        expected=wanted and process.placed_at >= since,
    )
