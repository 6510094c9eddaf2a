"""What we ask of Shopify: every call as its generator, against the simulated shop and against canned replies."""

import json

import msgspec
import pytest

from crossdock.connectors.shopify import build
from crossdock.errors import ContractError, CredentialsError, RejectedError, ThrottledError, UnclearError
from crossdock.model import LineQuantity
from crossdock.model.commands import Acknowledge, CancelOrder, SetQuantity
from crossdock.sdk.calls import Done, Intent, Pending, Refused, Response, Results
from tests.connectors.driving import AGAIN, FIRST, OTHER, Wire, canned, drive, reply
from tests.connectors.shopify_payloads import CONNECTOR, SETTINGS, line, order, read, sent, shop


def test_an_acknowledgement_is_a_tag_that_is_set_once():
    wire, (held, *_) = shop()
    command = Acknowledge(order=held, order_id="CD0000000001")
    assert drive(CONNECTOR.acknowledge(command, FIRST), wire) == Done(reference=held.external_id)
    assert drive(CONNECTOR.acknowledge(command, AGAIN), wire) == Done(reference=held.external_id)
    assert wire.simulator.order(int(held.external_id))["tags"] == "crossdock"
    assert wire.simulator.state()["counts"]["tags_again"] == 1


def test_an_unknown_order_is_refused_with_the_field():
    wire, (held, *_) = shop()
    unknown = msgspec.structs.replace(held, external_id="1")
    for call, command in (
        (CONNECTOR.acknowledge, Acknowledge(order=unknown)),
        (CONNECTOR.confirm_shipment, sent(unknown)),
        (CONNECTOR.cancel_order, CancelOrder(order=unknown)),
    ):
        outcome = drive(call(command, FIRST), wire)
        assert isinstance(outcome, Refused)
        assert outcome.field
    with pytest.raises(RejectedError):
        drive(CONNECTOR.acknowledge(Acknowledge(order_id="CD0000000001"), FIRST), wire)


def test_a_shipment_is_fulfilled_once_however_often_it_is_sent():
    wire, (held, *_) = shop()
    done = drive(CONNECTOR.confirm_shipment(sent(held), FIRST), wire)
    again = drive(CONNECTOR.confirm_shipment(sent(held), AGAIN), wire)
    assert (done.already, again.already, done.reference) == (False, True, again.reference)
    assert wire.simulator.state()["counts"]["fulfillments"] == 1
    assert len(wire.requests) == 3


def test_two_shipments_of_one_order_are_two_fulfilments():
    wire, orders = shop()
    held = next(found for found in orders if any(item.ordered > 1 for item in found.lines))
    many = [item for item in held.lines if item.ordered > 1][:1]
    first = drive(CONNECTOR.confirm_shipment(sent(held, quantity=1, lines=many), FIRST), wire)
    second = drive(
        CONNECTOR.confirm_shipment(sent(held, quantity=1, lines=many, numbers=("T2",)), AGAIN), wire
    )
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.reference != second.reference
    assert not second.already


def test_an_attempt_that_reached_shopify_in_part_is_finished_and_not_doubled():
    wire, orders = shop()
    held = next(found for found in orders if len(found.lines) > 1)
    part = sent(held, lines=held.lines[:1])
    drive(CONNECTOR.confirm_shipment(part, FIRST), wire)
    assert isinstance(drive(CONNECTOR.confirm_shipment(sent(held), AGAIN), wire), Done)
    assert wire.simulator.admin.fulfilled(int(held.external_id)) == {
        item.id: item.ordered for item in held.lines
    }


def test_more_than_is_open_is_refused():
    wire, (held, *_) = shop()
    outcome = drive(CONNECTOR.confirm_shipment(sent(held, quantity=99), FIRST), wire)
    assert (outcome.code, outcome.field) == ("not_open", "lineItemsByFulfillmentOrder")


def fulfilments(*orders, made=()):
    return {
        "data": {
            "order": {
                "id": "gid://shopify/Order/5001",
                "fulfillmentOrders": {"nodes": list(orders)},
                "fulfillments": list(made),
            }
        }
    }


def to_fulfil(number, place, quantity, line_id=101, status="OPEN"):
    node = {
        "id": f"gid://shopify/FulfillmentOrderLineItem/{number}",
        "remainingQuantity": quantity,
        "lineItem": {"id": f"gid://shopify/LineItem/{line_id}"},
    }
    return {
        "id": f"gid://shopify/FulfillmentOrder/{number}",
        "status": status,
        "assignedLocation": {"location": {"id": f"gid://shopify/Location/{place}"}},
        "lineItems": {"nodes": [node]},
    }


def made(number):
    payload = {"fulfillment": {"id": f"gid://shopify/Fulfillment/{number}"}, "userErrors": []}
    return reply({"data": {"fulfillmentCreate": payload}})


