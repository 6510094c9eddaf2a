"""Hostile hands at the real gate, over loopback HTTP: never a 5xx, never a silent skip, and a thousand copies are one."""

import base64
import gzip
import hmac
import http.client
import json
import zlib
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest

from crossdock.bootstrap.loops import clock_us
from crossdock.bootstrap.proof import prove
from crossdock.sdk.webhooks import sign
from tests.bootstrap.waiting import eventually
from tests.faults.here import retailer

BODY_MAX = 65_536
ORDER = {
    "id": 1,
    "name": "#1",
    "created_at": "2026-03-01T10:00:00Z",
    "updated_at": "2026-03-01T10:00:00Z",
    "currency": "EUR",
    "financial_status": "paid",
    "taxes_included": True,
    "total_price": "10.00",
    "subtotal_price": "10.00",
    "total_tax": "0.00",
    "total_discounts": "0.00",
    "line_items": [
        {
            "id": 10,
            "title": "Mug",
            "sku": "SKU-0001",
            "quantity": 1,
            "price": "10.00",
            "total_discount": "0.00",
            "requires_shipping": True,
            "fulfillable_quantity": 1,
            "fulfillment_service": "manual",
            "tax_lines": [],
            "discount_allocations": [],
        }
    ],
    "shipping_lines": [],
    "refunds": [],
    "fulfillments": [],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with retailer(tmp_path_factory.mktemp("intake"), more=f"[limits]\nbody_bytes_max = {BODY_MAX}") as made:
        yield made


class Reply:
    def __init__(self, reply):
        self.status, self.headers = reply.status, dict(reply.getheaders())
        raw = reply.read()
        self.json = json.loads(raw) if raw.startswith(b"{") else {}

    def __repr__(self):
        return f"{self.status} {self.json}"


def deliver(shop, path, headers, body, method="POST"):
    """One request by a client that adds and checks nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if "content-length" not in headers:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def as_shopify(body, topic="orders/create", delivery="", **more):
    signature = base64.b64encode(hmac.digest(b"shop-secret", body, "sha256")).decode()
    headers = {"x-shopify-topic": topic, "x-shopify-hmac-sha256": signature}
    return headers | ({"x-shopify-webhook-id": delivery} if delivery else {}) | more


def as_wms(body, kind="shipment.created", **more):
    return {"x-crossdock-event": kind, "x-crossdock-signature": sign("wms-secret", body)} | more


def order(number, **fields):
    return json.dumps(ORDER | {"id": number, "name": f"#{number}"} | fields).encode()


STANDING = """
select reason from case_file where message = ?1 and closed_at = 0
union all select outcome from message where id = ?1
union all select 'waiting behind ' || h.message from inbox i
  join hold h on h.subject = i.subject and h.source = i.source and h.message <> i.id where i.id = ?1 and i.state = 2
"""


def standing(shop, receipt):
    """What became of a delivery: the reason of its case, its outcome, or what it waits behind."""
    connection = apsw.Connection(str(shop.hub.store.path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found = eventually(
            lambda: connection.execute(STANDING, (int(receipt.json["message"]),)).fetchall(),
            told=lambda: receipt,
        )
    finally:
        connection.close()
    return found[0][0]


def accepted(shop):
    """How many messages of partners are kept, by source."""
    return {source: n for source, name, n in shop.rows("counters") if name == "accepted" and source != "hub"}


HOSTILE = {
    "NaN": b'{"id": 7, "total_price": NaN}',
    "infinity": b'{"id": 7, "total_price": 1e999}',
    "negative infinity": b'{"id": 7, "total_price": -Infinity}',
    "duplicate key": order(7).replace(b'"id": 7', b'"id": 7, "id": 8', 1),
    "duplicate nested key": order(7).replace(b'"sku"', b'"sku": "A", "sku"', 1),
    "deep lists": b'{"id": 7, "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep and open": b"[" * 60_000,
    "huge integer id": b'{"id": ' + b"9" * 400 + b"}",
    "huge integer": order(7, total_price=10**300),
    "huge exponent": b'{"id": 7, "total_price": "1e400"}',
    "NUL in a text": order(7, note="a\0b"),
    "NUL in the id": b'{"id": "7\\u0000"}',
    "NUL as it is": b'{"id": "7\x00"}',
    "lone surrogate": b'{"id": 7, "note": "\\ud800"}',
    "lone surrogate in the id": b'{"id": "\\udc00"}',
    "lone surrogate in bytes": b'{"id": 7, "note": "\xed\xa0\x80"}',
    "not UTF-8": b'{"id": 7, "note": "\xff\xfe"}',
    "byte order mark": b"\xef\xbb\xbf" + order(7),
    "UTF-16": order(7).decode().encode("utf-16"),
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "a number": b"7",
    "a text": b'"7"',
    "a list": b"[]",
    "an empty object": b"{}",
    "cut off": order(7)[:200],
    "two values": order(7) + order(8),
    "id is null": b'{"id": null}',
    "id is a list": b'{"id": [7]}',
    "id is an object": b'{"id": {"a": 1}}',
    "id is negative": b'{"id": -7}',
    "id is a fraction": b'{"id": 7.5}',
    "id is endless": json.dumps({"id": "x" * 5_000}).encode(),
    "lines are an object": order(7, line_items={"a": 1}),
    "XML": b"<?xml version='1.0'?><order/>",
    "random bytes": bytes(range(256)),
}


@pytest.mark.fault(47)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("topic", ["orders/create", "fulfillments/create", "products/update", "carts/create"])
def test_a_signed_body_that_means_nothing_is_kept_and_stands_where_a_person_sees_it(shop, name, topic):
    body = HOSTILE[name]
    reply = deliver(shop, "/in/shop", as_shopify(body, topic), body)
    assert reply.status == 200, (name, reply)
    harmless = () if topic in ("orders/create", "fulfillments/create") else ("processed", "unhandled")
    assert standing(shop, reply).startswith(("mapping", "waiting behind", *harmless)), name


@pytest.mark.fault(47)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["shipment.created", "stock.changed", "no.such.event"])
def test_a_signed_event_that_means_nothing_is_kept_and_stands_where_a_person_sees_it(shop, name, kind):
    body = HOSTILE[name]
    reply = deliver(shop, "/in/wms", as_wms(body, kind), body)
    assert reply.status == 200, (name, reply)
    assert standing(shop, reply) not in ("internal", "crash"), name


@pytest.mark.fault(47)
def test_nothing_hostile_has_become_an_internal_error_or_a_document(shop):
    reasons = {case["reason"] for case in shop.cases()}
    assert "internal" not in reasons
    assert "crash" not in reasons
    for erp in ("erp_key", "erp_lookup"):
        assert all(sale["channel_order"] != "7" for sale in shop.state(erp)["documents"])


@pytest.mark.fault(47)
@pytest.mark.parametrize(
    "more",
    [
        {"x-shopify-topic": "\u00e9".encode("latin-1")},
        {"x-shopify-topic": "orders/create\t"},
        {"x-shopify-topic": "o" * 5_000},
        {"x-shopify-webhook-id": "d" * 5_000},
        {"x-shopify-webhook-id": b"\xff\xfe"},
        {f"x-{n}": "y" for n in range(60)},
    ],
    ids=["not ascii", "blank", "endless topic", "endless id", "id not ascii", "many"],
)
def test_no_header_makes_the_gate_fail(shop, more):
    body = order(9)
    assert deliver(shop, "/in/shop", as_shopify(body, **more), body).status in (200, 400, 401, 431)


@pytest.mark.parametrize(
    "path", ["/in/", "/in/nobody", "/in/shop/", "/in/%00", "/in/%ff", "/in/shop%0a", "/in/" + "x" * 3_000]
)
def test_a_path_that_is_no_connection_is_not_found(shop, path):
    assert deliver(shop, path, as_shopify(b"{}"), b"{}").status == 404


LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE order [<!ENTITY a "ha">""" + b"".join(
    b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10 if n > 1 else b"&a;" * 10) for n in range(1, 12)
)
XML = {
    "entities that grow": LAUGHS + b"]><order>&a11;</order>",
    "a file of ours": b'<!DOCTYPE o [<!ENTITY x SYSTEM "file:///etc/passwd">]><o>&x;</o>',
    "an address": b'<!DOCTYPE o SYSTEM "http://127.0.0.1:9/o.dtd"><o/>',
}


