"""The ERP connector for tills: a day's sum and a return's credit, once each, on a date that is open."""

from datetime import date

import msgspec
import pytest

from crossdock.connectors.erp import build
from crossdock.model.commands import CreateCredit, DayGoods, DayLine, DayTender, PostDay
from crossdock.model.ids import ConnectionId, ExternalRef, LineId, OrderId, Sku
from crossdock.model.money import Rate
from crossdock.model.pricing import Charge, TaxLine
from crossdock.sdk.calls import Done, Refused
from crossdock.sdk.spec import Translation
from crossdock.simulator.erp import ErpSimulator
from tests.connectors.driving import AGAIN, FIRST, Wire, contract, drive, require_schema
from tests.model.builders import make_line, make_order

CONNECTOR = build({"url": "http://erp.example", "token": "t"})
MARCH, APRIL = date(2026, 3, 28), date(2026, 4, 1)
DAY = PostDay(
    reference="CD0000000009",
    connection="pos",
    store="berlin",
    business_date=MARCH,
    posting_dates=(MARCH, APRIL, date(2026, 4, 7)),
    currency="EUR",
    total=1190,
    lines=(
        DayLine(
            kind="goods",
            category="bags",
            net=1000,
            tax=190,
            gross=1190,
            taxes=(TaxLine(amount=190, name="VAT", rate=Rate(value=19, scale=2)),),
            lines=2,
        ),
    ),
    tenders=(DayTender(kind="cash", amount=690), DayTender(kind="gift_card", amount=100)),
    goods=(DayGoods(sku=Sku("SKU-1"), quantity=3),),
    credited=-400,
    tickets=3,
    over_short=-5,
)
TICKET = make_order(
    make_line("1", price=500),
    make_line("2", ordered=-2, price=200),
    charges=(Charge(kind="rounding", price=1, net=1, tax=0, gross=1),),
    id=OrderId("CD0000000004"),
    channel="till",
    external_id="berlin/T1/4",
)
CREDIT = CreateCredit(
    order=TICKET,
    order_id=TICKET.id,
    lines=(LineId("2"),),
    total=-400,
    store="berlin",
    business_date=MARCH,
    posting_dates=(MARCH, APRIL),
    original=ExternalRef(connection=ConnectionId("pos"), kind="ticket", id="berlin/T1/1"),
)


def erp(**settings):
    return Wire(ErpSimulator({"token": "t", **settings}, seed=1), CONNECTOR.request_headers())


def test_a_day_is_booked_once_and_its_date_and_total_come_back():
    wire = erp()
    outcome = drive(CONNECTOR.post_day(DAY, FIRST), wire)
    assert (outcome.reference, outcome.total) == ("Z1", 1190)
    (said,) = outcome.messages
    (report,) = CONNECTOR.translate(said.kind, {}, said.body, Translation(connection="erp", subject=""))
    assert (report.posting.document, report.posting.posting_date) == ("Z1", MARCH)
    assert drive(CONNECTOR.post_day(DAY, FIRST), wire).reference == "Z1"
    assert wire.simulator.state()["days"] == 1


def test_both_documents_are_what_the_contract_says():
    wire = erp()
    drive(CONNECTOR.post_day(DAY, FIRST), wire)
    drive(CONNECTOR.create_credit(CREDIT, FIRST), wire)
    for request, name in zip(wire.requests, ("Day", "Credit"), strict=True):
        require_schema(contract("erp"), name, request.body)


def test_what_is_told_of_a_posting_is_what_the_contract_says():
    (said,) = drive(CONNECTOR.post_day(DAY, FIRST), erp()).messages
    require_schema(contract("erp"), "Posted", said.body)


@pytest.mark.parametrize("idempotency", ["key", "none"])
def test_a_closed_period_is_posted_to_the_next_open_date_and_keeps_its_business_date(idempotency):
    wire = erp(closed_until="2026-03-31", idempotency=idempotency)
    outcome = drive(CONNECTOR.post_day(DAY, FIRST), wire)
    (booked,) = wire.simulator.books.documents["days"]
    assert (outcome.reference, booked.posting_date, booked.business_date) == ("Z1", APRIL, MARCH)
    assert wire.methods() == ["POST", "POST"]


