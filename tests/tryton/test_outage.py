"""Tryton dies under load and is gone for minutes: the shop and the warehouse never feel it, and then it is told of everything
in order, once."""

import threading
from collections import Counter
from typing import Any

import msgspec
import pytest

from crossdock.sdk.calls import Request, Response
from crossdock.simulator.base import SECOND
from tests.tryton.hub import ROUNDS_MAX, ErpWire, Hub
from tests.tryton.test_spine import SKUS, audited

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.fault(19)]

ORDERS = 18
GONE_S, PROMPT_S, CALM_S = 150, 1, 600
"""By the hub's clock: how long Tryton is gone, how soon the shop and the warehouse are told, how long it may drain."""


class Dying(ErpWire):
    """The way to a Tryton that is killed while it works on its `dies_at`th change."""

    def __init__(self, erp: Any, dies_at: int) -> None:
        super().__init__(erp, 0)
        self.dies_at = dies_at

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        if self.changes != self.dies_at:
            return super().send(request, timeout_s, traceparent, tracestate)
        self.dies_at = -1
        death = threading.Timer(0.01, self.erp.server.kill)
        death.start()
        try:
            return super().send(request, timeout_s, traceparent, tracestate)
        finally:
            death.join()


class Busy(Hub):
    """A hub whose shop goes on selling in its own time."""

    def play(self, until: int) -> None:
        """Everything that happens by then, in its time, also what a lane does by the passing of time alone."""
        for _ in range(ROUNDS_MAX):
            while self.pipeline.step(self.now) or self.dispatcher.step(self.now):
                pass
            events = [("shop", event) for event in self.shop.due_events(self.now)]
            events += [("wms", event) for event in self.wms.due_events(self.now)]
            for source, event in events:
                self.post(source, event)
            if events:
                continue
            times = (
                self.store.wake(self.now),
                self.shop.next_due(),
                self.wms.next_due(),
                self.dispatcher.next_at(self.now),
            )
            if self.pipeline.step(self.now):
                continue
            due = min((at for at in times if at is not None), default=until)
            if due >= until:
                self.now = until
                self.store.wake(self.now)
                return
            self.now = max(self.now + 1, due)
            self.store.wake(self.now)
        raise AssertionError("it does not come to an end")

    def took(self, connection: str, operation: str) -> dict[int, float]:
        """By order: seconds from its arrival until this was done."""
        rows = self.ask(
            "select e.subject, e.done_at - min(m.received_at) from effect e join message m on m.subject = e.subject "
            f"where e.connection = '{connection}' and e.operation = '{operation}' and e.outcome = 'done' "
            "and m.source = 'shop' group by e.subject, e.intent"
        )
        return {subject: waited / SECOND for subject, waited in rows}

    def open_effects(self, connection: str) -> int:
        (row,) = self.ask(f"select count(*) from outbox where connection = '{connection}'")
        return int(row[0])


def test_tryton_dies_under_load_and_nobody_else_waits_and_the_backlog_is_told_once_in_order(fresh, tmp_path):
    hub = Busy(tmp_path, fresh, skus=SKUS, orders=ORDERS, rate=0.1)
    try:
        hub.read_stock()
        opening = fresh.read.levels("WH")
        wire = hub.dispatcher.lanes["erp"].transport = Dying(fresh, dies_at=12)
        while wire.dies_at >= 0:
            hub.play(hub.now + SECOND)
        before = set(hub.took("erp", "create_sale"))
        assert 0 < len(before) < ORDERS // 2
        hub.play(hub.now + GONE_S * SECOND)
        while_gone = set(hub.took("shop", "acknowledge")) - before
        assert len(while_gone) > ORDERS // 3
        assert set(hub.took("erp", "create_sale")) == before
        assert set(hub.took("wms", "release")) >= while_gone
        assert hub.dispatcher.lanes["erp"].breaker.tripped
        assert hub.open_effects("erp") >= len(while_gone)
        assert (hub.open_effects("shop"), hub.open_effects("wms")) == (0, 0)

        fresh.server.start()
        while hub.shop.next_due() is not None:
            hub.play(hub.now + 10 * SECOND)
        hub.play(hub.now + CALM_S * SECOND)
        assert hub.open_effects("erp") == 0, hub.ask("select reason, about, text from case_file")
        assert hub.ask("select reason, about, text from case_file where closed_at = 0") == []
        nobody_else_waited(hub)
        assert max(hub.took("erp", "create_sale").values()) > GONE_S / 2, (
            "what Tryton itself was told was late"
        )
        told_in_order(hub, fresh)
        subjects = dict(hub.ask("select ref, subject from reference where kind = 'number'"))
        left: Counter[str] = Counter()
        for body in map(msgspec.json.decode, hub.shop.orders.values()):
            left += audited(hub, fresh, body, subjects[body["name"]])
        now = fresh.read.levels("WH")
        assert {sku: opening[sku] - now[sku] for sku in SKUS} == {sku: left[sku] for sku in SKUS}
    finally:
        hub.close()


def nobody_else_waited(hub: Busy) -> None:
    """The shop's webhooks were handled, its orders acknowledged and released at once, Tryton there or not."""
    handled = hub.ask("select max(handled_at - received_at) from message where source in ('shop', 'wms')")
    assert handled[0][0] <= PROMPT_S * SECOND
    for connection, operation in (("shop", "acknowledge"), ("wms", "release")):
        waited = hub.took(connection, operation)
        assert len(waited) == ORDERS
        assert max(waited.values()) <= PROMPT_S, (connection, operation)


def told_in_order(hub: Busy, erp: Any) -> None:
    """One sale of each order, in the order in which they came; after it its shipments, after each of these its invoice."""
    subjects = [
        subject for (subject,) in hub.ask("select distinct subject from effect where connection = 'wms'")
    ]
    made: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for model in ("sale.sale", "stock.shipment.out", "account.invoice"):
        rows = erp.read.rows(model, [], "reference", "create_date")
        made[model] = [(row["reference"], moment(row["create_date"])) for row in rows]
        assert len(made[model]) == len({reference for reference, _ in made[model]}), model
    sales, shipments, invoices = (dict(rows) for rows in made.values())
    assert [reference for reference, _ in made["sale.sale"]] == [f"CD{n:010d}" for n in sorted(subjects)]
    assert {reference.split("/")[0] for reference in shipments} == set(sales)
    assert set(invoices) == set(shipments)
    for reference, at in shipments.items():
        assert sales[reference.split("/")[0]] <= at <= invoices[reference], reference


def moment(told: dict[str, int]) -> tuple[int, ...]:
    return tuple(told[part] for part in ("year", "month", "day", "hour", "minute", "second", "microsecond"))
