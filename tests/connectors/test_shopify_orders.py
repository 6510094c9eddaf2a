"""What an order of Shopify's says besides its money: what became of its lines, whose it is, and which version."""

import msgspec
import pytest

from crossdock.connectors.shopify import build
from crossdock.errors import MappingError
from crossdock.flows.documents import fill_command
from crossdock.model import FulfilmentRequest, LineQuantity
from crossdock.model.commands import Release
from tests.connectors.shopify_payloads import (
    CONNECTOR,
    CONTEXT,
    SETTINGS,
    UPDATED,
    line,
    order,
    raw,
    read,
    reported,
    shipping,
)

TRIGGERED = "x-shopify-triggered-at"


def fulfillment(*lines, status="success", **fields):
    items = [{"id": 100 + number, "quantity": quantity, "sku": f"SKU-{number}"} for number, quantity in lines]
    body = {"id": 7001, "order_id": 5001, "status": status, "created_at": UPDATED, "updated_at": UPDATED}
    return {**body, "line_items": items, **fields}


def refund(*lines, **fields):
    items = [
        {
            "id": n,
            "line_item_id": 100 + number,
            "quantity": quantity,
            "restock_type": kind,
            "subtotal": "0",
            "total_tax": "0",
        }
        for n, (number, quantity, kind) in enumerate(lines)
    ]
    return {
        "id": 8001,
        "order_id": 5001,
        "created_at": UPDATED,
        "refund_line_items": items,
        "transactions": [],
        **fields,
    }


# ordered, Shopify's current_quantity, fulfilled, refunded as, order cancelled -> current, fulfilled, cancelled, returned
@pytest.mark.parametrize(
    ("ordered", "now", "shipped", "refunded", "cancelled", "expected"),
    [
        (3, 3, 0, [], False, (3, 0, 0, 0)),
        (3, None, 0, [], False, (3, 0, 0, 0)),
        (3, 2, 0, [], False, (2, 0, 0, 0)),  # an edit took one away
        (3, 2, 0, [(1, "cancel")], False, (2, 0, 1, 0)),
        (3, 2, 0, [(1, "no_restock")], False, (2, 0, 1, 0)),  # refunded before it left: it will not leave
        (3, 2, 3, [(1, "no_restock")], False, (3, 3, 0, 0)),  # refunded after it left: the buyer keeps it
        (3, 2, 3, [(1, "return")], False, (3, 3, 0, 1)),
        (3, 2, 0, [(1, "return")], False, (2, 0, 1, 0)),  # "returned" without having left
        (3, 1, 2, [(1, "return"), (1, "cancel")], False, (2, 2, 1, 1)),
        (3, 1, 1, [(1, "legacy_restock")], False, (2, 1, 0, 1)),  # one returned, one edited away
        (3, 3, 0, [], True, (0, 0, 3, 0)),
        (3, 0, 0, [(3, "cancel")], True, (0, 0, 3, 0)),
        (3, 3, 1, [], True, (1, 1, 2, 0)),
        (0, 0, 0, [], False, (0, 0, 0, 0)),
    ],
)
def test_each_quantity_has_its_reason(ordered, now, shipped, refunded, cancelled, expected):
    body = order(
        line(quantity=ordered, current_quantity=now),
        fulfillments=[fulfillment((1, shipped))] if shipped else [],
        refunds=[refund(*((1, quantity, kind) for quantity, kind in refunded))] if refunded else [],
        cancelled_at=UPDATED if cancelled else None,
    )
    item = read(body).lines[0]
    assert (item.current, item.fulfilled, item.cancelled, item.returned) == expected


def test_only_what_was_shipped_counts_as_fulfilled():
    states = ["pending", "open", "success", "cancelled", "error", "failure"]
    bodies = [fulfillment((1, 1), status=status, id=n) for n, status in enumerate(states, 1)]
    report = reported(order(line(quantity=6), fulfillments=bodies))
    assert report.order.lines[0].fulfilled == 1
    assert [s.state for s in report.shipments] == [
        "planned",
        "packed",
        "shipped",
        "cancelled",
        "cancelled",
        "cancelled",
    ]


def test_a_cancelled_order_stays_a_sale_and_says_who_cancelled():
    report = reported(
        order(line(), cancelled_at=UPDATED, cancel_reason="customer", financial_status="refunded")
    )
    (cancellation,) = report.cancellations
    assert (report.order.commitment, cancellation.by, cancellation.lines) == ("committed", "buyer", ())
    assert cancellation.already_refunded
    assert report.order.cancelled_at == cancellation.requested_at


def test_lines_that_were_cancelled_are_told_as_such():
    body = order(line(1, quantity=2), line(2), refunds=[refund((1, 1, "cancel"))])
    (cancellation,) = reported(body).cancellations
    assert [(item.line, item.quantity, item.sku) for item in cancellation.lines] == [("101", 1, "SKU-1")]


