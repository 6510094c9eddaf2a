"""Before anything is kept in a database: is it safe there, and does it have our tables? Migrations only go forward."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import NamedTuple

import psycopg

from crossdock.errors import ConfigurationError
from crossdock.stores.postgres.session import CONNECT_S, PACKAGE, translated

VERSION_MIN = 15
LOCK = 0x63726F7373646F63
"""Processes that start together migrate one after the other: an advisory lock of this number."""
_NAME = re.compile(r"(\d{4})_([a-z_]+)\.sql")
_WORKS = re.compile(r"-- statements of: (\d+)")


class Migration(NamedTuple):
    """One step of the schema. works: the oldest schema whose statements still work on a database that has it."""

    number: int
    name: str
    works: int
    text: str


def migrations() -> list[Migration]:
    """Every step, in order."""
    found = []
    for file in files(PACKAGE).joinpath("migrations").iterdir():
        named = _NAME.fullmatch(file.name)
        if named:
            text = file.read_text("utf-8")
            works = _WORKS.match(text)
            if works is None:
                raise ValueError(f"{file.name} does not say in its first line whose statements work after it")
            found.append(Migration(int(named[1]), named[2], int(works[1]), text))
    return sorted(found)


def prepare(url: str, steps: list[Migration] | None = None) -> None:
    """Check the server and bring its schema up to date; raise ConfigurationError with a remedy where it cannot serve."""
    with (
        translated("opening the store"),
        psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S) as connection,
    ):
        check_server(connection)
        migrate(connection, migrations() if steps is None else steps)


def check_server(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Refuse settings under which an accepted message could be lost, or that the statements do not bear."""
    version = connection.info.server_version // 10_000
    if version < VERSION_MIN:
        raise ConfigurationError(
            f"The database is PostgreSQL {version}, and {VERSION_MIN} is the oldest that serves. Upgrade the server."
        )
    for name, why in (
        ("fsync", "a power cut could lose accepted messages, or the whole database"),
        ("full_page_writes", "a power cut could leave torn pages"),
        ("synchronous_commit", "a crash of the server could lose accepted messages"),
    ):
        if _setting(connection, name) == "off":
            raise ConfigurationError(
                f"The database runs with {name} = off: {why}. Set {name} = on in postgresql.conf (look also at "
                f"ALTER DATABASE and ALTER ROLE ... SET {name}), and reload."
            )
    encoding = _setting(connection, "server_encoding")
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The database keeps its texts as {encoding}, which cannot hold every name. Make one with ENCODING 'UTF8'."
        )
    if _setting(connection, "transaction_read_only") == "on":
        raise ConfigurationError(
            "The database takes no writes: it is a standby, or set to default_transaction_read_only. Give the address "
            "of the primary; with several hosts in it, add target_session_attrs=read-write."
        )


def _setting(connection: psycopg.Connection[tuple[object, ...]], name: str) -> str:
    row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def migrate(connection: psycopg.Connection[tuple[object, ...]], steps: list[Migration]) -> None:
    """Apply the steps that are missing, each in a transaction of its own; alone among processes.

    A database that has later steps than this release knows serves as long as they leave its statements working: so the
    last release's processes run on, and start again, while the new ones have already migrated.
    """
    known = max(step.number for step in steps)
    connection.execute("select pg_advisory_lock(%s)", (LOCK,))
    try:
        connection.execute(
            "create table if not exists migration (number integer primary key, name text not null, "
            "works integer not null, applied_at timestamptz not null default now())"
        )
        rows = connection.execute("select number, works from migration").fetchall()
        applied = {number for number, _ in rows}
        needed = max((int(str(works)) for _, works in rows), default=0)
        if needed > known:
            raise ConfigurationError(
                f"The store was migrated by a later release, which needs statements of schema {needed}; this one has those "
                f"of {known}. Start the later release."
            )
        for step in steps:
            if step.number not in applied:
                with connection.transaction():
                    connection.execute(step.text.encode())
                    connection.execute(
                        "insert into migration (number, name, works) values (%s, %s, %s)",
                        (step.number, step.name, step.works),
                    )
    finally:
        connection.execute("select pg_advisory_unlock(%s)", (LOCK,))
