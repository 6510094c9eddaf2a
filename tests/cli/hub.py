"""A hub's folder with something in it, and a stand-in for a running hub that writes down what it is asked."""

import base64
import hmac
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from crossdock.bootstrap.hub import Hub
from crossdock.config import load_config
from crossdock.config.keys import read_key
from crossdock.engine.messages import Arrival

SECRETS = {
    "SHOP_TOKEN": "shop-token",
    "SHOP_SECRET": "shop-secret",
    "WMS_TOKEN": "wms-token",
    "WMS_SECRET": "wms-secret",
    "ERP_TOKEN": "erp-token",
}
CONFIG = """\
[hub]
name = "test"
port = 9
[connections.shop]
connector = "shopify"
url = "http://127.0.0.1:9"
access_token = "${SHOP_TOKEN}"
webhook_secret = "${SHOP_SECRET}"
[connections.wms]
connector = "wms"
url = "http://127.0.0.1:9"
token = "${WMS_TOKEN}"
webhook_secret = "${WMS_SECRET}"
[connections.erp]
connector = "erp"
url = "http://127.0.0.1:9"
token = "${ERP_TOKEN}"
[routes.shop]
erp = "erp"
locations = ["main"]
[locations.main]
warehouse = "wms"
[policies]
unknown_sku = "accept"
"""


def order(number, price="10.00", total="20.00", at="2026-03-01T10:00:00Z"):
    return {
        "id": number,
        "name": f"#{number}",
        "created_at": "2026-03-01T10:00:00Z",
        "updated_at": at,
        "processed_at": "2026-03-01T10:00:00Z",
        "currency": "EUR",
        "presentment_currency": "EUR",
        "financial_status": "paid",
        "taxes_included": True,
        "total_price": total,
        "subtotal_price": total,
        "total_tax": "0.00",
        "total_discounts": "0.00",
        "line_items": [
            {
                "id": number * 10,
                "variant_id": 5,
                "title": "Mug [bold] \x1b[31m",
                "sku": "MUG",
                "quantity": 2,
                "price": price,
                "total_discount": "0.00",
                "requires_shipping": True,
                "fulfillable_quantity": 2,
                "fulfillment_service": "manual",
                "tax_lines": [],
                "discount_allocations": [],
            }
        ],
        "shipping_lines": [],
        "refunds": [],
        "fulfillments": [],
        "email": "secret.person@example.com",
    }


def delivery(value, topic="orders/create", name="d1"):
    headers = {
        "x-shopify-topic": topic,
        "x-shopify-webhook-id": name,
        "x-shopify-hmac-sha256": base64.b64encode(b"x" * 32).decode(),
        "content-length": "5",
    }
    return {"headers": headers, "body": value}


def work(folder, values):
    """Take deliveries of the shop in, and decide on them; nothing is sent."""
    config = load_config(folder / "crossdock.toml", SECRETS)
    hub = Hub(config, master_key=read_key(config.hub.key))
    try:
        for n, (topic, value) in enumerate(values):
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            ref = str(value["id"]) if isinstance(value, dict) else "1"
            arrival = Arrival(
                source="shop",
                kind=topic,
                body=body,
                headers={"x-shopify-topic": topic},
                ref_kind="order",
                ref=ref,
                delivery_id=f"d{n}",
                trace=f"{n + 1:032x}",
            )
            hub.store.accept([arrival], 1_772_359_200_000_000 + n)
            while hub.pipeline.step(1_772_359_200_000_000 + n):
                pass
    finally:
        hub.store.close()


class StandIn:
    """Answers as it is told to, and keeps what it was asked: (path, headers, body)."""

    def __init__(self):
        self.asked = []
        self.answer = lambda path, headers, body: (200, {})

    def handle(self, path, headers, body):
        self.asked.append((path, headers, body))
        return self.answer(path, headers, body)


@contextmanager
def serving():
    """A stand-in over loopback, and its address."""
    hub = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, value = hub.handle(self.path, headers, body)
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shopify_signature(secret, body):
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
