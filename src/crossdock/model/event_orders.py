"""The data of events about orders, goods and money, as subscribers are told it.

Data is small and never personal. Line ids and SKUs are those of the order, quantities are in the unit of their line,
money is in minor units of the currency that is named. Fields with a default may be missing.
"""

from __future__ import annotations

import msgspec

Quantity = tuple[str, int]
"""An order line and how much of it."""
Piece = tuple[str, str, int]
"""An order line, a SKU and how much of it."""
Placed = tuple[str, str, int, str]
"""An order line, a SKU, how much of it, and the location that it left."""
Stocked = tuple[str, str, int]
"""A SKU, a location and how much of it."""


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of an event."""


class Nothing(Data, frozen=True, kw_only=True):
    """The type says it all."""


class OrderTold(Data, frozen=True, kw_only=True):
    """A version of an order was taken. `document` counts the versions that the hub holds; `total` is the buyer's."""

    connection: str
    number: str
    version: str
    document: int
    commitment: str
    currency: str
    total: int | None
    lines: int


class PersonAsked(Data, frozen=True, kw_only=True):
    """A person asks about themselves; so many orders are named."""

    orders: int


class OrderStale(Data, frozen=True, kw_only=True):
    """A version older than the one held."""

    version: str
    held: str


class OrderTest(Data, frozen=True, kw_only=True):
    """A test order, or a report about one, which is kept and leads to nothing."""

    number: str = ""
    kind: str = ""


class OrderCopy(Data, frozen=True, kw_only=True):
    """A copy of an order, or a report about one, which leads to nothing: it was sold on `channel`, as `reference` there."""

    channel: str
    reference: str
    kind: str = ""


class CopyLinked(Data, frozen=True, kw_only=True):
    """`channel` holds a copy of this order, as `reference` there."""

    channel: str
    reference: str


class OfKind(Data, frozen=True, kw_only=True):
    """The kind of the report or message."""

    kind: str


class PriceDiffers(Data, frozen=True, kw_only=True):
    """What the channel states for a line and what our price list makes it, in minor units."""

    line: str
    sku: str
    stated: int
    expected: int


class HoldReleased(Data, frozen=True, kw_only=True):
    """Codes of the holds that a person has lifted."""

    codes: list[str]
    actor: str


class Lines(Data, frozen=True, kw_only=True):
    """Order lines with quantities."""

    lines: list[Quantity]


class AddressChanged(Data, frozen=True, kw_only=True):
    """Fulfilment requests that went to the old address and are stopped."""

    requests: list[str]


class OrderMissing(Data, frozen=True, kw_only=True):
    """How many reports wait for an order that has not come."""

    reports: int


class OrderOverdue(Data, frozen=True, kw_only=True):
    """At which stage the order stands still."""

    stage: str


class StockReserved(Data, frozen=True, kw_only=True):
    """What was reserved for the order, and where."""

    stock: list[Stocked]


class Pieces(Data, frozen=True, kw_only=True):
    """What is missing."""

    lines: list[Piece]


class StockReported(Data, frozen=True, kw_only=True):
    """How many levels of a statement of stock were taken, were older than what is held, or are not ours."""

    source: str
    applied: int
    older: int
    ignored: int


class RequestReleased(Data, frozen=True, kw_only=True):
    """A location is asked to fulfil; `attempt` counts the requests for the same goods."""

    request: str
    location: str
    attempt: int


class RequestShort(Data, frozen=True, kw_only=True):
    """What a location could not or would not send."""

    request: str
    location: str
    lines: list[Piece]


class RequestPieces(Data, frozen=True, kw_only=True):
    """What of a fulfilment request is stopped, or asked to be."""

    request: str
    lines: list[Piece]


class RequestNamed(Data, frozen=True, kw_only=True):
    """The fulfilment request that it is about."""

    request: str


class AnswerIgnored(Data, frozen=True, kw_only=True):
    """An answer that nobody asked for."""

    request: str
    outcome: str


class CancellationAnswered(Data, frozen=True, kw_only=True):
    """How many units a warehouse has stopped, and how many it could not."""

    request: str
    stopped: int
    refused: int


class CancellationRequested(Data, frozen=True, kw_only=True):
    """Who wants less, told by which connection; no `lines` is all that is left."""

    by: str
    source: str = msgspec.field(name="from")
    refunded: bool = False
    lines: list[Quantity] = []
    actor: str = ""


class CancellationTold(Data, frozen=True, kw_only=True):
    """What a channel was told will not come."""

    connection: str
    lines: list[Quantity]


class ShipmentRecorded(Data, frozen=True, kw_only=True):
    """Goods have left."""

    shipment: str
    request: str
    packages: int
    lines: list[Placed]


class ShipmentState(Data, frozen=True, kw_only=True):
    """A shipment and its state."""

    shipment: str
    state: str


class ShipmentNamed(Data, frozen=True, kw_only=True):
    """A shipment, and what its sender calls it."""

    shipment: str
    reference: str = ""


class RefundRecorded(Data, frozen=True, kw_only=True):
    """A refund as its maker states it."""

    refund: str
    state: str
    total: int
    currency: str
    by: str


class ReturnRecorded(Data, frozen=True, kw_only=True):
    """A return and what of it has come."""

    id: str = msgspec.field(name="return")
    state: str
    lines: list[Piece]


class PaymentReported(Data, frozen=True, kw_only=True):
    """A payment moved; `captured` is what of it is collected."""

    payment: str
    state: str
    captured: int
    currency: str
