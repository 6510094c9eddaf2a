"""Shopify at the gate: who sent it, what it is about, what stands on a page, and what a body without headers is."""

import json

import pytest

from crossdock.connectors.shopify import SPEC, build
from crossdock.errors import MappingError, SignatureError
from crossdock.sdk.translate import translate_file
from tests.connectors.shopify_payloads import CONNECTOR, CONTEXT, SETTINGS, TOPIC, line, order, raw, signed

HMAC = "x-shopify-hmac-sha256"


def test_a_delivery_of_shopifys_is_let_in():
    CONNECTOR.verify(*signed("orders/create", order(line())))


@pytest.mark.fault(53)
@pytest.mark.parametrize("given", ["", "x", "Zm9v", "ÄÖ", "\udcff", "====", " "])
def test_any_other_signature_is_refused(given):
    headers, body = signed("orders/create", order(line()), **{HMAC: given})
    with pytest.raises(SignatureError) as caught:
        CONNECTOR.verify(headers, body)
    assert caught.value.field == HMAC


def test_one_changed_byte_is_refused():
    headers, body = signed("orders/create", order(line()))
    with pytest.raises(SignatureError):
        CONNECTOR.verify(headers, body + b" ")
    with pytest.raises(SignatureError):
        CONNECTOR.verify({}, body)
    with pytest.raises(SignatureError):
        build({**SETTINGS, "webhook_secret": ""}).verify(headers, body)


@pytest.mark.parametrize(
    ("topic", "body", "about"),
    [
        ("orders/create", {"id": 820982911946154508}, ("order", "820982911946154508")),
        ("orders/delete", {"id": 7}, ("order", "7")),
        ("fulfillments/create", {"id": 1, "order_id": 820982911946154508}, ("order", "820982911946154508")),
        ("refunds/create", {"id": 1, "order_id": 7}, ("order", "7")),
        ("order_transactions/create", {"id": 1, "order_id": 7}, ("order", "7")),
        ("disputes/create", {"id": 1, "order_id": None}, ("", "")),
        ("returns/close", {"id": 1, "order_id": 7}, ("order", "7")),
        ("returns/request", {"id": 1, "order": {"id": 7}}, ("order", "7")),
        ("returns/decline", {"id": 1}, ("", "")),
        ("products/update", {"id": 2}, ("product", "2")),
        ("variants/in_stock", {"id": 3, "product_id": 2}, ("product", "2")),
        ("inventory_levels/update", {"inventory_item_id": 4, "location_id": 5}, ("inventory_item", "4")),
        ("locations/update", {"id": 5}, ("location", "5")),
        ("carts/update", {"id": "x"}, ("", "")),
        ("orders/edited", {"order_edit": {"id": 1, "order_id": 7}}, ("", "")),
        ("orders/create", {"id": "gid://shopify/Order/9"}, ("order", "9")),
    ],
)
def test_the_gate_reads_what_a_delivery_is_about(topic, body, about):
    gate = CONNECTOR.gate({TOPIC: topic, "x-shopify-webhook-id": "w"}, raw(body))
    assert (gate.kind, gate.ref_kind, gate.ref, gate.delivery_id) == (topic, *about, "w")


@pytest.mark.parametrize(
    ("headers", "body", "field"),
    [
        ({}, b"{}", TOPIC),
        ({TOPIC: "orders/create"}, b"no json", "body"),
        ({TOPIC: "orders/create"}, b"[]", "body"),
        ({TOPIC: "orders/create"}, b'{"id": 1.5}', "id"),
        ({TOPIC: "orders/create"}, b'{"id": %d}' % 2**70, "id"),
        ({TOPIC: "orders/create"}, b'{"id": ' + b"9" * 5000 + b"}", "id"),
        ({TOPIC: "orders/create"}, b"[" * 100_000, "body"),
    ],
)
def test_what_the_gate_cannot_read_is_named(headers, body, field):
    with pytest.raises(MappingError) as caught:
        CONNECTOR.gate(headers, body)
    assert caught.value.field == field


def test_an_order_and_its_facts_meet_by_the_digits_in_the_body():
    gates = [
        CONNECTOR.gate({TOPIC: "orders/create", "x-shopify-order-id": "820982911946154508"}, raw(body))
        for body in (
            {"id": 820982911946154500, "admin_graphql_api_id": "gid://shopify/Order/820982911946154508"},
        )
    ]
    gates.append(
        CONNECTOR.gate({TOPIC: "fulfillments/create"}, raw({"id": 1, "order_id": 820982911946154500}))
    )
    assert {gate.ref for gate in gates} == {"820982911946154500"}


def test_a_page_is_cut_in_its_own_bytes():
    body = b'{"orders": [{"id": 820982911946154508 , "name":"\\u00e4"}, {"id":2}]}'
    first, second = CONNECTOR.split("page.orders", body)
    assert (first.body, first.kind, first.ref) == (
        b'{"id": 820982911946154508 , "name":"\\u00e4"}',
        "orders/updated",
        "820982911946154508",
    )
    assert (second.ref_kind, second.ref) == ("order", "2")
    assert len({first.delivery_id, second.delivery_id, ""}) == 3
    assert CONNECTOR.split("orders/create", body) is None
    assert list(CONNECTOR.split("page.orders", b'{"orders": []}')) == []
    (one,) = CONNECTOR.split("page.orders", b'{"order": {"id": 3}}')
    assert one.ref == "3"


