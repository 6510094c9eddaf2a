"""The story of one order: everything that happened to it in order of time, and what it waits for and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from crossdock.console import words
from crossdock.console.days import is_day
from crossdock.console.said import said, sentence
from crossdock.console.times import moment
from crossdock.console.waits import (
    PARKED,
    Cases,
    Partner,
    Rows,
    Wait,
    effect_waits,
    message_waits,
    order_waits,
)
from crossdock.engine.messages import HUB, OPERATOR, OperatorAction, subject_id
from crossdock.engine.tracing import id_of, trace_of
from crossdock.errors import NotFoundError
from crossdock.sdk.telling import TELL
from crossdock.stores.sqlite.reads import TIMELINE_ROWS_MAX, Reads

Kind = Literal["message", "event", "movement", "case", "attempt", "effect"]
_ORDER: dict[str, int] = {"message": 0, "event": 1, "movement": 2, "case": 3, "attempt": 4, "effect": 5}
_MOVEMENTS_TOLD_MAX = 20
GONE = "its raw bytes are not kept any more"
"""Of a message that is past its time: nothing is wrong with it."""
_MONEY = ("total", "erp_total")
"""What of an event is money, in minor units of its currency or its order's."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened: when, what, by whom, with what outcome. `quiet` ones repeat what another step says."""

    at: datetime
    kind: Kind
    what: str
    by: str
    outcome: str = ""
    detail: str = ""
    message: str = ""
    effect: str = ""
    case: str = ""
    trace: str = ""
    """Of a message: the W3C trace id that its sender gave, as long as its headers are kept."""
    quiet: bool = False


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The whole story of one order. `correlation_id` is its W3C trace id, the same in every call to a partner.

    It is that of the first message about the order; a later one may have come in a trace of its own, see its step.
    """

    id: str
    connection: str
    number: str
    stage: str
    custody: str
    money: str
    correlation_id: str
    waits: list[Wait]
    steps: list[Step]
    complete: bool = True
    """False where there is more than can be shown at once."""


def timeline(reads: Reads, subject: int, partner: Partner) -> Timeline:
    """Tell the story of a subject; NotFoundError where there is none."""
    found = reads.rows("get_subject", subject)
    if not found:
        raise NotFoundError(f"There is no order {subject_id(subject)}. Look it up by its number.")
    order = reads.order(subject) or {}
    known = reads.timeline(subject)
    cases = {row["id"]: row for row in known["cases"]}
    asked = said(reads, subject, [*known["messages"], *known["inbox"]])
    traces = {row["id"]: trace_of(row["traceparent"]) for row in known["traces"]}
    told = _steps(known, cases, asked, order.get("currency", ""))
    told = (_traced(step, traces, id_of(found[0][0])) for step in told)
    steps = sorted(told, key=lambda step: (step.at, _ORDER[step.kind]))
    waits = [
        *message_waits(known, cases, order.get("stage", "unknown")),
        *order_waits(order, cases),
        *effect_waits(known, cases, partner),
    ]
    return Timeline(
        id=subject_id(subject),
        connection=order.get("connection", ""),
        number=order.get("number", ""),
        stage=order.get("stage", "unknown"),
        custody=order.get("custody", ""),
        money="" if not order or is_day(order) else order["money"],
        correlation_id=id_of(found[0][0]),
        waits=sorted(waits, key=lambda wait: not wait.remedy),  # what a person can settle stands first
        steps=steps,
        complete=all(len(rows) < TIMELINE_ROWS_MAX for rows in known.values()),
    )


# What happened


def _steps(known: Rows, cases: Cases, asked: Mapping[int, OperatorAction], currency: str) -> Iterator[Step]:
    for row in known["messages"]:
        yield _message(row, words.outcome(row["outcome"]), row["note"], asked.get(row["id"]))
    for row in known["inbox"]:
        state = ("is next", "will be tried again", "waits", "stopped")[row["state"]]
        yield _message(row, state, "", asked.get(row["id"]))
    for row in known["events"]:
        yield _event(row, currency)
    yield from _movements(known["movements"])
    for row in known["effects"]:
        yield _effect(row)
    told = {case["text"] for case in cases.values()}
    for row in known["attempts"]:
        about_message = row["about"] == "message"
        yield Step(
            at=moment(row["at"]),
            kind="attempt",
            what=f"attempt {row['number']} failed",
            by="hub",
            outcome=row["kind"],
            detail=row["text"],
            message=str(row["id"]) if about_message else "",
            effect="" if about_message else str(row["id"]),
            quiet=row["text"] in told,
        )
    for number, row in cases.items():
        yield from _case(number, row)


def _message(row: dict[str, Any], outcome: str, note: str, asked: OperatorAction | None) -> Step:
    ours = row["source"] == HUB
    if asked is not None:
        note = sentence(asked)
    gone = "" if row.get("kept", True) or (ours and row["kind"] != OPERATOR) else GONE
    detail = "; ".join(part for part in (note, row["origin"], gone) if part)
    what = row["kind"]
    if ours:
        what = "an operator acts" if row["kind"] == OPERATOR else words.timer(row["kind"])
    return Step(
        at=moment(row["received_at"]),
        kind="message",
        what=what,
        by=row["source"] if asked is None else asked.actor,
        outcome=outcome,
        detail=detail,
        message=str(row["id"]),
        quiet=ours and row["kind"] != OPERATOR and row.get("state", 0) != PARKED,
    )


def _traced(step: Step, traces: Mapping[int, str], order: str) -> Step:
    """A message with its sender's trace, which is told where it is not the order's."""
    trace = traces.get(int(step.message), "") if step.kind == "message" else ""
    if not trace:
        return step
    detail = step.detail if trace == order else "; ".join(filter(None, (step.detail, f"trace {trace}")))
    return replace(step, trace=trace, detail=detail)


def _event(row: dict[str, Any], currency: str) -> Step:
    data = dict(row["data"])
    by = str(data.pop("actor", "hub"))
    currency = str(data.get("currency") or currency)
    for key in _MONEY:
        if isinstance(data.get(key), int) and currency:
            data[key] = words.amount(data[key], currency)
            data.pop("currency", None)
    told = [
        f"{words.plain(key)} {_short(value)}" for key, value in data.items() if value not in ("", [], None)
    ]
    return Step(
        at=moment(row["at"]),
        kind="event",
        what=words.event(row["type"]),
        by=by,
        outcome=row["type"],
        detail=", ".join(told),
        message=str(row["message"]),
        quiet=row["type"] in words.QUIET_EVENTS or row["type"].endswith("_due"),
    )


def _short(value: Any) -> str:
    if isinstance(value, list):
        text = "; ".join(" ".join(map(str, item)) if isinstance(item, list) else str(item) for item in value)
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else text[:119] + "…"


def _movements(rows: list[dict[str, Any]]) -> Iterator[Step]:
    """One step for all that one message moved."""
    by_message: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_message.setdefault(row["message"], []).append(row)
    for message, group in by_message.items():
        told = [
            f"{row['sku']} at {row['location']}: {words.plain(row['bucket'])} {row['quantity']:+d} ({row['reason']})"
            for row in group[:_MOVEMENTS_TOLD_MAX]
        ]
        if len(group) > _MOVEMENTS_TOLD_MAX:
            told.append(f"and {len(group) - _MOVEMENTS_TOLD_MAX} more")
        yield Step(
            at=moment(group[0]["at"]),
            kind="movement",
            what="stock moved",
            by="hub",
            detail="; ".join(told),
            message=str(message),
        )


def _effect(row: dict[str, Any]) -> Step:
    state, done = row["state"], row["done_at"]
    detail = [] if row["intent"].isalpha() else [row["intent"]]
    if row["reference"]:
        detail.append(f"there it is {row['reference']}")
    if row["attempts"] > 1:
        detail.append(f"{row['attempts']} attempts")
    if done:
        detail.append(f"{words.duration(done - row['staged_at'])} after the decision")
    return Step(
        at=moment(done or row["staged_at"]),
        kind="effect",
        what=words.operation(row["operation"]),
        by=row["connection"],
        outcome=row["outcome"] or words.EFFECT_STATES.get(state, "unfinished"),
        detail=", ".join(part for part in detail if part),
        effect=str(row["id"]),
        quiet=bool(done) and row["operation"] == TELL,
    )


def _case(number: int, row: dict[str, Any]) -> Iterator[Step]:
    yield Step(
        at=moment(row["opened_at"]),
        kind="case",
        what=f"case opened: {words.reason(row['reason'])}",
        by="hub",
        outcome="open" if not row["closed_at"] else "",
        detail=row["text"],
        case=str(number),
    )
    if row["closed_at"]:
        yield Step(
            at=moment(row["closed_at"]),
            kind="case",
            what=f"case closed: {words.reason(row['reason'])}",
            by=row["owner"] or "hub",
            outcome="closed",
            detail=row["resolution"],
            case=str(number),
        )
