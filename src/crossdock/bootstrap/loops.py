"""The bodies of the hub's threads: each turns a `step(now)` into a loop that sleeps until there is something to do."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from crossdock.bootstrap.writer import Ticket, Writer
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.marks import Publisher
from crossdock.engine.performing import Attempted, Call
from crossdock.engine.pipeline import Pipeline, Translated
from crossdock.engine.port import Batch, Claim, Store
from crossdock.errors import CrossdockError

log = logging.getLogger("crossdock")
IDLE_S = 0.1
AFTER_ERROR_S = 1.0
GATHER_S = 0.004
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


class Writing(msgspec.Struct):
    """A batch that is being written, and what it was decided from."""

    ready: list[Translated]
    batch: Batch
    ticket: Ticket


class PipelineLoop:
    """Two batches deep: while one is being written, the next one is translated and, as a rule, decided."""

    def __init__(
        self, pipeline: Pipeline, store: Store, writer: Writer, clock: Clock, signals: Signals
    ) -> None:
        self._pipeline, self._store, self._writer = pipeline, store, writer
        self._clock, self._signals = clock, signals
        self._writing: Writing | None = None
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
            try:
                self._claims.append(self._claim(now))
            except BaseException:
                self._give_back(claim)
                raise
        self._handle(claim, now)

    def _handle(self, claim: Claim, now: int) -> None:
        try:
            ready = self._pipeline.translate(claim)
            ahead = self._decide_ahead(ready, now)
            in_order = self._settle()
        except BaseException:
            self._give_back(claim)
            raise
        if not in_order:
            self._give_back(claim)
            return
        try:
            batch = ahead or self._pipeline.decide(ready, now)
        except Exception as error:
            for later in self._claims:
                self._store.give_back(later.messages)
            self._claims.clear()
            self._again(ready, error)
        else:
            self._writing = Writing(ready, batch, self._writer.submit(lambda: self._write(batch, now)))

    def _decide_ahead(self, ready: list[Translated], now: int) -> Batch | None:
        """Decide while the batch before is being written, on what it will leave; None where that must be waited for.

        If that batch cannot be written after all, this decision is thrown away with it.
        """
        writing = self._writing
        if writing is None or not writing.batch.plain:
            return None
        try:
            return self._pipeline.decide(ready, now, writing.batch)
        except Exception:
            return None

    def _claim(self, now: int) -> Claim:
        return self._writer.call(lambda: self._pipeline.claim(now), None)

    def _write(self, batch: Batch, now: int) -> Claim:
        self._pipeline.write(batch)
        return self._pipeline.claim(now)

    def _settle(self) -> bool:
        """Wait for the batch that is being written; False where what was claimed after it may not come next any more."""
        if self._writing is None:
            return True
        writing, self._writing = self._writing, None
        try:
            self._claims.append(writing.ticket.wait())
        except Exception as error:
            self._again(writing.ready, error)
            return False
        self._tell()
        return not writing.batch.frees

    def _again(self, ready: list[Translated], error: Exception) -> None:
        """Halve a batch that came to nothing, alone: each half must see what the one before has written."""
        log.warning("a batch of %d is done again in halves: %s", len(ready), error)
        try:
            self._writer.alone(lambda: self._pipeline.again(ready, error, self._clock()))
        finally:
            self._tell()

    def _give_back(self, claim: Claim) -> None:
        """Claim these, and all that was claimed after them, anew: others come first now."""
        for given in (claim, *self._claims):
            self._store.give_back(given.messages)
        self._claims.clear()

    def _tell(self) -> None:
        self._signals.effects.set()
        self._signals.marks.set()


class Performs(Protocol):
    """Whoever performs calls, here or in another process."""

    def start(self, done: Callable[[Attempted], None]) -> None:
        """Be ready; `done` is told, on any thread, what became of each call."""
        ...

    def begin(self, calls: Sequence[Call]) -> None:
        """Have these performed."""
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
        if finished:
            self._signals.messages.set()

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
        return self._unrecorded

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
