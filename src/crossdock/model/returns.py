"""What comes back: goods (a return) and money (a refund). Either happens without the other."""

from typing import Literal

import msgspec

from crossdock.model.base import Amount, Instant, Model, Units, require_short, require_zones
from crossdock.model.ids import (
    ConnectionId,
    ExternalRef,
    LineId,
    LocationId,
    OrderId,
    PaymentId,
    RefundId,
    ReturnId,
    Sku,
)
from crossdock.model.money import require_gross
from crossdock.model.pricing import TaxLine, Tender

ReturnState = Literal[
    "requested", "approved", "in_transit", "received", "inspected", "closed", "refused", "cancelled"
]
Condition = Literal["unknown", "sellable", "damaged", "defective", "used", "missing"]
Disposition = Literal["undecided", "restock", "quarantine", "scrap", "to_supplier", "keep_with_buyer"]
RefundState = Literal["pending", "done", "failed", "cancelled"]
Restock = Literal["unknown", "no_restock", "cancelled", "returned"]
AdjustmentKind = Literal[
    "goodwill", "restocking_fee", "return_shipping", "duty", "tip", "rounding", "discrepancy", "other"
]


class ReturnLine(Model, frozen=True, kw_only=True):
    """Hold how much of a line is expected back, how much came, in which condition, and what becomes of it.

    `line` is "" where the sale was never seen; then `sku` says what came. `received_at`: when the last of it came, where
    that is not when the return did. `decided_at`: when it was decided what becomes of it.
    """

    quantity: Units
    line: LineId = LineId("")
    sku: Sku = Sku("")
    received: Units = 0
    reason: str = ""
    condition: Condition = "unknown"
    disposition: Disposition = "undecided"
    unit: str = "ea"
    quantity_scale: int = 0
    received_at: Instant | None = None
    decided_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "return line", "line", "sku")
        require_zones(self, "received_at", "decided_at")


class Return(Model, frozen=True, kw_only=True):
    """Report goods on their way back or arrived; with neither order nor reference it is a return of an unseen sale."""

    lines: tuple[ReturnLine, ...]
    id: ReturnId = ReturnId("")
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    version: str = ""
    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    number: str = ""
    state: ReturnState = "requested"
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    tracking_number: str = ""
    carrier: str = ""
    exchange_order: OrderId = OrderId("")
    reason: str = ""
    requested_at: Instant | None = None
    received_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "return", "external_id", "version", "order", "number")
        require_zones(self, "requested_at", "received_at")


class RefundLine(Model, frozen=True, kw_only=True):
    """Hold what is given back for one line, in minor units, positive. `restock` is what became of the goods.

    "cancelled" are goods that never left, also where the source has another word for it: the order's own quantities fall by
    them, and so the sale does. Everything else left, and the sale stands beside its refund.
    """

    net: Amount
    tax: Amount
    gross: Amount
    quantity: Units = 0
    line: LineId = LineId("")
    sku: Sku = Sku("")
    restock: Restock = "unknown"
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    taxes: tuple[TaxLine, ...] = ()

    def __post_init__(self) -> None:
        require_short(self, "refund line", "line", "sku")
        require_gross(self.net, self.tax, self.gross)

    def never_left(self, quantity: int) -> tuple["RefundLine", ...]:
        """This line, told of so much of it as never left ("cancelled"), and of the rest as it stands; exact together."""
        if quantity <= 0 or self.restock == "cancelled":
            return (self,)
        if quantity >= self.quantity:
            return (msgspec.structs.replace(self, restock="cancelled"),)
        here = [tax.amount * quantity // self.quantity for tax in self.taxes]
        gross = self.gross * quantity // self.quantity
        part = sum(here) if here else self.tax * quantity // self.quantity
        replace = msgspec.structs.replace
        gone = replace(
            self,
            quantity=quantity,
            restock="cancelled",
            net=gross - part,
            tax=part,
            gross=gross,
            taxes=tuple(replace(tax, amount=amount) for tax, amount in zip(self.taxes, here, strict=True)),
        )
        rest = replace(
            self,
            quantity=self.quantity - quantity,
            net=self.net - gone.net,
            tax=self.tax - part,
            gross=self.gross - gross,
            taxes=tuple(
                replace(tax, amount=tax.amount - amount) for tax, amount in zip(self.taxes, here, strict=True)
            ),
        )
        return gone, rest


class RefundShipping(Model, frozen=True, kw_only=True):
    """Hold shipping given back; `shipping` is the id of the order's shipping charge where the source names it."""

    net: Amount
    tax: Amount
    gross: Amount
    shipping: str = ""
    taxes: tuple[TaxLine, ...] = ()

    def __post_init__(self) -> None:
        require_gross(self.net, self.tax, self.gross)


class RefundAdjustment(Model, frozen=True, kw_only=True):
    """Hold what is given back beyond lines and shipping; negative where something is kept (a restocking fee)."""

    kind: AdjustmentKind
    net: Amount
    tax: Amount
    gross: Amount
    reason: str = ""

    def __post_init__(self) -> None:
        require_gross(self.net, self.tax, self.gross)


class Refund(Model, frozen=True, kw_only=True):
    """Report money given back to the buyer: `total`, in minor units of `currency`, positive.

    `total` is the gross of lines, shipping and adjustments; `tenders` say by which means and are positive too. It may
    exceed what was captured, where others refunded: that is recorded, and opens a case.
    """

    currency: str
    total: Amount
    id: RefundId = RefundId("")
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    version: str = ""
    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    goods_return: ReturnId = ReturnId("")
    payment: PaymentId = PaymentId("")
    state: RefundState = "done"
    lines: tuple[RefundLine, ...] = ()
    shipping: tuple[RefundShipping, ...] = ()
    adjustments: tuple[RefundAdjustment, ...] = ()
    tenders: tuple[Tender, ...] = ()
    by: Literal["seller", "marketplace", "channel", "unknown"] = "unknown"
    reason: str = ""
    test: bool = False
    occurred_at: Instant | None = None
    channel_updated_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "refund", "external_id", "version", "order")
        require_zones(self, "occurred_at", "channel_updated_at")
