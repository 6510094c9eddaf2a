"""A hub of stores and an ERP over the embedded store: the real pipeline, dispatcher and connectors, a clock of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from crossdock.connectors.erp import build as build_erp
from crossdock.domain.policy import Plan
from crossdock.domain.process import decode_process
from crossdock.domain.state import Level
from crossdock.domain.store_day import DayState
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.lanes import Lane
from crossdock.engine.messages import HUB, LANE_FREE, OPERATOR, TICK, UNREADABLE, Arrival, OperatorAction
from crossdock.engine.performing import Performer
from crossdock.engine.pipeline import Pipeline
from crossdock.errors import MappingError, UnclearError
from crossdock.flows.documents import command_for
from crossdock.flows.handler import RetailHandler
from crossdock.flows.polling import Tick
from crossdock.sdk.calls import Request, Response
from crossdock.simulator.base import SimRequest
from crossdock.simulator.erp import ErpSimulator
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.flows.stores import NOON, SECOND, TILLS, store_plan

KEY = b"k" * 32
TURNS_MAX = 10_000


class ErpWire:
    """The simulated ERP as a transport; `lost` replies are lost after it has acted."""

    def __init__(self, settings: dict[str, Any], headers: Any) -> None:
        self.simulator = ErpSimulator({"token": "t", **settings}, 1)
        self.headers, self.now, self.lost = headers, NOON, 0

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        asked = SimRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers={**self.headers, **request.headers},
            body=request.body,
        )
        reply = self.simulator.handle(asked, self.now)
        if self.lost and request.method == "POST":
            self.lost -= 1
            raise UnclearError("the reply was lost")
        return Response(status=reply.status, headers=reply.headers, body=reply.body)


class Rig:
    """Deliveries in, documents out. Nothing runs until `run`."""

    def __init__(self, folder: Path, plan: Plan | None = None, **erp: Any) -> None:
        self.plan = plan or store_plan()
        self.now = NOON
        self.store = open_store(folder / "crossdock.db", Vault(KEY))
        connector = build_erp({"url": "http://erp", "token": "t"})
        self.erp = ErpWire(erp, connector.request_headers())
        self.handler = RetailHandler(self.plan, {"pos": TILLS, "erp": connector})
        self.pipeline = Pipeline(self.store, self.handler)
        performer = Performer(
            {"erp": connector},
            lambda e: command_for(e.operation, e.command, e.value, e.party),
            clock=lambda: self.now,
            jitter=lambda: 0.5,
        )
        lane = Lane(name="erp", connector=connector, transport=self.erp)
        self.dispatcher = Dispatcher(self.store, {"erp": lane}, performer, jitter=lambda: 0.5)

    def close(self) -> None:
        self.store.close()

    def post(self, kind: str, body: Any, *, delivery: str = "") -> None:
        """A store posts: accepted, not handled."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = {"x-crossdock-event": kind, "x-crossdock-delivery": delivery}
        try:
            gate = TILLS.gate(headers, raw)
        except MappingError:
            arrival = Arrival(source="pos", kind=UNREADABLE, body=raw, headers=headers)
        else:
            arrival = Arrival(
                source="pos",
                kind=gate.kind,
                body=raw,
                ref_kind=gate.ref_kind,
                ref=gate.ref,
                delivery_id=gate.delivery_id,
                trace="a" * 32,
            )
        self.store.accept([arrival], self.now)

    def run(self, seconds: float = 0) -> None:
        """Everything that is due by then, in its time."""
        until = self.now + int(seconds * SECOND)
        for _ in range(TURNS_MAX):
            while self.pipeline.step(self.now) or self.dispatcher.step(self.now):
                pass
            due = self.store.wake(self.now)
            if self.pipeline.step(self.now):
                continue
            if due is None or due > until:
                break
            self.now = self.erp.now = max(self.now, due)
            self.store.wake(self.now)
        self.now = self.erp.now = until

    def read_stock(self) -> None:
        """Poll the ERP's levels to the end."""
        tick = msgspec.json.encode(Tick(connection="erp", feed="stock"))
        self.store.accept([Arrival(source=HUB, kind=TICK, body=tick, lane=LANE_FREE)], self.now)
        self.run()

    def operator(self, action: str, subject: int, **data: Any) -> None:
        told = OperatorAction(action=action, actor="ann", reason="looked", data=data)
        arrival = Arrival(
            source=HUB, kind=OPERATOR, body=msgspec.json.encode(told), subject=subject, lane=LANE_FREE
        )
        self.store.accept([arrival], self.now)

    # What is

    def ask(self, sql: str, *bindings: Any) -> list[tuple[Any, ...]]:
        return self.store._db.connection.execute(sql, bindings).fetchall()

    def day(self, store: str = "berlin", date: str = "2026-03-28") -> DayState:
        row = self.ask(
            "select p.value from process p join reference r on r.subject = p.subject "
            "where r.connection = 'pos' and r.kind = 'store_day' and r.ref = ?",
            f"{store}/{date}",
        )
        found = decode_process(row[0][0].encode()).day
        assert found is not None
        return found

    def levels(self) -> dict[tuple[str, str], Level]:
        rows = self.ask("select sku, location, on_hand, reserved, allocated, 0, quarantined from level")
        return {(row[0], row[1]): Level(*row) for row in rows}

    def cases(self) -> list[tuple[str, str]]:
        return [
            (r, a)
            for r, a in self.ask("select reason, about from case_file where closed_at = 0 order by 1, 2")
        ]

    def documents(self, kind: str) -> list[Any]:
        return self.erp.simulator.books.documents[kind]

    def balance(self) -> dict[str, int]:
        """The journal, account by account; it adds up to zero."""
        sums: dict[str, int] = {}
        for (entries,) in self.ask("select entries from posting"):
            for account, amount in msgspec.json.decode(entries):
                sums[account] = sums.get(account, 0) + amount
        assert sum(sums.values()) == 0
        return {account: amount for account, amount in sorted(sums.items()) if amount}

    def counters(self) -> dict[str, int]:
        """What came from the tills and what became of it."""
        return dict(self.ask("select name, value from counter where source = 'pos'"))
