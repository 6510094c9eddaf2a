"""What connectors say: one past-tense report per fact that a partner told us, a union tagged by `type`.

A report names its subject by our id where the partner carried it, else by ExternalRef; the hub resolves the
reference. Reports are facts: the hub records them even where they break a rule, and opens a case for the breach.
"""

from typing import Literal

from crossdock.model.base import Instant, Model, require_short
from crossdock.model.catalogue import Listing, Location, Price, Product
from crossdock.model.finance import Payment, Payout, Posting, Settlement, SettlementLine
from crossdock.model.fulfilment import Cancellation, CancelledBy, Shipment
from crossdock.model.ids import (
    CancellationId,
    ConnectionId,
    ExternalRef,
    FulfilmentRequestId,
    LocationId,
    OrderId,
)
from crossdock.model.order import Order
from crossdock.model.quantity import LineQuantity
from crossdock.model.returns import Refund, Return
from crossdock.model.stock import StockLevel
from crossdock.model.tills import StoreDay, TillTicket


class OrderReported(Model, frozen=True, kw_only=True, tag_field="type", tag="order.reported"):
    """Tell one version of a whole order, with the shipments, refunds and returns that the channel holds of it.

    A newer version supersedes an older one that still waits; an older one that arrives late changes nothing.
    """

    order: Order
    shipments: tuple[Shipment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    returns: tuple[Return, ...] = ()
    cancellations: tuple[Cancellation, ...] = ()
    payments: tuple[Payment, ...] = ()


class ShipmentReported(Model, frozen=True, kw_only=True, tag_field="type", tag="shipment.reported"):
    """Tell that goods left, in some packages; the shipment names its order and request."""

    shipment: Shipment


class ShortPickReported(Model, frozen=True, kw_only=True, tag_field="type", tag="short_pick.reported"):
    """Tell that a location cannot give what a request asked for: `lines` are the missing quantities, () is all."""

    request: FulfilmentRequestId = FulfilmentRequestId("")
    request_ref: ExternalRef | None = None
    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    location: LocationId = LocationId("")
    lines: tuple[LineQuantity, ...] = ()
    refused: bool = False
    reason: str = ""
    occurred_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "short pick", "request", "order", "location")


class CancellationRequested(Model, frozen=True, kw_only=True, tag_field="type", tag="cancellation.requested"):
    """Tell that someone wants quantities cancelled: `lines` () asks for all that is left."""

    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    external_id: str = ""
    lines: tuple[LineQuantity, ...] = ()
    by: CancelledBy = "unknown"
    reason: str = ""
    already_refunded: bool = False
    occurred_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "cancellation", "external_id", "order")


class CancellationAnswered(Model, frozen=True, kw_only=True, tag_field="type", tag="cancellation.answered"):
    """Tell what came of a cancellation: the quantities that were stopped, and those that were too late."""

    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    cancellation: CancellationId = CancellationId("")
    request: FulfilmentRequestId = FulfilmentRequestId("")
    request_ref: ExternalRef | None = None
    outcome: Literal["accepted", "part_accepted", "refused"] = "accepted"
    accepted: tuple[LineQuantity, ...] = ()
    refused: tuple[LineQuantity, ...] = ()
    reason: str = ""
    occurred_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "cancellation", "cancellation", "request", "order")


class RefundReported(Model, frozen=True, kw_only=True, tag_field="type", tag="refund.reported"):
    """Tell that money was given back."""

    refund: Refund


class ReturnReported(Model, frozen=True, kw_only=True, tag_field="type", tag="return.reported"):
    """Tell that goods are on their way back or have come."""

    goods_return: Return


class StockReported(Model, frozen=True, kw_only=True, tag_field="type", tag="stock.reported"):
    """Tell levels. `complete` says that it is a whole snapshot of its location: what is not named is not there."""

    levels: tuple[StockLevel, ...]
    complete: bool = False


