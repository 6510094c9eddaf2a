"""What every store must do for those who look at what stands still. A test class inherits it, with a fixture `store`."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from crossdock.domain.state import Changes
from crossdock.engine.messages import HUB, CloseCase, OpenCase, Settled, Stage
from crossdock.engine.port import EffectResult, Late
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival, process

WANTED = "order.overdue"
LATER = NOW + SECOND


def stage(connection: str = "erp", operation: str = "create", **more: Any) -> Stage:
    """An effect to stage."""
    return Stage(connection=connection, operation=operation, intent="1", command=b"{}", **more)


class SweepSuite(StoreCase):
    """The port's `remind` and `late`."""

    def order(self, store: Any, ref: str, *, finished: bool = False) -> int:
        """A process that was first heard of at NOW; returns its subject."""
        subject: int = self.take(store, arrival(ref))[0].subject
        changes = Changes(processes=[process(subject, external_id=ref, finished=finished)])
        self.finish(store, *self.claim(store), changes=changes)
        return subject

    def test_what_is_unfinished_for_long_is_reminded_once_for_ever(self, store: Any) -> None:
        subjects = [self.order(store, ref) for ref in ("1", "2", "3")]
        self.order(store, "4", finished=True)
        assert store.remind(WANTED, LATER, LATER, 2) == 2
        assert store.remind(WANTED, LATER, LATER, 10) == 1
        reminders = store.claim(10, LATER).messages
        assert [m.subject for m in reminders] == subjects
        assert {(m.source, m.kind, m.body) for m in reminders} == {(HUB, WANTED, b"{}")}
        self.finish(store, *reminders)
        assert store.remind(WANTED, LATER, LATER, 10) == 0
        assert store.remind("another", LATER, LATER, 10) == 3

    def test_what_is_not_unfinished_for_long_is_left_alone(self, store: Any) -> None:
        self.order(store, "1")
        assert store.remind(WANTED, NOW, NOW, 10) == 0
        assert not self.claim(store)

    @pytest.mark.fault(29)
    def test_calls_that_wait_for_long_are_counted_by_connection_and_operation(self, store: Any) -> None:
        for ref in ("1", "2"):
            self.staged(store, stage(), stage("shop", "acknowledge"), ref=ref)
        assert store.late(NOW) == []
        assert store.late(LATER) == [
            Late(connection="erp", operation="create", count=2, oldest=NOW),
            Late(connection="shop", operation="acknowledge", count=2, oldest=NOW),
        ]

    def test_a_call_that_is_tried_again_and_again_is_late_and_one_that_is_meant_for_later_is_not(
        self, store: Any
    ) -> None:
        self.staged(store, stage())
        self.staged(store, stage(due_at=NOW + 50 * SECOND), ref="2")
        (claimed,) = self.effects(store)
        store.settle([EffectResult(effect=claimed, state="retry", due_at=NOW + 99 * SECOND)], NOW)
        assert [late.count for late in store.late(LATER)] == [1]
        assert [late.count for late in store.late(NOW + 51 * SECOND)] == [2]

    def test_a_call_that_a_person_was_asked_about_is_not_late(self, store: Any) -> None:
        subject = self.staged(store, stage())
        (claimed,) = self.effects(store)
        told = Settled(
            effect=claimed.id, connection="erp", operation="create", intent="1", outcome="refused", attempts=1
        )
        reply = arrival(source=HUB, kind="effect.settled", body=msgspec.json.encode(told), subject=subject)
        store.settle([EffectResult(effect=claimed, state="parked", reply=reply)], NOW)
        assert store.late(LATER) == []

    def test_a_case_about_late_calls_tells_a_person_also_for_a_while_after_it_was_closed(
        self, store: Any
    ) -> None:
        self.staged(store, stage())
        self.take(store, arrival("erp", source=HUB, ref_kind="connection"))
        opened = OpenCase(reason="late", about="erp create", text="one waits")
        assert self.overdue(store, NOW) == 1
        self.finish(store, *self.claim(store), cases=[opened])
        assert self.overdue(store, NOW + SECOND) == 0
        self.take(store, arrival("erp", source=HUB, ref_kind="connection", body=b"2"))
        closed = CloseCase(reason="late", about="erp create", resolution="seen")
        self.finish(store, *self.claim(store), closed=[closed])
        assert self.overdue(store, NOW) == 0
        assert self.overdue(store, NOW + SECOND) == 1

    def overdue(self, store: Any, told_since: int) -> int:
        """Calls that are late and that no person was told of since then."""
        reads = store.reads()
        try:
            ((count, _),) = reads.rows("overdue_effects", LATER, told_since)
            return int(count)
        finally:
            reads.close()
