"""The processes of the demo: the hub and its partners, started as anyone would, and killed as nobody would wish."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from crossdock.demo.options import WORKERS, StoreKind
from crossdock.errors import ConfigurationError

STOP_S = 15.0
TAIL_LINES = 15
KIB = 1024
UP = b" is up"
"""What a process of the hub says once it works."""


class Child:
    """A process of ours, its output in a file. It may be started again after its end."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environ: Mapping[str, str]) -> None:
        self.name, self.log = name, log
        self._command, self._environ = list(command), {**os.environ, **environ}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; what it prints is added to its log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environ
            )

    def kill(self) -> None:
        """End it with SIGKILL: it gets no moment to finish anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end; one that does not is killed."""
        if self._process is None or not self.alive:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def require_alive(self) -> None:
        """Raise with the last words of a process that has ended by itself."""
        if not self.alive:
            code = self._process.returncode if self._process is not None else None
            raise ConfigurationError(
                f"The demo's {self.name} has ended by itself, with {code}. It said last:\n{self.tail()}"
            )

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-TAIL_LINES:])

    def lives(self) -> int:
        """How often it has said that it is up."""
        return self.log.read_bytes().count(UP) if self.log.exists() else 0

    def memory_mib(self) -> float:
        """The most that it and its children have had in memory, in MiB; what they have now where that is not told; else 0."""
        if self._process is None or not self.alive:
            return 0.0
        return sum(memory_mib(pid) for pid in (self._process.pid, *children_of(self._process.pid)))


def children_of(pid: int) -> list[int]:
    """The processes that a process has started; none where nobody tells."""
    found: list[int] = []
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += [int(word) for word in told.read_text("ascii").split()]
    return found


def memory_mib(pid: int) -> float:
    """Resident memory of a process in MiB: its peak on Linux, the present elsewhere, 0 where nobody tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return _memory_by_ps(pid)
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / KIB
    return 0.0


def _memory_by_ps(pid: int) -> float:
    try:
        told = subprocess.run(  # noqa: S603
            ["ps", "-o", "rss=", "-p", str(pid)],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return 0.0
    return int(told.stdout.strip() or 0) / KIB


class HubProcesses:
    """The hub as it runs: one process, or several over a database that they share. `victims` are killed in turn."""

    def __init__(self, children: Sequence[Child], victims: Sequence[Child]) -> None:
        self.children, self.victims = tuple(children), tuple(victims)

    @property
    def shared(self) -> bool:
        """Whether it goes on where one of its processes dies."""
        return len(self.children) > 1

    def start(self) -> None:
        """Start all of it."""
        for child in self.children:
            child.start()

    def stop(self) -> None:
        """End all of it: those that take things in first."""
        for child in self.children:
            child.stop()

    def require_alive(self, dead: Child | None = None) -> None:
        """Raise where a process has ended by itself; `dead` has been killed by us."""
        for child in self.children:
            if child is not dead:
                child.require_alive()

    def tail(self) -> str:
        """The last lines of all logs."""
        if not self.shared:
            return self.children[0].tail()
        return "\n".join(f"{child.name}:\n{child.tail()}" for child in self.children)

    def memory_mib(self) -> float:
        """The sum of what its processes have had in memory."""
        return sum(child.memory_mib() for child in self.children)


def hub_processes(config: Path, folder: Path, environ: Mapping[str, str], store: StoreKind) -> HubProcesses:
    """The real hub: `crossdock up`, whole, or a process a role: a gateway, workers, a dispatcher, a scheduler."""
    command = [sys.executable, "-m", "crossdock", "up", "--config", str(config)]
    if store == "sqlite":
        hub = Child("hub", command, folder / "hub.log", environ)
        return HubProcesses([hub], [hub])

    def role(name: str, number: int = 0) -> Child:
        named = f"{name} {number}" if number else name
        log = folder / f"{named.replace(' ', '-')}.log"
        return Child(named, [*command, "--role", name], log, environ)

    workers = [role("worker", n) for n in range(1, WORKERS + 1)]
    return HubProcesses([role("gateway"), *workers, role("dispatcher"), role("scheduler")], workers)


def partners_process(config: Path, log: Path) -> Child:
    """All simulated partners."""
    return Child(
        "partners", [sys.executable, "-m", "crossdock.simulator.serve", "--config", str(config)], log, {}
    )
