"""What our own plain REST contracts share: signed events, stock levels, line quantities, one way to look up.

`wms` and `erp` speak these to systems that a retailer has written at home; an outside author who wants a third plain
contract builds on the same pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Protocol

import msgspec

from crossdock.errors import MappingError
from crossdock.model.base import Amount, Instant, Units
from crossdock.model.ids import ConnectionId, ExternalRef, LineId, LocationId, Sku
from crossdock.model.quantity import SCALE_MAX, LineQuantity
from crossdock.model.reports import StockReported
from crossdock.model.stock import Bucket, StockBasis, StockLevel
from crossdock.sdk import webhooks
from crossdock.sdk.decode import decode, decode_checked
from crossdock.sdk.spec import ConnectorSpec, Gate

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
"""An id, a SKU, a number: never empty, never longer than anybody's column."""

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
"""A quantity of at least one."""

KEY = "idempotency-key"


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """So much of one order line, in the unit and scale that the order gave for it."""

    line_id: Text
    quantity: Positive
    sku: str = ""
    reason: str = ""


class Created(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every POST that makes a document answers: its id there, and the total it came to where it has one."""

    id: Text
    total: Amount | None = None
    booked_at: Instant | None = None
    """When it was booked, by its system's clock: what that states of stock as of then holds it."""


class LevelBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The stock of one SKU at one location as its system states it; `on_hand` null is unknown, which is not zero."""

    sku: Text
    on_hand: Units | None
    location: str = ""
    reserved: Units = 0
    quarantined: Units = 0
    committed_elsewhere: Units = 0
    incoming: Units = 0
    unit: str = "ea"
    quantity_scale: Annotated[int, msgspec.Meta(ge=0, le=SCALE_MAX)] = 0
    basis: StockBasis = "physical"
    net_of: tuple[Bucket, ...] = ()
    as_of: Instant | None = None
    includes_until: Instant | None = None
    version: str = ""


class StockBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Levels; `location` and `as_of` stand for every level that names none of its own."""

    levels: tuple[LevelBody, ...]
    location: str = ""
    as_of: Instant | None = None
    includes_until: Instant | None = None


class _Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    order_id: str = ""
    occurred_at: str = ""


class PlainConnector:
    """The side that faces us: bearer token out, HMAC-signed events in."""

    def __init__(self, spec: ConnectorSpec, settings: Mapping[str, str]) -> None:
        self.spec = spec
        self._token = settings.get("token", "")
        self._secret = settings.get("webhook_secret", "")

    def request_headers(self) -> Mapping[str, str]:
        """Our credentials."""
        return webhooks.bearer(self._token)

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureError unless the delivery bears our secret's signature."""
        webhooks.verify(self._secret, body, headers.get(webhooks.SIGNATURE, ""))

    def gate(self, headers: Mapping[str, str], body: bytes) -> Gate:
        """Read the event's kind and delivery id from its headers, and our order id from its body."""
        kind = webhooks.event(headers, self.spec)
        delivery = headers.get(webhooks.DELIVERY, "")
        if kind.startswith("stock."):
            return Gate(kind=kind, delivery_id=delivery)
        head = decode_checked(body, _Head)
        ref_kind = "hub" if head.order_id else ""
        return Gate(
            kind=kind,
            ref_kind=ref_kind,
            ref=head.order_id,
            delivery_id=delivery,
            occurred_at=head.occurred_at,
        )


def items(lines: Iterable[LineQuantity]) -> tuple[Item, ...]:
    """Line quantities as our contracts write them."""
    return tuple(Item(line_id=q.line, quantity=q.quantity, sku=q.sku, reason=q.reason) for q in lines)


def line_quantities(given: Iterable[Item]) -> tuple[LineQuantity, ...]:
    """Line quantities as our contracts write them, read."""
    return tuple(
        LineQuantity(line=LineId(item.line_id), quantity=item.quantity, sku=Sku(item.sku), reason=item.reason)
        for item in given
    )


class OfLine(Protocol):
    """Something about one order line."""

    @property
    def line_id(self) -> str: ...

    @property
    def sku(self) -> str: ...


def require_once(given: Sequence[OfLine], field: str) -> None:
    """Refuse a list that names one line twice: nobody can say whether the second adds or replaces."""
    seen: set[tuple[str, str]] = set()
    for n, item in enumerate(given):
        key = (item.line_id, item.sku)
        if key in seen:
            place = f"{field}[{n}].line_id"
            raise MappingError(
                f"{place}: line {item.line_id} is named twice. Send one sum per line.", field=place
            )
        seen.add(key)


def location_ref(connection: str, code: str) -> ExternalRef | None:
    """A place by the code that the partner has for it; None where it names none."""
    return ExternalRef(connection=ConnectionId(connection), kind="location", id=code) if code else None


def stock_reported(body: bytes, connection: str, *, complete: bool) -> StockReported:
    """Read a stock event. A complete one says of its one location that what it does not name is not there."""
    stock = decode(body, StockBody)
    if complete and not stock.location:
        raise MappingError(
            "location: a snapshot is of one location. Send one per location.", field="location"
        )
    levels: list[StockLevel] = []
    for n, level in enumerate(stock.levels):
        if complete and level.location not in ("", stock.location):
            place = f"levels[{n}].location"
            raise MappingError(
                f"{place}: not the snapshot's own location. Send one per location.", field=place
            )
        levels.append(_level(level, stock, connection, f"levels[{n}]"))
    return StockReported(levels=tuple(levels), complete=complete)


def _level(level: LevelBody, stock: StockBody, connection: str, path: str) -> StockLevel:
    as_of = level.as_of or stock.as_of
    if as_of is None:
        raise MappingError(
            f"{path}.as_of: it is missing. A level without its moment cannot be set against what has moved since.",
            field=f"{path}.as_of",
        )
    if level.net_of and level.basis != "net":
        raise MappingError(
            f'{path}.net_of: only a level of basis "net" is net of something. Set the basis, or leave net_of out.',
            field=f"{path}.net_of",
        )
    return StockLevel(
        sku=Sku(level.sku),
        location=LocationId(""),
        location_ref=location_ref(connection, level.location or stock.location),
        connection=ConnectionId(connection),
        on_hand=level.on_hand,
        reserved=level.reserved,
        quarantined=level.quarantined,
        committed_elsewhere=level.committed_elsewhere,
        incoming=level.incoming,
        unit=level.unit,
        quantity_scale=level.quantity_scale,
        basis=level.basis,
        net_of=level.net_of,
        as_of=as_of,
        version=level.version,
        includes_until=level.includes_until or stock.includes_until,
    )
