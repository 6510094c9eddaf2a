"""A batch that is decided while the one before it is being written comes to what it would have come to after it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossdock.domain.overlaying import can_lie_over
from crossdock.domain.state import Changes, Needs, Snapshot, Unseen, UnseenChanges
from tests.flows.hub import Hub
from tests.flows.test_any_order import ANYTHING

Told = tuple[str, list[Any], int, str]


def told(name: str, subject: int) -> Told:
    source, report = ANYTHING[name]
    return (source, [report], subject, "test")


def mixed(before: Snapshot, after: Snapshot, dice: list[bool]) -> Snapshot:
    """Read while the batch was being written: of each kind from before it, or from after it."""
    kinds = ("orders", "levels", "products", "seen")
    chosen = {
        kind: getattr(after if later else before, kind) for kind, later in zip(kinds, dice, strict=True)
    }
    return msgspec.structs.replace(before, **chosen)


@settings(max_examples=300)
@given(data=st.data())
def test_over_a_batch_that_is_being_written_the_same_is_decided_as_after_it(data):
    anything = st.builds(told, st.sampled_from(sorted(ANYTHING)), st.integers(1, 3))
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    for n in range(1, 3):
        hub.tell("shop", ANYTHING["created"][1], subject=n)
    first = hub.messages_of(*data.draw(st.lists(anything, min_size=1, max_size=5)))
    second = hub.messages_of(*data.draw(st.lists(anything, min_size=1, max_size=5)))
    needs = hub.handler.needs(second)
    world = hub._world(first)
    decisions = [world.handle(message, reports, hub.now) for message, reports in first]
    changes = world.changes()
    seen = {
        (message.subject, s.source, s.kind, s.version): s.hash
        for (message, _), decision in zip(first, decisions, strict=True)
        for s in decision.seen
    }
    before = hub.load(needs)
    hub.timers.clear()
    hub.apply(changes)
    for (message, _), decision in zip(first, decisions, strict=True):
        hub._keep(message, decision)
    after = hub.load(needs)
    dice = data.draw(st.lists(st.booleans(), min_size=4, max_size=4))
    snapshot = hub.handler.laid_over(needs, lambda _: mixed(before, after, dice), changes, seen)
    assume(snapshot is not None)  # what left is news to the master of stock: that is waited for
    over, plain = hub.handler.world(needs, snapshot), hub.handler.world(needs, after)
    for message, reports in second:
        assert over.handle(message, reports, hub.now) == plain.handle(message, reports, hub.now)
    assert msgspec.to_builtins(over.changes()) == msgspec.to_builtins(plain.changes())


@pytest.mark.parametrize(
    "needs",
    [
        Needs(days=(("tills", "S1/2026-11-27"),)),
        Needs(tickets=(("tills", "S1", "2026-11-27"),)),
        Needs(pulses=("tills",)),
        Needs(places=("berlin",)),
        Needs(unseen=(("SKU-1", "berlin"),)),
        Needs(tokens=("CD0000000001 sale",)),
    ],
    ids=lambda needs: next(name for name in needs.__struct_fields__ if getattr(needs, name)),
)
def test_who_needs_more_than_orders_and_levels_waits_until_it_is_written(needs):
    assert can_lie_over(Needs(orders=(1,), skus=("SKU-1",)), Changes())
    assert not can_lie_over(needs, Changes())


def test_what_follows_a_change_of_products_stores_or_masters_waits_until_it_is_written():
    row = Unseen("SKU-1", "berlin", 0, "token", 0, "erp", -1)
    for changes in (
        Changes(products=[("SKU-1", b"{}")]),
        Changes(pulses=[("tills", "S1", 1)]),
        Changes(unseen=UnseenChanges(raised=[row])),
    ):
        assert not can_lie_over(Needs(), changes)
