"""Orders to test with: a plain one, and one that uses everything that an order can be."""

from datetime import UTC, datetime
from typing import Any

from crossdock.model import (
    Address,
    Charge,
    ConnectionId,
    Discount,
    DiscountAllocation,
    ExchangeRate,
    ExternalRef,
    Hold,
    LegalEntityId,
    LineId,
    LocationId,
    Order,
    OrderId,
    OrderLine,
    Party,
    PartyId,
    PaymentId,
    Rate,
    ShippingCharge,
    Sku,
    TaxId,
    TaxLine,
    Tender,
    UnitPrice,
    split_exact,
)

SHOP = ConnectionId("shop")
STORE_REF = ExternalRef(connection=SHOP, kind="location", id="655441491")
NOON = datetime(2026, 3, 28, 12, 0, 0, 123456, tzinfo=UTC)
TIMES = ("ship_after", "ship_by", "deliver_by", "occurred_at", "channel_updated_at", "received_at")


def taxed(price: int, percent: int, *, includes_tax: bool, **tax: Any) -> dict[str, Any]:
    """Return net, tax, gross and taxes of a price after discounts, the tax rounded half up."""
    base = 100 + percent if includes_tax else 100
    amount = (2 * price * percent + base) // (2 * base)
    net, gross = (price - amount, price) if includes_tax else (price, price + amount)
    taxes = (TaxLine(amount=amount, rate=Rate(value=percent, scale=2), **tax),) if percent else ()
    return {"net": net, "tax": amount, "gross": gross, "taxes": taxes, "price_includes_tax": includes_tax}


def make_line(
    line: str = "1", *, ordered: int = 1, price: int = 1000, percent: int = 0, **fields: Any
) -> OrderLine:
    """Return a line of `ordered` pieces at `price` minor units of a currency with two decimals."""
    includes_tax = fields.pop("includes_tax", True)
    extended = price * ordered
    off = sum(allocation.amount for allocation in fields.get("discounts", ()))
    defaults = {
        "sku": Sku(f"SKU-{line}"),
        "current": ordered,
        "unit_price": UnitPrice(value=price, scale=2),
        "extended": extended,
        **taxed(extended - off, percent, includes_tax=includes_tax),
    }
    return OrderLine(id=LineId(line), ordered=ordered, **(defaults | fields))


def make_order(*lines: OrderLine, **fields: Any) -> Order:
    """Return an order whose total is what its components make, unless `buyer_total` is given."""
    lines = lines or (make_line(),)
    parts = (*lines, *fields.get("shipping", ()), *fields.get("charges", ()))
    defaults = {
        "connection": SHOP,
        "external_id": "450789469",
        "version": "1",
        "currency": "EUR",
        "buyer_total": sum(part.gross for part in parts),
    }
    return Order(lines=lines, **(defaults | fields))


def rich_order() -> Order:
    """Return a committed order with every feature of the model in it; its parts add up to 148.62 EUR."""
    return Order(
        id=OrderId("ord-1"),
        connection=SHOP,
        external_id="450789469",
        number="#1001",
        version="2026-03-28T12:00:00.123456Z",
        origin="amazon.de",
        origin_ref="302-1234567-1234567",
        channel="marketplace",
        test=True,
        buyer_total=14862,
        current_total=14862,
        channel_receivable=16302,
        sold_by="marketplace",
        bill_to="marketplace",
        legal_entity=LegalEntityId("acme-de"),
        location=LocationId("berlin-1"),
        location_ref=STORE_REF,
        holds=(Hold(code="fraud", reason="review", placed_by="us", placed_at=NOON, released_at=NOON),),
        exchange_of="450789000",
        note="leave at the door",
        tags=("vip",),
        lines=_rich_lines(),
        shipping=_rich_shipping(),
        charges=_rich_charges(),
        discounts=_rich_discounts(),
        tenders=_rich_tenders(),
        store_local="2026-03-28T13:00:00 Europe/Berlin",
        **_rich_currencies(),
        **_rich_parties(),
        **dict.fromkeys(TIMES, NOON),
    )


def _rich_currencies() -> dict[str, Any]:
    return {
        "currency": "EUR",
        "shop_currency": "USD",
        "shop_total": 16162,
        "settlement_currency": "CHF",
        "rates": (
            ExchangeRate(from_currency="EUR", to_currency="USD", rate=Rate(value=10875, scale=4), as_of=NOON),
            ExchangeRate(from_currency="EUR", to_currency="CHF", rate=Rate(value=93, scale=2), as_of=NOON),
        ),
    }


def _rich_shipping() -> tuple[ShippingCharge, ...]:
    express = ShippingCharge(
        id="ship-1",
        price=990,
        title="Express",
        carrier="DHL",
        service="express",
        code="DHL_EXP",
        discounts=(DiscountAllocation(discount="free-shipping", amount=500),),
        **taxed(490, 19, includes_tax=True, jurisdiction="DE"),
    )
    return (express,)


