import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.domain.journal import extras_of, refund_entries, to_post
from crossdock.domain.process import Line, OrderProcess, Refunded
from crossdock.model import Charge, Refund, RefundLine, ShippingCharge, TaxLine
from crossdock.model.returns import RefundAdjustment, RefundShipping
from tests.model.builders import make_line, make_order, rich_order


def process(**fields: object) -> OrderProcess:
    return OrderProcess(order="O", known=True, commitment="committed", **fields)  # type: ignore[arg-type]


def test_shipping_and_charges_are_credited_with_their_tax():
    shipping = ShippingCharge(id="s", price=119, net=100, tax=19, gross=119)
    tip = Charge(kind="tip", price=50, net=50, tax=0, gross=50)
    order = make_order(make_line(), shipping=(shipping,), charges=(tip,))
    assert extras_of(order) == {"shipping": -100, "charges": -50, "tax": -19}


def test_tax_that_a_marketplace_remits_stands_apart():
    tax = TaxLine(amount=19, collected_by="marketplace", remitted_by="marketplace", in_payout=False)
    order = make_order(
        make_line(), shipping=(ShippingCharge(id="s", price=119, net=100, tax=19, gross=119, taxes=(tax,)),)
    )
    assert extras_of(order) == {"shipping": -100, "tax_withheld": -19}
    assert sum(extras_of(rich_order()).values()) < 0


def test_discounts_are_shown():
    order = process(lines=[Line(id="1", ordered=1, net=80, gross=95, discount=20)])
    assert dict(to_post(order, None)) == {"receivable": 95, "sales": -100, "discounts": 20, "tax": -15}
    assert to_post(order, None) == ()


def test_what_is_cancelled_is_reversed_in_proportion_and_shipping_only_with_the_last():
    order = process(lines=[Line(id="1", ordered=3, net=100, gross=119)], extras={"shipping": -10})
    to_post(order, None)
    assert dict(to_post(order, [1])) == {"receivable": -40, "sales": 34, "tax": 6}
    assert dict(to_post(order, [3])) == {"receivable": -89, "sales": 66, "tax": 13, "shipping": 10}
    assert order.posted == {}


@pytest.mark.parametrize(
    ("charges", "entries"),
    [
        ({"shipping": -50, "tax": -10}, {"receivable": 60, "refunds": 30}),
        ({"shipping": -100, "tax": -19}, {"receivable": 90}),
        ({"charges": 20}, {"refunds": 90}),
        ({}, {"refunds": 90}),
    ],
)
def test_of_a_sale_that_is_gone_what_was_charged_is_owed_back_and_no_tax_stays(charges, entries):
    back = Refunded(
        key="R", done=True, entries={"payments": -90, "refunds": 80, "tax": 10}, extras=[(80, 10)]
    )
    order = process(lines=[Line(id="1", ordered=1, net=100, gross=119)], extras=charges, refunds=[back])
    assert dict(to_post(order, [1])) == {"payments": -90, **entries}


def test_a_sale_that_became_void_is_reversed_whole():
    order = process(lines=[Line(id="1", ordered=1, net=100, gross=119)], captured=119)
    to_post(order, None)
    order.commitment = "void"
    to_post(order, None)
    assert order.posted == {}


@pytest.mark.parametrize(
    ("restock", "entries"),
    [
        ("returned", {"payments": -119, "refunds": 100, "tax": 19}),
        ("cancelled", {"payments": -119, "receivable": 119}),
    ],
)
def test_money_given_back_for_goods_that_never_went_reverses_no_sale_twice(restock, entries):
    line = RefundLine(net=100, tax=19, gross=119, restock=restock)
    assert refund_entries(Refund(currency="EUR", total=119, lines=(line,))) == entries


def test_a_refund_of_which_only_the_total_is_known_balances():
    assert refund_entries(Refund(currency="EUR", total=50)) == {"payments": -50, "refunds": 50}
    shipping = RefundShipping(net=10, tax=2, gross=12)
    kept = RefundAdjustment(kind="restocking_fee", net=-5, tax=0, gross=-5)
    refund = Refund(currency="EUR", total=7, shipping=(shipping,), adjustments=(kept,))
    assert refund_entries(refund) == {"payments": -7, "refunds": 5, "tax": 2}


amounts = st.integers(-(10**9), 10**9)
quantities = st.integers(0, 40)


@given(data=st.data())
def test_every_posting_balances_and_the_sums_do_not_depend_on_the_steps(data):
    count = data.draw(st.integers(1, 4))
    lines = []
    for n in range(count):
        net, tax, discount, withheld = (data.draw(amounts) for _ in range(4))
        lines.append(
            Line(
                id=str(n),
                ordered=data.draw(quantities),
                net=net,
                gross=net + tax,
                discount=discount,
                withheld=withheld,
            )
        )
    extras = {"shipping": data.draw(amounts), "tax": data.draw(amounts)}
    refund = {"payments": data.draw(amounts)}
    refund["refunds"] = -refund["payments"]
    one, two = (process(lines=lines, extras=extras, captured=5) for _ in range(2))
    last = None
    for _ in range(data.draw(st.integers(1, 4))):
        last = [data.draw(st.integers(0, line.ordered)) for line in lines]
        entries = to_post(one, last)
        assert sum(amount for _, amount in entries) == 0
        assert all(amount for _, amount in entries)
    one.refunds = two.refunds = [Refunded(key="r", done=True, entries=refund)]
    to_post(one, last)
    to_post(two, last)
    assert one.posted == two.posted
