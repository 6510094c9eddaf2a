"""One word for where the goods are, one for the money, one for what a list shows: derived from the facts, never kept.

custody and money are apart on purpose: goods may be shipped unpaid, and money given back for goods that are on their way.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from crossdock.domain.process import Line, OrderProcess
from crossdock.domain.store_day import GIVEN_UP, DayState

Custody = Literal[
    "not_needed",
    "open",
    "allocated",
    "released",
    "part_shipped",
    "shipped",
    "delivered",
    "part_returned",
    "returned",
    "cancelled",
]
Money = Literal["unpaid", "authorised", "part_paid", "paid", "part_refunded", "refunded"]
Stage = Literal[
    "unknown",
    "test",
    "copy",
    "tentative",
    "held",
    "waiting_stock",
    "waiting_erp",
    "waiting_release",
    "releasing",
    "at_warehouse",
    "cancelling",
    "shipping",
    "closing",
    "observed",
    "done",
    "cancelled",
    "day_open",
    "day_closed",
    "day_posted",
]


class Status(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """finished: nothing is left to do and nobody is waited for."""

    custody: Custody
    money: Money
    stage: Stage
    finished: bool


def status(process: OrderProcess) -> Status:
    """Derive all of it."""
    if process.day is not None:
        return _day_status(process, process.day)
    out = _out(process)
    goods = custody(process, out=out)
    stage = _stage(process, goods, out=out)
    told_only = (
        stage == "unknown" and (bool(process.booked or process.taken) or process.forget) and not process.early
    )
    finished = told_only or stage in ("done", "cancelled", "test", "copy")
    return Status(custody=goods, money=money(process), stage=stage, finished=finished)


NEEDS_ADDRESS = ("open", "allocated", "released", "part_shipped")
"""Custody of goods that somebody still has to send somewhere."""


def needs_address(process: OrderProcess) -> bool:
    """Whether somebody here still has to send its goods somewhere: without its persons they could not."""
    if process.day is not None or process.test or process.mode == "observe" or not process.known:
        return False
    return custody(process, out=_out(process)) in NEEDS_ADDRESS


def _day_status(process: OrderProcess, day: DayState) -> Status:
    """A store's day has no goods of its own; it is finished once it is counted, and all of it posted that is to be."""
    stage: Stage = day.stage
    held = any(code != GIVEN_UP for code in process.holds)
    settled = day.checked and not day.left and not process.pending and not held
    return Status(
        custody="not_needed",
        money="paid" if settled else "unpaid",
        stage=stage,
        finished=stage != "day_open" and settled,
    )


def custody(process: OrderProcess, *, out: bool) -> Custody:
    """Where the goods are, over all lines that are goods; cancelled lines count only where all are.

    out: whether a warehouse still has something to do.
    """
    if not process.known:
        return "open"
    shipped = open_ = returned = delivered = goods = gone = 0
    taken_back = False
    for line in process.lines:
        if line.who == "none":
            gone += line.target == 0 and line.ordered > 0
            continue
        goods += 1
        shipped += line.shipped
        returned += line.returned
        delivered += line.delivered
        taken_back = taken_back or line.taken_back
        lost = line.removed or line.asked or line.cancelled
        left = (line.target if lost else line.ordered) - line.shipped
        if left > 0:
            open_ += left
    if not goods:
        return "cancelled" if gone and gone == len(process.lines) else "not_needed"
    if shipped > 0:
        if returned > 0 and not open_:
            return "returned" if returned >= shipped else "part_returned"
        if open_ or out:
            return "part_shipped"
        return "delivered" if delivered >= shipped else "shipped"
    if out:
        return "released"
    if not open_:
        return "returned" if taken_back else "cancelled"
    return "allocated" if _covered(process) else "open"


def money(process: OrderProcess) -> Money:
    """Where the money is, from tenders, payments and the refunds that were done."""
    refunded = sum(refund.total for refund in process.refunds if refund.done)
    captured = process.captured
    if refunded > 0:
        return "refunded" if refunded >= captured else "part_refunded"
    if process.known and captured >= process.due and (captured > 0 or process.commitment == "committed"):
        return "paid"
    if process.authorised > 0 and captured + process.authorised >= process.due:
        return "authorised"
    if captured > 0:
        return "part_paid"
    return "authorised" if process.authorised > 0 else "unpaid"


def _stage(process: OrderProcess, goods: Custody, *, out: bool) -> Stage:
    if not process.known:
        return "unknown"
    if process.test:
        return "test"
    if process.copy_of:
        return "copy"
    if out and any(request.stops for request in process.requests):
        return "cancelling"
    if goods in ("open", "allocated", "released", "part_shipped"):
        return _open_stage(process, out=out)
    if process.commitment == "tentative" and goods != "cancelled":
        return "tentative"
    if process.pending or process.owed or _unposted(process):
        return "closing"
    return "cancelled" if goods == "cancelled" else "done"


def _open_stage(process: OrderProcess, *, out: bool) -> Stage:
    if process.commitment == "tentative":
        return "tentative"
    if out:
        for key in process.pending:
            if "/release/" in key:
                return "releasing"
        return "shipping" if any(line.shipped for line in process.lines) else "at_warehouse"
    if process.mode == "observe":
        return "observed"
    if process.holds:
        return "held"
    if process.waiting:
        return "waiting_stock"
    if any(line.who == "us" and line.target > line.shipped for line in process.lines):
        return "waiting_erp" if process.gate == "erp" else "waiting_release"
    return "shipping"


def _out(process: OrderProcess) -> bool:
    for request in process.requests:
        for item in request.items:
            if item.out > 0:
                return True
    return False


def _covered(process: OrderProcess) -> bool:
    """Whether everything that is open and ours is reserved."""
    mine: dict[str, Line] = {line.id: line for line in process.lines}
    for piece in process.pieces:
        line = mine[piece.line]
        if not piece.dropped and line.target * piece.per - piece.shipped > sum(piece.claims.values()):
            return False
    return all(line.who in ("us", "none") or line.target <= line.shipped for line in process.lines)


def _unposted(process: OrderProcess) -> bool:
    """Whether the ERP has not been told of everything that it is to be told of."""
    sale = process.sale
    return sale is not None and sale.state not in ("", "done", "refused")
