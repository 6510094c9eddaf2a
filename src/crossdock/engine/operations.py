"""Messages that the engine decides on by itself: an operator's word on a case, and a connection that was shut out."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

import msgspec

from crossdock.engine.messages import HUB, LANE_FREE, Arrival, Event, Message, OpenCase, OperatorAction
from crossdock.engine.port import Broken, Finished, Late, Unpark
from crossdock.errors import MappingError

CONNECTION_PAUSED = "connection.paused"
MARK_REFUSED = "mark.refused"
CONNECTION_LATE = "connection.late"
INVARIANT_BROKEN = "invariant.broken"
ENGINE_KINDS = (CONNECTION_PAUSED, CONNECTION_LATE, MARK_REFUSED, INVARIANT_BROKEN)
UNPARK_ACTIONS = {"retry": "retry", "edit": "edit", "drop": "drop", "resolve_case": "drop", "done": "done"}


def word_of_pause(connection: str, gone: str = "") -> Arrival:
    """Word that a connection refuses our credentials, or is gone as `gone` says: one case, however many calls come to it."""
    return Arrival(
        source=HUB,
        kind=CONNECTION_PAUSED,
        body=f"{connection}\n{gone}".encode() if gone else connection.encode(),
        ref_kind="connection",
        ref=connection,
        lane=LANE_FREE,
    )


def decide_engine_kind(message: Message) -> Finished:
    """A value that a partner refuses, a connection that refuses us or is late, or a broken invariant becomes a case."""
    if message.kind == MARK_REFUSED:
        return _mark_refused(message)
    if message.kind == CONNECTION_LATE:
        return _late(message)
    if message.kind == INVARIANT_BROKEN:
        return _broken(message)
    name, _, gone = message.body.decode("utf-8", "replace").partition("\n")
    text = (
        f"{name} refuses our credentials. Its work waits, no attempts are burnt. Renew the secret of "
        f"[connections.{name}] and restart; a probe every few minutes finds out by itself."
    )
    if gone:
        text = (
            f"{name} is gone: {gone} What it would be told waits here. Correct the address of [connections.{name}], or "
            "take the connection out, and restart; once a day it is tried again."
        )
    case = OpenCase(reason="gone" if gone else "credentials", about=name, text=text)
    event = Event(type="connection.paused", data={"connection": name})
    return Finished(message=message, outcome="processed", events=[event], cases=[case])


def _late(message: Message) -> Finished:
    late = msgspec.json.decode(message.body, type=Late)
    since = datetime.fromtimestamp(late.oldest // 1_000_000, UTC).isoformat()
    case = OpenCase(
        reason="late",
        about=f"{late.connection} {late.operation}",
        text=f"{late.count} times {late.operation} waits for {late.connection}, the longest since {since}. See why the partner "
        "does not take it, or whether its pace suffices; then close this case. It opens again while calls are late.",
    )
    return Finished(message=message, outcome="processed", cases=[case])


def _broken(message: Message) -> Finished:
    found = msgspec.json.decode(message.body, type=Broken)
    case = OpenCase(
        reason="invariant",
        about=f"{found.letter} {found.name}",
        text=f"Invariant {found.letter}, {found.name}, does not hold: {found.text.rstrip('.')}. Nothing was changed. See what "
        "`crossdock proof --full` says, compare with the partners' books, mend it, and close this case. It opens again while "
        "the proof fails.",
    )
    return Finished(message=message, outcome="processed", cases=[case])


def _mark_refused(message: Message) -> Finished:
    told = msgspec.json.decode(message.body, type=dict[str, str])
    case = OpenCase(
        reason="refused",
        about=f"{told['connection']} {told['operation']} {told['key']}",
        field=told["field"],
        text=f"{told['connection']} refuses the value of {told['key']} ({told['operation']}): {told['reason'].rstrip('.')}. Mend it "
        "there; the next change is sent again by itself.",
    )
    event = Event(type="value.refused", data=told)
    return Finished(message=message, outcome="processed", events=[event], cases=[case])


def unpark_of(action: OperatorAction) -> Unpark | None:
    """The instruction to the store, where the action is about a case's message or effect; None for a flow's own."""
    kind = UNPARK_ACTIONS.get(action.action)
    if kind is None:
        return None
    case = action.data.get("case")
    if not isinstance(case, int) or isinstance(case, bool):
        raise MappingError("An action on a case names it by number.", field="data.case")
    if not action.actor or not action.reason:
        raise MappingError(
            "An action names its actor and its reason.", field="actor" if not action.actor else "reason"
        )
    try:
        body = base64.b64decode(str(action.data.get("body", "")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MappingError("The edited body is base64.", field="data.body") from error
    return Unpark(
        case=case,
        action=kind,  # type: ignore[arg-type]
        actor=action.actor,
        reason=action.reason,
        body=body,
        reference=str(action.data.get("reference", "")),
    )
