"""The composition root: one hub in one process, put together from a configuration. Threads live here and nowhere else.

Read `Hub.__init__` to see what wraps what: store, writer, pipeline, dispatcher, publisher, gate.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from crossdock.bootstrap.gathering import Gathering
from crossdock.bootstrap.hands import Hands, HandsThread
from crossdock.bootstrap.loops import (
    EffectLoop,
    PipelineLoop,
    PublisherLoop,
    Signals,
    TickLoop,
    clock_us,
    forever,
)
from crossdock.bootstrap.writer import Writer, on_writer
from crossdock.config import Config
from crossdock.config.registry import Registry
from crossdock.domain.state import Level
from crossdock.engine import crash
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.lanes import Lane
from crossdock.engine.marks import Publisher
from crossdock.engine.messages import Arrival, Receipt
from crossdock.engine.pace import Breaker, bucket
from crossdock.engine.performing import Performer
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.port import ClaimedEffect
from crossdock.errors import CrossdockError
from crossdock.flows.documents import fill_command, join_document
from crossdock.flows.handler import RetailHandler
from crossdock.flows.quantities import quantity_command
from crossdock.model.order import Order
from crossdock.sdk.spec import Connector
from crossdock.stores.sqlite import SqliteStore, open_store
from crossdock.stores.sqlite.cache import Recent
from crossdock.stores.sqlite.reads import Reads
from crossdock.stores.vault import Vault
from crossdock.transport.http import AsyncHttpTransport, HttpTransport

SWITCH_INTERVAL_S = 0.0005
"""The interpreter's default of 5 ms lets one busy thread starve the writer: measured, docs/adr/0002."""
GC_THRESHOLDS = (50_000, 20, 50)
"""Messages make no cycles; looking for some after every 700 objects took a tenth of the time."""
SETTLE_GRACE_US = 5_000_000
CHECKPOINT_S = 0.5
PARTS = ("pipeline", "effects")
POOLED_READS_MAX = 8
ORDERS_READ_MAX = 1_000


