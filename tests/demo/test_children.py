"""Processes of the demo: killed, started again, and missed when they end by themselves."""

import sys

import pytest

from crossdock.demo.children import Child
from crossdock.errors import ConfigurationError

pytestmark = pytest.mark.serial


@pytest.fixture
def child(tmp_path):
    made = Child("sleeper", [sys.executable, "-c", SLEEP], tmp_path / "log", {"NAME_OF_IT": "sleeper"})
    yield made
    made.kill()


SLEEP = "import os, time; print('I am', os.environ['NAME_OF_IT'], flush=True); time.sleep(60)"


def test_a_child_is_killed_and_starts_again_with_one_log(child):
    for lives in (1, 2):
        child.start()
        child.require_alive()
        while child.tail().count("I am sleeper") < lives:
            child.require_alive()
        assert child.memory_mib() > 1
        child.kill()
        assert not child.alive
        assert child.memory_mib() == 0


def test_a_child_is_asked_to_end(child):
    child.start()
    child.stop()
    assert not child.alive
    child.stop()


def test_a_child_that_ended_by_itself_is_missed_with_its_last_words(tmp_path):
    child = Child(
        "hub", [sys.executable, "-c", "print('the disk is full'); raise SystemExit(3)"], tmp_path / "log", {}
    )
    child.start()
    while child.alive:
        pass
    with pytest.raises(ConfigurationError, match=r"with 3.*\nthe disk is full"):
        child.require_alive()