def _rich_discounts() -> tuple[Discount, ...]:
    spring = {
        "kind": "coupon",
        "code": "SPRING",
        "title": "Spring",
        "funded_by": "shared",
        "seller_share": 400,
    }
    return (
        Discount(id="spring", amount=1000, **spring),
        Discount(
            id="free-shipping", amount=500, kind="promotion", target="shipping", funded_by="marketplace"
        ),
        Discount(id="staff", amount=10, kind="staff", target="order"),
    )


def _rich_tenders() -> tuple[Tender, ...]:
    card = Tender(
        kind="card",
        amount=12862,
        state="authorised",
        payment=PaymentId("pay-1"),
        provider="adyen",
        authorised_until=NOON,
        foreign_currency="USD",
        foreign_amount=13987,
    )
    return (Tender(id="t1", kind="gift_card", amount=2000, reference="****1234", occurred_at=NOON), card)


def _rich_lines() -> tuple[OrderLine, ...]:
    shares = split_exact(
        1000, [9980, 455, 2500]
    )  # 772, 35 and 193: the residue went to the largest remainder

    def off(n: int) -> tuple[DiscountAllocation, ...]:
        return (DiscountAllocation(discount="spring", amount=shares[n]),)

    bundle = make_line(
        "1",
        ordered=2,
        price=4990,
        percent=19,
        kind="bundle",
        external_id="gid-1",
        discounts=off(0),
        current=1,
        cancelled=1,
        listing="SET-1",
        properties=(("Engraving", "for A."),),
    )
    cup = make_line(
        "1a", ordered=2, price=0, parent_line=LineId("1"), current=1, cancelled=1, fulfilled=1, returned=1
    )
    cheese = OrderLine(
        id=LineId("2"),
        sku=Sku("CHEESE"),
        category="dairy",
        ordered=350,
        current=350,
        unit="kg",
        quantity_scale=3,
        unit_price=UnitPrice(value=1299, scale=2),
        extended=455,
        discounts=off(1),
        delivery="pickup",
        fulfilled_by="store",
        location=LocationId("berlin-1"),
        location_ref=STORE_REF,
        **taxed(
            420, 7, includes_tax=False, jurisdiction="DE", registration="DE1", name="VAT", category="food"
        ),
    )
    gift_card = make_line("3", price=2500, kind="gift_card", delivery="digital", discounts=off(2))
    custom = make_line(
        "4", price=1200, percent=20, includes_tax=False, kind="custom", sku=Sku(""), title="Sewing"
    )
    later = make_line("5", price=0, availability="preorder", available_from=NOON, fulfilled_by="supplier")
    nuts = make_line(
        "6", ordered=7, price=0, unit_price=UnitPrice(value=1234, scale=5), extended=9, net=9, gross=9
    )
    back = {"returns_line": LineId("6")}
    taken_back = make_line(
        "7", ordered=-1, price=600, percent=19, fulfilled_by="handed_over", fulfilled=-1, **back
    )
    fba = make_line(
        "8", price=700, fulfilled_by="marketplace", serials=("SN-1",), ship_by=NOON, deliver_by=NOON
    )
    return (bundle, cup, cheese, gift_card, custom, later, nuts, taken_back, fba)


def _rich_charges() -> tuple[Charge, ...]:
    kept = {"collected_by": "marketplace", "remitted_by": "marketplace", "in_payout": False}
    staff = (DiscountAllocation(discount="staff", amount=10),)
    return (
        Charge(kind="tip", price=300, **taxed(300, 0, includes_tax=False)),
        Charge(kind="duty", price=150, line=LineId("4"), **taxed(150, 0, includes_tax=False)),
        Charge(kind="levy", price=50, title="Recycling", **taxed(50, 0, includes_tax=True)),
        Charge(
            id="wrap",
            kind="gift_wrap",
            price=310,
            discounts=staff,
            **taxed(300, 20, includes_tax=False, **kept),
        ),
        Charge(kind="rounding", price=-1, **taxed(-1, 0, includes_tax=False)),
    )


def _rich_parties() -> dict[str, Any]:
    address = Address(
        name="A. Buyer",
        company="Buyer GmbH",
        lines=("Weg 1",),
        city="Berlin",
        region="BE",
        postal_code="10115",
        country="DE",
        phone="+49 30 1",
        email="x7f@marketplace.example",
        point="PACKSTATION-7",
        masked=True,
    )
    buyer = Party(
        kind="company",
        id=PartyId("party-1"),
        external_id="c-1",
        name="A. Buyer",
        company="Buyer GmbH",
        email="x7f@marketplace.example",
        phone="+49 30 1",
        tax_ids=(TaxId(number="DE9", scheme="eori", jurisdiction="DE"),),
        address=address,
        language="de",
        masked=True,
    )
    return {
        "buyer": buyer,
        "ship_to": address,
        "billing_address": address,
        "purchase_order": "PO-77",
        "payment_terms": "net 30",
    }
