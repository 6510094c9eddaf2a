"""Till days in a running Tryton: one invoice a day, on its own date, credit notes for what came back; once each."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from crossdock.domain.day_sums import day_lines
from crossdock.domain.tickets import Sum, Value
from crossdock.errors import ConflictError, MappingError, UnclearError
from crossdock.model import LineId, OrderId, Rate, Sku, TaxLine
from crossdock.model.commands import CreateCredit, DayGoods, DayLine, DayTender, PostDay
from crossdock.sdk.calls import Done, Intent, Refused
from crossdock.sdk.spec import Translation
from tests.model.builders import make_line, make_order

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


def sold(kind, net, tax, percent, *, lines=1, category=""):
    taxes = (TaxLine(amount=tax, rate=Rate(value=percent, scale=2)),) if percent else ()
    return DayLine(kind=kind, net=net, tax=tax, gross=net + tax, taxes=taxes, lines=lines, category=category)


def day_of(reference, *lines, dates=(YESTERDAY,), **fields):
    lines = lines or (
        sold("goods", 100_003, 18_987, 19, lines=400),
        sold("goods", 50_000, 3_502, 7, lines=90),
        sold("gift_card", 5_000, 0, 0),
    )
    total = sum(line.gross for line in lines)
    return PostDay(
        reference=reference,
        connection="shop",
        store="store-7",
        business_date=YESTERDAY,
        posting_dates=dates,
        currency="EUR",
        total=total,
        lines=lines,
        tenders=(DayTender(kind="card", amount=total),),
        tickets=300,
        **fields,
    )


def post(erp, command, *, again=False, wire=None, **settings):
    operation = erp.connector(**settings).post_day
    intent = Intent(key=command.reference, may_have_happened=again, now=datetime.now(UTC).isoformat())
    return erp.do(operation(command, intent), wire)


def booked(erp, reference):
    fields = (
        "state",
        "number",
        "total_amount",
        "tax_amount",
        "accounting_date",
        "party",
        "move.period.state",
        "move.date",
        "amount_to_pay",
    )
    return erp.read.rows(
        "account.invoice", [["reference", "=", reference], ["state", "!=", "cancelled"]], *fields
    )


def test_a_day_is_one_posted_invoice_of_the_store_on_its_own_date(erp):
    command = day_of("D1")
    done = post(erp, command)
    assert isinstance(done, Done), done
    (invoice,) = booked(erp, "D1")
    assert (done.reference, done.total) == (invoice["number"], command.total)
    assert invoice["state"] == "posted"
    assert (invoice["total_amount"], invoice["tax_amount"]) == (Decimal("1774.92"), Decimal("224.89"))
    moved = invoice["move."]["date"]
    assert date(moved["year"], moved["month"], moved["day"]) == YESTERDAY
    (party,) = erp.read.rows("party.party", [["id", "=", invoice["party"]]], "code")
    assert party["code"] == "store-7"
    assert post(erp, command, again=True) == Done(reference=done.reference, total=done.total, already=True)


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    "step", ["sale.create", "sale.confirm", "manual_invoice", "invoice.write", "invoice.post"]
)
def test_a_day_that_is_cut_off_is_posted_once(erp, step):
    command = day_of(f"DC-{step}")
    with pytest.raises(UnclearError):
        post(erp, command, wire=erp.losing(step))
    assert post(erp, command, again=True).total == command.total
    assert len(booked(erp, command.reference)) == len(erp.read.sales(command.reference)) == 1


def test_a_day_whose_period_is_closed_goes_to_the_next_date(fresh):
    month, closed = TODAY.replace(day=1), close_the_month_before(fresh)
    command = day_of("DP1", dates=(closed, month), day="CD0000000007")
    done = post(fresh, command)
    assert isinstance(done, Done), done
    again = post(fresh, command, again=True)
    (said,) = done.messages
    assert (said.ref_kind, said.ref, again.messages) == ("hub", "CD0000000007", done.messages)
    assert fresh.connector().spec.understands(said.kind).overtakes
    context = Translation(connection="erp", subject=said.ref)
    (report,) = fresh.connector().translate(said.kind, {}, said.body, context)
    told = report.posting
    assert (told.kind, told.document, told.posting_date) == ("store_day", done.reference, month)
    (invoice,) = booked(fresh, "DP1")
    assert invoice["accounting_date"]["month"] == month.month
    refused = post(fresh, day_of("DP2", dates=(closed,)))
    assert isinstance(refused, Refused)


def test_what_left_a_store_over_the_day_leaves_its_warehouse(erp):
    before = erp.read.on_hand("SKU-2", "madrid")
    goods = (DayGoods(sku=Sku("SKU-2"), quantity=4), DayGoods(sku=Sku("CARD"), quantity=1))
    command = day_of("DG1", goods=goods)
    stores = {"warehouses": "store-7=madrid; berlin=WH"}
    with pytest.raises(UnclearError):
        post(erp, command, wire=erp.losing("out.do"), **stores)
    post(erp, command, again=True, **stores)
    post(erp, command, again=True, **stores)
    assert before - erp.read.on_hand("SKU-2", "madrid") == 4


def test_weighed_goods_leave_in_the_scale_that_is_told_not_in_that_of_their_unit(erp):
    before = erp.read.on_hand("CHEESE", "madrid")
    goods = (DayGoods(sku=Sku("CHEESE"), quantity=350, quantity_scale=3),)
    post(erp, day_of("DG2", goods=goods), warehouses="store-7=madrid; berlin=WH")
    assert round(before - erp.read.on_hand("CHEESE", "madrid"), 3) == 0.35


def till_ticket(*parts):
    return Value(
        sold=tuple(Sum(kind, "", net, net + tax, (("", "", "", "", tax),)) for kind, net, tax in parts)
    )


@pytest.mark.parametrize(
    ("name", "tickets"),
    [
        ("one", [till_ticket(("goods", 167, 32))] * 300),
        ("mixed", [till_ticket(("goods", 167, 32), ("goods", 186, 13))] * 150),
        ("wraps", [till_ticket(("gift_wrap", 84, 16))] * 200),
    ],
)
def test_a_day_whose_tills_tell_taxes_without_their_rates_is_booked_to_the_cent(erp, name, tickets):
    command = day_of(f"DR-{name}", *day_lines(tickets, ("0.07", "0.19")))
    done = post(erp, command)
    assert isinstance(done, Done), done
    (invoice,) = booked(erp, command.reference)
    tax = sum(line.tax for line in command.lines)
    assert (done.total, invoice["tax_amount"] * 100) == (command.total, tax)


def test_a_day_of_taxes_without_any_rate_is_refused_with_both_remedies(erp):
    command = day_of("DR-none", *day_lines([till_ticket(("goods", 167, 32), ("goods", 186, 13))] * 150))
    with pytest.raises(MappingError, match="tax_rates") as told:
        post(erp, command)
    assert told.value.field == "lines[0].taxes[0]"


STORES = {"warehouses": "store-7=madrid; berlin=WH"}
GOODS = (DayGoods(sku=Sku("SKU-4"), quantity=2),)


@pytest.mark.parametrize(("tax", "percent"), [(1_600, 16), (2_900, 19)])
def test_nothing_leaves_a_store_before_all_of_its_day_can_be_booked(erp, tax, percent):
    before = erp.read.on_hand("SKU-4", "madrid")
    with pytest.raises(MappingError):
        post(erp, day_of("DT1", sold("goods", 10_000, tax, percent), goods=GOODS), **STORES)
    assert (erp.read.shipments("DT1"), erp.read.sales("DT1")) == ([], [])
    assert erp.read.on_hand("SKU-4", "madrid") == before


def test_what_is_posted_after_one_that_was_given_up_is_booked_for_what_it_is(fresh):
    closed = close_the_month_before(fresh)
    before = fresh.read.on_hand("SKU-4", "madrid")
    given_up = day_of("DQ1", sold("goods", 10_000, 1_900, 19), dates=(closed,), goods=GOODS)
    assert isinstance(post(fresh, given_up, **STORES), Refused)
    assert fresh.read.on_hand("SKU-4", "madrid") == before
    command = day_of("DQ1-1", sold("goods", 5_000, 950, 19), goods=GOODS)
    done = post(fresh, command, **STORES)
    (invoice,) = booked(fresh, "DQ1-1")
    assert (done.total, done.already, invoice["total_amount"]) == (5_950, False, Decimal("59.50"))
    assert len(fresh.read.sales("DQ1-1")) == 1
    assert before - fresh.read.on_hand("SKU-4", "madrid") == 2


def test_two_sales_of_one_posting_are_a_conflict_and_nothing_is_booked(erp):
    post(erp, day_of("DD0"))
    (sale,) = erp.read.sales("DD0")
    (copy,) = erp.read.call("model.sale.sale.copy", [sale["id"]], {"reference": "DD1"})
    erp.read.call("model.sale.sale.copy", [copy], {"reference": "DD1"})
    with pytest.raises(ConflictError, match="2 sales for DD1"):
        post(erp, day_of("DD1"))
    assert booked(erp, "DD1") == []


def test_an_invoice_of_another_sale_is_never_taken_for_that_of_a_posting(erp):
    post(erp, day_of("DI0"))
    (other,) = booked(erp, "DI0")
    erp.read.call("model.account.invoice.write", [other["id"]], {"reference": "DI1"})
    with pytest.raises(ConflictError, match=other["number"]):
        post(erp, day_of("DI1"))


PAYS = {"payment_method": "Clearing"}


@pytest.mark.parametrize(("owed", "state", "left"), [(0, "paid", "0.00"), (1_000, "posted", "10.00")])
def test_of_a_day_what_tills_were_paid_is_paid_once(erp, owed, state, left):
    command = day_of(f"DY{owed}", owed=owed)
    with pytest.raises(UnclearError):
        post(erp, command, wire=erp.losing("invoice.pay.execute"), **PAYS)
    for _ in range(2):
        assert isinstance(post(erp, command, again=True, **PAYS), Done)
    (invoice,) = booked(erp, command.reference)
    assert (invoice["state"], invoice["amount_to_pay"]) == (state, Decimal(left))


def test_a_day_that_cannot_be_paid_as_is_said_is_refused_before_it_is_booked(erp):
    with pytest.raises(MappingError, match="payment_method"):
        post(erp, day_of("DY-none"), payment_method="Cash")
    assert erp.read.sales("DY-none") == []


@pytest.mark.parametrize(
    ("repaid", "state", "left"), [(1_990, "paid", "0.00"), (990, "posted", "-10.00"), (0, "posted", "-19.90")]
)
def test_of_a_credit_what_the_buyer_has_got_is_paid(erp, repaid, state, left):
    order = make_order(
        make_line("1", ordered=-1, price=1990, percent=19, sku=Sku("SKU-3")), id=OrderId(f"CP{repaid}")
    )
    command = CreateCredit(
        order=order,
        order_id=order.id,
        lines=(LineId("1"),),
        total=-1990,
        store="store-7",
        business_date=TODAY,
        posting_dates=(TODAY,),
        repaid=repaid,
    )
    for again in (False, True):
        intent = Intent(key=order.id, may_have_happened=again, now=datetime.now(UTC).isoformat())
        assert isinstance(erp.do(erp.connector(**PAYS).create_credit(command, intent)), Done)
    (note,) = booked(erp, order.id)
    assert (note["state"], note["amount_to_pay"]) == (state, Decimal(left))


def test_a_return_is_credited_once_and_its_goods_are_received(erp):
    line = make_line("1", ordered=-2, price=1990, percent=19, sku=Sku("SKU-3"))
    rounding = make_line("2", ordered=1, price=500, sku=Sku("SKU-3"))
    order = make_order(line, rounding, id=OrderId("CR1"), number="T-17")
    command = CreateCredit(
        order=order,
        order_id=order.id,
        lines=(LineId("1"),),
        total=-3980,
        store="store-7",
        business_date=YESTERDAY,
        posting_dates=(YESTERDAY,),
    )
    before = erp.read.on_hand("SKU-3", "madrid")
    operation = erp.connector(warehouses="store-7=madrid; berlin=WH").create_credit
    for step in (
        "sale.create",
        "sale.confirm",
        "invoice.post",
        "manual_shipment",
        "return.receive",
        "return.do",
    ):
        with pytest.raises(UnclearError):
            erp.do(operation(command, Intent(key="CR1", may_have_happened=True)), erp.losing(step))
    done = erp.do(operation(command, Intent(key="CR1", may_have_happened=True)))
    (invoice,) = booked(erp, "CR1")
    assert (done.reference, done.total) == (invoice["number"], -3980)
    assert (invoice["state"], invoice["total_amount"]) == ("posted", Decimal("-39.80"))
    assert erp.read.on_hand("SKU-3", "madrid") - before == 2
    assert erp.read.sale("CR1")["shipment_state"] == "sent"


def test_a_return_to_a_store_without_a_warehouse_is_money_alone(erp):
    order = make_order(
        make_line("1", ordered=-1, price=1990, percent=19, sku=Sku("SKU-3")), id=OrderId("CR2")
    )
    command = CreateCredit(
        order=order,
        order_id=order.id,
        lines=(LineId("1"),),
        total=-1990,
        store="store-7",
        business_date=TODAY,
        posting_dates=(TODAY,),
    )
    before = erp.read.on_hand("SKU-3", "WH"), erp.read.on_hand("SKU-3", "madrid")
    assert erp.do(erp.connector().create_credit(command, Intent(key="CR2"))).total == -1990
    assert (erp.read.on_hand("SKU-3", "WH"), erp.read.on_hand("SKU-3", "madrid")) == before


def close_the_month_before(erp):
    closed = TODAY.replace(day=1) - timedelta(days=1)
    (period,) = erp.read.rows("account.period", [["start_date", "=", _day(closed.replace(day=1))]])
    erp.read.call("model.account.period.close", [period["id"]])
    return closed


def _day(moment):
    return {"__class__": "date", "year": moment.year, "month": moment.month, "day": moment.day}
