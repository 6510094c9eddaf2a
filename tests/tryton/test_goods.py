"""What left is shipped and invoiced, what will not come is taken off; each once, and again from where it stood."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crossdock.errors import UnclearError
from crossdock.model import (
    LineId,
    LineQuantity,
    LocationId,
    OrderId,
    Shipment,
    ShipmentId,
    ShippingCharge,
    Sku,
    Tender,
)
from crossdock.model.commands import AmendSale, CancelSale, CreateDelivery, CreateInvoice, CreateSale
from crossdock.sdk.calls import Done, Intent, Refused
from tests.model.builders import make_line, make_order, taxed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

NOW = datetime.now(UTC).isoformat()


def order_of(id_, *lines, **fields):
    lines = lines or (
        make_line("1", ordered=3, price=1990, percent=19),
        make_line("2", price=995, percent=19),
    )
    shipping = ShippingCharge(id="s1", price=495, **taxed(495, 19, includes_tax=True))
    return make_order(*lines, id=OrderId(id_), number=f"#{id_}", shipping=(shipping,), **fields)


def left(order, *lines, id_="sh-1", place="berlin"):
    quantities = tuple(
        LineQuantity(line=LineId(line), quantity=n, sku=Sku(f"SKU-{line}")) for line, n in lines
    )
    return Shipment(
        id=ShipmentId(id_),
        order=order.id,
        lines=quantities,
        location=LocationId(place),
        shipped_at=datetime.now(UTC),
    )


def sell(erp, order, **settings):
    done = erp.one(erp.connector(**settings).create_sale, CreateSale(order=order, order_id=order.id))
    assert isinstance(done, Done), done
    return done


def part(erp, class_, order, shipment, *, again=False, wire=None, **settings):
    connector = erp.connector(**settings)
    operation = connector.create_delivery if class_ is CreateDelivery else connector.create_invoice
    intent = Intent(key=f"{operation.__name__}/{order.id}/{shipment.id}", may_have_happened=again, now=NOW)
    command = class_(order=order, order_id=order.id, shipment=shipment)
    return erp.do(operation((command,), (intent,)), wire).by_key[intent.key]


def off(erp, operation, command, key, *, again=False, wire=None):
    return erp.do(operation(command, Intent(key=key, may_have_happened=again, now=NOW)), wire)


def cents(amount):
    return Decimal(amount).scaleb(-2)


def test_an_order_that_leaves_in_parts_is_shipped_and_invoiced_in_parts_and_adds_up(erp):
    order = order_of("P1")
    sell(erp, order)
    before = erp.read.on_hand("SKU-1", "WH"), erp.read.on_hand("SKU-1", "madrid")
    first, second = left(order, ("1", 2)), left(order, ("1", 1), ("2", 1), id_="sh-2", place="madrid")
    for shipment in (first, second):
        assert isinstance(part(erp, CreateDelivery, order, shipment), Done)
        assert isinstance(part(erp, CreateInvoice, order, shipment), Done)
    shipments = erp.read.shipments("P1/")
    assert [(row["reference"], row["state"]) for row in shipments] == [
        ("P1/sh-1", "done"),
        ("P1/sh-2", "done"),
    ]
    invoices = erp.read.invoices("P1/")
    assert [(row["reference"], row["state"]) for row in invoices] == [
        ("P1/sh-1", "posted"),
        ("P1/sh-2", "posted"),
    ]
    assert sum(row["total_amount"] for row in invoices) == cents(order.buyer_total)
    assert sum(row["tax_amount"] for row in invoices) == erp.read.sale("P1")["tax_amount"]
    after = erp.read.on_hand("SKU-1", "WH"), erp.read.on_hand("SKU-1", "madrid")
    assert (before[0] - after[0], before[1] - after[1]) == (2, 1)
    assert erp.read.sale("P1")["shipment_state"] == "sent"


@pytest.mark.fault(3)
@pytest.mark.parametrize("step", ["out.create", "out.wait", "out.assign_force", "out.pack", "out.do"])
def test_a_delivery_that_is_cut_off_goes_on_where_it_stood(erp, step):
    order = order_of(f"DC-{step}")
    sell(erp, order)
    shipment = left(order, ("1", 3))
    before = erp.read.on_hand("SKU-1", "WH")
    with pytest.raises(UnclearError):
        part(erp, CreateDelivery, order, shipment, wire=erp.losing(step))
    assert isinstance(part(erp, CreateDelivery, order, shipment, again=True), Done)
    assert part(erp, CreateDelivery, order, shipment, again=True).already
    assert [row["state"] for row in erp.read.shipments(f"DC-{step}/")] == ["done"]
    assert before - erp.read.on_hand("SKU-1", "WH") == 3


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    "step", ["manual_invoice", "account.invoice.write", "account.invoice.post", "pay.execute"]
)
def test_an_invoice_that_is_cut_off_goes_on_where_it_stood(erp, step):
    order = order_of(f"IC-{step}")
    order = order_of(f"IC-{step}", tenders=(Tender(kind="card", amount=order.buyer_total),))
    sell(erp, order)
    shipment = left(order, ("1", 3), ("2", 1))
    part(erp, CreateDelivery, order, shipment)
    clearing = {"payment_method": "Clearing"}
    with pytest.raises(UnclearError):
        part(erp, CreateInvoice, order, shipment, wire=erp.losing(step), **clearing)
    done = part(erp, CreateInvoice, order, shipment, again=True, **clearing)
    assert done.total == order.buyer_total
    (invoice,) = erp.read.invoices(f"IC-{step}/")
    assert (invoice["state"], invoice["number"]) == ("paid", done.reference)
    assert erp.read.sale(order.id)["state"] == "done"
    assert (
        erp.read.rows("account.invoice", [["state", "=", "draft"], ["sales.reference", "=", order.id]]) == []
    )


def test_shipments_of_many_orders_go_together_and_a_bad_one_is_refused_alone(erp):
    orders = [order_of(f"M{n}") for n in range(6)]
    connector = erp.connector()
    intents = tuple(Intent(key=order.id, now=NOW) for order in orders)
    erp.do(connector.create_sale(tuple(CreateSale(order=o, order_id=o.id) for o in orders[:5]), intents[:5]))
    for class_, operation in (
        (CreateDelivery, connector.create_delivery),
        (CreateInvoice, connector.create_invoice),
    ):
        commands = tuple(class_(order=o, order_id=o.id, shipment=left(o, ("1", 3), ("2", 1))) for o in orders)
        outcome = erp.do(operation(commands, intents))
        assert isinstance(outcome.by_key["M5"], Refused)
        assert "no sale of M5" in outcome.by_key["M5"].reason
        assert all(isinstance(outcome.by_key[order.id], Done) for order in orders[:5])
    for order in orders[:5]:
        (invoice,) = erp.read.invoices(f"{order.id}/")
        assert invoice["total_amount"] == cents(order.buyer_total)


def test_a_place_that_is_no_warehouse_is_refused_by_name(erp):
    order = order_of("NW1")
    sell(erp, order)
    refused = part(erp, CreateDelivery, order, left(order, ("1", 1), place="atlantis"))
    assert (refused.field, "atlantis" in refused.reason) == ("shipment.location", True)


def test_a_part_that_will_not_come_is_taken_off_once_and_the_rest_makes_the_sale_done(erp):
    order = order_of("C1", tenders=(Tender(kind="card", amount=999_999),))
    sell(erp, order)
    connector = erp.connector()
    command = CancelSale(
        order=order, order_id=order.id, lines=(LineQuantity(line=LineId("1"), quantity=2, sku=Sku("SKU-1")),)
    )
    for step in (
        "out.create",
        "out.cancel",
        "sale.line.write",
        "manual_invoice",
        "invoice.write",
        "invoice.cancel",
    ):
        with pytest.raises(UnclearError):
            off(erp, connector.cancel_sale, command, "C1-cancel", again=True, wire=erp.losing(step))
    assert isinstance(off(erp, connector.cancel_sale, command, "C1-cancel", again=True), Done)
    assert isinstance(off(erp, connector.cancel_sale, command, "C1-cancel", again=True), Done)
    rest = left(order, ("1", 1), ("2", 1))
    assert isinstance(part(erp, CreateDelivery, order, rest), Done)
    assert isinstance(part(erp, CreateInvoice, order, rest, payment_method="Clearing"), Done)
    (invoice,) = erp.read.invoices("C1/")
    assert (invoice["state"], invoice["total_amount"]) == ("paid", cents(1990 + 995 + 495))
    assert erp.read.sale("C1")["state"] == "done"


def test_a_whole_sale_is_taken_off_with_its_charges(erp):
    order = order_of("C2")
    sell(erp, order)
    assert isinstance(
        off(erp, erp.connector().cancel_sale, CancelSale(order=order, order_id=order.id), "C2-c"), Done
    )
    sale = erp.read.sale("C2")
    assert sale["state"] == "done"
    assert erp.read.shipments("C2/") == erp.read.invoices("C2/") == []
    # What left all the same is recorded, for it has left; there is nothing to invoice it by.
    assert isinstance(part(erp, CreateDelivery, order, left(order, ("1", 1))), Done)
    refused = part(erp, CreateInvoice, order, left(order, ("1", 1)))
    assert (refused.field, "line 1" in refused.reason) == ("shipment.lines", True), refused


def test_a_sale_that_is_not_in_process_yet_is_cancelled_as_such(erp):
    order = order_of("C3")
    with pytest.raises(UnclearError):
        erp.one(
            erp.connector().create_sale, CreateSale(order=order, order_id=order.id), wire=erp.losing("quote")
        )
    off(erp, erp.connector().cancel_sale, CancelSale(order=order, order_id=order.id), "C3-c")
    assert erp.read.sale("C3")["state"] == "cancelled"


def test_cancelling_what_was_never_sold_there_is_done(erp):
    order = order_of("C4")
    assert off(erp, erp.connector().cancel_sale, CancelSale(order=order, order_id=order.id), "C4-c") == Done()


def test_an_amended_order_has_one_sale_that_says_what_it_is_now(erp):
    sell(erp, order_of("AM1"))
    order = order_of("AM1", make_line("1", ordered=1, price=1990, percent=19), version="2")
    connector = erp.connector()
    command = AmendSale(order=order, order_id=order.id)
    for step in ("sale.write", "out.cancel", "invoice.cancel", "sale.create", "sale.confirm"):
        with pytest.raises(UnclearError):
            off(erp, connector.amend_sale, command, "AM1-a", again=True, wire=erp.losing(step))
    done = off(erp, connector.amend_sale, command, "AM1-a", again=True)
    sale = erp.read.sale("AM1")
    assert (done.reference, done.total, sale["total_amount"]) == (sale["number"], 2485, cents(2485))
    (old,) = erp.read.sales("AM1/AM1-a")
    assert (old["state"], old["shipment_state"], old["invoice_state"]) == ("done", "none", "none")
    shipment = left(order, ("1", 1))
    assert isinstance(part(erp, CreateDelivery, order, shipment), Done)
    assert part(erp, CreateInvoice, order, shipment).total == 2485


def test_what_was_delivered_in_part_is_not_amended(erp):
    order = order_of("AM2")
    sell(erp, order)
    part(erp, CreateDelivery, order, left(order, ("1", 1)))
    refused = off(erp, erp.connector().amend_sale, AmendSale(order=order, order_id=order.id), "AM2-a")
    assert refused.code == "delivered"
