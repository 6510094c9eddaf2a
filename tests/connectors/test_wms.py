"""The warehouse connector: its calls against the simulator, its events, and both against the published contract."""

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from crossdock.connectors.wms import SPEC, build
from crossdock.errors import ContractError, MappingError, SignatureError
from crossdock.model.commands import CancelRelease, Release
from crossdock.model.fulfilment import FulfilmentRequest
from crossdock.model.ids import FulfilmentRequestId, LineId, LocationId, OrderId, Sku
from crossdock.model.quantity import LineQuantity
from crossdock.model.reports import (
    CancellationAnswered,
    ReturnReported,
    ShipmentReported,
    ShortPickReported,
    StockReported,
)
from crossdock.sdk.calls import Done, Refused
from crossdock.sdk.spec import Translation
from crossdock.sdk.webhooks import sign
from crossdock.simulator.base import SECOND
from crossdock.simulator.wms import WmsSimulator
from tests.connectors.driving import AGAIN, FIRST, OTHER, Wire, canned, contract, drive, reply, require_schema
from tests.model.builders import NOON, make_line, make_order, rich_order

CONNECTOR = build({"url": "http://wms.example", "token": "t", "webhook_secret": "s"})
CONTEXT = Translation(connection="wh", subject="CD0000000001")
ORDER, REQUEST = "CD0000000001", "CD0000000001-1"


def release(**fields):
    request = FulfilmentRequest(
        id=FulfilmentRequestId(REQUEST),
        order=OrderId(ORDER),
        location=LocationId("berlin"),
        lines=(
            LineQuantity(line=LineId("1"), quantity=2, sku=Sku("A")),
            LineQuantity(line=LineId("2"), quantity=1, sku=Sku("B")),
        ),
        **fields,
    )
    order = make_order(make_line("1", ordered=2), make_line("2"), id=OrderId(ORDER), number="#1001")
    return Release(request=request, order=order, order_id=OrderId(ORDER))


def cancel(*lines):
    asked = tuple(LineQuantity(line=LineId(line), quantity=quantity) for line, quantity in lines)
    return CancelRelease(
        request=FulfilmentRequestId(REQUEST), order_id=OrderId(ORDER), lines=asked, reason="buyer"
    )


def warehouse(**settings):
    simulator = WmsSimulator({"token": "t", "webhook_secret": "s", "ship_after_s": 1, **settings}, seed=1)
    return Wire(simulator, CONNECTOR.request_headers())


def events(wire, seconds=60):
    """What the warehouse tells within these seconds, verified, gated and translated as the hub does it."""
    told = []
    for headers, body in wire.simulator.due_events(wire.now + seconds * SECOND):
        CONNECTOR.verify(headers, body)
        gate = CONNECTOR.gate(headers, body)
        assert (gate.ref_kind, gate.ref) == ("hub", ORDER)
        told.append((gate.kind, body, CONNECTOR.translate(gate.kind, headers, body, CONTEXT)))
    return told


def test_the_contract_is_valid_openapi_and_names_every_event():
    document = contract("wms")
    OpenAPIV31SpecValidator(document).validate()
    assert sorted(document["webhooks"]) == sorted(inbound.kind for inbound in SPEC.inbound)


def test_a_release_reaches_the_warehouse_once_however_often_it_is_sent():
    wire = warehouse()
    assert drive(CONNECTOR.release(release(), FIRST), wire) == Done(reference="W1")
    assert drive(CONNECTOR.release(release(), FIRST), wire) == Done(reference="W1")
    assert wire.simulator.state()["releases"] == 1


@pytest.mark.fault(37)
def test_a_second_try_looks_up_first_and_finds_what_a_forgetful_warehouse_has():
    wire = warehouse(forget_keys_after=1)
    drive(CONNECTOR.release(release(), FIRST), wire)
    wire.simulator._keys.keep("another", b"", reply())
    assert drive(CONNECTOR.release(release(), AGAIN), wire) == Done(reference="W1", already=True)
    assert wire.methods() == ["POST", "GET"]


def test_a_second_try_that_finds_nothing_releases():
    wire = warehouse()
    assert drive(CONNECTOR.release(release(), AGAIN), wire) == Done(reference="W1")
    assert wire.methods() == ["GET", "POST"]


def test_what_we_send_is_what_the_contract_says():
    document = contract("wms")
    wire = warehouse()
    rich = rich_order()
    times = {"ship_after": NOON, "ship_by": NOON, "deliver_by": NOON, "gift_message": "For A.", "note": "n"}
    full = release(attempt=2, replaces=FulfilmentRequestId("r0"), carrier="DHL", service="express", **times)
    drive(CONNECTOR.release(msgspec.structs.replace(full, order=rich), FIRST), wire)
    drive(CONNECTOR.cancel_release(cancel(("1", 1)), OTHER), wire)
    require_schema(document, "Release", wire.requests[0].body)
    require_schema(document, "Cancel", wire.requests[1].body)
    sent = msgspec.json.decode(wire.requests[0].body)
    assert sent["ship_to"]["city"] == rich.ship_to.city
    assert sent["test"] is True


