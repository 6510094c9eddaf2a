from datetime import UTC, datetime

import msgspec
import pytest

from crossdock.connectors.erp.connector import build
from crossdock.errors import ConflictError, MappingError
from crossdock.model.commands import AdoptSale, Poll
from crossdock.model.ids import ConnectionId, ExternalRef, OrderId
from crossdock.sdk.calls import Done, Refused
from crossdock.sdk.spec import Translation
from crossdock.simulator.base import SimRequest
from crossdock.simulator.erp import ErpSimulator
from tests.connectors.driving import FIRST, NOW, SECOND, Wire, contract, drive, reply, require_schema
from tests.flows.hub import Hub

ERP = build({"token": "t", "page_size": "2", "channels": "Web DE=shop, Kiosk = kiosk"})
CONTEXT = Translation(connection="erp", subject="CD0000000001")
ADOPT = AdoptSale(order_id=OrderId("CD0000000001"), connection="shop", channel_order="1001", number="#1001")


def erp(*orders: str) -> Wire:
    """An ERP into which another integration has written the sales of these orders."""
    simulator = ErpSimulator({"token": "t"}, 1)
    for n, order in enumerate(orders):
        line = {"line_id": "1", "sku": "A", "quantity": 1, "net": 500, "tax": 0, "gross": 500}
        sale = {"reference": f"OLD-{n}", "channel": "Web DE", "channel_order": order, "currency": "EUR"}
        body = msgspec.json.encode(
            {**sale, "exponent": 2, "total": 500, "number": f"#{order}", "lines": [line]}
        )
        headers = {"authorization": "Bearer t"}
        made = simulator.handle(SimRequest(method="POST", path="/sales", headers=headers, body=body), NOW)
        assert made.status == 201
    return Wire(simulator, ERP.request_headers())


def test_the_sale_of_a_channels_order_is_found_whoever_made_it():
    wire = erp("1000", "1001")
    assert drive(ERP.adopt_sale(ADOPT, FIRST), wire) == Done(reference="S2", total=500, already=True)
    assert wire.requests[0].query == {"channel": "Web DE", "channel_order": "1001"}
    assert wire.methods() == ["GET"]


def test_a_sale_that_nobody_made_is_refused_and_not_made():
    wire = erp("1000")
    outcome = drive(ERP.adopt_sale(ADOPT, FIRST), wire)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.field) == ("not_there", "channel_order")
    assert wire.simulator.state()["sales"] == 1


def test_an_order_that_was_booked_twice_is_a_conflict():
    with pytest.raises(ConflictError, match="2 documents"):
        drive(ERP.adopt_sale(ADOPT, FIRST), erp("1001", "1001"))


def test_the_feed_is_read_page_by_page_and_each_sale_is_about_its_channels_order():
    wire = erp("1", "2", "3")
    first = drive(ERP.poll(Poll(feed="sales"), FIRST), wire)
    second = drive(ERP.poll(Poll(feed="sales", cursor=first.cursor), FIRST), wire)
    assert (first.kind, first.more, second.more) == ("page.sales", True, False)
    children = [child for page in (first, second) for child in ERP.split(page.kind, page.body)]
    assert [(c.kind, c.ref_source, c.ref_kind, c.ref) for c in children] == [
        ("sale.told", "shop", "order", ref) for ref in "123"
    ]
    again = drive(ERP.poll(Poll(feed="sales"), FIRST), wire)
    assert next(iter(ERP.split(again.kind, again.body))).delivery_id == children[0].delivery_id


def test_what_is_told_is_what_the_contract_says():
    document = contract("erp")
    page = drive(ERP.poll(Poll(feed="sales"), FIRST), erp("1", "2"))
    for sale in msgspec.json.decode(page.body)["sales"]:
        require_schema(document, "SaleTold", msgspec.json.encode(sale))


