"""The ERP connector: documents are made once and found again, and all of it against the published contract."""

import importlib
import importlib.resources
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from crossdock.connectors.erp import SPEC, build
from crossdock.errors import (
    ConflictError,
    ContractError,
    MappingError,
    RejectedError,
    ThrottledError,
    UnclearError,
)
from crossdock.model.commands import AmendSale, CancelSale, CreateDelivery, CreateInvoice, CreateSale, Poll
from crossdock.model.fulfilment import Package, Shipment
from crossdock.model.ids import LineId, OrderId, ShipmentId, Sku
from crossdock.model.quantity import LineQuantity
from crossdock.sdk.calls import Done, Page, Refused
from crossdock.sdk.spec import Translation
from crossdock.simulator.erp import ErpSimulator
from crossdock.simulator.faults import Faulty, Plan
from tests.connectors.driving import (
    AGAIN,
    FIRST,
    NOW,
    OTHER,
    SECOND,
    Wire,
    canned,
    contract,
    drive,
    reply,
    require_schema,
)
from tests.model.builders import make_line, make_order, rich_order

SETTINGS = {"url": "http://erp.example", "token": "t", "webhook_secret": "s"}
CONNECTOR = build(SETTINGS)
CONTEXT = Translation(connection="erp", subject="")
ORDER_ID = OrderId("CD0000000001")
ORDER = make_order(
    make_line("1", ordered=3, price=1990, percent=19), make_line("2", price=500), id=ORDER_ID, number="#1001"
)
SALE = CreateSale(order=ORDER, order_id=ORDER_ID)


def erp(**settings):
    return Wire(ErpSimulator({"token": "t", **settings}, seed=1), CONNECTOR.request_headers())


def quantities(*lines):
    return tuple(LineQuantity(line=LineId(line), quantity=n, sku=Sku(f"SKU-{line}")) for line, n in lines)


def shipment(*lines, id="sh-1"):
    packages = (Package(tracking_number="T1"), Package())
    return Shipment(id=ShipmentId(id), order=ORDER_ID, lines=quantities(*lines), packages=packages)


def sold(wire):
    outcome = drive(CONNECTOR.create_sale(SALE, FIRST), wire)
    assert isinstance(outcome, Done)
    return outcome.reference


def intent(key):
    return msgspec.structs.replace(FIRST, key=key)


def test_the_contract_is_valid_openapi():
    OpenAPIV31SpecValidator(contract("erp")).validate()


def test_a_sale_is_made_once_and_its_total_comes_back():
    wire = erp()
    assert drive(CONNECTOR.create_sale(SALE, FIRST), wire) == Done(reference="S1", total=ORDER.buyer_total)
    assert drive(CONNECTOR.create_sale(SALE, FIRST), wire) == Done(reference="S1", total=ORDER.buyer_total)
    assert wire.simulator.state()["sales"] == 1
    assert wire.methods() == ["POST", "POST"]
    assert {request.headers["idempotency-key"] for request in wire.requests} == {FIRST.key}


def test_a_total_that_the_erp_makes_otherwise_is_told_as_it_is():
    assert drive(CONNECTOR.create_sale(SALE, FIRST), erp(rounding=1)).total == ORDER.buyer_total + 1


@pytest.mark.fault(3)
@pytest.mark.parametrize("idempotency", ["key", "lookup"])
def test_a_second_try_asks_first_and_makes_nothing_twice(idempotency):
    connector = build(SETTINGS | {"idempotency": idempotency})
    wire = erp(idempotency="none")
    drive(connector.create_sale(SALE, FIRST), wire)
    outcome = drive(connector.create_sale(SALE, AGAIN), wire)
    assert outcome == Done(reference="S1", total=ORDER.buyer_total, already=True)
    assert wire.methods() == ["POST", "GET"]
    assert wire.simulator.state()["doubles"] == {}


