"""Each checker catches a violation that is planted: a checker that cannot fail proves nothing."""

from types import SimpleNamespace as Any_

import msgspec
import pytest

from crossdock.domain.state import Changes, Level, Movement, Posting
from crossdock.engine.lanes import Lane
from crossdock.engine.messages import Arrival, Message, Receipt, Stage
from crossdock.engine.pace import bucket
from crossdock.engine.performing import Attempted, Call, Failure
from crossdock.engine.port import Batch, ClaimedEffect, EffectResult, Finished
from crossdock.flows.documents import split_document
from crossdock.sdk.calls import get, post
from crossdock.sdk.spec import ConnectorSpec, Operation
from crossdock.simulator.base import SimRequest, SimResponse
from sim.invariants import Invariants
from sim.world import SECOND, Violation, World
from tests.model.builders import make_line, make_order

NOW = 1_000 * SECOND
OPERATIONS = (Operation(name="create_sale", doc=""), Operation(name="post_blindly", doc="", doubles="none"))
SPEC = ConnectorSpec(name="erp", title="", roles=("erp",), settings=(), operations=OPERATIONS, inbound=())


@pytest.fixture
def known():
    made = Invariants(World(1))
    lane = Lane(name="erp", connector=Any_(spec=SPEC), transport=None, pace=bucket(1, 2))
    made.begins({"erp": lane}, NOW)
    return made


def violates(letter):
    return pytest.raises(Violation, match=rf"^\({letter}\)")


def message(number, **changes):
    fields = {"source": "shop", "kind": "orders/updated", "subject": 1, "lane": 0, "attempt": 0}
    fields |= {"received_at": 0, "trace": "", "headers": {}, "body": b"{}"} | changes
    return Message(id=number, **fields)


def finished(number, **changes):
    return Finished(message=message(number), outcome="processed", **changes)


def effect(number=1024, **changes):
    fields = {"connection": "erp", "operation": "create_sale", "subject": 1, "intent": "sale", "attempt": 1}
    fields |= {"unclear": False, "resume": "", "command": b"{}", "document": 0, "value": b"", "party": b""}
    fields |= {"trace": "", "lease_until": NOW + SECOND, "staged_at": 0} | changes
    return ClaimedEffect(id=number, **fields)


def call(*effects):
    return Call(connection="erp", operation="create_sale", effects=effects)


def stage(intent="sale", command=b"{}"):
    return Stage(connection="erp", operation="create_sale", intent=intent, command=command)


def process(expected, version="2026-01-02T00:00:00Z", **line):
    order = {"version": version, "known": True} | {
        name: line.pop(name)
        for name in ("cancelled", "captured", "total", "refunds", "cases")
        if name in line
    }
    value = order | {"lines": [{"id": "1", **line}]}
    return Changes(processes=[Any_(subject=1, expected=expected, value=msgspec.json.encode(value))])


def test_a_delivery_that_is_kept_twice(known):
    arrival = Arrival(source="shop", kind="orders/create", body=b"", delivery_id="d1")
    known.accepted([arrival], [Receipt(1, 1)])
    known.accepted([arrival], [Receipt(1, 1, True)])
    with violates("a"):
        known.accepted([arrival], [Receipt(2, 1)])


def test_counters_that_do_not_add_up(known):
    known.connect(Any_(rows=lambda name: [("shop", 5, 3, 0, 0, 1, 0)]))
    with violates("a"):
        known.committed(Batch())


def test_messages_of_a_stream_out_of_order(known):
    known.committed(Batch(finished=[finished(2)]))
    with violates("order"):
        known.committed(Batch(finished=[finished(1)]))


def test_a_replay_that_names_nobody(known):
    with violates("j"):
        known.committed(Batch(finished=[Finished(message=message(1, origin="replay"), outcome="processed")]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (process(0), process(0)),
        (process(0, "2026-01-02T00:00:00Z"), process(1, "2026-01-01T00:00:00Z")),
        (process(0, cancelled=True), process(1, cancelled=False)),
        (process(0, ordered=2, shipped=2), process(1, ordered=2, shipped=1)),
    ],
    ids=["lost update", "older version", "un-cancelled", "un-shipped"],
)
def test_versions_that_go_back(known, first, second):
    known.committed(Batch(changes=first))
    with violates("h"):
        known.committed(Batch(changes=second))


BEYOND = [
    ("return.beyond_shipped|1", {"ordered": 3, "shipped": 1, "returned": 2}),
    ("shipment.beyond_order|1", {"ordered": 1, "shipped": 5}),
    (
        "refund.beyond_captured|",
        {
            "total": 900,
            "captured": 500,
            "refunds": [{"done": True, "total": 300}, {"done": True, "total": 201}],
        },
    ),
    ("refund.beyond_captured|", {"total": 500, "refunds": [{"done": True, "total": 501}]}),
]


@pytest.mark.parametrize(("case", "order"), BEYOND, ids=["returned", "shipped", "captured", "total"])
def test_what_goes_beyond_what_there_was_and_stands_in_no_case(known, case, order):
    known.committed(Batch(changes=process(0, cases=[case], **order)))
    with violates("g"):
        known.committed(Batch(changes=process(1, cases=["order.held|x"], **order)))


def test_what_is_not_done_or_within_what_was_paid_is_nobodys_case(known):
    refunds = [{"done": False, "total": 400}, {"done": True, "total": 500}]
    known.committed(
        Batch(changes=process(0, ordered=5, shipped=5, returned=5, captured=500, total=500, refunds=refunds))
    )


