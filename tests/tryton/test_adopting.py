"""Sales that somebody else has made in a running Tryton are taken over: found, marked, then shipped and invoiced by the hub."""

import pytest

from crossdock.errors import ConflictError, UnclearError
from crossdock.model import LineId, LineQuantity
from crossdock.model.commands import AdoptSale, CancelSale, CreateDelivery, CreateInvoice
from crossdock.sdk.calls import Done, Refused
from tests.model.builders import make_line
from tests.tryton.test_goods import cents, left, off, order_of, part, sell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def made_by_others(erp, order, reference, *, process=True):
    """A sale as another integration makes it: Tryton plans its shipment and drafts its invoice by itself."""
    model = f"TEMPLATE-{reference}"
    sell(erp, order_of(model, *order.lines))
    template = erp.read.sale(model)
    values = {"reference": reference, "shipment_method": "order", "invoice_method": "order"}
    (sale,) = erp.read.call("model.sale.sale.copy", [template["id"]], values)
    lines = erp.read.rows("sale.line", [["sale", "=", sale]])
    erp.read.call("model.sale.line.write", [line["id"] for line in lines], {"note": None})
    for step in ("quote", "confirm", "process") if process else ():
        erp.read.call(f"model.sale.sale.{step}", [sale])
    return sale


def adopt(erp, order, *, number="", wire=None):
    command = AdoptSale(
        order=order,
        order_id=order.id,
        connection="shop",
        channel_order=order.external_id,
        number=number or order.number,
    )
    return off(erp, erp.connector().adopt_sale, command, f"adopt/{order.id}", wire=wire)


def planned(erp, sale):
    rows = erp.read.rows(
        "stock.shipment.out", [["moves.origin.sale", "=", sale, "sale.line"]], "state", "reference"
    )
    return sorted((row["reference"] or "", row["state"]) for row in rows)


def test_a_sale_of_others_is_taken_over_and_shipped_and_invoiced_in_parts_once(erp):
    order = order_of("AD1", external_id="AD1-shop")
    sale = made_by_others(erp, order, "#AD1")
    done = adopt(erp, order)
    assert isinstance(done, Done), done
    assert (done.total, done.already) == (order.buyer_total, True)
    assert adopt(erp, order) == done
    assert planned(erp, sale) == [("", "waiting")], "until goods leave, others may ship it"
    before = erp.read.on_hand("SKU-1", "WH")
    for shipment in (left(order, ("1", 2)), left(order, ("1", 1), ("2", 1), id_="sh-2")):
        for command in (CreateDelivery, CreateInvoice):
            outcome = part(erp, command, order, shipment)
            assert isinstance(outcome, Done), outcome
    assert planned(erp, sale) == [("", "cancelled"), ("AD1/sh-1", "done"), ("AD1/sh-2", "done")]
    assert before - erp.read.on_hand("SKU-1", "WH") == 3
    assert erp.read.sale("AD1")["shipment_state"] == "sent"
    invoices = erp.read.rows("account.invoice", [["sales", "=", sale]], "state", "total_amount")
    assert {row["state"] for row in invoices} == {"posted"}
    assert sum(row["total_amount"] for row in invoices) == cents(order.buyer_total)
    (row,) = erp.read.rows("sale.sale", [["id", "=", sale]], "comment")
    assert row["comment"].endswith("Reference before: #AD1")


@pytest.mark.fault(3)
@pytest.mark.parametrize("step", ["sale.line.write", "sale.sale.write"])
def test_a_taking_over_that_is_cut_off_is_done_by_the_next(erp, step):
    order = order_of(f"AC-{step}")
    made_by_others(erp, order, order.number)
    with pytest.raises(UnclearError):
        adopt(erp, order, wire=erp.losing(step))
    assert isinstance(adopt(erp, order), Done)
    notes = {line["note"] for line in erp.read.lines(order.id)}
    assert {"1", "2"} <= notes