def test_a_second_try_that_finds_nothing_makes_the_document():
    wire = erp()
    assert drive(CONNECTOR.create_sale(SALE, AGAIN), wire).already is False
    assert wire.methods() == ["GET", "POST"]


def test_two_documents_under_one_reference_are_a_conflict_for_a_person():
    two = reply({"documents": [{"id": "S1"}, {"id": "S2"}]})
    with pytest.raises(ConflictError, match="S1, S2"):
        drive(CONNECTOR.create_sale(SALE, AGAIN), canned(two))


def test_the_spec_of_a_connection_says_how_its_erp_avoids_doubles():
    assert {o.doubles for o in SPEC.operations if o.kind == "once"} == {"key"}
    spec = build(SETTINGS | {"idempotency": "lookup"}).spec
    assert {o.doubles for o in spec.operations if o.kind == "once"} == {"lookup"}


def test_everything_that_an_order_can_be_fits_the_contract_and_adds_up():
    wire = erp()
    connector = build(SETTINGS | {"customers": "per_buyer"})
    order = msgspec.structs.replace(rich_order(), id=ORDER_ID)
    outcome = drive(connector.create_sale(CreateSale(order=order), FIRST), wire)
    assert outcome == Done(reference="S1", total=order.buyer_total)
    require_schema(contract("erp"), "Sale", wire.requests[0].body)
    sent = msgspec.json.decode(wire.requests[0].body)
    parts = [*sent["lines"], *sent["shipping"], *sent["charges"]]
    assert sum(part["gross"] for part in parts) == sent["total"] == order.buyer_total
    assert (sent["exponent"], sent["test"], sent["receivable"]) == (2, True, order.channel_receivable)


@pytest.mark.parametrize(
    ("customers", "account", "person"),
    [
        ("per_channel", "channel:shop", False),
        ("per_store", "store:berlin-1", False),
        ("per_buyer", None, True),
    ],
)
def test_only_where_customers_are_per_buyer_does_the_erp_learn_the_person(customers, account, person):
    wire = erp()
    order = msgspec.structs.replace(rich_order(), id=ORDER_ID)
    drive(build(SETTINGS | {"customers": customers}).create_sale(CreateSale(order=order), FIRST), wire)
    customer = msgspec.json.decode(wire.requests[0].body)["customer"]
    assert account in (None, customer["account"])
    assert ("email" in customer) is person


def test_a_tentative_order_makes_no_document():
    order = make_order(id=ORDER_ID, commitment="tentative", buyer_total=None)
    with pytest.raises(MappingError) as caught:
        drive(CONNECTOR.create_sale(CreateSale(order=order), FIRST), erp())
    assert caught.value.field == "buyer_total"


def test_a_sale_without_its_order_is_refused_before_anything_is_sent():
    wire = erp()
    with pytest.raises(RejectedError):
        drive(CONNECTOR.create_sale(CreateSale(order_id=ORDER_ID), FIRST), wire)
    assert wire.requests == []


def test_deliveries_and_invoices_are_made_per_shipment_and_add_up_to_the_sale():
    wire = erp()
    reference = sold(wire)
    invoiced = 0
    for n, lines in enumerate(([("1", 1)], [("1", 2), ("2", 1)])):
        sent = shipment(*lines, id=f"sh-{n}")
        fields = {"order_id": ORDER_ID, "shipment": sent, "sale_reference": reference}
        drive(CONNECTOR.create_delivery(CreateDelivery(**fields), intent(f"d{n}")), wire)
        invoiced += drive(CONNECTOR.create_invoice(CreateInvoice(**fields), intent(f"i{n}")), wire).total
    state = wire.simulator.state()
    assert (state["deliveries"], state["invoices"], invoiced) == (2, 2, ORDER.buyer_total)
    assert state["documents"][0]["delivered"] == {"1": 3, "2": 1}
    for request in wire.requests[1:]:
        require_schema(contract("erp"), "Document", request.body)
    assert msgspec.json.decode(wire.requests[1].body)["reference"] == f"{ORDER_ID}/sh-0"


