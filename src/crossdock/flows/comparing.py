"""Going live: what an ERP holds of an order, whoever made it; and taking over what another integration has made.

While a connection is only observed the hub decides and emits nothing; `crossdock compare` then sets what it would have
booked against what the ERP's feed of sales tells (domain/comparing.py). An order that is taken over gets no second sale, and none
is taken for granted: where its ERP cannot be asked, it waits until a person, or that feed, says that it is there.
"""

from __future__ import annotations

from crossdock.domain.comparing import OF_DAY, BookedSale
from crossdock.domain.process import SALE_UNSEEN, Sale
from crossdock.flows.desk import Desk, micros
from crossdock.flows.standing import stand
from crossdock.model.commands import AdoptSale
from crossdock.model.finance import Posting
from crossdock.model.ids import ConnectionId, ExternalRef, OrderId
from crossdock.model.order import Order
from crossdock.model.versions import is_newer

ADOPT_SALE = "adopt_sale"
"""The hold of an order that is taken over, while nobody has said that its ERP has a sale of it."""


def take_told_sale(desk: Desk, told: Posting) -> str:
    """Remember a sale that an ERP tells of, or what it holds of a store's day, as it is now. Returns the outcome.

    One that bears our own id names no channel's order: it is of the order that it stands under. What is only planned there, or
    is again, counts as little as what was cancelled. What bears an older version than we hold changes nothing.
    """
    process, ref = desk.process, told.order_ref
    if ref is None and process.known and process.external_id:
        kind = "order" if process.day is None else OF_DAY
        ref = ExternalRef(connection=ConnectionId(process.connection), kind=kind, id=process.external_id)
    sale = BookedSale(
        connection=desk.message.source,
        document=told.document,
        currency=told.currency,
        total=told.erp_total or 0,
        channel=ref.connection if ref is not None else "",
        kind=ref.kind if ref is not None else "",
        ref=ref.id if ref is not None else "",
        number=told.number,
        made_at=micros(told.posted_at),
        cancelled=told.state in ("reversed", "planned"),
        version=told.version,
    )
    kept = [s for s in process.booked if (s.connection, s.document) != (sale.connection, sale.document)]
    if sale.version:
        if sale in process.booked:
            return "duplicate"
        if any(s not in kept and is_newer(s.version, sale.version) for s in process.booked):
            return "stale"
    process.booked = [*kept, sale]
    if process.sale is not None and _is_unseen(process.sale, sale.connection) and not sale.cancelled:
        process.sale = _done(desk, sale.document)
        process.holds.pop(SALE_UNSEEN, None)
    desk.event("message.noted", {"kind": desk.message.kind})
    if process.day is None and told.kind == "sale":
        stand(desk)  # a second one is a case, until one of them is cancelled
    return "processed"


def take_over(desk: Desk, order: Order) -> None:
    """The sale of an order that is taken over: as the ERP has told it, else it is asked, and makes none in any case.

    Where it cannot be asked, a person is.
    """
    process, route = desk.process, desk.route
    erp = route.erp if route is not None else ""
    for sale in process.booked:
        if sale.connection == erp and not sale.cancelled:
            process.sale = _done(desk, sale.document)
            return
    command = AdoptSale(
        order_id=OrderId(process.order),
        connection=process.connection,
        channel_order=process.external_id,
        number=order.number,
    )
    if not erp:
        process.sale = _done(desk, order.number)
    elif desk.stage(erp, ADOPT_SALE, "adopt", command):
        process.sale = Sale(state="staged", document=1, expected=process.total, connection=erp)
    else:
        process.sale = Sale(document=1, expected=process.total, connection=erp)
        process.holds[SALE_UNSEEN] = (
            f"{erp} cannot be asked whether it has the sale; look there, make it where it is missing, then release this hold"
        )


def believe(desk: Desk) -> None:
    """A person has released the hold: they have seen the sale, under the number that the channel gives it."""
    process = desk.process
    if SALE_UNSEEN in process.lifted and process.sale is not None and _is_unseen(process.sale):
        process.sale = _done(desk, process.number)


def _is_unseen(sale: Sale, connection: str = "") -> bool:
    return not sale.state and connection in ("", sale.connection)


def _done(desk: Desk, reference: str) -> Sale:
    process, route = desk.process, desk.route
    erp = route.erp if route is not None else ""
    return Sale(state="done", reference=reference, document=1, expected=process.total, connection=erp)