def test_a_refusal_is_told_with_its_reason():
    problem = reply({"title": "No", "detail": "unknown SKU B", "field": "lines[1].sku"}, 422)
    outcome = drive(CONNECTOR.release(release(), FIRST), canned(problem))
    assert outcome == Refused(reason="unknown SKU B", code="422", field="lines[1].sku")


@pytest.mark.fault(23)
def test_html_in_a_200_is_never_success():
    page = reply()
    page = msgspec.structs.replace(page, body=b"<html>Please log in</html>")
    with pytest.raises(ContractError):
        drive(CONNECTOR.release(release(), FIRST), canned(page))


def test_a_release_is_shipped_in_packages_that_add_up():
    wire = warehouse(two_packages_rate=1)
    drive(CONNECTOR.release(release(), FIRST), wire)
    (_, body, nothing), (kind, shipped, reports) = events(wire)
    require_schema(contract("wms"), "About", body)
    require_schema(contract("wms"), "Shipment", shipped)
    assert (nothing, kind) == ((), "shipment.created")
    (report,) = reports
    assert isinstance(report, ShipmentReported)
    shipment = report.shipment
    assert (shipment.order, shipment.request, shipment.connection) == (ORDER, REQUEST, "wh")
    assert {q.line: q.quantity for q in shipment.lines} == {"1": 2, "2": 1}
    assert len(shipment.packages) == 2
    assert sum(q.quantity for package in shipment.packages for q in package.lines) == 3
    assert shipment.location_ref.id == "berlin"


def test_a_short_pick_names_what_is_missing_and_the_rest_is_shipped():
    wire = warehouse(short_rate=1)
    drive(CONNECTOR.release(release(), FIRST), wire)
    by_kind = {kind: (body, reports) for kind, body, reports in events(wire)}
    require_schema(contract("wms"), "ShortPick", by_kind["pick.short"][0])
    (short,) = by_kind["pick.short"][1]
    (shipped,) = by_kind["shipment.created"][1]
    assert isinstance(short, ShortPickReported)
    assert sum(q.quantity for q in short.lines) == 1
    assert sum(q.quantity for q in shipped.shipment.lines) == 2


def test_a_refused_release_is_short_of_everything():
    wire = warehouse(refuse_rate=1)
    drive(CONNECTOR.release(release(), FIRST), wire)
    ((kind, body, (report,)),) = events(wire)
    require_schema(contract("wms"), "Refusal", body)
    assert (kind, report.refused, report.lines) == ("release.refused", True, ())


def test_a_cancellation_that_is_answered_at_once_goes_on_as_a_message_about_the_order():
    wire = warehouse()
    drive(CONNECTOR.release(release(), FIRST), wire)
    outcome = drive(CONNECTOR.cancel_release(cancel(("1", 1)), OTHER), wire)
    (said,) = outcome.messages
    require_schema(contract("wms"), "CancellationAnswer", said.body)
    (answer,) = CONNECTOR.translate(said.kind, {}, said.body, CONTEXT)
    assert (said.ref_kind, said.ref) == ("hub", ORDER)
    assert (answer.outcome, answer.request) == ("accepted", REQUEST)
    assert [(q.line, q.quantity) for q in answer.accepted] == [("1", 1)]


def test_a_cancellation_without_lines_stops_all_that_is_left():
    wire = warehouse()
    drive(CONNECTOR.release(release(), FIRST), wire)
    (said,) = drive(CONNECTOR.cancel_release(cancel(), OTHER), wire).messages
    (answer,) = CONNECTOR.translate(said.kind, {}, said.body, CONTEXT)
    assert {q.line: q.quantity for q in answer.accepted} == {"1": 2, "2": 1}
    assert [kind for kind, _, _ in events(wire)] == ["release.accepted"]


def test_a_cancellation_that_comes_too_late_is_refused_as_an_event():
    wire = warehouse(cancel_answer="later", accept_after_s=0, ship_after_s=0, cancel_after_s=5)
    drive(CONNECTOR.release(release(), FIRST), wire)
    assert drive(CONNECTOR.cancel_release(cancel(), OTHER), wire) == Done()
    kind, body, (answer,) = events(wire)[-1]
    require_schema(contract("wms"), "CancellationAnswer", body)
    assert isinstance(answer, CancellationAnswered)
    assert (kind, answer.outcome, answer.accepted) == ("release.cancelled", "refused", ())


def test_a_snapshot_is_complete_and_a_change_is_not():
    body = b'{"location":"B","as_of":"2026-03-28T12:00:00Z","levels":[{"sku":"A","on_hand":-1,"reserved":2}]}'
    require_schema(contract("wms"), "Levels", body)
    for kind, complete in (("stock.snapshot", True), ("stock.changed", False)):
        gate = CONNECTOR.gate({"x-crossdock-event": kind}, body)
        (report,) = CONNECTOR.translate(kind, {}, body, CONTEXT)
        assert isinstance(report, StockReported)
        assert (gate.ref, report.complete) == ("", complete)
        (level,) = report.levels
        assert (level.sku, level.on_hand, level.reserved, level.location_ref.id) == ("A", -1, 2, "B")


