"""The edge process: the gate, the API and the console listen here, and calls to partners are made from here.

`python -m crossdock.gateway.edge FD`, started by the core with a socket to it as FD and, on standard input, what to be.
It opens the store only to read; everything that is to be kept goes to the core.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import pickle
import random
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, cast

import msgspec
import uvloop

from crossdock.bootstrap.crashing import reach_from
from crossdock.bootstrap.front import PartnerState
from crossdock.bootstrap.gathering import Gathering
from crossdock.bootstrap.hands import Hands, Preparing, hands_of
from crossdock.bootstrap.link import (
    Ask,
    Begin,
    Frames,
    Kept,
    Over,
    Read,
    ReadThese,
    Stop,
    TakeIn,
    Told,
    Unpacker,
    Up,
    error_of,
    packed,
    trouble_of,
)
from crossdock.bootstrap.loops import clock_us, few_cycles
from crossdock.bootstrap.reading import BODY_BYTES_MAX, BUSY_FROM, messages_of, read_ahead
from crossdock.config import Config
from crossdock.config.registry import Registry
from crossdock.engine.messages import Arrival, Message, Receipt
from crossdock.engine.performing import Attempted, Performer
from crossdock.errors import CrossdockError, UnclearError
from crossdock.flows.handler import RetailHandler
from crossdock.gateway.server import HubServer
from crossdock.sdk.spec import Connector
from crossdock.stores.opening import open_messages, open_reads
from crossdock.stores.reads import Reads
from crossdock.stores.vault import Vault

PR_SET_PDEATHSIG = 1
ANSWER_S = 65.0
READ_MAX = 20
Deliver = Callable[[list[Receipt] | Exception], None]
Stored = Callable[[Sequence[int]], list[Message]]
POOLED_READS_MAX = 8
LAST_WORDS_S = 0.1
"""What was told last leaves the process."""
GONE = "The hub is going down; nothing was kept. Send it again."


class Greeting(msgspec.Struct, frozen=True):
    """What the core tells the edge first."""

    config: Config
    master_key: bytes
    host: str
    port: int
    started_at: int


class Core(asyncio.Protocol):
    """The link to the core, on the edge's event loop. When the core is gone the process is gone: nothing is kept here."""

    def __init__(
        self, hands: Hands, handler: RetailHandler, stored: Stored, stopping: threading.Event
    ) -> None:
        self._hands, self._handler, self._stopping = hands, handler, stopping
        self._stored, self._to_read, self._reading = stored, deque[int](), False
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._numbers: dict[int, int] = {}
        self._waiting: dict[int, tuple[list[Arrival], Deliver]] = {}
        self._asked: dict[int, Future[Told]] = {}
        self._number = 0
        self._over: list[tuple[int, Attempted]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The link is there."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The core is gone, and with it everything that this process was for."""
        os._exit(1)

    def data_received(self, data: bytes) -> None:
        """Frames of the core."""
        for frame in self._unpacker.feed(data):
            if isinstance(frame, Begin):
                self._begin(frame)
            elif isinstance(frame, Kept):
                self._kept(frame)
            elif isinstance(frame, Told):
                asked = self._asked.pop(frame.number)
                if frame.trouble is None:
                    asked.set_result(frame)
                else:
                    asked.set_exception(error_of(frame.trouble))
            elif isinstance(frame, ReadThese):
                self._read_these(frame)
            elif isinstance(frame, Stop):
                self._stopping.set()
                self._hands.finish()

    def _kept(self, frame: Kept) -> None:
        arrivals, deliver = self._waiting.pop(frame.number)
        if frame.trouble is not None:
            deliver(error_of(frame.trouble))
            return
        deliver(frame.receipts)
        if len(arrivals) >= BUSY_FROM:
            self._loop.call_soon(self._read_ahead, messages_of(arrivals, frame.receipts))

    def _read_ahead(self, messages: list[Message]) -> None:
        """A few at a time: senders wait for this thread, too."""
        self.send(Read(read_ahead(self._handler, messages[:READ_MAX])))
        if len(messages) > READ_MAX:
            self._loop.call_soon(self._read_ahead, messages[READ_MAX:])

    def _read_these(self, frame: ReadThese) -> None:
        while self._to_read and self._to_read[0] < frame.first:
            self._to_read.popleft()
        self._to_read.extend(frame.messages)
        if not self._reading:
            self._reading = True
            self._loop.call_soon(self._read_stored)

    def _read_stored(self) -> None:
        """Likewise, of what waits in the store."""
        ids = [self._to_read.popleft() for _ in range(min(READ_MAX, len(self._to_read)))]
        self._reading = bool(self._to_read)
        if self._reading:
            self._loop.call_soon(self._read_stored)
        with contextlib.suppress(CrossdockError):  # the core reads what nobody has read ahead
            self.send(Read(read_ahead(self._handler, self._stored(ids))))

    def send(self, frame: Frames) -> None:
        """Send a frame, on the loop's thread."""
        self._transport.write(packed(frame))

    def take_in(self, arrivals: Sequence[Arrival], deliver: Deliver) -> None:
        """Have arrivals kept; on the loop's thread."""
        now = clock_us()
        received = [
            arrival if arrival.received_at else msgspec.structs.replace(arrival, received_at=now)
            for arrival in arrivals
        ]
        self._number += 1
        self._waiting[self._number] = (received, deliver)
        self.send(TakeIn(self._number, received))

    def _begin(self, frame: Begin) -> None:
        for number, call in frame.calls:
            self._numbers[call.effects[0].id] = number
        self._hands.begin([call for _, call in frame.calls])

    def over(self, attempted: Attempted) -> None:
        """Tell of a call that is over; those of one turn of the loop go together, and without what the core has."""
        if not self._over:
            self._loop.call_soon(self._tell)
        results = tuple(
            msgspec.structs.replace(
                result,
                effect=msgspec.structs.replace(result.effect, value=b"", party=b"", command=b"{}"),
            )
            for result in attempted.results
        )
        number = self._numbers.pop(results[0].effect.id)
        self._over.append((number, msgspec.structs.replace(attempted, results=results)))

    def _tell(self) -> None:
        over, self._over = self._over, []
        self.send(Over(over))

    def ask(self, what: str, subject: int = 0) -> Told:
        """Ask the core; from any thread but the loop's."""
        future: Future[Told] = Future()

        def send() -> None:
            self._number += 1
            self._asked[self._number] = future
            self.send(Ask(self._number, what, subject))

        self._loop.call_soon_threadsafe(send)
        return future.result(ANSWER_S)


class EdgeFront:
    """A hub as its faces know it, when its core is another process."""

    def __init__(
        self,
        greeting: Greeting,
        connectors: Mapping[str, Connector],
        core: Core,
        stopping: threading.Event,
    ) -> None:
        self.config, self.connectors = greeting.config, connectors
        self.started_at, self.stopping = greeting.started_at, stopping
        self.processes: Mapping[str, int] = {"core": os.getppid(), "edge": os.getpid()}
        self._core, self._vault = core, Vault(greeting.master_key)
        self._loop = asyncio.get_running_loop()
        self._pooled: list[Reads] = []

    def gathering(self) -> Gathering:
        """A gate for this process's event loop."""
        return Gathering(self._core, self.config.limits.intake_waiting_max)

    def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Keep arrivals; returns after the commit."""
        future: Future[list[Receipt]] = Future()

        def deliver(result: list[Receipt] | Exception) -> None:
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

        self._loop.call_soon_threadsafe(self._core.take_in, arrivals, deliver)
        try:
            return future.result(ANSWER_S)
        except TimeoutError as error:
            raise UnclearError(GONE) from error

    @contextmanager
    def reads(self) -> Iterator[Reads]:
        """A reader from the pool."""
        reads = self._pooled.pop() if self._pooled else open_reads(self.config.hub.store, self._vault)
        try:
            yield reads
        finally:
            if len(self._pooled) < POOLED_READS_MAX:
                self._pooled.append(reads)
            else:
                reads.close()

    def overtakes(self, source: str, kind: str) -> bool:
        """True where messages of this kind never wait behind a parked one."""
        connector = self.connectors.get(source)
        inbound = None if connector is None else connector.spec.understands(kind)
        return inbound is not None and inbound.overtakes

    def new_trace(self) -> str:
        """A W3C trace id: the correlation id of a story that begins here."""
        return os.urandom(16).hex()

    def partners(self) -> Mapping[str, PartnerState]:
        """How every partner is now."""
        return self._core.ask("partners").partners

    def erase(self, subject: int) -> None:
        """Forget the persons of a subject, for good."""
        self._core.ask("erase", subject)

    def trouble(self) -> str:
        """What keeps the hub from working; "" where nothing does."""
        return "The hub is stopping." if self.stopping.is_set() else self._core.ask("trouble").text


async def run(greeting: Greeting, end: socket.socket) -> None:
    """Listen and call until the core says stop."""
    config, stopping = greeting.config, threading.Event()
    registry = Registry()
    connectors: dict[str, Connector] = {
        name: registry.get(connection.connector).build(connection.settings)
        for name, connection in config.connections.items()
    }
    performer = Performer(
        connectors,
        Preparing(),
        clock=clock_us,
        jitter=random.SystemRandom().random,
        policy=config.retries,
        reach=reach_from(os.environ, os.getppid()),
    )
    hands = hands_of(config, performer, stopping)
    loop = asyncio.get_running_loop()
    handler = RetailHandler(config.plan, connectors)
    stored = open_messages(config.hub.store, Vault(greeting.master_key), BODY_BYTES_MAX)
    _, core = await loop.create_unix_connection(lambda: Core(hands, handler, stored, stopping), sock=end)
    try:
        front = EdgeFront(greeting, connectors, core, stopping)
        server = HubServer(front, host=greeting.host, port=greeting.port)
    except Exception as error:
        core.send(Up(trouble_of(error)))
        await asyncio.sleep(LAST_WORDS_S)
        return
    serving = asyncio.ensure_future(server.serve())
    await server.listening()
    few_cycles()
    core.send(Up())
    await asyncio.gather(serving, hands.run(core.over))
    await asyncio.sleep(LAST_WORDS_S)


def _end_with_core() -> None:
    """On Linux the kernel ends this process with the thread that started it, even while it is frozen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """The body of the process. What stops a hub is told to its core, which tells this one."""
    _end_with_core()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    greeting: Any = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    with socket.socket(fileno=int(sys.argv[1])) as end:
        uvloop.run(run(greeting, end))


if __name__ == "__main__":
    main()
