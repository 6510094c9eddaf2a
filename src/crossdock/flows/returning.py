"""Goods that come back: counted per line, and back on hand where they may be sold again."""

from __future__ import annotations

from crossdock.domain.ledger import ON_HAND, QUARANTINED
from crossdock.domain.process import OrderProcess, Piece, Returned
from crossdock.flows.crediting import intent_of
from crossdock.flows.desk import Desk, micros
from crossdock.flows.stocking import came_back, counts_itself
from crossdock.model.returns import Return, ReturnLine
from crossdock.model.versions import is_newer


def record_return(desk: Desk, goods_return: Return) -> str:
    """Record a return as it stands: what came since its last version goes to stock, and what may be sold by now is free."""
    process = desk.process
    key = f"{goods_return.connection or desk.message.source}:{goods_return.external_id or goods_return.id}"
    held = next((mine for mine in process.returns if mine.key == key), None)
    if held is None:
        held = Returned(key=key, told=[])
        process.returns.append(held)
    elif not is_newer(goods_return.version, held.version):
        return "duplicate" if goods_return.version == held.version else "stale"
    before = {(line, sku): received for line, sku, received in held.lines}
    kept = {(line, sku): quantity for line, sku, quantity in held.quarantined}
    place = desk.place(goods_return.location, goods_return.location_ref)
    for line in goods_return.lines:
        name = (line.line, line.sku)
        came = line.received - before.get(name, 0)
        came_at = micros(line.received_at or goods_return.received_at)
        counted = _stock(desk, held, line, came, (place, came_at))
        of_what_came = min(max(came, 0), _undecided(line))
        change = _undecided(line) - of_what_came - kept.get(name, 0)
        if _decision_counted(desk, line, (place, came_at)):
            change = 0 if counted else of_what_came
        elif counted:
            change += of_what_came - _as_counted(line, came)
        else:
            change += of_what_came
        _quarantine(desk, line, change, place)
    held.version, held.place = goods_return.version, place or held.place
    held.lines = [(line.line, line.sku, line.received) for line in goods_return.lines]
    held.quarantined = [(line.line, line.sku, n) for line in goods_return.lines if (n := _undecided(line))]
    _count(process)
    desk.event(
        "return.recorded",
        {
            "return": key,
            "state": goods_return.state,
            "lines": [[line, sku, n] for line, sku, n in held.lines],
        },
    )
    return "processed"


def _undecided(line: ReturnLine) -> int:
    """What came of a line and may not be sold: until somebody has said that it may."""
    return 0 if line.disposition == "restock" else line.received


def _as_counted(line: ReturnLine, came: int) -> int:
    """What a count that holds goods before we hear of them, and was made before it was decided on them, has held back of them."""
    return max(came, 0) if line.decided_at is not None else min(max(came, 0), _undecided(line))


def _decision_counted(desk: Desk, line: ReturnLine, arrival: tuple[str, int]) -> bool:
    """Whether a count of later already says what may be sold of that which it holds of a line."""
    (place, came_at), piece = arrival, desk.process.piece(line.line, line.sku)
    if line.decided_at is not None:
        decided_at = micros(line.decided_at)
    else:
        decided_at = came_at if line.disposition == "undecided" else 0
    if not decided_at or piece is None or not counts_itself(desk.plan):
        return False
    return desk.ledger.at_hand(piece.sku, place) and desk.ledger.as_of(piece.sku, place) >= decided_at


def _untold(held: Returned, line: ReturnLine, received: int) -> int:
    """What of a line the ERP is still to be told; what it was told too much of is a case."""
    return max(0, received - held.told_of(line.line, line.sku)) if held.told is not None else 0


def _stock(desk: Desk, held: Returned, line: ReturnLine, came: int, arrival: tuple[str, int]) -> bool:
    """What came is on hand again. Returns whether a count has held it already, and has said what of it may be sold.

    arrival: where it came, and when.
    """
    piece, (place, came_at) = desk.process.piece(line.line, line.sku), arrival
    if not came or not place or piece is None or not piece.moves:
        return False
    per = _per(piece, line)
    desk.ledger.move(piece.sku, place, ON_HAND, came * per, "return")
    waiting = _untold(held, line, line.received) - _untold(held, line, line.received - came)
    return came_back(desk, (piece.sku, place, came * per), came_at, (waiting * per, intent_of(held)))


def _quarantine(desk: Desk, line: ReturnLine, quantity: int, place: str) -> None:
    """What may not be sold is quarantined; what a count has freed since is not freed again."""
    piece = desk.process.piece(line.line, line.sku)
    if not quantity or not place or piece is None or not piece.moves:
        return
    units = quantity * _per(piece, line)
    if desk.ledger.at_hand(piece.sku, place):
        units = max(units, -max(0, desk.ledger.bucket(piece.sku, place, QUARANTINED)))
    desk.ledger.move(piece.sku, place, QUARANTINED, units, "quarantine")


def _per(piece: Piece, line: ReturnLine) -> int:
    return piece.per if piece.sku != line.sku else 1


def _count(process: OrderProcess) -> None:
    sums: dict[str, int] = {}
    for goods_return in process.returns:
        for line, _, received in goods_return.lines:
            sums[line] = sums.get(line, 0) + received
    for mine in process.lines:
        if mine.id in sums:
            mine.returned = sums[mine.id]
