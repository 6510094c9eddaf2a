"""The words of the engine: what arrives, what is kept, what is decided, what is staged.

All times are integer microseconds since 1970 UTC; all ids are integers that only grow. A *subject* is what messages
are about and are serial by (for retail: an order); its public form is made by `subject_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

HUB = "hub"
"""The source name of the engine's own messages: timers, operator actions, replies."""

LANE_STREAM = 0
"""Waits behind a parked or retrying message of the same (source, subject)."""
LANE_FREE = 1
"""Never waits: operator actions, timers, cancellations, effect results."""

SUBJECT_PREFIX = "CD"


def subject_id(subject: int) -> str:
    """The public id of a subject: what travels in every outbound reference."""
    return f"{SUBJECT_PREFIX}{subject:010d}"


def subject_number(public: str) -> int | None:
    """The subject of a public id, or None where the text is not one."""
    digits = public[len(SUBJECT_PREFIX) :]
    if (
        not public.startswith(SUBJECT_PREFIX)
        or len(digits) != 10
        or not digits.isascii()
        or not digits.isdigit()
    ):
        return None
    return int(digits) or None


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A message at the gate, before it is kept.

    ref_kind and ref name the subject in the source's own ids ("hub" + a public id for ours), or in those of `ref_source`
    where a partner tells of another's thing; `subject` names it directly. delivery_id dedupes at the gate. due_at 0 is at once, a later time makes it a timer.
    strict: another body under the same delivery id is refused (an API's idempotency key) instead of kept.
    """

    source: str
    kind: str
    body: bytes
    headers: Mapping[str, str] = {}
    ref_kind: str = ""
    ref: str = ""
    ref_source: str = ""
    subject: int = 0
    delivery_id: str = ""
    lane: int = LANE_STREAM
    received_at: int = 0
    due_at: int = 0
    trace: str = ""
    parent: int = 0
    position: int = 0
    origin: str = ""
    """Why it is here where it is not the first time: "replay by NAME: REASON"."""
    strict: bool = False

    @property
    def name(self) -> tuple[str, str, str]:
        """The reference (connection, kind, ref) by which its subject is known."""
        return self.ref_source or self.source, self.ref_kind, self.ref


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """What became of an arrival. duplicate: kept before, `message` is the earlier one. conflict: refused (strict)."""

    message: int
    subject: int
    duplicate: bool = False
    conflict: bool = False


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A kept message that is due."""

    id: int
    source: str
    kind: str
    subject: int
    lane: int
    attempt: int
    """Attempts that have failed so far."""
    received_at: int
    trace: str
    headers: Mapping[str, str]
    body: bytes
    parent: int = 0
    position: int = 0
    origin: str = ""

    @property
    def subject_id(self) -> str:
        return subject_id(self.subject)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, past tense, as it is told to subscribers (a CloudEvent's type and data)."""

    type: str
    data: Mapping[str, Any] = {}


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """An effect to stage with the change that caused it.

    intent names it among the effects of (connection, operation, subject): the effect key is made of all four, so that
    the same decision made twice is one effect. command is the encoded argument; document is the version of the
    subject's document that it speaks of (0: none). held_by_case: an open case of the subject holds it back.
    """

    connection: str
    operation: str
    intent: str
    command: bytes = b"{}"
    document: int = 0
    held_by_case: bool = False
    due_at: int = 0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A key for *latest*: the value is read when it is sent; marks of one key are one call."""

    connection: str
    operation: str
    key: str


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A message to ourselves, due later."""

    kind: str
    due_at: int
    data: bytes = b"{}"


class OpenCase(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person must look at. One open case per (subject, reason, about).

    effect: the effect that it is about, so that a person's word on the case is carried out on it; 0 for none.
    """

    reason: str
    text: str
    field: str = ""
    about: str = ""
    effect: int = 0


class CloseCase(msgspec.Struct, frozen=True, kw_only=True):
    """The facts have settled what the case asked."""

    reason: str
    about: str = ""
    resolution: str


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Another name of the subject: (connection, kind, ref) given by others."""

    connection: str
    kind: str
    ref: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A source's version of something, for ever: the same version with another hash is a conflict."""

    source: str
    kind: str
    version: str
    hash: str


class Decision(msgspec.Struct, kw_only=True):
    """Everything that a message leads to, besides the state that the world keeps itself."""

    outcome: Literal["processed", "duplicate", "unhandled", "stale"] = "processed"
    note: str = ""
    events: list[Event] = []
    effects: list[Stage] = []
    marks: list[Mark] = []
    timers: list[Timer] = []
    cases: list[OpenCase] = []
    closed: list[CloseCase] = []
    references: list[Reference] = []
    seen: list[Seen] = []
    children: list[Arrival] = []
    cursor: tuple[str, str, str] | None = None
    """(connection, feed, cursor) that commits with the children of a poll page."""
    erase: bool = False
    """Forget the persons of the subject, in the transaction that keeps the decision: with it, or not at all."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message of kind `effect.settled`: what became of an effect.

    outcome: `done`, `refused`, `in_doubt` (something was sent, and nobody knows what came of it), `exhausted`
    (attempts ran out).
    """

    effect: int
    connection: str
    operation: str
    intent: str
    outcome: Literal["done", "refused", "in_doubt", "exhausted"]
    reference: str = ""
    total: int | None = None
    already: bool = False
    reason: str = ""
    field: str = ""
    code: str = ""
    attempts: int = 1
    booked_at: int = 0
    """When the partner booked it, by its own clock; 0 where it does not say."""


SETTLED = "effect.settled"
OPERATOR = "operator.action"
TICK = "schedule.tick"
UNREADABLE = "unreadable"
"""The kind of a delivery whose key the gate could not read. It is kept, and read again by whoever decides on it."""
DUE_AT = "due-at"
"""The header of a tick: when it was due, in microseconds. A new feed is due from the moment that it is configured."""
PAGE_PREFIX = "page."
ASKED_AT = "asked-at"
"""The header of a page, and of its children: when it was asked for, in microseconds; what it tells was so then or later."""


class OperatorAction(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message of kind `operator.action`; every one names its actor and reason.

    action: `cancel_order`, `release_hold`, `resolve_case`, `retry`, `replay`; data belongs to the action.
    """

    action: str
    actor: str
    reason: str = ""
    data: Mapping[str, Any] = {}
