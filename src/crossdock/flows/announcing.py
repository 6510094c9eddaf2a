"""Telling subscribers what happened: each event of a decision becomes an effect, staged in the decision's transaction."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from crossdock.domain.policy import Plan
from crossdock.engine.messages import HUB, SETTLED, Event, Message, Settled, Stage, subject_id
from crossdock.engine.tracing import id_of, parent_of, state_of
from crossdock.errors import RejectedError
from crossdock.flows.desk import Desk, moment
from crossdock.model.commands import Tell
from crossdock.model.events import CloudEvent
from crossdock.sdk.telling import TELL

REPLAY = "events.replay"
"""The kind of a message that asks to tell events of its subject again."""
REPLAYED_MAX = 250
"""Events in one such message."""
_encode = msgspec.json.Encoder().encode
_settled = msgspec.json.Decoder(Settled)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the store holds it: message and position name it within its subject, `at` is in microseconds."""

    message: int
    position: int
    type: str
    data: Any
    at: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an `events.replay`: what to tell a subscriber again. `id` names the replay, by whom and why."""

    id: str
    to: str
    actor: str
    reason: str
    source: str
    events: list[Told]


class Announcer:
    """Stages what happened for each subscriber that wants it. Subscribers: name to the types that it wants."""

    def __init__(self, source: str, subscribers: Mapping[str, Container[str]]) -> None:
        self._source, self._subscribers = source, subscribers

    def __call__(self, message: Message, events: Sequence[Event], now: int) -> list[Stage]:
        """Implements `engine.pipeline.Announce`. What befalls a telling is not told: it would never end."""
        if (
            message.source == HUB
            and message.kind == SETTLED
            and _settled.decode(message.body).operation == TELL
        ):
            return []
        stages: list[Stage] = []
        for n, event in enumerate(events):
            command = b""
            if event.data.get("connection") in self._subscribers:
                continue
            for name, wanted in self._subscribers.items():
                if event.type not in wanted:
                    continue
                if not command:
                    told = Told(
                        message=message.id,
                        position=n,
                        type=event.type,
                        data=event.data,
                        at=now,
                    )
                    event_ = cloud_event(self._source, message, told)
                    command = _encode(Tell(event=event_))
                stages.append(
                    Stage(connection=name, operation=TELL, intent=f"{message.id}.{n}", command=command)
                )
        return stages


def source_of(hub: str) -> str:
    """The `source` of a hub's events."""
    return f"urn:crossdock:{quote(hub, safe='')}"


def cloud_event(source: str, message: Message, told: Told) -> CloudEvent:
    """The event as everyone is told it, today and in a replay: nothing in it depends on when or why it is told.

    message: any message of its subject, for its name and its trace.
    """
    public = subject_id(message.subject)
    return CloudEvent(
        id=f"{public}.{told.message}.{told.position}",
        source=source,
        type=told.type,
        subject=public,
        time=moment(told.at),
        datacontenttype="application/json",
        dataschema=f"urn:crossdock:event:{told.type}:1",
        data=told.data,
        traceparent=parent_of(message.trace, told.message) if message.trace else "",
        tracestate=state_of(message.trace),
        correlationid=id_of(message.trace),
        causationid=str(told.message),
        sequence=f"{told.at:017d}-{told.message:012d}-{told.position:04d}",
        partitionkey=public,
    )


def take_replay(desk: Desk, replay: Replay) -> str:
    """Stage events of this subject for a subscriber again, under their old ids. Returns the outcome."""
    plan: Plan = desk.plan
    if TELL not in plan.offers.get(replay.to, ()) or plan.modes.get(replay.to) == "observe":
        raise RejectedError(
            f"{replay.to} is no subscriber that is live. Configure it, then retry.", field="to"
        )
    for told in replay.events:
        event = cloud_event(replay.source, desk.message, told)
        desk.decision.effects.append(
            Stage(
                connection=replay.to,
                operation=TELL,
                intent=f"{told.message}.{told.position}@{replay.id}",
                command=_encode(Tell(event=event)),
            )
        )
    desk.event(
        "events.replayed",
        {
            "connection": replay.to,
            "events": len(replay.events),
            "actor": replay.actor,
            "reason": replay.reason,
        },
    )
    return "processed"
