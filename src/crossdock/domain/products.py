"""What we hold of a SKU besides its stock: the product as its master told it, and what it should cost."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossdock.model.catalogue import Component, Price, Product
from crossdock.model.currency import exponent
from crossdock.model.lines import OrderLine
from crossdock.model.money import UnitPrice
from crossdock.model.versions import is_newer

PRICES_MAX = 200


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One SKU. prices: the latest of each (connection, currency, quantity_min).

    stock_scale: that in which its stock was first told; None where that of its product holds (domain/scales.py).
    """

    product: Product | None = None
    deleted: bool = False
    prices: tuple[Price, ...] = ()
    stock_scale: int | None = None

    @property
    def components(self) -> tuple[Component, ...]:
        """What a bundle or multiple is made of; () for a plain product."""
        return self.product.components if self.product is not None else ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Card)


class Catalogue:
    """The cards that a batch may need: decoded when first asked for, changed by what the batch is told."""

    __slots__ = ("_cards", "_changed", "_stored", "_undo")

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self._stored = stored
        self._cards: dict[str, Card | None] = {}
        self._changed: dict[str, Card] = {}
        self._undo: list[tuple[str, Card | None]] = []

    def card(self, sku: str) -> Card | None:
        """The card of a SKU, None where there is none."""
        if sku in self._cards:
            return self._cards[sku]
        stored = self._stored.get(sku)
        card = self._cards[sku] = _decoder.decode(stored) if stored is not None else None
        return card

    def put(self, sku: str, card: Card) -> None:
        """Replace a card."""
        self._undo.append((sku, self.card(sku)))
        self._cards[sku] = self._changed[sku] = card

    def count_in(self, sku: str, scale: int) -> None:
        """From now on the stock of a SKU is counted in this scale, whatever its product says later."""
        self.put(sku, msgspec.structs.replace(self.card(sku) or Card(), stock_scale=scale))

    def keep(self) -> None:
        """End a message: what it changed stays."""
        self._undo = []

    def undo(self) -> None:
        """End a message as if it had never been."""
        for sku, card in reversed(self._undo):
            self._cards[sku] = card
            if card is None:
                del self._changed[sku]
            else:
                self._changed[sku] = card  # it may equal what is stored: writing it again does no harm
        self._undo = []

    def changes(self) -> list[tuple[str, bytes]]:
        """The cards that were changed, as JSON."""
        return [(sku, _encoder.encode(card)) for sku, card in self._changed.items()]


def with_product(card: Card | None, product: Product, *, deleted: bool) -> Card | None:
    """The card after a product was told; None where what we hold is as new or newer."""
    held = card.product if card is not None else None
    if held is not None and product.version and not is_newer(product.version, held.version):
        return None
    return msgspec.structs.replace(card or Card(), product=product, deleted=deleted)


def with_price(card: Card | None, price: Price) -> Card:
    """The card after a price was told."""
    place = (price.connection, price.currency, price.kind, price.quantity_min)
    others = [
        p
        for p in (card.prices if card is not None else ())
        if (p.connection, p.currency, p.kind, p.quantity_min) != place
    ]
    return msgspec.structs.replace(card or Card(), prices=(*others[-PRICES_MAX + 1 :], price))


def expected_extended(card: Card, line: OrderLine, connection: str, currency: str) -> int | None:
    """What the line should come to by our own price, in minor units; None where we hold none that fits."""
    best: Price | None = None
    for price in card.prices:
        if (
            price.currency != currency
            or price.kind not in ("list", "sale")
            or price.connection not in ("", connection)
        ):
            continue
        if price.quantity_scale != line.quantity_scale or price.quantity_min > line.ordered:
            continue
        if price.includes_tax == line.price_includes_tax and (best is None or _rank(price) > _rank(best)):
            best = price
    return None if best is None else _extend(best.unit_price, line, currency)


def _rank(price: Price) -> tuple[bool, bool, int]:
    return price.connection != "", price.kind == "sale", price.quantity_min


def _extend(unit: UnitPrice, line: OrderLine, currency: str) -> int:
    """Unit price times quantity in minor units, rounded half up."""
    scale = unit.scale + line.quantity_scale - exponent(currency)
    raw = unit.value * line.ordered
    if scale <= 0:
        return raw * int(10**-scale)
    base = int(10**scale)
    return (2 * raw + base) // (2 * base)
