"""The embedded store: SQLite, one process, one writer, brief readers."""

from crossdock.stores.sqlite.store import SqliteStore, open_store

__all__ = ["SqliteStore", "open_store"]
