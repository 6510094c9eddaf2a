"""The one writer: a thread that runs every write of the store, grouped, intake first.

While one group is being made durable the next one gathers, so the fsync is shared by all that waited: the more there
is to do, the larger the groups. Arrivals go in a transaction of their own before anything else, so that a 2xx never
waits behind a batch.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from crossdock.bootstrap.gathering import GROUP_BYTES_MAX
from crossdock.engine import crash
from crossdock.engine.messages import Arrival, Receipt
from crossdock.engine.port import Store
from crossdock.errors import OverloadedError
from crossdock.stores.opening import HubStore

T = TypeVar("T")
log = logging.getLogger("crossdock")
GROUP_JOBS_MAX = 64
INTAKE_GROUP_MAX = 2_000
WAIT_S = 60.0

Deliver = Callable[[list[Receipt] | Exception], None]


class Ticket:
    """A write that is waiting to be done, and its result."""

    __slots__ = ("_done", "job", "result")

    def __init__(self, job: Callable[[], Any]) -> None:
        self.job = job
        self.result: Any = None
        self._done = threading.Event()

    def finish(self, result: Any) -> None:
        """Give the result to whoever waits."""
        self.result = result
        self._done.set()

    def wait(self, wait_s: float | None = None) -> Any:
        """The result, or the error raised. Who gives up after `wait_s` does not undo what is still done later."""
        if not self._done.wait(wait_s):
            raise OverloadedError("The store did not answer in time; it is busy, or its disk hangs.")
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Writer:
    """Owns the store's writing side. `run` is its thread's body.

    taken_in: arrivals so far. work: what is done between writes, on the same thread, as long as it says that there is more. Two threads that decide
    and write by turns wait for each other's interpreter lock longer than either works.
    """

    def __init__(
        self,
        store: HubStore,
        clock: Callable[[], int],
        reach: crash.Reach,
    ) -> None:
        self._store, self._clock, self._reach = store, clock, reach
        self.work: Callable[[], bool] = lambda: False
        self.taken_in = 0
        self._intake: deque[tuple[Sequence[Arrival], Deliver]] = deque()
        self._jobs: deque[Ticket] = deque()
        self._alone_jobs: deque[Ticket] = deque()
        self._waiting = threading.Semaphore(0)
        self._stopping = False

    def take_in(self, arrivals: Sequence[Arrival], deliver: Deliver) -> None:
        """Keep arrivals; `deliver` is called on the writer's thread once they are durable, or could not be kept."""
        self._intake.append((arrivals, deliver))
        self._waiting.release()

    def submit(self, job: Callable[[], T]) -> Ticket:
        """Do `job` soon, inside a transaction that it may share with others; the ticket gives its result."""
        ticket = Ticket(job)
        self._jobs.append(ticket)
        self._waiting.release()
        return ticket

    def call(self, job: Callable[[], T], wait_s: float | None = WAIT_S) -> T:
        """Do `job` and wait for it. A loop that must know what came of it waits for as long as it takes: None."""
        return cast(T, self.submit(job).wait(wait_s))

    def alone(self, job: Callable[[], T]) -> T:
        """Do `job` outside of any transaction, and wait for it."""
        ticket = Ticket(job)
        self._alone_jobs.append(ticket)
        self._waiting.release()
        return cast(T, ticket.wait())

    def wake(self) -> None:
        """Look for work."""
        self._waiting.release()

    def stop(self) -> None:
        """End the thread after what is queued has been written."""
        self._stopping = True
        self._waiting.release()

    def run(self) -> None:
        """Write until stopped and empty; in between, work."""
        while True:
            self._waiting.acquire()
            while self._waiting.acquire(blocking=False):
                pass
            self._write_all()
            while not self._stopping and self.work():
                self._write_all()
            if self._stopping and not (self._intake or self._jobs or self._alone_jobs):
                return

    def breathe(self) -> None:
        """Take in what has arrived meanwhile: for work that takes its time, on this thread."""
        while self._intake:
            self._write_intake()

    def _write_all(self) -> None:
        while self._intake or self._jobs or self._alone_jobs:
            self.breathe()
            if self._jobs:
                self._write_jobs()
            if self._alone_jobs:
                self._do_alone(self._alone_jobs.popleft())

    def _write_intake(self) -> None:
        groups: list[tuple[Sequence[Arrival], Deliver]] = []
        count = size = 0
        while self._intake and count < INTAKE_GROUP_MAX and size < GROUP_BYTES_MAX:
            groups.append(self._intake.popleft())
            count += len(groups[-1][0])
            size += sum(len(arrival.body) for arrival in groups[-1][0])
        self._reach(crash.INTAKE_BEFORE_COMMIT)
        now = self._clock()
        try:
            receipts = self._store.accept([arrival for group, _ in groups for arrival in group], now)
        except Exception as error:
            if len(groups) > 1:
                for arrivals, deliver in groups:
                    self._alone(arrivals, deliver)
            else:
                _give(groups[0][1], error)
            return
        self._reach(crash.INTAKE_COMMITTED)
        self.taken_in += len(receipts)
        start = 0
        for group, deliver in groups:
            _give(deliver, receipts[start : start + len(group)])
            start += len(group)

    def _alone(self, group: Sequence[Arrival], deliver: Deliver) -> None:
        try:
            receipts = self._store.accept(group, self._clock())
        except Exception as error:
            _give(deliver, error)
        else:
            _give(deliver, receipts)

    @staticmethod
    def _do_alone(ticket: Ticket) -> None:
        try:
            result = ticket.job()
        except Exception as error:
            result = error
        _give(ticket.finish, result)

    def _write_jobs(self) -> None:
        tickets: list[Ticket] = []
        while self._jobs and len(tickets) < GROUP_JOBS_MAX:
            tickets.append(self._jobs.popleft())
        try:
            results: Sequence[Any] = self._store.group([ticket.job for ticket in tickets])
        except Exception as error:
            results = [error] * len(tickets)
        for ticket, result in zip(tickets, results, strict=True):
            _give(ticket.finish, result)


def _give(taker: Callable[[Any], None], result: Any) -> None:
    """Hand a result to who waits for it. That they are gone (their event loop has ended) is not the writer's end."""
    try:
        taker(result)
    except Exception:
        log.exception("nobody took the result of a write")


class _OnWriter:
    """Every method of the store, done by the writer."""

    def __init__(self, store: HubStore, writer: Writer) -> None:
        self._store, self._writer = store, writer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        def on_writer(*arguments: Any) -> Any:
            return self._writer.call(lambda: method(*arguments), None)

        return on_writer


def on_writer(store: HubStore, writer: Writer) -> Store:
    """The store as seen from any other thread: each call is done by the writer and waited for."""
    return cast(Store, _OnWriter(store, writer))
