"""Small Shopify bodies of our own: an order whose parts add up, to be changed by each test where it matters."""

import base64
import hmac
import json
from typing import Any

from crossdock.connectors.shopify import ShopifyConnector, build
from crossdock.domain.quantities import check_quantities
from crossdock.domain.totals import check_refund, check_totals
from crossdock.model import LineQuantity, Order, OrderReported, Package, Shipment
from crossdock.model.commands import ConfirmShipment
from crossdock.sdk.spec import Translation
from crossdock.simulator.base import SECOND
from crossdock.simulator.shopify import ShopifySimulator
from tests.connectors.driving import NOW, Wire

SECRET = "shh"
SETTINGS = {
    "url": "https://shop.example",
    "access_token": "t",
    "webhook_secret": SECRET,
    "locations": "71=berlin, 72=paris",
    "location_id": "71",
}
CONNECTOR = build(SETTINGS)
CONTEXT = Translation(connection="shop", subject="CD0000000001")
UPDATED = "2026-03-01T10:00:00+01:00"
TOPIC = "x-shopify-topic"
SHOP = {"access_token": "t", "webhook_secret": "shh", "location": "71", "rate": 100, "orders_max": 5}


def line(number: int = 1, **fields: Any) -> dict[str, Any]:
    body = {
        "id": 100 + number,
        "variant_id": 200 + number,
        "product_id": 300 + number,
        "sku": f"SKU-{number}",
        "title": f"Thing {number}",
        "quantity": 1,
        "price": "10.00",
        "requires_shipping": True,
        "fulfillment_service": "manual",
        "tax_lines": [],
        "discount_allocations": [],
    }
    return {**body, **fields}


def shipping(price: str = "5.00", **fields: Any) -> dict[str, Any]:
    body = {
        "id": 900,
        "title": "Post",
        "code": "post",
        "price": price,
        "tax_lines": [],
        "discount_allocations": [],
    }
    return {**body, **fields}


def tax(price: str, rate: float = 0.19, **fields: Any) -> dict[str, Any]:
    return {"title": "VAT", "rate": rate, "price": price, **fields}


def order(*lines: dict[str, Any], total: str = "", **fields: Any) -> dict[str, Any]:
    items = list(lines) or [line()]
    body = {
        "id": 5001,
        "name": "#1001",
        "currency": "EUR",
        "financial_status": "paid",
        "taxes_included": False,
        "total_price": total or _plain_total(items, fields),
        "created_at": UPDATED,
        "processed_at": UPDATED,
        "updated_at": UPDATED,
        "line_items": items,
        "shipping_lines": [],
        "source_name": "web",
    }
    return {**body, **fields}


def _plain_total(items: list[dict[str, Any]], fields: dict[str, Any]) -> str:
    total = sum(float(item["price"]) * item["quantity"] for item in items)
    return f"{total + sum(float(item['price']) for item in fields.get('shipping_lines', ())):.2f}"


def both(shop: str, charged: str, shop_currency: str = "EUR", currency: str = "CHF") -> dict[str, Any]:
    return {
        "shop_money": {"amount": shop, "currency_code": shop_currency},
        "presentment_money": {"amount": charged, "currency_code": currency},
    }


def raw(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def signed(topic: str, body: Any, **headers: str) -> tuple[dict[str, str], bytes]:
    data = raw(body)
    mac = base64.b64encode(hmac.digest(SECRET.encode(), data, "sha256")).decode()
    head = {TOPIC: topic, "x-shopify-hmac-sha256": mac, "x-shopify-webhook-id": "w-1"}
    return {**head, **headers}, data


def reports(
    topic: str, body: Any, connector: ShopifyConnector = CONNECTOR, **headers: str
) -> tuple[Any, ...]:
    return connector.translate(topic, {TOPIC: topic, **headers}, raw(body), CONTEXT)


def reported(body: Any, connector: ShopifyConnector = CONNECTOR, **headers: str) -> OrderReported:
    """The order of a body, held to what every order must be."""
    (report,) = reports("orders/updated", body, connector, **headers)
    assert isinstance(report, OrderReported)
    assert check_totals(report.order) == ()
    assert check_quantities(report.order) == ()
    for refund in report.refunds:
        assert check_refund(refund) == ()
    return report


def read(body: Any, connector: ShopifyConnector = CONNECTOR) -> Order:
    return reported(body, connector).order


def shop(**settings: Any) -> tuple[Wire, list[Order]]:
    """A shop that has sold five orders, and these as we hold them."""
    simulator = ShopifySimulator({**SHOP, **settings}, seed=3)
    wire = Wire(simulator, CONNECTOR.request_headers())
    wire.now = NOW + 60 * SECOND
    simulator.due_events(NOW)
    events = simulator.due_events(wire.now)
    held = [read(body) for headers, body in events if headers["x-shopify-topic"] == "orders/create"]
    return wire, held


def sent(
    order: Order, *, numbers: Any = ("T1",), quantity: int | None = None, lines: Any = None
) -> ConfirmShipment:
    """A shipment of an order, or of some of its lines."""
    wanted = tuple(
        LineQuantity(line=item.id, quantity=quantity or item.current, sku=item.sku)
        for item in lines or order.lines
    )
    packages = tuple(Package(tracking_number=number, carrier="DHL") for number in numbers)
    return ConfirmShipment(
        order=order, order_id="CD0000000001", shipment=Shipment(lines=wanted, packages=packages)
    )
