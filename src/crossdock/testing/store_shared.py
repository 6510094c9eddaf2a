"""The conformance suite of stores that several processes share: leases, fences, take-over, and races.

Subclass the suite in a test module and give it the fixtures `stores`, which opens the same empty store again with each
call, as another process would, and `dies`, which makes a store's leases run out as if its process had died a while ago.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossdock.domain.state import Changes, Level, Needs
from crossdock.engine.messages import TICK, Mark, Stage
from crossdock.engine.port import Batch, EffectResult, Finished
from crossdock.errors import LeaseLostError, RacedError
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival

Stores = Callable[[], Any]
Dies = Callable[[Any], None]
ORDERS = 200


class SharedSuite(StoreCase):
    """Any number of processes, each with its share; none does what another may do."""

    def two(self, stores: Stores) -> tuple[Any, Any]:
        """Two processes that have shared the inbox between them."""
        first, second = stores(), stores()
        for now in (NOW, NOW + SECOND, NOW + 2 * SECOND):
            first.claim(0, now)
            second.claim(0, now)
        return first, second

    def finished(self, *messages: Any, **more: Any) -> Batch:
        """A batch in which they are done."""
        return Batch(finished=[Finished(message=m, outcome="processed", **more) for m in messages], now=NOW)

    # Messages

    def test_processes_share_the_inbox_evenly_and_no_message_is_claimed_twice(self, stores: Stores) -> None:
        first, second = self.two(stores)
        self.take(first, *[arrival(str(n)) for n in range(ORDERS)])
        ones, others = first.claim(ORDERS, NOW).messages, second.claim(ORDERS, NOW).messages
        assert {m.id for m in ones}.isdisjoint(m.id for m in others)
        assert len(ones) + len(others) == ORDERS
        assert min(len(ones), len(others)) > ORDERS // 3

    def test_messages_of_one_order_are_claimed_by_one_process_in_order(self, stores: Stores) -> None:
        first, second = self.two(stores)
        for n in range(20):
            self.take((first, second)[n % 2], arrival("7", body=b"%d" % n))
        claimed = [[m.body for m in store.claim(100, NOW).messages] for store in (first, second)]
        assert sorted(claimed, key=len) == [[], [b"%d" % n for n in range(20)]]

    def test_a_dead_process_is_taken_over_and_what_it_still_writes_is_refused(
        self, stores: Stores, dies: Dies
    ) -> None:
        first = stores()
        self.take(first, arrival())
        (message,) = self.claim(first)
        second = stores()
        assert not self.claim(second)
        dies(first)
        second.tend(NOW + SECOND)
        (same,) = self.claim(second)
        assert same == message
        with pytest.raises(LeaseLostError):
            first.commit(self.finished(message))
        second.commit(self.finished(same))
        first.give_back([message])
        assert not self.claim(first)

    def test_a_process_that_only_hung_goes_on_where_nobody_took_over(
        self, stores: Stores, dies: Dies
    ) -> None:
        store = stores()
        self.take(store, arrival())
        messages = self.claim(store)
        dies(store)
        store.commit(self.finished(*messages))
        assert not self.claim(store)

    def test_what_a_process_is_in_the_middle_of_is_handed_over_when_it_is_done(self, stores: Stores) -> None:
        first = stores()
        self.take(first, *[arrival(str(n)) for n in range(ORDERS)])
        messages = self.claim(first, ORDERS)
        second = stores()
        second.claim(0, NOW)
        first.tend(NOW + SECOND)
        second.tend(NOW + SECOND)
        assert not self.claim(second)
        first.commit(self.finished(*messages))
        first.tend(NOW + 2 * SECOND)
        second.tend(NOW + 2 * SECOND)
        self.take(first, *[arrival(str(n)) for n in range(ORDERS)])
        assert len(second.claim(ORDERS, NOW + 2 * SECOND).messages) > ORDERS // 3

    def test_a_process_that_comes_to_rest_is_followed_at_once(self, stores: Stores) -> None:
        first = stores()
        self.take(first, arrival())
        messages = self.claim(first)
        first.rest()
        second = stores()
        assert self.claim(second) == messages

    def test_a_batch_that_kills_its_workers_is_halved_until_the_message_is_alone(
        self, stores: Stores, dies: Dies
    ) -> None:
        first = stores()
        self.take(first, *[arrival(str(n)) for n in range(8)])
        assert len(self.claim(first, 8)) == 8
        sizes, crashes, died = [], [], first
        for _ in range(5):
            dies(died)
            died = stores()
            claim = died.claim(8, NOW)
            sizes.append(len(claim.messages))
            crashes.append(claim.crashes)
        assert sizes == [4, 2, 1, 1, 1]
        assert crashes == [0, 0, 0, 1, 2]

    # Stock

    def test_two_workers_sell_the_last_unit_and_one_of_them_decides_again(self, stores: Stores) -> None:
        first, second = self.two(stores)
        self.stocked(first, Level("sku", "loc", 1))
        batches = [self.reserving(store, ref) for store, ref in ((first, "1"), (second, "2"))]
        first.commit(batches[0])
        with pytest.raises(RacedError):
            second.commit(batches[1])
        assert second.load(Needs(skus=("sku",))).levels["sku", "loc"] == Level("sku", "loc", 1, 1)

    def test_what_two_workers_move_at_once_adds_up(self, stores: Stores) -> None:
        first, second = self.two(stores)
        self.stocked(first, Level("sku", "loc", 10))
        batches = [self.reserving(store, ref) for store, ref in ((first, "1"), (second, "2"))]
        first.commit(batches[0])
        second.commit(batches[1])
        assert second.load(Needs(skus=("sku",))).levels["sku", "loc"].reserved == 2

    def test_what_two_workers_ship_at_once_adds_up(self, stores: Stores) -> None:
        first, second = stores(), stores()
        self.stocked(first, Level("sku", "loc", 10))
        bases = first.load(Needs(skus=("sku",))).levels
        for store, left in ((first, 9), (second, 8)):
            shipped = Changes(levels=[Level("sku", "loc", left)], bases=bases)
            store.commit(Batch(changes=shipped, now=NOW))
        assert first.load(Needs(skus=("sku",))).levels["sku", "loc"].on_hand == 7

    def test_two_counts_of_one_place_are_not_both_applied(self, stores: Stores) -> None:
        first, second = stores(), stores()
        self.stocked(first, Level("sku", "loc", 7, as_of=NOW))
        bases = first.load(Needs(skus=("sku",))).levels
        first.commit(
            Batch(changes=Changes(levels=[Level("sku", "loc", 5, as_of=NOW + 1)], bases=bases), now=NOW)
        )
        again = Changes(levels=[Level("sku", "loc", 5, as_of=NOW + 2)], bases=bases)
        with pytest.raises(RacedError):
            second.commit(Batch(changes=again, now=NOW))
        assert first.load(Needs(skus=("sku",))).levels["sku", "loc"].on_hand == 5

    def test_a_sale_that_was_made_elsewhere_is_recorded_whatever_has_been_taken(self, stores: Stores) -> None:
        first, second = stores(), stores()
        self.stocked(first, Level("sku", "loc", 2))
        bases = second.load(Needs(skus=("sku",))).levels
        taken = Changes(levels=[Level("sku", "loc", 2, 2)], bases=bases)
        first.commit(Batch(changes=taken, now=NOW))
        sold = Changes(levels=[Level("sku", "loc", 1)], bases=bases)
        second.commit(Batch(changes=sold, now=NOW))
        assert first.load(Needs(skus=("sku",))).levels["sku", "loc"] == Level("sku", "loc", 1, 2)

    def stocked(self, store: Any, level: Level) -> None:
        store.commit(Batch(changes=Changes(levels=[level]), now=NOW))

    def reserving(self, store: Any, ref: str) -> Batch:
        """A batch of this process that reserves one unit, decided on what is there now; of an order that is its own."""
        bases = store.load(Needs(skus=("sku",))).levels
        base = bases["sku", "loc"]
        levels = [Level("sku", "loc", base.on_hand, base.reserved + 1)]
        self.take(store, *[arrival(f"{ref}-{n}") for n in range(100)])
        batch = self.finished(*store.claim(1, NOW).messages)
        assert batch.finished
        batch.changes = Changes(levels=levels, bases=bases)
        return batch

    # Effects

    def sale(self, store: Any, **more: Any) -> None:
        self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"), **more)

    def test_a_connection_is_worked_on_by_one_process_at_a_time(self, stores: Stores, dies: Dies) -> None:
        first, second = stores(), stores()
        self.effects(first)
        self.effects(second)
        self.sale(first)
        assert not self.effects(second)
        assert len(self.effects(first)) == 1
        dies(first)
        second.tend(NOW + SECOND)
        self.sale(second, ref="2")
        assert len(self.effects(second)) == 1

    def test_connections_are_shared_between_processes(self, stores: Stores) -> None:
        first, second = stores(), stores()
        names = ("erp", "wms", "shop", "market")
        for now in (NOW, NOW + SECOND, NOW + 2 * SECOND):
            for store in (first, second):
                for name in names:
                    self.effects(store, name, now)
                store.tend(now)
        self.staged(first, *[Stage(connection=name, operation="o", intent="i") for name in names])
        found = [[len(self.effects(store, name)) for name in names] for store in (first, second)]
        assert sorted(map(sum, found)) == [2, 2]
        assert [sum(pair) for pair in zip(*found, strict=True)] == [1, 1, 1, 1]

    def test_what_the_dead_had_claimed_may_have_happened_once_its_time_is_over(
        self, stores: Stores, dies: Dies
    ) -> None:
        first, second = stores(), stores()
        self.sale(first)
        (effect,) = self.effects(first)
        second.recover(NOW, 5 * SECOND)
        dies(first)
        second.wake(NOW)
        over = effect.lease_until + 5 * SECOND
        second.wake(over - 1)
        assert not self.effects(second, now=over - 1)
        second.wake(over)
        (again,) = self.effects(second, now=over)
        assert (again.attempt, again.unclear) == (2, True)

    def test_a_process_that_starts_leaves_what_the_living_have_claimed(self, stores: Stores) -> None:
        first, second = stores(), stores()
        self.sale(first)
        self.effects(first)
        assert second.recover(NOW, SECOND) == {"effects": 0, "marks": 0}

    def test_a_late_report_counts_until_somebody_has_tried_again(self, stores: Stores, dies: Dies) -> None:
        first, second = stores(), stores()
        self.sale(first)
        (effect,) = self.effects(first)
        dies(first)
        second.recover(NOW, 0)
        second.wake(effect.lease_until)
        (again,) = self.effects(second, now=effect.lease_until)
        first.settle([EffectResult(effect=effect, state="parked", text="no")], NOW)
        second.settle([EffectResult(effect=again, state="done", reference="S1")], NOW)
        first.settle([EffectResult(effect=effect, state="done", reference="S2")], NOW)
        with_reads = first.reads()
        (row,) = with_reads.timeline(effect.subject)["effects"]
        with_reads.close()
        assert (row["outcome"], row["reference"], row["attempts"]) == ("done", "S1", 2)

    def test_a_report_that_is_given_twice_is_taken_once(self, stores: Stores) -> None:
        store = stores()
        self.sale(store)
        (effect,) = self.effects(store)
        reply = arrival("1", source="erp", body=b"reply")
        done = EffectResult(effect=effect, state="done", reference="S1", reply=reply)
        store.settle([done], NOW)
        store.settle([done], NOW)
        assert [m.body for m in self.claim(store)] == [b"reply"]

    def test_values_that_the_dead_had_claimed_are_sent_again(self, stores: Stores, dies: Dies) -> None:
        first, second = stores(), stores()
        self.take(first, arrival())
        mark = Mark(connection="shop", operation="set_quantities", key="sku")
        self.finish(first, *self.claim(first), marks=[mark])
        wants = [self.want("shop")]
        assert len(first.claim_marks(wants, NOW)) == 1
        dies(first)
        second.recover(NOW, 0)
        assert [m.attempt for m in second.claim_marks(wants, NOW)] == [2]

    # Time

    def test_one_process_keeps_the_schedule_and_its_death_costs_no_tick(
        self, stores: Stores, dies: Dies
    ) -> None:
        first, second = stores(), stores()
        first.schedules({"shop/orders": ("shop", "orders", 60 * SECOND)}, NOW)
        first.wake(NOW)
        assert second.wake(NOW + 60 * SECOND) is None
        self.finish(first, *self.claim(first))
        dies(first)
        second.tend(NOW + 61 * SECOND)
        second.wake(NOW + 61 * SECOND)
        assert [m.kind for m in self.claim(second)] == [TICK]