@pytest.mark.fault(49)
@pytest.mark.parametrize("name", XML)
def test_xml_is_never_parsed_whatever_it_says_it_is(shop, name):
    body = XML[name]
    for path, headers in (("/in/shop", as_shopify(body)), ("/in/wms", as_wms(body))):
        reply = deliver(shop, path, headers | {"content-type": "application/xml"}, body)
        assert reply.status == 200
        assert standing(shop, reply).startswith(("mapping", "waiting behind"))
    assert b"root:" not in json.dumps(shop.cases()).encode()


@pytest.mark.fault(52)
@pytest.mark.parametrize("step", ["..", "%2e%2e", "..%2f", "..%5c", "%2e%2e%2f", "....//", "%252e%252e%252f"])
def test_no_path_leads_out_of_the_folder_of_assets(shop, step):
    for depth in (1, 3, 9):
        path = f"/assets/{f'{step}/' * depth}"
        for name in ("etc/passwd", "templates/base.html", "face.py", "%00"):
            assert deliver(shop, path + name, {}, b"", method="GET").status in (400, 404)


# Size


@pytest.mark.fault(48)
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip"])
def test_a_compressed_body_is_refused_unread(shop, encoding):
    bomb = gzip.compress(b"0" * 10_000_000) if "zip" in encoding.lower() else zlib.compress(b"0" * 10_000_000)
    reply = deliver(shop, "/in/shop", as_shopify(bomb, **{"content-encoding": encoding}), bomb)
    assert (reply.status, reply.json["field"]) == (400, "content-encoding")