def test_a_delivery_that_may_have_happened_is_found_by_its_shipment():
    wire = erp(idempotency="none")
    command = CreateDelivery(order_id=ORDER_ID, shipment=shipment(("1", 1)), sale_reference=sold(wire))
    drive(CONNECTOR.create_delivery(command, OTHER), wire)
    outcome = drive(CONNECTOR.create_delivery(command, AGAIN), wire)
    assert (outcome.reference, outcome.already) == ("D1", True)
    assert outcome.booked_at == datetime.fromtimestamp(NOW / SECOND, UTC)


def test_a_shipment_without_an_id_makes_no_document():
    command = CreateDelivery(order_id=ORDER_ID, shipment=shipment(("1", 1), id=""))
    with pytest.raises(MappingError) as caught:
        drive(CONNECTOR.create_delivery(command, FIRST), erp())
    assert caught.value.field == "shipment.id"


def test_a_sale_is_cancelled_in_part_and_then_whole():
    wire = erp()
    fields = {"order_id": ORDER_ID, "sale_reference": sold(wire), "reason": "buyer"}
    drive(CONNECTOR.cancel_sale(CancelSale(lines=quantities(("1", 1)), **fields), intent("c1")), wire)
    drive(CONNECTOR.cancel_sale(CancelSale(**fields), intent("c2")), wire)
    (sale,) = wire.simulator.state()["documents"]
    assert (sale["cancelled"], sale["changes"]) == ({"1": 3, "2": 1}, ["c1", "c2"])
    assert [request.headers["idempotency-key"] for request in wire.requests[-2:]] == ["c1", "c2"]
    require_schema(contract("erp"), "Cancellation", wire.requests[1].body)


def test_a_cancellation_that_may_have_happened_is_found_among_the_changes_of_the_sale():
    wire = erp(idempotency="none")
    command = CancelSale(order_id=ORDER_ID, lines=quantities(("1", 1)), sale_reference=sold(wire))
    drive(CONNECTOR.cancel_sale(command, FIRST), wire)
    outcome = drive(CONNECTOR.cancel_sale(command, AGAIN), wire)
    assert outcome == Done(reference="S1", total=ORDER.buyer_total, already=True)
    assert wire.simulator.state()["documents"][0]["cancelled"] == {"1": 1}


def test_more_than_is_left_cannot_be_cancelled():
    wire = erp()
    command = CancelSale(order_id=ORDER_ID, lines=quantities(("1", 4)), sale_reference=sold(wire))
    assert isinstance(drive(CONNECTOR.cancel_sale(command, OTHER), wire), Refused)


def test_a_cancellation_of_what_never_became_a_sale_has_nothing_to_do():
    wire = erp()
    assert drive(CONNECTOR.cancel_sale(CancelSale(order_id=ORDER_ID), FIRST), wire) == Done()
    assert wire.methods() == ["GET"]


def test_an_amendment_replaces_the_sale_and_finds_it_by_our_reference():
    wire = erp()
    sold(wire)
    now = make_order(make_line("1", price=700), id=ORDER_ID, version="2")
    command = AmendSale(order=now, order_id=ORDER_ID)
    assert drive(CONNECTOR.amend_sale(command, OTHER), wire) == Done(reference="S1", total=700)
    assert wire.methods() == ["POST", "GET", "POST"]
    require_schema(contract("erp"), "Sale", wire.requests[-1].body)
    assert msgspec.json.decode(wire.requests[-1].body)["amendment"] == "key-2"


