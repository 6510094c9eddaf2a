"""What a shop gave back and what came back of its orders, in a running Tryton: one credit note to the cent, goods once."""

from datetime import UTC, datetime

import msgspec
import pytest

from crossdock.errors import MappingError, UnclearError
from crossdock.model import LineId, OrderId, Sku, Tender
from crossdock.model.commands import (
    CameBack,
    CreateDelivery,
    CreateInvoice,
    CreditPart,
    CreditRefund,
    Poll,
    ReceiveReturn,
)
from crossdock.sdk.calls import Done, Intent
from tests.tryton.test_goods import cents, left, order_of, part, sell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
NOW = datetime.now(UTC).isoformat()
LINE = {"kind": "line", "line": LineId("1"), "sku": Sku("SKU-1")}


def sold(erp, id_, **settings):
    """Three of SKU-1 at 19.90 and one of SKU-2 at 9.95, with 4.95 of shipping, all left, invoiced and paid."""
    order = order_of(id_)
    order = order_of(id_, tenders=(Tender(kind="card", amount=order.buyer_total),))
    sell(erp, order)
    shipment = left(order, ("1", 3), ("2", 1))
    assert isinstance(part(erp, CreateDelivery, order, shipment), Done)
    assert part(erp, CreateInvoice, order, shipment, **settings).total == order.buyer_total
    return order


def credit(erp, order, *parts, again=False, wire=None, **settings):
    reference = f"{order.id}/refund:shop:1"
    command = CreditRefund(
        order=order,
        order_id=OrderId(order.id),
        refund="shop:1",
        reference=reference,
        currency=order.currency,
        total=sum(one.gross for one in parts),
        parts=parts,
    )
    intent = Intent(key=f"{order.id}-credit", may_have_happened=again, now=NOW)
    return erp.do(erp.connector(**settings).credit_refund(command, intent), wire)


def receive(erp, order, *lines, again=False, wire=None, place="berlin"):
    reference = f"{order.id}/return:wms:1:1"
    named = {"goods_return": "wms:1", "reference": reference, "location": place}
    command = ReceiveReturn(order=order, order_id=OrderId(order.id), lines=lines, **named)
    intent = Intent(key=f"{order.id}-return", may_have_happened=again, now=NOW)
    return erp.do(erp.connector().receive_return(command, intent), wire)


def given(kind, net, tax, **fields):
    return CreditPart(kind=kind, net=net, tax=tax, gross=net + tax, **fields)


def notes(erp, order):
    return erp.read.invoices(f"{order.id}/refund")


PARTS = {
    "a part of a line with its tax": (given(net=1672, tax=318, quantity=1, **LINE),),
    "shipping": (given("shipping", 416, 79, shipping="s1"),),
    "goodwill without lines": (given("goodwill", 500, 0),),
    "what nobody names a part for": (given("rest", 733, 0),),
    "a line less a fee": (given(net=1672, tax=318, quantity=1, **LINE), given("restocking_fee", -300, 0)),
    "all of it": (
        given(net=5017, tax=953, quantity=3, **LINE),
        given("line", 836, 159, line=LineId("2"), sku=Sku("SKU-2"), quantity=1),
        given("shipping", 416, 79, shipping="s1"),
    ),
}


@pytest.mark.parametrize("what", PARTS)
def test_a_refund_is_one_posted_credit_note_to_the_cent_and_paid(erp, what):
    parts = PARTS[what]
    order = sold(erp, f"GB-{list(PARTS).index(what)}", payment_method="Clearing")
    before = erp.read.on_hand("SKU-1", "WH")
    done = credit(erp, order, *parts, payment_method="Clearing")
    assert isinstance(done, Done), done
    again = credit(erp, order, *parts, again=True, payment_method="Clearing")
    assert (again.reference, again.total, again.already) == (done.reference, done.total, True)
    (note,) = notes(erp, order)
    assert (note["state"], note["number"]) == ("paid", done.reference)
    assert done.total == -sum(one.gross for one in parts)
    assert note["total_amount"] == cents(done.total)
    assert note["tax_amount"] == cents(-sum(one.tax for one in parts))
    assert erp.read.on_hand("SKU-1", "WH") == before
    sale = erp.read.sale(order.id)
    assert (sale["state"], sale["shipment_state"], sale["invoice_state"]) == ("done", "sent", "paid")


