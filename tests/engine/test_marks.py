"""Latest values: read when they are sent, one call for many marks, and none lost that was made in between."""

import re

import msgspec
import pytest

from crossdock.engine import crash
from crossdock.engine.messages import Mark
from crossdock.engine.port import Batch, Finished
from crossdock.errors import NotSentError, RetryableError, UnclearError
from crossdock.sdk.calls import Response
from tests.engine.partner import Outbound

SILENCE = UnclearError("no whole reply came")


@pytest.fixture
def rig(store):
    made = Outbound(store, names=("partner", "other"), values={"A": 5, "B": 7})
    yield made
    assert not any(made.balance().values())


def mark(rig, *keys, ref="1"):
    rig.send(ref, "count", marks=keys)
    rig.run()


def told(rig, name="partner"):
    """What the partner was told, call by call."""
    bodies = [msgspec.json.decode(request.body) for request in rig.wires[name].sent]
    return [{value["key"]: value["value"] for value in body} for body in bodies]


def publish(rig, seconds=0):
    rig.later(seconds)
    count = 0
    while done := rig.publisher.step(rig.now):
        count += done
    rig.run()
    return count


def test_the_value_is_read_when_it_is_sent(rig):
    mark(rig, "A")
    rig.values["A"] = 3
    publish(rig)
    assert told(rig) == [{"A": 3}]


def test_values_that_are_told_bear_a_trace_of_their_own(rig):
    for value in (3, 4):
        mark(rig, "A")
        rig.values["A"] = value
        publish(rig, seconds=1)
    (first, _), (second, _) = rig.wires["partner"].traces
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
    assert first != second


def test_a_partner_that_takes_its_time_takes_none_of_the_others(rig):
    def slowly():
        rig.now += 40_000_000
        return 200

    rig.send("1", "count")
    (message,) = rig.store.claim(10, rig.now).messages
    marks = [Mark(connection=name, operation="set_values", key="A") for name in ("partner", "other")]
    finished = Finished(message=message, outcome="processed", marks=marks)
    rig.store.commit(Batch(finished=[finished], now=rig.now))
    for name in ("partner", "other"):
        rig.wires[name].will("/values", slowly)
    publish(rig)
    assert told(rig) == told(rig, "other") == [{"A": 5}]
    assert not rig.lanes["other"].failed


def test_a_retry_after_of_years_is_obeyed_up_to_a_limit_only(rig):
    rig.wire.will("/values", Response(status=429, headers={"retry-after": "999999999"}))
    mark(rig, "A")
    publish(rig)
    publish(rig, 2 * 3_600)
    assert rig.wire.count("/values") == 2


def test_a_pause_that_was_asked_for_meanwhile_is_not_made_shorter(rig):
    def meanwhile():
        rig.lanes["partner"].paused_until = rig.now + 600_000_000
        return 429

    rig.wire.will("/values", meanwhile)
    mark(rig, "A")
    publish(rig)
    publish(rig, 60)
    assert rig.wire.count("/values") == 1
    publish(rig, 600)
    assert rig.wire.count("/values") == 2


def test_many_marks_of_a_key_are_one_call(rig):
    for n in range(20):
        mark(rig, "A", "B", ref=str(n))
    assert publish(rig) == 2
    assert told(rig) == [{"A": 5, "B": 7}]
    assert publish(rig) == 0


def test_a_value_that_the_partner_has_already_is_not_sent_again(rig):
    mark(rig, "A")
    publish(rig)
    mark(rig, "A")
    publish(rig)
    assert told(rig) == [{"A": 5}]


def test_a_key_of_which_nothing_is_known_is_not_told(rig):
    mark(rig, "nothing")
    assert publish(rig) == 1
    assert told(rig) == []


def test_a_call_carries_no_more_than_the_partner_takes(rig):
    rig.values.update({str(n): n for n in range(7)})
    mark(rig, *[str(n) for n in range(7)])
    publish(rig)
    assert [len(call) for call in told(rig)] == [3, 3, 1]


def test_each_call_of_a_turn_reads_its_values_when_it_is_made(rig):
    def meanwhile():
        rig.values["6"] = 60
        return 200

    rig.values.update({str(n): n for n in range(7)})
    rig.wire.will("/values", meanwhile)
    mark(rig, *[str(n) for n in range(7)])
    assert rig.publisher.step(rig.now) == 7
    assert told(rig)[2] == {"6": 60}


def test_after_a_call_that_failed_a_turn_makes_no_further_one(rig):
    rig.values.update({str(n): n for n in range(7)})
    rig.wire.will("/values", 500)
    mark(rig, *[str(n) for n in range(7)])
    publish(rig)
    assert len(told(rig)) == 1
    publish(rig, 60)
    assert [len(call) for call in told(rig)] == [3, 3, 3, 1]


def test_a_turn_of_a_slow_partner_ends_before_its_claims_do(rig):
    def slowly():
        rig.now += 21_000_000
        return 200

    rig.values.update({str(n): n for n in range(4)})
    rig.wire.will("/values", slowly)
    mark(rig, *[str(n) for n in range(4)])
    assert rig.publisher.step(rig.now) == 4
    assert len(told(rig)) == 1
    publish(rig, 1)
    assert [len(call) for call in told(rig)] == [3, 1]


