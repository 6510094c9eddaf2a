"""Orders of a shop that leave, come back and are refunded, and what an auditor then finds in the running Tryton."""

from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from crossdock.simulator.plain import instant, signed
from tests.tryton.hub import WMS, Hub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SKUS = ("SKU-4", "SKU-5")
GOODWILL = Decimal("1.23")


@pytest.mark.fault(31)
def test_what_a_shop_gave_back_and_what_came_back_is_in_the_books_once_to_the_cent(fresh, tmp_path):
    hub = Hub(tmp_path, fresh, skus=SKUS, orders=2, loses=4)
    try:
        hub.read_stock()
        opening = {sku: fresh.read.on_hand(sku, "WH") for sku in SKUS}
        for event in hub.sold():
            hub.post("shop", event)
        hub.run()
        orders = dict(hub.ask("select ref, subject from reference where kind = 'number'"))
        bodies = [msgspec.json.decode(body) for body in hub.shop.orders.values()]
        sent = {sku: opening[sku] - fresh.read.on_hand(sku, "WH") for sku in SKUS}
        back: Counter[str] = Counter()
        for n, body in enumerate(bodies):
            order = f"CD{orders[body['name']]:010d}"
            for event in (
                goods_back(hub, order, body, n),
                *[refund(hub, body, n), goodwill(hub, body, n)] * 2,
                goods_back(hub, order, body, n),
            ):
                kind = "wms" if "x-crossdock-event" in event[0] else "shop"
                hub.post(kind, event)
                hub.run()
            back[body["line_items"][0]["sku"]] += 1
        hub.read_stock()
        assert hub.ask("select operation, state from outbox") == [], hub.ask(
            "select reason, text from case_file"
        )
        assert hub.ask("select reason, text from case_file where closed_at = 0") == []
        for body in bodies:
            audited(fresh, f"CD{orders[body['name']]:010d}", body)
        for sku in SKUS:
            assert opening[sku] - fresh.read.on_hand(sku, "WH") == sent[sku] - back[sku], sku
            levels = hub.ask(f"select on_hand from level where sku = '{sku}' and location = 'main'")
            assert levels == [(int(fresh.read.on_hand(sku, "WH")),)]
    finally:
        hub.close()


def audited(erp, order, body):
    """One sale, invoices of all of it, a credit note for each refund, one return of what came."""
    invoices = [row for row in erp.read.invoices(f"{order}/") if row["total_amount"] > 0]
    notes = [row for row in erp.read.invoices(f"{order}/") if row["total_amount"] <= 0]
    net, tax = first_line(body)
    assert sum(row["total_amount"] for row in invoices) == Decimal(body["total_price"])
    found = [(row["total_amount"], row["tax_amount"], row["state"]) for row in notes]
    assert sorted(found) == [(-net - tax, -tax, "paid"), (-GOODWILL, 0, "paid")]
    assert erp.read.sale(order)["state"] == "done"
    rows = erp.read.rows("stock.shipment.out.return", [["reference", "like", f"{order}/%"]], "state")
    assert [row["state"] for row in rows] == ["done"]


def first_line(body):
    """(net, tax) of all of the first line."""
    item = body["line_items"][0]
    tax = sum((Decimal(one["price"]) for one in item["tax_lines"]), Decimal(0))
    price = Decimal(item["price"]) * item["quantity"] - discount(item)
    return (price - tax if body["taxes_included"] else price), tax


def discount(item):
    return sum((Decimal(one["amount"]) for one in item.get("discount_allocations", [])), Decimal(0))


def refund(hub, body, n):
    """All of the first line."""
    net, tax = first_line(body)
    item = body["line_items"][0]
    line = {
        "id": 900 + n,
        "line_item_id": item["id"],
        "quantity": item["quantity"],
        "restock_type": "return",
        "subtotal": str(net + tax if body["taxes_included"] else net),
        "total_tax": str(tax),
    }
    return _refund(hub, body, 700 + n, net + tax, line)


def goodwill(hub, body, n):
    return _refund(hub, body, 750 + n, GOODWILL)


def _refund(hub, body, number, amount, *lines):
    money = {
        "id": 100 + number,
        "kind": "refund",
        "status": "success",
        "gateway": "shopify_payments",
        "amount": str(amount),
        "currency": body["currency"],
    }
    told = {
        "id": number,
        "order_id": body["id"],
        "created_at": body["created_at"],
        "processed_at": body["created_at"],
        "note": "Ann was not at home",
        "refund_line_items": lines,
        "transactions": [money],
        "order_adjustments": [],
    }
    return hub.shop.event("refunds/create", msgspec.json.encode(told), hub.now)


def goods_back(hub, order, body, n):
    """One of the first line is there again."""
    item = body["line_items"][0]
    line = {"line_id": str(item["id"]), "sku": item["sku"], "quantity": 1, "disposition": "restock"}
    told = {
        "id": f"B{n}",
        "version": "1",
        "order_id": order,
        "location": "MAIN",
        "received_at": instant(hub.now),
        "told_at": instant(hub.now),
        "lines": [line],
    }
    return signed(WMS["webhook_secret"].encode(), "return.received", f"back-{n}", msgspec.json.encode(told))
