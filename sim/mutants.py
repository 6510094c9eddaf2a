"""Planted bugs: each is put into a copy of the source, and the simulation, then a few tests, must find it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
SEEDS = 6
CPU_S_MAX = 240
"""Of one attempt at a bug; more is taken for a loop without an end. The clock on the wall says nothing on a busy machine."""
TESTS = (
    "tests/engine",
    "tests/stores/test_sqlite.py",
    "tests/stores/test_keeping.py::TestSqlite",
    "tests/flows",
    "tests/connectors/test_erp.py",
    "tests/connectors/test_erp_sales.py",
    "tests/connectors/test_wms.py",
    "tests/connectors/test_batches.py",
    "tests/connectors/test_shopify_calls.py",
    "tests/domain",
    "tests/faults/test_storage.py::test_a_claim_that_could_not_be_written_claims_nothing",
    "tests/faults/test_storage.py::test_a_group_of_writes_that_does_not_fit_leaves_no_trace_and_no_claim",
)
POSTGRES = "src/crossdock/stores/postgres/"
POSTGRES_TESTS = (
    "tests/stores/test_postgres.py",
    "tests/stores/test_floors.py",
    "tests/stores/test_postgres_fences.py",
    "tests/stores/test_postgres_levels.py",
    "tests/stores/test_postgres_faults.py",
    "tests/stores/test_postgres_long.py",
    "tests/stores/test_postgres_held_back.py",
    "tests/stores/test_postgres_hangs.py",
    "tests/stores/test_postgres_opening.py",
    "tests/stores/test_postgres_trading.py",
)
"""The simulation works on SQLite: of the store for many processes, these must find what is wrong."""
COPIED = ("src", "sim", "tests", "pyproject.toml")


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One planted bug: `old` stands exactly once in `file`, and becomes `new`. worse: it loses or doubles something."""

    name: str
    file: str
    old: str
    new: str
    worse: bool = False

    @property
    def shared(self) -> bool:
        """Whether it is in the store for many processes."""
        return self.file.startswith(POSTGRES)


class Caught(msgspec.Struct, frozen=True, kw_only=True):
    """What found a planted bug; by "" is: nothing."""

    mutant: Mutant
    by: str
    text: str
    seconds: float


def load(folder: Path = ROOT / "mutants") -> list[Mutant]:
    """Every planted bug, in the order of the files; names are unique."""
    found: list[Mutant] = []
    for file in sorted(folder.glob("*.toml")):
        found += msgspec.convert(tomllib.loads(file.read_text("utf-8"))["mutant"], list[Mutant])
    names = [mutant.name for mutant in found]
    if len(set(names)) != len(names):
        raise ValueError(
            f"Two planted bugs have one name: {sorted(n for n in names if names.count(n) > 1)[0]}."
        )
    return found


def mutated(mutant: Mutant, text: str) -> str:
    """The file with the bug in it; ValueError where it does not apply any more."""
    if text.count(mutant.old) != 1:
        raise ValueError(
            f"The bug {mutant.name!r} does not apply: what it replaces stands {text.count(mutant.old)} times in "
            f"{mutant.file}. Write it anew in mutants/."
        )
    return text.replace(mutant.old, mutant.new)


def hunt(
    mutants: Sequence[Mutant],
    say: Callable[[str], None],
    *,
    source: Path = ROOT,
    seeds: int = SEEDS,
    tests: Sequence[str] = TESTS,
) -> list[Caught]:
    """Plant one bug after the other and see what finds it."""
    for mutant in mutants:
        mutated(mutant, (source / mutant.file).read_text("utf-8"))
    folder = Path(tempfile.mkdtemp(prefix="crossdock-mutants-"))
    try:
        for name in COPIED:
            _copy((ROOT if name == "sim" else source) / name, folder / name)
        _without_any(folder, seeds, tests, mutants)
        found = []
        for n, mutant in enumerate(mutants, start=1):
            with _planted(mutant, folder):
                caught = _hunt(mutant, folder, seeds, tests)
            found.append(caught)
            by = caught.by or "NOTHING"
            say(f"{n:3} {mutant.name:44} {'!' if mutant.worse else ' '} {by:18} {caught.text[:90]}")
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(found: Sequence[Caught], say: Callable[[str], None]) -> bool:
    """The share caught; True where it is enough."""
    missed = [caught for caught in found if not caught.by]
    worse = [caught for caught in missed if caught.mutant.worse]
    simulated = sum(caught.by.startswith("seed") for caught in found)
    share = 100 * (len(found) - len(missed)) / max(1, len(found))
    say(
        f"{len(found)} planted bugs: {simulated} found by the simulation, {len(found) - simulated - len(missed)} by tests, "
        f"{len(missed)} by nothing; {share:.0f} % caught. `!`: it loses or doubles something"
    )
    for caught in missed:
        say(f"  not found: {caught.mutant.name}")
    return share >= 95 and not worse


def _without_any(folder: Path, seeds: int, tests: Sequence[str], mutants: Sequence[Mutant]) -> None:
    """Nothing may be found where nothing is planted."""
    for shared in sorted({mutant.shared for mutant in mutants}):
        nobody = Mutant(name="nothing", file=POSTGRES if shared else "", old="", new="")
        nothing = _hunt(nobody, folder, seeds, tests)
        if nothing.by:
            raise ValueError(f"{nothing.by} fails without any bug: {nothing.text}. Mend that first.")


def _hunt(mutant: Mutant, folder: Path, seeds: int, tests: Sequence[str]) -> Caught:
    began = time.monotonic()
    if mutant.shared:
        by, text = _tests(POSTGRES_TESTS, folder) if tests else ("", "")
    else:
        by, text = _simulation(folder, seeds)
        if not by and tests:
            by, text = _tests(tests, folder)
    return Caught(mutant=mutant, by=by, text=text, seconds=time.monotonic() - began)


def _simulation(folder: Path, seeds: int) -> tuple[str, str]:
    command = [sys.executable, "-m", "sim", "many", "--seeds", str(seeds), "--jobs", "1", "--stop"]
    status, said = _run(command, folder)
    if status == 0:
        return "", ""
    if status == TIMED_OUT:
        return "seed: no end", ""
    found = re.search(r"seed (\d+): (\(.+?\) .*)", said)
    return (f"seed {found[1]}", found[2]) if found else ("seed: it breaks", said.strip()[-90:])


def _tests(tests: Sequence[str], folder: Path) -> tuple[str, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    status, said = _run(command, folder)
    if status == 0:
        return "", ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return "a test", failed[1] if failed else said.strip()[-90:]


TIMED_OUT = -1


def _run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    environ = {
        **os.environ,
        "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_limit,
    )
    if done.returncode == -signal.SIGXCPU:
        return TIMED_OUT, ""
    return done.returncode, done.stdout + done.stderr


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX + 5))


@contextmanager
def _planted(mutant: Mutant, folder: Path) -> Iterator[None]:
    path = folder / mutant.file
    whole = path.read_text("utf-8")
    path.write_text(mutated(mutant, whole), "utf-8")
    try:
        yield
    finally:
        path.write_text(whole, "utf-8")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, target)