def test_marked_again_while_in_flight_it_is_sent_again_with_the_newer_value(rig):
    def meanwhile():
        rig.values["A"] = 4
        mark(rig, "A", ref="2")
        return 200

    rig.wire.will("/values", meanwhile)
    mark(rig, "A")
    publish(rig)
    assert told(rig) == [{"A": 5}, {"A": 4}]


@pytest.mark.fault(41)
def test_an_older_value_never_leaves_after_a_newer_one(rig):
    rig.wire.will("/values", SILENCE)
    mark(rig, "A")
    publish(rig)
    rig.values["A"] = 1
    mark(rig, "A")
    assert publish(rig) == 0
    publish(rig, 60)
    assert told(rig) == [{"A": 5}, {"A": 1}]


def test_a_refused_key_becomes_a_case_and_harms_no_other(rig):
    rig.wire.will("/values", Response(status=200, body=b'{"A":"no such SKU"}'))
    mark(rig, "A", "B")
    publish(rig)
    (case,) = rig.cases()
    assert (case["reason"], case["about"], case["field"]) == ("refused", "partner set_values A", "value")
    assert "no such SKU" in case["text"]
    mark(rig, "B")
    publish(rig, 600)
    assert len(told(rig)) == 1


def test_a_refused_key_is_tried_again_after_the_next_change_and_is_still_one_case(rig):
    rig.wire.will("/values", *[Response(status=200, body=b'{"A":"no such SKU"}')] * 2)
    mark(rig, "A")
    publish(rig)
    rig.values["A"] = 6
    mark(rig, "A")
    publish(rig)
    assert told(rig) == [{"A": 5}, {"A": 6}]
    assert len(rig.cases()) == 1


def test_a_key_that_the_reply_does_not_name_is_sent_again(rig):
    rig.wire.will("/values", Response(status=200, body=b'{"A":"missing"}'))
    mark(rig, "A", "B")
    publish(rig)
    publish(rig, 2)
    assert told(rig) == [{"A": 5, "B": 7}, {"A": 5}]


@pytest.mark.parametrize("trouble", [SILENCE, NotSentError("x"), 500, 429])
def test_a_failure_of_the_partner_is_tried_again_later(rig, trouble):
    rig.wire.will("/values", trouble)
    mark(rig, "A")
    publish(rig)
    publish(rig, 60)
    assert told(rig) == [{"A": 5}, {"A": 5}]
    assert not rig.cases()


@pytest.mark.parametrize("status", [400, 405])
def test_a_call_that_is_refused_as_a_whole_makes_a_case_of_each_key(rig, status):
    rig.wire.will("/values", status)
    mark(rig, "A", "B")
    publish(rig)
    assert sorted(case["about"] for case in rig.cases()) == ["partner set_values A", "partner set_values B"]


@pytest.mark.fault(26)
def test_refused_credentials_pause_the_connection_and_open_one_case(rig):
    rig.wire.will("/values", 401)
    mark(rig, "A", "B")
    rig.effect("by_key", ref="9")
    publish(rig)
    assert [(case["reason"], case["about"]) for case in rig.cases()] == [("credentials", "partner")]
    assert rig.deliver() == 0
    assert publish(rig, 299) == 0
    publish(rig, 2)
    assert told(rig)[-1] == {"A": 5, "B": 7}


@pytest.mark.fault(18)
def test_429_pauses_only_its_own_connection(rig):
    rig.wire.will("/values", Response(status=429, headers={"retry-after": "30"}))
    mark(rig, "A")
    publish(rig)
    assert publish(rig, 29) == 0
    assert rig.lanes["other"].want(rig.now) is not None
    assert publish(rig, 1) == 1


@pytest.mark.fault(19)
def test_a_partner_that_is_gone_is_probed_one_call_at_a_time(rig):
    rig.wire.will("/values", *[NotSentError("x")] * 3)
    for _ in range(3):
        mark(rig, "A")
        publish(rig, 60)
    assert rig.lanes["partner"].breaker.tripped
    assert publish(rig) == 0
    publish(rig, 60)
    publish(rig, 60)
    assert not rig.lanes["partner"].breaker.tripped


def test_a_store_that_cannot_record_what_was_sent_has_it_sent_again(rig):
    settle, calls = rig.store.settle_marks, []

    def once(results, now):
        calls.append(now)
        if len(calls) == 1:
            raise RetryableError("busy")
        settle(results, now)

    rig.store.settle_marks = once
    mark(rig, "A")
    with pytest.raises(RetryableError):
        publish(rig)
    assert publish(rig, 30) == 0
    publish(rig, 31)
    assert told(rig) == [{"A": 5}, {"A": 5}]


def test_after_a_crash_in_flight_it_is_sent_again(rig):
    mark(rig, "A")
    rig.publisher._reach = crash_at(crash.MARKS_ANSWERED)
    with pytest.raises(KeyboardInterrupt):
        rig.publisher.step(rig.now)
    rig.store.recover(rig.now, 0)
    rig.publisher._reach = crash.nowhere
    publish(rig)
    assert told(rig) == [{"A": 5}, {"A": 5}]


def crash_at(point):
    def reach(reached):
        if reached == point:
            raise KeyboardInterrupt

    return reach


def test_every_crash_point_of_a_mark_is_reached_in_order(rig):
    mark(rig, "A")
    rig.points.clear()
    publish(rig)
    assert rig.points == [crash.MARKS_CLAIMED, crash.MARKS_ANSWERED]