def test_without_a_payment_method_the_note_stays_open(erp):
    order = sold(erp, "GO-1")
    credit(erp, order, *PARTS["shipping"])
    (note,) = notes(erp, order)
    assert note["state"] == "posted"


@pytest.mark.fault(3)
@pytest.mark.parametrize("step", ["account.invoice.create", "account.invoice.post", "pay.execute"])
def test_a_credit_that_is_cut_off_goes_on_where_it_stood(erp, step):
    order = sold(erp, f"GC-{step}")
    parts = PARTS["a part of a line with its tax"]
    with pytest.raises(UnclearError):
        credit(erp, order, *parts, wire=erp.losing(step), payment_method="Clearing")
    done = credit(erp, order, *parts, again=True, payment_method="Clearing")
    (note,) = notes(erp, order)
    assert (note["state"], note["number"], done.total) == ("paid", done.reference, -1990)


def test_an_order_that_was_never_invoiced_is_not_credited(erp):
    order = order_of("GN-1")
    sell(erp, order)
    with pytest.raises(MappingError, match="no posted invoice of GN-1") as refused:
        credit(erp, order, *PARTS["shipping"])
    assert refused.value.field == "order"
    assert notes(erp, order) == []


def test_a_tax_that_tryton_would_not_make_is_refused_by_name_and_leaves_nothing(erp):
    order = sold(erp, "GT-1")
    with pytest.raises(MappingError) as refused:
        credit(erp, order, given(net=1672, tax=100, quantity=1, **LINE))
    assert refused.value.field == "taxes"
    assert notes(erp, order) == []


def test_what_came_back_is_received_once_and_moves_no_more_than_it_says(erp):
    order = sold(erp, "GR-1")
    before = erp.read.on_hand("SKU-1", "WH"), erp.read.on_hand("SKU-1", "madrid")
    came = (CameBack(line=LineId("1"), sku=Sku("SKU-1"), quantity=2),)
    done = receive(erp, order, *came, place="madrid")
    again = receive(erp, order, *came, again=True, place="madrid")
    assert done.booked_at is not None
    assert (again.reference, again.booked_at, again.already) == (done.reference, done.booked_at, True)
    after = erp.read.on_hand("SKU-1", "WH"), erp.read.on_hand("SKU-1", "madrid")
    assert (after[0] - before[0], after[1] - before[1]) == (0, 2)
    assert erp.read.sale(order.id)["shipment_state"] == "sent"


@pytest.mark.fault(3)
@pytest.mark.parametrize("step", ["return.create", "return.receive", "return.do"])
def test_a_receipt_that_is_cut_off_goes_on_where_it_stood(erp, step):
    order = sold(erp, f"GR-{step}")
    before = erp.read.on_hand("SKU-1", "WH")
    came = (CameBack(line=LineId("1"), sku=Sku("SKU-1"), quantity=1),)
    with pytest.raises(UnclearError):
        receive(erp, order, *came, wire=erp.losing(step))
    assert isinstance(receive(erp, order, *came, again=True), Done)
    assert erp.read.on_hand("SKU-1", "WH") - before == 1


def test_what_may_not_be_sold_stays_in_the_input_of_the_warehouse(erp):
    order = sold(erp, "GR-held")
    goods = {"line": LineId("3"), "sku": Sku("SKU-9"), "quantity": 1}
    assert isinstance(receive(erp, order, CameBack(**goods), CameBack(**goods, held=True)), Done)
    rows = erp.read.rows(
        "stock.shipment.out.return", [["reference", "like", "GR-held/%"]], "reference", "state"
    )
    assert [(row["reference"], row["state"]) for row in rows] == [
        ("GR-held/return:wms:1:1", "done"),
        ("GR-held/return:wms:1:1/held", "received"),
    ]
    assert level(erp, "SKU-9", "berlin") == (1002, 1)


def level(erp, sku, place):
    """What the stock feed says of a SKU: on hand, and what of it may not be sold."""
    page = erp.do(erp.connector().poll(Poll(feed="stock"), Intent(key="poll", now=NOW)))
    bodies = [row["body"] for row in msgspec.json.decode(page.body)["rows"]]
    return next(
        (one["on_hand"], one["quarantined"])
        for body in bodies
        if body["location"] == place
        for one in body["levels"]
        if one["sku"] == sku
    )