@pytest.mark.parametrize(
    ("fields", "commitment"),
    [
        ({"financial_status": "paid"}, "committed"),
        ({"financial_status": "authorized"}, "committed"),
        ({"financial_status": "partially_refunded"}, "committed"),
        ({"financial_status": "pending"}, "tentative"),
        ({"financial_status": None}, "tentative"),
        ({"financial_status": "pending", "cancelled_at": UPDATED}, "void"),
        ({"financial_status": "pending", "payment_terms": {"payment_terms_name": "Net 30"}}, "committed"),
        ({"financial_status": "pending", "payment_gateway_names": ["Cash on Delivery (COD)"]}, "committed"),
        ({"financial_status": "pending", "fulfillments": [fulfillment((1, 1))]}, "committed"),
        ({"financial_status": "voided"}, "tentative"),
        ({"financial_status": "voided", "cancelled_at": UPDATED}, "committed"),
        ({"financial_status": "expired"}, "void"),
    ],
)
def test_what_makes_it_a_sale(fields, commitment):
    assert read(order(line(), **fields)).commitment == commitment


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"financial_status": "haggled"}, "financial_status"),
        ({"fulfillments": [fulfillment((1, 1), status="teleported")]}, "fulfillments[0].status"),
        ({"refunds": [refund((1, 1, "burnt"))]}, "refunds[0].refund_line_items[0].restock_type"),
        ({"updated_at": None, "processed_at": None, "created_at": None}, "updated_at"),
        ({"updated_at": "2026-03-01T10:00:00"}, "updated_at"),
        ({"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at"),
        ({"id": None}, "id"),
        ({"id": -1}, "id"),
        ({"line_items": None}, "line_items"),
        ({"line_items": [line(), line(1)]}, "line_items[1].id"),
        ({"line_items": [line(quantity=-1)]}, "line_items[0].quantity"),
        ({"line_items": [line(quantity=1.5)]}, "line_items[0].quantity"),
        ({"test": "yes"}, "test"),
    ],
)
def test_what_cannot_be_understood_is_named(fields, field):
    with pytest.raises(MappingError) as caught:
        read({**order(line()), **fields})
    assert caught.value.field == field


@pytest.mark.parametrize("missing", ["id", "currency", "total_price", "line_items"])
def test_what_is_missing_is_named(missing):
    body = order(line())
    del body[missing]
    with pytest.raises(MappingError) as caught:
        read(body)
    assert caught.value.field == missing


def test_ids_are_kept_to_the_last_digit():
    found = read(order(line(id=866550311766439020), id=820982911946154508))
    assert (found.external_id, found.lines[0].id) == ("820982911946154508", "866550311766439020")
    assert read(order(line(id=None), id="gid://shopify/Order/12?x=1")).external_id == "12"
    assert [item.id for item in read(order(line(1, id=None), line(2, id=None))).lines] == ["1", "2"]


def test_versions_of_one_second_are_ordered_by_what_triggered_them():
    body = order(line())
    first = reported(body, **{TRIGGERED: "2026-03-01T09:00:00.250000001Z"}).order.version
    later = reported(body, **{TRIGGERED: "2026-03-01T09:00:03.5Z"}).order.version
    (polled,) = CONNECTOR.translate("orders/updated", {}, raw(body), CONTEXT)
    assert (first, later) == ("2026-03-01T09:00:00.250000Z", "2026-03-01T09:00:00.999998Z")
    assert polled.order.version == "2026-03-01T09:00:00.999999Z"
    assert reported(body, **{TRIGGERED: "noon"}) == reported(body)


def test_without_a_trigger_versions_of_one_second_are_ordered_by_progress():
    stages = [
        {"financial_status": "pending"},
        {"financial_status": "paid"},
        {"financial_status": "paid", "fulfillments": [fulfillment((1, 1))]},
        {
            "financial_status": "refunded",
            "fulfillments": [fulfillment((1, 1))],
            "refunds": [refund((1, 1, "return"))],
        },
        {"financial_status": "refunded", "cancelled_at": UPDATED},
    ]
    versions = [read(order(line(), **stage)).version for stage in stages]
    assert versions == sorted(set(versions))
    assert all(version.startswith("2026-03-01T09:00:00.") for version in versions)


def test_our_own_tag_is_not_the_shops_news():
    assert read(order(line(), tags="vip, crossdock, gift")).tags == ("vip", "gift")
    assert read(order(line(), tags="crossdock")) == read(order(line(), tags=""))


