"""Pages of the feeds to messages, and messages to reports. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from crossdock.connectors.tryton import posted, told
from crossdock.connectors.tryton.options import Convention
from crossdock.errors import MappingError
from crossdock.model.catalogue import Price, Product
from crossdock.model.ids import ConnectionId, Sku
from crossdock.model.money import UnitPrice
from crossdock.model.reports import PriceReported, ProductReported, Report
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import Text, stock_reported
from crossdock.sdk.spec import Child

PAGE = "page."


class _Row(msgspec.Struct, frozen=True):
    kind: str
    body: msgspec.Raw


class _Page(msgspec.Struct, frozen=True):
    rows: tuple[_Row, ...]


class _ProductBody(msgspec.Struct, frozen=True):
    code: Text
    id: int
    name: str = ""
    type: str = "goods"
    unit: str = "ea"
    scale: int = 0
    active: bool = True
    barcodes: tuple[str, ...] = ()
    changed: str = ""


class _PriceBody(msgspec.Struct, frozen=True):
    code: Text
    currency: str
    price: str | None = None
    changed: str = ""


def children(kind: str, body: bytes, conventions: Sequence[Convention] = ()) -> Iterable[Child] | None:
    """One message a row, so that a bad one parks alone; a row that is told again unchanged is a duplicate."""
    if not kind.startswith(PAGE):
        return None
    found = (_child(row.kind, bytes(row.body), conventions) for row in decode(body, _Page).rows)
    return [child for child in found if child is not None]


def _child(kind: str, body: bytes, conventions: Sequence[Convention]) -> Child | None:
    if kind != told.TOLD:
        return Child(kind=kind, body=body, delivery_id=_digest(body))
    whose = told.named(conventions, body)
    if whose is None:
        return None
    return Child(
        kind=kind,
        body=body,
        ref_kind=whose.kind,
        ref=whose.ref,
        ref_source=whose.channel,
        delivery_id=_digest(body),
    )


def reports(
    kind: str, body: bytes, connection: str, conventions: Sequence[Convention] = ()
) -> tuple[Report, ...]:
    """What a row tells."""
    if kind == posted.POSTED:
        return (posted.report(body, connection),)
    if kind == told.TOLD:
        return (told.report(body, connection, conventions),)
    if kind == "stock.changed":
        return (stock_reported(body, connection, complete=False),)
    if kind == "product.changed":
        return (_product(decode(body, _ProductBody), connection),)
    if kind == "price.changed":
        return _price(decode(body, _PriceBody))
    raise MappingError(f"Tryton has no message {kind!r}. Compare the connector's version.", field="kind")


def _product(told: _ProductBody, connection: str) -> ProductReported:
    product = Product(
        sku=Sku(told.code),
        name=told.name,
        connection=ConnectionId(connection),
        external_id=str(told.id),
        version=told.changed,
        kind="service" if told.type == "service" else "goods",
        unit=told.unit,
        quantity_scale=told.scale,
        barcodes=told.barcodes,
        active=told.active,
    )
    return ProductReported(product=product)


def _price(told: _PriceBody) -> tuple[Report, ...]:
    """The list price of a product, without tax; a product without one has none to tell."""
    if told.price is None:
        return ()
    price = Price(
        sku=Sku(told.code),
        currency=told.currency,
        unit_price=UnitPrice.parse(told.price, field="price"),
        version=told.changed,
    )
    return (PriceReported(price=price),)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]
