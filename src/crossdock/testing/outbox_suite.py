"""The conformance suite of the store port: effects and latest values.

Subclass the suite in a test module and give it a `store` fixture that opens an empty store.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from crossdock.domain.state import Changes, DocumentRow
from crossdock.engine.messages import (
    HUB,
    LANE_FREE,
    SETTLED,
    Arrival,
    CloseCase,
    Mark,
    Message,
    OpenCase,
    Stage,
)
from crossdock.engine.port import (
    Batch,
    EffectResult,
    Finished,
    MarkResult,
    Unpark,
    Want,
)
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival


class OutboxSuite(StoreCase):
    """Effects go out once, in order, and latest values as late as can be."""

    # Effects

    def test_an_effect_is_claimed_once_with_its_document(self, store: Any) -> None:
        (receipt,) = self.take(store, arrival())
        (message,) = self.claim(store)
        rows = [DocumentRow(subject=receipt.subject, version=1, value=b'{"x":1}', party=b"Jane")]
        stage = Stage(
            connection="erp", operation="create_sale", intent="sale", document=1, command=b'{"a":1}'
        )
        self.finish(store, message, changes=Changes(documents=rows), effects=[stage])
        (effect,) = self.effects(store)
        assert (effect.value, effect.party, effect.command) == (b'{"x":1}', b"Jane", b'{"a":1}')
        assert (effect.attempt, effect.unclear) == (1, False)
        assert not self.effects(store)

    def test_the_same_effect_staged_twice_is_one(self, store: Any) -> None:
        stage = Stage(connection="erp", operation="create_sale", intent="sale")
        self.staged(store, stage)
        (effect,) = self.effects(store)
        store.settle([EffectResult(effect=effect, state="done", reference="S1")], NOW)
        self.staged(store, stage, stage)
        assert not self.effects(store)

    def test_effects_of_one_key_go_one_after_the_other(self, store: Any) -> None:
        sale = Stage(connection="erp", operation="create_sale", intent="sale")
        self.staged(store, sale, Stage(connection="erp", operation="create_delivery", intent="d1"))
        self.staged(store, Stage(connection="erp", operation="create_invoice", intent="i1"), ref="1")
        (first,) = self.effects(store)
        assert first.operation == "create_sale"
        store.settle([EffectResult(effect=first, state="done")], NOW)
        (second,) = self.effects(store)
        assert second.operation == "create_delivery"
        store.settle([EffectResult(effect=second, state="done")], NOW)
        assert [e.operation for e in self.effects(store)] == ["create_invoice"]

    @pytest.mark.parametrize("later", [-SECOND, 0, SECOND])
    def test_what_an_older_message_stages_later_goes_later(self, store: Any, later: int) -> None:
        """A message that was parked and is retried has led to its call now, whatever its number, and whatever the clock does."""
        old, new = self.two(store)
        sale = Stage(connection="erp", operation="create_sale", intent="sale")
        invoice = Stage(connection="erp", operation="create_invoice", intent="i1")
        self.finish(store, new, effects=[sale, invoice])
        delivery = Stage(connection="erp", operation="create_delivery", intent="d2")
        finished = Finished(message=old, outcome="processed", effects=[delivery])
        store.commit(Batch(finished=[finished], now=NOW + later))
        assert self.one_by_one(store) == ["create_sale", "create_invoice", "create_delivery"]

    def test_what_a_case_held_goes_in_the_order_staged(self, store: Any) -> None:
        old, new = self.two(store)
        held = [Stage(connection="erp", operation=f"o{n}", intent="i", held_by_case=True) for n in range(2)]
        opened = OpenCase(reason="doubtful", text="look")
        self.finish(store, new, effects=held[:1], cases=[opened])
        self.finish(store, old, effects=held[1:])
        assert not self.effects(store)
        self.take(store, arrival(body=b"3"))
        self.finish(store, *self.claim(store), closed=[CloseCase(reason="doubtful", resolution="fine")])
        assert self.one_by_one(store) == ["o0", "o1"]

    def two(self, store: Any) -> list[Message]:
        """Messages of two sources about one order, the older one first."""
        (receipt,) = self.take(store, arrival())
        self.take(store, Arrival(source="wms", kind="shipment", body=b"{}", subject=receipt.subject))
        return sorted(self.claim(store), key=lambda message: message.id)

    def one_by_one(self, store: Any) -> list[str]:
        """What the ERP is called for, each after the one before."""
        called: list[str] = []
        while found := self.effects(store):
            (effect,) = found
            called.append(effect.operation)
            store.settle([EffectResult(effect=effect, state="done")], NOW)
        return called

    def test_a_sick_connection_holds_back_no_other(self, store: Any) -> None:
        both = [Stage(connection=c, operation="o", intent="i") for c in ("erp", "shop")]
        self.staged(store, *both)
        assert [e.connection for e in self.effects(store, "shop")] == ["shop"]

    def test_of_a_connection_that_is_only_read_one_operation_is_claimed(self, store: Any) -> None:
        self.staged(store, Stage(connection="shop", operation="acknowledge", intent="a"))
        self.staged(store, Stage(connection="shop", operation="poll", intent="orders:1"), ref="2")
        reading = Want(connection="shop", limit=10, lease_until=NOW + 30 * SECOND, only="poll")
        assert [effect.operation for effect in store.claim_effects([reading], NOW)] == ["poll"]
        assert store.claim_effects([reading], NOW) == []
        assert [effect.operation for effect in self.effects(store, "shop")] == ["acknowledge"]

    def test_a_reply_comes_in_with_the_settlement(self, store: Any) -> None:
        subject = self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        (effect,) = self.effects(store)
        reply = Arrival(source=HUB, kind=SETTLED, body=b"{}", subject=subject, lane=LANE_FREE)
        store.settle([EffectResult(effect=effect, state="done", reply=reply)], NOW)
        assert [(m.kind, m.subject) for m in self.claim(store)] == [(SETTLED, subject)]

    def test_a_retried_effect_keeps_what_is_unclear(self, store: Any) -> None:
        self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        (effect,) = self.effects(store)
        later = EffectResult(
            effect=effect, state="retry", due_at=NOW + SECOND, unclear=True, kind="unclear", text="t"
        )
        store.settle([later], NOW)
        assert not self.effects(store)
        store.wake(NOW + SECOND)
        (again,) = self.effects(store)
        assert (again.attempt, again.unclear) == (2, True)

    def test_an_attempt_that_was_not_spent_does_not_count(self, store: Any) -> None:
        self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        (effect,) = self.effects(store)
        store.settle([EffectResult(effect=effect, state="retry", due_at=NOW, spent=False)], NOW)
        store.wake(NOW)
        assert [e.attempt for e in self.effects(store)] == [1]

    def test_an_effect_comes_with_the_trace_of_the_first_message_about_its_order(self, store: Any) -> None:
        trace = f"{'b' * 32}-00 vendor=\"1\",b='2'\\"
        self.take(store, arrival(trace=trace), arrival(body=b"2", trace="c" * 32))
        stage = Stage(connection="erp", operation="create_sale", intent="sale")
        first, *_ = messages = self.claim(store)
        assert [message.trace for message in messages] == [trace] * len(messages)
        self.finish(store, first, effects=[stage])
        assert [effect.trace for effect in self.effects(store)] == [trace]

    def test_after_a_crash_a_claimed_effect_may_have_happened(self, store: Any) -> None:
        self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        self.effects(store)
        store.recover(NOW, SECOND)
        store.wake(NOW)
        assert not self.effects(store), "whoever was at it may still be at it"
        store.wake(NOW + 60 * SECOND)
        (again,) = self.effects(store)
        assert again.unclear
        assert again.attempt == 2

    def test_after_a_crash_what_the_partner_knows_by_its_key_is_repeated_at_once(self, store: Any) -> None:
        self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        self.effects(store)
        store.recover(NOW, SECOND, ["erp create_sale"])
        (again,) = self.effects(store)
        assert again.unclear

    def test_an_open_case_does_not_hold_what_may_have_happened(self, store: Any) -> None:
        stage = Stage(connection="wms", operation="release", intent="r1", held_by_case=True)
        self.staged(store, stage)
        (effect,) = self.effects(store, "wms")
        store.settle([EffectResult(effect=effect, state="retry", due_at=NOW, unclear=True)], NOW)
        self.take(store, arrival(body=b"2"))
        self.finish(store, *self.claim(store), cases=[OpenCase(reason="price", text="dear")])
        store.wake(NOW)
        assert [e.unclear for e in self.effects(store, "wms")] == [True]

    def test_an_open_case_holds_back_what_asks_for_it(self, store: Any) -> None:
        self.take(store, arrival())
        release = Stage(connection="wms", operation="release", intent="r1", held_by_case=True)
        sale = Stage(connection="erp", operation="create_sale", intent="sale", held_by_case=False)
        case = OpenCase(reason="price", about="line 1", text="dear")
        self.finish(store, *self.claim(store), effects=[release, sale], cases=[case])
        assert not self.effects(store, "wms")
        assert len(self.effects(store, "erp")) == 1
        self.take(store, arrival(body=b"2"))
        closed = CloseCase(reason="price", about="line 1", resolution="approved")
        self.finish(store, *self.claim(store), closed=[closed])
        assert [e.operation for e in self.effects(store, "wms")] == ["release"]

    def test_effects_that_a_case_held_and_one_of_an_older_message_do_not_wait_for_each_other(
        self, store: Any
    ) -> None:
        older = self.take(store, arrival(body=b"1"), arrival(body=b"2"))[0].message
        first, second = self.claim(store)
        assert first.id == older
        release = Stage(connection="wms", operation="release", intent="r1", held_by_case=True)
        self.finish(store, second, effects=[release])
        self.finish(store, first, effects=[Stage(connection="wms", operation="cancel_release", intent="c1")])
        self.take(store, arrival(body=b"3"))
        self.finish(store, *self.claim(store), cases=[OpenCase(reason="price", about="line 1", text="dear")])
        assert not self.effects(store, "wms")
        self.take(store, arrival(body=b"4"))
        closed = CloseCase(reason="price", about="line 1", resolution="approved")
        self.finish(store, *self.claim(store), closed=[closed])
        (one,) = self.effects(store, "wms")
        store.settle([EffectResult(effect=one, state="done")], NOW)
        (other,) = self.effects(store, "wms")
        assert {one.operation, other.operation} == {"release", "cancel_release"}

    def test_an_effect_given_back_unbegun_is_held_by_the_case_that_opened_meanwhile(self, store: Any) -> None:
        self.staged(store, Stage(connection="wms", operation="release", intent="r1", held_by_case=True))
        (effect,) = self.effects(store, "wms")
        self.take(store, arrival(body=b"2"))
        self.finish(store, *self.claim(store), cases=[OpenCase(reason="price", about="line 1", text="dear")])
        store.settle([EffectResult(effect=effect, state="released", spent=False)], NOW)
        assert not self.effects(store, "wms")

    def test_an_effect_retried_by_hand_still_waits_for_another_case_of_its_order(self, store: Any) -> None:
        release = Stage(connection="wms", operation="release", intent="r1", held_by_case=True)
        subject = self.staged(store, release)
        (effect,) = self.effects(store, "wms")
        reply = Arrival(source=HUB, kind=SETTLED, body=b"{}", subject=subject, lane=LANE_FREE)
        store.settle([EffectResult(effect=effect, state="parked", text="no", reply=reply)], NOW)
        refused = OpenCase(reason="refused", text="no", effect=effect.id)
        self.finish(store, *self.claim(store), cases=[refused])
        (case,) = self.open_case(store)
        self.take(store, arrival(body=b"2"))
        self.finish(store, *self.claim(store), cases=[OpenCase(reason="price", about="line 1", text="dear")])
        retry = Unpark(case=case["id"], action="retry", actor="a", reason="r")
        store.commit(Batch(unparked=[retry], now=NOW))
        assert not self.effects(store, "wms")
        self.take(store, arrival(body=b"3"))
        closed = CloseCase(reason="price", about="line 1", resolution="approved")
        self.finish(store, *self.claim(store), closed=[closed])
        assert len(self.effects(store, "wms")) == 1

    def refused(self, store: Any, state: Any = "parked") -> Any:
        """A refused effect, its case opened by the message that told of it."""
        subject = self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        (effect,) = self.effects(store)
        reply = Arrival(source=HUB, kind=SETTLED, body=b"{}", subject=subject, lane=LANE_FREE)
        store.settle([EffectResult(effect=effect, state=state, kind="refused", text="no", reply=reply)], NOW)
        self.finish(
            store, *self.claim(store), cases=[OpenCase(reason="refused", text="no", effect=effect.id)]
        )
        return effect

    @pytest.mark.parametrize("state", ["parked", "in_doubt"])
    def test_an_operator_sends_a_parked_effect_again(self, store: Any, state: str) -> None:
        self.refused(store, state)
        assert not self.effects(store)
        (case,) = self.open_case(store)
        store.commit(
            Batch(unparked=[Unpark(case=case["id"], action="retry", actor="a", reason="r")], now=NOW)
        )
        (again,) = self.effects(store)
        assert not again.unclear
        assert not self.open_case(store)

    def test_an_operator_says_that_it_did_happen(self, store: Any) -> None:
        effect = self.refused(store, "in_doubt")
        (case,) = self.open_case(store)
        done = Unpark(case=case["id"], action="done", actor="a", reason="seen there", reference="S9")
        store.commit(Batch(unparked=[done], now=NOW))
        (message,) = self.claim(store)
        told = msgspec.json.decode(message.body)
        assert (told["effect"], told["outcome"], told["reference"]) == (effect.id, "done", "S9")

    # Latest

    def test_marks_of_one_key_are_one_call_and_a_later_mark_is_another(self, store: Any) -> None:
        mark = Mark(connection="shop", operation="set_quantities", key="sku")
        self.take(store, arrival())
        self.finish(store, *self.claim(store), marks=[mark, mark])
        wants = [Want(connection="shop", limit=10, lease_until=NOW + SECOND)]
        (claimed,) = store.claim_marks(wants, NOW)
        self.take(store, arrival(body=b"2"))
        self.finish(store, *self.claim(store), marks=[mark])
        assert not store.claim_marks(wants, NOW)
        store.settle_marks([MarkResult(mark=claimed, sent="5")], NOW)
        (again,) = store.claim_marks(wants, NOW)
        assert again.sent == "5"
        store.settle_marks([MarkResult(mark=again, sent="4")], NOW)
        assert not store.claim_marks(wants, NOW)

    def test_a_change_while_a_slow_call_outlives_its_lease_is_sent_too(self, store: Any) -> None:
        self.take(store, arrival(), arrival(body=b"2"))
        first, second = self.claim(store)
        mark = Mark(connection="shop", operation="set_quantities", key="sku")
        self.finish(store, first, marks=[mark])
        wants = [Want(connection="shop", limit=10, lease_until=NOW + SECOND)]
        (slow,) = store.claim_marks(wants, NOW)
        store.wake(NOW + SECOND)
        self.finish(store, second, marks=[mark])
        store.settle_marks([MarkResult(mark=slow, sent="5")], NOW + 2 * SECOND)
        (again,) = store.claim_marks(wants, NOW + 2 * SECOND)
        assert again.sent == "5"

    def test_values_are_sent_in_the_order_marked_so_that_none_waits_for_ever(self, store: Any) -> None:
        for n, key in enumerate(("z", "a", "m")):
            self.take(store, arrival(str(n)))
            mark = Mark(connection="shop", operation="set_quantities", key=key)
            finished = [Finished(message=m, outcome="processed", marks=[mark]) for m in self.claim(store)]
            store.commit(Batch(finished=finished, now=NOW + n))
        claimed = store.claim_marks([Want(connection="shop", limit=2, lease_until=NOW + SECOND)], NOW + 3)
        assert sorted(mark.key for mark in claimed) == ["a", "z"]

    def test_a_mark_that_failed_is_due_again(self, store: Any) -> None:
        self.take(store, arrival())
        mark = Mark(connection="shop", operation="set_quantities", key="sku")
        self.finish(store, *self.claim(store), marks=[mark])
        wants = [Want(connection="shop", limit=10, lease_until=NOW + SECOND)]
        (claimed,) = store.claim_marks(wants, NOW)
        store.settle_marks([MarkResult(mark=claimed, sent=None, due_at=NOW + SECOND)], NOW)
        assert not store.claim_marks(wants, NOW)
        store.wake(NOW + SECOND)
        assert len(store.claim_marks(wants, NOW)) == 1

    def test_a_value_that_may_have_arrived_is_sent_again_though_it_is_what_it_was(self, store: Any) -> None:
        self.take(store, arrival())
        mark = Mark(connection="shop", operation="set_quantities", key="sku")
        self.finish(store, *self.claim(store), marks=[mark])
        wants = [Want(connection="shop", limit=10, lease_until=NOW + SECOND)]
        (first,) = store.claim_marks(wants, NOW)
        store.settle_marks([MarkResult(mark=first, sent="5")], NOW)
        self.take(store, arrival(body=b"2"))
        self.finish(store, *self.claim(store), marks=[mark])
        (unclear,) = store.claim_marks(wants, NOW)
        assert unclear.sent == "5"
        store.settle_marks([MarkResult(mark=unclear, sent=None, due_at=NOW)], NOW)
        store.wake(NOW)
        (again,) = store.claim_marks(wants, NOW)
        assert not again.sent
        store.recover(NOW, SECOND)
        (after_crash,) = store.claim_marks(wants, NOW)
        assert not after_crash.sent
