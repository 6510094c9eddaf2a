"""Telling others: the channel that we have it, the ERP that it is sold, both what left, what will not come and what was given back."""

from __future__ import annotations

import msgspec

from crossdock.domain.process import Invoice, Line, OrderProcess, Parcel, Sale
from crossdock.flows.crediting import credit_refunds, receive_returns
from crossdock.flows.desk import SECOND, Again, Desk, effect_key
from crossdock.flows.invoicing import invoice_intent
from crossdock.model.commands import (
    Acknowledge,
    AmendSale,
    CancelOrder,
    CancelSale,
    ConfirmShipment,
    CreateDelivery,
    CreateInvoice,
    CreateSale,
)
from crossdock.model.fulfilment import Shipment
from crossdock.model.ids import LineId, OrderId, ShipmentId, Sku
from crossdock.model.quantity import LineQuantity

SERVICES = "services"
ACKNOWLEDGE = "order.acknowledge"
LATE_WORD = "order.acknowledge_late"
WARNED_AFTER = 3, 4
"""Of the time that a channel leaves us, so much is over when a person is told."""
MOVED = ("shipped", "delivered", "returned", "lost")


def create_sale(desk: Desk, *, lines: tuple[LineId, ...] = (), total: int | None = None) -> None:
    """Tell the ERP of the sale, once; a cancelled order too, so that it stands there however its messages came.

    lines: what of the order is a sale, which comes to `total`; () is all of it.
    """
    process = desk.process
    route = desk.route
    if route is None or not route.erp:
        return
    command = CreateSale(order_id=OrderId(process.order), connection=process.connection, lines=lines)
    if desk.stage(route.erp, "create_sale", "sale", command):
        expected = process.total if total is None else total
        process.sale = Sale(
            state="staged", document=process.document, expected=expected, connection=route.erp
        )


def acknowledge(desk: Desk, gone: list[int] | None) -> None:
    """Tell the channel that we have the order and its goods (RETAIL 6); not where nothing is left of it.

    What waits for stock is told only where the route says so: else its case is what warns before the channel's deadline.
    """
    process = desk.process
    route = desk.route
    if route is None or not route.acknowledge or (process.waiting and not route.acknowledge_unreserved):
        return
    if gone is not None and all(lost >= line.ordered for line, lost in zip(process.lines, gone, strict=True)):
        return
    command = Acknowledge(order_id=OrderId(process.order))
    process.acknowledged = desk.stage(process.connection, "acknowledge", "acknowledge", command)


def watch_acknowledged(desk: Desk) -> None:
    """Of a new order: look in time whether the channel has our word, where it wants it within a time."""
    process, route = desk.process, desk.route
    if route is None or not route.acknowledge or not route.acknowledge_within_s or process.acknowledged:
        return
    if desk.may(process.connection, "acknowledge") and not process.test:
        part, whole = WARNED_AFTER
        due = (process.placed_at or desk.now) + route.acknowledge_within_s * SECOND * part // whole
        desk.timer(ACKNOWLEDGE, max(desk.now, due), Again())


def look_acknowledged(desk: Desk) -> str:
    """The time for our word is almost over: where the channel has it not, a person is told. Returns the outcome."""
    process = desk.process
    waits = effect_key(process.connection, "acknowledge", "acknowledge") in process.pending
    if (process.acknowledged and not waits) or all(line.lost >= line.ordered for line in process.lines):
        desk.event("order.acknowledged_in_time", {})
        return "stale"
    why = "its word waits for the channel" if waits else "the order is not ours yet"
    desk.event("order.acknowledge_late", {})
    desk.case(
        LATE_WORD,
        f"{process.connection} wants to know soon that order {process.number or process.order} is ours, and has not been "
        f"told: {why}. See what it waits for on its timeline, or confirm it there by hand.",
    )
    return "processed"


