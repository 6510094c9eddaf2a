"""The money of Shopify's orders: it adds up to the minor unit, or the field that does not is named."""

import pytest

from crossdock.connectors.shopify import build
from crossdock.errors import MappingError
from crossdock.model import decimal_text
from tests.connectors.shopify_payloads import (
    SETTINGS,
    both,
    line,
    order,
    read,
    reported,
    reports,
    shipping,
    tax,
)


def test_tax_is_added_once_where_prices_exclude_it():
    found = read(
        order(
            line(quantity=2, tax_lines=[tax("3.80")]),
            total="29.75",
            shipping_lines=[shipping("5.00", tax_lines=[tax("0.95")])],
        )
    )
    (item,) = found.lines
    assert (item.extended, item.net, item.tax, item.gross) == (2000, 2000, 380, 2380)
    assert (found.shipping[0].net, found.shipping[0].tax, found.buyer_total) == (500, 95, 2975)
    assert (str(item.unit_price), str(item.taxes[0].rate), item.taxes[0].name) == ("10.00", "0.19", "VAT")


def test_tax_is_taken_out_where_prices_include_it():
    found = read(order(line(tax_lines=[tax("1.60")]), taxes_included=True, total="10.00"))
    (item,) = found.lines
    assert (item.net, item.tax, item.gross, item.price_includes_tax) == (840, 160, 1000, True)


def test_tax_that_the_channel_must_remit_is_kept_back_by_it():
    found = read(order(line(tax_lines=[tax("0.80", channel_liable=True), tax("0.10")]), total="10.90"))
    mine, ours = found.lines[0].taxes
    assert (mine.collected_by, mine.remitted_by, mine.in_payout) == ("marketplace", "marketplace", False)
    assert (ours.collected_by, ours.in_payout) == ("seller", True)


def test_taxes_that_stand_on_the_order_alone_are_frozen_to_its_taxable_lines():
    body = order(line(1), line(2), line(3, taxable=False), total="31.01", total_tax="1.01")
    found = read({**body, "tax_lines": [tax("1.01", 0.05)]})
    assert [item.tax for item in found.lines] == [51, 50, 0]
    without_lines = read(body)
    assert [item.tax for item in without_lines.lines] == [51, 50, 0]


def test_a_rate_of_nineteen_digits_keeps_twelve():
    found = read(order(line(tax_lines=[tax("0.18", 0.017665192468618723)]), total="10.18"))
    assert str(found.lines[0].taxes[0].rate) == "0.017665192469"


def test_allocated_discounts_count_and_total_discount_lies():
    allocations = [
        {"amount": "5.08", "discount_application_index": 0},
        {"amount": "4.70", "discount_application_index": 1},
    ]
    applications = [
        {"type": "discount_code", "code": "SPRING", "target_type": "line_item"},
        {"type": "automatic", "title": "Three for two"},
    ]
    found = read(
        order(
            line(price="20.00", total_discount="0.00", discount_allocations=allocations),
            total="10.22",
            total_discounts="9.78",
            discount_applications=applications,
        )
    )
    assert [(d.id, d.amount, d.kind, d.code, d.title) for d in found.discounts] == [
        ("0", 508, "coupon", "SPRING", ""),
        ("1", 470, "promotion", "", "Three for two"),
    ]
    assert found.lines[0].net == 1022


def test_an_allocation_of_an_unknown_discount_is_still_a_discount():
    body = line(discount_allocations=[{"amount": "1.00", "discount_application_index": 7}])
    (discount,) = read(order(body, total="9.00")).discounts
    assert (discount.id, discount.kind, discount.amount) == ("7", "other", 100)


def test_a_line_discount_without_allocations_is_read_from_the_line():
    (discount,) = read(order(line(total_discount="5.00"), total="5.00")).discounts
    assert (discount.id, discount.amount) == ("line", 500)


def test_a_discount_that_is_allocated_to_nothing_is_split_with_its_residue():
    found = read(order(line(1), line(2), line(3), total="20.00", total_discounts="10.00"))
    assert [item.discounts[0].amount for item in found.lines] == [334, 333, 333]
    assert [(d.id, d.amount, d.target) for d in found.discounts] == [("order", 1000, "lines")]


def test_a_discount_that_the_total_does_not_know_is_not_taken_off():
    assert read(order(line(), total="10.00", total_discounts="2.00")).discounts == ()


@pytest.mark.parametrize(
    "fields",
    [
        {
            "discount_allocations": [{"amount": "5.00", "discount_application_index": 0}],
            "discounted_price": "0.00",
        },
        {"discounted_price": "0.00"},
    ],
)
def test_free_shipping_is_a_discount_of_the_shipping(fields):
    found = read(order(line(), total="10.00", shipping_lines=[shipping(**fields)]))
    (charge,) = found.shipping
    assert (charge.price, charge.gross, charge.discounts[0].amount) == (500, 0, 500)
    assert found.discounts[0].target == "shipping"


