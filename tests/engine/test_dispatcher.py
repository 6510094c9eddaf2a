"""The dispatcher over the real store and a scripted wire: once per key, whatever the partner does."""

import msgspec
import pytest

from crossdock.engine import crash
from crossdock.engine.messages import Settled
from crossdock.errors import ContractError, NotSentError, UnclearError
from crossdock.sdk.calls import Response
from tests.engine.partner import Outbound

READY, DELAYED, BEHIND, CLAIMED, PARKED, IN_DOUBT, HELD = range(7)
NO_ROUTE = NotSentError("no connection was made")
SILENCE = UnclearError("no whole reply came")


@pytest.fixture
def rig(store):
    made = Outbound(store, names=("partner", "other"))
    yield made
    assert not any(made.balance().values())


def test_an_effect_reaches_its_partner_once_with_its_key_and_trace(rig):
    receipt = rig.effect("by_key")
    assert rig.deliver() == 1
    assert rig.wire.count("/by_key") == 1
    (intent,) = rig.connectors["partner"].intents
    assert intent.key == f"partner:by_key:{receipt.subject}:by_key"
    assert intent.traceparent.startswith(f"00-{'a' * 32}-")
    assert (intent.attempt, intent.may_have_happened) == (1, False)
    assert rig.words(receipt) == ["do 1", "by_key done"]
    assert rig.deliver() == 0


@pytest.mark.parametrize(
    ("kept", "flags", "state"),
    [
        ("a" * 32, "01", ""),
        ("a" * 32 + "-00", "00", ""),
        ("a" * 32 + '-00 vendor="1",b=2', "00", 'vendor="1",b=2'),
    ],
)
def test_a_partner_is_told_whether_the_trace_is_sampled_and_its_state(rig, kept, flags, state):
    rig.effect("by_key", trace=kept)
    rig.deliver()
    ((parent, told),) = rig.wire.traces
    assert (parent[:36], parent[-3:], told) == (f"00-{'a' * 32}-", f"-{flags}", state)
    (intent,) = rig.connectors["partner"].intents
    assert (intent.traceparent, intent.tracestate) == (parent, told)


def test_the_same_decision_made_again_stages_nothing_new(rig):
    rig.effect("by_key")
    rig.deliver()
    rig.effect("by_key")
    rig.deliver()
    assert rig.wire.count("/by_key") == 1


def test_effects_of_one_order_go_in_order_and_other_orders_do_not_wait(rig):
    rig.wire.will("/by_key", SILENCE)
    first = rig.effect("by_key", "by_lookup")
    rig.effect("by_lookup", ref="2")
    rig.deliver()
    assert [request.path for request in rig.wire.sent] == ["/by_key", "/by_lookup"]
    assert rig.outbox(first) == [("by_key", DELAYED, 1), ("by_lookup", BEHIND, 0)]
    rig.after(60)
    assert rig.outbox(first) == []
    assert rig.words(first) == ["do 2", "by_key done", "by_lookup done"]


@pytest.mark.fault(17)
@pytest.mark.parametrize("trouble", [SILENCE, 500, 503, 408])
def test_with_a_key_an_unclear_reply_is_posted_again_under_the_same_key(rig, trouble):
    rig.wire.will("/by_key", trouble)
    rig.effect("by_key")
    rig.deliver()
    assert rig.after(4) == 0, "not before the partner's settling time"
    rig.after(60)
    keys = {request.headers["idempotency-key"] for request in rig.wire.sent}
    assert (rig.wire.count("/by_key"), len(keys)) == (2, 1)
    assert [i.may_have_happened for i in rig.connectors["partner"].intents] == [False, True]


@pytest.mark.fault(3)
@pytest.mark.fault(17)
@pytest.mark.parametrize("trouble", [SILENCE, 500, 503, 408])
def test_with_a_look_up_an_unclear_reply_is_asked_about_and_never_posted_twice(rig, trouble):
    rig.wire.will("/by_lookup", trouble, Response(status=200))
    receipt = rig.effect("by_lookup")
    rig.deliver()
    rig.after(60)
    assert [request.method for request in rig.wire.sent] == ["POST", "GET"]
    assert rig.words(receipt)[-1] == "by_lookup done"


def test_with_a_look_up_that_finds_nothing_it_is_posted_again(rig):
    rig.wire.will("/by_lookup", SILENCE, 404, Response(status=201, body=b"S7"))
    receipt = rig.effect("by_lookup")
    rig.deliver()
    rig.after(60)
    assert [request.method for request in rig.wire.sent] == ["POST", "GET", "POST"]
    assert rig.story(receipt)["effects"][0]["reference"] == "S7"


def test_doubt_stays_until_it_is_cleared_whatever_fails_in_between(rig):
    rig.wire.will("/by_lookup", SILENCE, NO_ROUTE, 429, 404)
    rig.effect("by_lookup")
    rig.deliver()
    for _ in range(4):
        rig.after(400)
    assert [request.method for request in rig.wire.sent] == ["POST", "GET", "GET", "GET", "POST"]


