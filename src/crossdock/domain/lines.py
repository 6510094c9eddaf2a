"""From the lines of an order's version to lines and pieces: what is lost, who brings it, what moves for it."""

from __future__ import annotations

from collections.abc import Callable

from crossdock.domain.journal import withheld_of
from crossdock.domain.process import Line, OrderProcess, Piece, Who
from crossdock.domain.products import Card
from crossdock.model.ids import ExternalRef
from crossdock.model.lines import OrderLine
from crossdock.model.order import Order

Cards = Callable[[str], Card | None]
PlaceOf = Callable[[str, ExternalRef | None], str]
"""Our id of a location, as its name with us or with a partner; "" for none of ours."""


def absorb_lines(process: OrderProcess, order: Order, cards: Cards, *, stocked: bool, place: PlaceOf) -> bool:
    """Take over the lines of a version; True where it differs in what an ERP is told of a sale.

    A line that vanished is removed whole. stocked: whether any location serves the channel; else others bring it.
    """
    known = {line.id: line for line in process.lines} if process.lines else {}
    held = len(known)
    parents: set[str] = {line.parent_line for line in order.lines if line.parent_line}
    whole = order.commitment != "void" and order.cancelled_at is None
    changed = False
    for told in order.lines:
        who = _who(told, parents, stocked=stocked)
        removed = told.ordered - told.current if whole and told.current >= 0 else _removed(told, order)
        line = known.pop(told.id, None) if held else None
        anew = line is None
        if line is None:
            line = Line(
                id=told.id, sku=told.sku, ordered=told.ordered, who=who, net=told.net, gross=told.gross
            )
            line.delivery = told.delivery
            process.lines.append(line)
            changed = changed or held > 0
        else:
            differs, anew = _update(line, told, who)
            changed = changed or differs
            if anew:
                _drop_pieces(process, line.id)
        if told.discounts or line.discount:
            changed = _discount(line, told) or changed
        if told.taxes:
            line.withheld = withheld_of(told.taxes)
        if removed or line.removed:
            line.removed = max(removed, 0)
        if anew and who in ("us", "done"):
            _add_pieces(process, told, order, cards, place)
    for line in known.values():
        changed = changed or line.removed < line.ordered
        line.removed = line.ordered
    return changed


def needs_stock(order: Order, line: OrderLine) -> bool:
    """Whether a line is goods that we must have to bring them."""
    parents: set[str] = {other.parent_line for other in order.lines if other.parent_line}
    return bool(line.sku) and _who(line, parents, stocked=True) == "us"


def _update(line: Line, told: OrderLine, who: Who) -> tuple[bool, bool]:
    """Change a line that is held; returns whether an ERP is told otherwise now, and whether other goods move for it."""
    before = (line.sku, line.ordered, line.net, line.gross)
    anew = line.sku != told.sku or (who == "us" and line.who != "us")
    line.sku, line.ordered, line.who = told.sku, told.ordered, who
    line.net, line.gross, line.delivery = told.net, told.gross, told.delivery
    return before != (line.sku, line.ordered, line.net, line.gross), anew


def _drop_pieces(process: OrderProcess, line_id: str) -> None:
    """What moved for a line moves no more: what is claimed or asked for of it is given back."""
    for piece in process.pieces:
        if piece.line == line_id:
            piece.dropped = True


def _discount(line: Line, told: OrderLine) -> bool:
    """Take over what was discounted, without tax; returns whether it differs."""
    off = sum(allocation.amount for allocation in told.discounts)
    if told.price_includes_tax and told.gross:
        off = off * told.net // told.gross
    before, line.discount = line.discount, off
    return before != off


def _removed(told: OrderLine, order: Order) -> int:
    """What the channel itself says is lost. Of a cancelled order all is but what it knows to be fulfilled."""
    if told.ordered <= 0:
        return 0
    if order.commitment == "void":
        return told.ordered
    left = told.current if told.current > 0 else 0
    if order.cancelled_at is not None:
        left = min(left, max(told.fulfilled, 0))
    return max(told.ordered - left, 0)


def _who(told: OrderLine, parents: set[str], *, stocked: bool) -> Who:
    if told.fulfilled_by == "handed_over":
        return "done"
    if told.ordered <= 0 or told.kind in ("service", "deposit") or told.delivery in ("digital", "none"):
        return "none"
    if parents and told.id in parents:
        return "none"
    if not stocked or told.fulfilled_by in ("marketplace", "supplier"):
        return "else"
    return "us"


def _add_pieces(process: OrderProcess, told: OrderLine, order: Order, cards: Cards, place: PlaceOf) -> None:
    at = ""
    if told.location or told.location_ref is not None:
        at = place(told.location, told.location_ref)
    elif told.fulfilled_by == "handed_over":
        at = place(order.location, order.location_ref)
    card = cards(told.sku) if told.sku else None
    components = card.components if card is not None else ()
    if components:
        process.pieces += [Piece(line=told.id, sku=c.sku, per=c.quantity, at=at) for c in components]
    else:
        process.pieces.append(Piece(line=told.id, sku=told.sku, at=at, moves=bool(told.sku)))
