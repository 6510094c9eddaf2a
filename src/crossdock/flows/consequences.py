"""What follows from the facts of an order: one walk from quantities to effects, the same whatever message came last.

Each step compares what should be with what was done, and does the difference. So a message only records its fact; and
any order of the same messages comes to the same end (FAULTS 31, 38).
"""

from __future__ import annotations

from crossdock.domain.journal import to_post
from crossdock.domain.process import OrderProcess
from crossdock.flows.comparing import believe
from crossdock.flows.desk import Again, Desk
from crossdock.flows.forgetting import forget_if_asked, hold_if_asked
from crossdock.flows.goods import balance, hand_over, release
from crossdock.flows.standing import stand
from crossdock.flows.stocking import left
from crossdock.flows.store_days import follow_day
from crossdock.flows.telling import acknowledge, create_sale, tell_cancelled, tell_erp, tell_shipments
from crossdock.flows.tills import follow_ticket

BALANCE = "order.balance"


def follow(desk: Desk, why: str) -> None:
    """Do everything that the facts ask for now. why: a word for the postings that come of it."""
    process = desk.process
    if process.day is not None or process.ticket:
        follow_day(desk)
        follow_ticket(desk)
        forget_if_asked(desk)
        return
    if not process.known:
        return
    if process.test or process.copy_of:
        forget_if_asked(desk)
        return
    hold_if_asked(desk)
    if process.owed:
        process.owed = desk.ledger.pay(process.owed)
    unloaded = balance(desk)
    lost = mine = handed = False
    for line in process.lines:
        lost = lost or line.removed > 0 or line.asked > 0 or line.cancelled > 0
        mine = mine or line.who == "us"
        handed = handed or line.who == "done"
    gone = gone_for_good(process) if lost else None
    if process.commitment == "committed":
        if handed:
            hand_over(desk)
        if process.sale is None:
            create_sale(desk)
        believe(desk)
        if mine and not process.acknowledged:
            acknowledge(desk, gone)  # once all of it that is ours is reserved
        release(desk)
        if process.shipments:
            tell_shipments(desk)
    if process.shipments:
        left(desk)
    if gone is not None:
        tell_cancelled(desk, gone)
    sale = process.sale
    if sale is not None and sale.state == "done":
        tell_erp(desk, gone)
    entries = to_post(process, gone)
    if entries:
        desk.postings.append((why, entries))
    forget_if_asked(desk)
    stand(desk)
    if desk.ledger.owed:
        process.owed += desk.ledger.take_owed()
    if process.owed or unloaded:
        desk.timer(BALANCE, desk.now, Again(skus=process.skus()))


def gone_for_good(process: OrderProcess) -> list[int]:
    """Per line, what will certainly not be fulfilled: lost, and no longer out at a warehouse."""
    out: dict[tuple[str, str], int] = {}
    for request in process.requests:
        for item in request.items:
            out[item.line, item.sku] = out.get((item.line, item.sku), 0) + item.out
    busy: dict[str, int] = {}
    for piece in process.pieces:
        waiting = -(-out.get((piece.line, piece.sku), 0) // piece.per)
        busy[piece.line] = max(busy.get(piece.line, 0), waiting)
    return [
        max(0, line.ordered - max(line.target, line.shipped + busy.get(line.id, 0)))
        if line.ordered > 0
        else 0
        for line in process.lines
    ]
