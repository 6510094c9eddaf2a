"""Pace and breaker as pure values, and that no history makes them let too much through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.engine.pace import Breaker, bucket

S = 1_000_000
NOW = 1_700_000_000 * S
MANY = 1_000_000


def test_a_full_bucket_grants_its_burst_and_then_its_rate():
    tokens = bucket(10, 4).refilled(NOW)
    assert tokens.grants() == 4
    tokens = tokens.taken(4)
    assert tokens.grants() == 0
    assert tokens.next_at() == NOW + S // 10 + 1
    assert tokens.refilled(NOW + S // 20).grants() == 0
    assert tokens.refilled(tokens.next_at()).grants() == 1
    assert tokens.refilled(NOW + S).grants() == 4


def test_no_rate_is_no_limit():
    tokens = bucket(0, 1).refilled(NOW).taken(500)
    assert tokens.grants() == MANY
    assert tokens.next_at() <= NOW


def test_a_burst_below_one_still_lets_single_calls_through():
    assert bucket(1, 0).refilled(NOW).grants() == 1


@pytest.mark.fault(35)
def test_a_clock_that_goes_back_adds_nothing_and_stops_nothing():
    empty = bucket(1, 5).refilled(NOW).taken(5)
    back = empty.refilled(NOW - 600 * S)
    assert back.grants() == 0
    assert back.refilled(NOW - 599 * S).grants() == 1


@pytest.mark.fault(20)
@given(
    rate=st.floats(0.5, 500),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 2 * S), st.integers(0, 60)), max_size=60),
)
def test_no_history_ever_exceeds_burst_plus_rate(rate, burst, steps):
    tokens, now, taken = bucket(rate, burst).refilled(NOW), NOW, 0
    for wait, wanted in steps:
        now += wait
        tokens = tokens.refilled(now)
        calls = min(wanted, tokens.grants())
        tokens = tokens.taken(calls)
        taken += calls
        assert taken <= burst + (now - NOW) / S * rate + 0.001


@pytest.mark.fault(35)
@given(steps=st.lists(st.tuples(st.integers(-5 * S, 2 * S), st.integers(0, 60)), max_size=40))
def test_however_the_clock_jumps_no_moment_gives_more_than_the_burst(steps):
    tokens, now = bucket(10, 8).refilled(NOW), NOW
    for jump, wanted in steps:
        now += jump
        tokens = tokens.refilled(now)
        assert 0 <= tokens.grants() <= 8
        tokens = tokens.taken(min(wanted, tokens.grants()))


def tripped(failures=5, **settings):
    breaker = Breaker(failures_max=5, base_s=1, cap_s=60, **settings)
    for _ in range(failures):
        breaker = breaker.failed(NOW, 1.0)
    return breaker


def test_failures_below_the_limit_leave_it_closed():
    breaker = tripped(4)
    assert not breaker.tripped
    assert breaker.grants(100, NOW) == MANY


def test_it_opens_at_the_limit_and_closes_after_a_success():
    breaker = tripped(5)
    assert breaker.tripped
    assert breaker.until == NOW + S
    assert breaker.grants(0, NOW + S - 1) == 0
    assert breaker.succeeded() == Breaker(failures_max=5, base_s=1, cap_s=60)


def test_a_success_in_between_starts_the_count_anew():
    breaker = tripped(4).succeeded().failed(NOW, 1.0)
    assert not breaker.tripped


@pytest.mark.parametrize(("in_flight", "grants"), [(0, 1), (1, 0), (7, 0)])
def test_after_its_pause_it_lets_one_probe_through_at_a_time(in_flight, grants):
    assert tripped().grants(in_flight, NOW + S) == grants


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_each_failed_probe_doubles_the_pause_up_to_the_cap(jitter, share):
    breaker, now = tripped(), NOW + S
    pauses = []
    for _ in range(8):
        breaker = breaker.failed(now, jitter)
        pauses.append((breaker.until - now) / S)
        now = breaker.until
    assert pauses == [share * pause for pause in (2, 4, 8, 16, 32, 60, 60, 60)]


def test_calls_that_were_under_way_when_it_opened_do_not_lengthen_its_pause():
    breaker = tripped(5)
    for _ in range(27):
        breaker = breaker.failed(NOW + 1000, 1.0)
    assert breaker.until == NOW + S
    assert breaker.failed(NOW + S, 1.0).until == NOW + 3 * S


@pytest.mark.fault(19)
@given(st.lists(st.sampled_from(["failed", "succeeded", "wait"]), max_size=80), st.floats(0, 1))
def test_while_it_is_open_nothing_goes_and_then_never_more_than_one(history, jitter):
    breaker, now = Breaker(failures_max=3, base_s=1, cap_s=8), NOW
    for step in history:
        if step == "wait":
            now += S // 2
        else:
            breaker = breaker.failed(now, jitter) if step == "failed" else breaker.succeeded()
        if breaker.tripped:
            assert breaker.grants(0, now) == (0 if now < breaker.until else 1)
            assert breaker.grants(1, now) == 0
            assert breaker.until <= now + 8 * S
