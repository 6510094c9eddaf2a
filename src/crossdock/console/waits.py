"""What an order waits for, why, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from crossdock.console import words
from crossdock.console.times import moment
from crossdock.engine.messages import HUB
from crossdock.sdk.telling import TELL

DELAYED, WAITING, PARKED = 1, 2, 3
NEVER_SENT = -1
Rows = Mapping[str, list[dict[str, Any]]]
Cases = Mapping[int, dict[str, Any]]
Partner = Callable[[str], str]
"""Why a connection does not get its calls now, in words; "" where it does."""


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


def message_waits(known: Rows, cases: Cases, stage: str) -> Iterator[Wait]:
    """Messages that are not handled yet: parked ones, those behind them, and the hub's own that are due later."""
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
            if _over(row["kind"], stage):
                continue  # nobody is told any more
            ours = row["source"] == HUB
            yield Wait(
                what=words.timer(row["kind"]) if ours else what,
                why="happens by itself when its time has come" if ours else "will be tried again by itself",
                since=since,
                until=moment(row["due_at"]),
                message=number,
            )


def _over(kind: str, stage: str) -> bool:
    """Whether a reminder does nothing any more when its time comes: the order has come, or the day was closed."""
    if kind == "order.awaited":
        return stage != "unknown"
    return kind in ("store_day.watch", "store_day.late") and stage in ("day_closed", "day_posted")


def order_waits(order: dict[str, Any], cases: Cases) -> Iterator[Wait]:
    """What the order as a whole waits for: a person, stock, the ERP."""
    process = order.get("process", {})
    if not process or order["finished"]:
        return
    since = moment(order["updated_at"])
    what, remedy = "release to the warehouse", "Release the hold, or cancel the order."
    if process.get("day"):
        what, remedy = (
            "posting to the ERP",
            "Wait for the tickets that settle it, or post with this difference.",
        )
    for code, reason in process.get("holds", {}).items():
        yield Wait(
            what=what,
            why=f"held: {code}{', ' + reason if reason else ''}",
            since=since,
            remedy=remedy,
            case=_open_case(cases, "order.held", code) or _open_case(cases, "store_day.difference"),
        )
    if order["stage"] == "waiting_stock":
        why, remedy = "none of its locations has enough", "Receive stock, or cancel what cannot come."
        yield Wait(what="stock", why=why, since=since, remedy=remedy)
    if order["stage"] == "waiting_erp":
        why = "by policy the ERP must have the sale first"
        yield Wait(what="release to the warehouse", why=why, since=since)


def _open_case(cases: Cases, reason: str, about: str | None = None) -> str:
    """The open case of a reason; about: of that alone, where it is given."""
    found = (
        number
        for number, case in cases.items()
        if case["reason"] == reason and not case["closed_at"] and about in (None, case["about"])
    )
    return str(next(found, ""))


def effect_waits(known: Rows, cases: Cases, partner: Partner) -> Iterator[Wait]:
    """Calls to partners that are not done."""
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
