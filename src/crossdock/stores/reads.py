"""What the faces read, of either database: one read-only connection, brief statements, rows as mappings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import msgspec

from crossdock.domain.state import Level
from crossdock.engine.tracing import id_of
from crossdock.stores.vault import Vault

TIMELINE_ROWS_MAX = 2_000
ORDER_COLUMNS = [
    "subject",
    "connection",
    "external_id",
    "number",
    "commitment",
    "custody",
    "money",
    "stage",
    "finished",
    "currency",
    "total",
    "placed_at",
    "updated_at",
]
CASE_COLUMNS = [
    "id",
    "subject",
    "reason",
    "about",
    "field",
    "text",
    "source",
    "message",
    "effect",
    "opened_at",
    "closed_at",
    "owner",
    "resolution",
    "waiting",
]
STEP_COLUMNS = {
    "messages": [
        "id",
        "source",
        "kind",
        "received_at",
        "handled_at",
        "outcome",
        "note",
        "attempts",
        "parent",
        "origin",
        "kept",
    ],
    "inbox": [
        "id",
        "source",
        "kind",
        "received_at",
        "state",
        "due_at",
        "attempt",
        "parent",
        "origin",
        "held_by",
        "hold_reason",
    ],
    "events": ["message", "position", "type", "data", "at"],
    "effects": [
        "id",
        "connection",
        "operation",
        "intent",
        "staged_at",
        "done_at",
        "outcome",
        "reference",
        "attempts",
        "state",
        "due_at",
        "attempt",
    ],
    "cases": CASE_COLUMNS[:-1],
    "movements": ["message", "position", "sku", "location", "bucket", "quantity", "reason", "at"],
}
encode = msgspec.json.Encoder().encode
_levels = msgspec.json.Decoder(list[Level])


class Asked(Protocol):
    """A read-only connection that knows the named questions."""

    def run(self, name: str, *bindings: Any) -> list[tuple[Any, ...]]:
        """Rows of a named question."""
        ...

    def text(self, name: str, rows: Sequence[Any], nothing: str) -> str:
        """The one JSON text that a bulk question over `rows` gives; `nothing` for no rows."""
        ...

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """Turns the database's errors into ours."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """What is asked inside is of one moment."""
        ...

    def close(self) -> None: ...


class Reads:
    """Questions of people and their tools. Holds no transaction between two of them."""

    def __init__(self, database: Asked, vault: Vault) -> None:
        self._db, self._vault = database, vault

    def close(self) -> None:
        self._db.close()

    def rows(self, name: str, *bindings: Any) -> list[tuple[Any, ...]]:
        """Rows of a named question."""
        with self._db.translated(f"reading {name}"):
            return self._db.run(name, *bindings)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is asked inside is of one moment; for a few questions that take milliseconds."""
        with self._db.translated("reading"), self._db.snapshot():
            yield

    def order(self, subject: int) -> dict[str, Any] | None:
        """The row of an order with its process and correlation id, or None."""
        found = self.rows("get_order", subject)
        if not found:
            return None
        row = found[0]
        order = dict(zip(ORDER_COLUMNS, row, strict=False))
        return order | {"process": msgspec.json.decode(row[13]), "trace": id_of(row[14])}

    def document(self, subject: int) -> tuple[bytes, bytes] | None:
        """(document, opened personal part) of the latest version."""
        found = self.rows("get_document", subject)
        if not found:
            return None
        salt = self.rows("subject_salt", subject)[0][1]
        return found[0][0].encode(), self._vault.open(salt, bytes.fromhex(found[0][1]))

    def orders(
        self,
        *,
        before: int,
        limit: int,
        connection: str = "",
        stage: str = "",
        custody: str = "",
        money: str = "",
        named: str = "",
    ) -> list[dict[str, Any]]:
        """Newest first, of subjects below `before`."""
        if stage and stage not in ("done", "cancelled") and not (connection or custody or money or named):
            rows = self.rows("list_unfinished_orders", before, stage, limit)
        else:
            rows = self.rows("list_orders", before, connection, stage, custody, money, named, limit)
        return [dict(zip(ORDER_COLUMNS, row, strict=True)) for row in rows]

    def find(self, text: str, connections: Sequence[str]) -> list[int]:
        """Subjects that anyone calls `text`: a channel's order id or number."""
        return [row[0] for row in self.rows("find_subjects", text, encode(list(connections)).decode())]

    def timeline(self, subject: int) -> dict[str, list[dict[str, Any]]]:
        """Everything that is known of a subject, kind by kind, in order."""
        steps = {
            kind: [
                dict(zip(columns, row, strict=True))
                for row in self.rows(f"timeline_{kind}", subject, TIMELINE_ROWS_MAX)
            ]
            for kind, columns in STEP_COLUMNS.items()
        }
        messages = [row["id"] for row in steps["messages"] + steps["inbox"]]
        effects = [row["id"] for row in steps["effects"]]
        rows = self.rows(
            "timeline_attempts", encode(messages).decode(), encode(effects).decode(), TIMELINE_ROWS_MAX
        )
        names = ["about", "id", "number", "at", "kind", "text"]
        steps["attempts"] = [dict(zip(names, row, strict=True)) for row in rows]
        steps["traces"] = [
            {"id": number, "traceparent": msgspec.json.decode(headers).get("traceparent", "")}
            for number, headers in self.rows("timeline_traces", subject, TIMELINE_ROWS_MAX)
        ]
        for event in steps["events"]:
            event["data"] = msgspec.json.decode(event["data"])
        return steps

    def cases(self, *, after: int, state: str, limit: int) -> list[dict[str, Any]]:
        """Cases by age; `state` is open, closed or all."""
        return [
            dict(zip(CASE_COLUMNS, row, strict=True)) for row in self.rows("list_cases", after, state, limit)
        ]

    def case(self, number: int) -> dict[str, Any] | None:
        """One case, or None."""
        found = self.rows("get_case", number)
        return dict(zip(CASE_COLUMNS, found[0], strict=True)) if found else None

    def raw(self, message: int, subject: int) -> dict[str, Any] | None:
        """A message as it came: source, kind, headers and opened bytes; None where it is not kept."""
        found = self.rows("get_raw", message, subject)
        if not found:
            return None
        number, headers, sealed, salt, source, kind, owner = found[0]
        return {
            "message": number,
            "headers": msgspec.json.decode(headers),
            "body": self._vault.open(salt, sealed),
            "source": source,
            "kind": kind,
            "subject": owner,
        }

    def levels(self, skus: Sequence[str]) -> dict[tuple[str, str], Level]:
        """Stock of these SKUs at every location."""
        text = self._db.text("levels_of", skus, "[]")
        return {(level.sku, level.location): level for level in _levels.decode(text)}

    def documents(self, page: int = 500) -> Iterator[tuple[int, bytes, bytes]]:
        """(subject, document, opened personal part) of every version, in pages; for audits."""
        last = 0
        while found := self.rows("documents_after", last, page):
            for number, value, party, salt in found:
                yield (
                    number // 1024,
                    value.encode(),
                    self._vault.open(bytes.fromhex(salt), bytes.fromhex(party)),
                )
            last = found[-1][0]

    def processes(self, page: int = 500) -> Iterator[tuple[int, bytes]]:
        """(subject, process) of every order, in pages; for audits."""
        last = 0
        while found := self.rows("processes_after", last, page):
            for subject, value in found:
                yield subject, value.encode()
            last = found[-1][0]
