from typing import get_args

import pytest

from crossdock.console import words
from crossdock.domain.status import Stage
from crossdock.flows.operating import TIMERS
from crossdock.model.commands import COMMANDS


def test_every_stage_timer_and_operation_has_words():
    assert set(words.STAGES) == set(get_args(Stage))
    assert set(words.OPERATIONS) == set(COMMANDS)
    assert set(words.TIMERS) >= set(TIMERS)


def test_a_code_without_words_is_told_all_the_same():
    assert words.event("order.sang_loudly") == "order: sang loudly"


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "0 ms"),
        (340_000, "340 ms"),
        (12_000_000, "12 s"),
        (119_000_000, "119 s"),
        (240_000_000, "4 min"),
        (3 * 3_600_000_000, "3 h"),
        (5 * 86_400_000_000, "5 days"),
    ],
)
def test_a_span_has_one_short_unit(microseconds, text):
    assert words.duration(microseconds) == text


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1234, "EUR", "12.34 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1234, "JPY", "1\u202f234 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (123456789, "EUR", "1\u202f234\u202f567.89 EUR"),
        (5, "", "\u2013"),
    ],
)
def test_money_is_written_by_its_currency(minor, currency, text):
    assert words.amount(minor, currency) == text