@pytest.mark.parametrize(
    "body", [b"{}", b'{"orders": 1}', b'{"orders": [], "products": []}', b"1", b'"x"', b"["]
)
def test_what_is_no_page_is_refused(body):
    with pytest.raises(MappingError):
        list(CONNECTOR.split("page.orders", body))
    with pytest.raises(MappingError):
        list(CONNECTOR.split("page.everything", b"{}"))


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (order(line()), ["orders/updated"]),
        ({"order": order(line())}, ["page.orders"]),
        ({"orders": []}, ["page.orders"]),
        ({"transactions": [{"id": 1, "gateway": "x"}]}, ["page.transactions"]),
        ({"transactions": [{"id": 1, "payout_id": 2}]}, ["page.balance"]),
        ([{"order_id": 1, "kind": "sale", "gateway": "x", "amount": "1"}], ["page.transactions"]),
        ({"inventory_levels": []}, ["page.inventory_levels"]),
        ({"customer": {"id": 1}}, []),
        ({}, []),
        ([], []),
    ],
)
def test_a_body_tells_by_its_shape_what_it_is(body, kinds):
    assert CONNECTOR.guess_kind(raw(body)) == kinds


def recorded(body, topic="orders/create", **extra):
    return raw({"headers": {"X-Shopify-Topic": topic}, "body": body, **extra})


@pytest.mark.parametrize(
    "file",
    [
        raw(order(line())),
        recorded(order(line())),
        recorded(json.dumps(order(line()))),
        raw({"topic": "orders/paid", "body": order(line())}),
        raw({"_meta": {"path": "/orders/1.json"}, "response": {"order": order(line())}}),
        raw({"order": order(line())}),
        raw({"orders": [order(line())]}),
        raw([order(line())]),
    ],
)
def test_a_recorded_payload_is_translated_however_it_was_recorded(file):
    result = translate_file(CONNECTOR, file, None, "shop")
    assert result.ok, result.error
    assert [report.order.external_id for report in result.objects] == ["5001"]


@pytest.mark.parametrize(
    ("file", "kind", "error"),
    [
        (recorded({"cart": 1}, "carts/update"), None, ("unhandled", "kind")),
        (raw({"customer": {}}), None, ("mapping", "kind")),
        (
            raw({"orders": [order(line()), order(line(price="x"), total="1.00")]}),
            None,
            ("mapping", "orders[1].line_items[0].price"),
        ),
        (raw({"order": order(line(), total="1.00")}), None, ("mapping", "order.total_price")),
        (raw({"order": order(line(), total="1.00")}), "orders/create", ("mapping", "order.total_price")),
        (raw(order(line(), currency="X")), "orders/create", ("mapping", "currency")),
        (raw({}), "products/unknown", ("unhandled", "kind")),
        (recorded([], "orders/create"), None, ("mapping", "body")),
        (b"", None, ("mapping", "body")),
        (b'{"id":1,"id":2}', None, ("mapping", "id")),
        (b"[" * 100_000, None, ("mapping", "body")),
    ],
)
def test_what_of_a_file_is_not_understood_is_told(file, kind, error):
    result = translate_file(CONNECTOR, file, kind, "shop")
    assert not result.ok
    assert (result.error.kind, result.error.field) == error
    assert result.error.message


def test_a_check_of_the_callers_has_the_last_word():
    class Wrong:
        field = "buyer_total"

        def __str__(self):
            return "buyer_total: no"

    result = translate_file(CONNECTOR, raw(order(line())), None, "shop", check=lambda report: [Wrong()])
    assert (result.error.kind, result.error.field, result.error.message) == (
        "totals",
        "buyer_total",
        "buyer_total: no",
    )


def test_every_kind_that_is_offered_is_read():
    for inbound in SPEC.inbound:
        if inbound.kind.startswith("page."):
            assert CONNECTOR.split(inbound.kind, b"[]") == []
        else:
            with pytest.raises(MappingError) as caught:
                CONNECTOR.translate(inbound.kind, {}, b"{}", CONTEXT)
            assert caught.value.field != "kind", inbound.kind


def test_cancellations_overtake_and_whole_orders_supersede():
    assert {i.kind for i in SPEC.inbound if i.overtakes} == {"orders/cancelled", "orders/delete"}
    assert all(i.kind.startswith("orders/") for i in SPEC.inbound if i.whole_object)


def test_the_page_of_the_connector_tells_every_setting_operation_and_topic(repository):
    page = (repository / "src/crossdock/connectors/shopify/README.md").read_text("utf-8")
    for part in ("## Settings", "## Delivery guarantees", "## Limits", "## Known lies"):
        assert part in page
    for setting in SPEC.settings:
        assert f"| `{setting.name}` |" in page
    for name in (*(operation.name for operation in SPEC.operations), *(i.kind for i in SPEC.inbound)):
        assert name.partition("/")[0].removeprefix("page.") in page
