"""What happened to an order: shipments, refunds and returns, whether they come alone or inside the order."""

from __future__ import annotations

from datetime import datetime

from crossdock.connectors.shopify import wire
from crossdock.connectors.shopify.money import nested
from crossdock.connectors.shopify.refunds import RefundReading
from crossdock.connectors.shopify.words import Shop, one_of, optional_id, reference, text_id, utc, version
from crossdock.errors import MappingError
from crossdock.model import (
    ConnectionId,
    ExternalRef,
    LineId,
    LineQuantity,
    Package,
    Refund,
    Return,
    ReturnLine,
    ReturnState,
    Shipment,
    ShipmentState,
    Sku,
)

_SHIPPED: dict[str, ShipmentState] = {
    "pending": "planned",
    "open": "packed",
    "success": "shipped",
    "cancelled": "cancelled",
    "error": "cancelled",
    "failure": "cancelled",
}
_PROGRESS: dict[ShipmentState, int] = {
    "planned": 0,
    "packed": 1,
    "shipped": 2,
    "delivered": 3,
    "returned": 4,
    "lost": 4,
    "cancelled": 5,
}
_RETURNS: dict[str, ReturnState] = {
    "requested": "requested",
    "open": "approved",
    "closed": "closed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "declined": "refused",
}


def shipment(
    body: wire.FulfillmentBody,
    connection: ConnectionId,
    order: ExternalRef | None,
    shop: Shop,
    path: str = "",
) -> Shipment:
    """One fulfilment; `order` is the order that it stands in, None where it came alone and names its own."""
    try:
        return _shipment(body, connection, order, shop)
    except MappingError as error:
        raise nested(path, error) if path else error from error


def refund(
    body: wire.RefundBody,
    connection: ConnectionId,
    order: ExternalRef | None,
    *,
    currency: str = "",
    includes_tax: bool | None = None,
    at_version: str = "",
    path: str = "",
) -> Refund | None:
    """One refund; None where it moves neither money nor the value of goods (an edit that took a line away).

    Inside an order it is versioned with it, for its transactions change and it has no update time of its own.
    """
    try:
        order = order or reference(connection, "order", body.order_id)
        return RefundReading(body, connection, currency, includes_tax).refund(order, at_version)
    except MappingError as error:
        raise nested(path, error) if path else error from error


def goods_return(body: wire.ReturnBody, connection: ConnectionId, told_at: datetime | None) -> Return:
    """A return; Shopify gives it no time of its own, so its versions are by the time of the delivery."""
    order_id = body.order_id if body.order is None else body.order.id
    state = one_of(_RETURNS, body.status or "requested", "status")
    decline = body.decline or wire.Decline()
    told = utc(told_at, "x-shopify-triggered-at")
    return Return(
        lines=tuple(_return_line(n, line) for n, line in enumerate(body.return_line_items or ())),
        connection=connection,
        external_id=text_id(body.id),
        version=version(told, 0) if told else "",
        order_ref=reference(connection, "order", order_id),
        number=body.name or "",
        state=state,
        reason=decline.note or decline.reason or "",
        requested_at=told if state == "requested" else None,
    )


def _shipment(
    body: wire.FulfillmentBody, connection: ConnectionId, order: ExternalRef | None, shop: Shop
) -> Shipment:
    state = one_of(_SHIPPED, body.status or "pending", "status")
    if state == "shipped" and body.shipment_status == "delivered":
        state = "delivered"
    updated = utc(body.updated_at or body.created_at, "updated_at")
    began = utc(body.created_at, "created_at")
    left = state in ("shipped", "delivered")
    packages = _packages(body)
    return Shipment(
        lines=tuple(_shipped_line(n, line) for n, line in enumerate(body.line_items or ())),
        connection=connection,
        external_id=text_id(body.id),
        version=version(updated, 100 * _PROGRESS[state] + len(packages)) if updated else "",
        order_ref=order or reference(connection, "order", body.order_id),
        number=body.name or "",
        location=shop.location(optional_id(body.location_id, "location_id")),
        location_ref=reference(connection, "location", body.location_id),
        packages=packages,
        state=state,
        fulfilled_by=shop.fulfilled_by(body.service),
        shipped_at=began if left else None,
        delivered_at=updated if state == "delivered" else None,
        channel_updated_at=updated,
    )


def _shipped_line(position: int, line: wire.FulfilledLine) -> LineQuantity:
    line_id = optional_id(line.id, f"line_items[{position}].id") or str(position + 1)
    return LineQuantity(line=LineId(line_id), quantity=line.quantity, sku=Sku(line.sku or ""))


def _packages(body: wire.FulfillmentBody) -> tuple[Package, ...]:
    """A parcel for each tracking number. The lists of numbers and of links need not be of one length."""
    numbers = body.tracking_numbers or ((body.tracking_number,) if body.tracking_number else ())
    links = body.tracking_urls or ((body.tracking_url,) if body.tracking_url else ())
    carrier = body.tracking_company or ""
    if not numbers:
        return (Package(carrier=carrier, tracking_url=links[0] if links else ""),) if carrier or links else ()
    return tuple(
        Package(tracking_number=number, tracking_url=links[n] if n < len(links) else "", carrier=carrier)
        for n, number in enumerate(numbers)
    )


def _return_line(position: int, line: wire.ReturnLineBody) -> ReturnLine:
    origin = line.fulfillment_line_item
    item = None if origin is None else origin.line_item
    line_id = "" if item is None else optional_id(item.id, f"return_line_items[{position}].id")
    notes = (line.return_reason, line.return_reason_note, line.customer_note)
    return ReturnLine(
        quantity=line.quantity, line=LineId(line_id), reason=": ".join(note for note in notes if note)
    )


__all__ = ["goods_return", "refund", "shipment"]
