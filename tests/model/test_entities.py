import json
from datetime import date

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock import model as m
from crossdock.errors import MappingError
from crossdock.model.contracts import schemas
from tests.model.builders import NOON, SHOP, make_order

SKU, STORE = m.Sku("SKU-1"), m.LocationId("berlin-1")
ORDER, LINE = m.OrderId("ord-1"), m.LineId("1")
ONE = (m.LineQuantity(line=LINE, quantity=1),)


def request(**fields):
    return m.FulfilmentRequest(
        id=m.FulfilmentRequestId("fr"), order=ORDER, location=STORE, **({"lines": ONE} | fields)
    )


def movement(**fields):
    defaults = {"bucket": "on_hand", "quantity": -1, "reason": "sale"}
    return m.StockMovement(id=m.MovementId("m-1"), sku=SKU, **(defaults | fields))


def reservation(**fields):
    defaults = {"quantity": 1, "pool": "web"}
    return m.Reservation(id=m.ReservationId("r-1"), order=ORDER, line=LINE, sku=SKU, **(defaults | fields))


def case(**fields):
    return m.Case(id=m.CaseId("c-1"), **({"reason": "totals.difference", "message": "Check it."} | fields))


def settled(**fields):
    amounts = {"gross": 100, "fees": 10, "tax_withheld": 5, "net": 85}
    return m.SettlementLine(
        settlement=m.SettlementId("s-1"), kind="sale", currency="EUR", **(amounts | fields)
    )


def cash(counted):
    return m.TenderControl(kind="cash", expected=5000, counted=counted)


IMPOSSIBLE = [
    (lambda: m.ExternalRef(connection=SHOP, kind="order", id=""), "needs connection, kind and id"),
    (lambda: m.FactRef(kind="", id="1"), "needs kind and id"),
    (lambda: m.Quantity(value=1, scale=7), "scale: a quantity has 0 to 6 decimals"),
    (lambda: m.UnitPrice(value=1, scale=19), "scale: must be 0 to 18 decimals"),
    (lambda: request(attempt=0), "attempt: attempts count from 1"),
    (lambda: request(lines=()), "lines: a request asks for at least one line"),
    (lambda: request(lines=(m.LineQuantity(line=LINE, quantity=0),)), "more than zero of each line"),
    (lambda: movement(quantity=0), "quantity: a movement moves something"),
    (lambda: reservation(quantity=0), "quantity: reserve more than zero"),
    (lambda: reservation(location=STORE), "at a location or in a pool, one of the two"),
    (lambda: reservation(pool=""), "at a location or in a pool, one of the two"),
    (lambda: m.StockLevel(sku=SKU, net_of=("reserved",)), "net_of: only a net figure"),
    (lambda: m.Component(sku=SKU, quantity=0), "component.quantity: a component counts at least one"),
    (lambda: m.SequenceRange(register="1", first=2, last=1), "first number of a range is not above its last"),
    (lambda: settled(net=86), "gross - fees - tax withheld is 85, not 86"),
    (lambda: case(message=""), "needs a reason and a message"),
    (lambda: case(state="resolved"), "a resolved case says how"),
    (lambda: case(resolution="retried"), "a resolved case says how"),
    (lambda: m.CloudEvent(id="", source="/crossdock", type="order.taken"), "wants id, source and type"),
    (lambda: m.RefundLine(net=1, tax=1, gross=1), "is not gross"),
    (lambda: m.RefundShipping(net=1, tax=1, gross=1), "is not gross"),
    (lambda: m.RefundAdjustment(kind="other", net=1, tax=1, gross=1), "is not gross"),
    (lambda: m.Payment(currency="XYZ", amount=1), "no ISO 4217 currency"),
    (lambda: m.Price(sku=SKU, currency="XYZ", unit_price=m.UnitPrice(value=1)), "no ISO 4217 currency"),
]


@pytest.mark.parametrize(("build", "why"), IMPOSSIBLE)
def test_an_impossible_value_is_refused_with_the_remedy(build, why):
    with pytest.raises(ValueError, match=why) as caught:
        build()
    assert isinstance(caught.value, MappingError)


NAIVE = NOON.replace(tzinfo=None)
WITHOUT_ZONE = [
    lambda: make_order(received_at=NAIVE),
    lambda: m.Shipment(lines=(), shipped_at=NAIVE),
    lambda: m.Cancellation(requested_at=NAIVE),
    lambda: m.Return(lines=(), received_at=NAIVE),
    lambda: m.Refund(currency="EUR", total=1, occurred_at=NAIVE),
    lambda: m.Payment(currency="EUR", amount=1, authorised_until=NAIVE),
    lambda: m.StockLevel(sku=SKU, as_of=NAIVE),
]


@pytest.mark.parametrize("build", WITHOUT_ZONE)
def test_a_time_without_a_zone_is_never_written_where_it_could_not_be_read_again(build):
    with pytest.raises(MappingError, match="the time has no zone"):
        build()


