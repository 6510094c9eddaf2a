"""A hub in memory: it keeps what decisions change, as a store would, and runs messages to the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from crossdock.domain.policy import Place, Plan, Policy, Route
from crossdock.domain.process import OrderProcess, decode_process
from crossdock.domain.state import (
    BUCKETS,
    Changes,
    Level,
    Needs,
    ProcessRow,
    Snapshot,
    Stored,
    Unseen,
    UnseenChanges,
)
from crossdock.engine.messages import (
    HUB,
    SETTLED,
    Decision,
    Message,
    OperatorAction,
    Settled,
    Stage,
    Timer,
    subject_id,
)
from crossdock.flows.desk import Again
from crossdock.flows.handler import RetailHandler
from crossdock.model import ConnectionId, LocationId, Sku, StockLevel, StockReported, as_utc
from crossdock.model.reports import Report
from tests.events.contract import require_contract

OPERATIONS = {
    "shop": frozenset({"acknowledge", "confirm_shipment", "cancel_order", "set_quantities"}),
    "market": frozenset({"acknowledge", "confirm_shipment", "cancel_order", "set_quantities"}),
    "erp": frozenset(
        {
            "create_sale",
            "create_delivery",
            "create_invoice",
            "cancel_sale",
            "amend_sale",
            "credit_refund",
            "receive_return",
            "poll",
        }
    ),
    "wms": frozenset({"release", "cancel_release"}),
}
HOUR = 3_600_000_000


def make_plan(**changes: Any) -> Plan:
    """Two warehouses, two channels, one ERP; `policy` and `routes` are changed by name."""
    policy = changes.pop("policy", Policy())
    route = Route(channel="shop", erp="erp", locations=("berlin", "madrid"))
    plan = Plan(
        routes={"shop": route, "market": Route(channel="market", erp="erp", locations=("berlin", "madrid"))},
        places={
            "berlin": Place(id="berlin", warehouse="wms", partner_code="B1"),
            "madrid": Place(id="madrid", warehouse="wms", partner_code="M1"),
        },
        policy=policy,
        offers=OPERATIONS,
    )
    return msgspec.structs.replace(plan, **changes)


class Hub:
    """Messages in, state out. Timers that are due run by themselves; effects wait to be settled."""

    def __init__(self, plan: Plan | None = None, *, now: int = 1_700_000_000_000_000) -> None:
        self.plan = plan or make_plan()
        self.handler = RetailHandler(self.plan, {})
        self.now = now
        self.orders: dict[int, Stored] = {}
        self.rows: dict[int, ProcessRow] = {}
        self.levels: dict[tuple[str, str], Level] = {}
        self.unseen: list[Unseen] = []
        self.products: dict[str, bytes] = {}
        self.seen: dict[tuple[int, str, str, str], str] = {}
        self.documents: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self.movements: list[Any] = []
        self.postings: list[Any] = []
        self.effects: dict[tuple[int, str, str, str], Stage] = {}
        self.waiting: list[tuple[int, Stage]] = []
        self.timers: list[tuple[int, int, int, Timer]] = []
        self.cases: dict[tuple[int, str, str], str] = {}
        self.fields: dict[str, str] = {}
        self.events: list[tuple[int, str, Any]] = []
        self.marks: list[tuple[str, str]] = []
        self.messages = 0
        self.set_timers = 0

    # What happens

    def tell(self, source: str, *reports: Any, subject: int = 1, kind: str = "test") -> Decision:
        """One message in a batch of its own."""
        return self.batch((source, reports, subject, kind))[0]

    def batch(self, *told: tuple[str, Sequence[Any], int, str]) -> list[Decision]:
        """Several messages in one batch; a failure raises after nothing was kept of any."""
        messages = self.messages_of(*told)
        world = self._world(messages)
        decisions = [world.handle(message, reports, self.now) for message, reports in messages]
        self.apply(world.changes())
        self.keep(messages, decisions)
        return decisions

    def messages_of(self, *told: tuple[str, Sequence[Any], int, str]) -> list[tuple[Message, Any]]:
        """What is told, as messages with their reports."""
        return [
            (self._message(source, subject, kind), tuple(reports)) for source, reports, subject, kind in told
        ]

    def keep(self, messages: Sequence[tuple[Message, Any]], decisions: Sequence[Decision]) -> None:
        """What follows from decisions whose changes are applied."""
        for (message, _), decision in zip(messages, decisions, strict=True):
            self._keep(message, decision)
        self._run_timers()

    def advance(self, microseconds: int) -> None:
        """Let time pass, timer by timer."""
        until = self.now + microseconds
        while self.timers and min(self.timers)[0] <= until:
            self.now = max(self.now, min(self.timers)[0])
            self._run_timers()
        self.now = until

    def settle(
        self, operation: str, *, outcome: str = "done", subject: int | None = None, **fields: Any
    ) -> Settled:
        """The oldest waiting effect of an operation is over."""
        at = next(
            n
            for n, (whose, stage) in enumerate(self.waiting)
            if stage.operation == operation and subject in (None, whose)
        )
        whose, stage = self.waiting.pop(at)
        settled = Settled(
            effect=1,
            connection=stage.connection,
            operation=stage.operation,
            intent=stage.intent,
            outcome=outcome,
            reference=fields.pop("reference", f"{stage.operation}-{stage.intent}"),
            **fields,
        )
        self.tell(HUB, settled, subject=whose, kind=SETTLED)
        return settled

    def settle_all(self) -> None:
        """Every waiting effect succeeds, and those that follow from it."""
        while self.waiting:
            self.settle(self.waiting[0][1].operation)

    def operator(self, action: str, subject: int = 1, **data: Any) -> Decision:
        """A person acts."""
        return self.tell(
            HUB,
            OperatorAction(action=action, actor="ann", data=data),
            subject=subject,
            kind="operator.action",
        )

    def stock(
        self, subject: int = 900, source: str = "wms", location: str = "berlin", **skus: int
    ) -> Decision:
        """The warehouse counts: SKU_1=5 is five of SKU-1, as of now."""
        levels = tuple(
            level
            for sku, count in skus.items()
            for level in self.statement(sku.replace("_", "-"), count, source, location).levels
        )
        self.now += 1
        return self.tell(source, StockReported(levels=levels), subject=subject)

    def statement(
        self, sku: str, on_hand: int, source: str = "wms", location: str = "berlin", scale: int = 0
    ) -> StockReported:
        """A statement of one level as of now."""
        from datetime import UTC, datetime

        level = StockLevel(
            sku=Sku(sku),
            location=LocationId(location),
            on_hand=on_hand,
            quantity_scale=scale,
            as_of=as_utc(datetime.fromtimestamp(self.now / 1_000_000, UTC)),
            connection=ConnectionId(source),
        )
        return StockReported(levels=(level,))

    # What is

    def process(self, subject: int = 1) -> OrderProcess:
        return decode_process(self.orders[subject].value)

    def level(self, sku: str, location: str = "berlin") -> Level:
        return self.levels.get((sku, location), Level(sku, location))

    def staged(self, subject: int = 1) -> list[str]:
        """Operations staged for an order, in order."""
        return [operation for whose, _, operation, _ in self.effects if whose == subject]

    def reasons(self, subject: int = 1) -> list[str]:
        """Reasons of the open cases of an order."""
        return sorted(reason for whose, reason, _ in self.cases if whose == subject)

    def types(self, subject: int = 1) -> list[str]:
        return [type_ for whose, type_, _ in self.events if whose == subject]

    # How a store does it

    def apply(self, changes: Changes) -> None:
        for row in changes.processes:
            held = self.orders.get(row.subject)
            assert row.expected == (held.version if held is not None else 0)
            self.orders[row.subject] = Stored(row.subject, row.expected + 1, msgspec.Raw(row.value))
            self.rows[row.subject] = row
        for document in changes.documents:
            assert (document.subject, document.version) not in self.documents
            self.documents[document.subject, document.version] = (document.value, document.party)
        for level in changes.levels:
            assert level.reserved >= 0, level
            assert level.allocated >= 0, level
            self.levels[level.sku, level.location] = level
        self.movements += changes.movements
        for posting in changes.postings:
            assert sum(amount for _, amount in posting.entries) == 0
        self.postings += changes.postings
        self.products.update(changes.products)
        if changes.unseen is not None:
            self._apply_unseen(changes.unseen)

    def _apply_unseen(self, changes: UnseenChanges) -> None:
        self.unseen += changes.raised
        for token, numbers, joined in changes.joined:
            self._unseen(
                lambda u, token=token, numbers=numbers: u.token == token and u.number in numbers, token=joined
            )
        for token, seen_at in changes.told:
            self._unseen(lambda u, token=token: u.token == token, seen_at=seen_at)
        for sku, location, until in changes.forgotten:
            gone = [
                u for u in self.unseen if (u.sku, u.location) == (sku, location) and 0 < u.seen_at <= until
            ]
            self.unseen = [u for u in self.unseen if u not in gone]

    def _unseen(self, which: Callable[[Unseen], bool], **to: Any) -> None:
        self.unseen = [
            msgspec.structs.replace(u, **to) if not u.seen_at and which(u) else u for u in self.unseen
        ]

    def levels_for(self, needs: Needs) -> dict[tuple[str, str], Level]:
        """The levels that a store would load."""
        told = {(u.sku, u.location) for u in self.unseen if not u.seen_at and u.token in needs.tokens}
        return {
            key: level
            for key, level in self.levels.items()
            if key[0] in needs.skus or key in needs.cells or key[1] in needs.places or key in told
        }

    def products_for(self, needs: Needs) -> dict[str, bytes]:
        """The products that a store would load."""
        return {sku: self.products[sku] for sku in (*needs.skus, *needs.cards) if sku in self.products}

    def unseen_for(self, needs: Needs) -> tuple[Unseen, ...]:
        """The unseen movements that a store would load."""
        return tuple(
            u
            for u in self.unseen
            if (u.sku, u.location) in needs.unseen
            or u.location in needs.places
            or (not u.seen_at and u.token in needs.tokens)
        )

    def _world(self, messages: Sequence[tuple[Message, Any]]) -> Any:
        needs: Needs = self.handler.needs(messages)
        return self.handler.world(needs, self.load(needs))

    def load(self, needs: Needs) -> Snapshot:
        """What a store would load."""
        return Snapshot(
            orders={n: self.orders[n] for n in needs.orders if n in self.orders},
            levels=self.levels_for(needs),
            unseen=self.unseen_for(needs),
            products=self.products_for(needs),
            seen={key: self.seen[key] for key in needs.seen if key in self.seen},
        )

    def _message(self, source: str, subject: int, kind: str) -> Message:
        self.messages += 1
        return Message(
            id=self.messages,
            source=source,
            kind=kind,
            subject=subject,
            lane=0,
            attempt=0,
            received_at=self.now,
            trace="",
            headers={},
            body=b"",
        )

    def _keep(self, message: Message, decision: Decision) -> None:
        subject = message.subject
        assert decision.events, "every message leaves an event"
        for event in decision.events:
            require_contract(event.type, event.data)
        for seen in decision.seen:
            assert (
                self.seen.setdefault((subject, seen.source, seen.kind, seen.version), seen.hash) == seen.hash
            )
        for stage in decision.effects:
            key = (subject, stage.connection, stage.operation, stage.intent)
            if key not in self.effects:
                self.effects[key] = stage
                self.waiting.append((subject, stage))
        for timer in decision.timers:
            self.set_timers += 1
            self.timers.append((timer.due_at, self.set_timers, subject, timer))
        for case in decision.cases:
            self.cases[subject, case.reason, case.about] = case.text
            self.fields[case.reason] = case.field
        for closed in decision.closed:
            self.cases.pop((subject, closed.reason, closed.about), None)
        self.events += [(subject, event.type, event.data) for event in decision.events]
        self.marks += [(mark.connection, mark.key) for mark in decision.marks]

    def _run_timers(self) -> None:
        while self.timers and min(self.timers)[0] <= self.now:
            due = min(self.timers)
            self.timers.remove(due)
            again = msgspec.json.decode(due[3].data, type=Again)
            self.tell(HUB, again, subject=due[2], kind=due[3].kind)


def balance_of(movements: Sequence[Any]) -> dict[tuple[str, str], list[int]]:
    """Levels as the movements alone make them."""
    sums: dict[tuple[str, str], list[int]] = {}
    for move in movements:
        cell = sums.setdefault((move.sku, move.location), [0] * len(BUCKETS))
        cell[BUCKETS.index(move.bucket)] += move.quantity
    return sums


__all__ = ["HOUR", "Hub", "Report", "balance_of", "make_plan", "subject_id"]