class ProductReported(Model, frozen=True, kw_only=True, tag_field="type", tag="product.reported"):
    """Tell one version of a product; `deleted` where the source has none any more."""

    product: Product
    deleted: bool = False


class ListingReported(Model, frozen=True, kw_only=True, tag_field="type", tag="listing.reported"):
    """Tell one version of a channel's listing; `deleted` where the channel sells it no more."""

    listing: Listing
    deleted: bool = False


class PriceReported(Model, frozen=True, kw_only=True, tag_field="type", tag="price.reported"):
    """Tell a price."""

    price: Price


class LocationReported(Model, frozen=True, kw_only=True, tag_field="type", tag="location.reported"):
    """Tell a place of the partner; `location.external_refs` holds its id there."""

    location: Location
    deleted: bool = False


class PaymentReported(Model, frozen=True, kw_only=True, tag_field="type", tag="payment.reported"):
    """Tell where a payment stands."""

    payment: Payment


class SettlementReported(Model, frozen=True, kw_only=True, tag_field="type", tag="settlement.reported"):
    """Tell a provider's statement, or a part of one: `lines` of one statement may come in several reports."""

    settlement: Settlement
    lines: tuple[SettlementLine, ...] = ()


class PayoutReported(Model, frozen=True, kw_only=True, tag_field="type", tag="payout.reported"):
    """Tell a transfer."""

    payout: Payout


class InvoiceReported(Model, frozen=True, kw_only=True, tag_field="type", tag="invoice.reported"):
    """Tell a document that an ERP made: its number, and the total that it came to."""

    posting: Posting


class TicketReported(Model, frozen=True, kw_only=True, tag_field="type", tag="ticket.reported"):
    """Tell one ticket of a till."""

    ticket: TillTicket


class StoreDayReported(Model, frozen=True, kw_only=True, tag_field="type", tag="store_day.reported"):
    """Tell the opening or close of a store's day, with its control totals."""

    store_day: StoreDay


class UploadReported(Model, frozen=True, kw_only=True, tag_field="type", tag="upload.reported"):
    """Tell what an upload of tickets says that it holds, and what it does hold; None where it does not say.

    Totals are in minor units of `currency`, over what its tickets come to.
    """

    external_id: str
    tickets: int
    total: int
    stated_tickets: int | None = None
    stated_total: int | None = None
    currency: str = ""
    location_ref: ExternalRef | None = None

    def __post_init__(self) -> None:
        require_short(self, "upload", "external_id")


class PersonErasureRequested(
    Model, frozen=True, kw_only=True, tag_field="type", tag="person.erasure_requested"
):
    """Tell that a person wants to be forgotten: in these orders, or wherever the partner's `person_ref` stands."""

    connection: ConnectionId
    person_ref: ExternalRef | None = None
    order_refs: tuple[ExternalRef, ...] = ()
    occurred_at: Instant | None = None


class PersonDataRequested(Model, frozen=True, kw_only=True, tag_field="type", tag="person.data_requested"):
    """Tell that a person wants to know what is held of them; fields as for an erasure."""

    connection: ConnectionId
    person_ref: ExternalRef | None = None
    order_refs: tuple[ExternalRef, ...] = ()
    occurred_at: Instant | None = None


class ChannelErasureRequested(
    Model, frozen=True, kw_only=True, tag_field="type", tag="channel.erasure_requested"
):
    """Tell that a whole channel wants what is held of its persons to be forgotten."""

    connection: ConnectionId
    occurred_at: Instant | None = None


Report = (
    OrderReported
    | ShipmentReported
    | ShortPickReported
    | CancellationRequested
    | CancellationAnswered
    | RefundReported
    | ReturnReported
    | StockReported
    | ProductReported
    | ListingReported
    | PriceReported
    | LocationReported
    | PaymentReported
    | SettlementReported
    | PayoutReported
    | InvoiceReported
    | TicketReported
    | StoreDayReported
    | UploadReported
    | PersonErasureRequested
    | PersonDataRequested
    | ChannelErasureRequested
)
"""Everything that a connector may report."""
