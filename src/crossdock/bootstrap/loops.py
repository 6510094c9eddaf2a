"""The bodies of the hub's threads: each turns a `step(now)` into a loop that sleeps until there is something to do."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from crossdock.bootstrap.writer import Writer
from crossdock.engine import crash
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.keeping import Keeping
from crossdock.engine.marks import Publisher
from crossdock.engine.overlapping import Overlapping
from crossdock.engine.performing import Attempted, Call
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.port import Store
from crossdock.engine.sweeping import Sweep
from crossdock.errors import CrossdockError, LeaseLostError, RacedError
from crossdock.stores.opening import HubStore

log = logging.getLogger("crossdock")
IDLE_S = 0.1
GC_THRESHOLDS = (50_000, 20, 50)
"""Looking for some after every 700 objects took a tenth of the time."""
AFTER_ERROR_S = 1.0
CHECKPOINT_S = 0.5
LOG_PAGES = 4_096
"""Pages of 4 KiB in the log from which on it is begun anew."""
GATHER_S = 0.004
Clock = Callable[[], int]


class Signals(msgspec.Struct):
    """What wakes which loop."""

    effects: threading.Event = msgspec.field(default_factory=threading.Event)
    marks: threading.Event = msgspec.field(default_factory=threading.Event)
    stopping: threading.Event = msgspec.field(default_factory=threading.Event)


def forever(signals: Signals, name: str, body: Callable[[], None]) -> None:
    """Run `body` until the hub stops; an error is logged and the loop goes on: no thread dies quietly."""
    while not signals.stopping.is_set():
        try:
            body()
        except CrossdockError as error:
            log.warning("%s: %s", name, error)
            signals.stopping.wait(AFTER_ERROR_S)
        except Exception:
            log.exception("%s failed; it goes on in a second", name)
            signals.stopping.wait(AFTER_ERROR_S)


class PipelineWork:
    """The pipeline, batch after batch, as the writer's work; an error is logged, and it goes on in a second.

    Batches are half as large while messages come in: the writing of one is what a sender may have to wait for.
    look_ahead: told how large a batch is while batches are full, before the next one is claimed.
    """

    def __init__(
        self,
        pipeline: Pipeline | Overlapping,
        writer: Writer,
        clock: Clock,
        signals: Signals,
        look_ahead: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._pipeline, self._writer, self._clock, self._signals = pipeline, writer, clock, signals
        self._look_ahead = look_ahead
        self._batch_max = pipeline.batch_max
        self._taken_in = 0
        self._rests_until = 0.0

    def __call__(self) -> bool:
        """Handle one batch; whether there was one."""
        if self._signals.stopping.is_set() or time.monotonic() < self._rests_until:
            return False
        quiet = self._taken_in == self._writer.taken_in
        self._taken_in = self._writer.taken_in
        self._pipeline.batch_max = self._batch_max if quiet else max(1, self._batch_max // 2)
        try:
            handled = self._pipeline.step(self._clock())
        except (LeaseLostError, RacedError) as error:
            log.info("pipeline: %s", error)  # another process has it, or was quicker: look again
            return False
        except Exception as error:
            known = isinstance(error, CrossdockError)
            log.warning("pipeline: %s; it goes on in a second", error, exc_info=not known)
            self._rests_until = time.monotonic() + AFTER_ERROR_S
            return False
        if handled:
            self._signals.effects.set()
            self._signals.marks.set()
        if handled >= self._pipeline.batch_max:
            self._look_ahead(self._batch_max)
        return handled > 0


class Performs(Protocol):
    """Whoever performs calls, here or in another process."""

    def start(self, done: Callable[[Attempted], None]) -> None:
        """Be ready; `done` is told, on any thread, what became of each call."""
        ...

    def begin(self, calls: Sequence[Call]) -> None:
        """Have these performed."""
        ...

    def read(self, messages: list[int], first: int) -> None:
        """These messages will be claimed soon, and none below `first`: read them ahead, where somebody else has the time."""
        ...

    def finish(self) -> None:
        """Begin nothing more; returns when what has begun is over."""
        ...


class EffectLoop:
    """Records what has been performed and claims what may go, in one write; then has it performed."""

    def __init__(
        self, dispatcher: Dispatcher, performs: Performs, writer: Writer, clock: Clock, signals: Signals
    ) -> None:
        self._dispatcher, self._performs = dispatcher, performs
        self._writer, self._clock, self._signals = writer, clock, signals
        self._over: deque[Attempted] = deque()
        self._unrecorded: list[Attempted] = []
        self._away: set[str] = set()

    def done(self, attempted: Attempted) -> None:
        """A call is over. Any thread may say so."""
        self._over.append(attempted)
        self._signals.effects.set()

    def turn(self) -> None:
        """Settle what is finished and claim what may go; what comes within a moment of the first goes with it."""
        self._signals.effects.wait(IDLE_S)
        self._signals.stopping.wait(GATHER_S)
        self._signals.effects.clear()
        finished = self._finished()
        calls = self._writer.call(lambda: self._write(finished), None)
        self._unrecorded = []
        self._dispatcher.took(calls)
        self._performs.begin(calls)

    def end(self) -> None:
        """Let what is under way end, and record it."""
        self._performs.finish()
        finished = self._finished()
        try:
            self._writer.call(lambda: self._dispatcher.record(finished, self._clock()), None)
        except CrossdockError as error:
            log.warning(
                "effects: what became of %d calls is asked at the next start: %s", len(finished), error
            )

    def _finished(self) -> list[Attempted]:
        """What is to be recorded. A lane learns of a call when it is over, whether that can be recorded or not."""
        over = [self._over.popleft() for _ in range(len(self._over))]
        self._dispatcher.learn(over, self._clock())
        self._unrecorded += over
        self._say()
        return self._unrecorded

    def _say(self) -> None:
        """For whoever reads the log: which partner has stopped answering, and which is back."""
        away = {name for name, lane in self._dispatcher.lanes.items() if lane.breaker.tripped}
        for name in sorted(away - self._away):
            log.warning("%s does not answer; its work waits, and it is asked again from time to time", name)
        for name in sorted(self._away - away):
            log.warning("%s answers again", name)
        self._away = away

    def _write(self, finished: Sequence[Attempted]) -> list[Call]:
        """Record what is finished and claim what may go, or neither."""
        now = self._clock()
        self._dispatcher.record(finished, now)
        return self._dispatcher.group(self._dispatcher.claim(self._dispatcher.wants(now), now))


class PublisherLoop:
    """Sends latest values."""

    def __init__(self, publisher: Publisher, clock: Clock, signals: Signals) -> None:
        self._publisher, self._clock, self._signals = publisher, clock, signals

    def turn(self) -> None:
        if not self._publisher.step(self._clock()):
            self._signals.marks.wait(IDLE_S)
            self._signals.marks.clear()


class LogLoop:
    """Moves the log of a store on a file into it, beside the writer.

    Under load more is written meanwhile than is moved, so the log never ends and only grows; cutting it stops the writer
    for as long as the rest and the disk take. So when the log has grown, little is left to move, and the writer moves that:
    the log begins anew in the file that it has. It is cut only where a reader has let it grow beyond `bytes_max`.
    """

    def __init__(
        self, store: HubStore, writer: Writer, bytes_max: int, reach: crash.Reach, signals: Signals
    ) -> None:
        self._store, self._writer, self._bytes_max = store, writer, bytes_max
        self._reach, self._signals = reach, signals

    def turn(self) -> None:
        self._signals.stopping.wait(CHECKPOINT_S)
        self._reach(crash.CHECKPOINT)
        pages = self._store.checkpoint()
        if self._store.wal_bytes() > self._bytes_max:
            self._writer.alone(partial(self._store.truncate_log, patient=False))
        elif pages > LOG_PAGES:
            self._store.checkpoint()  # of what was written during the first one, so that the writer finds little
            self._writer.alone(self._store.restart_log)


class TickLoop:
    """Makes due what has become due, tells what stands still, and drops what is past its time."""

    def __init__(self, store: Store, sweep: Sweep, keeping: Keeping, clock: Clock, signals: Signals) -> None:
        self._store, self._sweep, self._keeping = store, sweep, keeping
        self._clock, self._signals = clock, signals

    def turn(self) -> None:
        self._store.wake(self._clock())
        self._sweep.step(self._clock())
        self._keeping.step(self._clock())
        self._signals.effects.set()
        self._signals.marks.set()
        self._signals.stopping.wait(IDLE_S)


def few_cycles() -> None:
    """Look for garbage in cycles rarely, and never among what is there by now: messages make hardly any."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def clock_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1_000
