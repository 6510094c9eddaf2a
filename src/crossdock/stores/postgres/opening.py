"""Before anything is kept in a database: is it safe there, and does it have our tables? Migrations only go forward."""

from __future__ import annotations

import logging
import random
import re
import time
from importlib.resources import files
from typing import NamedTuple

import psycopg
from psycopg import errors

from crossdock.errors import ConfigurationError, OverloadedError
from crossdock.stores.postgres.session import CONNECT_S, PACKAGE, translated

VERSION_MIN = 15
LOCK = 0x63726F7373646F63
"""Processes that start together migrate one after the other: an advisory lock of this number."""
LOCK_TIMEOUT = "500ms"
"""Whoever waits for a table makes everybody wait who comes after, so a migration does so only for a moment, again and again."""
BESIDE_LOCK_TIMEOUT = "30s"
"""Of statements that nobody waits for (`create index concurrently`)."""
PAUSE_S = 1.0
WAIT_S_MAX = 300.0
BESIDE = "-- outside a transaction"
BLIND = (
    "The hub's role of the database may not see whose transactions stay open, and the proof cannot name them."
)
SEE = "Grant it: grant pg_read_all_stats to ROLE (pg_monitor has it)."
log = logging.getLogger("crossdock")
_NAME = re.compile(r"(\d{4})_([a-z_]+)\.sql")
_COMMENT = re.compile(r"--.*")
_WORKS = re.compile(r"-- statements of: (\d+)")


class Migration(NamedTuple):
    """One step of the schema. works: the oldest schema whose statements still work on a database that has it.

    A text that says `-- outside a transaction` is run statement by statement, so that an index can be made concurrently;
    it must be one that can be begun again, wherever it broke off. Any other is done in whole or not at all.
    """

    number: int
    name: str
    works: int
    text: str

    @property
    def beside(self) -> bool:
        """Whether work on the tables goes on meanwhile."""
        return BESIDE in self.text


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
        if not _sees_others(connection):
            log.warning("%s %s", BLIND, SEE)


def blind(url: str) -> bool:
    """Whether the role that we connect as may not see who keeps a transaction open; then the proof cannot tell either."""
    with (
        translated("looking at the store"),
        psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S) as connection,
    ):
        return not _sees_others(connection)


def _sees_others(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    return connection.execute("select pg_has_role('pg_read_all_stats', 'usage')").fetchone() == (True,)


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
    last release's processes run on, and start again, while the new ones have already migrated. They do not wait for a
    step that has to wait for somebody's open transaction: it lets go, and tries again. OverloadedError after WAIT_S_MAX.
    """
    until = time.monotonic() + WAIT_S_MAX
    told = False
    while True:
        doing = "another process migrates it"
        try:
            if connection.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone() == (True,):
                try:
                    _apply_missing(connection, steps)
                    return
                finally:
                    connection.execute("select pg_advisory_unlock(%s)", (LOCK,))
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            doing = (
                f"a transaction that stays open holds what a migration needs ({error.diag.message_primary})"
            )
            if not told:
                log.warning("the store cannot be migrated yet: %s; it is tried again", doing)
                told = True
        if time.monotonic() > until:
            raise OverloadedError(
                f"The store could not be migrated for {WAIT_S_MAX:g} s: {doing}. Find it in pg_stat_activity "
                "(xact_start, application_name) and end it, or wait; nothing has been changed by halves.",
                retry_after=1,
            )
        time.sleep(PAUSE_S * (0.5 + random.random()))  # noqa: S311  # no secret


def _apply_missing(connection: psycopg.Connection[tuple[object, ...]], steps: list[Migration]) -> None:
    known = max(step.number for step in steps)
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
        if step.number in applied:
            continue
        timeout = BESIDE_LOCK_TIMEOUT if step.beside else LOCK_TIMEOUT
        connection.execute("select set_config('lock_timeout', %s, false)", (timeout,))
        if step.beside:
            for statement in filter(None, map(str.strip, _COMMENT.sub("", step.text).split(";"))):
                connection.execute(statement.encode())
            _record(connection, step)
        else:
            with connection.transaction():
                connection.execute(step.text.encode())
                _record(connection, step)


def _record(connection: psycopg.Connection[tuple[object, ...]], step: Migration) -> None:
    connection.execute(
        "insert into migration (number, name, works) values (%s, %s, %s)",
        (step.number, step.name, step.works),
    )
