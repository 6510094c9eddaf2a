"""Connections: named statements, binary COPY, transactions, and PostgreSQL's errors translated at this one edge."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import errors, pq
from psycopg.adapt import AdaptersMap
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import BytesBinaryDumper, StrBinaryDumper

from crossdock.errors import (
    ConfigurationError,
    ConflictError,
    CrossdockError,
    OverloadedError,
    RejectedError,
    RetryableError,
)
from crossdock.stores.postgres.tables import COPIES
from crossdock.stores.postgres.watching import Line
from crossdock.stores.sql import named_queries

T = TypeVar("T")
Row = tuple[Any, ...]

PACKAGE = "crossdock.stores.postgres"
FILES = ("claiming.sql", "writing.sql", "effects.sql", "leases.sql", "upkeep.sql", "reads.sql")
# What serves both databases numbers its arguments ?1; PostgreSQL says $1.
_SHARED = {
    name: text.replace("?", "$")
    for name, text in named_queries("crossdock.stores", "reads.sql", "audit.sql").items()
}
QUERIES = {name: text.encode() for name, text in (_SHARED | named_queries(PACKAGE, *FILES)).items()}
TRIES_MAX = 5
CONNECT_S = 5
IDLE_MAX = 8
SETTINGS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    # A worker that hangs in the middle of a transaction loses it, and with it its locks, before its leases are missed.
    "idle_in_transaction_session_timeout": "3s",
    # Every statement of the writing side has its index. A plan that was made while a table was small must not go on to
    # read all of it, or join through all of it, when it is large.
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "enable_hashjoin": "off",
    "jit": "off",
    "timezone": "UTC",
}
READING = {"statement_timeout": "60s", "jit": "off", "default_transaction_read_only": "on"}
PATIENCE_S = 12.0
"""Longer than `statement_timeout`: a server that is well has answered by then, if only to say that it took too long."""
READING_PATIENCE_S = 62.0
KEEPALIVES = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
encode = msgspec.json.Encoder().encode


def _adapters() -> AdaptersMap:
    """Integers travel as int8, texts and lists in binary: one type each, so that one statement is prepared once."""
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(str, StrBinaryDumper)
    adapters.register_dumper(bytes, BytesBinaryDumper)
    adapters.register_dumper(list, ListBinaryDumper)
    return adapters


_ADAPTERS = _adapters()

_BEYOND = (
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
    errors.TooManyColumns,
    errors.TooManyArguments,
)
"""Class 54: the connection is well, and the same values will never be kept. psycopg counts it among what passes."""

_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.InFailedSqlTransaction,
)
"""The connection is gone or of no use; what it was in the middle of has not happened."""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn PostgreSQL's errors into ours, once."""
    try:
        yield
    except errors.UniqueViolation as error:
        raise ConflictError(f"Another worker wrote it first while {doing}: {_name(error)}.") from error
    except errors.IntegrityError as error:
        raise ConflictError(
            f"The store refused to break its own rule while {doing}: {_name(error)}."
        ) from error
    except (errors.DeadlockDetected, errors.SerializationFailure) as error:
        raise RetryableError(f"Others were quicker while {doing}.", retry_after=1) from error
    except (errors.QueryCanceled, errors.LockNotAvailable) as error:
        raise RetryableError(f"The database took too long while {doing}.", retry_after=1) from error
    except errors.CharacterNotInRepertoire as error:
        raise RejectedError(f"A text holds a NUL, which cannot be kept, while {doing}.") from error
    except _BEYOND as error:
        raise RejectedError(
            f"A value is larger than the store can keep while {doing}: {_name(error)}. Shorten it at its source."
        ) from error
    except _AWAY as error:
        raise OverloadedError(
            f"The database was away or full while {doing}: {_name(error)}. Work goes on by itself when it is back.",
            retry_after=1,
        ) from error
    except psycopg.Error as error:
        raise CrossdockError(
            f"The store failed while {doing}: {type(error).__name__}: {_name(error)}."
        ) from error


def _name(error: psycopg.Error) -> str:
    """What the server said, without the row it was about."""
    return error.diag.message_primary or str(error).partition("\n")[0] or type(error).__name__


