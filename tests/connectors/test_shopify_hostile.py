"""Whatever stands in a body: it is understood, or a MappingError names the place. Never anything else."""

import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.domain.totals import check_refund, check_totals
from crossdock.errors import MappingError
from crossdock.model import OrderReported, Report
from crossdock.simulator.shopify_orders import Catalogue, make_order
from tests.connectors.shopify_payloads import (
    CONNECTOR,
    CONTEXT,
    TOPIC,
    UPDATED,
    both,
    line,
    order,
    raw,
    shipping,
    tax,
)

ITEM = {
    "line_item_id": 101,
    "quantity": 1,
    "restock_type": "return",
    "subtotal": 1.5,
    "total_tax": 0,
    "subtotal_set": both("1.50", "1.40"),
}
MONEY = {
    "id": 1,
    "kind": "refund",
    "status": "success",
    "gateway": "visa",
    "amount": "1.50",
    "currency": "EUR",
    "created_at": UPDATED,
}
REFUND = {
    "id": 3,
    "order_id": 5001,
    "created_at": UPDATED,
    "refund_line_items": [ITEM],
    "transactions": [{**MONEY, "currency": "CHF"}],
    "order_adjustments": [{"amount": "-1.00", "kind": "shipping_refund"}],
    "duties": [],
}
SHIPMENT = {
    "id": 2,
    "order_id": 5001,
    "status": "success",
    "line_items": [{"id": 101, "quantity": 1}],
    "tracking_numbers": ["x"],
    "updated_at": UPDATED,
    "location_id": 71,
}
WHOLE = order(
    line(
        quantity=2,
        price="20.00",
        tax_lines=[tax("3.80")],
        discount_allocations=[{"amount": "1.00", "discount_application_index": 0}],
        properties=[{"name": "a", "value": "b"}],
    ),
    line(2, duties=[{"id": "1", "shop_money": {"amount": "1.00", "currency_code": "EUR"}, "tax_lines": []}]),
    total="58.80",
    shipping_lines=[shipping("5.00", discounted_price="5.00")],
    discount_applications=[{"type": "manual", "title": "nice"}],
    customer={"id": 9, "email": "a@example.com"},
    shipping_address={"city": "Köln", "country_code": "DE"},
    fulfillments=[SHIPMENT],
    refunds=[
        {
            **REFUND,
            "transactions": [MONEY],
            "refund_line_items": [{**ITEM, "subtotal_set": both("1.50", "1.50", "EUR", "EUR")}],
        }
    ],
    transactions=[{**MONEY, "kind": "sale", "amount": "58.80"}],
    payment_gateway_names=["visa"],
    tags="a, b",
)
FOREIGN = {
    **order(line(price_set=both("10.00", "9.50"))),
    "presentment_currency": "CHF",
    "total_price_set": both("10.00", "9.50"),
}
BODIES = {
    "orders/updated": WHOLE,
    "orders/paid": FOREIGN,
    "fulfillments/update": SHIPMENT,
    "refunds/create": REFUND,
    "order_transactions/create": {**MONEY, "order_id": 5001},
    "tender_transactions/create": {"id": 1, "order_id": 2, "amount": "1.00", "currency": "EUR"},
    "disputes/update": {
        "id": 1,
        "order_id": 2,
        "amount": "1.00",
        "currency": "EUR",
        "status": "won",
        "initiated_at": UPDATED,
    },
    "returns/request": {
        "id": 1,
        "status": "requested",
        "order": {"id": 5001},
        "return_line_items": [{"quantity": 1, "fulfillment_line_item": {"line_item": {"id": 1}}}],
    },
    "products/update": {
        "id": 1,
        "title": "x",
        "options": [{"name": "Size"}],
        "variants": [{"id": 2, "sku": "S", "price": "1.00", "grams": 10, "option1": "S"}],
    },
    "inventory_levels/update": {
        "inventory_item_id": 1,
        "location_id": 2,
        "available": 3,
        "updated_at": UPDATED,
    },
    "inventory_items/update": {"id": 1, "sku": "S"},
    "locations/update": {"id": 1, "name": "x", "address1": "y"},
    "customers/redact": {"customer": {"id": 1}, "orders_to_redact": [1]},
    "customers/data_request": {"customer": {"id": 1}, "orders_requested": [1]},
    "payouts/update": {"id": 1, "status": "paid", "date": "2026-01-01", "currency": "EUR", "amount": "1.00"},
    "balance_transactions/create": {
        "id": 1,
        "type": "charge",
        "currency": "EUR",
        "amount": "2.00",
        "fee": "1.00",
        "net": "1.00",
    },
}

