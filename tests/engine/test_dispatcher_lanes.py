"""What one partner bears, and what its troubles cost the others: pace, pauses, the breaker, credentials."""

import msgspec
import pytest

from crossdock.engine.pace import bucket
from crossdock.errors import NotSentError
from crossdock.sdk.calls import Response
from tests.engine.partner import Outbound

NO_ROUTE = NotSentError("no connection was made")


@pytest.fixture
def rig(store):
    made = Outbound(store, names=("partner", "other"))
    yield made
    assert not any(made.balance().values())


@pytest.mark.fault(18)
def test_429_pauses_only_its_own_connection_for_as_long_as_it_says(rig):
    rig.wire.will("/by_key", Response(status=429, headers={"retry-after": "30"}))
    rig.effect("by_key")
    rig.deliver()
    rig.effect("by_lookup", ref="2")
    rig.effect("other:by_key", ref="3")
    rig.deliver()
    assert [len(rig.wires[name].sent) for name in ("partner", "other")] == [1, 1]
    assert rig.dispatcher.next_at(rig.now) == rig.now + 30_000_000
    assert rig.after(29) == 0
    assert rig.after(1) == 2
    assert rig.story(rig.send("1", "x"))["effects"][0]["attempts"] == 1


@pytest.mark.fault(18)
def test_a_retry_after_is_obeyed_up_to_a_limit_only(store):
    rig = Outbound(store)
    policy = msgspec.structs.replace(rig.policy, retry_after_max_s=60)
    rig.lanes["partner"].policy = rig.performer.policy = policy
    rig.wire.will("/by_key", Response(status=429, headers={"retry-after": "500000"}))
    rig.effect("by_key")
    rig.deliver()
    assert rig.after(61) == 1


@pytest.mark.fault(19)
def test_the_breaker_opens_and_probes_one_at_a_time_and_spends_no_attempts_on_it(rig):
    rig.wire.will("/by_key", *[NO_ROUTE] * 9)
    receipts = [rig.effect("by_key", ref=str(n)) for n in range(9)]
    rig.deliver()
    assert rig.lanes["partner"].breaker.tripped
    tried = len(rig.wire.sent)
    for _ in range(30):
        rig.later(0.25)
        taken = rig.dispatcher.take(rig.now)
        assert len(taken) <= 1
        rig.dispatcher.settle([rig.dispatcher.perform(effect) for effect in taken], rig.now)
        if not rig.lanes["partner"].breaker.tripped:
            break
    assert len(rig.wire.sent) > tried
    for _ in range(9):
        rig.after(120)
    assert not rig.lanes["partner"].breaker.tripped
    assert all(rig.outbox(receipt) == [] for receipt in receipts)
    assert all(rig.story(receipt)["effects"][0]["attempts"] == 1 for receipt in receipts)


def test_a_sick_partner_holds_no_other_back(rig):
    rig.wire.will("/by_key", *[NO_ROUTE] * 50)
    receipt = rig.effect("by_key", "other:by_key")
    rig.deliver()
    assert rig.wires["other"].count("/by_key") == 1
    assert rig.words(receipt)[-1] == "by_key done"


@pytest.mark.fault(20)
def test_pace_is_never_exceeded(store):
    rig = Outbound(store, pace=bucket(2, 3))
    for n in range(10):
        rig.effect("by_key", ref=str(n))
    assert rig.deliver() == 3
    assert rig.after(0.4) == 0
    assert rig.after(0.2) == 1
    assert rig.after(1) == 2
    assert rig.after(100) == 3
    assert rig.after(100) == 1


@pytest.mark.fault(26)
@pytest.mark.parametrize("operation", ["by_key", "by_lookup", "by_none"])
@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_pause_the_connection_open_a_case_and_burn_no_attempt(rig, operation, status):
    rig.wire.will(f"/{operation}", *[status] * 12)
    receipt = rig.effect(operation)
    rig.effect("by_key", ref="2")
    rig.effect("other:by_key", ref="3")
    for _ in range(12):
        rig.deliver()
        rig.after(300)
    (case,) = rig.cases()
    assert (case["reason"], case["about"]) == ("credentials", "partner")
    rig.after(300)
    assert rig.outbox(receipt) == []
    assert rig.story(receipt)["effects"][0]["attempts"] == 1
    assert rig.wires["other"].count("/by_key") == 1