FACTS = [
    m.StockLevel(sku=SKU, on_hand=-5),
    m.Payment(currency="EUR", amount=100, captured=100, refunded=150),
    m.Refund(currency="EUR", total=1),
    m.Refund(currency="EUR", total=-1),
    m.Return(lines=(m.ReturnLine(quantity=1),)),
    m.Shipment(lines=()),
    m.Shipment(lines=(m.LineQuantity(line=LINE, quantity=-1),)),
    m.Settlement(connection=SHOP, external_id="1", currency="EUR", gross=100, net=7),
    m.Payout(connection=SHOP, external_id="1", currency="EUR", amount=-1),
    m.TillTicket(location=STORE, register="1", sequence=7, business_date=date(2026, 3, 28), kind="void"),
    cash(4900),
    movement(corrects=m.MovementId("m-0")),
    reservation(),
    reservation(pool="", location=STORE),
    case(state="resolved", resolution="retried"),
    settled(),
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_what_happened_elsewhere_can_be_held(fact):
    assert msgspec.json.decode(msgspec.json.encode(fact), type=type(fact)) == fact


CLAIMED = {"reserved": 1, "allocated": 2, "safety_stock": 3, "quarantined": 4, "committed_elsewhere": 5}
AVAILABLE = [
    ({"on_hand": 100}, 100),
    ({"on_hand": 100, **CLAIMED}, 85),
    ({"on_hand": 100, **CLAIMED, "incoming": 50}, 85),
    ({"on_hand": 3, **CLAIMED}, -12),
    ({"on_hand": 0}, 0),
    ({"on_hand": None, **CLAIMED}, None),
    ({"on_hand": 100, **CLAIMED, "basis": "net", "net_of": ("reserved", "committed_elsewhere")}, 91),
    ({"on_hand": 100, **CLAIMED, "basis": "net", "net_of": tuple(CLAIMED)}, 100),
]


@pytest.mark.parametrize(("buckets", "available"), AVAILABLE)
def test_available_to_sell_is_on_hand_less_every_claim_and_unknown_where_on_hand_is(buckets, available):
    assert m.StockLevel(sku=SKU, **buckets).available_to_sell == available


@pytest.mark.parametrize(("counted", "over_short"), [(5100, 100), (4900, -100), (5000, 0), (None, 0)])
def test_a_till_is_over_or_short_by_what_was_counted(counted, over_short):
    assert cash(counted).over_short == over_short


EVENT = m.CloudEvent(
    id="evt-1",
    source="/crossdock/hub-1",
    type="org.crossdock.order.taken.v1",
    subject="ord-1",
    time=NOON,
    datacontenttype="application/json",
    data=m.LineQuantity(line=LINE, quantity=1),
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    correlationid="cor-1",
    causationid="msg-1",
)


def test_an_event_is_a_cloud_event_in_structured_json():
    assert json.loads(msgspec.json.encode(EVENT)) == {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "/crossdock/hub-1",
        "type": "org.crossdock.order.taken.v1",
        "subject": "ord-1",
        "time": "2026-03-28T12:00:00.123456Z",
        "datacontenttype": "application/json",
        "data": {"line": "1", "quantity": 1},
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "correlationid": "cor-1",
        "causationid": "msg-1",
    }
    assert EVENT.specversion == "1.0"


def test_an_event_has_only_attributes_that_cloud_events_allows(shared):
    text = (shared / "specs" / "cloudevents" / "cloudevents.json").read_text(encoding="utf-8")
    jsonschema.validate(json.loads(msgspec.json.encode(EVENT)), json.loads(text))
    names = set(m.CloudEvent.__struct_fields__)
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in names)


def test_an_envelope_of_another_version_does_not_decode():
    text = b'{"specversion":"0.3","id":"1","source":"/s","type":"t"}'
    with pytest.raises(msgspec.ValidationError, match="specversion"):
        msgspec.json.decode(text, type=m.CloudEvent)


def test_an_event_satisfies_its_published_contract():
    schema = json.loads(schemas()["cloud_event.json"])
    jsonschema.Draft202012Validator(schema).validate(json.loads(msgspec.json.encode(EVENT)))


@given(
    net=st.integers(-500, 5000),
    taxes=st.lists(st.integers(-50, 900), max_size=3),
    quantity=st.integers(0, 9),
    never=st.integers(0, 10),
)
def test_a_refund_line_of_what_left_and_what_did_not_is_two_lines_and_exact(net, taxes, quantity, never):
    tax = sum(taxes)
    told = tuple(m.TaxLine(amount=amount) for amount in taxes)
    line = m.RefundLine(
        net=net, tax=tax, gross=net + tax, quantity=quantity, restock="no_restock", taxes=told
    )
    parts = line.never_left(never)
    for name in ("net", "tax", "gross", "quantity"):
        assert sum(getattr(part, name) for part in parts) == getattr(line, name)
    gone = sum(part.quantity for part in parts if part.restock == "cancelled")
    assert gone == min(never, quantity)
    for part in parts if told else ():
        assert sum(one.amount for one in part.taxes) == part.tax
