"""The composition root: one hub in one process, put together from a configuration. Threads live here and nowhere else.

Read `Hub.__init__` to see what wraps what: store, writer, pipeline, dispatcher, publisher, gate.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import msgspec

from crossdock.bootstrap.announcing import announcer_of
from crossdock.bootstrap.beside import Beside
from crossdock.bootstrap.front import PartnerState, state_of
from crossdock.bootstrap.gathering import Gathering
from crossdock.bootstrap.hands import HandsThread, Preparing, hands_of
from crossdock.bootstrap.keeping import keeping_of
from crossdock.bootstrap.loops import (
    EffectLoop,
    LogLoop,
    Performs,
    PipelineWork,
    PublisherLoop,
    Signals,
    TickLoop,
    clock_us,
    few_cycles,
    forever,
)
from crossdock.bootstrap.proving import Prover
from crossdock.bootstrap.reading import WINDOW, ReadAhead
from crossdock.bootstrap.writer import Writer, on_writer
from crossdock.config import Config
from crossdock.config.registry import Registry
from crossdock.engine import crash
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.lanes import Lane
from crossdock.engine.marks import Publisher
from crossdock.engine.messages import Arrival, Receipt
from crossdock.engine.overlapping import Overlapping
from crossdock.engine.pace import Breaker, bucket
from crossdock.engine.performing import Performer
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.port import Store
from crossdock.engine.sweeping import Sweep
from crossdock.errors import CrossdockError
from crossdock.flows.handler import RetailHandler
from crossdock.flows.operating import OVERDUE
from crossdock.flows.quantities import Offer
from crossdock.sdk.spec import Connector
from crossdock.stores.opening import HubStore, is_shared, open_store
from crossdock.stores.reads import Reads
from crossdock.stores.vault import Vault
from crossdock.transport.opening import transport_for

log = logging.getLogger("crossdock")
SWITCH_INTERVAL_S = 0.0005
"""The interpreter's default of 5 ms lets one busy thread starve the writer: measured, docs/adr/0002."""
SETTLE_GRACE_US = 5_000_000
PARTS = ("pipeline", "effects", "ticks")
LOOK_S = 0.03
"""Where others take messages in, how often a worker looks for some."""
POOLED_READS_MAX = 8
READY_S = 2.0
PROOF_CLOSES_S = 3_600.0
"""How often at most the whole store is asked for what concerns all orders and levels at once."""
PARTNERS_TOLD_S = 1.0
PARTNERS_KNOWN_US = 15_000_000
"""A dispatcher that has told nothing for so long calls nobody."""
_encoded = msgspec.json.Encoder().encode
_told = msgspec.json.Decoder(PartnerState).decode


