"""One good body for each kind of message of each connector: what is mutated."""

import json

from crossdock.connectors import erp, shopify, till, wms
from crossdock.sdk.webhooks import sign
from tests.connectors.shopify_payloads import SETTINGS as SHOP
from tests.connectors.test_shopify_hostile import BODIES

AT = "2026-03-28T12:00:00Z"
LINES = [{"line_id": "1", "sku": "A", "quantity": 2}, {"line_id": "2", "quantity": 1}]
ABOUT = {"order_id": "CD0000000001", "request_id": "CD0000000001-1", "at": AT}
LEVELS = {
    "location": "MAIN",
    "as_of": AT,
    "levels": [{"sku": "A", "on_hand": 5, "reserved": 1}, {"sku": "B", "on_hand": -1, "as_of": AT}],
}
PLAIN = {"url": "http://partner.example", "token": "t", "webhook_secret": "s"}
CONNECTORS = {
    "shopify": shopify.build(SHOP),
    "wms": wms.build(PLAIN),
    "erp": erp.build(PLAIN),
    "till": till.build(PLAIN),
}
EVENTS = {
    "release.accepted": {"id": "R1", **ABOUT},
    "release.refused": {**ABOUT, "reason": "no such location"},
    "pick.short": {**ABOUT, "lines": LINES, "reason": "not on the shelf"},
    "shipment.created": {
        "id": "S1",
        **ABOUT,
        "shipped_at": AT,
        "lines": LINES,
        "packages": [{"id": "P1", "carrier": "dhl", "tracking_number": "T1", "lines": LINES}],
    },
    "return.received": {
        "id": "B1",
        **ABOUT,
        "version": "2",
        "received_at": AT,
        "lines": [{**LINES[0], "condition": "damaged", "disposition": "quarantine"}, LINES[1]],
    },
    "release.cancelled": {**ABOUT, "outcome": "part_accepted", "accepted": LINES[:1]},
    "stock.snapshot": LEVELS,
    "stock.changed": LEVELS,
}
PAGES = {
    "page.orders": {"orders": [BODIES["orders/updated"], BODIES["orders/paid"]]},
    "page.fulfillments": {"fulfillments": [BODIES["fulfillments/update"]]},
    "page.refunds": {"refunds": [BODIES["refunds/create"]]},
    "page.transactions": {"transactions": [BODIES["order_transactions/create"]]},
    "page.products": {"products": [BODIES["products/update"]]},
    "page.inventory_items": {"inventory_items": [BODIES["inventory_items/update"]]},
    "page.inventory_levels": {"inventory_levels": [BODIES["inventory_levels/update"]]},
    "page.locations": {"locations": [BODIES["locations/update"]]},
    "page.disputes": {"disputes": [BODIES["disputes/update"]]},
    "page.payouts": {"payouts": [BODIES["payouts/update"]]},
}
TICKET = {
    "store": "berlin",
    "till": "T1",
    "sequence": 17,
    "at": AT,
    "currency": "EUR",
    "kind": "mixed",
    "business_date": "2026-03-28",
    "lines": [
        {
            "sku": "A",
            "quantity": 2,
            "gross": 2380,
            "tax": 380,
            "discount": 20,
            "taxes": [{"rate": "0.19", "amount": 380}],
        },
        {"sku": "B", "quantity": -1, "gross": -119, "tax": -19, "restock": False},
    ],
    "charges": [{"kind": "tip", "gross": 100}],
    "tenders": [{"kind": "cash", "amount": 2361}],
    "total": 2361,
    "original": {"store": "berlin", "till": "T1", "sequence": 3},
}
DAY = {
    "store": "berlin",
    "business_date": "2026-03-28",
    "at": AT,
    "currency": "EUR",
    "version": "2",
    "tills": [
        {
            "till": "T1",
            "tickets": 17,
            "first": 1,
            "last": 17,
            "tenders": [{"kind": "cash", "expected": 2361, "counted": 2360}],
        }
    ],
    "sales_gross": 2480,
    "returns_gross": 119,
    "tax": 361,
}
TILL = {
    "ticket": TICKET,
    "cash.movement": {**TICKET, "kind": "paid_out", "lines": [], "tenders": [], "total": 0, "amount": 500},
    "tickets": {
        "upload": "U1",
        "store": "berlin",
        "control": {"tickets": 2, "total": 4722},
        "tickets": [TICKET, {**TICKET, "sequence": 18}],
    },
    "day.opened": {name: DAY[name] for name in ("store", "business_date", "at", "currency")},
    "day.closed": DAY,
    "upload.control": {
        "upload": "U1",
        "store": "berlin",
        "tickets": 2,
        "total": 4722,
        "control": {"tickets": 2, "total": 4722},
    },
}
ERP = {"stock.changed": LEVELS, "page.stock": LEVELS | {"cursor": "7", "more": True}}


def encoded(bodies):
    return {kind: json.dumps(body, ensure_ascii=False).encode() for kind, body in bodies.items()}


SAMPLES = {
    "shopify": encoded(BODIES | PAGES),
    "wms": encoded(EVENTS),
    "erp": encoded(ERP),
    "till": encoded(TILL),
}
KINDS = [(name, kind) for name, bodies in SAMPLES.items() for kind in bodies]


def headers_of(name, kind, body, secret="s"):
    """The headers under which a vendor delivers a body, signed."""
    if name == "shopify":
        import base64
        import hmac

        signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
        return {"x-shopify-topic": kind, "x-shopify-hmac-sha256": signature}
    return {"x-crossdock-event": kind, "x-crossdock-signature": sign(secret, body)}
