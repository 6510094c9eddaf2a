"""A shop's signed webhooks, twice and out of order, and what an auditor then finds in the running Tryton."""

import random
from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from tests.tryton.hub import Hub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SKUS = tuple(f"SKU-{n}" for n in range(1, 10))


@pytest.mark.fault(31)
@pytest.mark.parametrize("loses", [0, 5])
def test_every_order_is_one_sale_its_shipments_and_invoices_to_the_cent(fresh, tmp_path, loses):
    hub = Hub(
        tmp_path, fresh, skus=SKUS, orders=5, loses=loses, cancel_rate=0.25, unpaid_rate=0.3, change_rate=0.3
    )
    try:
        hub.read_stock()
        opening = {sku: fresh.read.on_hand(sku, "WH") for sku in SKUS}
        events = hub.sold() * 2
        random.Random(4).shuffle(events)
        for event in events:
            hub.post("shop", event)
            hub.run()
        orders = dict(hub.ask("select ref, subject from reference where kind = 'number'"))
        assert len(orders) == 5, hub.ask("select reason, text from case_file")
        open_cases = hub.ask("select reason, about from case_file where closed_at = 0")
        shipped: Counter[str] = Counter()
        for body in map(msgspec.json.decode, hub.shop.orders.values()):
            shipped += audited(hub, fresh, body, orders[body["name"]])
        for sku in SKUS:
            assert opening[sku] - fresh.read.on_hand(sku, "WH") == shipped[sku], sku
        ours = [
            (reason, about) for reason, about in open_cases if about.startswith("erp/") or "total" in reason
        ]
        assert ours == [], "whatever else asks for a person, Tryton does not"
    finally:
        hub.close()


def audited(hub, erp, body, subject):
    """Hold one order of the shop against Tryton's books; returns what of it left."""
    ours = f"CD{subject:010d}"
    total = Decimal(body["total_price"])
    sale = erp.read.sale(ours)
    assert sale["total_amount"] == total
    assert sale["tax_amount"] == Decimal(body["total_tax"])
    shipments = erp.read.shipments(f"{ours}/")
    documents = erp.read.invoices(f"{ours}/")
    credits = [row for row in documents if row["reference"].startswith(f"{ours}/refund:")]
    invoices = [row for row in documents if row not in credits]
    assert {row["state"] for row in shipments} <= {"done"}
    assert {row["state"] for row in invoices} <= {"posted", "paid"}
    assert sorted(row["reference"] for row in shipments) == sorted(row["reference"] for row in invoices)
    references = [row["reference"] for row in shipments]
    assert len(references) == len(set(references))
    released = [release for release in hub.wms.releases.values() if release.order_id == ours]
    assert len(shipments) == sum(release.shipments for release in released)
    left: Counter[str] = Counter()
    for release in released:
        for line, quantity in release.shipped.items():
            left[release.skus[line]] += quantity
    moved: Counter[str] = Counter()
    rows = erp.read.rows(
        "stock.move",
        [
            ["shipment.reference", "like", f"{ours}/%", "stock.shipment.out"],
            ["to_location.type", "=", "customer"],
        ],
        "product.code",
        "quantity",
        "state",
    )
    for row in rows:
        moved[row["product."]["code"]] += int(row["quantity"])
    assert moved == left
    ordered = sum(item["quantity"] for item in body["line_items"])
    given_back = sum(Decimal(t["amount"]) for refund in body["refunds"] for t in refund["transactions"])
    credited = sum((row["total_amount"] for row in credits), Decimal(0))
    assert {row["state"] for row in credits} <= {"posted", "paid"}
    if not left:
        assert credited == 0, "nothing was invoiced, so nothing is credited"
    if sum(left.values()) == ordered:
        assert credited == -given_back
        assert sum(row["total_amount"] for row in invoices) == total
        assert sum(row["tax_amount"] for row in invoices) == Decimal(body["total_tax"])
    if sum(left.values()) < ordered:
        assert body["cancelled_at"] is not None
        assert sum((row["total_amount"] for row in invoices), Decimal(0)) < total
    return left