SHIPMENT = '{"id":"S","order_id":"CD1","request_id":"R",'
ABOUT = '{"order_id":"CD1","request_id":"R",'

IMPOSSIBLE = [
    ("shipment.created", '{"id":"S","order_id":"CD1"}', "request_id"),
    ("shipment.created", SHIPMENT + '"packages":[]}', "lines"),
    ("shipment.created", SHIPMENT + '"packages":[{"lines":[{"line_id":"1","quantity":1}]},{}]}', "lines"),
    ("shipment.created", SHIPMENT + '"lines":[{"line_id":"1","quantity":0}]}', "lines[0].quantity"),
    ("shipment.created", SHIPMENT + '"lines":[{"line_id":"1","quantity":1.5}]}', "lines[0].quantity"),
    ("shipment.created", SHIPMENT + '"lines":[{"line_id":1,"quantity":1}]}', "lines[0].line_id"),
    (
        "shipment.created",
        SHIPMENT + '"lines":[{"line_id":"1","quantity":1},{"line_id":"1","quantity":2}]}',
        "lines[1].line_id",
    ),
    (
        "shipment.created",
        SHIPMENT
        + '"lines":[{"line_id":"1","quantity":2}],"packages":[{"lines":[{"line_id":"1","quantity":1}]}]}',
        "packages",
    ),
    ("shipment.created", SHIPMENT + '"shipped_at":"2026-03-28T12:00:00","lines":[]}', "shipped_at"),
    ("pick.short", ABOUT + '"lines":[]}', "lines"),
    ("return.received", SHIPMENT + '"lines":[]}', "lines"),
    ("return.received", SHIPMENT + '"lines":[{"line_id":"1","quantity":-1}]}', "lines[0].quantity"),
    (
        "return.received",
        SHIPMENT + '"lines":[{"line_id":"1","quantity":1},{"line_id":"1","quantity":1}]}',
        "lines[1].line_id",
    ),
    (
        "return.received",
        SHIPMENT + '"lines":[{"line_id":"1","quantity":1,"disposition":"eaten"}]}',
        "lines[0].disposition",
    ),
    ("release.cancelled", ABOUT + '"outcome":"maybe"}', "outcome"),
    ("release.cancelled", ABOUT + '"outcome":"part_accepted"}', "accepted"),
    (
        "release.cancelled",
        ABOUT + '"outcome":"refused","accepted":[{"line_id":"1","quantity":1}]}',
        "accepted",
    ),
    ("stock.changed", '{"levels":[{"sku":"A","on_hand":1}]}', "levels[0].as_of"),
    ("stock.changed", '{"levels":[{"sku":"A"}]}', "levels[0].on_hand"),
    ("stock.snapshot", '{"levels":[],"as_of":"2026-03-28T12:00:00Z"}', "location"),
    ("release.lost", "{}", "kind"),
]


@pytest.mark.fault(54)
@pytest.mark.parametrize(("kind", "body", "field"), IMPOSSIBLE)
def test_an_impossible_event_is_told_by_its_field(kind, body, field):
    with pytest.raises(MappingError) as caught:
        CONNECTOR.translate(kind, {}, body.encode(), CONTEXT)
    assert caught.value.field == field


def test_a_shipment_without_totals_is_the_sum_of_its_packages():
    one = '{"lines":[{"line_id":"1","quantity":1}]}'
    body = (SHIPMENT + f'"packages":[{one},{one}],"of_the_future":1}}').encode()
    (report,) = CONNECTOR.translate("shipment.created", {}, body, CONTEXT)
    assert [(q.line, q.quantity) for q in report.shipment.lines] == [("1", 2)]


def test_what_came_back_is_told_line_by_line_with_what_becomes_of_it():
    body = (
        b'{"id":"B1","version":"2","order_id":"CD1","location":"berlin","received_at":"2026-03-28T12:00:00Z",'
        b'"lines":[{"line_id":"1","sku":"A","quantity":2,"disposition":"restock"},{"line_id":"2","quantity":1}]}'
    )
    require_schema(contract("wms"), "Return", body)
    (report,) = CONNECTOR.translate("return.received", {}, body, CONTEXT)
    assert isinstance(report, ReturnReported)
    told = report.goods_return
    assert (told.external_id, told.version, told.order, told.location_ref.id) == ("B1", "2", "CD1", "berlin")
    assert [(line.line, line.received, line.disposition) for line in told.lines] == [
        ("1", 2, "restock"),
        ("2", 1, "undecided"),
    ]


def test_an_event_without_a_name_or_with_a_wrong_signature_does_not_pass_the_gate():
    with pytest.raises(MappingError):
        CONNECTOR.gate({}, b"{}")
    with pytest.raises(SignatureError):
        CONNECTOR.verify({"x-crossdock-signature": sign("other", b"{}")}, b"{}")


def test_an_event_that_names_no_order_is_kept_on_a_stream_of_its_own():
    gate = CONNECTOR.gate({"x-crossdock-event": "shipment.created", "x-crossdock-delivery": "d1"}, b"{}")
    assert (gate.ref, gate.delivery_id) == ("", "d1")
