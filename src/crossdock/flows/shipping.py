"""Shipments, from warehouses and from channels, and what a location could not ship."""

from __future__ import annotations

from msgspec.structs import replace

from crossdock.domain.custody import Quantity, count_delivered, ship, shorten, unship
from crossdock.domain.ledger import ON_HAND
from crossdock.domain.process import SENT_AGAIN, OrderProcess, Parcel
from crossdock.flows.desk import Desk, micros
from crossdock.flows.stocking import come_back, counts_itself
from crossdock.flows.telling import MOVED
from crossdock.model.fulfilment import Shipment
from crossdock.model.ids import ConnectionId, LocationId
from crossdock.model.order import Order
from crossdock.model.quantity import LineQuantity
from crossdock.model.reports import ShortPickReported
from crossdock.model.versions import is_newer

ELSEWHERE = "elsewhere"


def record_shipment(desk: Desk, shipment: Shipment) -> str:
    """Record a shipment once: it consumes what was allocated for it; what it breaks stands as a case."""
    process = desk.process
    source = shipment.connection or desk.message.source
    from_channel = source == process.connection
    key = f"{source}:{shipment.external_id or shipment.id or shipment.number or len(process.shipments) + 1}"
    held = _held(process, shipment, key, from_channel=from_channel)
    if held is not None and held.key != key:
        return _echo(desk, held, shipment)
    if held is not None and not is_newer(shipment.version, held.shipment.version):
        return "duplicate" if shipment.version == held.shipment.version else "stale"
    if held is None:
        held = Parcel(key=key, shipment=shipment, from_channel=from_channel)
        process.shipments.append(held)
        _book(desk, held, shipment)
        return "processed"
    _correct(desk, held, shipment)
    return "processed"


def record_elsewhere(desk: Desk, order: Order) -> None:
    """Of an order first seen when a part is fulfilled already, without a word on how: that part is gone."""
    process = desk.process
    lines = []
    for line in order.lines:
        mine = process.line(line.id) if line.fulfilled > 0 else None
        if mine is not None and mine.who in ("us", "else") and line.fulfilled > mine.shipped:
            lines.append(LineQuantity(line=line.id, quantity=line.fulfilled - mine.shipped, sku=line.sku))
    if lines:
        shipment = Shipment(
            lines=tuple(lines), connection=ConnectionId(process.connection), external_id=ELSEWHERE
        )
        record_shipment(desk, shipment)


def record_short_pick(desk: Desk, report: ShortPickReported) -> str:
    """Record what a location lacks; the rest is sourced anew, elsewhere first."""
    process = desk.process
    id_ = report.request or (report.request_ref.id if report.request_ref is not None else "")
    request = process.request(id_)
    if request is None:
        desk.case(
            "request.unknown",
            f"{desk.message.source} reports a short pick of request {id_ or '(none)'}, which order {process.order} has not. "
            "Ask the warehouse which order it means.",
            about=id_,
            field="request",
        )
        return "processed"
    found = shorten(process, desk.ledger, request, _quantities(report.lines), desk.now)
    type_ = "request.refused" if report.refused else "request.short"
    desk.event(type_, {"request": request.id, "location": request.location, "lines": found})
    return "processed"


def _held(process: OrderProcess, shipment: Shipment, key: str, *, from_channel: bool) -> Parcel | None:
    """The parcel that a report is about: the same shipment, or ours come back to us from the channel."""
    for parcel in process.shipments:
        if parcel.key == key:
            return parcel
    if not from_channel:
        return None
    for parcel in process.shipments:
        if shipment.external_id and parcel.channel_ref == shipment.external_id:
            return parcel
    numbers = _tracking(shipment)
    for parcel in process.shipments:
        if parcel.from_channel or parcel.channel_ref or "confirm_shipment" not in parcel.told:
            continue
        if _tracking(parcel.shipment) == numbers and _sums(parcel.shipment) == _sums(shipment):
            return parcel
    return None