def test_a_shipment_over_two_locations_is_a_call_for_each_and_our_own_comes_first():
    held = read(order(line(quantity=3)))
    command = sent(held)
    command = msgspec.structs.replace(
        command, shipment=msgspec.structs.replace(command.shipment, location="paris")
    )
    asked = []
    replies = canned(reply(fulfilments(to_fulfil(1, 71, 2), to_fulfil(2, 72, 2))), made(8), made(9))

    def answer(request):
        asked.append(request)
        return replies(request)

    assert drive(CONNECTOR.confirm_shipment(command, FIRST), answer) == Done(reference="8")
    groups = [json.loads(request.body)["variables"]["fulfillment"] for request in asked[1:]]
    assert [
        g["lineItemsByFulfillmentOrder"][0]["fulfillmentOrderLineItems"][0]["quantity"] for g in groups
    ] == [2, 1]
    assert groups[0]["lineItemsByFulfillmentOrder"][0]["fulfillmentOrderId"].endswith("/2")
    assert groups[0]["trackingInfo"] == {"company": "DHL", "numbers": ["T1"]}


def test_what_is_on_hold_is_refused_as_such():
    outcome = drive(
        CONNECTOR.confirm_shipment(sent(read(order(line()))), FIRST),
        canned(reply(fulfilments(to_fulfil(1, 71, 1, status="ON_HOLD")))),
    )
    assert outcome.code == "on_hold"


def test_a_mutation_that_neither_did_it_nor_says_why_is_no_success():
    nothing = reply({"data": {"fulfillmentCreate": {"fulfillment": None, "userErrors": []}}})
    outcome = drive(
        CONNECTOR.confirm_shipment(sent(read(order(line()))), FIRST),
        canned(reply(fulfilments(to_fulfil(1, 71, 1))), nothing),
    )
    assert outcome.code == "no_result"


def test_a_cancellation_is_waited_for_and_made_once():
    wire, (held, *_) = shop()
    command = CancelOrder(order=held, reason="out of inventory")
    pending = drive(CONNECTOR.cancel_order(command, FIRST), wire)
    assert isinstance(pending, Pending)
    resumed = Intent(key="key-1", resume=pending.resume)
    assert drive(CONNECTOR.cancel_order(command, resumed), wire) == Done(
        reference=held.external_id, already=True
    )
    assert drive(CONNECTOR.cancel_order(command, AGAIN), wire) == Done(
        reference=held.external_id, already=True
    )
    assert drive(CONNECTOR.cancel_order(command, OTHER), wire).already  # somebody was quicker
    assert wire.simulator.state()["counts"]["cancellations"] == 1
    assert json.loads(wire.requests[0].body)["variables"]["reason"] == "INVENTORY"


def test_a_cancellation_that_is_still_at_work_is_waited_for_again():
    state = {"data": {"order": {"id": "gid://shopify/Order/5001", "cancelledAt": None, "refunds": []}}}
    command = CancelOrder(order=read(order(line())))
    outcome = drive(CONNECTOR.cancel_order(command, Intent(key="k", resume="job")), canned(reply(state)))
    assert outcome == Pending(resume="job", after=2.0)


def test_lines_are_taken_off_once_under_our_key():
    wire, orders = shop()
    held = next(found for found in orders if any(item.ordered > 1 for item in found.lines))
    item = next(item for item in held.lines if item.ordered > 1)
    command = CancelOrder(order=held, reason="short", lines=(LineQuantity(line=item.id, quantity=1),))
    done = drive(CONNECTOR.cancel_order(command, FIRST), wire)
    again = drive(CONNECTOR.cancel_order(command, AGAIN), wire)
    assert (done.reference, again.already) == (again.reference, True)
    other = drive(CONNECTOR.cancel_order(command, msgspec.structs.replace(AGAIN, key="key-9")), wire)
    assert not isinstance(other, Done) or other.reference != done.reference
    (found,) = [x for x in read(wire.simulator.orders[int(held.external_id)]).lines if x.id == item.id]
    assert found.cancelled >= 1


def test_lines_are_put_back_on_sale_only_where_that_is_wished():
    body = {"data": {"refundCreate": {"refund": {"id": "gid://shopify/Refund/8"}, "userErrors": []}}}
    command = CancelOrder(order=read(order(line())), lines=(LineQuantity(line="101", quantity=1),))
    for setting, told in (
        ("false", {"restockType": "NO_RESTOCK"}),
        ("true", {"restockType": "CANCEL", "locationId": "gid://shopify/Location/71"}),
    ):
        asked = []

        def answer(request, asked=asked):
            asked.append(json.loads(request.body)["variables"]["input"]["refundLineItems"])
            return reply(body)

        connector = build({**SETTINGS, "restock_on_cancel": setting})
        assert drive(connector.cancel_order(command, FIRST), answer) == Done(reference="8")
        assert asked == [[{"lineItemId": "gid://shopify/LineItem/101", "quantity": 1, **told}]]


