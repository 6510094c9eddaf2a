"""Builders and steps that the conformance suites of the store port share."""

from __future__ import annotations

import random
import string
from typing import Any

from crossdock.domain.state import Changes, ProcessRow
from crossdock.engine.messages import (
    Arrival,
    Message,
    OpenCase,
    Receipt,
    Stage,
)
from crossdock.engine.port import (
    Batch,
    ClaimedEffect,
    Finished,
    Parked,
    Want,
)

NOW = 1_700_000_000_000_000
SECOND = 1_000_000


def arrival(ref: str = "1", **more: Any) -> Arrival:
    """A webhook about the shop's order `ref`."""
    given: dict[str, Any] = {
        "source": "shop",
        "kind": "order",
        "ref_kind": "order",
        "ref": ref,
        "trace": "a" * 32,
    }
    return Arrival(**(given | {"body": b'{"a": 1}'} | more))


def long_text(characters: int, seed: int) -> str:
    """A text that no database makes shorter by compressing it."""
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits + "äöüß", k=characters))


def process(subject: int, expected: int = 0, **more: Any) -> ProcessRow:
    """A row of an order's process."""
    given: dict[str, Any] = {
        "value": b'{"lines":[]}',
        "connection": "shop",
        "external_id": "1",
        "number": "#1",
        "commitment": "committed",
        "custody": "open",
        "money": "paid",
        "stage": "waiting",
        "finished": False,
        "currency": "EUR",
        "total": 100,
        "placed_at": NOW,
    }
    return ProcessRow(subject=subject, expected=expected, **(given | more))


class StoreCase:
    """What the suites do again and again."""

    def take(self, store: Any, *arrivals: Arrival) -> list[Receipt]:
        receipts: list[Receipt] = store.accept(arrivals, NOW)
        return receipts

    def claim(self, store: Any, limit: int = 100) -> list[Message]:
        messages: list[Message] = store.claim(limit, NOW).messages
        return messages

    def finish(self, store: Any, *messages: Message, changes: Changes | None = None, **more: Any) -> None:
        finished = [Finished(message=m, outcome="processed", **more) for m in messages]
        store.commit(Batch(finished=finished, changes=changes, now=NOW))

    def effects(self, store: Any, connection: str = "erp", now: int = NOW) -> list[ClaimedEffect]:
        wants = [self.want(connection, now)]
        claimed: list[ClaimedEffect] = store.claim_effects(wants, now)
        return claimed

    def want(self, connection: str, now: int = NOW) -> Want:
        return Want(connection=connection, limit=10, lease_until=now + 30 * SECOND)

    def staged(self, store: Any, *stages: Stage, ref: str = "1") -> int:
        """Stage effects of one message; returns its subject."""
        receipt = self.take(store, arrival(ref, body=ref.encode() + b"%d" % len(stages)))[0]
        self.finish(store, *self.claim(store), effects=stages)
        return receipt.subject

    def parked(self, store: Any) -> tuple[Message, Message]:
        """A parked message, and one that waits behind it."""
        self.take(store, arrival(body=b"bad"), arrival(body=b"next"))
        head, behind = self.claim(store)
        case = OpenCase(reason="mapping", text="no", field="lines[0].sku")
        store.commit(Batch(parked=[Parked(message=head, case=case)], waiting=[behind], now=NOW))
        return head, behind

    def open_case(self, store: Any) -> Any:
        with_reads = store.reads()
        cases = with_reads.cases(after=0, state="open", limit=10)
        with_reads.close()
        return cases
