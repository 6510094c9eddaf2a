from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.domain.day_sums import day_lines
from crossdock.domain.tax_rates import implied_rate, known_rates
from crossdock.domain.tickets import Sum, Value

RATES = ("0.19", "0.07", "0.2")


def ticket(net, tax, rate="", kind="goods"):
    return Value(sold=(Sum(kind, "", net, net + tax, (("", "", rate, "", tax),)),))


@pytest.mark.parametrize(
    ("net", "tax", "rates", "found"),
    [
        (167, 32, ("0.07", "0.19"), "0.19"),
        (186, 13, ("0.07", "0.19"), "0.07"),
        (84, 16, ("0.07", "0.19"), "0.19"),
        (-167, -32, ("0.07", "0.19"), "0.19"),
        (10_000, 1_600, ("0.07", "0.19"), ""),
        (167, 32, (), ""),
        (4, 1, ("0.07", "0.19"), "0.19"),
    ],
)
def test_the_rate_is_the_one_that_the_amounts_of_a_line_imply(net, tax, rates, found):
    assert implied_rate(net, tax, rates) == found


@given(
    gross=st.integers(20, 10_000_000),
    rate=st.sampled_from(RATES[:2]),
    rounding=st.sampled_from((ROUND_DOWN, ROUND_UP, ROUND_HALF_UP, ROUND_HALF_EVEN)),
    back=st.booleans(),
    onto=st.booleans(),
)
def test_however_a_till_rounds_a_line_of_some_cents_its_rate_is_found(gross, rate, rounding, back, onto):
    share = Decimal(rate) if onto else Decimal(rate) / (1 + Decimal(rate))
    tax = int((gross * share).quantize(Decimal(1), rounding=rounding))
    net = gross if onto else gross - tax
    sign = -1 if back else 1
    assert implied_rate(sign * net, sign * tax, RATES[:2]) == rate


def test_rates_that_lines_state_are_known_beside_the_configured_and_none_twice():
    stated = [ticket(100, 19, "0.190"), ticket(100, 7, "0.07"), ticket(100, 8)]
    assert [Decimal(rate) for rate in known_rates(("0.19",), stated)] == [Decimal("0.07"), Decimal("0.19")]


def test_a_day_whose_lines_tell_the_tax_alone_is_summed_by_the_rates_that_they_imply():
    values = [ticket(167, 32) for _ in range(300)] + [ticket(186, 13) for _ in range(200)]
    lines = {str(line.taxes[0].rate): line for line in day_lines(values, ("0.07", "0.19"))}
    assert {rate: (line.net, line.tax, line.lines) for rate, line in lines.items()} == {
        "0.19": (50_100, 9_600, 300),
        "0.07": (37_200, 2_600, 200),
    }


def test_a_tax_that_no_known_rate_gives_stays_without_one_and_apart():
    told, untold = day_lines([ticket(100, 19, "0.19"), ticket(100, 16)], ("0.19",))[::-1]
    assert (str(told.taxes[0].rate), untold.taxes[0].rate) == ("0.19", None)
