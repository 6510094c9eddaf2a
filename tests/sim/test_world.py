"""A run is a function of its seed; a story that fails is made smaller; every planted bug still applies."""

import io
import os
import subprocess
import sys

import msgspec
import pytest

from sim import shrink as shrinking
from sim.faults import FAULTS, parse
from sim.mutants import ROOT, hunt, load, mutated
from sim.run import Story, Told, simulate

DAY = Story(seed=3, orders_a_day=20)


def test_the_same_seed_gives_the_same_trace_byte_for_byte():
    traces = []
    for _ in range(2):
        trace = io.StringIO()
        told = simulate(DAY, trace)
        traces.append((told.digest, trace.getvalue()))
    assert traces[0] == traces[1]
    assert len(traces[0][1]) > 10_000
    assert simulate(msgspec.structs.replace(DAY, seed=4)).digest != traces[0][0]


@pytest.mark.slow
def test_the_trace_depends_on_no_order_of_sets():
    command = [sys.executable, "-m", "sim", "one", "--seed", "3", "--a-day", "20"]
    found = set()
    for salt in ("0", "1"):
        environ = {**os.environ, "PYTHONHASHSEED": salt}
        said = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
        ).stdout
        found.add(said.splitlines()[-1])
    assert found == {f"trace sha256 {simulate(DAY).digest}"}


def test_only_the_orders_that_are_asked_for_are_sold():
    told = simulate(msgspec.structs.replace(DAY, faults=(), orders=(1, 3)))
    assert told.ok, told.text
    assert told.orders == 4  # two in each shop


def test_a_failing_story_is_made_as_small_as_it_can_be(monkeypatch):
    def play(story):
        breaks = "crash" in story.faults and "gone" in story.faults and 17 in (story.orders or range(60))
        return Told(story=story, digest="", steps=1, cpu_s=0, letter="c" if breaks else "", text="planted")

    monkeypatch.setattr(shrinking, "simulate", play)
    small = shrinking.shrink(play(Story(seed=1)), attempts_max=200)
    assert (small.story.faults, small.story.orders) == (("crash", "gone"), (17,))
    assert small.story.command() == "make sim SEED=1 DAYS=1 FAULTS=crash,gone ORDERS=17"


def test_faults_are_named_or_refused():
    assert parse("all") == tuple(FAULTS)
    assert parse("none") == ()
    assert parse("crash, gone") == ("crash", "gone")
    with pytest.raises(ValueError, match="There is no fault 'fire'"):
        parse("fire")


def test_there_are_enough_planted_bugs_and_each_still_applies():
    mutants = load()
    assert len(mutants) >= 40
    for mutant in mutants:
        mutated(mutant, (ROOT / mutant.file).read_text("utf-8"))


@pytest.mark.slow
def test_a_planted_bug_is_found_and_named():
    (bug,) = (mutant for mutant in load() if mutant.name == "reply of an effect lost")
    said = []
    (caught,) = hunt([bug], said.append, seeds=1, tests=())
    assert caught.by == "seed 7"
    assert "reply of an effect lost" in said[0]
