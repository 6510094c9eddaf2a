"""Orders of many shapes become sales in a running Tryton, to the cent, once each."""

from decimal import Decimal

import pytest

from crossdock.errors import UnclearError
from crossdock.model import Charge, DiscountAllocation, OrderId, ShippingCharge, Sku, TaxLine
from crossdock.model.commands import CreateSale
from crossdock.sdk.calls import Done, Intent, Refused
from tests.model.builders import make_line, make_order, taxed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def shipping(price=499, percent=19, *, includes_tax=True):
    return ShippingCharge(
        id="s1", price=price, title="Parcel", **taxed(price, percent, includes_tax=includes_tax)
    )


def off(amount):
    return (DiscountAllocation(discount="d1", amount=amount),)


def charge(kind, amount):
    return Charge(kind=kind, id=kind, price=amount, net=amount, tax=0, gross=amount)


def command(id_, *lines, **fields):
    order = make_order(*lines, id=OrderId(id_), number=f"#{id_}", **fields)
    return CreateSale(order=order, order_id=order.id)


SHAPES = {
    "with tax": command(
        "SH1", make_line("1", ordered=3, price=1990, percent=19), make_line("2", price=500, percent=19)
    ),
    "without tax": command("SH2", make_line("1", ordered=7, price=333, percent=19, includes_tax=False)),
    "two rates": command(
        "SH3",
        make_line("1", price=1990, percent=19),
        make_line("2", ordered=2, price=1195, percent=7, sku=Sku("BOOK")),
    ),
    "discount with a residue": command(
        "SH4", *(make_line(str(n), price=1000, percent=19, discounts=off(333 + (n == 1))) for n in (1, 2, 3))
    ),
    "shipping": command("SH5", make_line("1", price=1990, percent=19), shipping=(shipping(),)),
    "no tax at all": command(
        "SH6", make_line("1", ordered=2, price=1234), make_line("2", price=5000, sku=Sku("CARD"))
    ),
    "many lines whose taxes round apart": command(
        "SH7", *(make_line(str(n), price=1990, percent=19) for n in range(1, 10)), shipping=(shipping(495),)
    ),
    "a price of many decimals": command(
        "SH8",
        make_line("1", ordered=700, price=1, extended=333, percent=0, net=333, tax=0, gross=333, taxes=()),
    ),
    "a rounding charge": command(
        "SH9", make_line("1", price=1993, percent=19), charges=(charge("rounding", 2),)
    ),
    "a tip and a duty": command(
        "SH10", make_line("1", price=1993, percent=19), charges=(charge("tip", 150), charge("duty", 310))
    ),
    "nothing to pay": command("SH11", make_line("1", price=1990, percent=19, discounts=off(1990))),
    "weighed goods": command(
        "SH12",
        make_line(
            "1",
            ordered=350,
            price=4,
            percent=0,
            sku=Sku("CHEESE"),
            unit="kg",
            quantity_scale=3,
            extended=1399,
            net=1399,
            tax=0,
            gross=1399,
            taxes=(),
        ),
    ),
    "a tax whose rate is not told": command(
        "SH13", make_line("1", price=1990, percent=19, taxes=(TaxLine(amount=318),))
    ),
    "a tax that the channel remits": command(
        "SH14",
        make_line(
            "1",
            price=1000,
            net=1000,
            tax=83,
            gross=1083,
            taxes=(TaxLine(amount=83, collected_by="marketplace"),),
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sale_comes_to_what_the_order_comes_to(erp, shape):
    wanted = SHAPES[shape]
    order = wanted.order
    done = erp.one(erp.connector().create_sale, wanted)
    assert isinstance(done, Done), done
    assert done.total == order.buyer_total
    sale = erp.read.sale(order.id)
    assert done.reference == sale["number"]
    assert sale["state"] in ("processing", "done")
    assert sale["total_amount"] == Decimal(order.buyer_total).scaleb(-2)
    parts = (*order.lines, *order.shipping, *order.charges)
    ours = sum(part.tax for part in parts) - sum(
        tax.amount for part in parts for tax in part.taxes if tax.collected_by == "marketplace"
    )
    assert sale["tax_amount"] == Decimal(ours).scaleb(-2)
    assert [line["note"] for line in erp.read.lines(order.id)][: len(order.lines)] == [
        line.id for line in order.lines
    ]


def test_a_sale_that_is_asked_for_twice_is_made_once(erp):
    wanted = command("TW1", make_line("1", price=1990, percent=19))
    first = erp.one(erp.connector().create_sale, wanted)
    second = erp.one(erp.connector().create_sale, wanted, again=True)
    assert second == Done(reference=first.reference, total=1990, already=True)
    assert len(erp.read.sales("TW1")) == 1


@pytest.mark.fault(3)
@pytest.mark.parametrize("step", ["sale.create", "sale.quote", "sale.confirm"])
@pytest.mark.parametrize("sent", [True, False])
def test_a_call_that_is_cut_off_goes_on_where_it_stood(erp, step, sent):
    wanted = command(f"CUT-{step}-{sent}", make_line("1", price=1990, percent=19))
    connector = erp.connector()
    with pytest.raises(UnclearError):
        erp.one(connector.create_sale, wanted, wire=erp.losing(step, sent=sent))
    done = erp.one(connector.create_sale, wanted, again=True)
    assert done.total == 1990
    sale = erp.read.sale(wanted.order_id)
    assert (sale["state"], sale["number"]) == ("processing", done.reference)


def test_one_bad_order_among_thirty_is_refused_alone(erp):
    wanted = [
        command(f"B{n}", make_line("1", ordered=n, price=1990, percent=19), shipping=(shipping(),))
        for n in range(1, 30)
    ]
    wanted.insert(11, command("B-BAD", make_line("1", price=100, percent=19, sku=Sku("NOBODYS"))))
    intents = tuple(Intent(key=item.order_id) for item in wanted)
    outcome = erp.do(erp.connector().create_sale(tuple(wanted), intents))
    refused = outcome.by_key["B-BAD"]
    assert isinstance(refused, Refused)
    assert refused.field == "lines[0].sku"
    assert "NOBODYS" in refused.reason
    for item in wanted:
        if item.order_id != "B-BAD":
            assert outcome.by_key[item.order_id].total == item.order.buyer_total
    assert erp.read.sales("B-BAD") == []
    assert erp.requests.count("model.sale.sale.create") >= 1
