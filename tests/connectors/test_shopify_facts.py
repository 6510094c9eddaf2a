"""What happens around an order, and what is not about one: each becomes the report that says it."""

import pytest

from crossdock.connectors.shopify import build
from crossdock.domain.totals import check_refund
from crossdock.errors import MappingError
from tests.connectors.shopify_payloads import CONNECTOR, CONTEXT, SETTINGS, UPDATED, both, raw, reports

FULFILLMENT = {
    "id": 7001,
    "order_id": 5001,
    "status": "success",
    "name": "#1001.1",
    "location_id": 71,
    "tracking_company": "DHL",
    "tracking_numbers": ["A1", "A2"],
    "tracking_urls": ["https://track.example/A1"],
    "created_at": UPDATED,
    "updated_at": UPDATED,
    "line_items": [{"id": 101, "quantity": 2, "sku": "SKU-1"}],
}


def shipment(**fields):
    (report,) = reports("fulfillments/update", {**FULFILLMENT, **fields})
    return report.shipment


def refund(settings=None, **fields):
    body = {"id": 8001, "order_id": 5001, "created_at": UPDATED, "processed_at": UPDATED}
    connector = CONNECTOR if settings is None else build({**SETTINGS, **settings})
    (report,) = reports("refunds/create", {**body, **fields}, connector)
    assert check_refund(report.refund) == ()
    return report.refund


def item(**fields):
    body = {"line_item_id": 101, "quantity": 1, "restock_type": "return", "subtotal": 10.0, "total_tax": 1.9}
    return {**body, "subtotal_set": both("10.00", "10.00", "EUR", "EUR"), **fields}


def money(amount, status="success", **fields):
    return {
        "id": 1,
        "kind": "refund",
        "status": status,
        "gateway": "visa",
        "amount": amount,
        "currency": "EUR",
        **fields,
    }


def test_a_shipment_has_a_parcel_for_each_number():
    found = shipment()
    assert [(p.tracking_number, p.tracking_url, p.carrier) for p in found.packages] == [
        ("A1", "https://track.example/A1", "DHL"),
        ("A2", "", "DHL"),
    ]
    assert (found.order_ref.id, found.location, found.state) == ("5001", "berlin", "shipped")
    assert [(x.line, x.quantity, x.sku) for x in found.lines] == [("101", 2, "SKU-1")]
    assert shipment(tracking_numbers=None, tracking_number="B").packages[0].tracking_number == "B"
    assert shipment(tracking_numbers=[], tracking_urls=[], tracking_company=None).packages == ()


def test_a_delivered_parcel_is_delivered():
    found = shipment(shipment_status="delivered")
    assert (found.state, found.delivered_at is not None) == ("delivered", True)


def test_a_shipment_that_goes_further_within_its_second_is_a_later_version():
    stages = [
        shipment(status="pending"),
        shipment(),
        shipment(shipment_status="delivered"),
        shipment(status="cancelled"),
    ]
    versions = [stage.version for stage in stages]
    assert versions == sorted(set(versions))


def test_a_fact_without_its_order_is_refused():
    for topic, body in (
        ("fulfillments/create", FULFILLMENT),
        ("refunds/create", {"id": 1}),
        ("order_transactions/create", money("1")),
    ):
        with pytest.raises(MappingError) as caught:
            reports(topic, {**body, "order_id": None})
        assert caught.value.field == "order_id"


def test_a_refund_is_what_its_parts_and_its_money_say():
    found = refund(refund_line_items=[item()], transactions=[money("11.90")])
    (line,) = found.lines
    assert (line.net, line.tax, line.gross, line.restock, line.line) == (1000, 190, 1190, "returned", "101")
    assert (found.total, found.state, found.adjustments) == (1190, "done", ())
    assert [(t.kind, t.amount) for t in found.tenders] == [("card", 1190)]


def test_a_refund_tells_by_its_money_whether_its_subtotal_includes_tax():
    assert refund(refund_line_items=[item()], transactions=[money("10.00")]).lines[0].net == 810
    assert (
        refund({"taxes_included": "true"}, refund_line_items=[item()], transactions=[]).lines[0].gross == 1000
    )