def test_a_committed_document_that_does_not_add_up(known):
    whole = make_order(make_line(price=1000), commitment="committed")
    for order in (whole, msgspec.structs.replace(whole, buyer_total=whole.buyer_total + 1)):
        document = Any_(subject=1, version=1, value=split_document(order, "CD0000000001").value)
        changes = Changes(documents=[document])
        if order is whole:
            known.committed(Batch(changes=changes))
        else:
            with violates("d"):
                known.committed(Batch(changes=changes))


def test_a_level_that_is_not_its_movements(known):
    movement = Movement(0, 1, 0, "A", "north", "on_hand", 3, "opening", 0)
    known.committed(Batch(changes=Changes(levels=[Level("A", "north", 3)], movements=[movement])))
    with violates("f"):
        known.committed(Batch(changes=Changes(levels=[Level("A", "north", 4)])))


def test_the_last_unit_promised_twice(known):
    opening = Movement(0, 1, 0, "A", "north", "on_hand", 1, "opening", 0)
    once = Movement(1, 2, 0, "A", "north", "reserved", 1, "reserve", 0)
    twice = Movement(2, 3, 0, "A", "north", "allocated", 1, "allocate", 0)
    known.committed(Batch(changes=Changes(movements=[opening, once])))
    with violates("f"):
        known.committed(Batch(changes=Changes(movements=[twice])))


def test_a_posting_that_does_not_balance(known):
    posting = Posting(1, 1, 0, "EUR", "sale", (("receivable", 100), ("sales", -99)), 0)
    with violates("e"):
        known.committed(Batch(changes=Changes(postings=[posting])))


def test_an_intent_for_two_commands(known):
    known.committed(Batch(finished=[finished(1, effects=[stage()])]))
    known.committed(Batch(finished=[finished(2, effects=[stage()])]))
    with violates("c"):
        known.committed(Batch(finished=[finished(3, effects=[stage(command=b'{"other":1}')])]))


def test_an_effect_that_overtakes(known):
    known.committed(Batch(finished=[finished(1, effects=[stage("first"), stage("second")])]))
    with violates("order"):
        known.claimed([effect(1025, intent="second")], NOW)


def test_an_effect_taken_while_it_is_under_way(known):
    known.claimed([effect()], NOW)
    with violates("c"):
        known.claimed([effect()], NOW)


def test_an_effect_taken_when_it_is_over(known):
    known.claimed([effect()], NOW)
    known.settled(
        [EffectResult(effect=effect(), state="done", reply=Arrival(source="hub", kind="", body=b""))]
    )
    with violates("c"):
        known.claimed([effect()], NOW)


def test_a_partner_that_asked_for_peace(known):
    known.peace = lambda name: 30 * SECOND
    known.learnt(
        Attempted(connection="erp", results=(), failure=Failure(kind="throttled", retry_after=30)), NOW
    )
    with violates("pace"):
        known.claimed([effect()], NOW + 29 * SECOND)


def test_more_calls_than_the_pace_allows(known):
    for number in (1, 2):
        known.sending(call(effect(number)), get("/sales"), NOW)
    with violates("pace"):
        known.sending(call(effect(3)), get("/sales"), NOW)


@pytest.mark.parametrize(
    ("request_", "claimed", "at"),
    [
        (post("/sales", headers={"idempotency-key": "erp:create_sale:1:sale"}), effect(), NOW + SECOND),
        (post("/sales", headers={"idempotency-key": "another"}), effect(), NOW),
        (post("/sales"), effect(unclear=True), NOW),
        (get("/sales"), effect(operation="post_blindly", unclear=True), NOW),
    ],
    ids=["after its lease", "under another key", "unasked", "in doubt"],
)
def test_a_request_that_must_not_be_sent(known, request_, claimed, at):
    with violates("c"):
        known.sending(call(claimed), request_, at)


def test_what_may_have_happened_is_asked_first(known):
    known.sending(call(effect(unclear=True)), get("/sales"), NOW)
    known.sending(call(effect(unclear=True)), post("/sales"), NOW)


def test_a_doubt_that_is_forgotten(known):
    with violates("c"):
        known.settled([EffectResult(effect=effect(unclear=True), state="retry", unclear=False)])


def test_an_outcome_that_nobody_is_told(known):
    with violates("b"):
        known.settled([EffectResult(effect=effect(), state="done")])


def created(key, made):
    request = SimRequest(method="POST", path="/releases", headers={"idempotency-key": key}, body=b"{}")
    return request, SimResponse(status=201, body=msgspec.json.encode({"id": made}))


def test_two_documents_of_one_key(known):
    known.carried_out("north", *created("k1", "W1"))
    known.carried_out("north", *created("k1", "W1"))
    with violates("c"):
        known.carried_out("north", *created("k1", "W2"))


def test_two_documents_of_one_key_within_a_batch(known):
    items = [{"key": "k1", "body": {}}]
    request = SimRequest(method="POST", path="/releases/batch", body=msgspec.json.encode({"items": items}))

    def answer(made):
        results = [{"key": "k1", "status": 201, "id": made}]
        return SimResponse(body=msgspec.json.encode({"results": results}))

    known.carried_out("north", request, answer("W1"))
    with violates("c"):
        known.carried_out("north", request, answer("W2"))


def test_a_document_without_a_key(known):
    with violates("c"):
        known.carried_out("north", *created("", "W1"))


def test_a_partner_that_is_sent_the_same_again_with_another_body(known):
    answer = SimResponse(status=409, body=b"key k1 came before with another body")
    with violates("c"):
        known.carried_out("north", created("k1", "")[0], answer)
