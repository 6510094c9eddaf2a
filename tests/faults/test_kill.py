"""A real hub is killed at every named crash point and at random moments, while orders come in. Nothing is lost or doubled."""

import random
import signal
import threading

import pytest

from crossdock.engine import crash
from tests.bootstrap.waiting import eventually
from tests.faults.retailer import Retailer

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(60)]

ORDERS = 24
NTH = {
    crash.INTAKE_COMMITTED: 4,
    crash.INTAKE_BEFORE_COMMIT: 4,
    crash.EFFECT_BEFORE_SEND: 20,
    crash.EFFECT_ANSWERED: 20,
    crash.CHECKPOINT: 2,
}
"""Which time it is killed when the point is reached, so that much is under way; the third where nothing is said."""

FAULTS = {
    crash.INTAKE_COMMITTED: (1,),
    crash.INTAKE_BEFORE_COMMIT: (2,),
    crash.EFFECT_ANSWERED: (3,),
    crash.SETTLE_BEFORE_COMMIT: (3,),
}


@pytest.fixture(scope="module")
def retailer(tmp_path_factory):
    made = Retailer(tmp_path_factory.mktemp("kill"))
    made.start()
    made.stock()
    yield made
    made.close()


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, marks=[pytest.mark.fault(n) for n in FAULTS.get(point, ())])
        for point in crash.POINTS
    ],
)
def test_killed_at_a_named_point_nothing_is_lost_and_nothing_is_done_twice(retailer, point):
    retailer.hub.end(signal.SIGKILL)
    retailer.start(f"{point}:{NTH.get(point, 3)}")
    with retailer.sending(ORDERS):
        eventually(lambda: not retailer.hub.alive, told=lambda: f"{point} was never reached")
        assert retailer.hub.end() == -signal.SIGKILL
        retailer.start()
    retailer.settled()
    retailer.check_partners()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_nothing_is_lost_and_nothing_is_done_twice(retailer, seed):
    dice = random.Random(seed)
    with retailer.sending(6 * ORDERS, every_s=0.02):
        for _ in range(4):
            threading.Event().wait(dice.uniform(0.05, 0.6))
            retailer.hub.end(signal.SIGKILL)
            retailer.start()
    retailer.settled()
    retailer.check_partners()


def test_after_all_of_it_the_books_balance_and_nobody_is_needed(retailer):
    retailer.send(1)
    retailer.settled()
    retailer.stop()
    retailer.check_partners()
    retailer.check_hub()
