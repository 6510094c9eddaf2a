"""What people do: every action is a message like any other, with its actor and reason, and is answered by its receipt."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.console import words
from crossdock.console.days import is_day
from crossdock.console.face import API, Face
from crossdock.console.times import moment
from crossdock.engine.messages import (
    HUB,
    LANE_FREE,
    OPERATOR,
    Arrival,
    OperatorAction,
    Receipt,
    subject_id,
)
from crossdock.engine.tracing import sent_trace
from crossdock.errors import ConflictError, MappingError, NotFoundError, RejectedError
from crossdock.flows.store_days import DIFFERENCE
from crossdock.stores.sqlite.reads import CASE_COLUMNS, Reads

ACTOR_CHARS_MAX = 80
REASON_CHARS_MAX = 500
READY, DELAYED = 0, 1
"""States of messages in the inbox that are handled by themselves."""
OF_NO_ORDER = ("refused", "credentials", "gone", "late", "invariant")
"""Cases of a value or of a connection: no order is theirs."""
_ENGINE_NAMES = {"resolve": "resolve_case", "release": "release_hold"}


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the exception queue. `actions` are those that make sense for it.

    `hold` is the hold of its order that `release` lifts, "" where none is in force.
    """

    id: str
    order: str
    reason: str
    title: str
    text: str
    field: str
    about: str
    source: str
    message: str
    effect: str
    opened_at: str
    closed_at: str
    owner: str
    resolution: str
    waiting: int
    """How many messages of the same stream wait behind it."""
    actions: list[str]
    hold: str = ""


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """What a case is about, as it stands: a message's bytes as they came, or the call that a partner did not take."""

    kind: str
    source: str
    headers: Mapping[str, str]
    body: str | None
    """As text; null where it is none."""
    body_base64: str


def case_view(reads: Reads, row: dict[str, Any]) -> CaseView:
    """A row as people read it."""
    hold = hold_in_force(reads, row)
    return CaseView(
        id=str(row["id"]),
        order="" if row["reason"] in OF_NO_ORDER else subject_id(row["subject"]),
        reason=row["reason"],
        title=words.reason(row["reason"]),
        text=row["text"],
        field=row["field"],
        about=row["about"],
        source=row["source"],
        message=str(row["message"] or ""),
        effect=str(row["effect"] or ""),
        opened_at=moment(row["opened_at"]).isoformat(),
        closed_at=moment(row["closed_at"]).isoformat() if row["closed_at"] else "",
        owner=row["owner"],
        resolution=row["resolution"],
        waiting=row["waiting"],
        actions=[] if row["closed_at"] else actions_of(row, hold),
        hold=hold,
    )


def list_cases(reads: Reads, *, state: str, reason: str, after: int, limit: int) -> list[CaseView]:
    """Cases by age. With a reason: the open ones of it."""
    if not reason:
        return [case_view(reads, row) for row in reads.cases(after=after, state=state, limit=limit)]
    rows = reads.rows("list_open_cases_of", after, reason, limit)
    return [case_view(reads, dict(zip(CASE_COLUMNS, row, strict=True))) for row in rows]


def actions_of(row: dict[str, Any], hold: str = "") -> list[str]:
    """A parked message may be edited, a parked effect declared done, a hold released; else a case is only ever resolved."""
    if row["effect"]:
        return ["retry", "done", "resolve"]
    if row["about"] == f"message {row['message']}":
        return ["retry", "edit", "resolve"]
    return ["release", "resolve"] if hold else ["resolve"]


def hold_of(row: dict[str, Any]) -> str:
    """The hold that a case is about, whether it is still in force or not; "" where it is about none."""
    if row["reason"] == "order.held":
        return str(row["about"])
    return DIFFERENCE if row["reason"] == "store_day.difference" else ""


def hold_in_force(reads: Reads, row: dict[str, Any]) -> str:
    """The hold that an open case is about, while its order is held by it."""
    hold = "" if row["closed_at"] else hold_of(row)
    order = reads.order(row["subject"]) if hold else None
    return hold if order is not None and hold in order["process"].get("holds", {}) else ""


def raw_of(reads: Reads, row: dict[str, Any]) -> Raw | None:
    """What a case is about; None where it is not kept any more."""
    if row["effect"]:
        found = reads.rows("get_call", row["effect"])
        if not found:
            return None
        connection, operation, _, command, _, _ = found[0]
        return _raw(f"{operation} (our call)", connection, {}, str(command).encode())
    message = reads.raw(row["message"], row["subject"])
    if message is None:
        return None
    return _raw(message["kind"], message["source"], message["headers"], message["body"])


def _raw(kind: str, source: str, headers: Mapping[str, str], body: bytes) -> Raw:
    try:
        text: str | None = body.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    return Raw(
        kind=kind, source=source, headers=headers, body=text, body_base64=base64.b64encode(body).decode()
    )


def require_named(actor: str, reason: str) -> None:
    """Refuse what nobody answers for."""
    for field, value, limit in (("actor", actor, ACTOR_CHARS_MAX), ("reason", reason, REASON_CHARS_MAX)):
        if not value.strip() or len(value) > limit or not value.isprintable():
            raise MappingError(
                f"{field}: say {'who you are' if field == 'actor' else 'why'}, in one line of up to {limit} characters.",
                field=field,
            )