@pytest.mark.fault(27)
def test_the_stock_feed_is_read_page_by_page_without_a_gap():
    wire = erp(stock={f"SKU-{n}": n for n in range(5)}, location="berlin")
    connector = build(SETTINGS | {"page_size": "2"})
    cursor, levels, pages = "", {}, 0
    while True:
        page = drive(connector.poll(Poll(feed="stock", cursor=cursor), FIRST), wire)
        assert isinstance(page, Page)
        require_schema(contract("erp"), "Levels", without(page.body, "cursor", "more"))
        for child in connector.split(page.kind, page.body):
            (report,) = connector.translate(child.kind, {}, child.body, CONTEXT)
            (level,) = report.levels
            assert (level.location_ref.id, report.complete) == ("berlin", False)
            levels[level.sku] = level.on_hand
        cursor, pages = page.cursor, pages + 1
        if not page.more:
            break
    assert (levels, pages) == ({f"SKU-{n}": n for n in range(5)}, 3)
    assert (
        msgspec.json.decode(drive(connector.poll(Poll(feed="stock", cursor=cursor), FIRST), wire).body)[
            "levels"
        ]
        == []
    )


def without(body, *fields):
    value = msgspec.json.decode(body)
    return msgspec.json.encode({key: part for key, part in value.items() if key not in fields})


def test_one_bad_level_of_a_page_parks_alone():
    page = b'{"levels":[{"sku":"A","on_hand":1},{"sku":"B"}],"location":"X","as_of":"2026-03-28T12:00:00Z"}'
    good, bad = CONNECTOR.split("page.stock", page)
    (report,) = CONNECTOR.translate(good.kind, {}, good.body, CONTEXT)
    assert report.levels[0].location_ref.id == "X"
    with pytest.raises(MappingError) as caught:
        CONNECTOR.translate(bad.kind, {}, bad.body, CONTEXT)
    assert caught.value.field == "levels[0].on_hand"
    assert (good.ref, good.delivery_id != bad.delivery_id) == ("", True)


def test_a_feed_that_says_more_but_stays_where_it_is_is_stopped():
    stuck = reply({"levels": [], "cursor": "7", "more": True})
    with pytest.raises(ConflictError):
        drive(CONNECTOR.poll(Poll(feed="stock", cursor="7"), FIRST), canned(stuck))


def test_a_feed_that_there_is_not_is_refused():
    with pytest.raises(RejectedError):
        drive(CONNECTOR.poll(Poll(feed="prices"), FIRST), erp())


FAULTS = Plan(
    throttled_rate=0.1,
    error_rate=0.1,
    lost_request_rate=0.1,
    lost_reply_rate=0.15,
    cut_body_rate=0.1,
    html_rate=0.1,
)


@pytest.mark.fault(3)
@pytest.mark.fault(17)
@given(st.integers(0, 10_000), st.sampled_from(["key", "none"]))
def test_whatever_fails_and_however_often_each_order_is_one_document(seed, idempotency):
    simulator = ErpSimulator({"token": "t", "idempotency": idempotency}, seed)
    wire = Wire(Faulty(simulator, FAULTS, seed), CONNECTOR.request_headers())
    for n in range(5):
        order = make_order(make_line("1", price=1000 + n), id=OrderId(f"CD{n}"))
        attempt = intent(f"k{n}")
        while True:
            try:
                outcome = drive(CONNECTOR.create_sale(CreateSale(order=order), attempt), wire)
                break
            except (UnclearError, ThrottledError, ContractError):
                attempt = msgspec.structs.replace(
                    attempt, may_have_happened=True, attempt=attempt.attempt + 1
                )
        assert outcome.total == 1000 + n
    state = simulator.state()
    assert (state["sales"], state["doubles"]) == (5, {})


@pytest.mark.parametrize("name", ["wms", "erp"])
def test_the_readme_names_every_setting_and_has_every_section(name):
    text = (importlib.resources.files(f"crossdock.connectors.{name}") / "README.md").read_text()
    spec = importlib.import_module(f"crossdock.connectors.{name}").SPEC
    assert [s.name for s in spec.settings if f"| `{s.name}` |" not in text] == []
    for section in ("Settings", "Delivery guarantees", "Limits", "Known lies", "Each call with curl"):
        assert f"\n## {section}\n" in text
