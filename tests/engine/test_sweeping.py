"""A partner that does not get its calls in time is a case, one for each operation, before its deadline has passed."""

import pytest

from crossdock.engine.sweeping import AGAIN_US, EVERY_US, Sweep
from crossdock.errors import NotSentError
from tests.engine.partner import Outbound

HOUR = 3_600_000_000
NO_ROUTE = NotSentError("no connection was made")


@pytest.fixture
def rig(store):
    made = Outbound(store, names=("partner", "other"))
    yield made
    assert not any(made.balance().values())


@pytest.fixture
def sweep(store):
    return Sweep(store, overdue="order.overdue", overdue_us=168 * HOUR, late_us=3 * HOUR)


@pytest.mark.fault(29)
def test_calls_that_wait_too_long_are_one_case_of_their_partner_and_hold_nothing_back(rig, sweep):
    rig.wire.will("/by_key", *[NO_ROUTE] * 200)
    receipts = [rig.effect("by_key", "other:by_key", ref=str(n)) for n in range(20)]
    rig.deliver()
    sweep.step(rig.now)
    rig.run()
    assert rig.cases() == []
    rig.later(3 * 3600 + 1)
    sweep.step(rig.now)
    rig.run()
    (case,) = rig.cases()
    assert (case["reason"], case["about"], case["effect"]) == ("late", "partner by_key", 0)
    assert case["text"].startswith("20 times by_key waits for partner, the longest since 2023-11-14T")
    assert case["subject"] not in {receipt.subject for receipt in receipts}


def test_a_partner_that_stays_late_is_told_once_an_hour_under_the_same_case(rig, sweep):
    rig.wire.will("/by_key", *[NO_ROUTE] * 200)
    rig.effect("by_key")
    rig.deliver()
    rig.later(3 * 3600 + 1)
    began = rig.now
    for minute in range(90):
        sweep.step(began + minute * EVERY_US)
        rig.run()
    assert len(rig.cases()) == 1
    subject = rig.cases()[0]["subject"]
    with_reads = rig.store.reads()
    told = [row for row in with_reads.rows("timeline_messages", subject, 100) if row[2] == "connection.late"]
    with_reads.close()
    assert len(told) == len({(began + minute * EVERY_US) // AGAIN_US for minute in range(90)})


def test_it_looks_once_a_minute_and_no_jump_of_the_clock_stops_it(sweep, rig):
    looked = []
    sweep._store = Counting(looked)
    for now in (HOUR, HOUR + 1, HOUR + EVERY_US - 1, HOUR + EVERY_US, HOUR // 2, 10 * HOUR):
        sweep.step(now)
    assert looked == [HOUR, HOUR + EVERY_US, HOUR // 2, 10 * HOUR]


class Counting:
    """A store in which nothing stands still; notes when it was asked."""

    def __init__(self, looked):
        self._looked = looked

    def remind(self, kind, before, now, limit):
        self._looked.append(now)
        return 0

    def late(self, before):
        return []
