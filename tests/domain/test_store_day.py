"""Days of stores as pure rules: dates by the wall clock, sums, differences, gaps, what is not posted yet."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.domain.day_sums import credited, day_lines, day_tenders
from crossdock.domain.state import TicketRow
from crossdock.domain.store_day import (
    DayPosting,
    business_date,
    day_end,
    differences,
    gaps,
    hold,
    posting_dates,
    ranges,
    unposted,
)
from crossdock.domain.tickets import (
    Sum,
    Value,
    decode_value,
    encode_value,
    entries_of,
    gross_of,
    owed_of,
    repaid_of,
)
from crossdock.model.tills import SequenceRange, StoreDay, TenderControl, over_short

RAW = msgspec.Raw(b"{}")
DAY = date(2026, 3, 28)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "UTC")


def row(sequence, till="T1"):
    return TicketRow("pos", "berlin", "2026-03-28", till, sequence, sequence, 0, RAW)


def close(*tenders, **fields):
    return StoreDay(business_date=DAY, currency="EUR", state="closed", tenders=tenders, **fields)


def control(kind, expected, till="", counted=None):
    return TenderControl(kind=kind, expected=expected, register=till, counted=counted)


# Dates


@pytest.mark.fault(36)
@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
)
def test_every_moment_lies_within_its_business_day(moment, zone, hour):
    # Where a day ends within an hour that a clock skips or repeats, its end is one of two moments.
    day = business_date(moment, zone, hour)
    at = int(moment.timestamp()) * 1_000_000
    assert at < day_end(day, zone, hour) + 3_600_000_000
    assert at >= day_end(day - timedelta(days=1), zone, hour) - 3_600_000_000


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 28), 23), (date(2026, 10, 24), 25), (date(2026, 6, 1), 24)]
)
def test_a_business_day_may_have_23_or_25_hours(day, hours):
    length = day_end(day, "Europe/Berlin", 4) - day_end(day - timedelta(days=1), "Europe/Berlin", 4)
    assert length == hours * 3_600_000_000


@pytest.mark.parametrize(
    ("today", "how", "expected"),
    [
        (date(2026, 3, 28), "next_month", ["2026-03-28"]),
        (date(2026, 3, 30), "next_month", ["2026-03-28", "2026-03-30"]),
        (date(2026, 4, 1), "next_month", ["2026-03-28", "2026-04-01"]),
        (date(2026, 5, 2), "next_month", ["2026-03-28", "2026-04-01", "2026-05-01", "2026-05-02"]),
        (date(2026, 5, 2), "today", ["2026-03-28", "2026-05-02"]),
        (date(2026, 3, 1), "today", ["2026-03-28"]),
    ],
)
def test_dates_to_post_to(today, how, expected):
    assert [day.isoformat() for day in posting_dates(DAY, today, how)] == expected


def test_dates_to_post_to_are_not_without_end():
    assert len(posting_dates(date(1990, 1, 1), DAY, "next_month")) <= 40


# Numbers

numbers = st.lists(st.integers(0, 60), unique=True, max_size=30)


@given(numbers)
def test_ranges_hold_exactly_their_numbers(found):
    posting = DayPosting(number=0, connection="erp", total=0, ranges={"T1": ranges(sorted(found))})
    assert [n for n in range(62) if posting.holds("T1", n)] == sorted(found)
    assert not posting.holds("T2", 1)


@given(numbers, st.integers(0, 30), st.integers(0, 30))
def test_gaps_and_what_is_held_make_up_the_whole(found, first, more):
    last = first + more
    held = hold([(row(n), Value()) for n in found])
    stated = close(sequences=(SequenceRange(register="T1", first=first, last=last),))
    missing = [n for a, b in gaps(held, stated).get("T1", []) for n in range(a, b + 1)]
    low, high = min([first, *found]), max([last, *found])
    assert sorted([*missing, *found]) == list(range(low, high + 1))


def test_numbers_of_a_report_that_is_absurd_are_not_counted_out():
    stated = close(sequences=(SequenceRange(register="T1", first=1, last=2**52),))
    assert gaps(hold([(row(5), Value())]), stated) == {"T1": [(1, 4), (6, 2**52)]}


@given(numbers, numbers, numbers)
def test_every_ticket_is_posted_once_however_they_come(first, second, third):
    held, postings = {}, []
    for batch in (first, second, third):
        held |= {n: row(n) for n in batch}
        left = unposted(list(held.values()), postings)
        postings.append(
            DayPosting(
                number=len(postings),
                connection="erp",
                total=0,
                ranges={"T1": ranges([r.sequence for r in left])},
            )
        )
    assert unposted(list(held.values()), postings) == []
    for n in held:
        assert sum(posting.holds("T1", n) for posting in postings) == 1


# Figures


def told(till="T1", **tenders):
    value = Value(tenders=tuple(tenders.items()), total=sum(tenders.values()), currency="EUR")
    return [(row(1, till), value)]


@pytest.mark.parametrize(
    ("held", "stated", "expected"),
    [
        (told(cash=100), (control("cash", 100, "T1"),), []),
        (told(cash=100), (control("cash", 99, "T1"),), [("T1", "cash", 99, 100)]),
        (told(cash=100), (control("card", 100, "T1"),), [("T1", "card", 100, 0), ("T1", "cash", 0, 100)]),
        (told(cash=100), (control("cash", 100),), []),
        (told(cash=60) + told("T2", cash=40), (control("cash", 100),), []),
        (told(cash=60) + told("T2", cash=40), (control("cash", 60, "T1"),), [("T2", "cash", 0, 40)]),
        (told(cash=100), (control("cash", 60, "T1"), control("cash", 40, "T1")), []),
        (told(cash=100), (), [("", "cash", 0, 100)]),
        (told(cash=60, card=40), (control("cash", 60, "T1"), control("card", 40)), []),
        (told(cash=60, card=40), (control("cash", 60, "T1"),), [("T1", "card", 0, 40)]),
        (
            told(cash=60) + told("T2", cash=40),
            (control("cash", 60, "T1"), control("cash", 99)),
            [("", "cash", 99, 100)],
        ),
        ([], (), []),
    ],
)
def test_figures_are_compared_to_the_minor_unit(held, stated, expected):
    found = differences(hold(held), close(*stated))
    assert [(d.till, d.what, d.stated, d.held) for d in found] == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ((control("cash", 100, "T1", 90), control("cash", 100, "T2", 105)), -5),
        ((control("cash", 100, "T1", 90), control("cash", 100, "", 90)), -10),
        ((control("cash", 100, "T1"), control("cash", 100, "", 90)), -10),
        ((control("cash", 100, "T1", 90), control("cash", 50, "T2"), control("cash", 150, "", 130)), -20),
        ((control("cash", 100, "T1", 90), control("cash", 50, "T2")), -10),
        ((control("cash", 100, "T1", 90), control("card", 100, "", 99)), -11),
        ((), 0),
    ],
)
def test_what_the_whole_store_counted_is_taken_only_where_its_tills_do_not_say(stated, expected):
    assert over_short(stated) == expected


# Sums

amounts = st.integers(-5000, 5000)
parts = st.builds(
    lambda kind, category, net, tax: Sum(
        kind, category, net, net + tax, (("VAT", "", "0.19", "", tax),) if tax else ()
    ),
    st.sampled_from(["goods", "gift_card", "deposit", "tip", "rounding", "fee", "shipping"]),
    st.sampled_from(["", "bags"]),
    amounts,
    amounts,
)
values = st.builds(
    lambda sold, back, tenders: Value(
        currency="EUR",
        total=gross_of(sold) + gross_of(back),
        sold=tuple(sold),
        back=tuple(back),
        tenders=tuple(tenders),
    ),
    st.lists(parts, max_size=4),
    st.lists(parts, max_size=2),
    st.lists(st.tuples(st.sampled_from(["cash", "card", "gift_card", "store_credit"]), amounts), max_size=3),
)


@given(values)
def test_every_ticket_balances(value):
    assert sum(amount for _, amount in entries_of(value)) == 0
    assert all(amount for _, amount in entries_of(value))


@given(values)
def test_a_value_is_read_as_it_was_written(value):
    assert decode_value(encode_value(value)) == value


@given(st.lists(values, max_size=6), st.randoms())
def test_sums_do_not_depend_on_the_order_and_lose_nothing(found, dice):
    mixed = list(found)
    dice.shuffle(mixed)
    lines = day_lines(found)
    assert (lines, day_tenders(found)) == (day_lines(mixed), day_tenders(mixed))
    assert sum(line.gross for line in lines) == sum(gross_of(value.sold) for value in found)
    assert sum(line.gross for line in lines) + credited(found) == sum(value.total for value in found)
    assert all(line.net + line.tax == line.gross for line in lines)
    assert all(sum(tax.amount for tax in line.taxes) == line.tax for line in lines)


@given(st.lists(values, max_size=6), st.integers(0, 6))
def test_a_day_and_its_supplements_are_the_whole(found, at):
    whole, first, late = (_totals(part) for part in (found, found[:at], found[at:]))
    keys = {*whole, *first, *late}
    assert all(whole.get(key, 0) == first.get(key, 0) + late.get(key, 0) for key in keys)


def _totals(found):
    sums = {}
    for line in day_lines(found):
        key = (line.kind, line.category, tuple((tax.name, str(tax.rate)) for tax in line.taxes))
        sums[key] = sums.get(key, 0) + line.gross
    return sums


@pytest.mark.parametrize(
    ("sold", "back", "tenders", "owed", "repaid"),
    [
        (1000, 0, (("cash", 1000),), 0, 0),
        (1000, 0, (("cash", 600),), 400, 0),
        (1000, 0, (), 1000, 0),
        (1000, 0, (("cash", 300), ("invoice", 700)), 700, 0),
        (0, -700, (("cash", -700),), 0, 700),
        (0, -700, (), 0, 0),
        (0, -700, (("card", -500),), 0, 500),
        (1000, -700, (("cash", 300),), 0, 700),
        (1000, -700, (), 300, 700),
        (700, -700, (), 0, 700),
        (500, -700, (("cash", -200),), 0, 700),
        (500, -700, (), 0, 500),
        (1000, 0, (("cash", 1200),), 0, 0),
    ],
)
def test_what_a_ticket_was_paid_goes_to_what_it_sold_first(sold, back, tenders, owed, repaid):
    value = Value(
        sold=(Sum("goods", "", sold, sold),) if sold else (),
        back=(Sum("goods", "", back, back),) if back else (),
        tenders=tenders,
    )
    assert (owed_of(value), repaid_of(value)) == (owed, repaid)
