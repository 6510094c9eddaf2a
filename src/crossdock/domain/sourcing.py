"""Where the goods come from: what is wanted against what is claimed and asked for, and the steps between the two.

The steps follow from the facts as they are now, whatever order they came in (FAULTS 31).
"""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.domain.ledger import RESERVED, Ledger
from crossdock.domain.process import Item, Line, OrderProcess, Piece, Request

Want = tuple[Piece, int]
Surplus = tuple[Request, Item, int]


def wants(process: OrderProcess, ledger: Ledger, why: str) -> list[Want]:
    """Release what is claimed beyond need, and return what is needed and neither claimed nor asked for."""
    lines = {line.id: line for line in process.lines}
    more: list[Want] = []
    for piece in process.pieces:
        left = _need(piece, lines[piece.line])
        if left and process.requests:
            for _, item in _items(process, piece):
                left -= item.out
        if piece.claims:
            claimed = sum(piece.claims.values())
            if claimed > left:
                release_claims(piece, claimed - max(left, 0), ledger, why)
            left -= claimed
        if left > 0:
            more.append((piece, left))
    return more


def release_claims(piece: Piece, quantity: int, ledger: Ledger, why: str) -> None:
    """Give back so much of a piece's reservations, the last made first."""
    for location in reversed(list(piece.claims)):
        part = min(quantity, piece.claims[location])
        if piece.moves:
            ledger.move(piece.sku, location, RESERVED, -part, why)
        piece.claims[location] -= part
        if not piece.claims[location]:
            del piece.claims[location]
        quantity -= part
        if not quantity:
            return


def surplus(process: OrderProcess) -> list[Surplus]:
    """What warehouses should stop: all of a request whose address is stale, and what is asked for beyond need.

    The youngest request is stopped first. What a warehouse is being asked to stop, or has refused to, is not asked for again.
    """
    found: list[Surplus] = []
    lines = {line.id: line for line in process.lines}
    for piece in process.pieces:
        items = _items(process, piece)
        over = sum(item.out for _, item in items) - _need(piece, lines[piece.line])
        for request, item in items:
            over -= item.out - _stoppable(request, item) if over > 0 else 0
        for request, item in reversed(items):
            free = _stoppable(request, item)
            part = free if request.stale else min(free, max(over, 0))
            if part > 0:
                found.append((request, item, part))
                over -= part
    return found


def reserve(more: Sequence[Want], ledger: Ledger, locations: Sequence[str]) -> tuple[list[Want], bool]:
    """Reserve, at one location if one has it all, else split. Returns what is short, and whether stock was not at hand."""
    loaded = ledger.loaded
    ready = [want for want in more if not want[0].moves or loaded(want[0].sku)]
    place = _one_place(ready, ledger, locations)
    if not place:
        return _reserve_split(ready, ledger, locations), len(ready) < len(more)
    for piece, quantity in ready:
        piece.claims[place] = piece.claims.get(place, 0) + quantity
        if piece.moves:
            ledger.reserve(piece.sku, place, quantity)
    return [], len(ready) < len(more)


def _reserve_split(more: Sequence[Want], ledger: Ledger, locations: Sequence[str]) -> list[Want]:
    """Reserve piece by piece, from the first locations that have any. Returns what is short."""
    short: list[Want] = []
    for piece, quantity in more:
        left = quantity
        for location in locations:
            part = min(left, max(0, ledger.free(piece.sku, location))) if piece.moves else left
            if part and _usable(piece, location, ledger):
                piece.claims[location] = piece.claims.get(location, 0) + part
                if piece.moves:
                    ledger.reserve(piece.sku, location, part)
                left -= part
                if not left:
                    break
        if left:
            short.append((piece, left))
    return short


def _one_place(more: Sequence[Want], ledger: Ledger, locations: Sequence[str]) -> str:
    """The first location that has all of it; "" for none."""
    needed: dict[str, int] = {}
    picky: list[Piece] = []
    for piece, quantity in more:
        if piece.moves:
            needed[piece.sku] = needed.get(piece.sku, 0) + quantity
        if piece.at or piece.tried:
            picky.append(piece)
    for location in locations:
        if ledger.has(location, needed) and (
            not picky or all(_usable(piece, location, ledger) for piece in picky)
        ):
            return location
    return ""


def _usable(piece: Piece, location: str, ledger: Ledger) -> bool:
    """Not where it must not come from, nor where it was just found missing, unless stock was counted there since."""
    if piece.at and piece.at != location:
        return False
    tried = piece.tried.get(location) if piece.tried else None
    return tried is None or (piece.moves and ledger.as_of(piece.sku, location) > tried)


def _need(piece: Piece, line: Line) -> int:
    if piece.dropped or line.who != "us":
        return 0
    lost = line.removed or line.asked or line.cancelled
    need = (line.target if lost else line.ordered) * piece.per - piece.shipped
    return need if need > 0 else 0


def _items(process: OrderProcess, piece: Piece) -> list[tuple[Request, Item]]:
    return [
        (request, item)
        for request in process.requests
        for item in request.items
        if item.line == piece.line and item.sku == piece.sku
    ]


def _stoppable(request: Request, item: Item) -> int:
    """What of an item is out and may still be asked to be stopped."""
    asked = sum(
        quantity
        for stop in request.stops
        for line, sku, quantity in stop.lines
        if line == item.line and sku == item.sku
    )
    return max(0, item.out - asked - item.kept)
