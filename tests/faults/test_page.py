"""docs/FAULTS.md says what the tests say."""

import subprocess
import sys

import pytest

from tests.faults.retailer import ROOT
from tools.fault_list import FAULTS, Fault
from tools.faults import Collected, page, row


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
    assert "`tests/a.py::test_x[one]`<br>`tests/a.py::test_y`" in row(FAULTS[0], collected)
    collected.tests |= {fault.number: collected.tests[1] for fault in FAULTS}
    assert page(collected).count("test_x[one]") == len(FAULTS)


def test_a_fault_without_a_test_says_why():
    with pytest.raises(SystemExit, match="because"):
        row(Fault(99, "the moon falls", "it is caught"), Collected())
