"""The story of one order: everything that happened to it in order of time, and what it waits for and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from crossdock.console import words
from crossdock.engine.messages import HUB, OPERATOR, subject_id
from crossdock.errors import NotFoundError
from crossdock.sdk.telling import TELL
from crossdock.stores.sqlite.reads import TIMELINE_ROWS_MAX, Reads

Kind = Literal["message", "event", "movement", "case", "attempt", "effect"]
_ORDER: dict[str, int] = {"message": 0, "event": 1, "movement": 2, "case": 3, "attempt": 4, "effect": 5}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOVEMENTS_TOLD_MAX = 20
DELAYED, WAITING, PARKED = 1, 2, 3
NEVER_SENT = -1


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
    quiet: bool = False


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that has not happened yet, why not, and what to do about it ("" where nothing need be done)."""

    what: str
    why: str
    since: datetime
    remedy: str = ""
    until: datetime | None = None
    message: str = ""
    behind: str = ""
    effect: str = ""
    case: str = ""


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The whole story of one order. `correlation_id` is its W3C trace id, the same in every call to a partner."""

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


Partner = Callable[[str], str]
"""Why a connection does not get its calls now, in words; "" where it does."""


def timeline(reads: Reads, subject: int, partner: Partner) -> Timeline:
    """Tell the story of a subject; NotFoundError where there is none."""
    found = reads.rows("get_subject", subject)
    if not found:
        raise NotFoundError(f"There is no order {subject_id(subject)}. Look it up by its number.")
    order = reads.order(subject) or {}
    known = reads.timeline(subject)
    cases = {row["id"]: row for row in known["cases"]}
    steps = sorted(_steps(known, cases), key=lambda step: (step.at, _ORDER[step.kind]))
    return Timeline(
        id=subject_id(subject),
        connection=order.get("connection", ""),
        number=order.get("number", ""),
        stage=order.get("stage", "unknown"),
        custody=order.get("custody", ""),
        money=order.get("money", ""),
        correlation_id=found[0][0],
        waits=[
            *_message_waits(known, cases, known_order=order.get("stage", "unknown") != "unknown"),
            *_order_waits(order, cases),
            *_effect_waits(known, cases, partner),
        ],
        steps=steps,
        complete=all(len(rows) < TIMELINE_ROWS_MAX for rows in known.values()),
    )


def moment(microseconds: int) -> datetime:
    """A time of the store as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


# What happened

Rows = Mapping[str, list[dict[str, Any]]]
Cases = Mapping[int, dict[str, Any]]


def _steps(known: Rows, cases: Cases) -> Iterator[Step]:
    for row in known["messages"]:
        yield _message(row, words.outcome(row["outcome"]), row["note"])
    for row in known["inbox"]:
        yield _message(row, ("is next", "will be tried again", "waits", "stopped")[row["state"]], "")
    for row in known["events"]:
        yield _event(row)
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


def _message(row: dict[str, Any], outcome: str, note: str) -> Step:
    ours = row["source"] == HUB
    detail = "; ".join(part for part in (note, row["origin"]) if part)
    what = row["kind"]
    if ours:
        what = "an operator acts" if row["kind"] == OPERATOR else words.timer(row["kind"])
    return Step(
        at=moment(row["received_at"]),
        kind="message",
        what=what,
        by=row["source"],
        outcome=outcome,
        detail=detail,
        message=str(row["id"]),
        quiet=ours and row["kind"] != OPERATOR and row.get("state", 0) != PARKED,
    )


def _event(row: dict[str, Any]) -> Step:
    data = dict(row["data"])
    by = str(data.pop("actor", "hub"))
    if isinstance(data.get("total"), int) and data.get("currency"):
        data["total"] = words.amount(data["total"], str(data.pop("currency")))
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


# What it waits for