@pytest.mark.parametrize("step", ["out.cancel", "sale.line.write", "sale.sale.process"])
def test_a_delivery_whose_plan_gave_way_is_made_good_where_it_was_cut_off(erp, step):
    order = order_of(f"AG-{step}")
    sale = made_by_others(erp, order, order.number)
    adopt(erp, order)
    shipment = left(order, ("1", 3), ("2", 1))
    with pytest.raises(UnclearError):
        part(erp, CreateDelivery, order, shipment, wire=erp.losing(step))
    assert isinstance(part(erp, CreateDelivery, order, shipment, again=True), Done)
    assert planned(erp, sale) == [("", "cancelled"), (f"{order.id}/sh-1", "done")]
    assert erp.read.sale(order.id)["shipment_state"] == "sent"


def test_a_shipment_that_is_planned_for_two_sales_is_left_to_its_people(erp):
    order = order_of("AM1")
    sale, other = (made_by_others(erp, order, number) for number in ("#AM1", "#AM2"))
    (shared,) = erp.read.rows("stock.shipment.out", [["moves.origin.sale", "=", sale, "sale.line"]])
    moves = erp.read.rows("stock.move", [["origin.sale", "=", other, "sale.line"]])
    values = {"shipment": f"stock.shipment.out,{shared['id']}"}
    erp.read.call("model.stock.move.write", [move["id"] for move in moves], values)
    adopt(erp, order)
    assert isinstance(part(erp, CreateDelivery, order, left(order, ("1", 3), ("2", 1))), Done)
    assert planned(erp, other) == [("", "waiting")]


def test_what_will_not_come_of_a_sale_that_was_taken_over_is_taken_off(erp):
    order = order_of("AX1")
    sale = made_by_others(erp, order, "#AX1")
    adopt(erp, order)
    lines = (LineQuantity(line=LineId("1"), quantity=3),)
    command = CancelSale(order=order, order_id=order.id, lines=lines)
    assert isinstance(off(erp, erp.connector().cancel_sale, command, "AX1/c"), Done)
    assert isinstance(part(erp, CreateDelivery, order, left(order, ("2", 1))), Done)
    assert ("", "cancelled") in planned(erp, sale)
    assert erp.read.sale("AX1")["shipment_state"] == "sent"


def test_a_sale_that_nobody_has_made_is_refused_and_none_is_made(erp):
    refused = adopt(erp, order_of("AN1"))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("not_there", "number")
    assert erp.read.sales("AN1") == []


@pytest.mark.parametrize(
    ("id_", "lines", "told"),
    [
        ("AW1", (make_line("1", ordered=3, price=1990, percent=19),), "the order to"),
        (
            "AW2",
            (make_line("1", ordered=3, price=1990, percent=19), make_line("3", price=995, percent=19)),
            "no line of 1 SKU-3",
        ),
    ],
)
def test_a_sale_of_the_same_number_that_is_not_the_orders_is_left_alone(erp, id_, lines, told):
    made_by_others(erp, order_of(id_), f"#{id_}")
    refused = adopt(erp, order_of(id_, *lines))
    assert isinstance(refused, Refused)
    assert told in refused.reason
    assert erp.read.sales(id_) == []


def test_a_sale_that_is_not_in_process_yet_is_left_to_who_made_it(erp):
    made_by_others(erp, order_of("AS1"), "#AS1", process=False)
    refused = adopt(erp, order_of("AS1"))
    assert "still draft" in refused.reason


def test_two_sales_of_one_number_are_a_conflict(erp):
    for number in ("#AT1", "#AT2"):
        sale = made_by_others(erp, order_of("AT1"), number, process=False)
        erp.read.call("model.sale.sale.write", [sale], {"reference": "#AT"})
    with pytest.raises(ConflictError, match="2 sales"):
        adopt(erp, order_of("AT1"), number="#AT")
