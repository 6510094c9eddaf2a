"""What operators said with what they did: who, what and why, read from their messages as long as these are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from crossdock.console import words
from crossdock.engine.messages import HUB, OPERATOR, OperatorAction
from crossdock.stores.sqlite.reads import Reads

SAID_MAX = 200
"""Messages of operators that are opened for one timeline, the latest; of those before, the events tell who acted."""


def said(reads: Reads, subject: int, rows: Iterable[Mapping[str, Any]]) -> dict[int, OperatorAction]:
    """What each operator's message among `rows` asked for, by its number. One that is not kept any more is left out."""
    found: dict[int, OperatorAction] = {}
    numbers = [row["id"] for row in rows if row["source"] == HUB and row["kind"] == OPERATOR]
    for number in numbers[-SAID_MAX:]:
        raw = reads.raw(number, subject)
        if raw is None or not raw["body"]:
            continue
        try:
            found[number] = msgspec.json.decode(raw["body"], type=OperatorAction)
        except msgspec.DecodeError:
            continue  # its case says what is wrong with it
    return found


def sentence(action: OperatorAction) -> str:
    """What was asked for, and why."""
    what = words.action(action.action)
    about = str(action.data.get("code") or action.data.get("reference") or "")
    if action.data.get("case"):
        about = f"case {action.data['case']}{', ' + about if about else ''}"
    lines = action.data.get("lines")
    if isinstance(lines, list):
        about = ", ".join(
            f"{line.get('quantity')} of line {line.get('line')}" for line in lines if isinstance(line, dict)
        )
    return f"{what}{' (' + about + ')' if about else ''}: {action.reason}"
