"""The store for many machines: PostgreSQL, any number of gateways, workers and dispatchers over one database."""

from crossdock.stores.postgres.store import PostgresStore, open_store

__all__ = ["PostgresStore", "open_store"]
