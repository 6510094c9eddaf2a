from datetime import date
from typing import get_args

import msgspec
import pytest

from crossdock import model as m
from tests.model.builders import NOON, SHOP, make_order, rich_order

ORDER_REF = m.ExternalRef(connection=SHOP, kind="order", id="450789469")
LINES = (m.LineQuantity(line=m.LineId("1"), quantity=2, sku=m.Sku("SKU-1")),)
STORE = m.LocationId("berlin-1")
SHIPMENT = m.Shipment(
    lines=LINES,
    connection=SHOP,
    external_id="f-1",
    order_ref=ORDER_REF,
    packages=(
        m.Package(tracking_number="1Z1", carrier="UPS", lines=LINES, weight_grams=1200),
        m.Package(tracking_number="1Z2", carrier="UPS"),
    ),
    shipped_at=NOON,
)
CANCELLATION = m.Cancellation(
    order_ref=ORDER_REF, lines=LINES, by="buyer", reason="changed mind", requested_at=NOON
)
RETURN = m.Return(
    lines=(m.ReturnLine(quantity=1, sku=m.Sku("SKU-9"), condition="used", disposition="quarantine"),)
)
REFUND = m.Refund(
    currency="EUR",
    total=450,
    order_ref=ORDER_REF,
    lines=(m.RefundLine(net=336, tax=64, gross=400, quantity=1, line=m.LineId("1"), restock="returned"),),
    shipping=(m.RefundShipping(net=100, tax=0, gross=100),),
    adjustments=(m.RefundAdjustment(kind="restocking_fee", net=-50, tax=0, gross=-50),),
    tenders=(m.Tender(kind="card", amount=450),),
)
PAYMENT = m.Payment(
    currency="EUR",
    amount=1000,
    captured=1000,
    refunded=1200,
    order_ref=ORDER_REF,
    captured_by="us",
    capture_when="on_shipment",
    authorised_until=NOON,
    allocations=(
        m.PaymentAllocation(to=m.FactRef(kind="order", id="ord-1"), amount=700),
        m.PaymentAllocation(to=m.FactRef(kind="ticket", id="t-1"), amount=300),
    ),
)
LEVEL = m.StockLevel(
    sku=m.Sku("SKU-1"), location=STORE, on_hand=-2, as_of=NOON, includes=(m.MovementId("m-1"),)
)
LISTING = m.Listing(
    connection=SHOP,
    external_id="B00X",
    components=(m.Component(sku=m.Sku("SKU-1"), quantity=6),),
    title="Pack of 6",
)
PRICE = m.Price(
    sku=m.Sku("SKU-1"), currency="EUR", unit_price=m.UnitPrice.parse("0.01234"), includes_tax=True
)
SETTLEMENT = m.Settlement(
    connection=SHOP, external_id="s-1", currency="EUR", gross=1000, fees=150, net=850, lines=1
)
SETTLED = m.SettlementLine(
    settlement=m.SettlementId("s-1"),
    kind="sale",
    gross=1000,
    fees=150,
    tax_withheld=20,
    net=830,
    currency="EUR",
)
PAYOUT = m.Payout(connection=SHOP, external_id="p-1", currency="EUR", amount=-850, paid_at=NOON)
POSTING = m.Posting(
    connection=SHOP,
    kind="invoice",
    number="INV-1",
    facts=(m.FactRef(kind="order", id="ord-1"), m.FactRef(kind="shipment", id="shp-1")),
    total=1000,
    erp_total=1001,
    posting_date=date(2026, 4, 1),
    business_date=date(2026, 3, 31),
)
DAY = m.StoreDay(
    location=STORE,
    business_date=date(2026, 3, 28),
    currency="EUR",
    sequences=(m.SequenceRange(register="1", first=10, last=20, missing=(13,)),),
    tenders=(m.TenderControl(kind="cash", expected=5000, counted=4900),),
)
TICKET = m.TillTicket(
    location=STORE,
    register="1",
    sequence=11,
    business_date=date(2026, 3, 28),
    kind="mixed",
    sale=make_order(channel="till"),
)

REPORTS = [
    m.OrderReported(
        order=rich_order(),
        shipments=(SHIPMENT,),
        refunds=(REFUND,),
        returns=(RETURN,),
        cancellations=(CANCELLATION,),
        payments=(PAYMENT,),
    ),
    m.ShipmentReported(shipment=SHIPMENT),
    m.ShortPickReported(request=m.FulfilmentRequestId("fr-1"), location=STORE, lines=LINES, reason="damaged"),
    m.CancellationRequested(order_ref=ORDER_REF, by="buyer", already_refunded=True, occurred_at=NOON),
    m.CancellationAnswered(order=m.OrderId("ord-1"), outcome="part_accepted", accepted=LINES, refused=LINES),
    m.RefundReported(refund=REFUND),
    m.ReturnReported(goods_return=RETURN),
    m.StockReported(levels=(LEVEL,), complete=True),
    m.ProductReported(product=m.Product(sku=m.Sku("SKU-1"), barcodes=("4006381333931",))),
    m.ListingReported(listing=LISTING),
    m.PriceReported(price=PRICE),
    m.LocationReported(location=m.Location(id=STORE, kind="store", zone="Europe/Berlin")),
    m.PaymentReported(payment=PAYMENT),
    m.SettlementReported(settlement=SETTLEMENT, lines=(SETTLED,)),
    m.PayoutReported(payout=PAYOUT),
    m.InvoiceReported(posting=POSTING),
    m.TicketReported(ticket=TICKET),
    m.StoreDayReported(store_day=DAY),
    m.UploadReported(external_id="U1", tickets=2, total=500, stated_tickets=3, stated_total=700),
    m.PersonErasureRequested(connection=SHOP, order_refs=(ORDER_REF,)),
    m.PersonDataRequested(connection=SHOP, order_refs=(ORDER_REF,)),
    m.ChannelErasureRequested(connection=SHOP),
]


@pytest.mark.parametrize("wire", [msgspec.json, msgspec.msgpack], ids=["json", "msgpack"])
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_comes_back_as_what_it_was(report, wire):
    assert wire.decode(wire.encode(report), type=m.Report) == report


def test_every_report_of_the_union_is_tried_here():
    assert {type(report) for report in REPORTS} == set(get_args(m.Report))


def test_a_report_is_told_by_its_type_in_the_past_tense():
    tags = [msgspec.json.decode(msgspec.json.encode(report))["type"] for report in REPORTS]
    assert len(set(tags)) == len(tags)
    assert all(tag.endswith("ed") and "." in tag for tag in tags)


def test_a_report_of_an_unknown_type_does_not_decode():
    with pytest.raises(msgspec.ValidationError, match=r"order\.invented"):
        msgspec.json.decode(b'{"type":"order.invented"}', type=m.Report)