@pytest.mark.parametrize(("total", "kept"), [("10.00", 0), ("15.00", 1)])
def test_shipping_that_an_edit_removed_counts_where_the_total_says_so(total, kept):
    found = read(order(line(), total=total, shipping_lines=[shipping(is_removed=True)]))
    assert len(found.shipping) == kept


def test_a_tip_line_is_a_charge_and_no_goods():
    tip = line(2, title="Tip", price="3.00", product_id=None, variant_id=None, tip_payment_gateway=None)
    found = read(order(line(), tip, total="13.00", total_tip_received="3.00"))
    assert [(charge.kind, charge.gross) for charge in found.charges] == [("tip", 300)]
    assert len(found.lines) == 1


def test_a_tip_without_a_line_is_a_charge_too():
    (charge,) = read(order(line(), total="12.50", total_tip_received="2.50")).charges
    assert (charge.kind, charge.gross) == ("tip", 250)


def test_duties_stand_with_the_line_that_caused_them():
    duty = {
        "id": "77",
        "harmonized_system_code": "520300",
        "shop_money": {"amount": "2.00", "currency_code": "EUR"},
    }
    found = read(order(line(duties=[{**duty, "tax_lines": [tax("0.40")]}]), total="12.40"))
    (charge,) = found.charges
    assert (charge.kind, charge.line, charge.net, charge.tax) == ("duty", "101", 200, 40)


def test_duties_and_fees_of_the_whole_order_are_charges():
    sets = {
        "original_total_duties_set": both("2.00", "2.00", "EUR", "EUR"),
        "original_total_additional_fees_set": both("0.25", "0.25", "EUR", "EUR"),
    }
    found = read(order(line(), total="12.25", **sets))
    assert [(charge.kind, charge.gross) for charge in found.charges] == [("fee", 25), ("duty", 200)]


def test_duties_that_the_prices_include_are_not_added():
    duty = {"id": "77", "shop_money": {"amount": "2.00", "currency_code": "EUR"}}
    assert read(order(line(duties=[duty]), total="10.00", duties_included=True)).charges == ()


@pytest.mark.fault(42)
def test_a_cent_of_rounding_is_an_explicit_charge():
    found = read(order(line(1), line(2), total="20.02"))
    assert [(charge.kind, charge.gross) for charge in found.charges] == [("rounding", 2)]


def test_cash_rounding_is_paid_by_the_buyer_and_stands_beside_the_total():
    body = order(
        line(price="9.98"), total_cash_rounding_payment_adjustment_set=both("0.02", "0.02", "EUR", "EUR")
    )
    found = read(body)
    assert found.buyer_total == 1000
    assert [(charge.kind, charge.gross) for charge in found.charges] == [("rounding", 2)]


@pytest.mark.parametrize("total", ["9.98", "10.02", "409.94", "0.00", "-10.00"])
def test_a_real_difference_is_never_rounded_away(total):
    with pytest.raises(MappingError, match=r"its parts make 10\.00") as caught:
        read(order(line(), total=total))
    assert caught.value.field == "total_price"


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    ("currency", "price", "total", "minor"),
    [
        ("VND", "20", "20", 20),
        ("VND", "20.00", "20.00", 20),
        ("JPY", "5980", "5980", 5980),
        ("KWD", "1.250", "1.250", 1250),
        ("KWD", "1.25", "1.25", 1250),
        ("EUR", "10", "10", 1000),
    ],
)
def test_each_currency_has_its_own_decimals(currency, price, total, minor):
    found = read(order(line(price=price), total=total, currency=currency))
    assert (found.buyer_total, found.lines[0].extended) == (minor, minor)
    assert decimal_text(minor, currency).rstrip("0.") == price.rstrip("0.")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"currency": "EURO"}, "currency"),
        ({"total_price": "10,00"}, "total_price"),
        ({"total_price": "NaN"}, "total_price"),
        ({"total_price": "1e3"}, "total_price"),
        ({"line_items": [line(price="1_0.00")]}, "line_items[0].price"),
        ({"line_items": [line(price="10.005")]}, "line_items[0].price"),
        ({"line_items": [line(), line(2, tax_lines=[tax("x")])]}, "line_items[1].tax_lines[0].price"),
        ({"line_items": [line(tax_lines=[tax("0.00", 99)])]}, "line_items[0].tax_lines[0].rate"),
        ({"line_items": [line(price="9999999999.00", quantity=9_999_999)]}, "line_items[0].price"),
        ({"shipping_lines": [shipping("five")]}, "shipping_lines[0].price"),
    ],
)
def test_money_that_cannot_be_read_is_named(fields, field):
    with pytest.raises(MappingError) as caught:
        read({**order(line()), **fields})
    assert caught.value.field == field
    assert caught.value.message.startswith(field)


