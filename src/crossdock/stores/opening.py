"""Opening the store that a configuration names: a file of ours, or a database that many processes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from crossdock.engine.messages import Message
from crossdock.engine.port import Store
from crossdock.errors import ConfigurationError
from crossdock.stores.cache import Recent
from crossdock.stores.reads import Reads
from crossdock.stores.vault import Vault

Address = Path | str
"""The path of a file, or the address of a PostgreSQL database."""


class HubStore(Store, Protocol):
    """A store as a hub runs on it: besides the engine's port, what those who start, stop and watch it need."""

    def group(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run several writes in one durable transaction; an error is a result, and undoes only its own write."""
        ...

    def reads(self) -> Reads:
        """A reader of its own for a face; close it when the thread ends."""
        ...

    def behind(self, batch: int, limit: int) -> list[int]:
        """Partners' messages among the `limit` that this pipeline will claim after the next `batch`, in order, as far as
        that can be known; for the thread that claims.
        """
        ...

    def tell_partners(self, states: Mapping[str, str]) -> None:
        """Where several processes share the store: how those partners are that this one calls, for the others to read."""
        ...

    def leads(self) -> bool:
        """Whether what one process of several does for all is this one's."""
        ...

    def keep_proof(self, told: Mapping[str, str], now: int) -> None:
        """Keep texts of the proof, by name, for every face to read."""
        ...

    def erase(self, subject: int, now: int) -> None:
        """Forget the persons of a subject."""
        ...

    def checkpoint(self) -> int:
        """Move the log into the file, beside the writer. Returns how many pages it held."""
        ...

    def restart_log(self) -> None:
        """Move what is left of the log, so that it begins anew; on the writer's thread, between two transactions."""
        ...

    def truncate_log(self, *, patient: bool = True) -> None:
        """Cut the log; nothing erased stays behind in it."""
        ...

    def wal_bytes(self) -> int:
        """The size of the log."""
        ...

    def rest(self) -> None:
        """Nobody here is at anything any more: a clean stop."""
        ...

    def close(self) -> None:
        """Close it; what was accepted stays."""
        ...


def is_shared(address: Address) -> bool:
    """Whether many processes may work on it."""
    return not isinstance(address, Path)


def open_store(address: Address, vault: Vault) -> HubStore:
    """Open the store, made where there is none. ConfigurationError where it cannot serve."""
    if isinstance(address, Path):
        from crossdock.stores.sqlite import SqliteStore

        return SqliteStore(address, vault)
    from crossdock.stores.postgres import PostgresStore

    return PostgresStore(address, vault)


def open_reads(address: Address, vault: Vault) -> Reads:
    """Look into the store beside those who work on it. ConfigurationError where there is none, or one that is just being made."""
    if isinstance(address, Path):
        from crossdock.stores.sqlite.database import Database, is_made

        database = Database(address, readonly=True) if address.exists() else None
        if database is not None and is_made(database):
            return Reads(database, vault)
        if database is not None:
            database.close()
        raise ConfigurationError(
            f"There is no store in {address.parent} yet. `crossdock up` makes it and runs the hub."
        )
    from crossdock.stores.postgres.session import Questions

    return Reads(Questions(address), vault)


def open_messages(
    address: Address, vault: Vault, body_bytes_max: int
) -> Callable[[Sequence[int]], list[Message]]:
    """Reads messages of the inbox by id, beside the one who works on it, but for larger ones. For one thread.

    Of a store that several share it reads none: which of them will claim a message is not known before.
    """
    if not isinstance(address, Path):
        return lambda ids: []
    path = address
    from crossdock.stores.sqlite.database import Database, translated
    from crossdock.stores.sqlite.messages import Bodies, read_messages

    database: Database = Database(path, readonly=True)
    nothing: Bodies = Recent(0)

    def read(ids: Sequence[int]) -> list[Message]:
        with translated("reading ahead"):
            small = [number for number, size in database.ask("body_sizes", ids) if size <= body_bytes_max]
            return read_messages(database, vault, small, nothing)

    return read