class Hub:
    """A running hub. `start` it, hand it arrivals, `stop` it; everything in between survives a kill."""

    def __init__(self, config: Config, *, master_key: bytes, reach: crash.Reach = crash.nowhere) -> None:
        self.config = config
        self.started_at = clock_us()
        self._reach = reach
        self._random = random.Random()  # noqa: S311 - jitter, no secret
        registry = Registry()
        self.connectors: dict[str, Connector] = {
            name: registry.get(connection.connector).build(connection.settings)
            for name, connection in config.connections.items()
        }
        self.store: SqliteStore = open_store(config.hub.store, Vault(master_key))
        self.signals = Signals()
        self.writer = Writer(self.store, clock_us, self.signals.messages.set, reach)
        self.handler = RetailHandler(config.plan, self.connectors)
        self.lanes = {name: self._lane(name) for name in config.connections}
        self.pipeline = Pipeline(
            self.store,
            self.handler,
            policy=config.retries,
            jitter=self._random.random,
            reach=reach,
            batch_max=config.limits.batch_messages_max,
        )
        performer = Performer(
            self.connectors,
            self._prepare,
            clock=clock_us,
            jitter=self._random.random,
            policy=config.retries,
            reach=reach,
        )
        self.dispatcher = Dispatcher(
            self.store, self.lanes, performer, jitter=self._random.random, reach=reach
        )
        self._orders: Recent[tuple[int, int, bool], Order] = Recent(ORDERS_READ_MAX)
        self._pooled: list[Reads] = []
        self.publishers = {
            name: self._publisher(name) for name, lane in self.lanes.items() if _publishes(lane)
        }
        self._threads: list[threading.Thread] = []
        transports = {name: self._async_transport(name) for name in self.lanes}
        places = {name: lane.concurrency_max for name, lane in self.lanes.items()}
        self._hands = HandsThread(Hands(performer, transports, places, self.signals.stopping))
        self._effects = EffectLoop(self.dispatcher, self._hands, self.writer, clock_us, self.signals)

    # Life

    def start(self, parts: Collection[str] = PARTS) -> None:
        """Recover, then let the threads run; `parts` leaves some out, so that a benchmark can measure one alone."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        now = clock_us()
        self.store.recover(now, SETTLE_GRACE_US, self._keyed())
        self.store.schedules(self._schedules(), now)
        self._thread("writer", self.writer.run)
        if "pipeline" in parts:
            pipeline = PipelineLoop(self.pipeline, self.store, self.writer, clock_us, self.signals)
            self._loop("pipeline", pipeline.turn)
        if "effects" in parts:
            self._hands.start(self._effects.done)
            self._thread("effects", self._perform)
            for name, publisher in self.publishers.items():
                self._loop(f"publisher-{name}", PublisherLoop(publisher, clock_us, self.signals).turn)
        self._loop("ticks", TickLoop(on_writer(self.store, self.writer), clock_us, self.signals).turn)
        self._loop("checkpoint", self._checkpoint)

    def stop(self) -> None:
        """Finish what has begun and close the store; what could not be finished is asked about at the next start."""
        self.signals.stopping.set()
        for signal in (self.signals.messages, self.signals.effects, self.signals.marks):
            signal.set()
        for thread in self._threads[1:]:
            thread.join(timeout=35)
        self.writer.stop()
        self._threads[0].join(timeout=35)
        for reads in self._pooled:
            reads.close()
        with contextlib.suppress(CrossdockError):  # the disk may be full; then the next start looks closer
            self.store.rest()
        self.store.close()

    def stopped_threads(self) -> list[str]:
        """Names of threads that should run and do not: a hub that has some is not ready."""
        return [thread.name for thread in self._threads if not thread.is_alive()]

    def gathering(self) -> Gathering:
        """A gate for one event loop."""
        return Gathering(self.writer, self.config.limits.intake_waiting_max)

    def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Keep arrivals; returns after the commit."""
        done = threading.Event()
        box: list[list[Receipt] | Exception] = []

        def deliver(result: list[Receipt] | Exception) -> None:
            box.append(result)
            done.set()

        self.writer.take_in(arrivals, deliver)
        done.wait()
        if isinstance(box[0], Exception):
            raise box[0]
        return box[0]

    @contextmanager
    def reads(self) -> Iterator[Reads]:
        """A reader from the pool."""
        reads = self._pooled.pop() if self._pooled else self.store.reads()
        try:
            yield reads
        finally:
            if len(self._pooled) < POOLED_READS_MAX:
                self._pooled.append(reads)
            else:
                reads.close()

    def overtakes(self, source: str, kind: str) -> bool:
        """True where messages of this kind never wait behind a parked one."""
        inbound = self.handler.inbound(source, kind)
        return inbound is not None and inbound.overtakes

    @staticmethod
    def new_trace() -> str:
        """A W3C trace id: the correlation id of a story that begins here."""
        return os.urandom(16).hex()

    # Parts

    def _lane(self, name: str) -> Lane:
        connection, connector = self.config.connections[name], self.connectors[name]
        limits = connection.limits
        url = str(connection.settings.get("url", ""))
        transport = HttpTransport(
            url, connector.request_headers(), response_bytes_max=self.config.limits.response_bytes_max
        )
        return Lane(
            name=name,
            connector=connector,
            transport=transport,
            policy=self.config.retries,
            concurrency_max=limits.concurrency_max,
            pace=bucket(limits.requests_per_s, limits.burst),
            breaker=Breaker(),
            live=connection.mode != "observe",
        )

    def _publisher(self, name: str) -> Publisher:
        """One a connection: a channel that does not answer delays no other's quantities."""
        return Publisher(
            on_writer(self.store, self.writer),
            {name: self.lanes[name]},
            self._values,
            clock=clock_us,
            jitter=self._random.random,
            reach=self._reach,
        )

    def _keyed(self) -> list[str]:
        """Operations that a partner dedupes by our key: they can be repeated at once after a crash."""
        return [
            f"{name} {operation.name}"
            for name, connector in self.connectors.items()
            for operation in connector.spec.operations
            if operation.doubles == "key"
        ]

    def _async_transport(self, name: str) -> AsyncHttpTransport:
        url = str(self.config.connections[name].settings.get("url", ""))
        headers = self.connectors[name].request_headers()
        return AsyncHttpTransport(url, headers, response_bytes_max=self.config.limits.response_bytes_max)

    def _prepare(self, effect: ClaimedEffect) -> Any:
        """The typed command of an effect. An order's effects follow each other closely, so its document is read once."""
        order: Order | None = None
        if effect.document:
            key = (effect.subject, effect.document, bool(effect.party))
            order = self._orders.get(key)
            if order is None:
                order = join_document(effect.value, effect.party)
                self._orders.add(key, order, 1)
        return fill_command(effect.operation, effect.command, order)

    def _values(self, connection: str, operation: str, keys: Sequence[str]) -> Mapping[str, tuple[str, Any]]:
        with self.reads() as reads:
            levels = reads.levels(keys)
        by_sku: dict[str, list[Level]] = {}
        for level in levels.values():
            by_sku.setdefault(level.sku, []).append(level)
        found: dict[str, tuple[str, Any]] = {}
        for key in keys:
            command = quantity_command(self.config.plan, connection, key, by_sku.get(key, ()))
            if command is not None:
                found[key] = (str(command.quantity), command)
        return found

    def _schedules(self) -> dict[str, tuple[str, str, int]]:
        return {
            f"{name}/{feed}": (name, feed, int(connection.poll_every_s * 1_000_000))
            for name, connection in self.config.connections.items()
            for feed in connection.feeds
            if connection.poll_every_s > 0
        }

    def _checkpoint(self) -> None:
        self.signals.stopping.wait(CHECKPOINT_S)
        self._reach(crash.CHECKPOINT)
        if self.store.wal_bytes() > self.config.limits.wal_bytes_max:
            self.writer.alone(self.store.truncate_log)
        else:
            self.store.checkpoint()

    def _perform(self) -> None:
        forever(self.signals, "effects", self._effects.turn)
        self._effects.end()

    def _loop(self, name: str, body: Callable[[], None]) -> None:
        self._thread(name, lambda: forever(self.signals, name, body))

    def run_beside(self, name: str, body: Callable[[], None]) -> None:
        """Run a face in a thread of the hub's."""
        self._thread(name, body)

    def _thread(self, name: str, body: Callable[[], None]) -> None:
        thread = threading.Thread(target=body, name=f"crossdock-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()


def _publishes(lane: Lane) -> bool:
    return any(operation.kind == "latest" for operation in lane.connector.spec.operations)
