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
    OpenCase,
    Stage,
)
from crossdock.engine.port import (
    Batch,
    EffectResult,
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

    def test_a_sick_connection_holds_back_no_other(self, store: Any) -> None:
        both = [Stage(connection=c, operation="o", intent="i") for c in ("erp", "shop")]
        self.staged(store, *both)
        assert [e.connection for e in self.effects(store, "shop")] == ["shop"]

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

    def test_after_a_crash_a_claimed_effect_may_have_happened(self, store: Any) -> None:
        self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        self.effects(store)
        store.recover(NOW, SECOND)
        store.wake(NOW + 60 * SECOND)
        (again,) = self.effects(store)
        assert again.unclear
        assert again.attempt == 2

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

    def refused(self, store: Any, state: Any = "parked") -> Any:
        """A refused effect, its case opened by the message that told of it."""
        subject = self.staged(store, Stage(connection="erp", operation="create_sale", intent="sale"))
        (effect,) = self.effects(store)
        reply = Arrival(source=HUB, kind=SETTLED, body=b"{}", subject=subject, lane=LANE_FREE)
        store.settle([EffectResult(effect=effect, state=state, kind="refused", text="no", reply=reply)], NOW)
        self.finish(
            store, *self.claim(store), cases=[OpenCase(reason="refused", text="no")], effect=effect.id
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