@pytest.mark.parametrize("said", [1.9000000000000001, 1.8999999999999999, 1.89999999999])
def test_a_number_that_shopify_summed_as_floating_point_is_read_to_the_cent(said):
    """The shop's own numbers, where no set stands beside them."""
    assert refund(refund_line_items=[item(total_tax=said)], transactions=[money("11.90")]).lines[0].tax == 190


def test_a_number_that_is_off_by_more_than_floating_point_is_refused():
    with pytest.raises(MappingError) as caught:
        refund(refund_line_items=[item(total_tax=1.9001)], transactions=[money("11.90")])
    assert caught.value.field == "refund_line_items[0].total_tax"


def test_a_refund_discrepancy_is_never_added_to_the_money_that_it_restates():
    found = refund(
        refund_line_items=[item(total_tax=0)],
        transactions=[money("10.00", "pending")],
        order_adjustments=[{"amount": "-10.00", "kind": "refund_discrepancy"}],
    )
    assert (found.total, found.state, found.adjustments) == (1000, "pending", ())


def test_money_beside_the_parts_is_an_explicit_adjustment():
    found = refund(refund_line_items=[item(total_tax=0)], transactions=[money("12.00")])
    assert [(a.kind, a.gross) for a in found.adjustments] == [("discrepancy", 200)]
    goodwill = refund(transactions=[money("3.00")])
    assert (goodwill.total, goodwill.adjustments[0].gross) == (300, 300)


def test_shipping_that_is_given_back_is_told_once():
    old = {"amount": "-5.00", "tax_amount": "-0.95", "kind": "shipping_refund"}
    new = {
        "shipping_line": {"id": 900},
        "subtotal_amount_set": both("5.00", "5.00", "EUR", "EUR"),
        "tax_amount_set": both("0.95", "0.95", "EUR", "EUR"),
    }
    for fields in (
        {"order_adjustments": [old]},
        {"order_adjustments": [old], "refund_shipping_lines": [new]},
    ):
        found = refund(transactions=[money("5.95")], **fields)
        assert [(s.net, s.tax, s.gross) for s in found.shipping] == [(500, 95, 595)]
        assert found.adjustments == ()
    assert found.shipping[0].shipping == "900"


def test_a_restocking_fee_is_kept_and_a_duty_is_given_back():
    found = refund(
        transactions=[money("9.00")],
        refund_line_items=[item(total_tax=0)],
        order_adjustments=[{"amount": "2.00", "kind": "restocking_fee"}],
        duties=[{"amount_set": both("1.00", "1.00", "EUR", "EUR")}],
    )
    assert [(a.kind, a.gross) for a in found.adjustments] == [("restocking_fee", -200), ("duty", 100)]


def test_without_a_transaction_no_money_has_moved_yet():
    found = refund(refund_line_items=[item(total_tax=0, restock_type="no_restock")], transactions=[])
    assert (found.total, found.state, found.tenders) == (1000, "pending", ())
    failed = refund(refund_line_items=[item(total_tax=0)], transactions=[money("10.00", "failure")])
    assert (failed.state, failed.tenders, failed.total) == ("failed", (), 0)


def test_an_edit_that_only_takes_lines_away_is_no_refund():
    assert (
        reports(
            "refunds/create",
            {
                "id": 1,
                "order_id": 5001,
                "refund_line_items": [item(restock_type="cancel")],
                "transactions": [],
            },
        )
        == ()
    )


def test_a_refund_in_the_buyers_currency_takes_the_buyers_amounts():
    line = item(subtotal=10.0, subtotal_set=both("10.00", "9.50"), total_tax=0)
    found = refund(refund_line_items=[line], transactions=[money("9.50", currency="CHF")])
    assert (found.currency, found.total, found.lines[0].gross) == ("CHF", 950, 950)
    with pytest.raises(MappingError) as caught:
        refund(refund_line_items=[line], transactions=[money("9.50", currency="USD")])
    assert caught.value.field == "refund_line_items[0].subtotal_set.presentment_money.currency_code"
    with pytest.raises(MappingError) as caught:
        refund(refund_line_items=[item(subtotal_set=None)], transactions=[])
    assert caught.value.field == "transactions"


