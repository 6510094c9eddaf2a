"""docs/FAULTS.md says what the tests say."""

import json
import subprocess
import sys

import pytest

from tests.faults.retailer import ROOT
from tools.fault_list import FAULTS, Fault
from tools.faults import Collected, came_to, page, row


@pytest.mark.slow
def test_the_page_of_faults_is_what_the_tests_say():
    ran = subprocess.run(
        [sys.executable, "-m", "tools.faults", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_fault_stands_once_in_order():
    assert [fault.number for fault in FAULTS] == list(range(1, 57))


def test_a_row_names_its_tests_and_only_the_parameters_that_bear_the_number():
    collected = Collected()
    collected.all = {"tests/a.py::test_x": 2, "tests/a.py::test_y": 1}
    collected.tests = {1: {"tests/a.py::test_x": ["one"], "tests/a.py::test_y": [""]}}
    assert "`tests/a.py::test_x[one]`<br>`tests/a.py::test_y`" in row(FAULTS[0], collected, {})
    collected.tests |= {fault.number: collected.tests[1] for fault in FAULTS}
    assert page(collected, {}).count("test_x[one]") == len(FAULTS)


def test_a_fault_without_a_test_says_why():
    with pytest.raises(SystemExit, match="because"):
        row(Fault(99, "the moon falls", "it is caught"), Collected(), {})


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ({}, "2 tests, 3 cases"),
        ({"passed": 3}, "2 tests, 3 cases: all passed"),
        ({"passed": 1, "failed": 1, "skipped": 1}, "2 tests, 3 cases: 1 passed, 1 failed, 1 skipped"),
        ({"passed": 2}, "2 tests, 3 cases: 2 passed"),
    ],
    ids=["not run", "well", "badly", "of before the third was written"],
)
def test_a_row_says_what_was_seen_of_its_tests(seen, told):
    assert came_to({"a::x": ["one", "two"], "a::y": [""]}, seen) == told


BOTH = """
import pytest
@pytest.mark.fault(1)
@pytest.mark.parametrize("n", [1, 2])
def test_one(n): assert n == 1
@pytest.mark.fault(1)
@pytest.mark.fault(2)
def test_two(): pytest.skip("no server")
@pytest.mark.fault(2)
def test_three(missing): pass
def test_other(): assert False
"""


def test_what_is_run_are_the_tests_of_faults_and_each_case_is_counted_once(tmp_path):
    (tmp_path / "test_both.py").write_text(BOTH)
    counting = (
        "import json, sys, pytest; from tools.faults import Watched; w = Watched();"
        "pytest.main(['-q', '-n', '0', '-p', 'no:cacheprovider', '--rootdir', sys.argv[1], sys.argv[1]], plugins=[w]);"
        "print(json.dumps(w.seen))"
    )
    command = [sys.executable, "-c", counting, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen == {"1": {"passed": 1, "failed": 1, "skipped": 1}, "2": {"skipped": 1, "failed": 1}}
