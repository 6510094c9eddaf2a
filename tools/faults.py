"""Writes docs/FAULTS.md from the tests: `python -m tools.faults`, with a number: run the tests of that fault, with --check: compare.

Every test that makes a fault of the list happen bears `@pytest.mark.fault(number)`; this collects them all. With --run they
are run, all of them, and what was seen is kept in faults_seen.json, from which the page tells it: without a run, it is as it was.
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from sim.faults import FAULTS as SIMULATED
from tools.fault_list import FAULTS, GROUPS, Fault

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "FAULTS.md"
SEEN = Path(__file__).with_name("faults_seen.json")
OUTCOMES = ("passed", "failed", "skipped")
Seen = Mapping[str, Mapping[str, int]]
"""Fault -> outcome -> how many cases of its tests ended so when they were run last."""
HEAD = """\
# Faults, and the tests that make them happen

Written by `make faults` from the tests that bear `@pytest.mark.fault(number)`; a test holds this page to them. A fault counts
as survived when a test makes it happen and what the row promises holds after it. `make faults N=17` runs the tests of one,
`make faults RUN=1` all of them, and writes down what was seen.

Tests in `tests/faults` break the real thing: processes are killed and frozen, connections are cut in a proxy, disks are
full. Those in `tests/fuzz` throw bytes at it. Those in other folders make the fault happen to one part, deterministically.
Where the simulation has the fault too, its name there is given: `make sim FAULTS=gone SEED=7` runs a day of a retailer to
whom it happens, and checks every invariant at every step.
"""


class Collected:
    """A pytest plugin: which tests bear which number. `only` keeps the tests of one fault."""

    def __init__(self, only: int = 0) -> None:
        self.only = only
        self.tests: dict[int, dict[str, list[str]]] = {}
        """By number and by test without its parameters: the parameters."""
        self.all: dict[str, int] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        for item in items:
            name, _, parameters = item.nodeid.partition("[")
            self.all[name] = self.all.get(name, 0) + 1
            for number in numbers_of(item):
                self.tests.setdefault(number, {}).setdefault(name, []).append(parameters.rstrip("]"))
        if self.only:
            items[:] = [item for item in items if self.only in numbers_of(item)]


class Watched(Collected):
    """Runs the tests of every fault, and counts how their cases end."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[str, set[int]] = {}
        self.seen: dict[str, dict[str, int]] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        super().pytest_collection_modifyitems(config, items)
        self._numbers = {item.nodeid: numbers for item in items if (numbers := numbers_of(item))}
        items[:] = [item for item in items if item.nodeid in self._numbers]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A case has ended with its call, or before it."""
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            for number in sorted(self._numbers.get(report.nodeid, ())):
                counts = self.seen.setdefault(str(number), {})
                counts[report.outcome] = counts.get(report.outcome, 0) + 1


def run() -> Seen:
    """What the tests of all faults come to now, one after the other."""
    watched = Watched()
    pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", str(ROOT / "tests")], plugins=[watched])
    return {str(fault.number): watched.seen.get(str(fault.number), {}) for fault in FAULTS}


def numbers_of(item: pytest.Item) -> set[int]:
    """The faults that a test makes happen."""
    return {number for mark in item.iter_markers("fault") for number in mark.args}


def collect() -> Collected:
    """All marks of all tests, without running any."""
    collected = Collected()
    options = ["--collect-only", "-qq", "-p", "no:cacheprovider", str(ROOT / "tests")]
    with contextlib.redirect_stdout(io.StringIO()) as told:
        code = pytest.main(options, plugins=[collected])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"{told.getvalue()[-4000:]}\nThe tests cannot be collected.")
    return collected


def page(collected: Collected, seen: Seen) -> str:
    """The whole page."""
    parts = [HEAD, tally(collected)]
    for title, faults in GROUPS.items():
        parts += [
            f"## {title}\n",
            "| | fault | what a retailer may rely on | made to happen by |",
            "| --- | --- | --- | --- |",
        ]
        parts += [row(fault, collected, seen.get(str(fault.number), {})) for fault in faults]
        parts.append("")
    return "\n".join(parts)


def tally(collected: Collected) -> str:
    """How many there are of each kind."""
    made = [fault for fault in FAULTS if fault.number in collected.tests or simulated(fault.number)]
    partly = sum(bool(fault.missing) for fault in made)
    return (
        f"Of {len(FAULTS)} faults {len(made)} are made to happen"
        + (f", {partly} of them in part" if partly else "")
        + f"; for {len(FAULTS) - len(made)} the page says why not yet.\n"
    )


def row(fault: Fault, collected: Collected, seen: Mapping[str, int]) -> str:
    """One row of the table."""
    found = collected.tests.get(fault.number, {})
    tests = list(named(found, collected.all))
    if found:
        tests.append(came_to(found, seen))
    if names := simulated(fault.number):
        tests.append("the simulation: " + ", ".join(f"`{name}`" for name in names))
    if fault.missing:
        tests.append(f"*{fault.missing}*")
    if not tests:
        raise SystemExit(f"Fault {fault.number} has neither a test nor a word: say `not yet, because ...`.")
    return f"| {fault.number} | {escaped(fault.fault)} | {escaped(fault.outcome)} | {'<br>'.join(tests)} |"


def came_to(tests: Mapping[str, list[str]], seen: Mapping[str, int]) -> str:
    """How many tests and cases there are, and what was seen of them when they were run last."""
    cases = sum(len(parameters) for parameters in tests.values())
    told = ", ".join(f"{seen[outcome]} {outcome}" for outcome in OUTCOMES if seen.get(outcome))
    if told == f"{cases} passed":
        told = "all passed"
    return f"{len(tests)} tests, {cases} cases" + (f": {told}" if told else "")


def simulated(number: int) -> list[str]:
    """The simulation's own names of a fault."""
    return [name for name, (numbers, _) in SIMULATED.items() if str(number) in numbers.split()]


def named(tests: dict[str, list[str]], everything: dict[str, int]) -> Iterator[str]:
    """Tests as path::name; the parameters only where not all of them bear the number."""
    for name, parameters in sorted(tests.items()):
        some = "" if len(parameters) == everything[name] else f"[{', '.join(sorted(set(parameters)))}]"
        yield f"`{name}{some}`"


def escaped(text: str) -> str:
    """Text as a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def unknown(collected: Collected) -> Iterable[int]:
    """Numbers that tests bear and the list does not have."""
    return sorted(set(collected.tests) - {fault.number for fault in FAULTS})


def main(arguments: list[str]) -> int:
    if arguments == ["--run"]:
        SEEN.write_text(json.dumps(run(), indent=1) + "\n")
        arguments = []
    if arguments and arguments != ["--check"]:
        return int(pytest.main(["-q", str(ROOT / "tests")], plugins=[Collected(int(arguments[0]))]))
    collected = collect()
    if wrong := unknown(collected):
        raise SystemExit(f"Tests bear numbers that no fault has: {wrong}.")
    text = page(collected, json.loads(SEEN.read_text()) if SEEN.exists() else {})
    if arguments and text != PAGE.read_text():
        raise SystemExit("docs/FAULTS.md is not what the tests say: run `make faults` and commit it.")
    PAGE.write_text(text)
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {tally(collected)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
