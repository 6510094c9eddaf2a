"""The bodies of the hub's threads: each turns a `step(now)` into a loop that sleeps until there is something to do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from crossdock.bootstrap.writer import Ticket, Writer
from crossdock.engine.dispatcher import Attempted, Dispatcher, traceparent_of
from crossdock.engine.marks import Publisher
from crossdock.engine.pipeline import Pipeline, Translated
from crossdock.engine.port import Batch, Claim, ClaimedEffect, Store
from crossdock.errors import CrossdockError
from crossdock.transport.http import AsyncHttpTransport

log = logging.getLogger("crossdock")
IDLE_S = 0.1
AFTER_ERROR_S = 1.0
GATHER_S = 0.004
STOP_S = 30.0
Clock = Callable[[], int]


class Bell:
    """Wakes an event loop from any thread; rung many times before it is heard, it is heard once."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()
        self._rung = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which loop listens."""
        self._loop = loop

    def detach(self) -> None:
        """Say that nobody listens any more."""
        self._loop = None

    def set(self) -> None:
        """Ring."""
        loop = self._loop
        if loop is not None and not self._rung:
            self._rung = True
            with contextlib.suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout_s: float) -> None:
        """Wait until it rings, at most so long; what comes within a moment of it is heard with it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout_s)
        await asyncio.sleep(GATHER_S)
        self._rung = False
        self._event.clear()


class Signals(msgspec.Struct):
    """What wakes which loop."""

    messages: threading.Event = msgspec.field(default_factory=threading.Event)
    effects: Bell = msgspec.field(default_factory=Bell)
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


class EffectLoop:
    """One event loop performs every effect; settling and claiming are one write."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        transports: Mapping[str, AsyncHttpTransport],
        writer: Writer,
        clock: Clock,
        signals: Signals,
    ) -> None:
        self._dispatcher, self._transports = dispatcher, transports
        self._writer, self._clock, self._signals = writer, clock, signals
        self._places = {
            name: asyncio.Semaphore(lane.concurrency_max) for name, lane in dispatcher.lanes.items()
        }
        self._done: list[Attempted] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Settle what is finished, claim what may go, until the hub stops; then let what is under way end."""
        loop = asyncio.get_running_loop()
        self._signals.effects.attach(loop)
        while not self._signals.stopping.is_set():
            try:
                await self._turn(loop)
            except CrossdockError as error:
                log.warning("effects: %s", error)
                await asyncio.sleep(AFTER_ERROR_S)
            except Exception:
                log.exception("effects failed; it goes on in a second")
                await asyncio.sleep(AFTER_ERROR_S)
        self._signals.effects.detach()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_S)
        try:
            await self._writer.submit(lambda: self._dispatcher.record(self._done, self._clock())).wait_on(
                loop
            )
        except CrossdockError as error:
            log.warning("effects: what became of %d is asked at the next start: %s", len(self._done), error)

    async def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        await self._signals.effects.wait(IDLE_S)
        finished, self._done = self._done, []
        try:
            effects = await self._write(finished, loop)
        except BaseException:
            self._done = finished + self._done
            raise
        for effect in effects:
            task = loop.create_task(self._perform(effect))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if finished:
            self._signals.messages.set()

    async def _write(self, finished: list[Attempted], loop: asyncio.AbstractEventLoop) -> list[ClaimedEffect]:
        """Record what is finished and claim what may go, or neither."""
        now, dispatcher = self._clock(), self._dispatcher
        wants = dispatcher.wants(now)

        def write() -> list[ClaimedEffect]:
            dispatcher.record(finished, now)
            return dispatcher.claim(wants, now)

        effects: list[ClaimedEffect] = await self._writer.submit(write).wait_on(loop)
        dispatcher.took(effects)
        return effects

    async def _perform(self, effect: ClaimedEffect) -> None:
        """Call the partner, when there is a place: no more calls are under way than it bears."""
        async with self._places[effect.connection]:
            if self._signals.stopping.is_set():
                attempted = self._dispatcher.released(effect)
            else:
                attempted = await self._attempt(effect)
        self._dispatcher.learn([attempted], self._clock())
        self._done.append(attempted)
        self._signals.effects.set()

    async def _attempt(self, effect: ClaimedEffect) -> Attempted:
        transport = self._transports[effect.connection]
        traceparent = traceparent_of(effect)
        steps = self._dispatcher.attempt(effect)
        try:
            sending = next(steps)
            while True:
                try:
                    reply = await transport.send(sending.request, sending.timeout_s, traceparent)
                except Exception as error:
                    sending = steps.throw(error)
                else:
                    sending = steps.send(reply)
        except StopIteration as end:
            attempted: Attempted = end.value
            return attempted


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