@pytest.mark.fault(4)
@pytest.mark.parametrize("trouble", [SILENCE, 500, ContractError("html in a 200")])
def test_without_either_an_unclear_reply_is_in_doubt_and_never_sent_again(rig, trouble):
    rig.wire.will("/by_none", trouble)
    receipt = rig.effect("by_none")
    rig.deliver()
    for _ in range(5):
        rig.after(3600)
    assert rig.wire.count("/by_none") == 1
    assert rig.outbox(receipt) == [("by_none", IN_DOUBT, 1)]
    (case,) = rig.cases()
    assert case["reason"].startswith("in_doubt")


@pytest.mark.parametrize("trouble", [NO_ROUTE, 429])
def test_without_either_what_certainly_did_nothing_is_sent_again(rig, trouble):
    rig.wire.will("/by_none", trouble)
    receipt = rig.effect("by_none")
    rig.deliver()
    rig.after(60)
    assert rig.wire.count("/by_none") == 2
    assert rig.outbox(receipt) == []


@pytest.mark.fault(4)
def test_what_was_in_doubt_before_a_crash_is_not_sent_without_a_way_to_ask(rig):
    receipt = rig.effect("by_none")
    assert len(rig.dispatcher.take(rig.now)) == 1
    rig.store.recover(rig.now, 0)
    rig.lanes["partner"].in_flight = 0
    rig.after(60)
    assert rig.wire.sent == []
    assert rig.outbox(receipt)[0][1] == IN_DOUBT


@pytest.mark.parametrize("operation", ["by_key", "by_lookup", "by_none"])
@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_parks_with_the_partners_words_and_holds_the_rest_of_its_key(rig, operation, status):
    path = f"/{operation}"
    rig.wire.will(path, Response(status=status, body=b'{"detail":"closed period","field":"date"}'))
    receipt = rig.effect(operation, "feed_in")
    rig.deliver()
    assert rig.outbox(receipt) == [(operation, PARKED, 1), ("feed_in", BEHIND, 0)]
    (case,) = rig.cases()
    assert case["reason"].startswith("refused")
    assert "closed period" in case["text"]
    assert rig.after(3600) == 0


def test_attempts_run_out_and_a_person_decides(rig):
    rig.wire.will("/by_lookup", *[SILENCE] * 3)
    receipt = rig.effect("by_lookup")
    rig.lanes["partner"].breaker = rig.lanes["partner"].breaker.__class__(failures_max=100)
    for _ in range(5):
        rig.after(3600)
    assert rig.outbox(receipt) == [("by_lookup", PARKED, 3)]
    (case,) = rig.cases()
    assert case["reason"].startswith("exhausted")
    rig.wire.will("/by_lookup", 200)
    rig.act("retry", case["id"], receipt.subject)
    rig.run()
    rig.deliver()
    assert [request.method for request in rig.wire.sent] == ["POST", "GET", "GET", "GET"]
    assert rig.story(receipt)["effects"][0]["reference"] == "found"


def test_an_operator_says_that_what_is_in_doubt_did_happen_and_what_waits_goes_on(rig):
    rig.wire.will("/by_none", SILENCE)
    receipt = rig.effect("by_none", "by_key")
    rig.deliver()
    (case,) = rig.cases()
    rig.act("done", case["id"], receipt.subject, reference="S9")
    rig.run()
    rig.deliver()
    assert rig.wire.count("/by_none") == 1
    assert rig.words(receipt)[-2:] == ["by_none done", "by_key done"]
    assert rig.story(receipt)["effects"][0]["reference"] == "S9"
    assert not rig.cases()


def test_an_operator_says_that_what_is_in_doubt_did_not_happen_and_it_is_sent_once_more(rig):
    rig.wire.will("/by_none", SILENCE)
    receipt = rig.effect("by_none")
    rig.deliver()
    rig.act("retry", rig.cases()[0]["id"], receipt.subject)
    rig.run()
    rig.deliver()
    assert rig.wire.count("/by_none") == 2
    assert rig.outbox(receipt) == []


def test_an_open_case_holds_back_what_asks_for_it_and_nothing_else(rig):
    receipt = rig.send("1", "dear", case="price", effects=("by_key",), held=True)
    rig.run()
    rig.send("1", "sale", effects=("other:by_key",))
    rig.run()
    rig.deliver()
    assert rig.wire.sent == []
    assert rig.wires["other"].count("/by_key") == 1
    assert rig.outbox(receipt) == [("by_key", HELD, 0)]
    rig.send("1", "fine", close="price")
    rig.run()
    rig.deliver()
    assert rig.wire.count("/by_key") == 1


def test_a_case_that_opens_while_an_effect_waits_behind_another_holds_it_back_too(rig):
    rig.wire.will("/by_lookup", SILENCE)
    rig.effect("by_lookup")
    rig.send("1", "release", effects=("by_key",), held=True)
    rig.run()
    rig.deliver()
    receipt = rig.send("1", "dear", case="price")
    rig.run()
    rig.after(60)
    assert rig.wire.count("/by_key") == 0
    assert rig.outbox(receipt) == [("by_key", HELD, 0)]
    rig.send("1", "fine", close="price")
    rig.run()
    rig.deliver()
    assert rig.wire.count("/by_key") == 1


