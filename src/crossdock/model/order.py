"""The order: one sale on one channel, whole, as one version of it."""

from typing import Literal

from crossdock.model.base import ID_CHARS_MAX, Amount, Instant, Model, require, require_short, require_zones
from crossdock.model.currency import EXPONENTS, exponent
from crossdock.model.ids import ConnectionId, ExternalRef, LegalEntityId, LocationId, OrderId
from crossdock.model.lines import OrderLine
from crossdock.model.money import ExchangeRate
from crossdock.model.party import Address, Party
from crossdock.model.pricing import Charge, Discount, ShippingCharge, Tender

Commitment = Literal["tentative", "committed", "void"]
ChannelKind = Literal["shop", "till", "marketplace", "b2b", "other"]
Seller = Literal["seller", "marketplace"]
BilledParty = Literal["buyer", "marketplace"]

_TIMES = (
    "occurred_at",
    "channel_updated_at",
    "received_at",
    "cancelled_at",
    "ship_after",
    "ship_by",
    "deliver_by",
)


class Hold(Model, frozen=True, kw_only=True):
    """Hold the reason why an order must not be released yet, who put it there, and when it was lifted."""

    code: str
    reason: str = ""
    placed_by: Literal["us", "channel"] = "channel"
    placed_at: Instant | None = None
    released_at: Instant | None = None


class Order(Model, frozen=True, kw_only=True):
    """Hold one version of one order, with everything that a shop, till or marketplace can say of it.

    Identity. `connection` is where we read it and `external_id` its id there; `id` is ours, "" until the hub has
    taken it. `number` is what people call it ("#1001"). `origin` is where it was sold, in words of the source
    ("amazon.de"), and differs from the connection where a tool copies orders; "" means sold on the connection.
    `origin_ref` is its id where it was sold, as far as the copy knows it.
    `location` is the store that sold it, `location_ref` the same in the channel's words. `version` is what the source
    orders its versions by: an integer as text, or its update time as `versions.version_at` writes it.

    State. `commitment` is tentative (a sale may come of it; totals may be missing), committed, or void (it never
    became a sale, or is one no more before anything was charged or shipped). A committed order that is cancelled
    later stays committed: `cancelled_at` and the lines' quantities tell it. `test` orders never post.

    Money is in minor units of `currency`, the one charged; `shop_total` is the same total in `shop_currency`, the
    books' own; `rates` are the rates stamped on the sale. `buyer_total` is what the buyer pays and is the sum of
    the gross of lines, shipping and charges; None while tentative. It stands for the `ordered` quantities;
    `current_total` is what the channel says remains after edits and cancellations. `channel_receivable` is what a
    channel will pay to us before its fees. `bill_to` and `sold_by` name the marketplace where it is deemed supplier
    or merchant of record.

    Times. `occurred_at` is the sale, `channel_updated_at` this version, `received_at` our receipt; `store_local` is the
    sale by the wall clock where it was sold, with its zone: "2026-03-29T14:05:00 Europe/Berlin".
    """

    connection: ConnectionId
    external_id: str
    version: str
    currency: str
    lines: tuple[OrderLine, ...] = ()
    id: OrderId = OrderId("")
    number: str = ""
    origin: str = ""
    origin_ref: str = ""
    channel: ChannelKind = "shop"
    commitment: Commitment = "committed"
    test: bool = False
    shipping: tuple[ShippingCharge, ...] = ()
    charges: tuple[Charge, ...] = ()
    discounts: tuple[Discount, ...] = ()
    tenders: tuple[Tender, ...] = ()
    buyer_total: Amount | None = None
    current_total: Amount | None = None
    channel_receivable: Amount | None = None
    shop_currency: str = ""
    shop_total: Amount | None = None
    settlement_currency: str = ""
    rates: tuple[ExchangeRate, ...] = ()
    sold_by: Seller = "seller"
    bill_to: BilledParty = "buyer"
    legal_entity: LegalEntityId = LegalEntityId("")
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    buyer: Party | None = None
    ship_to: Address | None = None
    billing_address: Address | None = None
    purchase_order: str = ""
    payment_terms: str = ""
    holds: tuple[Hold, ...] = ()
    ship_after: Instant | None = None
    ship_by: Instant | None = None
    deliver_by: Instant | None = None
    cancelled_at: Instant | None = None
    cancel_reason: str = ""
    exchange_of: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    occurred_at: Instant | None = None
    channel_updated_at: Instant | None = None
    received_at: Instant | None = None
    store_local: str = ""

    def __post_init__(self) -> None:
        most = ID_CHARS_MAX
        if len(self.external_id) > most or len(self.number) > most or len(self.version) > most:
            require_short(self, "order", "external_id", "number", "version")
        if not (self.connection and self.external_id and self.version):
            require(False, "order", "needs connection, external_id and version")
        if self.currency not in EXPONENTS:
            exponent(self.currency)
        require_zones(self, *_TIMES)
        if self.buyer_total is None and self.commitment == "committed":
            require(
                False, "order.buyer_total", "a committed order has a total; map it, or commit the order later"
            )
