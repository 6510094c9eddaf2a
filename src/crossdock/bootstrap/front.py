"""What the faces need of a hub, whether they run in its process or in one of their own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from crossdock.bootstrap.gathering import Gathering
from crossdock.config import Config
from crossdock.engine.lanes import Lane
from crossdock.engine.messages import Arrival, Receipt
from crossdock.engine.pace import Breaker
from crossdock.sdk.spec import Connector
from crossdock.stores.reads import Reads


class PartnerState(msgspec.Struct, frozen=True, kw_only=True):
    """How a partner is, seen from here. Times in microseconds; done and failed count effects since the hub began.

    paced: calls a second that it bears, where these are used up at the moment; else 0. unattended: no process calls it.
    """

    title: str
    live: bool
    paused_until: int
    breaker: Breaker
    paced: float
    done: int
    failed: int
    unattended: bool = False


def state_of(lane: Lane) -> PartnerState:
    """A lane as others may see it."""
    return PartnerState(
        title=lane.connector.spec.title,
        live=lane.live,
        paused_until=lane.paused_until,
        breaker=lane.breaker,
        paced=lane.pace.rate if lane.pace.grants() < 1 else 0.0,
        done=lane.done,
        failed=lane.failed,
    )


class Front(Protocol):
    """A hub as its gate, API and console know it. Every method but `gathering` may block: not for an event loop."""

    config: Config
    connectors: Mapping[str, Connector]
    started_at: int
    processes: Mapping[str, int]
    """The processes that this hub consists of on this machine: part by part the id."""
    stopping: threading.Event

    def gathering(self) -> Gathering:
        """A gate for one event loop."""
        ...

    def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Keep arrivals; returns after the commit."""
        ...

    def reads(self) -> AbstractContextManager[Reads]:
        """A reader from the pool."""
        ...

    def overtakes(self, source: str, kind: str) -> bool:
        """True where messages of this kind never wait behind a parked one."""
        ...

    def new_trace(self) -> str:
        """A W3C trace id: the correlation id of a story that begins here."""
        ...

    def partners(self) -> Mapping[str, PartnerState]:
        """How every partner is now."""
        ...

    def erase(self, subject: int) -> None:
        """Forget the persons of a subject, for good."""
        ...

    def trouble(self) -> str:
        """What keeps the hub from working; "" where nothing does."""
        ...
