"""The goods of an order: stopped where they are no longer wanted, reserved where they are, released when they may go."""

from __future__ import annotations

from crossdock.domain.custody import ask_to_stop, make_requests, ship, stop
from crossdock.domain.ledger import ON_HAND
from crossdock.domain.process import Item, Line, Parcel, Request
from crossdock.domain.sourcing import Want, reserve, surplus, wants
from crossdock.flows.desk import SECOND, Again, Desk, effect_key
from crossdock.model.commands import CancelRelease, Release
from crossdock.model.fulfilment import FulfilmentRequest, Shipment
from crossdock.model.ids import FulfilmentRequestId, LineId, LocationId, OrderId, ShipmentId, Sku
from crossdock.model.quantity import LineQuantity

SOURCE = "order.source"
RELEASE = "order.release"
ANSWER = "cancellation.deadline"
HANDED_OVER = "handed_over"


def balance(desk: Desk) -> bool:
    """Stop, release and reserve until claims and requests are what is wanted. Returns whether stock was not at hand."""
    process = desk.process
    if process.requests:
        _stop_surplus(desk)
    short, unloaded = source(desk)
    process.waiting = bool(short) or unloaded
    if short:
        _out_of_stock(desk, short)
    return unloaded


def source(desk: Desk) -> tuple[list[Want], bool]:
    """Release what is claimed beyond need and reserve what is missing; returns what is short, and what is not at hand."""
    process = desk.process
    more = wants(process, desk.ledger, "release")
    if not more or (process.expired and process.commitment != "committed"):
        return [], False
    moved = len(desk.ledger.moves)
    short, unloaded = reserve(more, desk.ledger, desk.locations)
    if len(desk.ledger.moves) > moved:
        _tell_reserved(desk, moved)
    return short, unloaded


def release(desk: Desk) -> None:
    """Ask the locations for what is reserved, once nothing holds it: no hold, nothing short, no grace, no gate."""
    process = desk.process
    process.gate = ""
    if process.waiting or process.holds or process.mode == "observe":
        return
    for piece in process.pieces:
        if piece.claims:
            break
    else:
        return
    if process.release_at > desk.now:
        process.gate = "time"
        return
    sale = process.sale
    if desk.plan.policy.erp_gates_release and sale is not None and sale.state != "done":
        process.gate = "erp"
        return
    for request in make_requests(process, desk.ledger, desk.warehouse):
        desk.event(
            "request.released",
            {"request": request.id, "location": request.location, "attempt": request.attempt},
        )
        if request.warehouse:
            command = Release(order_id=OrderId(process.order), request=_model(desk, request))
            desk.stage(request.warehouse, "release", request.id, command, held=True)


def hand_over(desk: Desk) -> None:
    """Record as gone what the buyer has already: a till sale is movement and posting only (RETAIL 8)."""
    process = desk.process
    sold = [line for line in process.lines if line.who == "done" and line.target > line.shipped]
    back = [line for line in process.lines if line.who == "done" and line.ordered < 0 and not line.taken_back]
    if not sold and not back:
        return
    lines = []
    for line in sold:
        quantity = line.target - line.shipped
        lines.append(LineQuantity(line=LineId(line.id), quantity=quantity, sku=Sku(line.sku)))
        pieces = [piece for piece in process.pieces if piece.line == line.id and not piece.dropped]
        for piece in pieces:
            if piece.moves and not piece.at:
                _tell_no_place(desk, piece.sku)
            ship(
                process,
                desk.ledger,
                [(line.id, piece.sku, quantity * piece.per)],
                request_id="",
                location=piece.at,
                why="sale",
            )
    for line in back:
        _take_back(desk, line)
    if lines:
        key = f"{HANDED_OVER}-{len(process.shipments) + 1}"
        shipment = Shipment(
            id=ShipmentId(f"{process.order}-{key}"),
            order=OrderId(process.order),
            lines=tuple(lines),
            state="delivered",
            fulfilled_by="handed_over",
        )
        parcel = Parcel(key=key, shipment=shipment, from_channel=True)
        parcel.lines = [(line.line, line.quantity) for line in lines]
        process.shipments.append(parcel)
    for line in sold:
        line.delivered = line.shipped
    desk.event("order.handed_over", {"lines": [[line.id, line.target] for line in sold]})


