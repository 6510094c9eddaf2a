"""From promise to parcel: fulfilment requests, shipments and cancellations."""

from typing import Literal

from crossdock.model.base import Instant, Model, require, require_short, require_zones
from crossdock.model.ids import (
    CancellationId,
    ConnectionId,
    ExternalRef,
    FulfilmentRequestId,
    LocationId,
    OrderId,
    ShipmentId,
)
from crossdock.model.lines import Delivery, FulfilledBy
from crossdock.model.party import Address
from crossdock.model.quantity import LineQuantity

RequestState = Literal[
    "planned", "released", "accepted", "short", "refused", "fulfilled", "cancelling", "cancelled"
]
ShipmentState = Literal["planned", "packed", "shipped", "delivered", "returned", "lost", "cancelled"]
CancellationState = Literal["requested", "warehouse_asked", "accepted", "part_accepted", "refused", "told"]
CancelledBy = Literal["buyer", "seller", "channel", "marketplace", "payment", "warehouse", "unknown"]


class FulfilmentRequest(Model, frozen=True, kw_only=True):
    """Ask one location for quantities of an order's lines; the unit that is released, not the order.

    `attempt` counts from 1: a short pick or a refusal sends the rest to the next location as the next attempt, and
    `replaces` names the request that fell short. `picked` is what the location has confirmed so far.
    """

    id: FulfilmentRequestId
    order: OrderId
    location: LocationId
    lines: tuple[LineQuantity, ...]
    attempt: int = 1
    state: RequestState = "planned"
    order_number: str = ""
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    replaces: FulfilmentRequestId = FulfilmentRequestId("")
    picked: tuple[LineQuantity, ...] = ()
    delivery: Delivery = "ship"
    ship_to: Address | None = None
    carrier: str = ""
    service: str = ""
    ship_after: Instant | None = None
    ship_by: Instant | None = None
    deliver_by: Instant | None = None
    gift_message: str = ""
    note: str = ""
    reason: str = ""
    released_at: Instant | None = None

    def __post_init__(self) -> None:
        require(self.attempt >= 1, "attempt", "attempts count from 1")
        require(bool(self.lines), "lines", "a request asks for at least one line")
        require(
            all(line.quantity > 0 for line in self.lines),
            "lines.quantity",
            "ask for more than zero of each line",
        )


class Package(Model, frozen=True, kw_only=True):
    """Hold one parcel of a shipment; `lines` is () where the partner does not say what is in which."""

    id: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    carrier: str = ""
    service: str = ""
    weight_grams: int | None = None
    lines: tuple[LineQuantity, ...] = ()


class Shipment(Model, frozen=True, kw_only=True):
    """Report that quantities of an order's lines left a location, or were handed to the buyer, in some packages.

    The order is named by `order` (ours) or `order_ref` (a partner's), the request by `request` where there was one.
    `lines` are the totals over all packages. `external_id` and `version` are the reporting partner's. A correction
    is the same shipment in a later version; a shipment that was undone is "cancelled", it does not vanish.
    """

    lines: tuple[LineQuantity, ...]
    id: ShipmentId = ShipmentId("")
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    version: str = ""
    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    request: FulfilmentRequestId = FulfilmentRequestId("")
    number: str = ""
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    packages: tuple[Package, ...] = ()
    state: ShipmentState = "shipped"
    fulfilled_by: FulfilledBy = "us"
    delivery: Delivery = "ship"
    shipped_at: Instant | None = None
    delivered_at: Instant | None = None
    channel_updated_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "shipment", "external_id", "version", "order", "request")
        require_zones(self, "shipped_at", "delivered_at", "channel_updated_at")


class Cancellation(Model, frozen=True, kw_only=True):
    """Ask for quantities not to be fulfilled; a request until it is a fact.

    requested -> warehouse_asked -> accepted, part_accepted or refused -> told (channel and ERP know). `lines` () asks
    for all that is left. `accepted` is what was indeed stopped. `already_refunded` says that the channel has given the
    money back: then intercept and expect a return, never refund again.
    """

    id: CancellationId = CancellationId("")
    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    external_id: str = ""
    lines: tuple[LineQuantity, ...] = ()
    accepted: tuple[LineQuantity, ...] = ()
    state: CancellationState = "requested"
    by: CancelledBy = "unknown"
    reason: str = ""
    refusal: str = ""
    already_refunded: bool = False
    requested_at: Instant | None = None
    answered_at: Instant | None = None
    told_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "cancellation", "external_id", "order")
        require_zones(self, "requested_at", "answered_at", "told_at")
