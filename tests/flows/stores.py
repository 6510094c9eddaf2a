"""A hub with stores: the hub in memory, with the rows that tickets leave, and tickets as the till contract has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from crossdock.connectors.till import TillConnector
from crossdock.domain.policy import Place, Plan, Policy, Route
from crossdock.domain.state import Changes, Needs, Run, Snapshot, TicketRow
from crossdock.domain.store_day import DayState
from crossdock.engine.messages import Arrival, Decision, Message
from crossdock.flows.handler import RetailHandler
from crossdock.sdk.spec import Translation
from tests.flows.hub import OPERATIONS, Hub

TILLS = TillConnector({"webhook_secret": "s"})
NOON = int(datetime(2026, 3, 28, 11, tzinfo=UTC).timestamp()) * 1_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = "2026-03-28"


def store_plan(*, post: str = "day", **changes: Any) -> Plan:
    """Two stores, one connection of tills, a shop that sells what the stores hold, one ERP."""
    policy = changes.pop("policy", Policy(day_settle_s=0))
    plan = Plan(
        routes={
            "pos": Route(channel="pos", erp="erp", post=post),  # type: ignore[arg-type]
            "shop": Route(channel="shop", erp="erp", locations=("berlin",)),
        },
        places={
            "berlin": Place(id="berlin", zone="Europe/Berlin"),
            "lisbon": Place(id="lisbon", zone="Europe/Lisbon", partner_code="214"),
        },
        policy=policy,
        offers={
            "pos": frozenset(),
            "shop": OPERATIONS["shop"],
            "erp": OPERATIONS["erp"] | {"post_day", "create_credit"},
        },
    )
    return msgspec.structs.replace(plan, **changes)


class StoreHub(Hub):
    """Messages of tills in, days out. A ticket is posted as its store writes it."""

    def __init__(self, plan: Plan | None = None) -> None:
        super().__init__(plan or store_plan(), now=NOON)
        self.handler = RetailHandler(self.plan, {"pos": TILLS})
        self.rows: dict[Any, Any] = {}
        self.tickets: dict[tuple[str, str, str, str, int], TicketRow] = {}
        self.pulses: dict[tuple[str, str], int] = {}
        self.subjects: dict[tuple[str, str, str], int] = {}
        self.deliveries: set[tuple[int, str]] = set()
        self.later: list[tuple[int, int, Arrival]] = []

    # What stores post

    def post(self, kind: str, body: dict[str, Any]) -> Decision:
        """Take one delivery, through the gate and to the end."""
        raw = msgspec.json.encode(body)
        gate = TILLS.gate({"x-crossdock-event": kind}, raw)
        return self.arrive(kind, raw, gate.ref_kind, gate.ref)

    def arrive(self, kind: str, raw: bytes, ref_kind: str, ref: str) -> Decision:
        subject = self.subject(ref_kind, ref)
        reports = TILLS.translate(kind, {}, raw, Translation(connection="pos", subject=""))
        return self.tell("pos", *reports, subject=subject, kind=kind)

    def upload(self, *tickets: dict[str, Any], control: dict[str, Any] | None = None) -> None:
        """Take a whole upload, piece by piece."""
        body: dict[str, Any] = {"upload": "U1", "tickets": list(tickets)}
        self._split(msgspec.json.encode(body | ({"control": control} if control else {})))

    def subject(self, ref_kind: str, ref: str) -> int:
        return self.subjects.setdefault(("pos", ref_kind, ref), 1000 + len(self.subjects))

    # What is

    def clock(self) -> str:
        """Now, as stores write it."""
        return datetime.fromtimestamp(self.now / SECOND, UTC).isoformat()

    def day(self, store: str = "berlin", date: str = DAY) -> DayState:
        found = self.process(self.day_subject(store, date)).day
        assert found is not None
        return found

    def day_subject(self, store: str = "berlin", date: str = DAY) -> int:
        return self.subjects["pos", "store_day", f"{store}/{date}"]

    def day_cases(self, store: str = "berlin", date: str = DAY) -> dict[str, str]:
        subject = self.day_subject(store, date)
        return {f"{reason}|{about}": text for (s, reason, about), text in self.cases.items() if s == subject}

    def commands(self, operation: str) -> list[Any]:
        """Commands staged for the ERP, in order."""
        found = [stage for key, stage in self.effects.items() if key[2] == operation]
        return [msgspec.json.decode(stage.command) for stage in found]

    def balances(self) -> dict[str, int]:
        """The journal's accounts."""
        sums: dict[str, int] = {}
        for posting in self.postings:
            for account, amount in posting.entries:
                sums[account] = sums.get(account, 0) + amount
        return {account: amount for account, amount in sorted(sums.items()) if amount}

    # How a store does it

    def apply(self, changes: Changes) -> None:
        super().apply(changes)
        for row in changes.tickets:
            self.tickets.setdefault((*row.key, row.till, row.sequence), row)
        for connection, store, at in changes.pulses:
            self.pulses[connection, store] = max(at, self.pulses.get((connection, store), 0))

    def _world(self, messages: Sequence[tuple[Message, Any]]) -> Any:
        needs: Needs = self.handler.needs(messages)
        stages = {(row.connection, row.external_id): row.stage for row in self.rows.values()}
        snapshot = Snapshot(
            orders={n: self.orders[n] for n in needs.orders if n in self.orders},
            levels=self.levels_for(needs),
            unseen=self.unseen_for(needs),
            products=self.products_for(needs),
            seen={key: self.seen[key] for key in needs.seen if key in self.seen},
            days={key: stages[key] for key in needs.days if key in stages},
            tickets={
                key: tuple(row for row in self.tickets.values() if row.key == key) for key in needs.tickets
            },
            runs={key: self._runs(*key) for key in needs.runs},
            firsts={key: first for key in needs.firsts if (first := self._first(*key)) is not None},
            pulses={key: at for key, at in self.pulses.items() if key[0] in needs.pulses},
        )
        return self.handler.world(needs, snapshot)

    def _runs(self, connection: str, store: str, day: str) -> tuple[Run, ...]:
        rows = [r for r in self.tickets.values() if r.key[:2] == (connection, store) and r.day < day]
        days = sorted({row.day for row in rows})[-3:]
        tills: dict[tuple[str, str], list[int]] = {(row.day, row.till): [] for row in rows if row.day in days}
        for row in rows:
            tills.get((row.day, row.till), []).append(row.sequence)
        return tuple(Run(*key, min(numbers), max(numbers)) for key, numbers in tills.items())

    def _first(self, connection: str, store: str, till: str) -> int | None:
        rows = [r for r in self.tickets.values() if (*r.key[:2], r.till) == (connection, store, till)]
        return min(((row.day, row.sequence) for row in rows), default=("", None))[1]

    def _keep(self, message: Message, decision: Decision) -> None:
        super()._keep(message, decision)
        for child in decision.children:
            subject = self.subject(child.ref_kind, child.ref)
            if (subject, child.delivery_id) not in self.deliveries:
                self.deliveries.add((subject, child.delivery_id))
                self.later.append((child.due_at, len(self.deliveries), child))

    def _run_timers(self) -> None:
        super()._run_timers()
        while self.later and min(self.later)[0] <= self.now:
            due = min(self.later, key=lambda entry: entry[:2])
            self.later.remove(due)
            child = due[2]
            message = self._message(child.source, self.subject(child.ref_kind, child.ref), child.kind)
            reports = self.handler.translate(msgspec.structs.replace(message, body=child.body))
            self.tell(child.source, *reports, subject=message.subject, kind=child.kind)

    def advance(self, microseconds: int) -> None:
        until = self.now + microseconds
        while True:
            due = [at for at, *_ in (*self.timers, *self.later) if at <= until]
            if not due:
                break
            self.now = max(self.now, min(due))
            self._run_timers()
        self.now = until

    def _split(self, raw: bytes) -> None:
        for child in TILLS.split("tickets", raw) or ():
            if child.kind == "tickets":
                self._split(child.body)
            else:
                self.arrive(child.kind, child.body, child.ref_kind or "none", child.ref or str(self.messages))