@pytest.mark.parametrize(
    ("kind", "status", "state", "amounts"),
    [
        ("authorization", "success", "authorised", (1000, 0, 0)),
        ("sale", "success", "captured", (0, 1000, 0)),
        ("capture", "success", "captured", (0, 1000, 0)),
        ("capture", "pending", "pending", (0, 0, 0)),
        ("void", "success", "voided", (0, 0, 0)),
        ("sale", "failure", "failed", (0, 0, 0)),
        ("refund", "success", "captured", (0, 0, 1000)),
    ],
)
def test_a_transaction_is_one_movement_of_money(kind, status, state, amounts):
    body = {"id": 11, "order_id": 5001, "kind": kind, "status": status, "amount": "10.00", "currency": "EUR"}
    (report,) = reports("order_transactions/create", {**body, "gateway": "paypal", "created_at": UPDATED})
    found = report.payment
    assert (found.state, (found.authorised, found.captured, found.refunded)) == (state, amounts)
    assert (found.external_id, found.kind, found.amount) == (
        "11",
        "wallet",
        -1000 if kind == "refund" else 1000,
    )


def test_money_at_the_till_and_disputed_money():
    tender = {"id": 12, "order_id": 5001, "amount": "-4.00", "currency": "EUR", "payment_method": "cash"}
    (report,) = reports("tender_transactions/create", tender)
    assert (report.payment.external_id, report.payment.refunded, report.payment.kind) == (
        "tender/12",
        400,
        "cash",
    )
    dispute = {
        "id": 13,
        "order_id": 5001,
        "amount": "11.50",
        "currency": "EUR",
        "status": "lost",
        "initiated_at": UPDATED,
    }
    (report,) = reports("disputes/update", dispute)
    assert (report.payment.state, report.payment.refunded) == ("disputed", 1150)


def test_a_return_names_lines_and_reasons():
    body = {
        "id": 14,
        "status": "requested",
        "order": {"id": 5001},
        "return_line_items": [
            {
                "quantity": 1,
                "return_reason": "size_too_small",
                "customer_note": "pinches",
                "fulfillment_line_item": {"line_item": {"id": 101}},
            }
        ],
    }
    (report,) = reports("returns/request", body, **{"x-shopify-triggered-at": "2026-03-01T09:00:00.5Z"})
    found = report.goods_return
    assert (found.state, found.order_ref.id, found.version) == (
        "requested",
        "5001",
        "2026-03-01T09:00:00.500000Z",
    )
    assert [(x.line, x.quantity, x.reason) for x in found.lines] == [("101", 1, "size_too_small: pinches")]
    (declined,) = reports(
        "returns/decline", {"id": 14, "status": "declined", "decline": {"reason": "final_sale", "note": None}}
    )
    assert (declined.goods_return.state, declined.goods_return.reason, declined.goods_return.order_ref) == (
        "refused",
        "final_sale",
        None,
    )


def test_a_deleted_order_is_to_be_stopped():
    (report,) = reports("orders/delete", {"id": 5001})
    assert (report.order_ref.id, report.lines, report.by) == ("5001", (), "seller")


