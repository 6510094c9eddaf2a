"""Scales: a till weighs in grams what its ERP counts in tens of grams. A quantity means nothing without its scale.

The hub counts each SKU in one scale, whatever the scale of who sells it: that in which its stock was first told, else
that of its product. Pieces have scale 0. Pure.
"""

from __future__ import annotations

from crossdock.domain.products import Card


def stock_scale(card: Card | None) -> int | None:
    """The scale in which stock of a SKU is counted; None where nobody has told one, so that it counts whole units."""
    if card is None:
        return None
    if card.stock_scale is not None:
        return card.stock_scale
    return None if card.product is None else card.product.quantity_scale


def rescaled(quantity: int, scale: int, to: int) -> tuple[int, bool]:
    """The quantity in another scale, and whether that is exact; what is not is rounded, halves away from zero."""
    if to >= scale:
        return quantity * 10 ** (to - scale), True
    base = 10 ** (scale - to)
    whole, rest = divmod(abs(quantity), base)
    whole += 2 * rest >= base
    return (whole if quantity >= 0 else -whole), not rest
