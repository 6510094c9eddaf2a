"""The desk on which one message is decided: what flows read, and how they say what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from crossdock.domain.ledger import Ledger
from crossdock.domain.policy import Place, Plan, Route
from crossdock.domain.process import OrderProcess
from crossdock.domain.products import Catalogue
from crossdock.domain.state import DocumentRow
from crossdock.engine.messages import (
    CloseCase,
    Decision,
    Event,
    Message,
    OpenCase,
    Seen,
    Stage,
    Timer,
)
from crossdock.errors import ConflictError
from crossdock.flows.day_book import DayBook
from crossdock.flows.places import our_place
from crossdock.model.ids import ExternalRef

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="deterministic").encode


class Again(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The data of a timer: what must be at hand when it fires, and what it is about."""

    skus: list[str] = []
    request: str = ""
    intent: str = ""


class Desk:
    """Everything for one message. Nothing here outlives a refusal: the world drops it all."""

    __slots__ = (
        "book",
        "catalogue",
        "decision",
        "documents",
        "kept_seen",
        "ledger",
        "message",
        "now",
        "plan",
        "postings",
        "process",
        "publish",
        "revision",
    )

    def __init__(
        self,
        message: Message,
        now: int,
        process: OrderProcess,
        *,
        plan: Plan,
        ledger: Ledger,
        catalogue: Catalogue,
        book: DayBook,
        kept_seen: Mapping[tuple[int, str, str, str], str],
        revision: int,
    ) -> None:
        self.message = message
        self.now = now
        self.process = process
        self.plan = plan
        self.ledger = ledger
        self.catalogue = catalogue
        self.book = book
        self.kept_seen = kept_seen
        self.revision = revision
        self.decision = Decision()
        self.publish: dict[str, None] = {}
        """SKUs whose availability is news besides what moved."""
        self.documents: list[DocumentRow] = []
        self.postings: list[tuple[str, tuple[tuple[str, int], ...]]] = []

    @property
    def route(self) -> Route | None:
        """The route of the order's channel."""
        return self.plan.routes.get(self.process.connection)

    @property
    def locations(self) -> tuple[str, ...]:
        """The locations that serve the order's channel."""
        route = self.route
        return route.locations if route is not None else ()

    def warehouse(self, location: str) -> str:
        """The connection that takes releases for a location; "" where nobody is told, because others work it."""
        place = self.plan.places.get(location)
        name = place.warehouse if place is not None else ""
        return name if self.may(name, "release") else ""

    def place(self, location: str, ref: ExternalRef | None) -> str:
        """Our id of a location that is named by us or by a partner; "" where it is none of ours."""
        return our_place(self.plan, location, ref)

    def entity(self, place: Place) -> str:
        """The company of ours that sells at a place: its own, else the channel's."""
        route = self.route
        return place.legal_entity or (route.legal_entity if route is not None else "")

    def event(self, type_: str, data: Mapping[str, Any]) -> None:
        """Tell what happened; data is small and never personal."""
        self.decision.events.append(Event(type=type_, data=data))

    def case(self, reason: str, text: str, *, about: str = "", field: str = "", effect: int = 0) -> None:
        """Ask a person: what was tried, on which reference, what to do next."""
        self.decision.cases.append(
            OpenCase(reason=reason, text=text, about=about, field=field, effect=effect)
        )

    def close(self, reason: str, resolution: str, *, about: str = "") -> None:
        """The facts have settled what a case asked."""
        self.decision.closed.append(CloseCase(reason=reason, about=about, resolution=resolution))

    def timer(self, kind: str, due_at: int, data: Again) -> None:
        """Send a message to ourselves, due later."""
        self.decision.timers.append(Timer(kind=kind, due_at=due_at, data=_encode(data)))

    def may(self, connection: str, operation: str) -> bool:
        """Whether the connection offers the operation, and it and the order's channel are live enough to use it."""
        plan = self.plan
        offered = plan.offers.get(connection)
        if offered is None or operation not in offered or self.process.mode == "observe":
            return False
        return plan.modes.get(connection) != "observe"

    def stage(
        self, connection: str, operation: str, intent: str, command: Any, *, held: bool = False
    ) -> bool:
        """Stage an effect where it may be; returns whether. The order waits for its outcome before it is done."""
        if not self.may(connection, operation):
            return False
        process = self.process
        self.decision.effects.append(
            Stage(
                connection=connection,
                operation=operation,
                intent=intent,
                command=_encode(command),
                document=process.document,
                held_by_case=held,
            )
        )
        process.pending[effect_key(connection, operation, intent)] = "staged"
        return True

    def first_time(self, kind: str, version: str, digest: str) -> bool:
        """Whether this version of a source's thing is new; the same version with another content is a conflict."""
        message = self.message
        held = self.kept_seen.get((message.subject, message.source, kind, version))
        if held is None:
            self.decision.seen.append(Seen(source=message.source, kind=kind, version=version, hash=digest))
            return True
        if held == digest:
            self.event(f"{kind.partition('@')[0]}.duplicate_ignored", {"version": version})
            return False
        raise ConflictError(
            f"{message.source} told version {version!r} of {kind} {message.subject_id} twice, with different contents. "
            "Compare the two messages; nothing was overwritten."
        )


def effect_key(connection: str, operation: str, intent: str) -> str:
    """The name of an effect within its order."""
    return f"{connection}/{operation}/{intent}"


def canonical_hash(value: Any) -> str:
    """The hash of what a report says: of its deterministic encoding."""
    return digest(_canonical(value))


def digest(data: bytes) -> str:
    """Sixteen bytes of BLAKE2b, as hexadecimal text."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def moment(at: int) -> datetime:
    """Microseconds since 1970 UTC, as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def micros(moment: datetime | None) -> int:
    """A time as microseconds UTC; 0 for none."""
    if moment is None:
        return 0
    seconds = int(moment.timestamp() // 1)
    return seconds * 1_000_000 + moment.microsecond
