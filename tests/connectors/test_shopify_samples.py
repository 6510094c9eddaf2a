"""Every sample of Shopify's: what has a canonical meaning gives objects that add up, or an error that names the field."""

from pathlib import Path

import pytest

from crossdock.connectors.shopify import SPEC, build
from crossdock.domain.totals import check_refund, check_totals
from crossdock.model import OrderReported, RefundReported
from crossdock.sdk.translate import translate_file

WEBHOOKS = "specs/shopify/webhooks_hookdeck"
FIXTURES = ("rest_fixtures_go_shopify", "rest_fixtures_shopify_python_api")

# What stands in each fixture of the REST API: the reports of its objects, or the field that is wrong. No entry: no meaning.
EXPECTED = {
    "dispute.json": "payment",
    "fulfillment.json": "shipment",
    "inventory_item.json": "product",
    "inventory_items.json": "product",
    "inventory_level.json": "stock",
    "inventory_levels.json": "stock",
    "location.json": "location",
    "location_inventory_levels.json": "stock",
    "locations.json": "location",
    "order.json": "order",
    "orders.json": "order",
    "payments_transaction.json": "settlement",
    "payments_transactions.json": "settlement",
    "payout.json": "payout",
    "payouts.json": "payout",
    "payouts_filtered.json": "payout",
    "product.json": "listing product",
    "products.json": "listing product",
    "transaction.json": "payment",
    "transactions.json": "payment",
    "variant.json": "listing",
    "variant_with_taxcode.json": "listing",
    "variants.json": "listing",
}
# The lines of the first come to 597.00, not 398.00; the second has none; one is a calculation and has no ids; the last two
# say no currency.
WRONG = {
    "rest_fixtures_shopify_python_api/order.json": "order.total_price",
    "rest_fixtures_shopify_python_api/orders.json": "orders[0].line_items",
    "rest_fixtures_shopify_python_api/refund_calculate.json": "refund.order_id",
    "rest_fixtures_shopify_python_api/transaction.json": "transaction.currency",
    "rest_fixtures_shopify_python_api/transactions.json": "[0].currency",
}
REPORTS = {
    "orders/delete": "cancellation",
    "orders": "order",
    "fulfillments": "shipment",
    "refunds": "refund",
    "order_transactions": "payment",
    "tender_transactions": "payment",
    "disputes": "payment",
    "returns": "return",
    "products/delete": "product",
    "products": "listing product",
    "variants": "listing",
    "inventory_items": "product",
    "inventory_levels": "stock",
    "locations": "location",
}


def check(report):
    if isinstance(report, OrderReported):
        return (*check_totals(report.order), *(d for refund in report.refunds for d in check_refund(refund)))
    return check_refund(report.refund) if isinstance(report, RefundReported) else ()


def translated(path: Path, settings=None):
    return translate_file(build(settings or {}), path.read_bytes(), None, "shop", check=check)


def names(result):
    return " ".join(
        sorted({type(report).__struct_config__.tag.rpartition(".")[0] for report in result.objects})
    )


def test_every_recorded_webhook_is_understood_or_known_to_be_unhandled(shared):
    files = sorted((shared / WEBHOOKS).glob("*/*.json"))
    assert files
    for path in files:
        topic = path.stem.replace(".", "/", 1)
        result = translated(path)
        if SPEC.understands(topic) is None:
            assert (result.error.kind, result.error.field) == ("unhandled", "kind"), path
        else:
            assert result.ok, (path, result.error)
            resource = topic if topic in REPORTS else topic.partition("/")[0]
            assert names(result) == REPORTS[resource], path


def test_every_fixture_gives_its_objects_or_names_the_field(shared):
    seen = set()
    for folder in FIXTURES:
        for path in sorted((shared / "specs/shopify" / folder).glob("*.json")):
            result = translated(path)
            wrong = WRONG.get(f"{folder}/{path.name}")
            if wrong is not None:
                seen.add(f"{folder}/{path.name}")
                assert (result.error.kind, result.error.field) == ("mapping", wrong)
            elif path.name in EXPECTED:
                assert result.ok, (path, result.error)
                assert names(result) == EXPECTED[path.name] or (
                    path.name == "product.json" and names(result) == "listing"
                )
            else:
                assert (result.error.kind, result.error.field) == ("mapping", "kind"), path
    assert seen == set(WRONG)


@pytest.mark.parametrize(("version", "total"), [("2024-10", 38800), ("2023-01", 3699)])
def test_the_canned_order_adds_up_although_its_discount_is_allocated_to_nothing(shared, version, total):
    (report,) = translated(shared / WEBHOOKS / version / "orders.create.json").objects
    found = report.order
    assert found.buyer_total == total
    assert sum(discount.amount for discount in found.discounts) == (2000 if version == "2024-10" else 500)
    assert (found.test, found.commitment, found.cancelled_at is not None) == (True, "committed", True)
    assert all(line.current == 0 for line in found.lines)


def test_an_order_and_what_happened_to_it_meet(shared):
    connector = build({})
    meet = set()
    for topic in ("orders.create", "fulfillments.create", "refunds.create", "order_transactions.create"):
        (report,) = translated(shared / WEBHOOKS / "2023-01" / f"{topic}.json").objects
        held = (
            getattr(report, "order", None)
            or getattr(report, "shipment", None)
            or getattr(report, "refund", None)
        )
        held = held or report.payment
        meet.add((getattr(held, "order_ref", None) and held.order_ref.id) or held.external_id)
    assert meet == {"820982911946154500"}
    assert connector.spec.name == "shopify"
