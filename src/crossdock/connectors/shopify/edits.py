"""Money given back for what was taken off an order before: Shopify names no line with it, but its amount tells.

Who takes a unit off an order (an edit, a refund without money) and gives the money back for it does two things there.
The second is a refund of an amount alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from crossdock.model import LineId, Order, OrderLine, Refund, RefundLine

UNITS_MAX = 1000
"""Units of one line that are tried."""
Parts = list[tuple[OrderLine, int]]


def named_by_amount(refunds: Sequence[Refund], order: Order) -> tuple[Refund, ...]:
    """The refunds of an order; one of an amount alone names the lines that were taken off for just that.

    Each unit that was taken off is given back once, the first refund first. An amount that fits none is left as it is.
    """
    left = {line.id: line.ordered - line.current for line in order.lines if line.ordered > line.current}
    if not left:
        return tuple(refunds)
    for refund in refunds:
        for given in refund.lines if refund.tenders else ():
            if given.restock == "cancelled" and given.line in left:
                left[given.line] -= given.quantity
    lines = [line for line in order.lines if left.get(line.id, 0) > 0]
    found = []
    for refund in refunds:
        amount = sum(part.gross for part in refund.adjustments if part.kind == "discrepancy")
        parts = _fitting(lines, left, amount) if amount > 0 and refund.tenders and not refund.lines else []
        for line, quantity in parts:
            left[line.id] -= quantity
        found.append(_named(refund, parts, amount) if parts else refund)
    return tuple(found)


def _fitting(lines: Iterable[OrderLine], left: dict[LineId, int], amount: int) -> Parts:
    """What costs this amount, to a minor unit a piece: units of one line, else everything that was taken off."""
    open_ = [(line, left[line.id]) for line in lines if left[line.id] > 0]
    for parts in _choices(open_):
        units = sum(quantity for _, quantity in parts)
        if units and abs(amount - sum(_value(line, quantity) for line, quantity in parts)) <= units:
            return parts
    return []


def _choices(open_: Parts) -> Iterator[Parts]:
    for line, most in open_:
        for quantity in range(1, min(most, UNITS_MAX) + 1):
            yield [(line, quantity)]
    yield open_


def _value(line: OrderLine, quantity: int) -> int:
    return line.gross * quantity // line.ordered


def _named(refund: Refund, parts: Parts, amount: int) -> Refund:
    """The refund with its lines; what they miss of its amount goes with the last."""
    lines = []
    for n, (line, quantity) in enumerate(parts, 1):
        gross = _value(line, quantity) if n < len(parts) else amount
        tax = line.tax * quantity // line.ordered
        amount -= gross
        lines.append(
            RefundLine(
                net=gross - tax,
                tax=tax,
                gross=gross,
                quantity=quantity,
                line=line.id,
                sku=line.sku,
                restock="cancelled",
            )
        )
    rest = tuple(part for part in refund.adjustments if part.kind != "discrepancy")
    return msgspec.structs.replace(refund, lines=tuple(lines), adjustments=rest)
