"""The bodies of the hub's threads: each turns a `step(now)` into a loop that sleeps until there is something to do."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from crossdock.bootstrap.writer import Ticket, Writer
from crossdock.engine.dispatcher import Attempted, Dispatcher
from crossdock.engine.marks import Publisher
from crossdock.engine.pipeline import Pipeline, Translated
from crossdock.engine.port import Batch, Claim, ClaimedEffect, Store
from crossdock.errors import CrossdockError

log = logging.getLogger("crossdock")
IDLE_S = 0.1
AFTER_ERROR_S = 1.0
GATHER_S = 0.01
Clock = Callable[[], int]


class Signals(msgspec.Struct):
    """What wakes which loop."""

    messages: threading.Event = msgspec.field(default_factory=threading.Event)
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


class PipelineLoop:
    """Two batches deep: while one is being written, the next one is translated."""

    def __init__(self, pipeline: Pipeline, writer: Writer, clock: Clock, signals: Signals) -> None:
        self._pipeline, self._writer, self._clock, self._signals = pipeline, writer, clock, signals
        self._writing: tuple[list[Translated], Ticket] | None = None
        self._claims: deque[Claim] = deque()

    def turn(self) -> None:
        """Handle one batch, or wait for one."""
        now = self._clock()
        if not self._claims:
            if self._writing is None:
                self._claims.append(self._claim(now))
            else:
                self._settle()
            if not self._claims:
                return
        claim = self._claims.popleft()
        if not claim.messages:
            self._settle()
            if not self._claims:
                self._signals.messages.wait(IDLE_S)
                self._signals.messages.clear()
            return
        if self._writing is None and not self._claims and len(claim.messages) >= self._pipeline.batch_max:
            self._claims.append(self._claim(now))
        ready = self._pipeline.translate(claim, now)
        self._settle()
        if ready:
            if len(ready) < self._pipeline.batch_max // 4: self._signals.stopping.wait(GATHER_S)
            batch = self._pipeline.decide(ready, now)
            self._writing = (ready, self._writer.submit(lambda: self._write(batch, now)))

    def _claim(self, now: int) -> Claim:
        return self._writer.call(lambda: self._pipeline.claim(now))

    def _write(self, batch: Batch, now: int) -> Claim:
        self._pipeline.write(batch)
        return self._pipeline.claim(now)

    def _settle(self) -> None:
        """Wait for the batch that is being written; what could not be written is done again in halves."""
        if self._writing is None:
            return
        ready, ticket = self._writing
        self._writing = None
        try:
            self._claims.append(ticket.wait())
        except CrossdockError as error:
            log.warning("a batch of %d is done again in halves: %s", len(ready), error)
            failure = error
            self._writer.call(lambda: self._pipeline.again(ready, failure, self._clock()))
        self._signals.effects.set()
        self._signals.marks.set()


class EffectLoop:
    """One thread settles and claims; as many as there are places perform."""

    def __init__(self, dispatcher: Dispatcher, writer: Writer, clock: Clock, signals: Signals) -> None:
        self._dispatcher, self._writer, self._clock, self._signals = dispatcher, writer, clock, signals
        self._todo: queue.SimpleQueue[ClaimedEffect | None] = queue.SimpleQueue()
        self._done: deque[Attempted] = deque()

    def turn(self) -> None:
        """Settle what is finished, claim what may go, sleep until either."""
        self._signals.effects.wait(IDLE_S)
        self._signals.stopping.wait(GATHER_S)
        self._signals.effects.clear()
        finished = [self._done.popleft() for _ in range(len(self._done))]
        now = self._clock()
        taken = self._writer.call(lambda: self._dispatcher.turn(finished, now))
        for effect in taken:
            self._todo.put(effect)
        if finished:
            self._signals.messages.set()

    def perform(self) -> None:
        """A worker: one effect after the other."""
        effect = self._todo.get()
        if effect is None:
            return
        self._done.append(self._dispatcher.perform(effect))
        self._signals.effects.set()

    def release(self, workers: int) -> None:
        """Let workers that wait for work end."""
        for _ in range(workers):
            self._todo.put(None)


class PublisherLoop:
    """Sends latest values."""

    def __init__(self, publisher: Publisher, clock: Clock, signals: Signals) -> None:
        self._publisher, self._clock, self._signals = publisher, clock, signals

    def turn(self) -> None:
        if not self._publisher.step(self._clock()):
            self._signals.marks.wait(IDLE_S)
            self._signals.marks.clear()


class TickLoop:
    """Makes due what has become due."""

    def __init__(self, store: Store, clock: Clock, signals: Signals) -> None:
        self._store, self._clock, self._signals = store, clock, signals

    def turn(self) -> None:
        self._store.wake(self._clock())
        self._signals.messages.set()
        self._signals.effects.set()
        self._signals.marks.set()
        self._signals.stopping.wait(IDLE_S)


def clock_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1_000
