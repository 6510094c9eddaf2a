"""`status`: what is under way, read beside the hub, and how its partners are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from crossdock.cli.context import DEFAULT_CONFIG, TOKEN, ConfigOption, JsonOption, api, hub_of, opened
from crossdock.cli.output import emit_json, moment_of, note, say, table, when
from crossdock.errors import CrossdockError

if TYPE_CHECKING:
    from crossdock.config import HubConfig
    from crossdock.stores.sqlite.reads import Reads

EFFECT_STATES = ("ready", "retrying", "behind", "sending", "parked", "in_doubt", "held")
UNDER_WAY = EFFECT_STATES[:4]
VALUE_STATES = {0: "ready", 1: "retrying", 3: "sending", 4: "sent"}
LATE_US = 15_000_000
"""A call that waits longer is told; one that a partner takes its time for is done by then."""


def status(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Say what came in, what is under way, what waits for whom, and how the partners are.

    Ends with 1 where the hub runs and a partner does not get its calls, or its proof of a minute ago does not hold.
    """
    hub = hub_of(config)
    with opened(hub) as reads:
        found = _status(reads)
    answers = _answers(hub.local_url)
    found["hub"] = {"name": hub.name, "url": hub.public_url, "answers": answers}
    broken = found["proof"]["broken"] if answers and found["proof"] else []
    found["unwell"] = unwell = _unwell(config, found["effects"]) if answers else []
    if json:
        emit_json(found)
    else:
        _print(hub, found)
    if unwell or broken:
        raise typer.Exit(1)


def _print(hub: HubConfig, found: dict[str, Any]) -> None:
    answers, orders, cases = found["hub"]["answers"], found["orders"], sum(found["cases"].values())
    running = "answers" if answers else "does not answer"
    say(f"{hub.name} at {hub.local_url} {running}.", "green" if answers else "red")
    for partner in found["unwell"]:
        waiting = f" Calls that wait for it: {partner['waiting']}." if partner["waiting"] else ""
        say(f"{partner['name']} {partner['text']}.{waiting}", "red")
    if proof := found["proof"]:
        for check in proof["broken"]:
            say(f"Invariant {check['letter']}, {check['name']}, does not hold: {check['text']}", "bold red")
        if not proof["broken"]:
            say(f"Every invariant held at {when(proof['at'])} UTC.", "green")
    text = f"{orders['total']} orders, {orders['finished']} finished, {cases} open case{'s' * (cases != 1)}"
    say(f"{text}; `crossdock cases` lists them." if cases else f"{text}.")
    bodies, deliveries = found["expired"].values()
    if bodies or deliveries:
        say(f"Past their time, and gone: {bodies:,} raw bodies, {deliveries:,} delivery ids.")
    _table_of("Messages", found["sources"])
    _table_of("Calls to partners", found["effects"])
    _table_of("Values to publish", found["values"])
    table("Orders under way", ["stage", "orders"], orders["stages"].items(), ["orders"])
    table("Open cases", ["reason", "cases"], found["cases"].items(), ["cases"])


def _status(reads: Reads) -> dict[str, Any]:
    from crossdock.bootstrap.proof import kept_proof

    total, finished = reads.rows("order_count")[0]
    proof = kept_proof(reads)
    sources = ("source", "accepted", "processed", "unhandled", "repeated", "parked", "in_flight")
    return {
        "sources": [dict(zip(sources, row, strict=True)) for row in reads.rows("source_balance")],
        "orders": {"total": total, "finished": finished, "stages": dict(reads.rows("orders_by_stage"))},
        "effects": [
            {
                "connection": connection,
                "operation": operation,
                "state": EFFECT_STATES[state],
                "count": count,
                "oldest": moment_of(oldest),
            }
            for connection, operation, state, count, oldest in reads.rows("outbox_by_state")
        ],
        "values": [
            {"connection": connection, "state": VALUE_STATES.get(state, str(state)), "count": count}
            for connection, state, count in reads.rows("marks_by_state")
        ],
        "cases": dict(reads.rows("open_case_count")),
        "expired": {what: _expired(reads, f"{what}_expired") for what in ("bodies", "deliveries")},
        "proof": None
        if proof is None
        else {
            "at": moment_of(proof.at),
            "broken": [
                {"letter": check.letter, "name": check.name, "text": check.text}
                for check in proof.checks
                if not check.ok
            ],
        },
    }


def _expired(reads: Reads, name: str) -> int:
    return sum(int(value) for _, counter, value in reads.rows("counters") if counter == name)


def _table_of(title: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        columns = list(rows[0])
        numbers = [column for column in columns if isinstance(rows[0][column], int)]
        cells = [[when(v) if c == "oldest" else v for c, v in row.items()] for row in rows]
        table(
            title,
            [_title(column) for column in columns],
            cells,
            [_title(column) for column in numbers],
        )


def _title(column: str) -> str:
    return "oldest (UTC)" if column == "oldest" else column.replace("_", " ")


def _unwell(config: Path, effects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each partner that does not get its calls, and why: as the hub says where we have a token, else by how long they wait."""
    if os.environ.get(TOKEN):
        try:
            with api(config, "") as hub:
                told = hub.get("/v1/overview")["connections"]
        except CrossdockError as error:
            note(f"The hub does not say how its partners are: {error.message}", "yellow")
        else:
            keys = ("name", "state", "text", "waiting")
            return [{key: of[key] for key in keys} for of in told if of["state"] not in ("ok", "observing")]
    else:
        note(f"With {TOKEN} set, the hub also says why a partner does not get its calls.", "dim")
    return [_late(name, rows) for name, rows in _by_connection(effects) if _age_us(rows) > LATE_US]


def _by_connection(effects: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What waits to be sent, by partner."""
    for name in dict.fromkeys(row["connection"] for row in effects):
        yield name, [row for row in effects if row["connection"] == name and row["state"] in UNDER_WAY]


def _age_us(rows: list[dict[str, Any]]) -> int:
    now = datetime.now(UTC)
    return max((int((now - row["oldest"]).total_seconds() * 1_000_000) for row in rows), default=0)


def _late(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    from crossdock.console import words

    text = f"does not get its calls: the oldest has waited {words.duration(_age_us(rows))}"
    return {"name": name, "state": "slow", "text": text, "waiting": sum(row["count"] for row in rows)}


def _answers(url: str) -> bool:
    from crossdock.sdk.calls import get
    from crossdock.transport.http import HttpTransport

    transport = HttpTransport(url)
    try:
        return transport.send(get("/healthz"), 1.0).status == 200
    except CrossdockError:
        return False
    finally:
        transport.close()
