"""What a message leads to is forgotten with it at once, not when garbage is collected: bodies are large."""

import gc
import weakref

import pytest

from crossdock.errors import MappingError
from tests.engine.trade import TradeWorld


class Body(Exception):
    """Stands for whatever is as large as a body: dies when the last frame that knows it is gone."""


@pytest.mark.parametrize("fails", ["translate", "handle"])
def test_a_message_that_fails_leaves_nothing_for_the_collector(rig, fails, monkeypatch):
    known = []

    def fail(*_):
        large = Body()
        known.append(weakref.ref(large))
        raise MappingError("it cannot be understood", field="text")

    target = rig.trade if fails == "translate" else TradeWorld
    monkeypatch.setattr(target, fails, fail)
    gc.collect()
    gc.disable()
    try:
        for n in range(5):
            rig.send(str(n), "bad")
        rig.run()
        assert len(known) >= 5
        assert [ref() for ref in known] == [None] * len(known)
    finally:
        gc.enable()
    assert [case["reason"] for case in rig.cases()] == ["mapping"] * 5


def test_an_error_whose_causes_go_round_in_a_circle_parks_like_any_other(rig, monkeypatch):
    def fail(*_):
        error, cause = MappingError("one", field="text"), MappingError("another", field="text")
        error.__cause__, cause.__cause__, cause.__context__ = cause, error, cause
        raise error

    monkeypatch.setattr(rig.trade, "translate", fail)
    rig.send("1", "bad")
    rig.run()
    assert [case["reason"] for case in rig.cases()] == ["mapping"]