def test_a_till_sale_is_handed_over():
    body = order(line(), source_name="pos", location_id=72, financial_status="paid")
    found = read(body)
    item = found.lines[0]
    assert (found.channel, found.location, found.location_ref.id) == ("till", "paris", "72")
    assert (item.fulfilled_by, item.fulfilled, item.current, item.delivery) == ("handed_over", 1, 1, "pickup")
    sent = read({**body, "shipping_lines": [shipping("0.00")], "shipping_address": {"city": "Köln"}}).lines[0]
    assert (sent.fulfilled_by, sent.fulfilled, sent.delivery) == ("us", 0, "ship")


@pytest.mark.parametrize(
    ("fields", "delivery"),
    [
        ({"shipping_lines": [shipping("0.00")], "shipping_address": {"city": "Köln"}}, "ship"),
        ({"shipping_lines": [shipping("0.00", delivery_category="local_delivery")]}, "local_delivery"),
        ({"shipping_lines": [shipping("0.00", delivery_category="pickup")]}, "pickup"),
        (
            {"shipping_lines": [shipping("0.00", code="Shop Köln")], "shipping_address": {"city": "x"}},
            "pickup",
        ),
        ({"shipping_lines": [shipping("0.00")], "shipping_address": None}, "pickup"),
        ({"shipping_lines": []}, "ship"),
    ],
)
def test_how_it_comes_to_the_buyer(fields, delivery):
    connector = build({**SETTINGS, "pickup_codes": "Shop Köln"})
    assert read(order(line(), **fields), connector).lines[0].delivery == delivery


def test_what_a_line_is():
    lines = [
        line(1, gift_card=True, requires_shipping=False),
        line(2, product_id=None, variant_id=None, sku=None),
        line(3, fulfillment_service="shipbob"),
        line(
            4,
            properties=[
                {"name": "Engraving", "value": "A&B"},
                {"name": "n", "value": {"a": 1}},
                {"name": "x", "value": None},
            ],
        ),
    ]
    gift, custom, outside, engraved = read(order(*lines)).lines
    assert (gift.kind, gift.delivery) == ("gift_card", "digital")
    assert (custom.kind, custom.sku, custom.listing) == ("custom", "", "")
    assert (outside.fulfilled_by, outside.listing) == ("supplier", "203")
    assert engraved.properties == (("Engraving", "A&B"), ("n", '{"a":1}'))


def test_who_buys():
    customer = {"id": 9, "first_name": "Ada", "last_name": "Byron", "email": "ada@example.com"}
    known = read(order(line(), customer=customer)).buyer
    assert (known.kind, known.external_id, known.name, known.email) == (
        "customer",
        "9",
        "Ada Byron",
        "ada@example.com",
    )
    guest = read(order(line(), email="x@example.com")).buyer
    assert (guest.kind, guest.email) == ("guest", "x@example.com")
    assert read(order(line())).buyer is None
    company = read(order(line(), company={"id": 4, "location_id": 5}, customer=customer, po_number="PO-7"))
    assert (company.channel, company.buyer.kind, company.purchase_order) == ("b2b", "company", "PO-7")


def test_an_address_is_kept_as_given():
    body = {"first_name": "Ada", "last_name": "Byron", "name": None, "address1": "1 Rue", "zip": "75001"}
    given = {**body, "city": "Paris", "country": "France", "country_code": "FR", "province": "Île-de-France"}
    found = read(order(line(), shipping_address=given)).ship_to
    assert (found.name, found.lines, found.country, found.region) == (
        "Ada Byron",
        ("1 Rue",),
        "FR",
        "Île-de-France",
    )


def test_where_it_was_sold():
    assert read(order(line(), source_name="web")).origin == ""
    assert read(order(line(), source_name="amazon-de")).origin == "amazon-de"
    zoned = build({**SETTINGS, "zone": "Europe/Berlin"})
    assert read(order(line()), zoned).store_local == "2026-03-01T10:00:00 Europe/Berlin"


def test_a_test_order_says_so():
    assert read(order(line(), test=True)).test


def test_the_warehouse_is_told_which_shipping_the_buyer_paid_for():
    lines = [
        shipping(title="Express", code="express-24", carrier_identifier="dhl"),
        shipping(id=902, title="By hand", code=None),
    ]
    held = read(order(shipping_lines=lines))
    told = [(charge.service, charge.carrier) for charge in held.shipping]
    assert told == [("express-24", "dhl"), ("By hand", "")]
    request = FulfilmentRequest(
        id="CD0000000001-1",
        order="CD0000000001",
        location="berlin",
        lines=(LineQuantity(line=held.lines[0].id, quantity=1),),
    )
    command = msgspec.json.encode(Release(order_id="CD0000000001", request=request))
    release = fill_command("release", command, held)
    assert (release.request.carrier, release.request.service) == ("dhl", "express-24")