HOSTILE = (
    "",
    "\0",
    "\ud800",
    "NaN",
    "sNaN",
    "Infinity",
    "-0",
    "1e400",
    "1E-400",
    "-1.00",
    "9" * 30,
    "٣",
    "0x1",
    "1_0",
)
WORDS = (
    "gid://shopify/Order/",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-13-01",
    "EUR",
    "success",
)
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(HOSTILE + WORDS))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """Every place in a body: the path to each member and item."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in members:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(body, path, value, drop):
    """A copy of a body with one place dropped or replaced."""
    copy = json.loads(json.dumps(body))
    target = copy
    for key in path[:-1]:
        target = target[key]
    if drop:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return copy


def understood_or_named(topic, data):
    """Read a body as a hub does; every report can be written and read again, and what is committed adds up."""
    headers = {TOPIC: topic}
    try:
        CONNECTOR.gate(headers, data)
        found = CONNECTOR.translate(topic, headers, data, CONTEXT)
    except MappingError as error:
        if not (error.field and error.message):
            pytest.fail(f"an error that names nothing: {error!r}")
        return
    for report in found:
        msgspec.json.decode(msgspec.json.encode(report), type=Report)
        if isinstance(report, OrderReported):
            assert check_totals(report.order) == ()
            for refund in report.refunds:
                assert check_refund(refund) == ()


@pytest.mark.parametrize("topic", BODIES)
def test_the_bodies_themselves_are_understood(topic):
    assert CONNECTOR.translate(topic, {TOPIC: topic}, raw(BODIES[topic]), CONTEXT)


@pytest.mark.fault(54)
@pytest.mark.parametrize("topic", BODIES)
@given(data=st.data())
@settings(max_examples=60)
def test_a_field_that_is_dropped_or_altered_is_understood_or_named(topic, data):
    body = BODIES[topic]
    path = data.draw(st.sampled_from(list(places(body))))
    value = data.draw(VALUES)
    understood_or_named(topic, raw(changed(body, path, value, data.draw(st.booleans()))))


@pytest.mark.fault(54)
@given(data=st.data(), seed=st.integers(0, 1000))
@settings(max_examples=60)
def test_several_fields_of_an_order_at_once(data, seed):
    body = make_order(seed, 1_774_700_000_000_000, random.Random(seed), Catalogue.of(20))
    for _ in range(data.draw(st.integers(1, 4))):
        found = list(places(body))
        if found:
            body = changed(
                body, data.draw(st.sampled_from(found)), data.draw(VALUES), data.draw(st.booleans())
            )
    understood_or_named("orders/updated", raw(body))


@pytest.mark.fault(47)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_json(data):
    understood_or_named("orders/create", data)
    understood_or_named("refunds/create", b"{" + data)


@pytest.mark.fault(47)
@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b'{"id":1,"id":2}', "id"),
        (raw(order(line()))[:-1] + b',"total_price":"1.00"}', "total_price"),
        (raw(order(line(sku="a\0b"))), "line_items[0].sku"),
        (raw(order(line(sku="\ud800"))), "line_items[0].sku"),
        (raw({**order(line()), "unknown": float("nan")}), "unknown"),
        (raw({**order(line()), "unknown": float("inf")}), "unknown"),
        (b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "body"),
        (b'{"id":' + b"9" * 100_000 + b"}", "id"),
        (b"\xff\xfe", "body"),
        (b"", "body"),
        (b"null", "body"),
        (b"<html>", "body"),
        (raw(order(line()))[:-10], "body"),
    ],
)
def test_hostile_json_is_refused_by_its_place(data, field):
    with pytest.raises(MappingError) as caught:
        CONNECTOR.translate("orders/create", {TOPIC: "orders/create"}, data, CONTEXT)
    assert caught.value.field == field


@given(seed=st.integers(0, 10_000))
def test_every_order_of_the_simulated_shop_adds_up_without_a_rounding(seed):
    body = make_order(seed, 1_774_700_000_000_000, random.Random(seed), Catalogue.of(50))
    (report,) = CONNECTOR.translate("orders/create", {TOPIC: "orders/create"}, raw(body), CONTEXT)
    assert check_totals(report.order) == ()
    assert report.order.charges == ()
