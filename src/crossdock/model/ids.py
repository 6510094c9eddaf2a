"""Identifiers. Always strings, never numbers; a NewType each, so that an order id is never a SKU."""

from typing import NewType

from crossdock.model.base import Model, require, require_short

ConnectionId = NewType("ConnectionId", str)
OrderId = NewType("OrderId", str)
LineId = NewType("LineId", str)
Sku = NewType("Sku", str)
ProductId = NewType("ProductId", str)
ListingId = NewType("ListingId", str)
LocationId = NewType("LocationId", str)
LegalEntityId = NewType("LegalEntityId", str)
PartyId = NewType("PartyId", str)
FulfilmentRequestId = NewType("FulfilmentRequestId", str)
ShipmentId = NewType("ShipmentId", str)
CancellationId = NewType("CancellationId", str)
ReturnId = NewType("ReturnId", str)
RefundId = NewType("RefundId", str)
PaymentId = NewType("PaymentId", str)
ReservationId = NewType("ReservationId", str)
MovementId = NewType("MovementId", str)
StoreDayId = NewType("StoreDayId", str)
TicketId = NewType("TicketId", str)
PostingId = NewType("PostingId", str)
SettlementId = NewType("SettlementId", str)
SettlementLineId = NewType("SettlementLineId", str)
PayoutId = NewType("PayoutId", str)
CaseId = NewType("CaseId", str)
EventId = NewType("EventId", str)
CorrelationId = NewType("CorrelationId", str)


class ExternalRef(Model, frozen=True, kw_only=True):
    """Name a thing as a partner names it: the connection, the kind of thing there, its id there.

    `kind` is a canonical word in the singular: order, line, shipment, refund, return, payment, location, product,
    listing, document ... Two kinds of one connection may use the same id.
    """

    connection: ConnectionId
    kind: str
    id: str

    def __post_init__(self) -> None:
        require_short(self, "reference", "kind", "id")
        require(
            bool(self.connection and self.kind and self.id),
            "external reference",
            "needs connection, kind and id",
        )


class FactRef(Model, frozen=True, kw_only=True):
    """Name one of our own records: its kind (order, shipment, refund, ticket, store_day ...) and our id."""

    kind: str
    id: str

    def __post_init__(self) -> None:
        require(bool(self.kind and self.id), "fact reference", "needs kind and id")
