"""Hands: perform calls to partners on one event loop, as many at once as each partner bears."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import uvloop

from crossdock.config import Config
from crossdock.engine.performing import Attempted, Call, Performer, released
from crossdock.engine.port import ClaimedEffect
from crossdock.flows.documents import fill_command, join_document
from crossdock.model.order import Order
from crossdock.stores.sqlite.cache import Recent
from crossdock.transport.opening import AsyncTransport, async_transport_for

STOP_S = 30.0
ORDERS_READ_MAX = 1_000


Done = Callable[[Attempted], None]


class Hands:
    """Owned by one event loop, in this process or in another; `begin` and `finish` may be called from any thread.

    Once `stopping` is set no call is begun.
    """

    def __init__(
        self,
        performer: Performer,
        transports: Mapping[str, AsyncTransport],
        places: Mapping[str, int],
        stopping: threading.Event,
    ) -> None:
        self._performer, self._transports = performer, transports
        self._stopping = stopping
        self._done: Done = lambda attempted: None
        self._free = {name: asyncio.Semaphore(most) for name, most in places.items()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Call] = []
        self._ending = asyncio.Event()

    async def run(self, done: Done) -> None:
        """Perform until `finish`; then what has begun may end. `done` is told each call that is over, on this thread."""
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._start()
        await self._ending.wait()
        self._start()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_S)
        for transport in self._transports.values():
            await transport.close()
        self._loop = None

    def begin(self, calls: Sequence[Call]) -> None:
        """Have these performed."""
        self._waiting += calls
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._start)

    def finish(self) -> None:
        """End, once what has begun is over."""
        self._stopping.set()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ending.set)

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        calls, self._waiting = self._waiting, []
        for call in calls:
            task = loop.create_task(self._perform(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _perform(self, call: Call) -> None:
        """Make a call, when there is a place for it."""
        async with self._free[call.connection]:
            attempted = released(call) if self._stopping.is_set() else await self._attempt(call)
        self._done(attempted)

    async def _attempt(self, call: Call) -> Attempted:
        transport = self._transports[call.connection]
        traceparent, tracestate = call.traceparent, call.tracestate
        steps = self._performer.attempt(call)
        try:
            sending = next(steps)
            while True:
                try:
                    reply = await transport.send(sending.request, sending.timeout_s, traceparent, tracestate)
                except Exception as error:
                    sending = steps.throw(error)
                else:
                    sending = steps.send(reply)
        except StopIteration as end:
            attempted: Attempted = end.value
            return attempted


class Preparing:
    """Makes typed commands. An order's effects follow each other closely, so its document is read once."""

    def __init__(self) -> None:
        self._orders: Recent[tuple[int, int, bool], Order] = Recent(ORDERS_READ_MAX)

    def __call__(self, effect: ClaimedEffect) -> Any:
        """The command of an effect."""
        order: Order | None = None
        if effect.document:
            key = (effect.subject, effect.document, bool(effect.party))
            order = self._orders.get(key)
            if order is None:
                order = join_document(effect.value, effect.party)
                self._orders.add(key, order, 1)
        return fill_command(effect.operation, effect.command, order)


def hands_of(config: Config, performer: Performer, stopping: threading.Event) -> Hands:
    """Hands for every connection of a configuration."""
    transports = {
        name: async_transport_for(
            connection.settings,
            performer.connectors[name].request_headers(),
            response_bytes_max=config.limits.response_bytes_max,
        )
        for name, connection in config.connections.items()
    }
    places = {name: connection.limits.concurrency_max for name, connection in config.connections.items()}
    return Hands(performer, transports, places, stopping)


class HandsThread:
    """Hands on a thread of this process."""

    def __init__(self, hands: Hands) -> None:
        self.begin, self._hands = hands.begin, hands
        self._thread: threading.Thread | None = None

    def start(self, done: Done) -> None:
        """Start the thread."""
        hands = self._hands
        self._thread = threading.Thread(
            target=lambda: uvloop.run(hands.run(done)), name="crossdock-hands", daemon=True
        )
        self._thread.start()

    def read(self, messages: list[int], first: int) -> None:
        """Nobody here has more time for it than the pipeline."""

    def finish(self) -> None:
        """Begin nothing more; returns when what has begun is over."""
        self._hands.finish()
        if self._thread is not None:
            self._thread.join(STOP_S + 1)
