"""Arrivals of one event loop on their way to the writer: while one group is being written, the next one gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from crossdock.engine.messages import Arrival, Receipt
from crossdock.errors import OverloadedError, RetryableError

GROUP_BYTES_MAX = 32 * 1024 * 1024
"""Bodies of one group: they are written in one statement, whose values SQLite bounds."""
WAITING_BYTES_MAX = 256 * 1024 * 1024
"""Bodies that may be in memory on their way to the writer; more are refused until those are written."""
ANSWER_S = 10.0
"""How long a sender waits to be told that its message is kept. After that it is told to send it again: where it was kept
all the same, it is known again."""

Group = list[tuple[Arrival, asyncio.Future[Receipt]]]
Then = Callable[[asyncio.AbstractEventLoop, Group, list[Receipt] | Exception], None]


class TakesIn(Protocol):
    """What the gate hands arrivals to; `deliver` is called on another thread once they are durable."""

    def take_in(
        self, arrivals: Sequence[Arrival], deliver: Callable[[list[Receipt] | Exception], None]
    ) -> None: ...


def too_late() -> OverloadedError:
    """The store has not answered within ANSWER_S: nobody waits for one that hangs."""
    return OverloadedError(
        "The store did not answer in time; it is busy, or it hangs. Send it again in a moment.", retry_after=1
    )


class Gathering:
    """Arrivals of one event loop, on their way to the writer: at most one group under way, the next one gathers."""

    def __init__(self, writer: TakesIn, waiting_max: int) -> None:
        self._writer, self._waiting_max = writer, waiting_max
        self._gathered: Group = []
        self._under_way = 0
        self._bytes = 0

    async def accept(self, arrival: Arrival) -> Receipt:
        """Keep one arrival; returns after the commit. Raises OverloadedError when too many wait, or the store hangs."""
        size = len(arrival.body)
        if len(self._gathered) + self._under_way >= self._waiting_max or (
            self._bytes and self._bytes + size > WAITING_BYTES_MAX
        ):
            raise OverloadedError(
                "Too many messages wait to be written. Try again in a moment.", retry_after=1
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._gathered.append((arrival, future))
        self._bytes += size
        if not self._under_way:
            self._go(loop)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError as error:
            raise too_late() from error

    def _go(self, loop: asyncio.AbstractEventLoop) -> None:
        count = size = 0
        for arrival, _ in self._gathered:
            size += len(arrival.body)
            if count and size > GROUP_BYTES_MAX:
                break
            count += 1
        group, self._gathered = self._gathered[:count], self._gathered[count:]
        self._under_way = len(group)
        self._write(loop, group, self._written)

    def _write(self, loop: asyncio.AbstractEventLoop, group: Group, then: Then) -> None:
        def deliver(result: list[Receipt] | Exception) -> None:
            loop.call_soon_threadsafe(then, loop, group, result)

        self._writer.take_in([arrival for arrival, _ in group], deliver)

    def _written(
        self, loop: asyncio.AbstractEventLoop, group: Group, result: list[Receipt] | Exception
    ) -> None:
        self._under_way = 0
        self._bytes -= sum(len(arrival.body) for arrival, _ in group)
        if self._gathered:
            self._go(loop)
        if isinstance(result, Exception) and len(group) > 1 and not isinstance(result, RetryableError):
            for single in group:  # one of them cannot be kept; its neighbours came by chance
                self._write(loop, [single], _answer)
        else:
            _answer(loop, group, result)


def _answer(_: asyncio.AbstractEventLoop, group: Group, result: list[Receipt] | Exception) -> None:
    for position, (_arrival, future) in enumerate(group):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result[position])
