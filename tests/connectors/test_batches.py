"""Many documents in one request: each with an outcome of its own, whatever becomes of its neighbours."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connectors.erp import SPEC, build
from crossdock.connectors.wms import build as build_wms
from crossdock.engine.calling import REQUESTS_PER_CALL_MAX
from crossdock.errors import (
    ConfigurationError,
    ContractError,
    CredentialsError,
    MappingError,
    ThrottledError,
    UnclearError,
)
from crossdock.model.commands import CreateDelivery, CreateInvoice, CreateSale, Release
from crossdock.model.fulfilment import FulfilmentRequest, Shipment
from crossdock.model.ids import FulfilmentRequestId, LineId, LocationId, OrderId, ShipmentId, Sku
from crossdock.model.quantity import LineQuantity
from crossdock.sdk.batches import ALONE_MAX, BATCH_MAX
from crossdock.sdk.calls import Done, Intent, Refused, Response, Results
from crossdock.simulator.erp import ErpSimulator
from crossdock.simulator.faults import Faulty, Plan
from crossdock.simulator.wms import WmsSimulator
from tests.connectors.driving import Wire, canned, contract, drive, reply, require_schema
from tests.model.builders import make_line, make_order

SETTINGS = {"url": "http://erp.example", "token": "t", "webhook_secret": "s", "batch_max": "50"}
ERP, WMS = build(SETTINGS), build_wms(SETTINGS)


def erp(**settings):
    return Wire(ErpSimulator({"token": "t", **settings}, seed=1), ERP.request_headers())


def warehouse(**settings):
    return Wire(
        WmsSimulator({"token": "t", "webhook_secret": "s", **settings}, seed=1), WMS.request_headers()
    )


def intents(*numbers, again=()):
    return tuple(Intent(key=f"k{n}", may_have_happened=n in again) for n in numbers)


def sales(*numbers):
    orders = (make_order(make_line("1", price=1000 + n), id=OrderId(f"CD{n}")) for n in numbers)
    return tuple(CreateSale(order=order, order_id=order.id) for order in orders)


def documents(kind, *numbers):
    lines = (LineQuantity(line=LineId("1"), quantity=1, sku=Sku("A")),)
    return tuple(
        kind(order_id=OrderId(f"CD{n}"), shipment=Shipment(id=ShipmentId("sh"), lines=lines)) for n in numbers
    )


def releases(*numbers):
    lines = (LineQuantity(line=LineId("1"), quantity=1, sku=Sku("A")),)
    return tuple(
        Release(
            request=FulfilmentRequest(
                id=FulfilmentRequestId(f"CD{n}-1"),
                order=OrderId(f"CD{n}"),
                location=LocationId("berlin"),
                lines=lines,
            ),
            order_id=OrderId(f"CD{n}"),
        )
        for n in numbers
    )


def paths(wire):
    return [f"{request.method} {request.path}" for request in wire.requests]


def answered(*results):
    return reply({"results": list(results)})


def create(wire, *numbers, again=()):
    outcome = drive(ERP.create_sale(sales(*numbers), intents(*numbers, again=again)), wire)
    assert isinstance(outcome, Results)
    return outcome.by_key


def test_many_sales_are_one_request_and_each_has_its_own_answer():
    wire = erp()
    assert create(wire, 1, 2, 3) == {f"k{n}": Done(reference=f"S{n}", total=1000 + n) for n in (1, 2, 3)}
    assert paths(wire) == ["POST /sales/batch"]
    assert wire.simulator.state()["sales"] == 3


def test_what_is_sent_and_answered_is_what_the_contract_says():
    document, wire = contract("erp"), erp()
    drive(ERP.create_sale(sales(1, 2), intents(1, 2)), wire)
    drive(ERP.create_delivery(documents(CreateDelivery, 1, 2, 9), intents(11, 12, 19)), wire)
    drive(ERP.create_invoice(documents(CreateInvoice, 1, 2), intents(21, 22)), wire)
    require_schema(document, "SaleBatch", wire.requests[0].body)
    require_schema(document, "DocumentBatch", wire.requests[1].body)
    require_schema(document, "DocumentBatch", wire.requests[2].body)
    assert [request.path for request in wire.requests] == [
        f"/{k}/batch" for k in ("sales", "deliveries", "invoices")
    ]
    for request in tuple(wire.requests):
        require_schema(document, "BatchResults", wire(request).body)
    stock = warehouse()
    drive(WMS.release(releases(1, 2), intents(1, 2)), stock)
    (request,) = stock.requests
    require_schema(contract("wms"), "ReleaseBatch", request.body)
    require_schema(contract("wms"), "BatchResults", stock(request).body)


def test_each_item_of_a_batch_is_what_would_have_been_posted_alone():
    together, alone = erp(), erp()
    create(together, 1, 2)
    for command, intent in zip(sales(1, 2), intents(1, 2), strict=True):
        drive(build({**SETTINGS, "batch_max": "1"}).create_sale(command, intent), alone)
    items = msgspec.json.decode(together.requests[0].body, type=dict[str, list[dict[str, msgspec.Raw]]])[
        "items"
    ]
    assert [bytes(item["body"]) for item in items] == [request.body for request in alone.requests]
    keys = [request.headers["idempotency-key"] for request in alone.requests]
    assert [msgspec.json.decode(item["key"]) for item in items] == keys


def test_a_refused_item_is_refused_alone_with_its_reason_and_field():
    wire = erp()
    create(wire, 1, 2)
    outcome = drive(ERP.create_delivery(documents(CreateDelivery, 1, 9, 2), intents(11, 19, 12)), wire)
    assert {key: each.reference for key, each in outcome.by_key.items() if isinstance(each, Done)} == {
        "k11": "D1",
        "k12": "D2",
    }
    assert outcome.by_key["k19"] == Refused(
        reason="there is no sale CD9", code="422", field="order_reference"
    )


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 503, 302])
def test_an_item_for_later_has_no_outcome_and_is_tried_again(status):
    later = {"key": "k2", "status": status, "problem": {"detail": "later"}}
    assert create(canned(answered({"key": "k1", "status": 201, "id": "S1"}, later)), 1, 2) == {
        "k1": Done(reference="S1")
    }


def test_an_item_of_which_nothing_or_half_is_said_has_no_outcome():
    said = answered({"key": "k1", "status": 200, "id": "S1", "total": 5}, {"key": "k2", "status": 201})
    assert create(canned(said), 1, 2, 3) == {"k1": Done(reference="S1", total=5)}


@pytest.mark.parametrize("problem", [{}, {"problem": None}, {"problem": {"title": 7}}, {"problem": "no"}])
def test_a_refusal_is_a_refusal_whatever_its_problem_looks_like(problem):
    outcome = create(canned(answered({"key": "k1", "status": 409, **problem})), 1, 2)["k1"]
    assert isinstance(outcome, Refused)
    assert outcome.code == "409"
    assert outcome.reason not in ("", "null")


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    "body", [b"<html>Please log in</html>", b"", b"[]", b'{"results":[{"key":"k1"}]}', b'{"results":"?"}']
)
def test_an_answer_that_cannot_be_read_is_success_for_nobody_and_a_contract_error_once_it_is_alone(body):
    page = Response(status=200, body=body)
    assert create(canned(page), 1, 2) == {}
    with pytest.raises(ContractError):
        create(canned(page), 1)


@pytest.mark.parametrize(
    ("status", "error"), [(401, CredentialsError), (429, ThrottledError), (503, UnclearError)]
)
def test_a_batch_that_is_put_off_as_a_whole_is_tried_again_as_a_whole(status, error):
    with pytest.raises(error):
        create(canned(reply({}, status)), 1, 2)


def test_a_batch_of_one_is_a_single_call():
    wire = erp()
    assert create(wire, 1) == {"k1": Done(reference="S1", total=1001)}
    assert paths(wire) == ["POST /sales"]
    assert wire.requests[0].headers["idempotency-key"] == "k1"
    nameless = documents(CreateDelivery, 1)[0]
    nameless = msgspec.structs.replace(
        nameless, shipment=msgspec.structs.replace(nameless.shipment, id=ShipmentId(""))
    )
    with pytest.raises(MappingError):
        drive(ERP.create_delivery((nameless,), intents(1)), wire)
    assert len(wire.requests) == 1


def test_an_order_that_cannot_be_written_is_refused_and_its_neighbours_are_sent():
    wire = erp()
    tentative = make_order(id=OrderId("CD2"), commitment="tentative", buyer_total=None)
    commands = (*sales(1), CreateSale(order=tentative), CreateSale(order_id=OrderId("CD3")), *sales(4))
    outcome = drive(ERP.create_sale(commands, intents(1, 2, 3, 4)), wire).by_key
    assert [type(outcome[f"k{n}"]) for n in (1, 2, 3, 4)] == [Done, Refused, Refused, Done]
    assert (outcome["k2"].code, outcome["k2"].field) == ("mapping", "buyer_total")
    assert (outcome["k3"].code, outcome["k3"].field) == ("rejected", "order")
    assert paths(wire) == ["POST /sales/batch"]


def test_a_defect_in_one_order_leaves_it_for_a_call_of_its_own():
    wire = erp()
    broken = CreateSale(order=msgspec.structs.replace(sales(2)[0].order, lines=(None,)))
    commands = (*sales(1), broken, *sales(3))
    assert list(drive(ERP.create_sale(commands, intents(1, 2, 3)), wire).by_key) == ["k1", "k3"]
    with pytest.raises(AttributeError):
        drive(ERP.create_sale((broken,), intents(2)), wire)


@pytest.mark.fault(3)
@pytest.mark.parametrize("idempotency", ["key", "lookup"])
def test_what_may_have_happened_is_looked_up_first_and_only_the_rest_is_sent(idempotency):
    connector = build({**SETTINGS, "idempotency": idempotency})
    wire = erp(idempotency="none")
    create(wire, 1, 2)
    outcome = drive(connector.create_sale(sales(1, 2, 3, 4), intents(1, 2, 3, 4, again=(1, 2, 3))), wire)
    assert outcome.by_key == {
        "k1": Done(reference="S1", total=1001, already=True),
        "k2": Done(reference="S2", total=1002, already=True),
        "k3": Done(reference="S3", total=1003),
        "k4": Done(reference="S4", total=1004),
    }
    assert paths(wire)[1:] == ["GET /sales"] * 3 + ["POST /sales/batch"]
    assert wire.simulator.state()["doubles"] == {}


def test_what_is_left_of_a_batch_after_looking_up_is_sent_alone_or_not_at_all():
    wire = erp()
    create(wire, 1, 2)
    assert create(wire, 1, 3, again=(1, 3))["k3"] == Done(reference="S3", total=1003)
    assert create(wire, 1, 2, again=(1, 2))["k2"].already
    assert paths(wire)[1:] == ["GET /sales", "GET /sales", "POST /sales", "GET /sales", "GET /sales"]


def test_two_documents_under_one_reference_concern_only_that_one():
    two = reply({"documents": [{"id": "S1"}, {"id": "S2"}]})
    bad = reply({"detail": "no"}, 400)
    outcome = create(
        canned(two, bad, reply({"documents": []}), reply({"id": "S9"}, 201)), 1, 2, 3, again=(1, 2, 3)
    )
    assert (outcome["k1"].code, "S1, S2" in outcome["k1"].reason) == ("conflict", True)
    assert outcome["k2"].code == "rejected"
    assert outcome["k3"] == Done(reference="S9")


def test_one_call_looks_up_only_so_many_and_leaves_the_rest_for_the_next():
    wire = erp()
    many = range(BATCH_MAX)
    outcome = create(wire, *many, again=many)
    assert list(outcome) == [f"k{n}" for n in range(ALONE_MAX)]
    assert len(wire.requests) == ALONE_MAX + 1
    assert 2 * ALONE_MAX + 1 < REQUESTS_PER_CALL_MAX


@pytest.mark.parametrize("status", [400, 404, 405, 413, 422])
def test_a_batch_that_is_refused_as_a_whole_is_sent_piece_by_piece(status):
    wire = erp()

    def without_batches(request):
        if request.path.endswith("/batch"):
            return reply({"detail": "not here"}, status)
        return wire(request)

    assert create(without_batches, 1, 2, 3) == {
        f"k{n}": Done(reference=f"S{n}", total=1000 + n) for n in (1, 2, 3)
    }
    many = range(10, 10 + 2 * ALONE_MAX)
    assert list(create(without_batches, *many)) == [f"k{n}" for n in range(10, 10 + ALONE_MAX)]
    wrong = Response(status=200, body=b"<html>")
    outcome = create(canned(reply({}, status), wrong, reply({"detail": "no"}, 400)), 1, 2)
    assert outcome == {"k2": Refused(reason="no", code="400")}


def test_a_batch_that_comes_twice_makes_everything_once():
    wire = erp()
    first = create(wire, 1, 2)
    assert create(wire, 1, 2) == first
    assert create(wire, 2, 1, 3) == {**first, "k3": Done(reference="S3", total=1003)}
    alone = drive(ERP.create_sale(sales(2)[0], intents(2)[0]), wire)
    assert alone == first["k2"]
    assert wire.simulator.state()["sales"] == 3


def test_releases_go_in_one_request_and_are_found_again():
    wire = warehouse()
    outcome = drive(WMS.release(releases(1, 2), intents(1, 2)), wire)
    assert outcome.by_key == {"k1": Done(reference="W1"), "k2": Done(reference="W2")}
    again = drive(WMS.release(releases(1, 3, 4), intents(1, 3, 4, again=(1, 3))), wire)
    assert again.by_key["k1"] == Done(reference="W1", already=True)
    assert paths(wire) == [
        "POST /releases/batch",
        "GET /releases/CD1-1",
        "GET /releases/CD3-1",
        "POST /releases/batch",
    ]
    assert (wire.simulator.state()["releases"], wire.simulator.state()["doubles"]) == (4, 0)
    doubled = drive(WMS.release(releases(1, 5), intents(91, 5)), wire).by_key
    assert (doubled["k91"].code, doubled["k91"].field) == ("409", "request_id")
    assert doubled["k5"] == Done(reference="W5")


def test_the_spec_of_a_connection_says_how_many_go_in_one_request():
    assert {operation.batch_max for operation in SPEC.operations} == {1}
    batched = {operation.name: operation.batch_max for operation in ERP.spec.operations}
    assert batched == {
        "create_sale": 50,
        "create_delivery": 50,
        "create_invoice": 50,
        "cancel_sale": 1,
        "amend_sale": 1,
        "adopt_sale": 1,
        "post_day": 1,
        "create_credit": 1,
        "credit_refund": 1,
        "receive_return": 1,
        "poll": 1,
    }
    assert {o.name: o.batch_max for o in WMS.spec.operations} == {"release": 50, "cancel_release": 1}


@pytest.mark.parametrize("text", ["0", "501", "-1", "many", "1.5", "²"])
@pytest.mark.parametrize("make", [build, build_wms])
def test_a_batch_max_that_cannot_be_is_told_by_its_name(make, text):
    with pytest.raises(ConfigurationError) as caught:
        make({**SETTINGS, "batch_max": text})
    assert caught.value.field == "batch_max"


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
@given(st.integers(0, 10_000), st.sampled_from(["key", "none"]), st.integers(2, 6))
def test_whatever_fails_and_however_they_are_grouped_each_order_is_one_document(seed, idempotency, size):
    simulator = ErpSimulator(
        {"token": "t", "idempotency": idempotency, "sales_per_s_max": 4, "queue_s_max": 1}, seed
    )
    wire = Wire(Faulty(simulator, FAULTS, seed), ERP.request_headers())
    done, tries = {}, dict.fromkeys(range(12), 0)
    waiting = list(tries)
    while waiting:
        share = max(1, size >> tries[waiting[0]])
        some, waiting = waiting[:share], waiting[share:]
        wire.now += 2_000_000
        try:
            outcomes = create(wire, *some, again=[n for n in some if tries[n]])
        except (UnclearError, ThrottledError, ContractError):
            outcomes = {}
        for n in some:
            tries[n] += 1
            if f"k{n}" in outcomes:
                done[n] = outcomes[f"k{n}"]
            else:
                waiting.append(n)
    assert {n: outcome.total for n, outcome in done.items()} == {n: 1000 + n for n in range(12)}
    state = simulator.state()
    assert (state["sales"], state["doubles"]) == (12, {})
