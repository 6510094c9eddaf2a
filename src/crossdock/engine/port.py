"""The port of the engine to its store, and what crosses it. One conformance suite holds every store to it.

A store keeps promises 1 to 4 and 10 of DESIGN section 4: a write method has committed, durably, when it returns, and
is all or nothing. It never decides anything of the trade: needs, snapshots and changes are opaque to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from crossdock.engine.messages import (
    Arrival,
    CloseCase,
    Event,
    Mark,
    Message,
    OpenCase,
    Receipt,
    Reference,
    Seen,
    Stage,
)

Outcome = Literal["processed", "duplicate", "stale", "unhandled", "superseded", "resolved", "split"]


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A message that leaves the inbox, with everything of the engine's own that it led to."""

    message: Message
    outcome: Outcome
    note: str = ""
    events: Sequence[Event] = ()
    effects: Sequence[Stage] = ()
    marks: Sequence[Mark] = ()
    cases: Sequence[OpenCase] = ()
    closed: Sequence[CloseCase] = ()
    references: Sequence[Reference] = ()
    seen: Sequence[Seen] = ()
    children: Sequence[Arrival] = ()
    cursor: tuple[str, str, str] | None = None
    erase: bool = False
    """What is sealed of its subject is destroyed in the same transaction, after all else is written."""


class Delayed(msgspec.Struct, frozen=True, kw_only=True):
    """A message to try again at `due_at`. spent: the attempt counts. holds: its stream waits behind it."""

    message: Message
    due_at: int
    spent: bool
    holds: bool
    kind: str
    text: str


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message that stops until a person acts, and the case that tells them."""

    message: Message
    case: OpenCase


class Unpark(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's word on a case: what becomes of the message or effect that it is about.

    action: `retry` (message or effect), `edit` (with `body`: the message's raw bytes from now on; the old ones are
    kept), `drop` (leaves the inbox or outbox unhandled), `done` (the effect did happen, as `reference`).
    """

    case: int
    action: Literal["retry", "edit", "drop", "done"]
    actor: str
    reason: str
    body: bytes = b""
    reference: str = ""


class Batch(msgspec.Struct, kw_only=True):
    """All that one batch of messages leads to; written in one transaction or not at all."""

    finished: list[Finished] = []
    delayed: list[Delayed] = []
    parked: list[Parked] = []
    waiting: list[Message] = []
    superseded: list[tuple[int, str, int]] = []
    """(subject, source, parked message) that a newer whole version has made moot; those behind it are due."""
    freed: list[tuple[int, str]] = []
    """(subject, source) whose retrying head got through: those behind it are due."""
    unparked: list[Unpark] = []
    changes: Any = None
    now: int = 0

    def erased(self) -> list[int]:
        """Subjects whose persons are forgotten with it, each once, lowest first."""
        return sorted({done.message.subject for done in self.finished if done.erase})


class Claim(msgspec.Struct, kw_only=True):
    """Messages that are due, in the order accepted. crashes: how often a worker has died on a batch begun with them."""

    messages: list[Message]
    crashes: int = 0


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Why a stream waits: the message at its head, its kind, and whether it is parked (else it will be retried)."""

    message: int
    kind: str
    parked: bool


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a connection's work a dispatcher can take now.

    limit counts calls; an operation in `batches` carries so many effects in one call. only: the one operation whose
    effects may go, "" for all.
    """

    connection: str
    limit: int
    lease_until: int
    batches: Mapping[str, int] = {}
    only: str = ""

    @property
    def effects_max(self) -> int:
        """How many effects at most may be claimed."""
        return self.limit * max(self.batches.values(), default=1)

    def choose(self, due: Sequence[tuple[int, str, int, int]]) -> list[int]:
        """Of due effects (id, operation, attempts so far, unclear), in the order staged, those that fit into `limit` calls."""
        chosen: list[int] = []
        calls, room = 0, dict[tuple[str, bool, int], int]()
        for number, operation, attempts, unclear in due:
            size = batch_size(self.batches.get(operation, 1), attempts)
            kind = (operation, bool(unclear), size)
            if not room.get(kind):
                if calls == self.limit:
                    if not any(room.values()):
                        break
                    continue
                calls += 1
                room[kind] = size
            room[kind] -= 1
            chosen.append(number)
        return chosen


def batch_size(batch_max: int, attempts: int) -> int:
    """How many effects go together that have failed so often: a quarter as many each time, in the end one alone."""
    return max(1, batch_max >> 2 * attempts)


class ClaimedEffect(msgspec.Struct, frozen=True, kw_only=True):
    """An effect to perform. value and party are its document's; unclear: an earlier attempt may have reached them."""

    id: int
    connection: str
    operation: str
    subject: int
    intent: str
    attempt: int
    unclear: bool
    resume: str
    command: bytes
    document: int
    value: bytes
    party: bytes
    trace: str
    lease_until: int
    staged_at: int

    @property
    def key(self) -> str:
        """The effect key: the same for every attempt and every replay of the decision."""
        return f"{self.connection}:{self.operation}:{self.subject}:{self.intent}"


class EffectResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt.

    state: `done`, `parked` (refused, not understood, or attempts ran out), `in_doubt` (the partner cannot be asked: a retry
    is a person's word that it did not happen), `retry` (at due_at), `pending` (at due_at, with resume; no attempt spent),
    `released` (never begun: as if not claimed). reply goes through the inbox.
    """

    effect: ClaimedEffect
    state: Literal["done", "parked", "in_doubt", "retry", "pending", "released"]
    reference: str = ""
    due_at: int = 0
    unclear: bool = False
    spent: bool = True
    resume: str = ""
    kind: str = ""
    text: str = ""
    reply: Arrival | None = None
    told: tuple[Arrival, ...] = ()
    """What the partner told in the same reply; kept in the same transaction, after `reply`."""


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one operation that a connection has not got in time: how many, and when the oldest was staged."""

    connection: str
    operation: str
    count: int
    oldest: int


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """An invariant that does not hold: its letter, its name, and what to look at."""

    letter: str
    name: str
    text: str


class ClaimedMark(msgspec.Struct, frozen=True, kw_only=True):
    """A *latest* key to send; the value is read after this claim, so that no change is missed."""

    connection: str
    operation: str
    key: str
    attempt: int
    marked_at: int
    sent: str


class MarkResult(msgspec.Struct, frozen=True, kw_only=True):
    """sent: the value that the partner now holds; None: try again at due_at (or parked with `reply`)."""

    mark: ClaimedMark
    sent: str | None
    due_at: int = 0
    kind: str = ""
    text: str = ""
    reply: Arrival | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Of each source the moment before which what is over may go; "" is every source that is not named, 0 is for ever."""

    bodies: Mapping[str, int] = {}
    deliveries: Mapping[str, int] = {}


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone: the messages that have no body any more, and how many delivery ids. whole: all has been looked at."""

    bodies: Sequence[int] = ()
    deliveries: int = 0
    whole: bool = True


class Store(Protocol):
    """A durable store, as the engine uses it."""

    def accept(self, arrivals: Sequence[Arrival], now: int) -> list[Receipt]:
        """Keep arrivals, in order, each once; durable on return. Raises OverloadedError when it cannot."""
        ...

    def claim(self, limit: int, now: int, read: Container[int] = ()) -> Claim:
        """The next messages due, at most `limit`; recorded before it returns, so that a crash is counted.

        The bodies of those in `read` may be left out at their first attempt: what they say is known.
        """
        ...

    def give_back(self, messages: Sequence[Message]) -> None:
        """Undo a claim whose batch came to nothing; the messages are due again."""
        ...

    def holds(self, subjects: Sequence[int]) -> dict[tuple[int, str], Hold]:
        """The streams (subject, source) of these subjects that wait for a head."""
        ...

    def message(self, number: int) -> Message | None:
        """One message of the inbox, whatever its state; None once it has left."""
        ...

    def load(self, needs: Any) -> Any:
        """A snapshot of what a batch touches."""
        ...

    def commit(self, batch: Batch) -> None:
        """Write a batch. Raises ConflictError where a state was changed by another since it was loaded."""
        ...

    def prepared(self, batch: Batch) -> Callable[[], None]:
        """As `commit`, made ready: what this returns does the writing, on any thread; until then nothing else is written."""
        ...

    def claim_effects(self, wants: Sequence[Want], now: int) -> list[ClaimedEffect]:
        """Take due effects, heads of their (connection, subject) only, in the order staged."""
        ...

    def settle(self, results: Sequence[EffectResult], now: int) -> None:
        """Record what became of effects, and take their replies in, in one transaction."""
        ...

    def claim_marks(self, wants: Sequence[Want], now: int) -> list[ClaimedMark]:
        """Take due *latest* keys, grouped by connection and operation."""
        ...

    def settle_marks(self, results: Sequence[MarkResult], now: int) -> None:
        """Record what was sent; a key that was marked again meanwhile is due again."""
        ...

    def wake(self, now: int) -> int | None:
        """Make due what has become due, fire schedules; return when the next will be, None for never."""
        ...

    def remind(self, kind: str, before: int, now: int, limit: int) -> int:
        """Send a message `kind`, once for ever, to each unfinished subject first heard of before `before`; how many."""
        ...

    def late(self, before: int) -> list[Late]:
        """What was staged before `before` and is still to be done by itself: nobody has been asked about it."""
        ...

    def expire(self, terms: Terms, now: int, limit: int) -> Expired:
        """Look at the next `limit` messages and delivery ids, and drop what is over and past its time.

        A body goes with what it was before an edit, once its message has been handled and its subject been finished for
        that long; never of a message in the inbox, nor of a subject that is unfinished, has an open case or a call to be
        made. A delivery id goes by its age, unless its subject is unfinished. What was handled, versions and hashes stay.
        """
        ...

    def schedules(self, wanted: Mapping[str, tuple[str, str, int]], now: int) -> None:
        """Make the schedules these: name -> (connection, feed, every_us). A new one is due at once."""
        ...

    def recover(self, now: int, grace_us: int, keyed: Collection[str] = ()) -> dict[str, int]:
        """At start, alone: give back what a dead process had claimed; effects may have happened. Counts per kind.

        An effect is due once its lease and `grace_us` are over; those of `keyed` ("connection operation", whose
        partner knows our key again) are due at once.
        """
        ...


class SharedStore(Store, Protocol):
    """A store that several processes work on. Each leases its share of the work and is fenced by it.

    A process takes part in a kind of work from its first call of `claim`, `claim_effects` or `claim_marks`, `wake` on. It
    gets only what its leases cover, and a write of what they no longer cover raises LeaseLostError: nothing was written.
    `recover` concerns what the dead have left, and is not alone; `wake` returns None where another process does it.
    """

    def tend(self, now: int) -> int:
        """Renew leases, take a fair share, give up what is too much. To be called by the time returned, on any thread."""
        ...