class Hub:
    """A running hub. `start` it, hand it arrivals, `stop` it; everything in between survives a kill."""

    def __init__(self, config: Config, *, master_key: bytes, reach: crash.Reach = crash.nowhere) -> None:
        self.config = config
        self.started_at = clock_us()
        self.processes: Mapping[str, int] = {"hub": os.getpid()}
        self._reach = reach
        self._random = random.Random()  # noqa: S311 - jitter, no secret
        registry = Registry()
        self.connectors: Mapping[str, Connector] = {
            name: registry.get(connection.connector).build(connection.settings)
            for name, connection in config.connections.items()
        }
        self.store: HubStore = open_store(config.hub.store, Vault(master_key))
        self.shared = is_shared(config.hub.store)
        self.signals = Signals()
        self.stopping = self.signals.stopping
        self.writer = Writer(self.store, clock_us, reach)
        self.handler = RetailHandler(config.plan, self.connectors)
        self.lanes = {name: self._lane(name) for name in config.connections}
        self._ahead = ReadAhead(self.handler, self.store.message)
        self.remember, self.being_read = self._ahead.remember, self._ahead.being_read
        self.alone = self._ahead.alone
        self._beside = Beside()
        self.pipeline = Pipeline(
            self.store,
            self._ahead,
            policy=config.retries,
            jitter=self._random.random,
            reach=reach,
            batch_max=config.limits.batch_messages_max,
            breathe=self._breathe,
            announce=announcer_of(config),
            erased=self._erased,
        )
        self._overlapping = Overlapping(self.pipeline, self._beside)
        performer = Performer(
            self.connectors,
            Preparing(),
            clock=clock_us,
            jitter=self._random.random,
            policy=config.retries,
            reach=reach,
        )
        self.dispatcher = Dispatcher(
            self.store, self.lanes, performer, jitter=self._random.random, reach=reach
        )
        self._pooled: list[Reads] = []
        self.publishers = {
            name: self._publisher(name) for name, lane in self.lanes.items() if _publishes(lane)
        }
        self._offers = {name: Offer(config.plan, name) for name in self.publishers}
        self._threads: list[threading.Thread] = []
        self._performer = performer
        self.hands: Performs | None = None

    # Life

    def start(self, parts: Collection[str] = PARTS, hands: Performs | None = None) -> None:
        """Recover, then let the threads run; `parts` leaves some out, so that a benchmark can measure one alone.

        hands perform the calls to partners and read ahead; without any, a thread of this process does.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        few_cycles()
        now = clock_us()
        self.store.recover(now, SETTLE_GRACE_US, self.keyed())
        self.store.schedules(self._schedules(), now)
        if "pipeline" in parts:
            steps = self.pipeline if self.shared else self._overlapping
            self.writer.work = PipelineWork(steps, self.writer, clock_us, self.signals, self._look_ahead)
        self._thread("writer", self.writer.run)
        if "effects" in parts or hands is not None:
            self.hands = hands or HandsThread(hands_of(self.config, self._performer, self.signals.stopping))
        if self.hands is not None and "effects" not in parts:
            self.hands.start(lambda attempted: None)
        elif self.hands is not None:
            effects = EffectLoop(self.dispatcher, self.hands, self.writer, clock_us, self.signals)
            self.hands.start(effects.done)
            self._thread("effects", lambda: self._dispatch(effects))
            for name, publisher in self.publishers.items():
                self._loop(f"publisher-{name}", PublisherLoop(publisher, clock_us, self.signals).turn)
        if "ticks" in parts or not self.shared:
            store = on_writer(self.store, self.writer)
            sweep, keeping = self._sweep(store), keeping_of(self.config, store)
            self._loop("ticks", TickLoop(store, sweep, keeping, clock_us, self.signals).turn)
            self._loop("proof", self._prover().turn)
        if self.shared and self.hands is not None:
            self._loop("partners", self._tell_partners)
        if self.shared:
            self._loop("look", self._look)
        else:
            most = self.config.limits.wal_bytes_max
            self._loop("checkpoint", LogLoop(self.store, self.writer, most, self._reach, self.signals).turn)

    def stop(self) -> None:
        """Finish what has begun and close the store; what could not be finished is asked about at the next start."""
        self.signals.stopping.set()
        for signal in (self.signals.effects, self.signals.marks):
            signal.set()
        for thread in self._threads[1:]:
            thread.join(timeout=35)
        if self.hands is not None:
            self.hands.finish()
        self.writer.stop()
        for thread in self._threads[:1]:  # none where it was never started
            thread.join(timeout=35)
        self._beside.close()
        for reads in self._pooled:
            reads.close()
        with contextlib.suppress(CrossdockError):  # the disk may be full; then the next start looks closer
            self.store.rest()
        self.store.close()

    def trouble(self) -> str:
        """What keeps it from working: a thread that is gone, a writer that does not write; "" where nothing does."""
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        if dead or self.stopping.is_set():
            return f"Not running: {', '.join(dead) or 'the hub is stopping'}."
        try:
            self.writer.call(lambda: None, READY_S)
        except CrossdockError as error:
            return f"The writer does not write: {error}"
        return ""

    def partners(self) -> dict[str, PartnerState]:
        """How every partner is now. Where other processes call them, what those have told lately."""
        own = {name: state_of(lane) for name, lane in self.lanes.items()}
        if not self.shared or self.hands is not None:
            return own
        with self.reads() as reads:
            told = {name: (state, age) for name, state, age in reads.rows("partner_states")}
        for name, state in own.items():
            text, age = told.get(name, ("", PARTNERS_KNOWN_US))
            if age < PARTNERS_KNOWN_US:
                own[name] = _told(text)
            elif state.live:
                own[name] = msgspec.structs.replace(state, unattended=True)
        return own

    def _tell_partners(self) -> None:
        states = {name: _encoded(state_of(lane)).decode() for name, lane in self.lanes.items()}
        self.writer.call(lambda: self.store.tell_partners(states))
        self.stopping.wait(PARTNERS_TOLD_S)

    def erase(self, subject: int) -> None:
        """Forget the persons of a subject; its old salt does not stay behind in the log."""

        def erase() -> None:
            self._ahead.forget()
            self._overlapping.let_go()  # what is decided of them is not written
            self.store.erase(subject, clock_us())

        self.writer.call(erase)
        self.writer.alone(self.store.truncate_log)

    def _erased(self) -> None:
        """A batch has forgotten somebody. On the writer's thread, outside of any transaction."""
        self._ahead.forget()
        try:
            self.store.truncate_log()
        except CrossdockError as error:
            log.warning("what was forgotten stays in the log until it is moved into the file: %s", error)

    def take_in(
        self, arrivals: Sequence[Arrival], deliver: Callable[[list[Receipt] | Exception], None]
    ) -> None:
        """Keep arrivals; `deliver` is told on another thread."""
        self.writer.take_in(arrivals, deliver)

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
        transport = transport_for(
            connection.settings,
            connector.request_headers(),
            response_bytes_max=self.config.limits.response_bytes_max,
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

    def _sweep(self, store: Store) -> Sweep:
        policy = self.config.plan.policy
        overdue_us = policy.fulfilment_deadline_s * 1_000_000
        late_us = (policy.grace_s + policy.late_s) * 1_000_000  # what waits out its grace is not late
        return Sweep(store, overdue=OVERDUE, overdue_us=overdue_us, late_us=late_us)

    def _prover(self) -> Prover:
        store = cast(HubStore, on_writer(self.store, self.writer))
        return Prover(self, store, clock_us, closes_each_s=PROOF_CLOSES_S)

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

    def keyed(self) -> list[str]:
        """Operations that a partner dedupes by our key: they can be repeated at once after a crash."""
        return [
            f"{name} {operation.name}"
            for name, connector in self.connectors.items()
            for operation in connector.spec.operations
            if operation.doubles == "key"
        ]

    def _values(self, connection: str, operation: str, keys: Sequence[str]) -> Mapping[str, tuple[str, Any]]:
        with self.reads() as reads:
            levels = reads.levels(keys)
        return self._offers[connection].commands(keys, levels.values())

    def _schedules(self) -> dict[str, tuple[str, str, int]]:
        return {
            f"{name}/{feed}": (name, feed, int(connection.poll_every_s * 1_000_000))
            for name, connection in self.config.connections.items()
            for feed in connection.feeds
            if connection.poll_every_s > 0
        }

    def _breathe(self) -> None:
        """Take in what has come, unless a batch is being written just now."""
        if not self._beside.busy:
            self.writer.breathe()

    def _look_ahead(self, batch: int) -> None:
        """Messages pile up: have those behind the next batch read by whoever listens and calls."""
        if self.hands is None:
            return
        behind = self.store.behind(batch, (WINDOW - 1) * batch)
        if wanted := self._ahead.wanted(behind):
            self.hands.read(wanted, behind[0])

    def _look(self) -> None:
        """Look for work that others have brought. Claims keep this process's share of what several share."""
        self.stopping.wait(LOOK_S)
        self.writer.wake()

    def _dispatch(self, effects: EffectLoop) -> None:
        forever(self.signals, "effects", effects.turn)
        effects.end()

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
