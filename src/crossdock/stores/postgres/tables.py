"""What is appended by binary COPY: the columns of each table and their types."""

from __future__ import annotations

_TABLES = {
    "subject": "no int8, salt bytea, trace text, created_at int8",
    "inbox": "id int8, source text, kind text, subject int8, lane int2, state int2, due_at int8, attempt int4, "
    "received_at int8, parent int8, position int4, origin text, part int2, turn int8, size int4",
    "body": "message int8, headers text, raw bytea",
    "message": "id int8, source text, kind text, subject int8, received_at int8, handled_at int8, outcome text, "
    "note text, attempts int4, parent int8, position int4, origin text",
    "process": "subject int8, version int4, value text, connection text, external_id text, number text, "
    "commitment text, custody text, money text, stage text, finished int2, currency text, total int8, "
    "placed_at int8, updated_at int8",
    "document": "id int8, value text, party bytea",
    "movement": "subject int8, message int8, position int4, sku text, location text, bucket text, quantity int8, "
    "reason text, at int8",
    "posting": "subject int8, message int8, position int4, currency text, reason text, entries text, at int8",
    "event": "subject int8, message int8, position int4, type text, data text, at int8",
    "effect": "subject int8, connection text, operation text, intent text, id int8, message int8, staged_at int8",
    "outbox": "id int8, connection text, operation text, subject int8, intent text, state int2, due_at int8, "
    "attempt int4, lease_until int8, unclear int2, resume text, held int2, command text, document int8, "
    "staged_at int8",
}


def _copy(table: str, columns: str) -> tuple[bytes, list[str]]:
    pairs = [column.split(" ") for column in columns.split(", ")]
    names = ", ".join(name for name, _ in pairs)
    return f"copy {table} ({names}) from stdin (format binary)".encode(), [type_ for _, type_ in pairs]


COPIES = {table: _copy(table, columns) for table, columns in _TABLES.items()}
