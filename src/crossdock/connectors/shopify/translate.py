"""Which reading belongs to which topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from crossdock.connectors.shopify import catalogue, wire, wire_shop
from crossdock.connectors.shopify.facts import goods_return, refund, shipment
from crossdock.connectors.shopify.mapping import order_reported
from crossdock.connectors.shopify.payments import dispute, payment, tender_payment
from crossdock.connectors.shopify.words import Shop, reference, text_id, utc, version
from crossdock.errors import MappingError
from crossdock.model import (
    CancellationRequested,
    ChannelErasureRequested,
    ConnectionId,
    ExternalRef,
    PaymentReported,
    PersonDataRequested,
    PersonErasureRequested,
    RefundReported,
    Report,
    ReturnReported,
    ShipmentReported,
)
from crossdock.sdk.decode import decode

Reports = tuple[Report, ...]


class Delivery(msgspec.Struct, frozen=True):
    """One message to read: its topic, its headers and who it came through."""

    kind: str
    headers: Mapping[str, str]
    body: bytes
    connection: ConnectionId
    shop: Shop

    @property
    def deleted(self) -> bool:
        """Whether the thing is gone."""
        return self.kind.endswith("/delete")

    @property
    def triggered_at(self) -> datetime | None:
        """When it happened, where the delivery says so; an order is not refused for a header that cannot be read."""
        text = self.headers.get(TRIGGERED)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return moment if moment.tzinfo is not None else None


TOPIC = "x-shopify-topic"
TRIGGERED = "x-shopify-triggered-at"


def translate(delivery: Delivery) -> Reports:
    """Read a body by its topic; a topic without a reading is a MappingError."""
    kind = delivery.kind
    reader = _READERS.get(kind) or _BY_RESOURCE.get(kind.partition("/")[0])
    if reader is None:
        raise MappingError(f"kind: {kind[:60]!r} has no meaning here; it is kept unhandled.", field="kind")
    return reader(delivery)


def _order(it: Delivery) -> Reports:
    reported = order_reported(
        it.body, it.connection, it.shop, told_at=it.triggered_at, polled=TOPIC not in it.headers
    )
    return (reported,)


def _order_deleted(it: Delivery) -> Reports:
    """Shopify lets only orders be deleted that it regards as done with; whatever we still do for one must stop."""
    order_id = text_id(decode(it.body, wire.KeyBody).id)
    return (
        CancellationRequested(
            order_ref=ExternalRef(connection=it.connection, kind="order", id=order_id),
            external_id=f"{order_id}/deleted",
            by="seller",
            reason="deleted in Shopify",
            occurred_at=utc(it.triggered_at, TRIGGERED),
        ),
    )


def _fulfillment(it: Delivery) -> Reports:
    body = decode(it.body, wire.FulfillmentBody)
    text_id(body.order_id, "order_id")
    return (ShipmentReported(shipment=shipment(body, it.connection, None, it.shop)),)


def _refund(it: Delivery) -> Reports:
    body = decode(it.body, wire.RefundBody)
    text_id(body.order_id, "order_id")
    known = {"true": True, "false": False}.get(it.shop.taxes_included)
    dated = body.processed_at or body.created_at
    told = utc(None if dated else it.triggered_at, TRIGGERED)
    at_version = version(told, 0) if told else ""
    found = refund(body, it.connection, None, includes_tax=known, at_version=at_version)
    return () if found is None else (RefundReported(refund=found),)


def _transaction(it: Delivery) -> Reports:
    body = decode(it.body, wire.Transaction)
    text_id(body.order_id, "order_id")
    return (PaymentReported(payment=payment(body, it.connection, None, "", it.shop.currency)),)


def _tender(it: Delivery) -> Reports:
    body = decode(it.body, wire.TenderTransaction)
    return (PaymentReported(payment=tender_payment(body, it.connection)),)


def _dispute(it: Delivery) -> Reports:
    return (PaymentReported(payment=dispute(decode(it.body, wire.Dispute), it.connection)),)


def _return(it: Delivery) -> Reports:
    body = decode(it.body, wire.ReturnBody)
    return (ReturnReported(goods_return=goods_return(body, it.connection, it.triggered_at)),)


def _product(it: Delivery) -> Reports:
    if it.deleted:
        return (catalogue.product_deleted(text_id(decode(it.body, wire.KeyBody).id), it.connection),)
    return catalogue.product_reports(decode(it.body, wire_shop.ProductBody), it.connection, it.shop)


def _variant(it: Delivery) -> Reports:
    return catalogue.variant_reports(decode(it.body, wire_shop.VariantBody), it.connection, it.shop)


def _item(it: Delivery) -> Reports:
    return (catalogue.item_report(decode(it.body, wire_shop.ItemBody), it.connection, it.deleted),)


def _level(it: Delivery) -> Reports:
    return (catalogue.level_report(decode(it.body, wire_shop.LevelBody), it.connection, it.shop),)


def _location(it: Delivery) -> Reports:
    body = decode(it.body, wire_shop.LocationBody)
    return (catalogue.location_report(body, it.connection, it.shop, it.deleted),)


def _redact(it: Delivery) -> Reports:
    """A person who wants to be forgotten (customers/redact), by the shop's id of them and the orders that it names."""
    body = decode(it.body, wire.Redact)
    return (PersonErasureRequested(**_whose(it, body.customer, body.orders_to_redact or ())),)


def _data_request(it: Delivery) -> Reports:
    """A person who wants to know what is held of them (customers/data_request)."""
    body = decode(it.body, wire.DataRequest)
    return (PersonDataRequested(**_whose(it, body.customer, body.orders_requested or ())),)


def _whose(it: Delivery, customer: wire.OrderKey | None, orders: Sequence[int | str]) -> dict[str, Any]:
    """The person and the orders that a request is about; at least one is named."""
    person = None if customer is None else reference(it.connection, "customer", customer.id)
    named = (reference(it.connection, "order", order) for order in orders)
    if person is None and not orders:
        raise MappingError("customer: neither a customer nor an order is named.", field="customer")
    return {
        "connection": it.connection,
        "person_ref": person,
        "order_refs": tuple(order for order in named if order is not None),
        "occurred_at": utc(it.triggered_at, TRIGGERED),
    }


def _shop_redact(it: Delivery) -> Reports:
    """A shop that took the app out two days ago wants its data gone (shop/redact)."""
    body = decode(it.body, wire.ShopRedact)
    if not body.shop_id and not body.shop_domain:
        raise MappingError("shop_id: no shop is named.", field="shop_id")
    return (ChannelErasureRequested(connection=it.connection, occurred_at=utc(it.triggered_at, TRIGGERED)),)


def _payout(it: Delivery) -> Reports:
    return (catalogue.payout_report(decode(it.body, wire_shop.PayoutBody), it.connection),)


def _balance(it: Delivery) -> Reports:
    return (catalogue.balance_report(decode(it.body, wire_shop.BalanceBody), it.connection),)


_BY_RESOURCE: dict[str, Callable[[Delivery], Reports]] = {
    "orders": _order,
    "fulfillments": _fulfillment,
    "refunds": _refund,
    "order_transactions": _transaction,
    "tender_transactions": _tender,
    "disputes": _dispute,
    "returns": _return,
    "products": _product,
    "variants": _variant,
    "inventory_items": _item,
    "inventory_levels": _level,
    "locations": _location,
    "payouts": _payout,
    "balance_transactions": _balance,
}
_READERS: dict[str, Callable[[Delivery], Reports]] = {
    "orders/delete": _order_deleted,
    "customers/redact": _redact,
    "customers/data_request": _data_request,
    "shop/redact": _shop_redact,
}