def test_a_case_that_opens_while_an_effect_waits_for_its_retry_holds_it_back_too(rig):
    rig.wire.will("/by_key", NO_ROUTE)
    rig.effect("by_key", held=True)
    (effect,) = rig.dispatcher.take(rig.now)
    rig.send("1", "dear", case="price")
    rig.run()
    rig.dispatcher.settle([rig.dispatcher.perform(effect)], rig.now)
    rig.after(60)
    assert rig.wire.count("/by_key") == 1


@pytest.mark.fault(11)
def test_with_the_lease_spent_nothing_is_sent_and_the_next_takes_over(rig):
    receipt = rig.effect("by_key")
    (effect,) = rig.dispatcher.take(rig.now)
    rig.now += 31_000_000
    attempted = rig.dispatcher.perform(effect)
    assert rig.wire.sent == []
    assert attempted.failure.kind == "down"
    rig.dispatcher.settle([attempted], rig.now)
    rig.after(60)
    assert rig.wire.count("/by_key") == 1
    assert rig.outbox(receipt) == []


def test_pending_resumes_where_it_was_and_spends_no_attempt(rig):
    rig.wire.will("/feeds/feed-7", 202, 202)
    receipt = rig.effect("feed_in")
    rig.deliver()
    for _ in range(3):
        assert rig.after(19) == 0
        rig.after(1)
    assert rig.wire.count("/feeds") == 1
    assert [i.resume for i in rig.connectors["partner"].intents] == ["", "feed-7", "feed-7", "feed-7"]
    assert rig.story(receipt)["effects"][0]["attempts"] == 1


def test_what_is_pending_is_resumed_after_a_failed_question_too(rig):
    rig.effect("feed_in")
    rig.wire.will("/feeds/feed-7", NotSentError("no route"), 404)
    rig.deliver()
    for _ in range(4):
        rig.after(400)
    assert rig.wire.count("/feeds") == 1
    assert all(intent.resume == "feed-7" for intent in rig.connectors["partner"].intents[1:])


def test_what_a_reply_tells_besides_goes_through_the_inbox_after_it(rig):
    receipt = rig.effect("telling")
    rig.deliver()
    assert rig.words(receipt) == ["do 1", "telling done", "told"]


def test_a_page_goes_through_the_inbox_with_its_cursor(rig):
    rig.wire.will("/page", Response(status=200, body=b'[{"text":"a"},{"text":"b"}]'))
    receipt = rig.effect("poll")
    rig.deliver()
    assert rig.ask("read_cursor", "partner", "words") == [("c9",)]
    assert rig.outcomes(receipt) == ["processed", "processed"]


def test_a_defect_of_a_connector_parks_its_effect_as_internal_and_harms_no_other(rig):
    receipt = rig.effect("broken")
    other = rig.effect("by_key", ref="2")
    rig.deliver()
    assert rig.outbox(receipt) == [("broken", PARKED, 1)]
    assert rig.outbox(other) == []
    assert [row["kind"] for row in rig.story(receipt)["attempts"]] == ["internal"]


def test_an_error_whose_words_cannot_be_written_parks_like_any_other(rig):
    receipt = rig.effect("by_key")
    rig.wire.will("/by_key", ContractError("the reply says \ud800"))
    rig.deliver()
    assert rig.outbox(receipt) == [("by_key", PARKED, 1)]
    assert len(rig.cases()) == 1


def test_a_reply_that_cannot_be_read_leaves_a_call_in_doubt_and_a_refusal_does_not(rig):
    rig.wire.will("/by_key", ContractError("a page of HTML"), Response(status=422, body=b"{}"))
    told = []
    for ref in ("1", "2"):
        rig.effect("by_key", ref=ref)
        (call,) = rig.dispatcher.take(rig.now)
        attempted = rig.dispatcher.perform(call)
        told += [msgspec.json.decode(result.reply.body, type=Settled).outcome for result in attempted.results]
        rig.dispatcher.settle([attempted], rig.now)
    assert told == ["in_doubt", "refused"]


def test_an_operation_that_the_connector_does_not_have_parks(rig):
    receipt = rig.effect("fax")
    rig.deliver()
    assert rig.outbox(receipt) == [("fax", PARKED, 1)]


def test_a_connection_that_only_observes_is_read_and_sent_nothing(store):
    rig = Outbound(store, live=False)
    rig.wire.will("/page", Response(status=200, body=b"[]"))
    told = rig.effect("by_key")
    rig.effect("poll", ref="2")
    assert rig.deliver() == 1
    assert [request.path for request in rig.wire.sent] == ["/page"]
    assert rig.outbox(told) == [("by_key", 0, 0)]


def test_every_crash_point_of_an_effect_is_reached_in_order(rig):
    rig.effect("by_key")
    rig.dispatcher.step(rig.now)
    assert rig.points == [
        crash.EFFECTS_CLAIMED,
        crash.EFFECT_BEFORE_SEND,
        crash.EFFECT_ANSWERED,
        crash.SETTLE_BEFORE_COMMIT,
        crash.SETTLED,
    ]
