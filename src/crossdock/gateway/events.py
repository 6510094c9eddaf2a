"""`/v1/events`: what happened is told to a subscriber again, since a time, under the ids that it had."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from crossdock.console import acting
from crossdock.console.face import Face
from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.engine.tracing import sent_trace, trace_headers
from crossdock.errors import MappingError
from crossdock.flows.announcing import REPLAY, REPLAYED_MAX, Replay, Told, source_of
from crossdock.gateway.orders import Act, Asked
from crossdock.gateway.problems import ACTING
from crossdock.gateway.strict import Strict
from crossdock.sdk.telling import TELL, Wants

EVENTS_MAX = 1_000
ACCEPTED_MAX = 100

Row = tuple[int, int, int, str, str, int]
"""subject, message, position, type, data, at"""


class Retelling(Act, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to tell again: `to` whom, `since` (and `until`) when it happened, in parts of `limit` events.

    The same request again, by the same person for the same reason, tells nothing twice: give another reason to tell all
    of it once more.
    """

    to: str
    since: datetime
    until: datetime | None = None
    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=EVENTS_MAX)] = EVENTS_MAX


class Retold(msgspec.Struct, frozen=True, kw_only=True):
    """`events` are those that are staged, or were by the same request before. `next`: pass it as `after` to go on."""

    events: int
    accepted: int
    repeated: int
    next: str = ""


@post(
    "/events/replays",
    dto=Strict[Retelling],
    return_dto=None,
    status_code=202,
    sync_to_thread=True,
    tags=["Operation"],
    summary="Tell a subscriber again",
    responses=ACTING,
)
def retell(request: Asked, face: NamedDependency[Face], data: JSONBody[Retelling]) -> Retold:
    """Stage events for a subscriber again, under their old ids. The replay names its actor and its reason."""
    acting.require_named(data.actor, data.reason)
    wants = _wants(face, data.to)
    since = _micros(data.since, "since")
    until = _micros(data.until, "until") if data.until is not None else 2**62
    with face.reads() as reads:
        rows: list[Row] = reads.rows("events_since", *_place(data.after), since, until, data.limit)
    wanted = [row for row in rows if row[3] in wants]
    caller = trace_headers(request.headers)
    arrivals = [_arrival(face, data, since, until, part, caller=caller) for part in _parts(wanted)]
    receipts = []
    for start in range(0, len(arrivals), ACCEPTED_MAX):
        receipts += face.accept(arrivals[start : start + ACCEPTED_MAX])
    repeated = sum(receipt.duplicate for receipt in receipts)
    following = ".".join(map(str, rows[-1][:3])) if len(rows) == data.limit else ""
    return Retold(events=len(wanted), accepted=len(receipts) - repeated, repeated=repeated, next=following)


def _wants(face: Face, name: str) -> Wants:
    connection = face.hub.config.connections.get(name)
    if connection is None or connection.spec.operation(TELL) is None:
        subscribers = [
            known for known, c in face.hub.config.connections.items() if c.spec.operation(TELL) is not None
        ]
        hint = (
            f"There is {', '.join(subscribers)}." if subscribers else "There is none yet: see docs/EVENTS.md."
        )
        raise MappingError(f"to: {name[:60]!r} is no subscriber. {hint}", field="to")
    if connection.mode == "observe":
        raise MappingError(
            f"to: {name} is only observed, so nothing is sent to it. Make it live first.", field="to"
        )
    return Wants(connection.settings)


def _micros(at: datetime, field: str) -> int:
    if at.tzinfo is None:
        raise MappingError(f"{field}: say the time with its offset, as in 2026-03-01T00:00:00Z.", field=field)
    return int(at.timestamp() * 1_000_000)


def _place(after: str) -> tuple[int, int, int]:
    """Where the last part ended."""
    parts = after.split(".") if after else ["0", "0", "0"]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise MappingError("after: pass on `next` of the answer before, as it is.", field="after")
    return int(parts[0]), int(parts[1]), int(parts[2])


def _parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Events of one subject each, so many in one message at most."""
    part: list[Row] = []
    for row in rows:
        if part and (row[0] != part[0][0] or len(part) == REPLAYED_MAX):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _arrival(
    face: Face, data: Retelling, since: int, until: int, rows: Sequence[Row], *, caller: Mapping[str, str]
) -> Arrival:
    asked: list[Any] = [data.to, since, until, data.actor, data.reason]
    id_ = hashlib.blake2b(msgspec.json.encode(asked), digest_size=6).hexdigest()
    events = [
        Told(message=message, position=position, type=type_, data=msgspec.Raw(text.encode()), at=at)
        for _, message, position, type_, text, at in rows
    ]
    replay = Replay(
        id=id_,
        to=data.to,
        actor=data.actor,
        reason=data.reason,
        source=source_of(face.hub.config.hub.name),
        events=events,
    )
    subject, message, position = rows[0][:3]
    return Arrival(
        source=HUB,
        kind=REPLAY,
        body=msgspec.json.encode(replay),
        subject=subject,
        delivery_id=f"replay {id_} {message}.{position}",
        lane=LANE_FREE,
        origin=f"replay by {data.actor}: {data.reason}",
        headers=caller,
        trace=sent_trace(caller) or face.hub.new_trace(),
    )