def line(
    sku: str = "SKU-1", quantity: int = 1, price: int = 1000, tax: int | None = None, **more: Any
) -> dict[str, Any]:
    """So many at a price with 19 % in it; the tax is rounded down, towards zero."""
    gross = quantity * price
    tax = int(gross * 19 / 119) if tax is None else tax
    return (
        {"sku": sku, "quantity": quantity, "gross": gross, "tax": tax, "category": "bags"}
        | ({"taxes": [{"rate": "0.19", "name": "VAT", "amount": tax}]} if tax else {})
        | more
    )


def ticket(sequence: int, *lines: dict[str, Any], till: str = "T1", **more: Any) -> dict[str, Any]:
    """A ticket that is paid in cash, unless its tenders are given."""
    lines = lines or (line(),)
    total = sum(each["gross"] for each in lines) + more.get("tip", 0) + more.get("rounding", 0)
    total += sum(charge["gross"] for charge in more.get("charges", ()))
    given = {
        "store": "berlin",
        "till": till,
        "sequence": sequence,
        "at": "2026-03-28T12:00:00+01:00",
        "currency": "EUR",
        "lines": list(lines),
        "total": total,
        "tenders": [{"kind": "cash", "amount": total}],
    }
    return given | more


def void(sequence: int, **more: Any) -> dict[str, Any]:
    """A number that was used for nothing."""
    return ticket(sequence, kind="void", total=0, **more) | {"lines": [], "tenders": []}


def z_report(*tills: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The close of a day."""
    return {
        "store": "berlin",
        "business_date": DAY,
        "at": "2026-03-28T20:00:00+01:00",
        "currency": "EUR",
        "tills": list(tills),
    } | more


def z_till(till: str = "T1", first: int = 1, last: int = 1, **tenders: int) -> dict[str, Any]:
    """One till's part of it: all its numbers, and what it took by tender."""
    return {
        "till": till,
        "first": first,
        "last": last,
        "tickets": last - first + 1,
        "tenders": [{"kind": kind, "expected": amount} for kind, amount in tenders.items()],
    }


def sell_in_lisbon(hub: StoreHub, minutes: int) -> None:
    """Lisbon sells every ten minutes, so long; Berlin sends nothing."""
    for _ in range(minutes // 10):
        hub.advance(10 * MINUTE)
        hub.post("ticket", ticket(hub.now // MINUTE, store="214"))
