"""Money after the sale: payments, postings to the ERP, settlements and payouts."""

from datetime import date
from typing import Literal

from crossdock.model.base import Amount, Instant, Model, require, require_short, require_zones
from crossdock.model.currency import exponent
from crossdock.model.ids import (
    ConnectionId,
    ExternalRef,
    FactRef,
    LegalEntityId,
    OrderId,
    PaymentId,
    PayoutId,
    PostingId,
    RefundId,
    SettlementId,
    SettlementLineId,
)
from crossdock.model.pricing import TenderKind

PaymentState = Literal[
    "pending", "authorised", "part_captured", "captured", "voided", "expired", "failed", "disputed"
]
CaptureBy = Literal["channel", "us", "provider", "nobody"]
CaptureWhen = Literal["at_once", "on_shipment", "manual", "unknown"]
DocumentKind = Literal[
    "sale",
    "store_day",
    "delivery",
    "invoice",
    "credit_note",
    "payment",
    "refund",
    "stock",
    "journal",
    "fee",
    "cancellation",
]
PostingState = Literal["planned", "posted", "reversed", "refused"]
SettlementKind = Literal["sale", "refund", "fee", "tax", "chargeback", "reserve", "transfer", "adjustment"]
SettlementState = Literal["open", "closed", "paid", "revised"]


class PaymentAllocation(Model, frozen=True, kw_only=True):
    """Say how much of a payment belongs to which order, ticket or refund; negative towards a refund."""

    to: FactRef
    amount: Amount


class Payment(Model, frozen=True, kw_only=True):
    """Hold one movement of a buyer's money at a provider, allocated many-to-many.

    Amounts are minor units of `currency`. `refunded` may exceed `captured`, where others refunded: record it and open
    a case. `authorised_until` is when an authorisation that is not captured lapses.
    """

    currency: str
    amount: Amount
    id: PaymentId = PaymentId("")
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    version: str = ""
    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    kind: TenderKind = "card"
    provider: str = ""
    state: PaymentState = "pending"
    authorised: Amount = 0
    captured: Amount = 0
    refunded: Amount = 0
    authorised_until: Instant | None = None
    captured_by: CaptureBy = "channel"
    capture_when: CaptureWhen = "unknown"
    allocations: tuple[PaymentAllocation, ...] = ()
    legal_entity: LegalEntityId = LegalEntityId("")
    failure: str = ""
    test: bool = False
    occurred_at: Instant | None = None
    channel_updated_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "payment", "external_id", "version", "order")
        exponent(self.currency)
        require_zones(self, "authorised_until", "occurred_at", "channel_updated_at")


class Posting(Model, frozen=True, kw_only=True):
    """Link facts of ours to one document in an ERP, many-to-many.

    `total` is ours, `erp_total` what the ERP made of it, both in minor units: a difference within tolerance goes to
    a rounding account, above it opens a case. `posting_date` is the open date it went to, `business_date` the store's.
    """

    connection: ConnectionId
    kind: DocumentKind
    facts: tuple[FactRef, ...] = ()
    id: PostingId = PostingId("")
    document: str = ""
    number: str = ""
    order: OrderId = OrderId("")
    order_ref: ExternalRef | None = None
    legal_entity: LegalEntityId = LegalEntityId("")
    state: PostingState = "planned"
    batch_sequence: int | None = None
    currency: str = ""
    total: Amount | None = None
    erp_total: Amount | None = None
    posting_date: date | None = None
    business_date: date | None = None
    posted_at: Instant | None = None
    version: str = ""
    reverses: PostingId = PostingId("")


class SettlementLine(Model, frozen=True, kw_only=True):
    """Hold one line of a provider's statement: net = gross - fees - tax_withheld, in minor units.

    A statement whose figures do not add up gets an "adjustment" line with the residue. Signs are as seen by us: a
    sale is positive, a refund has a negative gross. Names that we do not know are kept in `external_kind`.
    """

    kind: SettlementKind
    gross: Amount
    fees: Amount
    tax_withheld: Amount
    net: Amount
    currency: str
    id: SettlementLineId = SettlementLineId("")
    settlement: SettlementId = SettlementId("")
    external_id: str = ""
    external_kind: str = ""
    order_ref: ExternalRef | None = None
    order: OrderId = OrderId("")
    refund: RefundId = RefundId("")
    payment: PaymentId = PaymentId("")
    description: str = ""
    occurred_at: Instant | None = None

    def __post_init__(self) -> None:
        net = self.gross - self.fees - self.tax_withheld
        require(
            self.net == net,
            "net",
            f"gross - fees - tax withheld is {net}, not {self.net}; keep the residue as a line",
        )


class Settlement(Model, frozen=True, kw_only=True):
    """Hold a provider's statement for a period, with the totals that it states; its lines are apart, they may be many.

    The same `external_id` in a later `version` revises it. `opening` and `closing` are balances carried over.
    """

    connection: ConnectionId
    external_id: str
    currency: str
    id: SettlementId = SettlementId("")
    version: str = ""
    state: SettlementState = "closed"
    period_start: Instant | None = None
    period_end: Instant | None = None
    gross: Amount = 0
    fees: Amount = 0
    tax_withheld: Amount = 0
    net: Amount = 0
    opening: Amount = 0
    closing: Amount = 0
    lines: int = 0
    legal_entity: LegalEntityId = LegalEntityId("")
    payout: PayoutId = PayoutId("")

    def __post_init__(self) -> None:
        exponent(self.currency)


class Payout(Model, frozen=True, kw_only=True):
    """Hold the transfer that pays one or more settlements; negative where the provider debits us."""

    connection: ConnectionId
    external_id: str
    currency: str
    amount: Amount
    id: PayoutId = PayoutId("")
    version: str = ""
    settlements: tuple[ExternalRef, ...] = ()
    state: Literal["scheduled", "sent", "paid", "failed", "reversed"] = "sent"
    bank_reference: str = ""
    legal_entity: LegalEntityId = LegalEntityId("")
    sent_at: Instant | None = None
    paid_at: Instant | None = None

    def __post_init__(self) -> None:
        exponent(self.currency)