def test_a_product_is_a_listing_per_variant_and_a_product_per_sku():
    body = {
        "id": 1,
        "title": "Shirt",
        "vendor": "Acme",
        "status": "draft",
        "options": [{"name": "Size"}],
        "variants": [
            {
                "id": 2,
                "sku": "S",
                "title": "Small",
                "option1": "S",
                "barcode": "401",
                "grams": 200,
                "inventory_item_id": 3,
                "updated_at": UPDATED,
            },
            {"id": 4, "sku": "", "title": "Default Title"},
        ],
    }
    first, product, second = reports("products/update", body)
    assert (
        first.listing.external_id,
        first.listing.stock_ref,
        first.listing.title,
        first.listing.active,
    ) == ("2", "3", "Shirt - Small", False)
    assert (product.product.sku, product.product.barcodes, product.product.options) == (
        "S",
        ("401",),
        (("Size", "S"),),
    )
    assert {ref.kind: ref.id for ref in product.product.external_refs} == {
        "product": "1",
        "listing": "2",
        "inventory_item": "3",
    }
    assert (second.listing.sku, second.listing.title) == ("", "Shirt")
    (gone,) = reports("products/delete", {"id": 1})
    assert (gone.deleted, gone.product.external_refs[0].id) == (True, "1")


def test_what_is_available_is_net_and_unknown_is_not_zero():
    body = {"inventory_item_id": 3, "location_id": 71, "available": None, "updated_at": UPDATED}
    (report,) = reports("inventory_levels/update", body)
    (level,) = report.levels
    assert (level.on_hand, level.basis, level.location, level.location_ref.id) == (
        None,
        "net",
        "berlin",
        "71",
    )
    (report,) = reports("inventory_levels/update", {**body, "available": -2})
    assert report.levels[0].on_hand == -2


def test_items_and_places_name_their_shopify_ids():
    (made,) = reports(
        "inventory_items/create",
        {"id": 3, "sku": "S", "harmonized_system_code": "6109", "country_code_of_origin": "PT"},
    )
    assert (made.product.sku, made.product.customs_code, made.product.external_refs[0].id) == (
        "S",
        "6109",
        "3",
    )
    (gone,) = reports("inventory_items/delete", {"id": 3})
    assert gone.deleted
    (place,) = reports("locations/deactivate", {"id": 71, "name": "Shop", "active": False, "city": "Berlin"})
    assert (place.location.id, place.location.active, place.location.address.city) == (
        "berlin",
        False,
        "Berlin",
    )


def test_a_person_who_wants_to_be_forgotten():
    (report,) = reports("customers/redact", {"customer": {"id": 9}, "orders_to_redact": [5001, 5002]})
    assert (report.person_ref.id, [ref.id for ref in report.order_refs]) == ("9", ["5001", "5002"])
    with pytest.raises(MappingError):
        reports("customers/redact", {"shop_id": 1})


def test_payouts_and_their_statements():
    (report,) = reports(
        "payouts/update",
        {"id": 5, "status": "paid", "date": "2026-03-02", "currency": "EUR", "amount": "41.90"},
    )
    assert (report.payout.amount, report.payout.state, report.payout.external_id) == (4190, "paid", "5")
    body = {
        "id": 6,
        "type": "charge",
        "currency": "EUR",
        "amount": "50.00",
        "fee": "1.50",
        "net": "48.50",
        "payout_id": 5,
        "source_order_id": 5001,
    }
    (report,) = reports("balance_transactions/create", body)
    assert (report.lines[0].kind, report.lines[0].net, report.lines[0].order_ref.id) == ("sale", 4850, "5001")
    with pytest.raises(MappingError) as caught:
        reports("balance_transactions/create", {**body, "net": "48.00"})
    assert caught.value.field == "net"


def test_a_topic_without_meaning_is_refused_by_name():
    with pytest.raises(MappingError) as caught:
        CONNECTOR.translate("carts/update", {}, raw({}), CONTEXT)
    assert caught.value.field == "kind"


def test_a_person_who_wants_to_know_what_is_held():
    (report,) = reports("customers/data_request", {"customer": {"id": 9}, "orders_requested": [5001]})
    assert report.__struct_config__.tag == "person.data_requested"
    assert (report.person_ref.id, [ref.id for ref in report.order_refs]) == ("9", ["5001"])


def test_a_shop_that_takes_the_app_out():
    (report,) = reports("shop/redact", {"shop_id": 1, "shop_domain": "a.myshopify.com"})
    assert (report.__struct_config__.tag, report.connection) == ("channel.erasure_requested", "shop")
