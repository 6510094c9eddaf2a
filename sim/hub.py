"""The hub under the virtual clock: the real engine, flows, connectors and store; only threads and sockets are ours.

What `crossdock.bootstrap` does with threads is done here turn by turn, in an order that the dice decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from crossdock.bootstrap.hub import SETTLE_GRACE_US
from crossdock.bootstrap.loops import EffectLoop, Signals
from crossdock.config import Config
from crossdock.engine import crash
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.keeping import Keeping
from crossdock.engine.marks import Publisher
from crossdock.engine.messages import Arrival, Receipt
from crossdock.engine.overlapping import Overlapping
from crossdock.engine.performing import Performer
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.sweeping import Sweep
from crossdock.errors import CrossdockError, SignatureError
from crossdock.flows.operating import OVERDUE
from crossdock.gateway.intake import IntakeApp
from crossdock.sdk.spec import Connector
from crossdock.simulator.base import Event
from crossdock.stores.reads import Reads
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from sim.fate import Fate
from sim.faults import Faults
from sim.flaky import FlakyHandler
from sim.hands import Hands, Waiting, prepare
from sim.invariants import Invariants
from sim.parts import Quiet, SimWriter, keyed, lane_of, retention, schedules, values_of
from sim.retailer import MASTER_KEY, Traits
from sim.watched import WatchedStore
from sim.wire import Taken, Wire
from sim.world import HOUR, MINUTE, SECOND, Killed, Violation, World
from sim.zombie import rise

IDLE = 15 * MINUTE
LAZY = 0.1
"""How often a turn comes late, so that work gathers."""


class SimHub:
    """One hub, over all its lives."""

    def __init__(
        self,
        world: World,
        faults: Faults,
        config: Config,
        traits: Traits,
        connectors: Mapping[str, Connector],
        wires: Mapping[str, Wire],
        known: Invariants,
    ) -> None:
        self.world, self.faults, self.config, self.traits = world, faults, config, traits
        self.connectors, self.wires, self.known = dict(connectors), wires, known
        self.handler = FlakyHandler(config.plan, self.connectors, faults)
        self.life = 0
        self.alive = False
        self.frozen_until = 0
        self.on_started: Callable[[], None] = lambda: None
        self._dice = world.dice_for()
        self._entropy = world.dice_for()
        self.fate = Fate(world, faults)
        for wire in wires.values():
            wire.deliver = self.deliver
        world.on_killed = self.crash

    # Life

    def start(self) -> None:
        """Open the store, recover, and go to work."""
        self.alive = True
        clock, dice = self.world.clock, self._dice.random
        store = open_store(Path(self.config.hub.store), Vault(MASTER_KEY, self._entropy.randbytes))
        self.store = WatchedStore(store, self.world, self.faults, self.known, self.life)
        self.reader = store.reads()
        self._look = apsw.Connection(str(self.config.hub.store), flags=apsw.SQLITE_OPEN_READONLY)
        self.known.connect(self.reader)
        self.lanes = {
            name: lane_of(self.config, name, self.connectors[name], Waiting(self, wire))
            for name, wire in self.wires.items()
        }
        batch_max = self.config.limits.batch_messages_max
        self.pipeline = Pipeline(
            self.store,
            self.handler,
            policy=self.config.retries,
            jitter=dice,
            reach=self.reach,
            batch_max=batch_max,
            breathe=self._breathe,
        )
        self.steps = Overlapping(
            self.pipeline, lambda write: write
        )  # decided first, written when it is waited for
        performer = Performer(
            self.connectors, prepare, clock=clock, jitter=dice, policy=self.config.retries, reach=self.reach
        )
        self.dispatcher = Dispatcher(self.store, self.lanes, performer, jitter=dice, reach=self.reach)
        self.publishers = {
            name: Publisher(
                self.store, {name: lane}, self._values, clock=clock, jitter=dice, reach=self.reach
            )
            for name, lane in self.lanes.items()
            if any(operation.kind == "latest" for operation in lane.connector.spec.operations)
        }
        quiet: Any = Quiet()
        signals = Signals(effects=quiet, marks=quiet, stopping=quiet)
        writer: Any = SimWriter(self.store)
        hands = Hands(self, performer)
        self._effects = EffectLoop(self.dispatcher, hands, writer, clock, signals)
        hands.start(self._effects.done)
        self._intake = self._gate()
        self._sweep = self._sweeping()
        self._keeping = Keeping(self.store, retention(self.traits))
        self.awake_since = self.world.now
        self._arrivals: list[tuple[Arrival, Taken]] = []
        self._due: dict[str, int] = {}
        self._busy: set[str] = set()
        self.known.begins(self.lanes, self.world.clock())
        recovered = self.store.recover(clock(), SETTLE_GRACE_US, keyed(self.connectors))
        self.store.schedules(schedules(self.config), clock())
        self.world.tell("start", self.life, recovered["effects"], recovered["marks"])
        self.on_started()
        for part in ("pipeline", "effects", "ticks", "checkpoint", *self._publishing()):
            self.poke(part)

    def _gate(self) -> IntakeApp:
        nobody: Any = None  # arrivals are handed on by us, and there is no other page
        return IntakeApp(
            self.connectors,
            nobody,
            nobody,
            body_bytes_max=1 << 20,
            new_trace=self.new_trace,
            overtakes=self.overtakes,
        )

    def _sweeping(self) -> Sweep:
        policy = self.config.plan.policy
        late_us, overdue_us = (policy.grace_s + policy.late_s) * SECOND, policy.fulfilment_deadline_s * SECOND
        return Sweep(self.store, overdue=OVERDUE, overdue_us=overdue_us, late_us=late_us)

    def crash(self, life: int) -> None:
        """The process of this life is gone; another one starts a while later."""
        if life != self.life or not self.alive:
            return
        self.alive = False
        self.life += 1
        self.frozen_until = 0
        self.close()
        self.world.tell("crash", life)
        self.known.crashed()
        for _, taken in self._arrivals:
            taken(False)
        self.world.after(self.fate.pause(), self.start)

    def close(self) -> None:
        """Drop the store as a killed process does."""
        self.reader.close()
        self._look.close()
        self.store.abandon()

    def ask(self, sql: str, *bindings: Any) -> list[tuple[Any, ...]]:
        """A question of the simulation's own to what is committed."""
        return self._look.execute(sql, bindings).fetchall()

    def reach(self, point: str) -> None:
        """A named point: the process may be killed here, or stopped for a while."""
        if self.fate.kills(point):
            raise Killed(self.life)
        self.may_freeze(point)

    def may_freeze(self, point: str) -> None:
        """Stop in the middle of what the process does: partners and clocks go on, then it wakes and knows of nothing."""
        length = self.fate.freezes(point)
        if length:
            self.frozen_until = self.world.now + length
            self.world.run_until(self.frozen_until - 1)
            self.world.now = self.awake_since = self.frozen_until

    # Who calls

    def deliver(self, name: str, event: Event, taken: Taken) -> None:
        """One POST to the gate; `taken` is told whether it was answered with a 2xx."""
        if not self.alive or self.world.now < self.frozen_until:
            taken(False)
            return
        headers, body = event
        connector = self.connectors[name]
        try:
            connector.verify(headers, body)
        except SignatureError:
            self.world.tell("refused", name, len(body))
            taken(False)
            return
        self._arrivals.append((self._intake.arrival(name, connector, headers, body), taken))
        self.poke("intake", self._dice.randrange(1_000, 5_000))

    def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """What a face hands over, kept at once."""
        receipts: list[Receipt] = self.store.accept(arrivals, self.world.clock())
        self.poke("pipeline")
        return receipts

    @contextmanager
    def reads(self) -> Iterator[Reads]:
        """Questions to the store."""
        yield self.reader

    def sources(self) -> list[str]:
        """Every name under which orders may be known."""
        return list(self.config.connections)

    @property
    def hub(self) -> SimHub:
        """The hub of this face: itself."""
        return self

    def new_trace(self) -> str:
        """A correlation id."""
        return f"{self._entropy.getrandbits(128):032x}"

    def overtakes(self, source: str, kind: str) -> bool:
        """Whether messages of this kind never wait."""
        inbound = self.handler.inbound(source, kind)
        return inbound is not None and inbound.overtakes

    # Turns

    def poke(self, part: str, delay: int = 0) -> None:
        """Give a part its turn soon, or after `delay`."""
        if not delay:
            delay = self._dice.randrange(1_000, 30_000)
            if self._dice.random() < LAZY:
                delay += self._dice.randrange(20 * SECOND)
        when = self.world.now + delay
        known = self._due.get(part)
        if known is not None and known <= when:
            return
        self._due[part] = when
        self.world.at(when, self.mine(lambda: self._turn(part, when)))

    def mine(self, what: Callable[[], None]) -> Callable[[], None]:
        """Something of this life: it waits while the process is frozen, and ends with it."""
        life = self.life

        def run() -> None:
            if life != self.life or not self.alive:
                return
            if self.world.now < self.frozen_until:
                self.world.at(self.frozen_until, run)
                return
            what()

        return run

    def _turn(self, part: str, when: int) -> None:
        if self._due.get(part) != when:
            return
        del self._due[part]
        if part in self._busy:
            self.poke(part, SECOND)
            return
        self._busy.add(part)
        self.store.crash_kind = self.store.crash_kind or self.fate.kills_write()
        try:
            self._take_turn(part)
        except CrossdockError as error:
            self.world.tell("trouble", part, error.kind)
            self.poke(part, SECOND)
        except Violation:
            raise
        except Exception as error:
            raise Violation("-", f"A defect in {part}: {type(error).__name__}: {error}") from error
        finally:
            self._busy.discard(part)
        self._spread()

    def _take_turn(self, part: str) -> None:
        if part.startswith("publish "):
            publisher = self.publishers[part[8:]]
            if publisher.step(self.world.clock()):
                self.poke(part)
                self.poke("pipeline")
            return
        turns = {
            "intake": self._take_in,
            "pipeline": self._handle,
            "effects": self._perform,
            "ticks": self._tick,
            "checkpoint": self._move_log,
        }
        turns[part]()

    def _spread(self) -> None:
        """Give a turn to those for whom something was written."""
        store = self.store
        if store.staged:
            self.poke("effects")
        if store.marked:
            for part in self._publishing():
                self.poke(part)
        if store.later:
            self.poke("ticks", SECOND)
        store.staged = store.marked = store.later = False

    def _take_in(self) -> None:
        taken, self._arrivals = self._arrivals, []
        try:
            self.reach(crash.INTAKE_BEFORE_COMMIT)
            receipts = self.store.accept([arrival for arrival, _ in taken], self.world.clock())
        except BaseException:
            for _, tell in taken:
                tell(False)
            raise
        try:
            self.reach(crash.INTAKE_COMMITTED)
        except Killed:
            for _, tell in taken:
                tell(False)
            raise
        for (_, tell), _receipt in zip(taken, receipts, strict=True):
            tell(True)
        self.poke("pipeline")

    def _handle(self) -> None:
        store = self.store
        before = store.claimed
        if self.faults.zombies and self.world.now >= self.faults.zombies[0]:
            rise(self)
        else:
            self.pipeline.batch_max = self._batch_max()
            self.steps.step(self.world.clock())
        if store.claimed > before:
            self.poke("pipeline")

    def _batch_max(self) -> int:
        """Small at times, so that there is more than one batch of what has come together."""
        most = self.config.limits.batch_messages_max
        return most if self._dice.random() < 0.5 else 1 + int(self._dice.random() * 6)

    def _breathe(self) -> None:
        """Between the parts of a batch, arrivals are taken in."""
        if self._arrivals:
            try:
                self._take_in()
            except CrossdockError as error:
                self.world.tell("trouble", "intake", error.kind)

    def _perform(self) -> None:
        self._effects.turn()
        self.poke("pipeline")
        now = self.world.clock()
        due = self.dispatcher.next_at(now)
        if due is not None:
            self.poke("effects", max(due - now, 0) + 1_000)

    def _tick(self) -> None:
        due = self.store.wake(self.world.clock())
        self._sweep.step(self.world.clock())
        due = min(self._keeping.step(self.world.clock()), due or IDLE + self.world.clock())
        delay = min(IDLE, max(1_000, due - self.world.clock()))
        self.poke("ticks", delay)
        for part in ("pipeline", "effects", *self._publishing()):
            self.poke(part)

    def _move_log(self) -> None:
        self.poke("checkpoint", HOUR)
        self.reach(crash.CHECKPOINT)
        self.store.checkpoint()

    # Parts

    def _publishing(self) -> list[str]:
        return [f"publish {name}" for name in self.publishers]

    def _values(self, connection: str, operation: str, keys: Sequence[str]) -> Mapping[str, tuple[str, Any]]:
        return values_of(self.config, self.reader, connection, keys)
