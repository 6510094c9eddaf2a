"""What is kept for a time goes little by little, a few times a day, and never before its time."""

import pytest

from crossdock.engine.keeping import PAUSE_US, ROUND_EVERY_US, ROWS_MAX, Keeping, Retention
from crossdock.engine.port import Expired, Terms

HOUR = 3_600_000_000
KEPT = Retention(bodies_us={"": 2 * HOUR, "shop": HOUR, "erp": 0}, deliveries_us={"": 3 * HOUR})


class Counting:
    """A store that notes when it was asked, and is through after the third time."""

    def __init__(self):
        self.asked = []

    def expire(self, terms, now, limit):
        self.asked.append((terms, now, limit))
        return Expired(whole=len(self.asked) % 3 == 0)


def test_a_round_goes_on_after_a_pause_and_the_next_begins_some_hours_later():
    store = Counting()
    keeping = Keeping(store, KEPT)
    now = began = 10 * HOUR
    for _ in range(4):
        now = keeping.step(now)
        assert keeping.step(now - 1) == now
    assert [at - began for _, at, _ in store.asked] == [
        0,
        PAUSE_US,
        2 * PAUSE_US,
        2 * PAUSE_US + ROUND_EVERY_US,
    ]
    assert {limit for _, _, limit in store.asked} == {ROWS_MAX}


def test_a_clock_that_jumps_back_does_not_stop_it():
    store = Counting()
    keeping = Keeping(store, KEPT)
    keeping.step(100 * HOUR)
    keeping.step(HOUR)
    assert [now for _, now, _ in store.asked] == [100 * HOUR, HOUR]


def test_days_are_moments_and_0_is_none():
    assert KEPT.terms(5 * HOUR) == Terms(
        bodies={"": 3 * HOUR, "shop": 4 * HOUR, "erp": 0}, deliveries={"": 2 * HOUR}
    )
    assert KEPT.terms(HOUR).bodies == {"": 0, "shop": 0, "erp": 0}


@pytest.fixture
def keeping(store):
    return Keeping(store, Retention(bodies_us={"": HOUR}, deliveries_us={"": HOUR}))


def test_a_parked_message_can_be_retried_long_after_what_came_with_it_is_gone(rig, store, keeping):
    parked = rig.send("1", raw=b"about")
    gone = rig.send("2", kind="unknown")
    rig.run()
    rig.later(2 * 3600)
    keeping.step(rig.now)
    assert rig.ask("get_raw", gone.message, gone.subject) == []
    rig.trade.translated.clear()
    rig.act("retry", rig.cases()[0]["id"], parked.subject)
    rig.run()
    assert parked.message in rig.trade.translated
    rig.act("edit", rig.cases()[0]["id"], parked.subject, body=b'{"text":"mended"}')
    rig.run()
    assert rig.words(parked)[-1] == "mended"
