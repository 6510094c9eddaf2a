import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.domain.totals import (
    TotalsDifference,
    charges_amounts,
    check_refund,
    check_totals,
    discount_total,
    expected_receivable,
    extended_price,
    line_amounts,
    lines_amounts,
    order_amounts,
    rounding_residue,
    shipping_amounts,
    withheld_tax,
)
from crossdock.model import (
    Amounts,
    Charge,
    Discount,
    DiscountAllocation,
    Refund,
    RefundAdjustment,
    RefundLine,
    RefundShipping,
    ShippingCharge,
    TaxLine,
    Tender,
    UnitPrice,
    split_exact,
)
from tests.model.builders import make_line, make_order, rich_order, taxed


def stated(order):
    return [(difference.field, difference.expected, difference.stated) for difference in check_totals(order)]


def test_an_order_that_uses_everything_adds_up_to_the_cent():
    order = rich_order()
    assert check_totals(order) == ()
    assert order_amounts(order) == lines_amounts(order) + shipping_amounts(order) + charges_amounts(order)
    assert order_amounts(order).gross == 14862
    assert discount_total(order) == 1510


@pytest.mark.fault(42)
def test_tax_is_counted_once_where_one_price_includes_it_and_another_does_not():
    inclusive = make_line("1", price=1190, percent=19)
    exclusive = make_line("2", price=1000, percent=19, includes_tax=False)
    assert line_amounts(inclusive) == line_amounts(exclusive) == Amounts(net=1000, tax=190, gross=1190)
    assert check_totals(make_order(inclusive, exclusive, buyer_total=2380)) == ()


def test_a_difference_says_what_the_parts_make_and_what_was_stated():
    difference = check_totals(make_order(buyer_total=999))[0]
    assert difference == TotalsDifference(field="buyer_total", expected=1000, stated=999)
    assert str(difference) == "buyer_total: stated 999, but its parts make 1000"


def plain(order):
    return order


def edit_line(**fields):
    return lambda order: msgspec.structs.replace(
        order, lines=(msgspec.structs.replace(order.lines[0], **fields), *order.lines[1:])
    )


def edit(**fields):
    return lambda order: msgspec.structs.replace(order, **fields)


WRONG = [
    (plain, []),
    (edit(buyer_total=14861), [("buyer_total", 14862, 14861)]),
    (edit(buyer_total=None, commitment="tentative"), []),
    (edit(buyer_total=1, commitment="tentative"), []),
    (edit(buyer_total=1, commitment="void"), []),
    (edit(shop_currency="EUR", shop_total=14862), []),
    (edit(shop_currency="EUR", shop_total=7), [("shop_total", 14862, 7)]),
    (edit_line(unit_price=UnitPrice.parse("49.91")), [("lines[0].extended", 9982, 9980)]),
    (edit_line(unit_price=None), []),
    (edit_line(taxes=(TaxLine(amount=1),)), [("lines[0].tax", 1, 1470)]),
    (edit_line(taxes=()), []),
    (edit_line(discounts=()), [("lines[0].gross", 9980, 9208), ("discounts[spring]", 228, 1000)]),
    (edit_line(price_includes_tax=False), [("lines[0].net", 9208, 7738)]),
    (edit(discounts=rich_order().discounts[1:]), [("discounts[spring]", 1000, 0)]),
    (edit(discounts=(*rich_order().discounts, Discount(id="x", amount=5))), [("discounts[x]", 0, 5)]),
    (
        edit(charges=rich_order().charges[:-1]),
        [("buyer_total", 14863, 14862)],
    ),
    (
        edit(
            shipping=(ShippingCharge(id="1", price=490, net=412, tax=79, gross=491, price_includes_tax=True),)
        ),
        [
            ("shipping[0].gross", 490, 491),
            ("discounts[free-shipping]", 0, 500),
            ("buyer_total", 14863, 14862),
        ],
    ),
]


@pytest.mark.parametrize(("change", "expected"), WRONG)
def test_what_does_not_add_up_is_named_and_nothing_else(change, expected):
    assert stated(change(rich_order())) == expected


EXTENDED = [
    ("19.90", 2, 0, "EUR", 3980, True),
    ("0.01234", 7, 0, "EUR", 9, True),
    ("0.01234", 7, 0, "EUR", 8, True),
    ("0.01234", 7, 0, "EUR", 10, False),
    ("12.99", 350, 3, "EUR", 455, True),
    ("12.99", 350, 3, "EUR", 454, True),
    ("12.99", 350, 3, "EUR", 453, False),
    ("6.00", -1, 0, "EUR", -600, True),
    ("-6.00", 1, 0, "EUR", -600, True),
    ("6.00", -1, 0, "EUR", 600, False),
    ("150", 3, 0, "JPY", 450, True),
    ("149.5", 3, 0, "JPY", 449, True),
    ("149.5", 3, 0, "JPY", 448, True),
    ("149.5", 3, 0, "JPY", 447, False),
    ("1.2345", 2, 0, "KWD", 2469, True),
    ("1.2345", 1, 0, "KWD", 1235, True),
    ("0", 5, 0, "EUR", 0, True),
]


