"""What every store must do for retention: drop what is over and past its time, and nothing that is still needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossdock.domain.state import Changes, Needs
from crossdock.engine.messages import CloseCase, OpenCase, Seen, Stage
from crossdock.engine.port import Batch, EffectResult, Expired, Finished, Terms, Unpark
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival, process

LATER = NOW + SECOND
OVER = Terms(bodies={"": LATER}, deliveries={"": LATER})
"""Everything that was handled, and finished, at NOW is past its time."""
CASE = OpenCase(reason="odd", text="look")


class KeepingSuite(StoreCase):
    """The port's `expire`. Besides `store`, fixtures `edits` (how many bodies from before an edit are kept) and
    `opened_again` (the store after a restart): functions.
    """

    def order(self, store: Any, ref: str = "1", *, finished: bool = True, **more: Any) -> tuple[int, int]:
        """A handled message of an order, as (subject, message)."""
        receipt = self.take(store, arrival(ref, body=ref.encode(), delivery_id=f"d{ref}"))[0]
        changes = Changes(processes=[process(receipt.subject, external_id=ref, finished=finished)])
        self.finish(store, *self.claim(store), changes=changes, **more)
        return receipt.subject, receipt.message

    def all(self, store: Any, terms: Terms = OVER, limit: int = 100) -> Expired:
        """Look until everything has been looked at."""
        bodies, deliveries = list[int](), 0
        for _ in range(100):
            found: Expired = store.expire(terms, LATER, limit)
            bodies += found.bodies
            deliveries += found.deliveries
            if found.whole:
                return Expired(bodies=bodies, deliveries=deliveries)
        raise AssertionError("it comes to no end")

    def raw(self, store: Any, subject: int, message: int) -> bytes | None:
        reads = store.reads()
        try:
            found = reads.raw(message, subject)
            return None if found is None else bytes(found["body"])
        finally:
            reads.close()

    def test_the_body_of_a_finished_order_goes_when_its_time_is_over_and_what_became_of_it_stays(
        self, store: Any
    ) -> None:
        subject, message = self.order(store)
        assert self.all(store, Terms(bodies={"": NOW})).bodies == []
        assert self.raw(store, subject, message) == b"1"
        assert self.all(store).bodies == [message]
        assert self.raw(store, subject, message) is None
        reads = store.reads()
        assert [row[0] for row in reads.rows("timeline_messages", subject, 10)] == [message]
        reads.close()

    def test_the_trace_of_a_sender_is_on_the_timeline_as_long_as_its_body_is_kept(self, store: Any) -> None:
        subject, first = self.order(store)
        traced = {"traceparent": f"00-{'b' * 32}-00f067aa0ba902b7-01"}
        later = self.take(store, arrival("1", subject=subject, headers=traced, delivery_id="later"))[0]
        self.finish(store, *self.claim(store))
        reads = store.reads()
        try:
            told = reads.timeline(subject)
            assert [row["id"] for row in told["messages"]] == [first, later.message]
            assert told["traces"] == [{"id": later.message, **traced}]
            self.all(store)
            assert reads.timeline(subject)["traces"] == []
        finally:
            reads.close()

    def test_nothing_goes_that_is_kept_for_ever(self, store: Any) -> None:
        self.order(store)
        found = self.all(store, Terms(bodies={"": 0}, deliveries={"": 0}))
        assert (found.bodies, found.deliveries) == ([], 0)

    def test_each_source_has_its_own_time(self, store: Any) -> None:
        subject, message = self.order(store)
        other = self.take(store, arrival("X", source="erp", subject=subject, delivery_id="e1"))[0]
        self.finish(store, *self.claim(store))
        terms = Terms(bodies={"": LATER, "shop": 0}, deliveries={"": 0, "erp": LATER})
        found = self.all(store, terms)
        assert (found.bodies, found.deliveries) == ([other.message], 1)
        assert self.raw(store, subject, message) == b"1"

    def test_an_order_that_is_not_finished_keeps_its_bodies_and_its_delivery_ids(self, store: Any) -> None:
        subject, message = self.order(store, finished=False)
        found = self.all(store)
        assert (found.bodies, found.deliveries) == ([], 0)
        assert self.raw(store, subject, message) == b"1"

    def test_the_time_of_a_body_begins_when_its_order_is_finished(self, store: Any) -> None:
        subject, message = self.order(store, finished=False)
        self.take(store, arrival(body=b"end"))
        (last,) = self.claim(store)
        changes = Changes(processes=[process(subject, 1, finished=True)])
        store.commit(
            Batch(finished=[Finished(message=last, outcome="processed")], changes=changes, now=LATER)
        )
        assert self.all(store).bodies == []
        later = Terms(bodies={"": LATER + 1})
        assert self.all(store, later).bodies == [message, last.id]

    def test_an_order_with_an_open_case_keeps_its_bodies_until_it_is_closed(self, store: Any) -> None:
        subject, message = self.order(store, cases=[CASE])
        assert self.all(store).bodies == []
        self.take(store, arrival("X", source="erp", subject=subject))
        closed = CloseCase(reason="odd", resolution="seen")
        self.finish(store, *self.claim(store), closed=[closed])
        assert message in self.all(store).bodies

    def test_an_order_with_a_call_to_be_made_keeps_its_bodies(self, store: Any) -> None:
        stage = Stage(connection="erp", operation="create", intent="1", command=b"{}")
        _, message = self.order(store, effects=[stage])
        assert self.all(store).bodies == []
        (claimed,) = self.effects(store)
        store.settle([EffectResult(effect=claimed, state="done")], NOW)
        assert self.all(store).bodies == [message]

    def test_a_message_in_the_inbox_keeps_its_body_whoever_else_loses_his(self, store: Any) -> None:
        before = self.order(store, "before")[1]
        head, behind = self.parked(store)
        after = self.order(store, "after")[1]
        assert self.all(store).bodies == [before, after]
        assert store.message(head.id).body == b"bad"
        assert store.message(behind.id).body == b"next"

    def test_what_a_body_was_before_an_edit_goes_with_it(self, store: Any, edits: Callable[[], int]) -> None:
        head, _ = self.parked(store)
        (case,) = self.open_case(store)
        self.take(store, arrival("X", source="hub", kind="operator.action", subject=head.subject, lane=1))
        word = Unpark(case=case["id"], action="edit", actor="Kim", reason="typo", body=b"good")
        (said,) = self.claim(store)
        store.commit(Batch(finished=[Finished(message=said, outcome="processed")], unparked=[word], now=NOW))
        assert edits() == 1
        self.finish(
            store, *self.claim(store), changes=Changes(processes=[process(head.subject, finished=True)])
        )
        assert head.id in self.all(store).bodies
        assert edits() == 0

    def test_a_version_is_known_for_ever_and_a_delivery_for_its_time(self, store: Any) -> None:
        seen = [Seen(source="shop", kind="order", version="v1", hash="h")]
        subject, message = self.order(store, seen=seen)
        again = arrival(body=b"1", delivery_id="d1")
        assert self.all(store, Terms(deliveries={"": NOW})).deliveries == 0
        assert self.take(store, again)[0].duplicate
        assert self.all(store).deliveries == 1
        receipt = self.take(store, again)[0]
        assert (receipt.duplicate, receipt.subject) == (False, subject)
        assert receipt.message > message
        known = store.load(Needs(seen=((subject, "shop", "order", "v1"),))).seen
        assert list(known.values()) == ["h"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    def test_however_little_is_looked_at_at_a_time_all_of_it_goes_once(self, store: Any, limit: int) -> None:
        orders = [self.order(store, str(n)) for n in range(5)]
        kept = self.order(store, "kept", finished=False)
        found = self.all(store, limit=limit)
        assert (found.bodies, found.deliveries) == ([message for _, message in orders], 5)
        assert self.raw(store, *kept) == b"kept"
        assert self.all(store, limit=limit) == Expired(bodies=[], deliveries=0)
        reads = store.reads()
        counted = {name: value for source, name, value in reads.rows("counters") if source == "shop"}
        reads.close()
        assert (counted["bodies_expired"], counted["deliveries_expired"]) == (5, 5)

    def test_large_bodies_go_a_few_at_a_time(self, store: Any) -> None:
        for n in range(3):
            self.take(store, arrival(str(n), body=b"x" * 5_000_000))
        self.finish(store, *self.claim(store))
        steps = [store.expire(OVER, LATER, 100) for _ in range(3)]
        assert [(len(found.bodies), found.whole) for found in steps] == [(1, False), (1, False), (1, True)]

    def test_numbers_of_messages_go_on_though_no_body_is_left(
        self, store: Any, opened_again: Callable[[], Any]
    ) -> None:
        _, message = self.order(store)
        self.all(store)
        again = opened_again()
        assert self.take(again, arrival("2"))[0].message > message
