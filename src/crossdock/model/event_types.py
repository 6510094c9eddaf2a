"""Every business event by its type, and what its data holds: the contract between the hub and its subscribers.

Data is small and never personal. Line ids and SKUs are those of the order, quantities are in the unit of their line,
money is in minor units of the currency that is named. A reader must accept types and fields that it does not know.
Fields with a default may be missing.
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


class OrderStale(Data, frozen=True, kw_only=True):
    """A version older than the one held."""

    version: str
    held: str


class OrderTest(Data, frozen=True, kw_only=True):
    """A test order, or a report about one, which is kept and leads to nothing."""

    number: str = ""
    kind: str = ""


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


class TotalDiffers(Data, frozen=True, kw_only=True):
    """The total of a sale in the ERP and the order's."""

    reference: str
    theirs: int
    ours: int


class CaseResolved(Data, frozen=True, kw_only=True):
    """A person has settled a case."""

    reason: str
    about: str
    actor: str


class OperatorUnhandled(Data, frozen=True, kw_only=True):
    """An action of a person that is only noted."""

    action: str
    actor: str


class EffectDone(Data, frozen=True, kw_only=True):
    """A partner has done what it was asked; `reference` is its id of it."""

    operation: str
    intent: str
    connection: str = ""
    reference: str = ""


class EffectNotDone(Data, frozen=True, kw_only=True):
    """A partner has not, or nobody knows."""

    operation: str
    intent: str
    connection: str = ""
    code: str = ""
    attempts: int = 0


class ProductKept(Data, frozen=True, kw_only=True):
    """A version of a product."""

    sku: str
    version: str
    deleted: bool = False


class PriceKept(Data, frozen=True, kw_only=True):
    """A price of a SKU, as decimal text."""

    sku: str
    currency: str
    unit_price: str


class ValueRefused(Data, frozen=True, kw_only=True):
    """A partner does not take the value of a key."""

    connection: str
    operation: str
    key: str
    reason: str
    field: str


class ConnectionNamed(Data, frozen=True, kw_only=True):
    """The connection that it is about."""

    connection: str


class FeedNamed(Data, frozen=True, kw_only=True):
    """The feed of a connection; `more`: its end was not reached."""

    connection: str
    feed: str
    more: bool = False


class VersionSeen(Data, frozen=True, kw_only=True):
    """The version that was told twice."""

    version: str


class EventsReplayed(Data, frozen=True, kw_only=True):
    """How many events are told to a subscriber again, by whom and why."""

    connection: str
    events: int
    actor: str
    reason: str


class TicketRecorded(Data, frozen=True, kw_only=True):
    """A till's ticket was taken, with what it comes to; `date` is the business date."""

    store: str
    till: str
    sequence: int
    date: str
    kind: str
    currency: str
    total: int


class TicketNamed(Data, frozen=True, kw_only=True):
    """The ticket as its store names it."""

    ticket: str


class UploadRecorded(Data, frozen=True, kw_only=True):
    """A store's upload was taken apart: how many tickets it held, and what they come to in minor units."""

    upload: str
    store: str
    tickets: int
    total: int


class DayNamed(Data, frozen=True, kw_only=True):
    """A store's business day."""

    store: str
    date: str


class DayClosed(DayNamed, frozen=True, kw_only=True):
    """A store has closed its day, with so many tickets by its own count."""

    tickets: int


class DayCounted(DayNamed, frozen=True, kw_only=True):
    """What a day's tickets come to, how many figures of its close differ, how many numbers are missing, not posted."""

    tickets: int
    total: int
    differences: int
    missing: int
    left: int


class DayPosting(DayNamed, frozen=True, kw_only=True):
    """A day's sum goes to the ERP under `reference`; `supplement` counts from 1 what comes after the first."""

    reference: str
    supplement: int
    tickets: int
    currency: str
    total: int


class DayDated(DayNamed, frozen=True, kw_only=True):
    """The date that the ERP posted a day's document to: not the business date where its period was closed."""

    document: str
    posted_on: str


class StoreSilent(DayNamed, frozen=True, kw_only=True):
    """A store that is open has sent nothing for so long, while others of its connection sell."""

    minutes: int