def _tell_no_place(desk: Desk, sku: str) -> None:
    desk.case(
        "location.unknown",
        f"{sku} of order {desk.process.number or desk.process.order} was handed over at a place that is none of ours, so no "
        "stock was moved. Give one of our locations the code that the till names, then correct its stock.",
        about=sku,
        field="location_ref",
    )


def _take_back(desk: Desk, line: Line) -> None:
    """A negative line of a ticket: the goods are in the store again."""
    line.taken_back = True
    for piece in desk.process.pieces:
        if piece.line == line.id and piece.moves and piece.at:
            desk.ledger.move(piece.sku, piece.at, ON_HAND, -line.ordered * piece.per, "return")


def _tell_reserved(desk: Desk, moved: int) -> None:
    moves = desk.ledger.moves[moved:]
    desk.event(
        "stock.reserved", {"stock": [[sku, location, quantity] for sku, location, _, quantity, _ in moves]}
    )
    process = desk.process
    if process.commitment == "tentative":
        due = desk.now + desk.plan.policy.reservation_s * SECOND
        desk.timer("reservation.expire", due, Again(skus=process.skus()))


def _out_of_stock(desk: Desk, short: list[Want]) -> None:
    """What cannot be reserved is looked for again and again, under a case; or, by policy, never comes."""
    process, policy = desk.process, desk.plan.policy
    missing = [[piece.line, piece.sku, quantity] for piece, quantity in short]
    if policy.out_of_stock == "cancel" and process.commitment == "committed":
        desk.event("stock.short_cancelled", {"lines": missing})
        for piece, quantity in short:
            line = process.line(piece.line)
            if line is not None:
                line.cancelled = max(line.cancelled, line.lost + -(-quantity // piece.per))
        wants(process, desk.ledger, "release")
        process.waiting = False
        return
    if process.source_at <= desk.now:
        desk.event("stock.short", {"lines": missing})
        process.source_at = desk.now + policy.source_retry_s * SECOND
        desk.timer(SOURCE, process.source_at, Again(skus=process.skus()))


def _stop_surplus(desk: Desk) -> None:
    """Ask warehouses to stop what is no longer wanted; what they were never told stops at once."""
    process = desk.process
    by_request: dict[str, list[tuple[Item, int]]] = {}
    for request, item, quantity in surplus(process):
        by_request.setdefault(request.id, []).append((item, quantity))
    for id_, parts in by_request.items():
        found = process.request(id_)
        if found is None:
            continue
        lines = [(item.line, item.sku, quantity) for item, quantity in parts]
        told = process.pending.get(effect_key(found.warehouse, "release", found.id))
        if not found.warehouse or told == "refused":
            stop(desk.ledger, found, lines)
            desk.event("request.stopped", {"request": found.id, "lines": lines})
        else:
            _ask(desk, found, lines)


def _ask(desk: Desk, request: Request, lines: list[tuple[str, str, int]]) -> None:
    process = desk.process
    question = ask_to_stop(request, lines)
    command = CancelRelease(
        order_id=OrderId(process.order),
        request=FulfilmentRequestId(request.id),
        lines=tuple(LineQuantity(line=LineId(line), quantity=n, sku=Sku(sku)) for line, sku, n in lines),
        reason="address changed" if request.stale else "cancelled",
    )
    if desk.stage(request.warehouse, "cancel_release", question.intent, command):
        desk.event("cancellation.asked", {"request": request.id, "lines": lines})
        due = desk.now + desk.plan.policy.answer_s * SECOND
        desk.timer(ANSWER, due, Again(request=request.id, intent=question.intent))
        return
    desk.case(
        "cancellation.by_hand",
        f"{request.warehouse} takes no cancellations from us, and has request {request.id}, of which "
        f"{_units(lines)} should not be shipped. Call the warehouse; what it ships all the same will stand as a case.",
        about=question.intent,
    )


def _units(lines: list[tuple[str, str, int]]) -> str:
    return ", ".join(f"{quantity} x {sku or line}" for line, sku, quantity in lines)


def _model(desk: Desk, request: Request) -> FulfilmentRequest:
    process = desk.process
    place = desk.plan.places[request.location]
    return FulfilmentRequest(
        id=FulfilmentRequestId(request.id),
        order=OrderId(process.order),
        order_number=process.number,
        location=LocationId(place.partner_code or place.id),
        lines=tuple(
            LineQuantity(line=LineId(item.line), quantity=item.quantity, sku=Sku(item.sku))
            for item in request.items
        ),
        attempt=request.attempt,
        replaces=FulfilmentRequestId(request.replaces),
        state="released",
    )
