"""The conformance suite of the store port: intake, batches, waiting, erasure.

Subclass the suite in a test module and give it a `store` fixture that opens an empty store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from crossdock.domain.state import Changes, DocumentRow, Level, Movement, Needs, Posting
from crossdock.engine.messages import (
    DUE_AT,
    HUB,
    LANE_FREE,
    Arrival,
    CloseCase,
    Event,
    OpenCase,
    Reference,
    Seen,
    Stage,
    subject_id,
)
from crossdock.engine.port import (
    Batch,
    Delayed,
    EffectResult,
    Finished,
    Unpark,
)
from crossdock.errors import ConflictError
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival, long_text, process


class InboxSuite(StoreCase):
    """The way in, and what a batch leads to."""

    # The way in

    def test_an_arrival_is_claimed_with_its_bytes_and_headers(self, store: Any) -> None:
        receipt = self.take(store, arrival(body=b"\x00\xffraw", headers={"x-topic": "é\n"}))[0]
        (message,) = self.claim(store)
        assert (message.id, message.subject, message.body) == (
            receipt.message,
            receipt.subject,
            b"\x00\xffraw",
        )
        assert message.headers == {"x-topic": "é\n"}

    def test_messages_come_in_the_order_accepted(self, store: Any) -> None:
        self.take(store, *[arrival(str(n % 3), body=b"%d" % n) for n in range(20)])
        assert [m.body for m in self.claim(store)] == [b"%d" % n for n in range(20)]

    def test_the_same_reference_is_the_same_subject_in_one_call_and_in_the_next(self, store: Any) -> None:
        first, second, other = self.take(store, arrival("1"), arrival("1"), arrival("2"))
        (third,) = self.take(store, arrival("1"))
        assert first.subject == second.subject == third.subject != other.subject

    def test_our_own_id_names_the_subject_whoever_sends_it(self, store: Any) -> None:
        (first,) = self.take(store, arrival("1"))
        (second,) = self.take(store, arrival(subject_id(first.subject), source="wms", ref_kind="hub"))
        assert second.subject == first.subject

    def test_an_unknown_id_of_ours_gets_a_stream_of_its_own(self, store: Any) -> None:
        (first,) = self.take(store, arrival(subject_id(999_999), source="wms", ref_kind="hub"))
        assert first.subject != 999_999

    def test_names_that_no_index_bears_are_kept_and_known_again(self, store: Any) -> None:
        long, other = long_text(6_000, 1), long_text(6_000, 2)
        sent = arrival(long, delivery_id=long)
        (first,) = self.take(store, sent)
        (again,) = self.take(store, sent)
        assert (again.message, again.duplicate) == (first.message, True)
        (second,) = self.take(store, arrival(long, delivery_id=other))
        (third,) = self.take(store, arrival(other, delivery_id=other))
        assert second.subject == first.subject != third.subject
        assert len(self.claim(store)) == 3

    def test_a_long_name_that_was_decided_on_is_found(self, store: Any) -> None:
        long = long_text(6_000, 1)
        (first,) = self.take(store, arrival("1"))
        self.finish(
            store, *self.claim(store), references=[Reference(connection="erp", kind="sale", ref=long)]
        )
        (second,) = self.take(store, arrival(long, source="erp", ref_kind="sale"))
        assert second.subject == first.subject

    def test_a_delivery_that_was_seen_is_known_again(self, store: Any) -> None:
        (first,) = self.take(store, arrival(delivery_id="d1"))
        again, twice = self.take(store, arrival(delivery_id="d1"), arrival(delivery_id="d1"))
        assert again.duplicate
        assert twice.duplicate
        assert again.message == first.message
        assert len(self.claim(store)) == 1

    @pytest.mark.fault(33)
    def test_a_thousand_copies_in_one_call_are_one_message(self, store: Any) -> None:
        receipts = self.take(store, *[arrival(delivery_id="d1")] * 1_000)
        assert sum(not r.duplicate for r in receipts) == 1
        assert len(self.claim(store)) == 1

    def test_another_body_under_one_key_is_refused_where_keys_are_strict(self, store: Any) -> None:
        self.take(store, arrival(delivery_id="k", strict=True))
        (receipt,) = self.take(store, arrival(delivery_id="k", strict=True, body=b"other"))
        assert receipt.conflict
        assert not receipt.duplicate
        assert len(self.claim(store)) == 1

    @pytest.mark.fault(34)
    def test_another_body_under_one_delivery_id_is_kept_as_a_message(self, store: Any) -> None:
        self.take(store, arrival(delivery_id="k"))
        (receipt,) = self.take(store, arrival(delivery_id="k", body=b"other"))
        assert not receipt.duplicate
        assert len(self.claim(store)) == 2

    def test_a_message_due_later_waits_for_its_time(self, store: Any) -> None:
        self.take(store, arrival(due_at=NOW + SECOND))
        assert not self.claim(store)
        assert store.wake(NOW) == NOW + SECOND
        store.wake(NOW + SECOND)
        assert len(self.claim(store)) == 1

    # Batches

    def test_a_claimed_message_is_not_claimed_twice_until_it_is_given_back(self, store: Any) -> None:
        self.take(store, arrival())
        messages = self.claim(store)
        assert not self.claim(store)
        store.give_back(messages)
        assert self.claim(store) == messages

    def test_what_a_batch_leads_to_is_loaded_again(self, store: Any) -> None:
        (receipt,) = self.take(store, arrival())
        subject = receipt.subject
        (message,) = self.claim(store)
        changes = Changes(
            processes=[process(subject)],
            documents=[DocumentRow(subject=subject, version=1, value=b'{"x":1}', party=b"Jane")],
            levels=[Level("sku", "loc", 5, 1)],
            movements=[Movement(subject, message.id, 0, "sku", "loc", "reserved", 1, "reserve", NOW)],
            postings=[Posting(subject, message.id, 0, "EUR", "sale", (("a", 1), ("b", -1)), NOW)],
            products=[("sku", b'{"title":"x"}')],
        )
        seen = [Seen(source="shop", kind="order", version="7", hash="h")]
        references = [Reference(connection="shop", kind="number", ref="#1")]
        self.finish(
            store, message, changes=changes, seen=seen, references=references, events=[Event(type="taken")]
        )
        key = (subject, "shop", "order", "7")
        snapshot = store.load(Needs(orders=(subject, 77), skus=("sku", "none"), seen=(key,)))
        assert snapshot.orders[subject].version == 1
        assert bytes(snapshot.orders[subject].value) == b'{"lines":[]}'
        assert snapshot.levels == {("sku", "loc"): Level("sku", "loc", 5, 1)}
        assert bytes(snapshot.products["sku"]) == b'{"title":"x"}'
        alone = store.load(Needs(cards=("sku", "none")))
        assert (list(alone.products), alone.levels) == (["sku"], {})
        assert snapshot.seen == {key: "h"}

    @pytest.mark.fault(11)
    def test_a_state_that_another_has_changed_is_not_overwritten(self, store: Any) -> None:
        receipts = self.take(store, arrival(), arrival("2"))
        first, second = self.claim(store)
        self.finish(store, first, changes=Changes(processes=[process(receipts[0].subject)]))
        late = Batch(
            finished=[Finished(message=second, outcome="processed", events=[Event(type="x")])],
            changes=Changes(processes=[process(receipts[0].subject, expected=9)]),
            now=NOW,
        )
        with pytest.raises(ConflictError):
            store.commit(late)
        store.give_back([second])
        assert self.claim(store) == [second]

    def test_children_of_a_page_are_messages_of_their_own(self, store: Any) -> None:
        self.take(store, arrival())
        (page,) = self.claim(store)
        children = [arrival("11", parent=page.id), arrival("12", parent=page.id, position=1)]
        self.finish(store, page, children=children, cursor=("shop", "orders", "c1"))
        assert [m.parent for m in self.claim(store)] == [page.id, page.id]

    # Waiting

    def test_a_parked_message_holds_its_stream_under_a_case(self, store: Any) -> None:
        head, behind = self.parked(store)
        hold = store.holds([head.subject])[head.subject, "shop"]
        assert (hold.message, hold.parked) == (head.id, True)
        assert not self.claim(store)
        (case,) = self.open_case(store)
        assert (case["field"], case["waiting"], case["message"]) == ("lines[0].sku", 1, head.id)
        assert behind.subject == head.subject

    def test_edit_and_retry_releases_the_stream_in_order(self, store: Any) -> None:
        head, behind = self.parked(store)
        (case,) = self.open_case(store)
        unpark = Unpark(case=case["id"], action="edit", actor="ann", reason="typo", body=b"good")
        store.commit(Batch(unparked=[unpark], now=NOW))
        (again,) = self.claim(store)
        assert (again.id, again.body) == (head.id, b"good")
        store.commit(
            Batch(
                finished=[Finished(message=again, outcome="processed")],
                freed=[(head.subject, "shop")],
                now=NOW,
            )
        )
        assert [m.id for m in self.claim(store)] == [behind.id]
        assert not self.open_case(store)
        assert not store.holds([head.subject])

    def test_a_dropped_message_frees_those_behind_it(self, store: Any) -> None:
        _, behind = self.parked(store)
        (case,) = self.open_case(store)
        unpark = Unpark(case=case["id"], action="drop", actor="ann", reason="a test order")
        store.commit(Batch(unparked=[unpark], now=NOW))
        assert [m.id for m in self.claim(store)] == [behind.id]

    def test_a_newer_whole_version_supersedes_a_parked_one(self, store: Any) -> None:
        head, behind = self.parked(store)
        self.take(store, arrival(body=b"newer"))
        (newer,) = self.claim(store)
        store.commit(
            Batch(
                finished=[Finished(message=newer, outcome="processed")],
                superseded=[(head.subject, "shop", head.id)],
                now=NOW,
            )
        )
        assert [m.id for m in self.claim(store)] == [behind.id]
        assert not self.open_case(store)

    def test_a_retried_message_counts_its_attempts(self, store: Any) -> None:
        self.take(store, arrival())
        (message,) = self.claim(store)
        late = Delayed(
            message=message, due_at=NOW + SECOND, spent=True, holds=True, kind="retryable", text="later"
        )
        store.commit(Batch(delayed=[late], now=NOW))
        assert not self.claim(store)
        store.wake(NOW + SECOND)
        assert [m.attempt for m in self.claim(store)] == [1]

    # Schedules, erasure

    def test_a_schedule_fires_with_its_cursor(self, store: Any) -> None:
        store.schedules({"shop/orders": ("shop", "orders", 60 * SECOND)}, NOW)
        store.wake(NOW)
        (tick,) = self.claim(store)
        self.finish(store, tick, cursor=("shop", "orders", "c7"))
        store.wake(NOW + SECOND)
        assert not self.claim(store)
        store.wake(NOW + 61 * SECOND)
        (again,) = self.claim(store)
        assert again.headers["cursor"] == "c7"
        assert again.subject == tick.subject

    def test_a_feed_is_due_from_the_moment_that_it_is_configured(self, store: Any) -> None:
        """Where the hub dies before it first asks, what came meanwhile is asked for, too."""
        feed = {"shop/orders": ("shop", "orders", 60 * SECOND)}
        store.schedules(feed, NOW)
        store.schedules(feed, NOW + 5 * SECOND)
        store.wake(NOW + 6 * SECOND)
        (tick,) = self.claim(store)
        assert (tick.headers["cursor"], tick.headers[DUE_AT]) == ("", str(NOW))

    def test_a_feed_that_is_still_to_be_read_is_not_asked_for_again(self, store: Any) -> None:
        store.schedules({"shop/orders": ("shop", "orders", 60 * SECOND)}, NOW)
        store.wake(NOW)
        poll = Stage(connection="shop", operation="poll", intent="orders:1")
        self.finish(store, *self.claim(store), effects=[poll])
        for minute in range(1, 5):
            assert store.wake(NOW + minute * 60 * SECOND) == NOW + (minute + 1) * 60 * SECOND
            assert not self.claim(store)
        (effect,) = self.effects(store, "shop")
        store.settle([EffectResult(effect=effect, state="done")], NOW)
        store.wake(NOW + 300 * SECOND)
        assert len(self.claim(store)) == 1

    def test_after_erasure_nothing_personal_is_left(self, store: Any) -> None:
        (receipt,) = self.take(store, arrival(body=b"Jane Doe, 1 Elm St"))
        (message,) = self.claim(store)
        rows = [DocumentRow(subject=receipt.subject, version=1, value=b'{"total":1}', party=b"Jane Doe")]
        changes = Changes(documents=rows, processes=[process(receipt.subject)])
        self.finish(store, message, changes=changes)
        store.erase(receipt.subject, NOW)
        reads = store.reads()
        assert reads.document(receipt.subject) == (b'{"total":1}', b"")
        assert reads.raw(receipt.message, receipt.subject)["body"] == b""
        reads.close()

    def test_erasure_leaves_what_we_told_ourselves_and_no_text_of_a_failure(self, store: Any) -> None:
        head, _ = self.parked(store)
        timer = Arrival(
            source=HUB,
            kind="alarm",
            body=b'{"at":1}',
            subject=head.subject,
            lane=LANE_FREE,
            due_at=NOW + SECOND,
        )
        self.take(store, timer)
        store.erase(head.subject, NOW)
        store.wake(NOW + SECOND)
        assert [(m.kind, m.body) for m in self.claim(store)] == [("alarm", b'{"at":1}')]
        reads = store.reads()
        timeline = reads.timeline(head.subject)
        assert [attempt["text"] for attempt in timeline["attempts"]] == [""]
        assert reads.raw(head.id, head.subject)["body"] == b""
        reads.close()

    def test_a_decision_to_erase_is_carried_out_with_it(self, store: Any) -> None:
        self.take(store, arrival(body=b"Jane Doe, 1 Elm St"), arrival(body=b"Jane Doe again"))
        first, second = self.claim(store)
        rows = [DocumentRow(subject=first.subject, version=1, value=b'{"total":1}', party=b"Jane Doe")]
        case = OpenCase(
            reason="effect.refused", text="It was refused: Jane Doe is unknown. Ask the buyer.", field="name"
        )
        changes = Changes(documents=rows, processes=[process(first.subject)])
        self.finish(store, first, changes=changes, cases=[case])
        rows = [DocumentRow(subject=first.subject, version=2, value=b'{"total":2}', party=b"Jane Doe")]
        changes = Changes(documents=rows, processes=[process(first.subject, 1)])
        timer = Arrival(source=HUB, kind="alarm", body=b'{"at":1}', subject=first.subject, lane=LANE_FREE)
        told = [Event(type="person.erased")]
        self.finish(store, second, changes=changes, children=[timer], events=told, erase=True)
        (alarm,) = self.claim(store)
        assert (alarm.kind, alarm.body) == ("alarm", b'{"at":1}')
        reads = store.reads()
        assert reads.document(first.subject) == (b'{"total":2}', b"")
        assert [reads.raw(m.id, m.subject)["body"] for m in (first, second)] == [b"", b""]
        assert [event["type"] for event in reads.timeline(first.subject)["events"]] == ["person.erased"]
        reads.close()
        (row,) = self.open_case(store)
        assert (row["reason"], row["field"]) == ("effect.refused", "name")
        assert row["text"] == "What it said is forgotten with its person. Ask the buyer."

    def test_erasure_masks_the_words_of_open_and_of_closed_cases(self, store: Any) -> None:
        case = OpenCase(
            reason="mapping", text="total: 'jane@doe.example' is no number. Correct it.", field="total"
        )
        (receipt,) = self.take(store, arrival())
        self.finish(store, *self.claim(store), cases=[case])
        closed = [CloseCase(reason="mapping", resolution="the facts have changed")]
        self.take(store, arrival(body=b"2"))
        self.finish(store, *self.claim(store), closed=closed)
        self.take(store, arrival(body=b"3"))
        self.finish(store, *self.claim(store), cases=[case])
        for _ in range(2):
            store.erase(receipt.subject, NOW)
        reads = store.reads()
        rows = [
            *reads.cases(after=0, state="open", limit=10),
            *reads.cases(after=0, state="closed", limit=10),
        ]
        reads.close()
        assert [row["text"] for row in rows] == ["What it said is forgotten with its person. Correct it."] * 2

    def test_the_counters_balance(self, store: Any) -> None:
        self.parked(store)
        self.take(store, arrival("9"))
        self.finish(store, *self.claim(store))
        reads = store.reads()
        counters = {(source, name): value for source, name, value in reads.rows("counters")}
        held: Sequence[Any] = reads.rows("inbox_by_state")
        reads.close()
        assert (
            counters["shop", "accepted"] == counters["shop", "processed"] + sum(row[2] for row in held) == 3
        )