def test_where_every_date_is_closed_a_person_is_told_why():
    outcome = drive(CONNECTOR.post_day(DAY, FIRST), erp(closed_until="2026-12-31"))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.field) == ("period_closed", "posting_date")


def test_the_first_document_of_a_day_whose_first_posting_was_given_up_is_told_to_the_day():
    second = msgspec.structs.replace(DAY, reference=f"{DAY.reference}-1", day=DAY.reference)
    (said,) = drive(CONNECTOR.post_day(second, FIRST), erp()).messages
    assert said.ref == DAY.reference


def test_any_other_refusal_tries_no_other_date():
    wire = erp()
    wrong = msgspec.structs.replace(DAY, total=1)
    assert isinstance(drive(CONNECTOR.post_day(wrong, FIRST), wire), Refused)
    assert wire.methods() == ["POST"]


@pytest.mark.parametrize(("command", "kind"), [(DAY, "days"), (CREDIT, "credits")])
def test_a_second_try_asks_first_and_makes_nothing_twice(command, kind):
    wire = erp(idempotency="none")
    call = CONNECTOR.post_day if kind == "days" else CONNECTOR.create_credit
    first = drive(call(command, FIRST), wire)
    again = drive(call(command, AGAIN), wire)
    assert first.booked_at is not None
    assert again == Done(
        reference=first.reference, total=first.total, booked_at=first.booked_at, already=True
    )
    assert wire.methods() == ["POST", "GET"]
    assert wire.simulator.state()["doubles"] == {}


def test_a_supplement_names_the_first_and_needs_it():
    wire = erp()
    late = msgspec.structs.replace(
        DAY, reference="CD0000000009-1", supplement=1, supplements=DAY.reference, document="Z1"
    )
    assert isinstance(drive(CONNECTOR.post_day(late, FIRST), wire), Refused)
    drive(CONNECTOR.post_day(DAY, FIRST), wire)
    outcome = drive(CONNECTOR.post_day(late, msgspec.structs.replace(FIRST, key="key-9")), wire)
    assert outcome.reference == "Z2"
    assert wire.simulator.books.documents["days"][1].supplements == DAY.reference


def test_a_credit_holds_the_lines_that_came_back_and_nothing_else():
    wire = erp()
    done = drive(CONNECTOR.create_credit(CREDIT, FIRST), wire)
    assert (done.reference, done.total) == ("C1", -400)
    body = msgspec.json.decode(wire.requests[0].body)
    assert [line["line_id"] for line in body["lines"]] == ["2"]
    assert (body["original"], body["ticket"], body["reference"]) == ("berlin/T1/1", "berlin/T1/4", TICKET.id)
    assert "charges" not in body


def test_a_ticket_that_only_took_back_credits_its_rounding_too():
    wire = erp()
    alone = msgspec.structs.replace(CREDIT, charges=True, total=-399)
    assert drive(CONNECTOR.create_credit(alone, FIRST), wire).total == -399


def test_weighed_goods_leave_in_the_scale_that_is_told():
    settings = {"stock_at": {"berlin": {"CHEESE": 500}}, "quantity_scales": {"CHEESE": 2}}
    simulator = ErpSimulator({"token": "t", **settings}, seed=1)
    goods = (DayGoods(sku=Sku("CHEESE"), quantity=350, quantity_scale=3),)
    day = msgspec.structs.replace(DAY, goods=goods)
    drive(CONNECTOR.post_day(day, FIRST), Wire(simulator, CONNECTOR.request_headers()))
    assert simulator.feeds.on_hand_at == {"berlin": {"CHEESE": 465}}


def test_what_a_credit_pays_out_is_told_where_no_day_books_it():
    wire = erp()
    credit = msgspec.structs.replace(CREDIT, tenders=(DayTender(kind="cash", amount=-400),))
    drive(CONNECTOR.create_credit(credit, FIRST), wire)
    (body,) = (request.body for request in wire.requests if request.path == "/credits")
    require_schema(contract("erp"), "Credit", body)
    assert msgspec.json.decode(body)["tenders"] == [{"kind": "cash", "amount": -400}]
