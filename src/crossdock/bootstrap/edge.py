"""The edge of a hub, seen from its core: a process that listens to senders and calls partners.

Two processes use two cores; in one, threads that wait for each other's interpreter lock used as much time as the work.
"""

from __future__ import annotations

import logging
import pickle
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from crossdock.bootstrap.front import PartnerState
from crossdock.bootstrap.hands import STOP_S
from crossdock.bootstrap.link import (
    Ask,
    Begin,
    Frames,
    Kept,
    Link,
    Over,
    Read,
    ReadThese,
    Stop,
    TakeIn,
    Told,
    Up,
    error_of,
    trouble_of,
)
from crossdock.bootstrap.loops import clock_us
from crossdock.bootstrap.reading import BUSY_FROM
from crossdock.engine.messages import Arrival, Receipt
from crossdock.engine.performing import Attempted, Call, cut_off, released
from crossdock.errors import ConfigurationError

log = logging.getLogger("crossdock")
UP_S = 60.0
AGAIN_S = 1.0
WATCH_S = 1.0
HANGS_S = 10.0
"""How long after its lease a call may be untold."""
ASKED_MAX = 4
SETTLE_US = 5_000_000


class Core(Protocol):
    """What the edge may want of the core."""

    stopping: threading.Event

    def take_in(
        self, arrivals: Sequence[Arrival], deliver: Callable[[list[Receipt] | Exception], None]
    ) -> None: ...

    def remember(self, read: Sequence[tuple[int, bytes]]) -> None: ...

    def being_read(self, messages: Sequence[int]) -> None: ...

    def alone(self) -> None: ...

    def partners(self) -> dict[str, PartnerState]: ...

    def erase(self, subject: int) -> None: ...

    def trouble(self) -> str: ...


