"""Planted bugs stay plantable: whoever changes a line that one replaces is told at once."""

import pytest

from sim.mutants import ROOT, load, mutated


@pytest.mark.parametrize("mutant", load(), ids=lambda mutant: mutant.name)
def test_a_planted_bug_applies(mutant):
    text = (ROOT / mutant.file).read_text()
    assert mutated(mutant, text) != text
