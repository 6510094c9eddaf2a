import msgspec
import pytest

from crossdock.errors import MappingError
from crossdock.model import (
    Address,
    Charge,
    ConnectionId,
    Discount,
    DiscountAllocation,
    ExchangeRate,
    Hold,
    LineId,
    Order,
    OrderLine,
    Party,
    ShippingCharge,
    TaxId,
    TaxLine,
    Tender,
    as_utc,
)
from tests.model.builders import NOON, make_line, make_order, rich_order

FORMATS = [msgspec.json, msgspec.msgpack]

SET_BY_THE_RICH_ORDER = [
    Order,
    OrderLine,
    ShippingCharge,
    Charge,
    Discount,
    DiscountAllocation,
    TaxLine,
    Tender,
    ExchangeRate,
    Hold,
    Party,
    Address,
    TaxId,
]


@pytest.mark.parametrize("wire", FORMATS, ids=["json", "msgpack"])
def test_an_order_that_uses_everything_comes_back_the_same(wire):
    order = rich_order()
    assert wire.decode(wire.encode(order), type=Order) == order


def test_what_is_written_twice_is_written_the_same():
    text = msgspec.json.encode(rich_order())
    assert msgspec.json.encode(msgspec.json.decode(text, type=Order)) == text


def test_the_rich_order_uses_every_field_that_an_order_has():
    used: dict[str, set[str]] = {}
    collect_used_fields(rich_order(), used)
    fields = {(kind.__name__, name) for kind in SET_BY_THE_RICH_ORDER for name in kind.__struct_fields__}
    unused = {(kind, name) for kind, name in fields if name not in used[kind]}
    assert unused == {("Order", "commitment"), ("Order", "cancelled_at"), ("Order", "cancel_reason")}


def test_defaults_are_left_out_of_the_wire():
    text = msgspec.json.encode(make_order(make_line(unit_price=None)))
    assert set(msgspec.json.decode(text)) == {
        "connection",
        "external_id",
        "version",
        "currency",
        "lines",
        "buyer_total",
    }


def test_fields_of_a_later_version_are_passed_over():
    text = msgspec.json.encode(make_order()).replace(b"{", b'{"invented_later":[1],', 1)
    assert msgspec.json.decode(text, type=Order) == make_order()


IMPOSSIBLE_ORDERS = [
    ({"connection": ""}, "connection, external_id and version"),
    ({"external_id": ""}, "connection, external_id and version"),
    ({"version": ""}, "connection, external_id and version"),
    ({"currency": "Euro"}, "'Euro' is no ISO 4217 currency"),
    ({"buyer_total": None}, "a committed order has a total"),
]


@pytest.mark.parametrize(("fields", "why"), IMPOSSIBLE_ORDERS)
def test_an_impossible_order_is_refused_with_field_and_remedy(fields, why):
    with pytest.raises(MappingError, match=why) as caught:
        make_order(**fields)
    assert caught.value.field


IMPOSSIBLE_LINES = [
    ({"gross": 5}, "is not gross"),
    ({"id": LineId("")}, "the channel's line id, or the position"),
    ({"quantity_scale": -1}, "0 to 6 decimals"),
    ({"quantity_scale": 7}, "0 to 6 decimals"),
]


@pytest.mark.parametrize(("fields", "why"), IMPOSSIBLE_LINES)
def test_an_impossible_line_is_refused_with_field_and_remedy(fields, why):
    with pytest.raises(MappingError, match=why):
        msgspec.structs.replace(make_line(), **fields)


@pytest.mark.parametrize(
    "component",
    [
        lambda: ShippingCharge(id="1", price=10, net=10, tax=1, gross=10),
        lambda: Charge(kind="tip", price=10, net=10, tax=1, gross=10),
    ],
)
def test_no_component_has_amounts_that_contradict_each_other(component):
    with pytest.raises(MappingError, match=r"gross: net 10 \+ tax 1 is not gross 10"):
        component()


def test_a_decoder_tells_where_an_impossible_value_stands():
    text = msgspec.json.encode(make_order()).replace(b'"gross":1000', b'"gross":1001')
    with pytest.raises(msgspec.ValidationError, match=r"gross.*`\$\.lines\[0\]`"):
        msgspec.json.decode(text, type=Order)


@pytest.mark.parametrize("amount", [2**53, -(2**53), 10**40])
def test_an_amount_that_json_readers_would_round_does_not_decode(amount):
    text = msgspec.json.encode(make_order()).replace(b'"buyer_total":1000', b'"buyer_total":%d' % amount)
    with pytest.raises(msgspec.ValidationError, match="buyer_total"):
        msgspec.json.decode(text, type=Order)


def test_a_time_without_a_zone_does_not_decode():
    text = msgspec.json.encode(make_order(occurred_at=NOON)).replace(b"123456Z", b"123456")
    with pytest.raises(msgspec.ValidationError, match="occurred_at"):
        msgspec.json.decode(text, type=Order)


def test_a_time_without_a_zone_is_refused_by_name():
    with pytest.raises(MappingError, match="created_at: the time has no zone"):
        as_utc(NOON.replace(tzinfo=None), field="created_at")


def test_an_order_cannot_be_changed():
    with pytest.raises(AttributeError):
        rich_order().buyer_total = 0


FACTS = [
    ("a till takes back", lambda: make_line(ordered=-1, fulfilled=-1)),
    ("more shipped than ordered", lambda: make_line(ordered=1, fulfilled=2)),
    ("returned, never shipped", lambda: make_line(returned=1)),
    ("a price below zero", lambda: make_line(price=-500)),
    ("an empty SKU", lambda: make_line(sku="")),
    ("a total of nothing", lambda: make_order(buyer_total=0)),
    ("a total below zero", lambda: make_order(make_line(ordered=-1))),
    ("parts that do not add up", lambda: make_order(buyer_total=1)),
    ("no lines", lambda: msgspec.structs.replace(make_order(), lines=())),
    ("tentative without a total", lambda: make_order(commitment="tentative", buyer_total=None)),
    ("void without a total", lambda: make_order(commitment="void", buyer_total=None)),
    ("no buyer", lambda: make_order(buyer=None)),
    ("a guest without a name", lambda: make_order(buyer=Party(kind="guest"))),
]


@pytest.mark.parametrize(("fact", "build"), FACTS, ids=[fact for fact, _ in FACTS])
def test_a_fact_from_elsewhere_is_never_impossible(fact, build):
    value = build()
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_ids_are_texts_on_the_wire_and_numbers_are_refused():
    with pytest.raises(msgspec.ValidationError, match=r"external_id"):
        msgspec.convert(
            {"connection": ConnectionId("shop"), "external_id": 7, "version": "1", "currency": "EUR"}, Order
        )


def collect_used_fields(value: object, used: dict[str, set[str]]) -> None:
    """Note every field that holds something else than its default."""
    if isinstance(value, tuple):
        for item in value:
            collect_used_fields(item, used)
    if not isinstance(value, msgspec.Struct):
        return
    for field in msgspec.structs.fields(value):
        content = getattr(value, field.name)
        if content != field.default:
            used.setdefault(type(value).__name__, set()).add(field.name)
        collect_used_fields(content, used)
