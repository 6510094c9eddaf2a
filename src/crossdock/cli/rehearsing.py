"""What would today's mapping make of the stored bytes? `replay --dry-run` reads and compares, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from crossdock.cli.context import configured, opened, subject_of
from crossdock.cli.output import clean, emit_json, not_kept, say, table
from crossdock.config import Registry
from crossdock.engine.messages import HUB, PAGE_PREFIX, Message, subject_id
from crossdock.errors import ConfigurationError, CrossdockError, NotFoundError
from crossdock.flows.documents import Persons, join_document
from crossdock.flows.handler import RetailHandler
from crossdock.model.reports import OrderReported

if TYPE_CHECKING:
    from crossdock.config import Config
    from crossdock.model.order import Order
    from crossdock.stores.sqlite.reads import Reads

PAGE = 500
DIFFERENCES_MAX = 20
OURS = ("id", "received_at")
"""Fields of an order that the hub itself has put there."""
PERSONS = Persons.__struct_fields__

Verdict = Literal["same", "differs", "older", "understood", "failed", "unhandled"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that today's mapping would give another value. Personal values are not shown."""

    field: str
    stored: Any
    today: Any


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """One message, run through today's mapping.

    same, differs: an order, compared with what is stored of that version. older: of a version that is not the latest
    one. understood: no order, so there is nothing to compare it with. failed: `error` says why.
    """

    message: int
    order: str
    source: str
    kind: str
    verdict: Verdict
    error: str = ""
    field: str = ""
    differences: tuple[Difference, ...] = ()


def rehearse(path: Path, order: str, connection: str, since: datetime | None, *, json: bool) -> int:
    """Rehearse an order, or all that a connection sent since a time; 1 where anything would come out otherwise."""
    config = configured(path)
    if connection and connection not in config.connections:
        raise ConfigurationError(
            f"There is no connection {connection!r}. There are {', '.join(config.connections)}."
        )
    handler = _handler(config)
    otherwise = gone = 0
    told: list[Rehearsal] = []
    with opened(config.hub) as reads:
        wanted = _of_order(reads, subject_of(reads, order)) if order else _since(reads, connection, since)
        for message, subject in wanted:
            raw = reads.raw(message, subject)
            if raw is None or not raw["body"]:
                gone += 1
                continue
            found = _rehearsed(reads, handler, raw, message, subject)
            if found is None:
                continue
            otherwise += found.verdict in ("differs", "failed")
            if json:
                emit_json(found)
            else:
                told.append(found)
    if not json:
        _print(told, otherwise)
        if gone:
            say(not_kept(gone), "yellow")
    return 1 if otherwise else 0


def _handler(config: Config) -> RetailHandler:
    registry = Registry()
    connectors = {
        name: registry.get(connection.connector).build(connection.settings)
        for name, connection in config.connections.items()
    }
    return RetailHandler(config.plan, connectors)


def _of_order(reads: Reads, subject: int) -> Iterator[tuple[int, int]]:
    known = reads.timeline(subject)
    rows = [row for row in known["messages"] + known["inbox"] if row["source"] != HUB and not row["origin"]]
    if not rows:
        raise NotFoundError(f"Nothing of {subject_id(subject)} is kept that could be run again.")
    yield from ((row["id"], subject) for row in sorted(rows, key=lambda row: int(row["id"])))


def _since(reads: Reads, connection: str, since: datetime | None) -> Iterator[tuple[int, int]]:
    began, after = int(since.timestamp() * 1_000_000) if since is not None else 0, 0
    while rows := reads.rows("messages_since", connection, began, after, PAGE):
        yield from ((row[0], row[1]) for row in rows)
        after = rows[-1][0]


def _rehearsed(
    reads: Reads, handler: RetailHandler, raw: Mapping[str, Any], number: int, subject: int
) -> Rehearsal | None:
    """None for what has no mapping of its own (a page)."""
    if raw["kind"].startswith(PAGE_PREFIX):
        return None
    about: dict[str, Any] = {
        "message": number,
        "order": subject_id(subject),
        "source": raw["source"],
        "kind": raw["kind"],
    }
    if handler.inbound(raw["source"], raw["kind"]) is None:
        return Rehearsal(**about, verdict="unhandled")
    message = Message(
        id=number,
        source=raw["source"],
        kind=raw["kind"],
        subject=subject,
        lane=0,
        attempt=0,
        received_at=0,
        trace="",
        headers=raw["headers"],
        body=raw["body"],
    )
    try:
        reports = handler.translate(message)
    except CrossdockError as error:
        return Rehearsal(**about, verdict="failed", error=error.message, field=error.field or "")
    order = next((report.order for report in reports if isinstance(report, OrderReported)), None)
    if order is None:
        return Rehearsal(**about, verdict="understood")
    verdict, differences = _compared(reads, subject, order)
    return Rehearsal(**about, verdict=verdict, differences=differences)


def _compared(reads: Reads, subject: int, order: Order) -> tuple[Verdict, tuple[Difference, ...]]:
    stored = reads.document(subject)
    if stored is None:
        return "understood", ()
    value, party = stored
    kept, made = msgspec.to_builtins(join_document(value, party)), msgspec.to_builtins(order)
    if kept.get("version") != made.get("version"):
        return "older", ()
    for field in OURS:
        kept.pop(field, None)
        made.pop(field, None)
    persons = [(kept.pop(field, None), made.pop(field, None)) for field in PERSONS]
    differences = list(_differences("", kept, made))
    if party and any(one != other for one, other in persons):
        differences.append(Difference(field="persons", stored="(not shown)", today="(not shown)"))
    return ("differs" if differences else "same"), tuple(differences[:DIFFERENCES_MAX])


def _differences(path: str, kept: Any, made: Any) -> Iterator[Difference]:
    if isinstance(kept, Mapping) and isinstance(made, Mapping):
        for key in dict.fromkeys([*kept, *made]):
            yield from _differences(f"{path}.{key}" if path else str(key), kept.get(key), made.get(key))
    elif isinstance(kept, list) and isinstance(made, list) and len(kept) == len(made):
        for n, (one, other) in enumerate(zip(kept, made, strict=True)):
            yield from _differences(f"{path}[{n}]", one, other)
    elif kept != made:
        yield Difference(field=path, stored=kept, today=made)


def _print(told: list[Rehearsal], otherwise: int) -> None:
    rows = []
    for found in told:
        listed = [f"{d.field}: {_short(d.stored)} -> {_short(d.today)}" for d in found.differences]
        rows.append(
            [
                found.message,
                found.order,
                found.source,
                found.kind,
                found.verdict,
                found.error or "\n".join(listed),
            ]
        )
    table("", ["message", "order", "source", "kind", "verdict", "stored -> today"], rows, ["message"])
    if otherwise:
        say(f"{otherwise} of {len(told)} messages would come out otherwise. Nothing was changed.", "yellow")
    else:
        say(f"{len(told)} messages, none would come out otherwise. Nothing was changed.", "green")


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return clean(text if len(text) <= 60 else text[:59] + "…")