def tell_shipments(desk: Desk) -> None:
    """Confirm to the channel what left, except what it told us itself."""
    process = desk.process
    for parcel in process.shipments:
        if parcel.from_channel or "confirm_shipment" in parcel.told or parcel.state not in MOVED:
            continue
        if not desk.may(process.connection, "confirm_shipment"):
            return
        if not parcel.lines:
            continue
        shipment = _named(process, parcel, parcel.lines)
        command = ConfirmShipment(order_id=OrderId(process.order), shipment=shipment)
        if desk.stage(process.connection, "confirm_shipment", f"shipment:{parcel.key}", command):
            parcel.told.append("confirm_shipment")


def tell_cancelled(desk: Desk, gone: list[int]) -> None:
    """Tell the channel what will not come and it does not know: it began there, or it was told before, is known."""
    process = desk.process
    unknown = [
        (line, lost - max(line.removed, line.asked, line.told_channel))
        for line, lost in zip(process.lines, gone, strict=True)
        if lost > max(line.removed, line.asked, line.told_channel)
    ]
    if not unknown or process.commitment == "void":
        return
    process.cancels_channel += 1
    whole = all(lost >= line.ordered for line, lost in zip(process.lines, gone, strict=True))
    command = CancelOrder(
        order_id=OrderId(process.order),
        lines=() if whole and len(unknown) == len(process.lines) else _quantities(unknown),
        reason="cancelled",
    )
    for line, lost in zip(process.lines, gone, strict=True):
        line.told_channel = max(line.told_channel, lost)
    intent = f"cancel:{process.cancels_channel}"
    if process.mode == "observe":
        return
    if desk.stage(process.connection, "cancel_order", intent, command):
        desk.event(
            "cancellation.told", {"connection": process.connection, "lines": [[x.id, n] for x, n in unknown]}
        )
        return
    desk.case(
        "cancellation.tell_by_hand",
        f"{process.connection} cannot be told by us that {_units(unknown)} of order {process.number or process.order} "
        "will not come. Cancel it there by hand.",
        about=intent,
    )


def tell_erp(desk: Desk, gone: list[int] | None) -> None:
    """Tell the ERP, now that its sale is known, what was amended, what left, and what will not come."""
    process = desk.process
    route, sale = desk.route, process.sale
    if route is None or sale is None:
        return
    if gone is not None or process.cancels_erp:
        _reopen(desk, route.erp, sale)
    if sale.amended:
        _amend(desk, route.erp, sale)
    if gone is not None:
        _cancel_sale(desk, route.erp, sale, gone)
    for parcel in process.shipments:
        if parcel.state in MOVED:
            _post_shipment(desk, route.erp, sale, parcel)
    _invoice_services(desk, route.erp, sale)
    if process.refunds:
        credit_refunds(desk, route.erp, sale)
    if process.returns:
        receive_returns(desk, route.erp, sale)


def _post_shipment(desk: Desk, erp: str, sale: Sale, parcel: Parcel) -> None:
    process = desk.process
    if "create_invoice" in parcel.told and "create_delivery" in parcel.told:
        return
    lines = parcel.lines
    if parcel.key != SERVICES and any(other.key == SERVICES for other in process.shipments):
        nobodys = [line.id for line in process.lines if line.who == "none"]
        lines = [(id_, quantity) for id_, quantity in lines if id_ not in nobodys]
    if not lines:
        return
    shipment = _named(process, parcel, lines)
    order_id = OrderId(process.order)
    if "create_delivery" not in parcel.told:
        delivery = CreateDelivery(order_id=order_id, shipment=shipment, sale_reference=sale.reference)
        desk.stage(erp, "create_delivery", f"delivery:{parcel.key}", delivery)
        parcel.told.append("create_delivery")
    if "create_invoice" not in parcel.told:
        invoice = CreateInvoice(order_id=order_id, shipment=shipment, sale_reference=sale.reference)
        if desk.stage(erp, "create_invoice", invoice_intent(parcel.key), invoice):
            parcel.invoice = Invoice(connection=erp, lines=lines)
        parcel.told.append("create_invoice")


