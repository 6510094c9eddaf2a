"""Where the goods are and where the money is: derived from quantities and tenders, never stored, never mixed.

Quantities are those of the lines, in 10**-quantity_scale of each line's unit. A line that a till takes back is negative
throughout, so every rule reads quantities in the direction of `ordered`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from crossdock.model.fulfilment import Cancellation, Shipment
from crossdock.model.ids import LineId
from crossdock.model.lines import OrderLine
from crossdock.model.order import Order
from crossdock.model.quantity import LineQuantity
from crossdock.model.returns import Refund, Return

Custody = Literal[
    "not_needed", "unfulfilled", "partial", "fulfilled", "part_returned", "returned", "cancelled"
]
MoneyStatus = Literal["unpaid", "authorised", "part_paid", "paid", "part_refunded", "refunded", "voided"]


class QuantityBreach(msgspec.Struct, frozen=True, kw_only=True):
    """Name a rule that the facts of a line break: `rule` says "left <= right", and left was more.

    The facts are kept as they are; the breach is the reason of a case.
    """

    line: LineId
    rule: str
    left: int
    right: int

    def __str__(self) -> str:
        return f"line {self.line}: {self.rule} does not hold, {self.left} is more than {self.right}"


def check_quantities(order: Order) -> tuple[QuantityBreach, ...]:
    """Return every breach of returned <= fulfilled <= current <= ordered and of cancelled + current <= ordered."""
    return tuple(breach for line in order.lines for breach in check_line(line))


def check_line(line: OrderLine) -> tuple[QuantityBreach, ...]:
    """Return the breaches of one line; () for nearly every line there is."""
    sign = _sign(line)
    ordered, current, cancelled = sign * line.ordered, sign * line.current, sign * line.cancelled
    fulfilled, returned = sign * line.fulfilled, sign * line.returned
    if 0 <= returned <= fulfilled <= current and 0 <= cancelled <= ordered - current:
        return ()
    rules = (
        ("returned <= fulfilled", returned, fulfilled),
        ("fulfilled <= ordered", fulfilled, ordered),
        ("fulfilled <= current", fulfilled, current),
        ("current + cancelled <= ordered", current + cancelled, ordered),
        ("0 <= current", 0, current),
        ("0 <= cancelled", 0, cancelled),
        ("0 <= fulfilled", 0, fulfilled),
        ("0 <= returned", 0, returned),
    )
    return tuple(
        QuantityBreach(line=line.id, rule=rule, left=left, right=right)
        for rule, left, right in rules
        if left > right
    )


def open_quantity(line: OrderLine) -> int:
    """Return how much of a line the buyer still waits for; 0 where more was sent than is wanted."""
    sign = _sign(line)
    return sign * max(0, sign * (line.current - line.fulfilled))


def removed_quantity(line: OrderLine) -> int:
    """Return how much edits took off a line, cancellations not counted."""
    return line.ordered - line.current - line.cancelled


def needs_custody(line: OrderLine) -> bool:
    """Say whether a line is goods that somebody must hand over: not a bundle's own line, nor a service."""
    return line.kind not in ("bundle", "service", "deposit") and line.delivery != "none"


def line_custody(line: OrderLine) -> Custody:
    """Return where the goods of one line are."""
    if not needs_custody(line):
        return "not_needed"
    sign = _sign(line)
    current, fulfilled, returned = sign * line.current, sign * line.fulfilled, sign * line.returned
    if fulfilled <= 0:
        return "unfulfilled" if current > 0 else "cancelled"
    if fulfilled < current:
        return "partial"
    if returned <= 0:
        return "fulfilled"
    return "part_returned" if returned < fulfilled else "returned"


def order_custody(order: Order) -> Custody:
    """Return where the goods of an order are, over all lines; cancelled lines count only where all are."""
    lines = [status for line in order.lines if (status := line_custody(line)) != "not_needed"]
    if not lines:
        return "not_needed"
    left = [status for status in lines if status != "cancelled"]
    if not left:
        return "cancelled"
    first = left[0]
    if left.count(first) == len(left):
        return first
    if "unfulfilled" in left or "partial" in left:
        return "partial"
    return "part_returned"


def money_status(order: Order, refunds: Iterable[Refund] = ()) -> MoneyStatus:
    """Return where the money of an order is, from its tenders and the refunds that were done in its currency.

    What is due is `current_total` where the channel tells it, else `buyer_total`. While no total is known, money that
    came is part of one.
    """
    captured = captured_amount(order)
    refunded = refunded_amount(order, refunds)
    if refunded > 0:
        return "refunded" if refunded >= captured else "part_refunded"
    authorised = sum(tender.amount for tender in order.tenders if tender.state == "authorised")
    due = order.buyer_total if order.current_total is None else order.current_total
    if due is not None and captured >= due and (order.tenders or due <= 0):
        return "paid"
    if authorised > 0 and (due is None or captured + authorised >= due):
        return "authorised"
    if captured > 0:
        return "part_paid"
    if authorised > 0:
        return "authorised"
    gone = order.tenders and all(tender.state in ("voided", "failed") for tender in order.tenders)
    return "voided" if gone else "unpaid"


def captured_amount(order: Order) -> int:
    """Return what the order's tenders have brought, in minor units of its currency."""
    return sum(tender.amount for tender in order.tenders if tender.state == "captured")


def refunded_amount(order: Order, refunds: Iterable[Refund]) -> int:
    """Return what was given back in the order's currency; pending, failed and cancelled refunds do not count."""
    return sum(
        refund.total for refund in refunds if refund.state == "done" and refund.currency == order.currency
    )


def shipped_by_line(shipments: Iterable[Shipment]) -> dict[LineId, int]:
    """Return what left per line, over all shipments: those planned, packed or cancelled moved nothing."""
    moved = (shipment for shipment in shipments if shipment.state not in ("planned", "packed", "cancelled"))
    return _by_line(quantity for shipment in moved for quantity in shipment.lines)


def cancelled_by_line(cancellations: Iterable[Cancellation]) -> dict[LineId, int]:
    """Return what was indeed stopped per line: only what was accepted is a fact."""
    return _by_line(quantity for cancellation in cancellations for quantity in cancellation.accepted)


def returned_by_line(returns: Iterable[Return]) -> dict[LineId, int]:
    """Return what came back per line; goods of an unseen sale stand under the empty line id."""
    totals: dict[LineId, int] = {}
    for goods_return in returns:
        for line in goods_return.lines:
            totals[line.line] = totals.get(line.line, 0) + line.received
    return totals


def _by_line(quantities: Iterable[LineQuantity]) -> dict[LineId, int]:
    totals: dict[LineId, int] = {}
    for quantity in quantities:
        totals[quantity.line] = totals.get(quantity.line, 0) + quantity.quantity
    return totals


def _sign(line: OrderLine) -> int:
    """Return the direction of a line: -1 where a till takes goods back."""
    return -1 if line.ordered < 0 else 1