def test_each_quantity_has_its_own_outcome():
    wire, _ = shop(skus=10)
    wanted = (
        SetQuantity(sku="SKU-0001", quantity=5),
        SetQuantity(sku="SKU-0002", quantity=-5),
        SetQuantity(sku='no "such" SKU', quantity=1),
        SetQuantity(sku="SKU-0003", quantity=7, location="berlin"),
        SetQuantity(sku="SKU-0004", quantity=7, location="tokyo"),
    )
    outcome = drive(CONNECTOR.set_quantities(wanted, FIRST), wire)
    assert isinstance(outcome, Results)
    assert {sku: getattr(found, "code", "done") for sku, found in outcome.by_key.items()} == {
        "SKU-0001": "done",
        "SKU-0002": "INVALID",
        'no "such" SKU': "unknown_sku",
        "SKU-0003": "done",
        "SKU-0004": "unknown_location",
    }
    assert wire.simulator.state()["quantities"] == {"SKU-0001": 5, "SKU-0003": 7}


def test_two_items_of_one_sku_are_refused_and_strangers_are_passed_over():
    nodes = [
        {"id": f"gid://shopify/InventoryItem/{n}", "sku": sku} for n, sku in enumerate(["A", "A", "AB", None])
    ]
    items = reply({"data": {"inventoryItems": {"nodes": nodes, "pageInfo": {"hasNextPage": False}}}})
    outcome = drive(CONNECTOR.set_quantities((SetQuantity(sku="A", quantity=1),), FIRST), canned(items))
    assert outcome.by_key["A"].code == "ambiguous_sku"


def test_two_hundred_and_fifty_quantities_are_one_mutation():
    wire, _ = shop(skus=250)
    wanted = tuple(SetQuantity(sku=f"SKU-{n + 1:04d}", quantity=n) for n in range(250))
    outcome = drive(CONNECTOR.set_quantities(wanted, FIRST), wire)
    assert len(outcome.by_key) == 250
    assert len(wire.requests) == 6


def test_an_error_without_a_place_refuses_the_whole_batch():
    items = {
        "nodes": [{"id": "gid://shopify/InventoryItem/1", "sku": "A"}],
        "pageInfo": {"hasNextPage": False},
    }
    error = {"userErrors": [{"field": ["input"], "message": "no", "code": "INVALID_REASON"}]}
    answers = canned(
        reply({"data": {"inventoryItems": items}}), reply({"data": {"inventorySetQuantities": error}})
    )
    outcome = drive(CONNECTOR.set_quantities((SetQuantity(sku="A", quantity=1),), FIRST), answers)
    assert (outcome.by_key["A"].code, outcome.by_key["A"].field) == ("INVALID_REASON", "input")


def failing(*errors, **extensions):
    return reply({"data": None, "errors": list(errors), "extensions": extensions})


def coded(code):
    return {"message": "no", "extensions": {"code": code}}


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failing(coded("THROTTLED")), ThrottledError),
        (failing(coded("ACCESS_DENIED")), CredentialsError),
        (failing(coded("INTERNAL_SERVER_ERROR")), UnclearError),
        (failing({"message": "Field 'tagsAd' doesn't exist"}), ContractError),
        (failing(coded("MAX_COST_EXCEEDED")), ContractError),
        (reply({"errors": "Not Found"}, 404), ContractError),
        (reply({"data": None}), ContractError),
        (reply({}), ContractError),
        (reply({"data": {}}), ContractError),
        (reply({"data": {"tagsAdd": {"userErrors": "?"}}}), ContractError),
        (Response(status=200, body=b"<html>maintenance</html>"), ContractError),
        (Response(status=200, body=b""), ContractError),
        (reply({"errors": "[API] Invalid API key"}, 401), CredentialsError),
        (reply({"errors": "slow down"}, 429), ThrottledError),
        (reply({}, 502), UnclearError),
    ],
)
def test_an_error_in_a_200_is_never_success(answer, error):
    with pytest.raises(error):
        drive(CONNECTOR.acknowledge(Acknowledge(order=read(order(line()))), FIRST), canned(answer))


@pytest.mark.fault(18)
def test_throttling_says_when_the_bucket_will_hold_enough():
    cost = {"requestedQueryCost": 152, "throttleStatus": {"currentlyAvailable": 2, "restoreRate": 50}}
    with pytest.raises(ThrottledError) as caught:
        drive(
            CONNECTOR.acknowledge(Acknowledge(order=read(order(line()))), FIRST),
            canned(failing(coded("THROTTLED"), cost=cost)),
        )
    assert caught.value.retry_after == pytest.approx(3.0)


def test_every_request_bears_the_token_and_no_secret_in_its_path():
    wire, (held, *_) = shop()
    drive(CONNECTOR.acknowledge(Acknowledge(order=held), FIRST), wire)
    (request,) = wire.requests
    assert request.path == "/admin/api/2025-07/graphql.json"
    assert CONNECTOR.request_headers()["x-shopify-access-token"] == "t"
    wrong = Wire(wire.simulator, {"x-shopify-access-token": "other"})
    with pytest.raises(CredentialsError):
        drive(CONNECTOR.acknowledge(Acknowledge(order=held), FIRST), wrong)
