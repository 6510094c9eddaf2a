"""What is sold, where and for how much: products, listings, prices, locations and tax rates."""

from datetime import date
from typing import Literal

from crossdock.model.base import Instant, Model, Units, require, require_short
from crossdock.model.currency import exponent
from crossdock.model.ids import (
    ConnectionId,
    ExternalRef,
    LegalEntityId,
    ListingId,
    LocationId,
    ProductId,
    Sku,
)
from crossdock.model.lines import FulfilledBy
from crossdock.model.money import Rate, UnitPrice
from crossdock.model.party import Address

ProductKind = Literal["goods", "bundle", "gift_card", "service", "digital"]
LocationKind = Literal["warehouse", "store", "supplier", "marketplace", "transit", "virtual"]


class Component(Model, frozen=True, kw_only=True):
    """Name what a bundle or multiple is made of: `quantity` of `sku` for one of it."""

    sku: Sku
    quantity: Units = 1

    def __post_init__(self) -> None:
        require_short(self, "component", "sku")
        require(self.quantity > 0, "component.quantity", "a component counts at least one")


class Product(Model, frozen=True, kw_only=True):
    """Hold one sellable and stockable thing. Its stock is counted in 10**-quantity_scale of `unit`."""

    sku: Sku
    name: str = ""
    id: ProductId = ProductId("")
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    version: str = ""
    kind: ProductKind = "goods"
    unit: str = "ea"
    quantity_scale: int = 0
    barcodes: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    tax_category: str = ""
    brand: str = ""
    weight_grams: int | None = None
    origin_country: str = ""
    customs_code: str = ""
    active: bool = True
    external_refs: tuple[ExternalRef, ...] = ()
    channel_updated_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "product", "sku", "external_id", "version")


class Listing(Model, frozen=True, kw_only=True):
    """Hold a channel's sellable entry and what of ours it stands for: `components`, one for a single or a multiple.

    A pack of six is one component of quantity 6. () means that it is not mapped yet. The quantity published is the
    least that its parts allow. `publishes_quantity` is False where the marketplace fulfils: a quantity would turn an
    FBA listing into a merchant-fulfilled one.
    """

    connection: ConnectionId
    external_id: str
    id: ListingId = ListingId("")
    sku: Sku = Sku("")
    external_sku: str = ""
    stock_ref: str = ""
    title: str = ""
    version: str = ""
    components: tuple[Component, ...] = ()
    fulfilled_by: FulfilledBy = "us"
    publishes_quantity: bool = True
    active: bool = True
    channel_updated_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "listing", "sku", "external_id", "version")


class Price(Model, frozen=True, kw_only=True):
    """Hold what one unit costs the buyer, where and from when; an empty `connection` means everywhere."""

    sku: Sku
    currency: str
    unit_price: UnitPrice
    includes_tax: bool = False
    kind: Literal["list", "sale", "compare_at", "cost"] = "list"
    connection: ConnectionId = ConnectionId("")
    location: LocationId = LocationId("")
    unit: str = "ea"
    quantity_min: Units = 0
    quantity_scale: int = 0
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    version: str = ""

    def __post_init__(self) -> None:
        require_short(self, "price", "sku", "location", "version")
        exponent(self.currency)


class Location(Model, frozen=True, kw_only=True):
    """Hold a place that holds stock or sells: its owner, its IANA time zone, and what others call it."""

    id: LocationId = LocationId("")
    name: str = ""
    kind: LocationKind = "warehouse"
    legal_entity: LegalEntityId = LegalEntityId("")
    zone: str = "UTC"
    address: Address | None = None
    active: bool = True
    ships: bool = True
    pickup: bool = False
    external_refs: tuple[ExternalRef, ...] = ()


class TaxRate(Model, frozen=True, kw_only=True):
    """Hold the rate of a tax for a category of goods in a jurisdiction, between two days, the last not included."""

    jurisdiction: str
    rate: Rate
    name: str = ""
    category: str = ""
    registration: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    external_refs: tuple[ExternalRef, ...] = ()
