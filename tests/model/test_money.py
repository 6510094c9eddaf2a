from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import MappingError
from crossdock.model import (
    EXPONENTS,
    INTEGER_MAX,
    Amounts,
    ExchangeRate,
    Money,
    Rate,
    UnitPrice,
    decimal_text,
    exponent,
    minor_units,
    scaled_units,
    split_exact,
)

CURRENCY_OF_EXPONENT = {0: "JPY", 2: "EUR", 3: "KWD", 4: "CLF"}

READ = [
    ("19.90", "EUR", 1990),
    ("-5", "EUR", -500),
    ("+5", "EUR", 500),
    ("5.00", "EUR", 500),
    ("5.", "EUR", 500),
    ("0.5", "EUR", 50),
    ("-0.05", "EUR", -5),
    ("1.100", "EUR", 110),
    ("007", "EUR", 700),
    (5, "EUR", 500),
    (-3, "JPY", -3),
    ("20.00", "VND", 20),
    ("500", "JPY", 500),
    ("1.234", "KWD", 1234),
    ("1.5", "KWD", 1500),
    ("0.0001", "CLF", 1),
    (Decimal("19.90"), "EUR", 1990),
    (Decimal("1E+2"), "EUR", 10000),
    (Decimal("-0"), "EUR", 0),
    ("90071992547409.91", "EUR", INTEGER_MAX),
]

REFUSED = [
    ("1.234", "EUR", "more decimals than EUR"),
    ("0.5", "JPY", "more decimals than JPY"),
    ("1.2345", "KWD", "more decimals than KWD"),
    (Decimal("0.001"), "EUR", "more decimals"),
    (19.9, "EUR", "float is not exact"),
    (True, "EUR", "bool is not exact"),
    (None, "EUR", "NoneType is not exact"),
    ("", "EUR", "no decimal number"),
    (" 5", "EUR", "no decimal number"),
    ("-", "EUR", "no decimal number"),
    (".50", "EUR", "no decimal number"),
    ("--5", "EUR", "no decimal number"),
    ("1.-5", "EUR", "no decimal number"),
    ("1.5.0", "EUR", "no decimal number"),
    ("1,50", "EUR", "no decimal number"),
    ("1_000", "EUR", "no decimal number"),
    ("1e3", "EUR", "no decimal number"),
    ("NaN", "EUR", "no decimal number"),
    ("٣", "EUR", "no decimal number"),
    ("²", "JPY", "no decimal number"),
    ("9" * 5000, "EUR", "no decimal number"),
    (Decimal("NaN"), "EUR", "no decimal number"),
    (Decimal("Infinity"), "EUR", "no decimal number"),
    (Decimal("1E+999999999"), "EUR", "no decimal number"),
    (Decimal("1E-999999999"), "EUR", "no decimal number"),
    ("9007199254740992", "JPY", "out of range"),
    (10**30, "EUR", "out of range"),
    ("5", "eur", "no ISO 4217 currency"),
    ("5.00", "", "no ISO 4217 currency"),
]


@pytest.mark.parametrize(("text", "currency", "expected"), READ)
def test_an_amount_is_read_exactly(text, currency, expected):
    assert minor_units(text, currency) == expected


@pytest.mark.parametrize(("text", "currency", "why"), REFUSED)
def test_what_is_no_exact_amount_is_refused(text, currency, why):
    with pytest.raises(MappingError, match=why):
        minor_units(text, currency)


def test_a_refused_amount_names_its_field_and_is_a_value_error_too():
    with pytest.raises(ValueError, match=r"lines\[0\].price: ") as caught:
        minor_units("1.999", "EUR", field="lines[0].price")
    assert isinstance(caught.value, MappingError)
    assert caught.value.field == "lines[0].price"


@given(st.integers(-INTEGER_MAX, INTEGER_MAX), st.sampled_from(sorted(CURRENCY_OF_EXPONENT.values())))
def test_an_amount_written_and_read_again_is_the_same(amount, currency):
    text = decimal_text(amount, currency)
    assert minor_units(text, currency) == amount
    assert minor_units(Decimal(text), currency) == amount
    assert Decimal(text) == Decimal(amount).scaleb(-exponent(currency))


