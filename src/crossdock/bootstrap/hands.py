"""Hands: perform calls to partners on one event loop, as many at once as each partner bears."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import uvloop

from crossdock.engine.performing import Attempted, Call, Performer, released
from crossdock.sdk.calls import Request, Response

STOP_S = 30.0


class AsyncTransport(Protocol):
    """Performs one request on the running event loop; raises NotSentError or UnclearError."""

    async def send(self, request: Request, timeout_s: float, traceparent: str = "") -> Response: ...


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
        transport, traceparent = self._transports[call.connection], call.traceparent
        steps = self._performer.attempt(call)
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

    def finish(self) -> None:
        """Begin nothing more; returns when what has begun is over."""
        self._hands.finish()
        if self._thread is not None:
            self._thread.join(STOP_S + 1)