def _message_waits(known: Rows, cases: Cases, *, known_order: bool) -> Iterator[Wait]:
    heads = {row["id"]: row for row in known["inbox"]}
    of_message = {row["message"]: number for number, row in cases.items() if not row["closed_at"]}
    for row in known["inbox"]:
        what = f"{row['kind']} from {row['source']}"
        since, number = moment(row["received_at"]), str(row["id"])
        if row["state"] == PARKED:
            case = cases.get(of_message.get(row["id"], 0), {})
            yield Wait(
                what=what,
                why=case.get("text") or "it is parked",
                since=since,
                remedy="Retry it, correct it and retry, or resolve it: what waits behind it goes on in order.",
                message=number,
                case=str(case.get("id", "")),
            )
        elif row["state"] == WAITING:
            head = heads.get(row["held_by"])
            behind = f"message {row['held_by']}" + (f" ({head['kind']})" if head else "")
            parked = head is not None and head["state"] == PARKED
            yield Wait(
                what=what,
                why=f"waits behind {behind}, which is {'parked' if parked else 'being tried again'}",
                since=since,
                remedy="Settle that one; this follows by itself." if parked else "",
                message=number,
                behind=str(row["held_by"]),
                case=str(of_message.get(row["held_by"], "")),
            )
        elif row["state"] == DELAYED:
            if row["kind"] == "order.awaited" and known_order:
                continue  # nobody is told any more: it has come
            ours = row["source"] == HUB
            yield Wait(
                what=words.timer(row["kind"]) if ours else what,
                why="happens by itself when its time has come" if ours else "will be tried again by itself",
                since=since,
                until=moment(row["due_at"]),
                message=number,
            )


def _order_waits(order: dict[str, Any], cases: Cases) -> Iterator[Wait]:
    """What the order as a whole waits for: a person, stock, the ERP."""
    process = order.get("process", {})
    if not process or order["finished"]:
        return
    since = moment(order["updated_at"])
    for code, reason in process.get("holds", {}).items():
        yield Wait(
            what="release to the warehouse",
            why=f"held: {code}{', ' + reason if reason else ''}",
            since=since,
            remedy="Release the hold, or cancel the order.",
            case=_open_case(cases, "order.held", code),
        )
    if order["stage"] == "waiting_stock":
        why, remedy = "none of its locations has enough", "Receive stock, or cancel what cannot come."
        yield Wait(what="stock", why=why, since=since, remedy=remedy)
    if order["stage"] == "waiting_erp":
        why = "by policy the ERP must have the sale first"
        yield Wait(what="release to the warehouse", why=why, since=since)


def _open_case(cases: Cases, reason: str, about: str) -> str:
    found = (
        number
        for number, case in cases.items()
        if (case["reason"], case["about"], case["closed_at"]) == (reason, about, 0)
    )
    return str(next(found, ""))


def _effect_waits(known: Rows, cases: Cases, partner: Partner) -> Iterator[Wait]:
    last: dict[int, str] = {}
    for row in known["attempts"]:
        if row["about"] == "effect":
            last[row["id"]] = row["text"]
    for row in known["effects"]:
        if row["operation"] == TELL:
            continue  # nothing of the order waits until others know
        state = row["state"]
        if state == NEVER_SENT:
            continue
        case = _case_of_effect(row, cases) if state >= 4 else None
        why = words.EFFECT_STATES[state]
        if state in (0, 1):
            why = "; ".join(
                part for part in (why, partner(row["connection"]), last.get(row["id"], "")) if part
            )
        elif case is not None:
            why = f"{why}: {case['text']}"
        yield Wait(
            what=f"{row['connection']}: {words.operation(row['operation'])}",
            why=why,
            since=moment(row["staged_at"]),
            remedy=_remedy(state),
            until=moment(row["due_at"]) if state == 1 and row["due_at"] else None,
            effect=str(row["id"]),
            case=str(case["id"]) if case is not None else "",
        )


def _case_of_effect(row: dict[str, Any], cases: Cases) -> dict[str, Any] | None:
    """Its own case where it has one; for one that is held, any open case of the order."""
    ours = [case for case in cases.values() if not case["closed_at"]]
    return next(
        (case for case in ours if case["effect"] == row["id"]),
        ours[0] if row["state"] == 6 and ours else None,
    )


def _remedy(state: int) -> str:
    if state == 4:
        return "Mend what the partner objects to, then retry it; or resolve it, and it is given up."
    if state == 5:
        return "Look at the partner whether it happened: then say so with its reference, or retry."
    return "Settle the open case of this order; this follows by itself." if state == 6 else ""
