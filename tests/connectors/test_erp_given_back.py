"""The ERP connector for refunds and returns of orders: a credit note and a receipt, once each."""

import msgspec
import pytest

from crossdock.connectors.erp import build
from crossdock.model.commands import (
    CameBack,
    CreateInvoice,
    CreateSale,
    CreditPart,
    CreditRefund,
    ReceiveReturn,
)
from crossdock.model.fulfilment import Shipment
from crossdock.model.ids import LineId, OrderId, ShipmentId, Sku
from crossdock.model.money import Rate
from crossdock.model.pricing import TaxLine
from crossdock.model.quantity import LineQuantity
from crossdock.sdk.calls import Done, Refused
from crossdock.simulator.erp import ErpSimulator
from tests.connectors.driving import AGAIN, FIRST, Wire, contract, drive, require_schema
from tests.model.builders import make_line, make_order

CONNECTOR = build({"url": "http://erp.example", "token": "t"})
ORDER = make_order(make_line("1", ordered=2, price=1190, percent=19), id=OrderId("CD0000000042"))
CREDIT = CreditRefund(
    order=ORDER,
    order_id=ORDER.id,
    refund="shop:77",
    reference="CD0000000042/refund:shop:77",
    currency="EUR",
    total=1590,
    parts=(
        CreditPart(
            kind="line",
            net=1000,
            tax=190,
            gross=1190,
            line=LineId("1"),
            sku=Sku("SKU-1"),
            quantity=1,
            taxes=(TaxLine(amount=190, name="VAT", rate=Rate(value=19, scale=2)),),
        ),
        CreditPart(kind="shipping", net=420, tax=80, gross=500, shipping="s1"),
        CreditPart(kind="restocking_fee", net=-100, tax=0, gross=-100),
    ),
    sale_reference="S1",
)
RETURN = ReceiveReturn(
    order=ORDER,
    order_id=ORDER.id,
    goods_return="wms:B1",
    reference="CD0000000042/return:wms:B1:1",
    lines=(
        CameBack(line=LineId("1"), sku=Sku("SKU-1"), quantity=1),
        CameBack(line=LineId("1"), sku=Sku("SKU-1"), quantity=2, held=True),
    ),
    location="berlin",
    sale_reference="S1",
)
CALLS = {"credit-notes": (CONNECTOR.credit_refund, CREDIT), "returns": (CONNECTOR.receive_return, RETURN)}
SCHEMAS = {"credit-notes": "CreditNote", "returns": "Return"}


def erp(*, invoiced=True, **settings):
    stock = {"stock_at": {"berlin": {"SKU-1": 5}}}
    wire = Wire(ErpSimulator({"token": "t", **stock, **settings}, seed=1), CONNECTOR.request_headers())
    drive(CONNECTOR.create_sale(CreateSale(order=ORDER, order_id=ORDER.id), key("sale")), wire)
    if invoiced:
        lines = (LineQuantity(line=LineId("1"), quantity=2, sku=Sku("SKU-1")),)
        shipment = Shipment(id=ShipmentId("sh-1"), order=ORDER.id, lines=lines)
        invoice = CreateInvoice(order=ORDER, order_id=ORDER.id, shipment=shipment)
        drive(CONNECTOR.create_invoice(invoice, key("invoice")), wire)
    wire.requests.clear()
    return wire


def key(name):
    return msgspec.structs.replace(FIRST, key=name)


def test_a_refund_becomes_a_credit_note_of_exactly_its_parts():
    wire = erp()
    done = drive(CONNECTOR.credit_refund(CREDIT, FIRST), wire)
    assert (done.reference, done.total) == ("N1", -1590)
    body = msgspec.json.decode(wire.requests[0].body)
    assert [(part["kind"], part["net"], part["tax"], part["gross"]) for part in body["parts"]] == [
        ("line", -1000, -190, -1190),
        ("shipping", -420, -80, -500),
        ("restocking_fee", 100, 0, 100),
    ]
    assert body["parts"][0]["taxes"] == [{"amount": -190, "name": "VAT", "rate": "0.19"}]


@pytest.mark.parametrize("kind", CALLS)
def test_both_documents_are_what_the_contract_says(kind):
    wire, (call, command) = erp(), CALLS[kind]
    drive(call(command, FIRST), wire)
    require_schema(contract("erp"), SCHEMAS[kind], wire.requests[0].body)


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("idempotency", ["key", "none"])
def test_a_second_try_asks_first_and_makes_nothing_twice(kind, idempotency):
    wire, (call, command) = erp(idempotency=idempotency), CALLS[kind]
    first = drive(call(command, FIRST), wire)
    again = drive(call(command, AGAIN), wire)
    assert first.booked_at is not None
    assert again == Done(
        reference=first.reference, total=first.total, booked_at=first.booked_at, already=True
    )
    assert wire.methods() == ["POST", "GET"]
    assert wire.simulator.state()["doubles"] == {}
    assert wire.simulator.state()[kind.replace("-", "_")] == 1


def test_what_came_back_is_on_hand_and_what_may_not_be_sold_is_quarantined():
    wire = erp()
    drive(CONNECTOR.receive_return(RETURN, FIRST), wire)
    assert wire.simulator.feeds.on_hand_at == {"berlin": {"SKU-1": 8}}
    (level,) = wire.simulator.given_back.receipts
    assert level.lines == {"1": 3}


def test_what_is_not_invoiced_is_not_credited():
    outcome = drive(CONNECTOR.credit_refund(CREDIT, FIRST), erp(invoiced=False))
    assert isinstance(outcome, Refused)
    assert "not invoiced" in outcome.reason


def test_a_credit_that_does_not_add_up_is_refused():
    wrong = msgspec.structs.replace(CREDIT, total=1)
    assert isinstance(drive(CONNECTOR.credit_refund(wrong, FIRST), erp()), Refused)
