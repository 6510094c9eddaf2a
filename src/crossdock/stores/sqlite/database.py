"""Open the file, check that it is safe, run named statements, and translate SQLite's errors at this one edge."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import apsw
import msgspec

from crossdock.errors import (
    ConfigurationError,
    ConflictError,
    CrossdockError,
    OverloadedError,
    RetryableError,
)
from crossdock.stores.sql import named_queries

SCHEMA_VERSION = 3
"""The number of the last file in `migrations/`; all of them together make `schema.sql`, a test proves it."""
PAGE_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 8 * 1024
"""Of a face's reader; there may be many."""
MMAP_BYTES = 256 * 1024 * 1024
BUSY_MS = 5_000

QUERIES = named_queries("crossdock.stores.sqlite", "queries.sql", "reads.sql")
QUERIES |= named_queries("crossdock.stores", "reads.sql", "audit.sql")
PROGRAM = {
    section.split()[0]: statement
    for section, statement in named_queries("crossdock.stores.sqlite", "program.sql").items()
}
OPERATIONS = tuple(name for name, statement in PROGRAM.items() if "create temp" not in statement)
RUN = f"insert into program values ({', '.join('?' * (len(OPERATIONS) + 1))})"  # noqa: S608 - question marks
encode = msgspec.json.Encoder().encode
decode = msgspec.json.decode
_STEP = re.compile(r"\d{4}_[a-z_]+\.sql")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, once."""
    try:
        yield
    except (apsw.FullError, apsw.IOError) as error:
        raise OverloadedError(
            f"The disk did not take it while {doing}: {error}. Free some space; work goes on by itself then.",
            retry_after=5,
        ) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise RetryableError(f"The store was busy while {doing}.", retry_after=1) from error
    except apsw.ConstraintError as error:
        if "stale process" in str(error):
            raise ConflictError(
                "An order was changed by another worker since it was read; the batch is done again."
            ) from error
        raise ConflictError(f"The store refused to break its own rule while {doing}: {error}.") from error
    except apsw.Error as error:
        raise CrossdockError(f"The store failed while {doing}: {type(error).__name__}: {error}.") from error


class Program:
    """The operations of `program.sql` that a transaction consists of, with the blobs that some of them carry.

    They run in the order of that file; those of one kind in the order added.
    """

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        self.blob = bytearray()

    def add(self, operation: str, *row: Any) -> None:
        """One operation with its arguments."""
        self.rows.setdefault(operation, []).append(row)

    def to(self, operation: str) -> Callable[[tuple[Any, ...]], None]:
        """What adds a row of one kind, where there are many."""
        return self.rows.setdefault(operation, []).append

    def add_all(self, operation: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Several of one kind."""
        if added := list(rows):
            self.rows.setdefault(operation, []).extend(added)

    def add_with(self, blobs: Sequence[bytes], operation: str, *row: Any) -> None:
        """One operation that carries one or two blobs; where they stand is its last argument."""
        places: list[int] = []
        for blob in blobs:
            places += (len(self.blob) + 1, len(blob))
            self.blob += blob
        self.add(operation, *row, places)

    def count(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Counters move in the transaction of what they count."""
        self.add_all("count", ((source, name, value) for (source, name), value in sorted(counts.items())))


class Database:
    """One connection. Bulk statements take one JSON text and are one step (docs/adr/0002)."""

    def __init__(self, path: Path, *, readonly: bool = False, cache_kib: int = 0) -> None:
        flags = (
            apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        )
        with translated(f"opening {path.name}"):
            self.connection = apsw.Connection(str(path), flags=flags, statementcachesize=200)
            self.connection.set_busy_timeout(BUSY_MS)
            if not readonly:
                self.connection.pragma("journal_mode", "wal")
                self.connection.pragma("synchronous", 2)
                self.connection.pragma("wal_autocheckpoint", 0)
            cache_kib = cache_kib or (READER_CACHE_KIB if readonly else PAGE_CACHE_KIB)
            self.connection.pragma("cache_size", -cache_kib)
            self.connection.pragma("mmap_size", MMAP_BYTES)
            self.connection.pragma("temp_store", "memory")

    def load_program(self) -> None:
        """Make the view and the triggers that programs run through; for the connection that writes."""
        columns = ", ".join(f'null as "{operation}"' for operation in OPERATIONS)
        steps = ";\n".join(PROGRAM[operation] for operation in OPERATIONS)
        with translated("preparing to write"):
            for name, statement in PROGRAM.items():
                if name not in OPERATIONS:
                    self.connection.execute(statement)
            self.connection.execute(f"create temp view program as select {columns}, null as blob")
            self.connection.execute(
                f"create temp trigger program_run instead of insert on program begin {steps}; end"
            )

    def run_program(self, program: Program) -> None:
        """Write a program in one step, in its order; all of it or nothing."""
        self.run_bound(self.bound(program))

    def run_bound(self, bindings: tuple[Any, ...]) -> None:
        """Write what `bound` has made ready."""
        if bindings:
            self.connection.execute(RUN, bindings).fetchall()

    @staticmethod
    def bound(program: Program) -> tuple[Any, ...]:
        """A program as the bindings of its one statement; () where there is nothing to write."""
        rows = {operation: encode(rows).decode() for operation, rows in program.rows.items() if rows}
        if not rows:
            return ()
        bindings = [rows.pop(operation, None) for operation in OPERATIONS]
        if rows:
            raise ValueError(f"program.sql knows no operation {', '.join(rows)}")
        return (*bindings, bytes(program.blob))

    def ask(self, name: str, rows: Sequence[Any], *more: Any) -> Any:
        """Ask a bulk question; the answer is the one JSON text, decoded. [] for no rows."""
        if not rows:
            return []
        text = self.connection.execute(QUERIES[name], (encode(rows).decode(), *more)).get
        return decode(text) if text else []

    def text(self, name: str, rows: Sequence[Any], nothing: str) -> str:
        """As `ask`, but the JSON text itself; `nothing` for no rows."""
        if not rows:
            return nothing
        return str(self.connection.execute(QUERIES[name], (encode(rows).decode(),)).get)

    def run(self, name: str, *bindings: Any) -> list[tuple[Any, ...]]:
        """Run a named statement."""
        return self.connection.execute(QUERIES[name], bindings).fetchall()

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """SQLite's errors as ours."""
        return translated(doing)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is asked inside is of one moment. Brief: while it lasts the log cannot begin anew."""
        self.connection.execute("begin")
        try:
            yield
        finally:
            self.connection.execute("rollback")

    def changed(self) -> int:
        """Rows that the last statement changed."""
        return self.connection.changes()

    @contextmanager
    def transaction(self, doing: str) -> Iterator[None]:
        """All or nothing, durable at the end. Nested: a savepoint."""
        with translated(doing):
            nested = bool(self.connection.in_transaction)
            self.connection.execute("savepoint nested" if nested else "begin immediate")
            try:
                yield
                self.connection.execute("release nested" if nested else "commit")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("rollback to nested" if nested else "rollback")
                    if nested:
                        self.connection.execute("release nested")
                raise

    def close(self) -> None:
        self.connection.close()


def migrations() -> list[str]:
    """The steps of the schema, in order: the first is that of the first release, each later one goes forward from there."""
    folder = files("crossdock.stores.sqlite").joinpath("migrations")
    names = sorted(file.name for file in folder.iterdir() if _STEP.fullmatch(file.name))
    if [int(name[:4]) for name in names] != list(range(1, SCHEMA_VERSION + 1)):
        raise ValueError(f"The migrations are not 1 to {SCHEMA_VERSION}, one each: {names}")
    return [folder.joinpath(name).read_text("utf-8") for name in names]


def version_of(database: Database) -> int:
    """The schema that a file has, 0 for an empty one; a ConfigurationError where a later release has migrated it."""
    version = int(database.connection.pragma("user_version"))
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"The store has schema version {version}, and this release knows {SCHEMA_VERSION} at most: a later one has "
            "migrated it. Start that one, or restore the backup from before."
        )
    return version


def is_made(database: Database) -> bool:
    """Whether the file has a schema: it comes in one transaction, after the file itself."""
    with translated("looking for the schema"):
        return version_of(database) > 0


def create_schema(database: Database, steps: Sequence[str] | None = None) -> None:
    """Make the schema in an empty file, or bring an older one up to the present: all of it or nothing, and never back."""
    wanted = SCHEMA_VERSION if steps is None else len(steps)
    if (version := version_of(database)) == wanted:
        return
    if version:
        texts = (migrations() if steps is None else steps)[version:]
    else:
        texts = [files("crossdock.stores.sqlite").joinpath("schema.sql").read_text("utf-8")]
    with database.transaction("bringing the schema up to date"):
        for text in texts:
            database.connection.execute(text)
        database.connection.pragma("user_version", wanted)


def check_durable(database: Database) -> None:
    """Refuse settings under which an accepted message could be lost."""
    mode, synchronous = database.connection.pragma("journal_mode"), database.connection.pragma("synchronous")
    if mode != "wal" or synchronous < 2:
        raise ConfigurationError(
            f"The store runs with journal_mode={mode}, synchronous={synchronous}: a power cut could lose accepted "
            "messages. Put it on a local file system that supports WAL."
        )


def lock_file(path: Path) -> int:
    """Make sure that no second process works on this file; the lock ends with the process."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConfigurationError(
            f"Another process works on {path}. Stop it first: one process at a time may run a hub on SQLite."
        ) from error
    return descriptor