def foreign(**fields):
    """An order of a shop in EUR, charged in CHF."""
    item = line(
        price="10.00",
        price_set=both("10.00", "9.50"),
        tax_lines=[tax("1.90", price_set=both("1.90", "1.80"))],
        discount_allocations=[
            {"amount": "1.00", "discount_application_index": 0, "amount_set": both("1.00", "0.95")}
        ],
    )
    body = order(item, total="10.90", presentment_currency="CHF", total_price_set=both("10.90", "10.35"))
    return {
        **body,
        "current_total_price": "10.90",
        "current_total_price_set": both("10.90", "10.35"),
        **fields,
    }


def test_the_charged_currency_counts_and_the_shops_total_is_stamped():
    found = read(foreign())
    assert (found.currency, found.buyer_total, found.current_total) == ("CHF", 1035, 1035)
    assert (found.shop_currency, found.shop_total) == ("EUR", 1090)
    (rate,) = found.rates
    assert (rate.from_currency, rate.to_currency, str(rate.rate)) == ("CHF", "EUR", "1.0531400966")
    (item,) = found.lines
    assert (item.extended, item.discounts[0].amount, item.tax) == (950, 95, 180)


def test_a_tip_in_another_currency_is_what_is_left_if_it_is_worth_the_tip():
    tipped = foreign(total_price="13.90", total_price_set=both("13.90", "13.20"), total_tip_received="3.00")
    assert [(charge.kind, charge.gross) for charge in read(tipped).charges] == [("tip", 285)]
    with pytest.raises(MappingError) as caught:
        read({**tipped, "total_tip_received": "1.00"})
    assert caught.value.field == "total_price"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"total_price_set": None}, "total_price_set"),
        ({"line_items": [line()]}, "line_items[0].price_set"),
        ({"shipping_lines": [shipping()]}, "shipping_lines[0].price_set"),
        (
            {"total_price_set": both("10.90", "10.35", "EUR", "USD")},
            "total_price_set.presentment_money",
        ),
    ],
)
def test_an_order_that_does_not_say_what_was_charged_is_refused(fields, field):
    with pytest.raises(MappingError) as caught:
        read(foreign(**fields))
    assert caught.value.field == field


def test_one_gateway_is_one_tender_and_two_say_nothing():
    (tender,) = read(order(line(), payment_gateway_names=["shopify_payments"])).tenders
    assert (tender.kind, tender.amount, tender.state) == ("card", 1000, "captured")
    (tender,) = read(order(line(), payment_gateway_names=["gift_card"])).tenders
    assert tender.kind == "gift_card"
    assert read(order(line(), payment_gateway_names=["gift_card", "paypal"])).tenders == ()
    (tender,) = read(
        order(
            line(),
            payment_gateway_names=["visa"],
            financial_status="partially_paid",
            total_outstanding="4.00",
        )
    ).tenders
    assert tender.amount == 600


def test_transactions_say_who_paid_what():
    moves = [
        {"id": 1, "kind": "authorization", "status": "success", "gateway": "visa", "amount": "6.00"},
        {
            "id": 2,
            "kind": "capture",
            "status": "success",
            "gateway": "visa",
            "amount": "6.00",
            "parent_id": 1,
        },
        {"id": 3, "kind": "sale", "status": "success", "gateway": "gift_card", "amount": 4},
        {"id": 4, "kind": "sale", "status": "failure", "gateway": "paypal", "amount": "4.00"},
    ]
    report = reported(order(line(), transactions=moves, payment_gateway_names=["visa", "gift_card"]))
    assert [(t.kind, t.amount, t.state) for t in report.order.tenders] == [
        ("card", 600, "captured"),
        ("gift_card", 400, "captured"),
    ]
    assert [(p.external_id, p.state, p.captured) for p in report.payments] == [
        ("1", "authorised", 0),
        ("2", "captured", 600),
        ("3", "captured", 400),
        ("4", "failed", 0),
    ]


def test_a_price_in_the_shops_currency_needs_the_setting():
    product = {"id": 1, "title": "Mug", "variants": [{"id": 2, "sku": "MUG", "price": "4.95"}]}
    priced = build({**SETTINGS, "currency": "EUR", "taxes_included": "true"})
    kinds = [type(report).__name__ for report in reports("products/update", product, priced)]
    assert kinds == ["ListingReported", "PriceReported", "ProductReported"]
    assert [type(r).__name__ for r in reports("products/update", product)] == [
        "ListingReported",
        "ProductReported",
    ]
