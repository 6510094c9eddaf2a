"""Thirty seeds of a day with every fault, and each fault alone: everything holds."""

import pytest

from sim.faults import FAULTS
from sim.run import Story, simulate

SEEDS = range(1, 31)
TRIES = 30
WITH = {"no_keys": ("lost_reply",), "forgotten_keys": ("lost_reply",)}
"""What a fault needs beside it to be one."""
FEW = 24


def numbers(name):
    return [int(number) for number in FAULTS[name][0].split()]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_with_every_fault_holds(seed):
    told = simulate(Story(seed=seed))
    assert told.ok, f"({told.letter}) {told.text}; {told.story.command()}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.fault(*numbers(n))) for n in FAULTS])
def test_a_fault_alone_strikes_and_everything_holds(name):
    for seed in range(1, TRIES + 1):
        told = simulate(Story(seed=seed, faults=(name, *WITH.get(name, ())), orders_a_day=FEW))
        assert told.ok, f"({told.letter}) {told.text}; {told.story.command()}"
        if told.struck.get(name):
            return
    pytest.fail(f"{name} has not struck in {TRIES} seeds")


def test_a_day_without_faults_is_one_life_and_everything_holds():
    told = simulate(Story(seed=1, faults=(), orders_a_day=FEW))
    assert told.ok, told.text
    assert (told.lives, told.orders, told.struck) == (1, FEW, {})