class Session:
    """One connection. Not for two threads at a time."""

    def __init__(self, url: str, *, readonly: bool = False) -> None:
        settings = READING if readonly else SETTINGS
        self.raw: psycopg.Connection[Row] = psycopg.connect(
            url,
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            connect_timeout=CONNECT_S,
            application_name="crossdock",
            context=_ADAPTERS,
            **KEEPALIVES,  # type: ignore[arg-type]  # settings of the connection, and none of the driver
        )
        self.line = Line(self.raw.fileno(), READING_PATIENCE_S if readonly else PATIENCE_S)
        self.raw.prepare_threshold = 0
        self.raw.prepared_max = None
        if not readonly and self.raw.info.server_version >= 170_000:
            settings = settings | {"transaction_timeout": "50s"}
        try:
            self.configure(settings)
            self.slot = 0 if readonly else int(self.run("next_slot")[0][0])
        except BaseException:
            self.close()
            raise
        self.line.free()

    def configure(self, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            self.line.busy()
            self.raw.execute(b"select set_config($1, $2, false)", (name, value))

    def run(self, name: str, *bindings: Any) -> list[Row]:
        """Rows of a named statement; [] where it gives none."""
        self.line.busy()
        cursor = self.raw.execute(QUERIES[name], bindings, prepare=True, binary=True)
        return cursor.fetchall() if cursor.description is not None else []

    def change(self, name: str, *bindings: Any) -> int:
        """How many rows a named statement changed."""
        self.line.busy()
        return self.raw.execute(QUERIES[name], bindings, prepare=True).rowcount

    def together(self, *asked: tuple[Any, ...]) -> list[list[Row]]:
        """Rows of several questions (name, bindings...), sent in one go."""
        self.line.busy()
        with self.raw.pipeline():
            cursors = [
                self.raw.execute(QUERIES[name], more, prepare=True, binary=True) for name, *more in asked
            ]
            return [cursor.fetchall() for cursor in cursors]

    def copy(self, table: str, rows: Sequence[Row]) -> None:
        """Append rows to a table; the columns are those of `tables.COPIES`."""
        if not rows:
            return
        self.line.busy()
        statement, types = COPIES[table]
        with self.raw.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    @property
    def usable(self) -> bool:
        """False where the server has ended it, or said anything unasked, since it was used last."""
        if self.raw.closed or self.raw.info.transaction_status != pq.TransactionStatus.IDLE:
            return False
        return not select.select([self.raw.fileno()], [], [], 0)[0]

    def transact(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction, or within the one under way in one of its own that can be undone alone."""
        self.line.busy()
        with self.raw.transaction():
            result = work(self)
            self.line.busy()
        return result

    def close(self) -> None:
        self.raw.close()
        self.line.close()


class Database:
    """Sessions to one database, each used by one thread at a time. Transactions of a thread nest as savepoints."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        self._local = threading.local()
        self._closed = False

    def write(self, doing: str, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction, durable on return; again where PostgreSQL chose it as the loser of a race."""
        with translated(doing):
            outer: Session | None = getattr(self._local, "session", None)
            for tries in range(TRIES_MAX):
                try:
                    return outer.transact(work) if outer is not None else self._outermost(work)
                except (errors.DeadlockDetected, errors.SerializationFailure):
                    if tries + 1 == TRIES_MAX:
                        raise
            raise AssertionError("unreachable")

    @property
    def nested(self) -> bool:
        """Whether this thread is inside a transaction whose connection still stands."""
        session: Session | None = getattr(self._local, "session", None)
        return session is not None and not session.raw.closed

    def read(self, doing: str, work: Callable[[Session], T]) -> T:
        """Run `work`, each statement by itself; inside this thread's transaction where there is one."""
        with translated(doing):
            outer: Session | None = getattr(self._local, "session", None)
            if outer is not None:
                return work(outer)
            with self._borrowed() as session:
                return work(session)

    def _outermost(self, work: Callable[[Session], T]) -> T:
        with self._borrowed() as session:
            self._local.session = session
            try:
                return session.transact(work)
            finally:
                self._local.session = None

    @contextmanager
    def _borrowed(self) -> Iterator[Session]:
        session = self._take()
        try:
            yield session
        finally:
            session.line.free()
            with self._lock:
                keep = session.usable and len(self._idle) < IDLE_MAX and not self._closed
                if keep:
                    self._idle.append(session)
            if not keep:
                session.close()
            if session.line.cut:
                self._drop_idle()  # the others are no better, and each would be waited for in its turn

    def _take(self) -> Session:
        while True:
            with self._lock:
                session = self._idle.pop() if self._idle else None
            if session is None:
                return Session(self.url)
            if session.usable:
                return session
            session.close()

    def close(self) -> None:
        """Close what nobody is using, and the rest when it is given back."""
        with self._lock:
            self._closed = True
        self._drop_idle()

    def _drop_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()


class Questions:
    """A read-only session that `stores.reads.Reads` asks; it connects again when the database was away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: Session | None = None
        self._inside = False

    def run(self, name: str, *bindings: Any) -> list[Row]:
        """Rows of a named question."""
        session = self._ready()
        try:
            return session.run(name, *bindings)
        finally:
            session.line.free()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is asked inside is of one moment. Brief: what is finished cannot be cleared away while it lasts."""
        session = self._ready()
        session.raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with session.raw.transaction():
            self._inside = True
            try:
                yield
            finally:
                self._inside = False

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """PostgreSQL's errors as ours."""
        return translated(doing)

    def text(self, name: str, rows: Sequence[Any], nothing: str) -> str:
        """The one JSON text that a bulk question over `rows` gives; `nothing` for no rows."""
        return str(self.run(name, encode(rows).decode())[0][0]) if rows else nothing

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _ready(self) -> Session:
        if self._session is not None and (self._inside or self._session.usable):
            return self._session
        self.close()
        self._session = Session(self._url, readonly=True)
        return self._session


def check_url(url: str) -> None:
    """Refuse an address that is none, without repeating the password in it."""
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ConfigurationError(
            "The address of the database cannot be read. Write one like postgresql://user@host:5432/crossdock."
        ) from error
