"""Hubs without threads over one database, and simulated partners that answer at once: a whole retailer in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crossdock.config import load_config
from crossdock.config.registry import Registry
from crossdock.domain.state import Changes, Level, Movement
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.lanes import Lane
from crossdock.engine.pace import Breaker, bucket
from crossdock.engine.performing import Performer
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.port import Batch, ClaimedEffect
from crossdock.flows.documents import fill_command, join_document
from crossdock.flows.handler import RetailHandler
from crossdock.gateway.intake import IntakeApp
from crossdock.sdk.calls import Request, Response
from crossdock.simulator.base import SimRequest, Simulator
from crossdock.simulator.erp import ErpSimulator
from crossdock.simulator.shopify import ShopifySimulator
from crossdock.simulator.wms import WmsSimulator
from crossdock.testing.store_case import NOW, SECOND

SECRET = "only-for-the-tests"
GRACE_US = 5 * SECOND
SKUS = 6
TOML = """
[hub]
name = "trading"
data = "data"

[connections.shop]
connector = "shopify"
url = "http://shop.example"
access_token = "${TRADING_SECRET}"
webhook_secret = "${TRADING_SECRET}"
requests_per_s = 0

[connections.erp]
connector = "erp"
url = "http://erp.example"
token = "${TRADING_SECRET}"

[connections.wms]
connector = "wms"
url = "http://wms.example"
token = "${TRADING_SECRET}"
webhook_secret = "${TRADING_SECRET}"

[locations.main]
warehouse = "wms"

[routes.shop]
erp = "erp"
locations = ["main"]

[authority]
stock = "hub"

[policies]
grace_s = 0
"""


class Retailer:
    """The partners, the time, and the configuration."""

    def __init__(self, folder: Path, orders: int, stock: int) -> None:
        file = folder / "crossdock.toml"
        file.write_text(TOML, "utf-8")
        self.now = NOW
        self.config = load_config(file, {"TRADING_SECRET": SECRET})
        registry = Registry()
        self.connectors = {
            name: registry.get(c.connector).build(c.settings) for name, c in self.config.connections.items()
        }
        given = {"access_token": SECRET, "token": SECRET, "webhook_secret": SECRET}
        shop = {"rate": 5, "orders_max": orders, "skus": SKUS, "paid_after_s": 1, "echo_s": 0}
        warehouse = {"location": "main", "stock": dict.fromkeys(self.skus, 10_000)}
        self.shop = ShopifySimulator(given | shop, 1)
        self.erp = ErpSimulator(given | {"idempotency": "none"}, 2)
        self.wms = WmsSimulator(given | warehouse, 3)
        self.partners: Mapping[str, Simulator] = {"shop": self.shop, "erp": self.erp, "wms": self.wms}
        self.stock = stock
        nobody: Any = None
        self.gate = IntakeApp(
            self.connectors,
            nobody,
            nobody,
            body_bytes_max=1 << 20,
            new_trace=lambda: "a" * 32,
            overtakes=self.overtakes,
        )

    @property
    def skus(self) -> list[str]:
        return [f"SKU-{n + 1:04d}" for n in range(SKUS)]

    def overtakes(self, source: str, kind: str) -> bool:
        inbound = RetailHandler(self.config.plan, self.connectors).inbound(source, kind)
        return inbound is not None and inbound.overtakes

    def open_with_stock(self, store: Any) -> None:
        """The first movements: what lies on the shelves."""
        levels = [Level(sku, "main", self.stock) for sku in self.skus]
        moves = [
            Movement(0, 0, n, sku, "main", "on_hand", self.stock, "opening", self.now)
            for n, sku in enumerate(self.skus)
        ]
        store.commit(Batch(changes=Changes(levels=levels, movements=moves), now=self.now))

    def deliver(self, gateway: Callable[[], Any]) -> None:
        """Every webhook that is due goes to some gateway."""
        for name, partner in self.partners.items():
            for headers, body in partner.due_events(self.now):
                self.connectors[name].verify(headers, body)
                gateway().accept([self.gate.arrival(name, self.connectors[name], headers, body)], self.now)

    def send(self, name: str, request: Request) -> Response:
        """What the transport does: the partner answers."""
        own = self.connectors[name].request_headers()
        headers = {key.lower(): value for key, value in {**own, **request.headers}.items()}
        asked = SimRequest(
            method=request.method, path=request.path, query=request.query, headers=headers, body=request.body
        )
        answer = self.partners[name].handle(asked, self.now)
        return Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


class Wire:
    """The transport of one connection."""

    def __init__(self, retailer: Retailer, name: str) -> None:
        self._retailer, self._name = retailer, name

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        return self._retailer.send(self._name, request)


class Process:
    """What `crossdock up` runs, without its threads: a pipeline, a dispatcher and a scheduler over a store."""

    def __init__(self, retailer: Retailer, store: Any) -> None:
        self.retailer, self.store = retailer, store
        config, connectors = retailer.config, retailer.connectors
        self.pipeline = Pipeline(store, RetailHandler(config.plan, connectors), batch_max=20)
        self.lanes = {
            name: Lane(
                name=name,
                connector=connector,
                transport=Wire(retailer, name),
                policy=config.retries,
                pace=bucket(0, 1),
                breaker=Breaker(),
            )
            for name, connector in connectors.items()
        }
        performer = Performer(
            connectors, prepare, clock=lambda: retailer.now, jitter=lambda: 0.5, policy=config.retries
        )
        self.dispatcher = Dispatcher(store, self.lanes, performer, jitter=lambda: 0.5)
        keyed = [
            f"{name} {operation.name}"
            for name, connector in connectors.items()
            for operation in connector.spec.operations
            if operation.doubles == "key"
        ]
        store.recover(retailer.now, GRACE_US, keyed)

    def turn(self) -> int:
        """A batch, some calls, a look at the time; how much was done."""
        now = self.retailer.now
        self.store.tend(now)
        done = self.pipeline.step(now) + self.dispatcher.step(now)
        self.store.wake(now)
        return done


def prepare(effect: ClaimedEffect) -> Any:
    """The typed command of an effect."""
    order = join_document(effect.value, effect.party) if effect.document else None
    return fill_command(effect.operation, effect.command, order)
