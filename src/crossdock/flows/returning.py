"""Goods that come back: counted per line, and back on hand where they may be sold again."""

from __future__ import annotations

from crossdock.domain.ledger import ON_HAND, QUARANTINED
from crossdock.domain.process import OrderProcess, Returned
from crossdock.flows.desk import Desk
from crossdock.model.returns import Return, ReturnLine
from crossdock.model.versions import is_newer


def record_return(desk: Desk, goods_return: Return) -> str:
    """Record a return as it stands: what came since its last version goes to stock."""
    process = desk.process
    key = f"{goods_return.connection or desk.message.source}:{goods_return.external_id or goods_return.id}"
    held = next((mine for mine in process.returns if mine.key == key), None)
    if held is None:
        held = Returned(key=key)
        process.returns.append(held)
    elif not is_newer(goods_return.version, held.version):
        return "duplicate" if goods_return.version == held.version else "stale"
    before = {(line, sku): received for line, sku, received in held.lines}
    place = desk.place(goods_return.location, goods_return.location_ref)
    for line in goods_return.lines:
        more = line.received - before.get((line.line, line.sku), 0)
        if more:
            _stock(desk, line, more, place)
    held.version = goods_return.version
    held.lines = [(line.line, line.sku, line.received) for line in goods_return.lines]
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


def _stock(desk: Desk, line: ReturnLine, quantity: int, place: str) -> None:
    """What came is on hand again; until somebody has said that it may be sold, it is quarantined too."""
    piece = desk.process.piece(line.line, line.sku)
    if not place or piece is None or not piece.moves:
        return
    units = quantity * (piece.per if piece.sku != line.sku else 1)
    desk.ledger.move(piece.sku, place, ON_HAND, units, "return")
    if line.disposition != "restock":
        desk.ledger.move(piece.sku, place, QUARANTINED, units, "quarantine")


def _count(process: OrderProcess) -> None:
    sums: dict[str, int] = {}
    for goods_return in process.returns:
        for line, _, received in goods_return.lines:
            sums[line] = sums.get(line, 0) + received
    for mine in process.lines:
        if mine.id in sums:
            mine.returned = sums[mine.id]