def act_on_case(
    face: Face,
    number: int,
    action: str,
    *,
    actor: str,
    reason: str,
    body: bytes = b"",
    reference: str = "",
    once: str = "",
    caller: Mapping[str, str] | None = None,
) -> Receipt:
    """Retry, edit, resolve or declare done. `once`: the same key again is the same action."""
    require_named(actor, reason)
    with face.reads() as reads:
        row = reads.case(number)
        actions = [] if row is None or row["closed_at"] else actions_of(row, hold_in_force(reads, row))
        if row is not None and action == "edit" and "edit" in actions and body:
            _require_same_key(face, reads, row, body)
    if row is None:
        raise NotFoundError(f"There is no case {number}. It may be named by its number only.")
    if row["closed_at"] and not once:
        raise ConflictError(f"Case {number} is closed: {row['resolution']}. Look at its order's timeline.")
    if not row["closed_at"] and action not in actions and not (once and action == "release"):
        raise MappingError(
            f"Case {number} cannot be settled by {action}. It takes: {', '.join(actions)}.", field="action"
        )
    if action == "edit" and not body:
        raise MappingError("body: an edited message needs its new body.", field="body")
    data: dict[str, Any] = {"code": hold_of(row)} if action == "release" else {"case": number}
    if body:
        data["body"] = base64.b64encode(body).decode()
    if reference:
        data["reference"] = reference
    return act(
        face,
        row["subject"],
        _ENGINE_NAMES.get(action, action),
        actor=actor,
        reason=reason,
        data=data,
        once=once,
        caller=caller,
    )


def _require_same_key(face: Face, reads: Reads, row: dict[str, Any], body: bytes) -> None:
    """Refuse an edited delivery that names another thing than it did: it would be taken for a version of the wrong one."""
    message = reads.raw(row["message"], row["subject"])
    if message is None:
        return
    try:
        was, now = (_key(face, message, text) for text in (message["body"], body))
    except (MappingError, msgspec.DecodeError):
        return  # what has no key of its own keeps the one that it came under
    if was[-1] and was != now:
        raise MappingError(
            f"body: it is about {' '.join(now)}, and the message is about {' '.join(was)}. Leave its id as it was; what is about "
            "another one is sent by its source.",
            field="body",
        )


class _Named(msgspec.Struct, frozen=True):
    """Of a canonical order, what it is known by."""

    connection: str
    external_id: str


def _key(face: Face, message: Mapping[str, Any], body: bytes) -> tuple[str, str]:
    """What a body names, as (kind, id)."""
    if message["source"] == API:
        named = msgspec.json.decode(body, type=_Named)
        return named.connection, named.external_id
    connector = face.hub.connectors.get(message["source"])
    if connector is None:
        return "", ""
    gate = connector.gate(message["headers"], body)
    return gate.ref_kind, gate.ref


def act_on_order(
    face: Face,
    subject: int,
    action: str,
    *,
    actor: str,
    reason: str,
    data: Mapping[str, Any] | None = None,
    once: str = "",
    caller: Mapping[str, str] | None = None,
) -> Receipt:
    """Cancel, or release a hold; RejectedError where there is nothing of the kind."""
    with face.reads() as reads:
        order = reads.order(subject)
        if action == "cancel_order" and (order is None or order["stage"] == "unknown"):
            _require_coming(reads, subject)
    if action == "cancel_order" and order is not None and is_day(order):
        raise RejectedError(
            f"{order['external_id']} is a store's day: nothing of it can be cancelled. What differs is settled by the tickets "
            "that are missing, by another Z report, or by releasing its hold.",
            field="order",
        )
    return act(face, subject, action, actor=actor, reason=reason, data=data, once=once, caller=caller)


def _require_coming(reads: Reads, subject: int) -> None:
    """Of an order that is not understood nothing can be cancelled, unless a message of it is about to be handled."""
    if any(row["state"] in (READY, DELAYED) for row in reads.timeline(subject)["inbox"]):
        return
    raise ConflictError(
        f"{subject_id(subject)} is no order that is understood, so nothing of it can be cancelled, and nothing of it is shipped. "
        "See its case: resolve it to drop the message, or correct it and cancel the order then.",
        field="order",
    )


def act(
    face: Face,
    subject: int,
    action: str,
    *,
    actor: str,
    reason: str,
    data: Mapping[str, Any] | None = None,
    once: str = "",
    caller: Mapping[str, str] | None = None,
) -> Receipt:
    """Hand an operator's action to the hub, about one order. caller: the headers of who asked that tell their trace."""
    require_named(actor, reason)
    headers = caller or {}
    body = msgspec.json.encode(OperatorAction(action=action, actor=actor, reason=reason, data=data or {}))
    arrival = Arrival(
        source=HUB,
        kind=OPERATOR,
        body=body,
        subject=subject,
        lane=LANE_FREE,
        delivery_id=f"operator {once}" if once else "",
        strict=bool(once),
        headers=headers,
        trace=sent_trace(headers) or face.hub.new_trace(),
    )
    receipt = face.accept([arrival])[0]
    if receipt.conflict:
        raise ConflictError("This key came with another action before. Use a new key for a new action.")
    return receipt
