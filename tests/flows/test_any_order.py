"""Whatever order the messages of an order come in, and however often, the end is the same (FAULTS 31, 32, 38)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.engine.messages import Message
from crossdock.model import Address, CancellationAnswered, FulfilmentRequestId, OrderReported
from crossdock.model.reports import Report
from tests.flows.facts import cancel, order, refunded, shipped, told
from tests.flows.hub import Hub, balance_of
from tests.model.builders import make_line

EDITED = (make_line("1", ordered=2, current=1, price=1000, percent=19), make_line("2", price=500, percent=7))
ANYTHING: dict[str, tuple[str, Report]] = {
    "created": ("shop", told(1)),
    "readdressed": ("shop", told(2, ship_to=Address(city="Bonn"))),
    "edited": ("shop", told(3, lines=EDITED)),
    "cancelled": ("shop", told(4, cancelled=True)),
    "shipped": ("wms", shipped("S1", l1=1)),
    "shipped again": ("wms", shipped("S2", l1=1, l2=1)),
    "fulfilled": ("shop", shipped("F1", connection="shop", request="", l2=1)),
    "refunded": ("shop", refunded()),
    "refunded in the order": (
        "shop",
        OrderReported(order=order(5, cancelled=True), refunds=(refunded().refund,)),
    ),
    "asked to cancel": ("shop", cancel(l1=1)),
}


def answer_everything(hub: Hub) -> None:
    """Partners do what they are asked; the warehouse stops whatever it still has."""
    while hub.waiting:
        settled = hub.settle(hub.waiting[0][1].operation)
        if settled.operation == "cancel_release":
            request = FulfilmentRequestId(settled.intent.rpartition(":")[0])
            hub.tell("wms", CancellationAnswered(request=request, outcome="accepted"))


def end_of(names: list[str], *, settle: frozenset[int] = frozenset()) -> tuple[Hub, dict[str, Any]]:
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    for n, name in enumerate(names):
        source, report = ANYTHING[name]
        hub.tell(source, report)
        if n in settle and hub.orders and hub.process().known:
            answer_everything(hub)
    answer_everything(hub)
    process, row = hub.process(), hub.rows[1]
    sums: dict[str, int] = {}
    for posting in hub.postings:
        for account, amount in posting.entries:
            sums[account] = sums.get(account, 0) + amount
    conflicts = [reason for reason in hub.reasons() if reason == "order.cancelled_and_shipped"]
    end = {
        "status": (row.custody, row.money, row.commitment, row.total),
        "lines": sorted((x.id, x.ordered, x.lost, x.target, x.shipped) for x in process.lines),
        "stock": {key: (v.on_hand, v.reserved, v.allocated) for key, v in sorted(hub.levels.items())},
        "journal": {account: amount for account, amount in sorted(sums.items()) if amount},
        "conflicts": conflicts,
        "sale": None if conflicts else sorted((line.id, line.told_erp) for line in process.lines),
        "shipments": sorted(parcel.key for parcel in process.shipments),
        "refunds": [(refund.key, refund.total) for refund in process.refunds],
    }
    return hub, end


def check(hub: Hub) -> None:
    sums = balance_of(hub.movements)
    for key, level in hub.levels.items():
        assert sums[key][:3] == [level.on_hand, level.reserved, level.allocated]
    for line in hub.process().lines:
        beyond = line.shipped + line.told_erp > line.ordered
        assert not beyond or hub.reasons()


@pytest.mark.fault(31)
@pytest.mark.fault(38)
@settings(max_examples=300)
@given(data=st.data())
def test_any_permutation_of_the_same_messages_comes_to_the_same_end(data):
    others = sorted(set(ANYTHING) - {"created"})
    chosen = ["created", *data.draw(st.lists(st.sampled_from(others), unique=True, max_size=6))]
    shuffled = data.draw(st.permutations(chosen))
    pauses = frozenset(data.draw(st.sets(st.integers(0, len(chosen)), max_size=3)))
    straight, expected = end_of(sorted(chosen, key=list(ANYTHING).index))
    hub, end = end_of(list(shuffled), settle=pauses)
    assert end == expected
    check(straight)
    check(hub)


@pytest.mark.fault(33)
@settings(max_examples=100)
@given(data=st.data())
def test_a_message_that_comes_twice_changes_nothing(data):
    chosen = ["created", *data.draw(st.lists(st.sampled_from(sorted(ANYTHING)), max_size=8))]
    once = list(dict.fromkeys(chosen))
    assert end_of(chosen)[1] == end_of(once)[1]


@settings(max_examples=100)
@given(data=st.data())
def test_one_batch_decides_as_many_batches_do(data):
    others = sorted(set(ANYTHING) - {"created"})
    chosen = data.draw(
        st.permutations(["created", *data.draw(st.lists(st.sampled_from(others), unique=True, max_size=5))])
    )
    apart, expected = end_of(list(chosen))
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.batch(*((source, [report], 1, "test") for source, report in (ANYTHING[name] for name in chosen)))
    answer_everything(hub)
    assert hub.rows[1].custody == apart.rows[1].custody
    assert {k: v.available for k, v in hub.levels.items()} == {
        k: v.available for k, v in apart.levels.items()
    }
    assert list(hub.effects) == list(apart.effects)
    assert isinstance(hub._message("shop", 1, "x"), Message)
    assert expected["status"] == (
        hub.rows[1].custody,
        hub.rows[1].money,
        hub.rows[1].commitment,
        hub.rows[1].total,
    )