class PostingMade(Data, frozen=True, kw_only=True):
    """An ERP has made a document of what we posted: our total and its own, in minor units."""

    connection: str
    kind: str
    document: str
    currency: str
    total: int
    erp_total: int | None


BUSINESS: dict[str, type[Data]] = {
    "order.accepted": OrderTold,
    "order.updated": OrderTold,
    "order.reported_early": OfKind,
    "order.missing": OrderMissing,
    "order.price_differs": PriceDiffers,
    "order.hold_released": HoldReleased,
    "order.handed_over": Lines,
    "order.address_changed": AddressChanged,
    "order.overdue": OrderOverdue,
    "stock.reported": StockReported,
    "stock.reserved": StockReserved,
    "stock.short": Pieces,
    "stock.short_cancelled": Pieces,
    "reservation.expired": Nothing,
    "request.released": RequestReleased,
    "request.short": RequestShort,
    "request.refused": RequestShort,
    "request.stopped": RequestPieces,
    "shipment.recorded": ShipmentRecorded,
    "shipment.announced": ShipmentState,
    "shipment.updated": ShipmentState,
    "shipment.corrected": ShipmentState,
    "shipment.delivered": ShipmentNamed,
    "cancellation.requested": CancellationRequested,
    "cancellation.asked": RequestPieces,
    "cancellation.answered": CancellationAnswered,
    "cancellation.unanswered": RequestNamed,
    "cancellation.told": CancellationTold,
    "refund.recorded": RefundRecorded,
    "return.recorded": ReturnRecorded,
    "payment.reported": PaymentReported,
    "sale.total_differs": TotalDiffers,
    "effect.done": EffectDone,
    "effect.refused": EffectNotDone,
    "effect.in_doubt": EffectNotDone,
    "effect.exhausted": EffectNotDone,
    "product.kept": ProductKept,
    "price.kept": PriceKept,
    "value.refused": ValueRefused,
    "connection.paused": ConnectionNamed,
    "case.resolved": CaseResolved,
    "ticket.recorded": TicketRecorded,
    "upload.recorded": UploadRecorded,
    "store_day.opened": DayNamed,
    "store_day.closed": DayClosed,
    "store_day.not_closed": DayNamed,
    "store_day.counted": DayCounted,
    "store_day.posting": DayPosting,
    "store_day.dated": DayDated,
    "store.silent": StoreSilent,
    "store.heard": DayNamed,
    "posting.made": PostingMade,
}
"""What a subscriber is told that names no types: something has changed for the trade."""

BOOKKEEPING: dict[str, type[Data]] = {
    "order.stale_ignored": OrderStale,
    "order.test_ignored": OrderTest,
    "order.came_in_time": Nothing,
    "order.finished_in_time": Nothing,
    "order.balance_due": Nothing,
    "order.source_due": Nothing,
    "order.release_due": Nothing,
    "reservation.expiry_ignored": Nothing,
    "shipment.echo_ignored": ShipmentNamed,
    "cancellation.answer_ignored": AnswerIgnored,
    "cancellation.answer_in_time": RequestNamed,
    "product.stale_ignored": ProductKept,
    "report.without_order": OfKind,
    "message.noted": OfKind,
    "message.unhandled": OfKind,
    "operator.unhandled": OperatorUnhandled,
    "ticket.known_already": TicketNamed,
    "store_day.told_open": DayNamed,
    "store_day.stale_ignored": OrderStale,
    "store_day.timer_over": DayNamed,
    "store_day.watched": DayNamed,
    "poll.asked": FeedNamed,
    "poll.not_offered": FeedNamed,
    "page.split": FeedNamed,
    "events.replayed": EventsReplayed,
    **{
        f"{kind}.duplicate_ignored": VersionSeen
        for kind in (
            "order",
            "shipment",
            "refund",
            "return",
            "payment",
            "ticket",
            "store_day",
            "shipment.reported",
            "refund.reported",
            "return.reported",
            "payment.reported",
            "short_pick.reported",
            "cancellation.requested",
            "cancellation.answered",
        )
    },
}
"""What a subscriber is told only where it asks for it by name: nothing has changed."""

EVENT_TYPES: dict[str, type[Data]] = BUSINESS | BOOKKEEPING
