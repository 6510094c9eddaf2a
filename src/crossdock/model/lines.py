"""One line of an order: what was sold, how much, for how much, and how it comes to the buyer."""

from typing import Literal

from crossdock.model.base import ID_CHARS_MAX, Amount, Instant, Model, Units, require, require_short
from crossdock.model.ids import ExternalRef, LineId, LocationId, Sku
from crossdock.model.money import UnitPrice, require_gross
from crossdock.model.pricing import DiscountAllocation, TaxLine
from crossdock.model.quantity import SCALE_MAX

LineKind = Literal["goods", "gift_card", "service", "custom", "bundle", "deposit"]
FulfilledBy = Literal["us", "store", "marketplace", "supplier", "handed_over"]
Delivery = Literal["ship", "pickup", "ship_from_store", "local_delivery", "digital", "none"]
Availability = Literal["stock", "backorder", "preorder"]


class OrderLine(Model, frozen=True, kw_only=True):
    """Hold one line of an order.

    `id` is stable over all versions of the order: the channel's line id where it has one, else the position from 1.

    Quantities are integers of 10**-quantity_scale of `unit`: 2 ea, or 350 with scale 3 of kg. `ordered` is what was
    sold, with what later edits added, and never falls; `current` is what of it the buyer still wants, so what edits
    removed is ordered - current - cancelled; `cancelled`, `fulfilled` and `returned` count facts. A return does not
    lower `current`. A line that a till takes back is negative throughout.

    Money is in minor units of the order's currency, for the `ordered` quantity. `extended` is unit price times
    quantity before discounts; less `discounts` it is `gross` where `price_includes_tax`, else `net`. `tax` is the sum
    of `taxes`, which are () where the source gives only the sum. `unit_price` is None where the source gives only the extended price.

    `category` is the group of goods that the source books it under, where it says one.

    `sku` is "" for custom lines and for what the channel sells without one; `listing` is the channel's own id of what
    it sold. A bundle is a line of kind "bundle" that bears the price, and component lines that name it as
    `parent_line` and move the stock; a bundle line itself moves none. A set that the channel sells as one line is
    goods: its listing knows the components. `returns_line` names the line of the same order that a negative one takes back.

    `location` is where it is picked up or was assigned, `location_ref` the same in the channel's words.
    `fulfilled_by` "handed_over" means that the buyer has it already (a till sale): post it, ship nothing.
    """

    id: LineId
    ordered: Units
    current: Units
    extended: Amount
    net: Amount
    tax: Amount
    gross: Amount
    sku: Sku = Sku("")
    title: str = ""
    category: str = ""
    kind: LineKind = "goods"
    external_id: str = ""
    listing: str = ""
    parent_line: LineId = LineId("")
    fulfilled: Units = 0
    cancelled: Units = 0
    returned: Units = 0
    unit: str = "ea"
    quantity_scale: int = 0
    unit_price: UnitPrice | None = None
    price_includes_tax: bool = False
    discounts: tuple[DiscountAllocation, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    fulfilled_by: FulfilledBy = "us"
    delivery: Delivery = "ship"
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    availability: Availability = "stock"
    available_from: Instant | None = None
    ship_by: Instant | None = None
    deliver_by: Instant | None = None
    returns_line: LineId = LineId("")
    serials: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        most = ID_CHARS_MAX
        if (
            len(self.id) > most
            or len(self.sku) > most
            or len(self.external_id) > most
            or len(self.listing) > most
        ):
            require_short(self, "line", "id", "sku", "external_id", "listing")
        if self.net + self.tax != self.gross:
            require_gross(self.net, self.tax, self.gross)
        if not self.id:
            require(False, "line.id", "give the channel's line id, or the position from 1")
        if not 0 <= self.quantity_scale <= SCALE_MAX:
            require(False, "line.quantity_scale", f"a quantity has 0 to {SCALE_MAX} decimals")