@pytest.mark.fault(47)
@given(st.text("0123456789+-._eE ", max_size=20))
def test_no_text_is_read_as_anything_but_what_decimal_makes_of_it(text):
    try:
        amount = minor_units(text, "EUR")
    except MappingError:
        return
    assert Decimal(text) * 100 == amount


@pytest.mark.fault(42)
@pytest.mark.parametrize(("digits", "currency"), CURRENCY_OF_EXPONENT.items())
def test_currencies_have_the_decimals_of_iso_4217(digits, currency):
    assert exponent(currency) == digits


def test_every_currency_code_is_three_capital_letters_and_stands_once():
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in EXPONENTS)
    assert len(EXPONENTS) > 165


def test_money_of_an_unknown_currency_is_refused():
    with pytest.raises(ValueError, match="'EUX' is no ISO 4217 currency"):
        Money(amount=1, currency="EUX")


def test_net_and_tax_are_gross_or_there_are_no_amounts():
    with pytest.raises(ValueError, match=r"gross: net 1 [+] tax 2 is not gross 4"):
        Amounts(net=1, tax=2, gross=4)


def test_amounts_add_and_subtract_component_by_component():
    one, two = Amounts(net=100, tax=19, gross=119), Amounts(net=-10, tax=-2, gross=-12)
    assert one + two == Amounts(net=90, tax=17, gross=107)
    assert one - two == Amounts(net=110, tax=21, gross=131)


@pytest.mark.parametrize("text", ["0.01234", "19.90", "-3", "0", "-0.5"])
def test_a_unit_price_keeps_the_decimals_it_was_given(text):
    assert str(UnitPrice.parse(text)) == text


def test_a_unit_price_is_not_a_rate():
    assert type(UnitPrice.parse("0.19")) is UnitPrice
    assert UnitPrice.parse("0.19") != Rate.parse("0.19")


@pytest.mark.parametrize("rate", ["0", "-1"])
def test_an_exchange_rate_is_above_zero(rate):
    with pytest.raises(ValueError, match="rate: an exchange rate is above zero"):
        ExchangeRate(from_currency="EUR", to_currency="USD", rate=Rate.parse(rate))


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [("0.35", 3, 350), ("2", 0, 2), ("2.0", 0, 2), (3, 3, 3000), ("-1.5", 1, -15)],
)
def test_a_quantity_is_read_in_its_scale(text, scale, expected):
    assert scaled_units(text, scale) == expected


def test_a_quantity_finer_than_its_scale_is_refused_with_the_remedy():
    with pytest.raises(MappingError, match=r"quantity: 0\.5 has more than 0 decimals; raise the scale"):
        scaled_units("0.5", 0)


SPLITS = [
    (100, [1, 1, 1], (34, 33, 33)),
    (-100, [1, 1, 1], (-34, -33, -33)),
    (1, [1, 1, 1], (1, 0, 0)),
    (5, [0, 0], (3, 2)),
    (10, [0, 5, 5], (0, 5, 5)),
    (0, [3, 7], (0, 0)),
    (1000, [9980, 455, 2500], (772, 35, 193)),
    (7, [10**15, 1], (7, 0)),
]


@pytest.mark.parametrize(("total", "weights", "parts"), SPLITS)
def test_a_split_gives_the_residue_to_the_largest_remainder(total, weights, parts):
    assert split_exact(total, weights) == parts


@pytest.mark.fault(42)
@given(st.integers(-INTEGER_MAX, INTEGER_MAX), st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_the_parts_of_a_split_sum_to_the_total_and_are_never_off_by_one(total, weights):
    parts = split_exact(total, weights)
    assert sum(parts) == total
    assert split_exact(-total, weights) == tuple(-part for part in parts)
    base = sum(weights)
    if base:
        assert all(
            abs(part * base - total * weight) < base for part, weight in zip(parts, weights, strict=True)
        )


@pytest.mark.parametrize(("weights", "why"), [([], "at least one part"), ([1, -1], "must not be negative")])
def test_a_split_without_sense_is_refused(weights, why):
    with pytest.raises(ValueError, match=why):
        split_exact(10, weights)