class EdgeProcess:
    """Starts the edge, starts it again when it dies, and performs calls by it.

    command: how it is started; the number of its socket is added. greeting: what it is told first (pickled). keyed:
    "connection operation" of those whose partner knows our key again: they may be repeated at once.
    """

    def __init__(
        self, core: Core, command: Sequence[str], greeting: object, keyed: Collection[str] = ()
    ) -> None:
        self._keyed = frozenset(keyed)
        self._core, self._command, self._greeting = core, tuple(command), pickle.dumps(greeting)
        self._done: Callable[[Attempted], None] = lambda attempted: None
        self._calls: dict[int, tuple[Call, float]] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._up = threading.Event()
        self._error: Exception | None = None
        self._ending = False
        self._asked = ThreadPoolExecutor(ASKED_MAX, "crossdock-asked")
        self._thread = threading.Thread(target=self._run, name="crossdock-edge", daemon=True)

    # What the effect loop asks

    def start(self, done: Callable[[Attempted], None]) -> None:
        """Start it; returns when it listens. Raises what keeps it from listening."""
        self._done = done
        self._thread.start()
        if not self._up.wait(UP_S):
            raise ConfigurationError(f"The process that listens did not come up within {UP_S:.0f} s.")
        if self._error is not None:
            raise self._error

    def begin(self, calls: Sequence[Call]) -> None:
        """Have these performed; they are given back where there is no edge at the moment."""
        if not calls:
            return
        with self._lock:
            link = self._link
            numbered = list(enumerate(calls, self._number + 1))
            self._number += len(numbered)
            if link is not None:
                self._calls.update((number, (call, _until(call))) for number, call in numbered)
        if link is not None:
            self._send(link, Begin(numbered))
        else:
            for call in calls:
                self._done(released(call))

    def read(self, messages: list[int], first: int) -> None:
        """Have these read ahead; below `first` it is not worth it any more."""
        link = self._link
        if link is not None:
            self._send(link, ReadThese(messages, first))

    def finish(self) -> None:
        """Stop it; returns when what it had begun is over."""
        self._ending = True
        link = self._link
        if link is not None:
            self._send(link, Stop())
        self._thread.join(STOP_S + 5)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self._asked.shutdown(wait=False)

    @property
    def finished(self) -> bool:
        """Whether it is not to be started again."""
        return self._ending or self._error is not None

    @property
    def alive(self) -> bool:
        """Whether it runs, or is being started again."""
        return self._thread.is_alive()

    # Its life

    def _run(self) -> None:
        while not self._ending:
            try:
                self._live()
            except Exception:
                log.exception("the edge failed; it is started again")
            self._cut_off()
            if self.finished:
                return
            log.warning("the process that listens and calls is gone; it is started again")
            time.sleep(AGAIN_S)

    def _live(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [*self._command, str(fd)], pass_fds=(fd,), stdin=subprocess.PIPE
            )
        self._process = process
        if process.stdin is not None:
            with process.stdin as told:
                told.write(self._greeting)
        link = Link(ours)
        with self._lock:
            self._link = link
        try:
            while (frames := link.frames(WATCH_S)) is not None:
                for frame in frames:
                    self._hear(link, frame)
                self._watch(process)
        finally:
            with self._lock:
                self._link = None
            link.close()
            process.wait()
            if not self._up.is_set():
                self._error = ConfigurationError(
                    "The process that listens and calls ended while it started; its last words are above."
                )
                self._up.set()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """A call ends by its deadline; where one has not, the edge hangs, and is ended."""
        with self._lock:
            overdue = bool(self._calls) and next(iter(self._calls.values()))[1] < time.monotonic()
        if overdue:
            log.error("the process that listens and calls does not answer; it is ended and started again")
            process.kill()

    def _cut_off(self) -> None:
        """Nobody will say any more what became of these."""
        self._core.alone()
        with self._lock:
            calls, self._calls = self._calls, {}
        for call, _ in calls.values():
            known = f"{call.connection} {call.operation}" in self._keyed
            self._done(cut_off(call, clock_us(), None if known else SETTLE_US))

    # What it says

    def _hear(self, link: Link, frame: Frames) -> None:
        if isinstance(frame, TakeIn):
            number = frame.number
            self._core.take_in(frame.arrivals, lambda result: self._kept(link, number, result))
        elif isinstance(frame, Read):
            self._core.remember(frame.messages)
        elif isinstance(frame, Over):
            for number, attempted in frame.calls:
                with self._lock:
                    known = self._calls.pop(number, None)
                if known is not None:
                    self._done(attempted)
        elif isinstance(frame, Ask):
            self._asked.submit(self._answer, link, frame)
        elif isinstance(frame, Up):
            self._error = None if frame.trouble is None else error_of(frame.trouble)
            self._up.set()

    def _kept(self, link: Link, number: int, result: list[Receipt] | Exception) -> None:
        if isinstance(result, Exception):
            self._send(link, Kept(number, [], trouble_of(result)))
        else:
            if len(result) >= BUSY_FROM:
                self._core.being_read([receipt.message for receipt in result])
            self._send(link, Kept(number, result))

    def _answer(self, link: Link, ask: Ask) -> None:
        try:
            if ask.what == "partners":
                told = Told(ask.number, partners=self._core.partners())
            elif ask.what == "erase":
                self._core.erase(ask.subject)
                told = Told(ask.number)
            else:
                told = Told(ask.number, text=self._core.trouble())
        except Exception as error:
            told = Told(ask.number, trouble=trouble_of(error))
        self._send(link, told)

    @staticmethod
    def _send(link: Link, frame: Frames) -> None:
        try:
            link.send(frame)
        except OSError:
            log.debug("the edge is gone; what it was to hear is not needed any more")


def _until(call: Call) -> float:
    """When, by the clock that does not jump, the call must be over."""
    lease_until = max(effect.lease_until for effect in call.effects)
    return time.monotonic() + max(0, lease_until - clock_us()) / 1_000_000 + HANGS_S
