"""A real Tryton on loopback: make and seed a database, start the server on it, stop it.

Tryton is installed by pip (`pip install trytond ...`, see pyproject.toml) and only ever started as a process.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossdock.errors import ConfigurationError, CrossdockError
from crossdock.sdk.calls import post
from crossdock.testing.tryton_seed import Retailer
from crossdock.transport.http import HttpTransport

DATABASE = "tryton"
USER, PASSWORD = "admin", "admin-of-the-demo"
MODULES = ("sale", "sale_point", "sale_shipment_cost", "sale_payment", "account_invoice_stock")
_START_S, _STOP_S = 60.0, 10.0

_CONFIG = """\
[database]
uri = sqlite://
path = {folder}

[web]
listen = 127.0.0.1:{port}
"""


def available() -> bool:
    """Whether Tryton is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("trytond", "proteus"))


def seed(folder: Path, retailer: Retailer) -> Path:
    """Make the database of a retailer in `folder`; takes about a minute. Returns its file, which may be copied."""
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(folder, 0)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    admin = [_program("trytond-admin"), "-c", str(config), "-d", DATABASE]
    environ = {"TRYTONPASSFILE": str(secret)}
    for left in folder.glob(f"{DATABASE}.sqlite*"):
        left.unlink()
    _database(folder).touch()
    _run([*admin, "--all", "--email", "admin@example.com", "--password"], environ)
    _run([*admin, "-u", *MODULES, "--activate-dependencies"], environ)
    script = [sys.executable, "-m", "crossdock.testing.tryton_seed", str(config), DATABASE]
    _run(script, environ, msgspec.json.encode(retailer))
    return _database(folder)


class Server:
    """Tryton on a copy of a seeded database; its output is in `folder`/tryton.log. May be stopped and started again."""

    def __init__(self, seeded: Path, folder: Path, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{DATABASE}.sqlite*"):
            left.unlink()  # the log of an earlier copy would be played into this one
        shutil.copyfile(seeded, _database(folder))
        self.port = port
        self.url = f"http://127.0.0.1:{port}/{DATABASE}"
        self._command = [_program("trytond"), "-c", str(_config(folder, port)), "-d", DATABASE]
        self._log = folder / "tryton.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # Tryton's own program
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        transport = HttpTransport(f"http://127.0.0.1:{self.port}")
        version = post("/rpc/", json={"id": 0, "method": "common.server.version", "params": []})
        until = time.monotonic() + _START_S
        try:
            while self._process.poll() is None and time.monotonic() < until:
                try:
                    transport.send(version, 5.0)
                except CrossdockError:
                    time.sleep(0.1)
                else:
                    return
        finally:
            transport.close()
        raise ConfigurationError(f"Tryton does not answer. It said last:\n{self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Ask it to end; one that does not is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _database(folder: Path) -> Path:
    return folder / f"{DATABASE}.sqlite"


def _config(folder: Path, port: int) -> Path:
    path = folder / "trytond.conf"
    path.write_text(_CONFIG.format(folder=folder, port=port))
    return path


def _program(name: str) -> str:
    """A program of Tryton's, beside the interpreter that runs us."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise ConfigurationError(f"{name} is not installed. Install Tryton: pip install trytond proteus ...")
    return found


def _run(command: Sequence[str], environ: dict[str, str], given: bytes = b"") -> None:
    done = subprocess.run(  # noqa: S603  # Tryton's own programs
        command, input=given, env={**os.environ, **environ}, capture_output=True, check=False
    )
    if done.returncode:
        raise ConfigurationError(
            f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stderr.decode('utf-8', 'replace')[-2000:]}"
        )
