"""A hub without threads before a running Tryton: the real store, pipeline, dispatcher and connectors; shop and warehouse
are simulated and called directly."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crossdock.config.registry import Registry
from crossdock.domain.policy import Authority, Place, Plan, Policy, Route
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.lanes import Lane
from crossdock.engine.messages import HUB, LANE_FREE, TICK, Arrival
from crossdock.engine.performing import Performer
from crossdock.engine.pipeline import Pipeline
from crossdock.errors import UnclearError
from crossdock.flows.documents import command_for
from crossdock.flows.handler import RetailHandler
from crossdock.flows.polling import Tick
from crossdock.sdk.calls import Request, Response
from crossdock.simulator.base import SECOND, Event, SimRequest, Simulator
from crossdock.simulator.shopify import ShopifySimulator
from crossdock.simulator.wms import WmsSimulator
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.tryton.erp import TIMEOUT_S, Erp, method_of

ROUNDS_MAX = 2_000
DAY_S, ROOM_S = 86_400, 6 * 3_600
"""Tryton refuses what was done on a day that its own clock has not come to: so long before midnight a hub begins at the latest."""
SHOP = {"url": "http://shop", "access_token": "t", "webhook_secret": "s", "location_id": "70000000001"}
WMS = {"url": "http://wms", "token": "t", "webhook_secret": "s"}
TILLS = {"webhook_secret": "s"}


def begins_at(seconds: int) -> int:
    """When a hub begins whose whole story is to be of one UTC day, the machine's: now, or `ROOM_S` before that day's end."""
    return min(seconds, seconds // DAY_S * DAY_S + DAY_S - ROOM_S)


class SimulatorWire:
    """A simulator as a transport."""

    def __init__(self, simulator: Simulator, headers: Mapping[str, str], hub: Hub) -> None:
        self.simulator, self.headers, self.hub = simulator, headers, hub

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
        reply = self.simulator.handle(asked, self.hub.now)
        return Response(status=reply.status, headers=reply.headers, body=reply.body)


class ErpWire:
    """The running Tryton as a transport; the reply to every `loses`th change is lost after it was made."""

    def __init__(self, erp: Erp, loses: int) -> None:
        self.erp, self.loses, self.changes = erp, loses, 0

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        reply = self.erp.transport.send(request, TIMEOUT_S)
        method = method_of(request)
        self.erp.requests.append(method)
        if method.startswith("model.") and not method.endswith(("read", "get_preferences")):
            self.changes += 1
            if self.loses and self.changes % self.loses == 0:
                raise UnclearError(f"the reply to {method} was lost")
        return reply


class Hub:
    """Webhooks in, documents in Tryton out. Nothing runs until `run`; its clock is its own.

    stores: locations that tills sell in; by which code Tryton knows them as warehouses say the connector's `warehouses`.
    """

    def __init__(
        self,
        folder: Path,
        erp: Erp,
        *,
        skus: tuple[str, ...],
        orders: int,
        loses: int = 0,
        stores: tuple[Place, ...] = (),
        warehouses: str = "main=WH",
        **shop: Any,
    ) -> None:
        self.now = begins_at(int(time.time())) * SECOND
        registry = Registry(installed=False)
        connectors = {
            "shop": registry.get("shopify").build(SHOP),
            "wms": registry.get("wms").build(WMS),
            "pos": registry.get("till").build(TILLS),
            "erp": erp.connector(warehouses=warehouses, payment_method="Clearing"),
        }
        self.connectors = connectors
        self.shop = ShopifySimulator(
            {**SHOP, "skus": skus, "rate": 2, "orders_max": orders, "echo_s": -1, **shop}, 11
        )
        self.wms = WmsSimulator({**WMS, "accept_after_s": 1, "ship_after_s": 5, "part_rate": 0.4}, 5)
        wires = {
            "shop": SimulatorWire(self.shop, connectors["shop"].request_headers(), self),
            "wms": SimulatorWire(self.wms, connectors["wms"].request_headers(), self),
            "erp": ErpWire(erp, loses),
        }
        plan = Plan(
            routes={
                "shop": Route(channel="shop", erp="erp", locations=("main",)),
                "pos": Route(channel="pos", erp="erp", post="day"),
            },
            places={
                "main": Place(id="main", warehouse="wms", partner_code="MAIN"),
                **{place.id: place for place in stores},
            },
            # Days that differ are counted every 15 minutes: `run` must not be led on from one store's count to the other's.
            policy=Policy(erp_total_tolerance=0, silence_s=86_400, day_settle_s=60),
            authority=Authority(stock="erp"),
            offers={
                name: frozenset(o.name for o in connector.spec.operations)
                for name, connector in connectors.items()
            },
        )
        self.store = open_store(folder / "crossdock.db", Vault(b"k" * 32))
        self.pipeline = Pipeline(self.store, RetailHandler(plan, connectors))
        performer = Performer(
            connectors,
            lambda e: command_for(e.operation, e.command, e.value, e.party),
            clock=lambda: self.now,
            jitter=lambda: 0.5,
        )
        lanes = {name: Lane(name=name, connector=connectors[name], transport=wires[name]) for name in wires}
        self.dispatcher = Dispatcher(self.store, lanes, performer, jitter=lambda: 0.5)

    def read_stock(self) -> None:
        """Poll Tryton's levels to the end."""
        tick = msgspec.json.encode(Tick(connection="erp", feed="stock"))
        self.store.accept([Arrival(source=HUB, kind=TICK, body=tick, lane=LANE_FREE)], self.now)
        self.run()

    def sold(self) -> list[Event]:
        """All webhooks of the shop, up to the last order and what became of it."""
        events: list[Event] = []
        while (due := self.shop.next_due()) is not None:
            self.now = max(self.now, due)
            events += self.shop.due_events(self.now)
        return events

    def post(self, name: str, event: Event) -> None:
        """A delivery at the gate."""
        headers, body = event
        connector = self.connectors[name]
        connector.verify(headers, body)
        gate = connector.gate(headers, body)
        known = connector.spec.understands(gate.kind)
        arrival = Arrival(
            source=name,
            kind=gate.kind,
            body=body,
            headers=headers,
            ref_kind=gate.ref_kind,
            ref=gate.ref,
            delivery_id=gate.delivery_id,
            lane=LANE_FREE if known is not None and known.overtakes else 0,
            trace="a" * 32,
        )
        self.store.accept([arrival], self.now)

    def run(self, within_s: int = 3600) -> None:
        """Everything that follows, in its time: until nobody has anything left to do within so many seconds."""
        dice = random.Random(3)
        for _ in range(ROUNDS_MAX):
            while self.pipeline.step(self.now) or self.dispatcher.step(self.now):
                pass
            for event in self.wms.due_events(self.now):
                for _ in range(dice.choice((1, 2))):
                    self.post("wms", event)
            times = (self.store.wake(self.now), self.wms.next_due(), self.dispatcher.next_at(self.now))
            due = [at for at in times if at is not None]
            if self.pipeline.step(self.now):
                continue
            if not due or min(due) > self.now + within_s * SECOND:
                return
            self.now = max(self.now + 1, min(due))
            self.store.wake(self.now)
        raise AssertionError("the hub does not come to an end")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.store._db.connection.execute(sql).fetchall()

    def close(self) -> None:
        self.store.close()