def _invoice_services(desk: Desk, erp: str, sale: Sale) -> None:
    """Invoice what nobody ships, once the goods are all on their way."""
    process = desk.process
    lines = [line for line in process.lines if line.who == "none" and line.target > line.shipped]
    if not lines or any(parcel.key == SERVICES for parcel in process.shipments):
        return
    if any(line.target > line.shipped for line in process.lines if line.who != "none"):
        return
    shipment = Shipment(
        id=ShipmentId(f"{process.order}-{SERVICES}"),
        order=OrderId(process.order),
        lines=_quantities([(line, line.target - line.shipped) for line in lines]),
        delivery="none",
    )
    parcel = Parcel(key=SERVICES, shipment=shipment, from_channel=True, told=["create_delivery"])
    parcel.lines = [(line.id, line.target - line.shipped) for line in lines]
    process.shipments.append(parcel)
    _post_shipment(desk, erp, sale, parcel)


def _amend(desk: Desk, erp: str, sale: Sale) -> None:
    """Set the sale to what the order is now, as long as nothing of it was delivered."""
    process = desk.process
    sale.amended = False
    if any("create_delivery" in parcel.told for parcel in process.shipments):
        desk.case(
            "sale.amended_late",
            f"Order {process.number or process.order} was changed after a part was delivered, so sale {sale.reference} "
            f"in {erp} does not say what was sold. Correct it there.",
            about=f"document {process.document}",
        )
        return
    sale.document, sale.expected = process.document, process.total
    command = AmendSale(order_id=OrderId(process.order), sale_reference=sale.reference)
    desk.stage(erp, "amend_sale", f"amend:{process.document}", command)


def _reopen(desk: Desk, erp: str, sale: Sale) -> None:
    """What was cancelled and is wanted again: no contract has a word for that, so a person raises the sale."""
    process = desk.process
    again = [(line, line.told_erp - line.lost) for line in process.lines if line.told_erp > line.lost]
    for line in process.lines:
        line.told_channel = min(line.told_channel, line.lost)
        line.told_erp = min(line.told_erp, line.lost)
    if again:
        desk.case(
            "sale.wanted_again",
            f"Of order {process.number or process.order} {_units(again)} had been cancelled and are wanted again. Raise "
            f"sale {sale.reference} in {erp} by them, then resolve this: the release waits for it.",
            about=f"document {process.document}",
        )


def _cancel_sale(desk: Desk, erp: str, sale: Sale, gone: list[int]) -> None:
    process = desk.process
    pairs = list(zip(process.lines, gone, strict=True))
    more = [(line, lost - line.told_erp) for line, lost in pairs if lost > line.told_erp]
    if not more:
        return
    process.cancels_erp += 1
    whole = all(lost >= line.ordered for line, lost in pairs) and all(
        not line.told_erp for line in process.lines
    )
    command = CancelSale(
        order_id=OrderId(process.order),
        lines=() if whole else _quantities(more),
        reason="cancelled",
        sale_reference=sale.reference,
    )
    for line, lost in pairs:
        line.told_erp = max(line.told_erp, lost)
    desk.stage(erp, "cancel_sale", f"cancel:{process.cancels_erp}", command)


def _named(process: OrderProcess, parcel: Parcel, lines: list[tuple[str, int]]) -> Shipment:
    """The shipment under our ids and those of the order's lines."""
    id_ = parcel.shipment.id or ShipmentId(f"{process.order}-{parcel.key}")
    skus = {line.id: line.sku for line in process.lines}
    quantities = tuple(
        LineQuantity(line=LineId(line), quantity=quantity, sku=Sku(skus.get(line, "")))
        for line, quantity in lines
    )
    return msgspec.structs.replace(parcel.shipment, id=id_, order=OrderId(process.order), lines=quantities)


def _quantities(parts: list[tuple[Line, int]]) -> tuple[LineQuantity, ...]:
    return tuple(LineQuantity(line=LineId(line.id), quantity=n, sku=Sku(line.sku)) for line, n in parts)


def _units(parts: list[tuple[Line, int]]) -> str:
    return ", ".join(f"{quantity} x {line.sku or line.id}" for line, quantity in parts)