def test_a_sale_is_read():
    page = drive(ERP.poll(Poll(feed="sales"), FIRST), erp("1001"))
    (child,) = ERP.split(page.kind, page.body)
    (report,) = ERP.translate(child.kind, {}, child.body, CONTEXT)
    told = report.posting
    assert (told.kind, told.document, told.number, told.state) == ("sale", "S1", "#1001", "posted")
    assert (told.erp_total, told.currency) == (500, "EUR")
    assert told.order_ref == ExternalRef(connection=ConnectionId("shop"), kind="order", id="1001")
    assert told.posted_at == datetime.fromtimestamp(NOW // SECOND, UTC)


@pytest.mark.parametrize(
    ("sale", "kind", "ref", "source"),
    [
        ({"number": "#7", "channel": "Kiosk"}, "number", "#7", "kiosk"),
        ({"channel_order": "7", "number": "#7", "channel": "market"}, "order", "7", "market"),
        ({"channel": 5}, "number", "", ""),
        ("nonsense", "number", "", ""),
    ],
)
def test_a_sale_is_told_of_by_the_name_that_it_has(sale, kind, ref, source):
    (child,) = ERP.split("page.sales", msgspec.json.encode({"sales": [sale]}))
    assert (child.ref_kind, child.ref, child.ref_source) == (kind, ref, source)


@pytest.mark.parametrize("field", ["id", "channel", "currency", "total"])
def test_a_sale_without_what_it_needs_is_told_by_its_field(field):
    sale = {"id": "S1", "channel": "Web DE", "currency": "EUR", "total": 1}
    del sale[field]
    with pytest.raises(MappingError, match=field):
        ERP.translate("sale.told", {}, msgspec.json.encode(sale), CONTEXT)


def test_a_cursor_that_stays_is_a_conflict():
    stuck = reply({"sales": [], "cursor": "7", "more": True})
    with pytest.raises(ConflictError, match="sales"):
        drive(ERP.poll(Poll(feed="sales", cursor="7"), FIRST), lambda _: stuck)


def booked_days(*bodies):
    """An ERP into which another integration has written days."""
    simulator = ErpSimulator({"token": "t"}, 1)
    for n, (path, body) in enumerate(bodies):
        given = {"reference": f"OLD-{n}", "channel": "Kiosk", "store": "B7", "business_date": "2026-03-28"}
        given |= {"posting_date": "2026-03-28", "currency": "EUR", **body}
        request = SimRequest(
            method="POST", path=path, headers={"authorization": "Bearer t"}, body=msgspec.json.encode(given)
        )
        assert simulator.handle(request, NOW).status == 201
    return Wire(simulator, ERP.request_headers())


def test_what_is_booked_of_days_is_read_as_the_contract_says():
    parts = [{"net": 500, "tax": 0, "gross": 500}]
    wire = booked_days(("/days", {"total": 500, "lines": parts}), ("/days", {"total": 500, "lines": parts}))
    page = drive(ERP.poll(Poll(feed="days"), FIRST), wire)
    document = contract("erp")
    for told in msgspec.json.decode(page.body)["days"]:
        require_schema(document, "DayTold", msgspec.json.encode(told))
    first, second = ERP.split(page.kind, page.body)
    assert (first.kind, first.ref_source, first.ref_kind, first.ref) == (
        "day.told",
        "kiosk",
        "store_day",
        "B7/2026-03-28",
    )
    assert first.delivery_id != second.delivery_id
    (report,) = ERP.translate(first.kind, {}, first.body, CONTEXT)
    posting = report.posting
    assert (posting.kind, posting.document, posting.erp_total, posting.currency) == (
        "store_day",
        "Z1",
        500,
        "EUR",
    )
    assert posting.order_ref == ExternalRef(
        connection=ConnectionId("kiosk"), kind="store_day", id="B7/2026-03-28"
    )


def test_what_is_no_day_parks_alone():
    body = msgspec.json.encode({"days": [{"id": "Z1"}, 7]})
    for child in ERP.split("page.days", body):
        assert child.ref == ""
        with pytest.raises(MappingError):
            ERP.translate(child.kind, {}, child.body, CONTEXT)


TOLD = {"id": "S1", "channel": "Web DE", "channel_order": "450789469", "currency": "EUR", "total": 2500}
DAY = {
    "id": "Z1",
    "channel": "Kiosk",
    "store": "B7",
    "business_date": "2026-03-28",
    "currency": "EUR",
    "total": 500,
}


@pytest.mark.parametrize(("feed", "body"), [("sales", TOLD), ("days", DAY)])
@pytest.mark.parametrize(
    "versions", [("1", "2", "10"), ("2026-03-28T09:00:00Z", "2026-03-28T09:30:00Z", "2026-03-28T10:00:00Z")]
)
def test_what_is_opened_again_is_open_and_what_is_repeated_is_a_duplicate(feed, body, versions):
    first, second, third = (
        {**body, "state": state, "version": version}
        for state, version in zip(("open", "cancelled", "open"), versions, strict=True)
    )
    require_schema(contract("erp"), "SaleTold" if feed == "sales" else "DayTold", msgspec.json.encode(first))
    page = msgspec.json.encode({feed: [first, second, third, third]})
    children = list(ERP.split(f"page.{feed}", page))
    assert len({child.delivery_id for child in children}) == 3
    told = [ERP.translate(child.kind, {}, child.body, CONTEXT)[0] for child in children]
    hub = Hub()
    assert [hub.tell("erp", report).outcome for report in told] == ["processed"] * 3 + ["duplicate"]
    assert hub.tell("erp", told[1]).outcome == "stale"
    (booked,) = hub.process().booked
    assert (booked.cancelled, booked.version) == (False, versions[2])


def test_without_a_version_the_last_that_came_counts():
    hub = Hub()
    for state in ("open", "cancelled", "open"):
        (report,) = ERP.translate("sale.told", {}, msgspec.json.encode({**TOLD, "state": state}), CONTEXT)
        assert hub.tell("erp", report).outcome == "processed"
    assert [sale.cancelled for sale in hub.process().booked] == [False]


def test_the_simulator_tells_each_change_under_a_later_version():
    wire = erp("1", "2")
    page = drive(ERP.poll(Poll(feed="sales"), FIRST), wire)
    versions = [told["version"] for told in msgspec.json.decode(page.body)["sales"]]
    assert versions == ["1", "2"]