@pytest.mark.parametrize(("price", "ordered", "scale", "currency", "extended", "right"), EXTENDED)
def test_any_rounding_of_the_extended_price_is_right_and_a_whole_unit_off_is_not(
    price, ordered, scale, currency, extended, right
):
    line = make_line(
        ordered=ordered,
        quantity_scale=scale,
        unit_price=UnitPrice.parse(price),
        extended=extended,
        net=extended,
        gross=extended,
    )
    assert (check_totals(make_order(line, currency=currency)) == ()) is right


@pytest.mark.parametrize(
    ("price", "ordered", "extended"), [("0.125", 1, 13), ("0.125", -1, -13), ("0.124", 1, 12)]
)
def test_an_extended_price_is_rounded_half_away_from_zero(price, ordered, extended):
    assert extended_price(make_line(ordered=ordered, unit_price=UnitPrice.parse(price)), "EUR") == extended


def test_a_line_without_a_unit_price_has_no_extended_price_to_compare():
    assert extended_price(make_line(unit_price=None), "EUR") is None


@st.composite
def orders(draw):
    """Draw an order as a channel would make it: an order-level discount, each component with a tax mode of its own."""
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    prices = draw(st.lists(st.integers(0, 10**7), min_size=1, max_size=5))
    modes = st.tuples(st.sampled_from([0, 7, 19, 25]), st.booleans())
    off = draw(st.integers(0, sum(prices)))
    lines = []
    for n, (price, share) in enumerate(zip(prices, split_exact(off, prices), strict=True)):
        percent, includes_tax = draw(modes)
        discounts = (DiscountAllocation(discount="d", amount=share),) if share else ()
        line = make_line(str(n), price=price, percent=percent, includes_tax=includes_tax, discounts=discounts)
        lines.append(msgspec.structs.replace(line, unit_price=None))
    percent, includes_tax = draw(modes)
    freight = draw(st.integers(0, 10**5))
    shipping = (ShippingCharge(id="s", price=freight, **taxed(freight, percent, includes_tax=includes_tax)),)
    discounts = (Discount(id="d", amount=off),) if off else ()
    return make_order(*lines, currency=currency, shipping=shipping, discounts=discounts)


@given(orders())
def test_an_order_with_mixed_taxes_and_a_discount_split_over_its_lines_adds_up(order):
    assert check_totals(order) == ()
    amounts = order_amounts(order)
    assert amounts.net + amounts.tax == amounts.gross == order.buyer_total


@given(orders(), st.integers(-3, 3))
def test_an_explicit_rounding_line_makes_any_total_exact(order, residue):
    order = msgspec.structs.replace(order, buyer_total=order.buyer_total + residue)
    assert rounding_residue(order) == residue
    rounding = Charge(kind="rounding", price=residue, net=residue, tax=0, gross=residue)
    assert check_totals(msgspec.structs.replace(order, charges=(rounding,))) == ()
    assert bool(check_totals(order)) is bool(residue)


@pytest.mark.fault(42)
@given(orders())
def test_the_same_order_gives_the_same_residue_each_time(order):
    again = msgspec.json.decode(msgspec.json.encode(order), type=type(order))
    assert [line.discounts for line in again.lines] == [line.discounts for line in order.lines]
    assert check_totals(again) == check_totals(order)
    assert order_amounts(again) == order_amounts(order)


def test_an_order_without_a_total_has_no_residue():
    assert rounding_residue(make_order(commitment="tentative", buyer_total=None)) == 0


def test_the_channel_owes_the_total_less_its_own_tax_and_with_the_discounts_that_it_funds():
    order = rich_order()
    assert withheld_tax(order) == 60
    assert expected_receivable(order) == 14862 - 60 + 1000 + 500 == order.channel_receivable


def test_a_discount_of_the_seller_is_not_owed_by_the_channel():
    discounts = (DiscountAllocation(discount="d", amount=100),)
    order = make_order(make_line(discounts=discounts), discounts=(Discount(id="d", amount=100),))
    assert expected_receivable(order) == order.buyer_total == 900


REFUND = Refund(
    currency="EUR",
    total=450,
    lines=(RefundLine(net=336, tax=64, gross=400, taxes=(TaxLine(amount=64),)),),
    shipping=(RefundShipping(net=100, tax=0, gross=100),),
    adjustments=(RefundAdjustment(kind="restocking_fee", net=-50, tax=0, gross=-50),),
    tenders=(Tender(kind="card", amount=400), Tender(kind="gift_card", amount=50)),
)

REFUNDS = [
    ({}, []),
    ({"lines": (), "shipping": (), "adjustments": ()}, []),
    ({"tenders": ()}, []),
    ({"tenders": (Tender(kind="card", amount=1),)}, ["tenders"]),
    ({"total": 500}, ["total", "tenders"]),
    ({"adjustments": ()}, ["total"]),
    ({"lines": (RefundLine(net=336, tax=64, gross=400, taxes=(TaxLine(amount=1),)),)}, ["lines[0].tax"]),
]


@pytest.mark.parametrize(("change", "fields"), REFUNDS)
def test_a_refund_adds_up_by_its_parts_and_by_its_tenders(change, fields):
    differences = check_refund(msgspec.structs.replace(REFUND, **change))
    assert [difference.field for difference in differences] == fields
