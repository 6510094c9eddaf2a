"""Stock: movements are the record, levels are derived from them or stated by a source, reservations are claims."""

from typing import Literal

from crossdock.model.base import Instant, Model, Units, require, require_short, require_zones
from crossdock.model.ids import (
    ConnectionId,
    ExternalRef,
    FactRef,
    LegalEntityId,
    LineId,
    LocationId,
    MovementId,
    OrderId,
    ReservationId,
    Sku,
)

Bucket = Literal[
    "on_hand", "reserved", "allocated", "safety_stock", "quarantined", "committed_elsewhere", "incoming"
]
StockBasis = Literal["physical", "net"]
MovementReason = Literal[
    "opening",
    "receipt",
    "sale",
    "shipment",
    "return",
    "transfer",
    "count",
    "snapshot",
    "damage",
    "loss",
    "found",
    "reserve",
    "consume",
    "release",
    "expire",
    "allocate",
    "quarantine",
    "unquarantine",
    "correction",
    "other",
]
ReservationState = Literal["reserved", "consumed", "released", "expired"]


class StockLevel(Model, frozen=True, kw_only=True):
    """State the stock of one SKU at one location at one moment, in 10**-quantity_scale of `unit`.

    `on_hand` is None where it is not known, which is not zero; it may be negative where a till sold what was not
    there. `basis` "net" means that the source has already subtracted the buckets of `net_of` from `on_hand`.
    `as_of` is the moment at the source. `includes` names movements of ours that the figure already holds, and
    `includes_until` the time up to which the source had seen all of them: what is later is still to be applied.
    """

    sku: Sku
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    connection: ConnectionId = ConnectionId("")
    on_hand: Units | None = None
    reserved: Units = 0
    allocated: Units = 0
    safety_stock: Units = 0
    quarantined: Units = 0
    committed_elsewhere: Units = 0
    incoming: Units = 0
    unit: str = "ea"
    quantity_scale: int = 0
    basis: StockBasis = "physical"
    net_of: tuple[Bucket, ...] = ()
    as_of: Instant | None = None
    version: str = ""
    includes: tuple[MovementId, ...] = ()
    includes_until: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "stock level", "sku", "location", "version")
        require(self.basis == "net" or not self.net_of, "net_of", "only a net figure is net of something")
        require_zones(self, "as_of", "includes_until")

    @property
    def available_to_sell(self) -> int | None:
        """What may still be sold: on hand less every claim on it; None where on hand is not known.

        A net figure has lost the buckets of `net_of` already, so they are not subtracted again.
        """
        if self.on_hand is None:
            return None
        claims = (
            ("reserved", self.reserved),
            ("allocated", self.allocated),
            ("safety_stock", self.safety_stock),
            ("quarantined", self.quarantined),
            ("committed_elsewhere", self.committed_elsewhere),
        )
        return self.on_hand - sum(amount for bucket, amount in claims if bucket not in self.net_of)


class StockMovement(Model, frozen=True, kw_only=True):
    """Record one change of one bucket: signed, immutable. A correction is another movement that `corrects` this one."""

    id: MovementId
    sku: Sku
    bucket: Bucket
    quantity: Units
    reason: MovementReason
    location: LocationId = LocationId("")
    pool: str = ""
    unit: str = "ea"
    quantity_scale: int = 0
    owner: LegalEntityId = LegalEntityId("")
    corrects: MovementId = MovementId("")
    cause: FactRef | None = None
    occurred_at: Instant | None = None
    recorded_at: Instant | None = None

    def __post_init__(self) -> None:
        require(self.quantity != 0, "quantity", "a movement moves something; do not record one of zero")


class Reservation(Model, frozen=True, kw_only=True):
    """Claim a quantity for an order line until it is consumed, released or expires.

    Without a location it stands in the `pool` of its route; with one it is an allocation, which replaces the
    reservation and never adds to it.
    """

    id: ReservationId
    order: OrderId
    line: LineId
    sku: Sku
    quantity: Units
    location: LocationId = LocationId("")
    pool: str = ""
    unit: str = "ea"
    quantity_scale: int = 0
    state: ReservationState = "reserved"
    expires_at: Instant | None = None

    def __post_init__(self) -> None:
        require(self.quantity > 0, "quantity", "reserve more than zero")
        require(
            bool(self.location) != bool(self.pool),
            "location",
            "claim at a location or in a pool, one of the two",
        )
