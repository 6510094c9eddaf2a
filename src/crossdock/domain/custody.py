"""Requests and what becomes of them: allocated, shipped, found short, stopped. Every step is a stock movement too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crossdock.domain.ledger import ALLOCATED, ON_HAND, Ledger
from crossdock.domain.process import Booked, Item, OrderProcess, Piece, Request, Stop
from crossdock.domain.sourcing import release_claims

Quantity = tuple[str, str, int]
"""(line, sku, quantity) as a partner names it; the line or the SKU may be ""."""


def make_requests(process: OrderProcess, ledger: Ledger, warehouse: Callable[[str], str]) -> list[Request]:
    """Turn every claim into a request, one per location and way of delivery; reservations become allocations of the same quantity.

    What is picked up and what is shipped are two parcels, whatever shelf they come from.
    """
    ways = {line.id: line.delivery for line in process.lines}
    grouped: dict[tuple[str, str, str], list[Item]] = {}
    for piece in process.pieces:
        claims = piece.claims
        if not claims:
            continue
        sku, moves, again = piece.sku, piece.moves, piece.again
        for location, quantity in claims.items():
            item = Item(line=piece.line, sku=sku, quantity=quantity, moves=moves)
            grouped.setdefault((location, again, ways.get(piece.line, "ship")), []).append(item)
            if moves:
                ledger.allocate(sku, location, quantity)
        piece.claims = {}
        piece.again = ""
    made = []
    for (location, again, _), items in grouped.items():
        before = process.request(again) if again else None
        request = Request(
            id=f"{process.order}-{len(process.requests) + 1}",
            location=location,
            items=items,
            warehouse=warehouse(location),
            attempt=before.attempt + 1 if before is not None else 1,
            replaces=again,
        )
        process.requests.append(request)
        made.append(request)
    return made


def ship(
    process: OrderProcess,
    ledger: Ledger,
    lines: Sequence[Quantity],
    *,
    request_id: str,
    location: str,
    elsewhere: str = "",
    why: str = "shipment",
) -> tuple[list[Booked], list[Quantity]]:
    """Record that quantities left: consume what is allocated for them, then what is reserved, then what is there.

    elsewhere: where it left if nothing else tells. Returns what was booked, and what fits no line of the order.
    """
    booked: list[Booked] = []
    unknown: list[Quantity] = []
    for line, sku, quantity in lines:
        piece = process.piece(line, sku)
        if piece is None:
            if not _ship_elsewhere(process, line, quantity, booked):
                unknown.append((line, sku, quantity))
            continue
        place = (
            _consume(process, ledger, piece, quantity, request_id=request_id, location=location) or elsewhere
        )
        if piece.moves and place:
            ledger.move(piece.sku, place, ON_HAND, -quantity, why)
        piece.shipped += quantity
        booked.append(Booked(line=piece.line, sku=piece.sku, quantity=quantity, location=place))
    _count_shipped(process)
    return booked, unknown


def unship(process: OrderProcess, ledger: Ledger, booked: Sequence[Booked]) -> None:
    """Take a recorded shipment back: what left is on hand again. What it had consumed is not allocated again."""
    for entry in booked:
        piece = process.piece(entry.line, entry.sku)
        if piece is None:
            line = process.line(entry.line)
            if line is not None:
                line.shipped -= entry.quantity
            continue
        piece.shipped -= entry.quantity
        if piece.moves and entry.location:
            ledger.move(piece.sku, entry.location, ON_HAND, entry.quantity, "correction")
    _count_shipped(process)


def shorten(
    process: OrderProcess, ledger: Ledger, request: Request, lines: Sequence[Quantity], now: int
) -> list[Quantity]:
    """Record that a location lacks quantities of a request; () is all. Returns what of it was still out."""
    found: list[Quantity] = []
    for item, quantity in _named(request, lines):
        part = min(quantity, item.out)
        if part <= 0:
            continue
        item.short += part
        if item.moves:
            ledger.move(item.sku, request.location, ALLOCATED, -part, "release")
        piece = process.piece(item.line, item.sku)
        if piece is not None:
            piece.tried[request.location] = now
            piece.again = request.id
        found.append((item.line, item.sku, part))
    return found


def stop(ledger: Ledger, request: Request, lines: Sequence[Quantity]) -> int:
    """Record that a location stopped quantities of a request; () is all. Returns how much was indeed still out."""
    total = 0
    for item, quantity in _named(request, lines):
        part = min(quantity, item.out)
        if part > 0:
            item.stopped += part
            total += part
            if item.moves:
                ledger.move(item.sku, request.location, ALLOCATED, -part, "release")
    return total


def keep(request: Request, lines: Sequence[Quantity]) -> int:
    """Record that a location refused to stop quantities: it ships them. Returns how much is still out of them."""
    total = 0
    for item, quantity in _named(request, lines):
        part = max(0, min(quantity, item.out - item.kept))
        item.kept += part
        total += part
    return total


def asked_to_stop(request: Request, intent: str = "") -> list[Quantity]:
    """What the warehouse was asked to stop and has not answered, of one question or of all; they are answered by it."""
    stops = [stop for stop in request.stops if not intent or stop.intent == intent]
    request.stops = [stop for stop in request.stops if intent and stop.intent != intent]
    sums: dict[tuple[str, str], int] = {}
    for question in stops:
        for line, sku, quantity in question.lines:
            sums[line, sku] = sums.get((line, sku), 0) + quantity
    return [(line, sku, quantity) for (line, sku), quantity in sums.items()]


def ask_to_stop(request: Request, lines: list[Quantity]) -> Stop:
    """Put a question to the warehouse of a request."""
    request.stops_made += 1
    question = Stop(intent=f"{request.id}:{request.stops_made}", lines=lines)
    request.stops.append(question)
    return question


def _named(request: Request, lines: Sequence[Quantity]) -> list[tuple[Item, int]]:
    """The items that a partner names; () names all that is out."""
    if not lines:
        return [(item, item.out) for item in request.items]
    found = []
    for line, sku, quantity in lines:
        for item in request.items:
            if (item.line == line and (not sku or item.sku == sku)) or (not line and item.sku == sku):
                found.append((item, quantity))
                break
    return found


def _consume(
    process: OrderProcess, ledger: Ledger, piece: Piece, quantity: int, *, request_id: str, location: str
) -> str:
    """Take a shipped quantity out of allocations and reservations; returns the location that it left."""
    left = quantity
    place = location
    named = [r for r in process.requests if r.id == request_id]
    others = [r for r in process.requests if r.id != request_id]
    others.sort(key=lambda r: (r.location != location, len(r.id), r.id))
    for request in named + others:
        for item in request.items:
            if left and item.line == piece.line and item.sku == piece.sku and item.out > 0:
                part = min(left, item.out)
                item.shipped += part
                left -= part
                place = place or request.location
                if item.moves:
                    ledger.move(item.sku, request.location, ALLOCATED, -part, "consume")
    if left and piece.claims:
        place = place or next(iter(piece.claims))
        release_claims(piece, min(left, sum(piece.claims.values())), ledger, "consume")
    if not place and named:
        place = named[0].location
    return place


def _ship_elsewhere(process: OrderProcess, line_id: str, quantity: int, booked: list[Booked]) -> bool:
    """A line that somebody else brings, or nobody needs to, has no piece: only its quantity is counted."""
    line = process.line(line_id)
    if line is None:
        return False
    line.shipped += quantity
    booked.append(Booked(line=line_id, sku="", quantity=quantity))
    return True


def _count_shipped(process: OrderProcess) -> None:
    """A line has been shipped as often as all of its pieces have."""
    counts: dict[str, int] = {}
    for piece in process.pieces:
        if not piece.dropped or piece.shipped:
            whole = piece.shipped // piece.per
            counts[piece.line] = min(counts.get(piece.line, whole), whole)
    for line in process.lines:
        if line.id in counts:
            line.shipped = counts[line.id]


def count_delivered(process: OrderProcess) -> None:
    """A line is delivered as far as its delivered shipments go."""
    counts: dict[str, int] = {}
    for parcel in process.shipments:
        if parcel.shipment.state == "delivered":
            for line in parcel.shipment.lines:
                counts[line.line] = counts.get(line.line, 0) + line.quantity
    for mine in process.lines:
        mine.delivered = min(mine.shipped, counts.get(mine.id, 0))
