"""What both faces hold in their hands: the hub, what may be asked of it, and answers that are not asked twice a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from crossdock.bootstrap.loops import clock_us
from crossdock.console.overview import Overview, overview, partner_text
from crossdock.console.story import Timeline, timeline
from crossdock.console.times import moment
from crossdock.engine.messages import Arrival, Receipt
from crossdock.stores.sqlite.reads import Reads

if TYPE_CHECKING:
    from crossdock.bootstrap.front import Front
    from crossdock.bootstrap.proof import Check

T = TypeVar("T")
OVERVIEW_S = 1.0
PROOF_S = 60.0
EFFORT_MAX = 20
"""An answer that took long is kept long: at most one twentieth of a core goes into it."""
APPLIED_POLL_S = 0.02
API = "api"


class Keys(Protocol):
    """Who may ask."""

    @property
    def session_key(self) -> bytes:
        """What sessions are signed with; the same after a restart."""
        ...

    def owner(self, token: str) -> str:
        """Whose token this is, "" where it is nobody's; in constant time."""
        ...

    def known(self, name: str) -> bool:
        """Whether there still is a token of that name: one that is withdrawn ends its sessions."""
        ...


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant: its letter in the design, whether it holds, what was counted, what to look at.

    `whole`: everything there is was read for it; else the text says how far it was read.
    """

    letter: str
    name: str
    ok: bool
    count: int
    text: str
    whole: bool = True


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The invariants, checked at one moment."""

    at: datetime
    ok: bool
    took_ms: int
    checks: list[CheckResult]


class Face:
    """One per hub. Every method may block for milliseconds: call it in a worker thread."""

    def __init__(self, hub: Front, keys: Keys) -> None:
        self.hub, self.keys = hub, keys
        self._overview = _Kept(self._read_overview, OVERVIEW_S)
        self._proof = _Kept(self._prove, PROOF_S)

    def reads(self) -> AbstractContextManager[Reads]:
        """Questions to the store."""
        return self.hub.reads()

    def sources(self) -> list[str]:
        """Every name under which orders may be known."""
        return [API, *self.hub.config.connections]

    def overview(self) -> Overview:
        """The hub at a glance, a second old at most while it is quick."""
        return self._overview.value()

    def proof(self, *, fresh: bool = False) -> Proof:
        """The invariants; `fresh` asks again, though not twice at the same time."""
        return self._proof.value(fresh=fresh)

    def last_proof(self) -> Proof | None:
        """The latest proof, without asking anew: one that was asked for here, or the one that the hub makes each minute."""
        from crossdock.bootstrap.proof import kept_proof

        with self.reads() as reads:
            kept = kept_proof(reads)
        found = [
            proof for proof in (self._proof.last(), _proof(kept.at, kept.checks) if kept else None) if proof
        ]
        return max(found, key=lambda proof: proof.at, default=None)

    def timeline(self, subject: int) -> Timeline:
        """The story of an order."""
        now, partners = clock_us(), self.hub.partners()
        with self.reads() as reads:
            return timeline(reads, subject, lambda name: partner_text(partners.get(name), name, now))

    def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Keep messages; returns once they are durable."""
        return self.hub.accept(arrivals)

    def applied(self, receipt: Receipt, wait_s: float) -> bool:
        """Whether a message was handled within `wait_s`, so that a page can show what it did."""
        until = time.monotonic() + wait_s
        with self.reads() as reads:
            while not reads.rows("message_outcome", receipt.subject, receipt.message):
                if time.monotonic() >= until:
                    return False
                time.sleep(APPLIED_POLL_S)
        return True

    def _read_overview(self) -> Overview:
        with self.reads() as reads:
            return overview(self.hub, reads, clock_us())

    def _prove(self) -> Proof:
        from crossdock.bootstrap.proof import deadlines_of, prove

        began, now = time.monotonic(), clock_us()
        with self.reads() as reads:
            found = prove(reads, now, deadlines=deadlines_of(self.hub.config.plan.policy))
        return _proof(now, found, int((time.monotonic() - began) * 1000))


def _proof(at: int, found: Sequence[Check], took_ms: int = 0) -> Proof:
    checks = [msgspec.convert(check, CheckResult, from_attributes=True) for check in found]
    return Proof(at=moment(at), ok=all(check.ok for check in checks), took_ms=took_ms, checks=checks)


class _Kept(Generic[T]):
    """An answer that is kept for a while. While it is asked for anew, everybody else gets the old one."""

    def __init__(self, ask: Callable[[], T], age_s: float) -> None:
        self._ask, self._age_s = ask, age_s
        self._lock = threading.Lock()
        self._found: list[T] = []
        self._until = 0.0
        self._asked_at = 0.0

    def last(self) -> T | None:
        return self._found[0] if self._found else None

    def value(self, *, fresh: bool = False) -> T:
        wanted = time.monotonic()
        if self._found and not fresh and wanted < self._until:
            return self._found[0]
        if not self._lock.acquire(blocking=fresh or not self._found):
            return self._found[0]
        try:
            if self._found and (self._asked_at >= wanted or (not fresh and wanted < self._until)):
                return self._found[0]
            began = time.monotonic()
            found = self._ask()
            took = time.monotonic() - began
            self._found = [found]
            self._asked_at, self._until = began, began + max(self._age_s, took * EFFORT_MAX)
            return found
        finally:
            self._lock.release()


__all__ = ["API", "CheckResult", "Face", "Keys", "Proof"]