def _echo(desk: Desk, held: Parcel, shipment: Shipment) -> str:
    """Our own confirmation come back: recognised, and not shipped twice; that it was delivered is news."""
    held.channel_ref = held.channel_ref or shipment.external_id
    if shipment.state == "delivered" and held.shipment.state != "delivered":
        held.shipment = replace(held.shipment, state="delivered", delivered_at=shipment.delivered_at)
        count_delivered(desk.process)
        desk.event("shipment.delivered", {"shipment": held.key})
        return "processed"
    desk.event("shipment.echo_ignored", {"shipment": held.key, "reference": shipment.external_id})
    return "duplicate"


def _book(desk: Desk, parcel: Parcel, shipment: Shipment) -> None:
    process = desk.process
    if shipment.state not in MOVED:
        desk.event("shipment.announced", {"shipment": parcel.key, "state": shipment.state})
        return
    request = process.request(shipment.request) if shipment.request else None
    location = desk.place(shipment.location, shipment.location_ref)
    if not location and request is not None:
        location = request.location
    if location and not shipment.location:  # the warehouse's word for it means nothing to an ERP
        parcel.shipment = shipment = replace(shipment, location=LocationId(location))
    elsewhere = desk.locations[0] if desk.locations else ""
    lines = _quantities(shipment.lines)
    before = [line.shipped for line in process.lines]
    parcel.booked, unknown = ship(
        process, desk.ledger, lines, request_id=shipment.request, location=location, elsewhere=elsewhere
    )
    grown = zip(process.lines, before, strict=True)
    parcel.lines = [(line.id, line.shipped - was) for line, was in grown if line.shipped > was]
    _rebase(desk, parcel, shipment)
    count_delivered(process)
    desk.event(
        "shipment.recorded",
        {
            "shipment": parcel.key,
            "request": shipment.request,
            "packages": len(shipment.packages),
            "lines": [[entry.line, entry.sku, entry.quantity, entry.location] for entry in parcel.booked],
        },
    )
    for line, sku, quantity in unknown:
        n = lines.index((line, sku, quantity))
        desk.case(
            "shipment.unknown_line",
            f"Shipment {parcel.key} of order {process.number or process.order} holds {quantity} x {sku or line}, which the "
            "order does not. Ask the warehouse what it sent; correct its stock by hand.",
            about=f"{parcel.key} {line} {sku}",
            field=f"lines[{n}].{'line' if line else 'sku'}",
        )


def _correct(desk: Desk, held: Parcel, shipment: Shipment) -> None:
    """A later version of a shipment: what it said before is taken back, what it says now is recorded."""
    process = desk.process
    same = _sums(held.shipment) == _sums(shipment) and (held.shipment.state in MOVED) == (
        shipment.state in MOVED
    )
    if same:
        held.shipment = shipment
        count_delivered(process)
        desk.event("shipment.updated", {"shipment": held.key, "state": shipment.state})
        return
    moved = held.shipment.state in MOVED
    come_back(desk, held)
    unship(process, desk.ledger, held.booked)
    held.booked, held.lines, held.shipment = [], [], shipment
    desk.event("shipment.corrected", {"shipment": held.key, "state": shipment.state})
    _book(desk, held, shipment)
    if moved and SENT_AGAIN not in process.lifted:
        process.holds[SENT_AGAIN] = f"{held.key} was changed after it left; see that nothing goes out twice"


def _rebase(desk: Desk, parcel: Parcel, shipment: Shipment) -> None:
    """A count made after the goods had left holds that already: the count stands, so the movement is put right."""
    if shipment.shipped_at is None or not counts_itself(desk.plan):
        return
    left_at = micros(shipment.shipped_at)
    ledger = desk.ledger
    for entry in parcel.booked:
        at_hand = entry.location and entry.sku and ledger.loaded(entry.sku)
        if at_hand and ledger.as_of(entry.sku, entry.location) >= left_at:
            ledger.move(entry.sku, entry.location, ON_HAND, entry.quantity, "correction")


def _tracking(shipment: Shipment) -> tuple[str, ...]:
    return tuple(sorted(package.tracking_number for package in shipment.packages if package.tracking_number))


def _sums(shipment: Shipment) -> dict[str, int]:
    sums: dict[str, int] = {}
    for line in shipment.lines:
        sums[line.line] = sums.get(line.line, 0) + line.quantity
    return sums


def _quantities(lines: tuple[LineQuantity, ...]) -> list[Quantity]:
    return [(line.line, line.sku, line.quantity) for line in lines]
