"""Batched calls: one call carries many orders, and each of them has an outcome of its own."""

import msgspec
import pytest

from crossdock.engine.pace import bucket
from crossdock.errors import UnclearError
from crossdock.sdk.calls import Response
from tests.engine.partner import Outbound


@pytest.fixture
def rig(store):
    return Outbound(store)


def sent(rig):
    """The keys of each call, by the order's number in the tests."""
    return [
        [key.split(":")[2] for key in msgspec.json.decode(request.body)["keys"]]
        for request in rig.wire.sent
        if request.path == "/many"
    ]


def orders(rig, count, *effects):
    return [rig.effect(*(effects or ("many",)), ref=str(n)) for n in range(count)]


def says(receipts, *words):
    """An answer that says these words of these orders."""
    body = {f"partner:many:{r.subject}:many": word for r, word in zip(receipts, words, strict=True)}
    return Response(status=200, body=msgspec.json.encode(body))


def test_one_call_carries_as_many_as_the_operation_takes(rig):
    receipts = orders(rig, 10)
    assert rig.deliver() == 10
    assert [len(call) for call in sent(rig)] == [4, 4, 2]
    assert [key for call in sent(rig) for key in call] == [str(r.subject) for r in receipts]
    assert all(rig.outbox(receipt) == [] for receipt in receipts)


def test_the_next_of_an_order_waits_for_the_one_before(rig):
    orders(rig, 3, "many", "by_key")
    assert rig.dispatcher.step(rig.now) == 3
    assert rig.wire.count("/by_key") == 0
    rig.deliver()
    assert rig.wire.count("/by_key") == 3


def test_one_that_is_refused_parks_alone(rig):
    receipts = orders(rig, 3)
    rig.wire.will("/many", says(receipts, "R1", "!no such article", "R3"))
    rig.deliver()
    assert [rig.outbox(receipt) for receipt in receipts] == [[], [("many", 4, 1)], []]


def test_one_that_is_not_told_of_is_asked_again_as_unclear(rig):
    receipts = orders(rig, 3)
    rig.wire.will("/many", says(receipts, "R1", "absent", "R3"))
    rig.deliver()
    rig.after(10)
    assert sent(rig)[1:] == [[str(receipts[1].subject)]]
    assert rig.connectors["partner"].intents[-1].may_have_happened
    assert rig.outbox(receipts[1]) == []


def test_a_call_that_fails_is_unclear_for_each_and_its_batches_get_smaller_until_the_bad_one_is_alone(rig):
    receipts = orders(rig, 4)
    bad = str(receipts[2].subject)

    def answer():
        return UnclearError("cut off") if bad in sent(rig)[-1] else 200

    rig.wire.will("/many", *[answer] * 40)
    rig.deliver()
    for _ in range(8):
        rig.after(400)
    assert [len(call) for call in sent(rig)[:5]] == [4, 1, 1, 1, 1]
    assert [rig.outbox(r) == [] for r in receipts] == [True, True, False, True]
    assert all(intent.may_have_happened for intent in rig.connectors["partner"].intents[4:])


def test_pace_counts_calls_and_not_what_they_carry(rig):
    rig.lanes["partner"].pace = bucket(1, 2)
    orders(rig, 12)
    assert rig.dispatcher.step(rig.now) == 8
    assert rig.dispatcher.step(rig.now) == 0
    rig.later(1)
    assert rig.dispatcher.step(rig.now) == 4


def test_batches_and_single_calls_share_the_pace(rig):
    rig.lanes["partner"].pace = bucket(1, 2)
    for n in range(3):
        rig.effect("many", ref=f"m{n}")
        rig.effect("by_key", ref=f"k{n}")
    assert rig.dispatcher.step(rig.now) == 4
    assert len(rig.wire.sent) == 2


def test_a_probe_carries_one(rig):
    orders(rig, 9)
    rig.wire.will("/many", *[UnclearError("down")] * 3)
    rig.deliver()
    lane = rig.lanes["partner"]
    assert lane.breaker.tripped
    before = len(sent(rig))
    rig.later(30)
    rig.dispatcher.step(rig.now)
    assert [len(call) for call in sent(rig)[before:]] == [1]
    assert not lane.breaker.tripped