@pytest.mark.fault(48)
@pytest.mark.parametrize("over", [1, 10_000, 3_000_000])
def test_a_body_over_the_limit_is_refused(shop, over):
    body = b"x" * (BODY_MAX + over)
    try:
        assert deliver(shop, "/in/shop", as_shopify(body), body).status == 413
    except (BrokenPipeError, ConnectionResetError):
        assert over > 100_000, "hung up on before it had sent it all"


@pytest.mark.fault(48)
def test_a_body_over_the_limit_that_does_not_say_so_is_refused(shop):
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=20)
    body = b"x" * (BODY_MAX * 2)
    try:
        connection.request("POST", "/in/shop", iter([body]), as_shopify(body), encode_chunked=True)
        assert connection.getresponse().status == 413
    finally:
        connection.close()


@pytest.mark.fault(48)
def test_a_body_at_the_limit_is_taken(shop):
    body = json.dumps({"id": 5, "note": ""}).encode()
    body = body.replace(b'""', b'"' + b"x" * (BODY_MAX - len(body)) + b'"')
    assert len(body) == BODY_MAX
    assert deliver(shop, "/in/shop", as_shopify(body), body).status == 200


# Who it is


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    "signature",
    ["", "x", "é".encode("latin-1"), b"\xff\xfe", "=" * 44, "A" * 44, "sha256=" + "0" * 64, "a" * 5_000],
    ids=repr,
)
def test_any_other_signature_is_401_and_nothing_is_kept(shop, signature):
    before = accepted(shop)
    body = order(11)
    reply = deliver(shop, "/in/shop", as_shopify(body) | {"x-shopify-hmac-sha256": signature}, body)
    assert reply.status == 401
    event = deliver(shop, "/in/wms", as_wms(body) | {"x-crossdock-signature": signature}, body)
    assert event.status == 401
    assert accepted(shop) == before


def test_a_traceparent_goes_with_the_order_and_a_bad_one_is_replaced(shop):
    wanted = "4bf92f3577b34da6a3ce929d0e0e4736"
    for number, (given, kept) in enumerate(
        [
            (f"00-{wanted}-00f067aa0ba902b7-01", True),
            (f"00-{wanted}-00f067aa0ba902b7-01-more", True),
            (f"00-{wanted.upper()}-00f067aa0ba902b7-01", False),
            (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
            (f"00-{'g' * 32}-00f067aa0ba902b7-01", False),
            ("nonsense", False),
            (b"\xff", False),
            ("-" * 900, False),
        ]
    ):
        body = order(2_000 + number)
        reply = deliver(shop, "/in/shop", as_shopify(body, traceparent=given), body)
        assert reply.status == 200
        with shop.hub.reads() as reads:
            (subject,) = reads.find(str(2_000 + number), ["shop"])
            (trace, _), *_ = reads.rows("get_subject", subject)
        assert (trace == wanted) == kept, given
        assert len(trace) == 32


# The same again


@pytest.mark.fault(33)
def test_a_thousand_copies_at_once_are_one_message_and_one_sale(shop):
    body = order(3_000)
    headers = as_shopify(body, delivery="same")

    def post_some(count):
        connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=30)
        replies = []
        for _ in range(count):
            connection.request("POST", "/in/shop", body, headers)
            reply = connection.getresponse()
            replies.append((reply.status, json.loads(reply.read())))
        connection.close()
        return replies

    with ThreadPoolExecutor(20) as pool:
        replies = [reply for part in pool.map(post_some, [50] * 20) for reply in part]
    assert {status for status, _ in replies} == {200}
    assert len({answer["message"] for _, answer in replies}) == 1
    assert [answer["duplicate"] for _, answer in replies].count(False) == 1
    sales = eventually(
        lambda: [s for s in shop.state("erp_key")["documents"] if s["channel_order"] == "3000"]
    )
    assert len(sales) == 1
    assert len(shop.timeline("3000")["messages"] + shop.timeline("3000")["inbox"]) >= 1


@pytest.mark.fault(34)
def test_the_same_version_with_another_body_is_a_conflict_that_a_person_sees_and_nothing_is_overwritten(shop):
    body = order(4_000)
    other = order(4_000, total_price="12.00", subtotal_price="12.00")
    other = other.replace(b'"price": "10.00"', b'"price": "12.00"')
    first = deliver(shop, "/in/shop", as_shopify(body, delivery="once"), body)
    assert standing(shop, first) == "processed"
    second = deliver(shop, "/in/shop", as_shopify(other, delivery="once"), other)
    assert (second.status, second.json["duplicate"]) == (200, False)
    assert standing(shop, second) == "conflict"
    (sale,) = eventually(
        lambda: [s for s in shop.state("erp_key")["documents"] if s["channel_order"] == "4000"]
    )
    assert sale["total"] == 1_000


def test_after_all_of_it_the_books_balance(shop):
    eventually(lambda: not [row for row in shop.rows("inbox_by_state") if row[1] == 0])
    with shop.hub.reads() as reads:
        assert [check.text for check in prove(reads, clock_us()) if not check.ok] == []
