"""Faults are seeded, strike as often as planned, and do what their name says."""

import pytest

from crossdock.simulator.base import SECOND, SimRequest, SimResponse
from crossdock.simulator.faults import Faulty, Plan, with_faults

START = 1_774_700_000 * SECOND
REQUEST = SimRequest(method="POST", path="/sales")


class Counting:
    """A partner that counts what it does, and tells one event for each."""

    def __init__(self):
        self.done = 0
        self._due = []

    def handle(self, request, now):
        self.done += 1
        self._due.append(({"n": str(self.done)}, b"{}"))
        return SimResponse(body=b'{"id":"1"}')

    def due_events(self, now):
        due, self._due = self._due, []
        return due

    def next_due(self):
        return 0 if self._due else None

    def state(self, *, documents=True):
        return {"done": self.done}


def faulty(seed=1, **plan):
    inner = Counting()
    return inner, Faulty(inner, Plan(**plan), seed)


@pytest.mark.parametrize(
    ("fault", "status", "cut", "done"),
    [
        ("throttled_rate", 429, "", 0),
        ("error_rate", 500, "", 0),
        ("lost_request_rate", 200, "before", 0),
        ("lost_reply_rate", 200, "before", 1),
        ("cut_body_rate", 200, "body", 1),
        ("html_rate", 200, "", 1),
        ("slow_rate", 200, "", 1),
    ],
)
def test_a_fault_that_is_certain_does_what_its_name_says(fault, status, cut, done):
    inner, partner = faulty(**{fault: 1.0})
    answer = partner.handle(REQUEST, START)
    assert (answer.status, answer.cut, inner.done) == (status, cut, done)
    assert partner.state()["faults"] == {fault.removesuffix("_rate"): 1}


def test_throttling_says_how_long_html_is_no_json_and_slow_is_late():
    assert faulty(throttled_rate=1, retry_after_s=2)[1].handle(REQUEST, START).headers["retry-after"] == "2"
    assert faulty(html_rate=1)[1].handle(REQUEST, START).body.startswith(b"<html>")
    assert faulty(slow_rate=1, slow_s=3)[1].handle(REQUEST, START).delay_s == 3


def test_the_same_seed_strikes_the_same_requests():
    plan = {"throttled_rate": 0.2, "error_rate": 0.1, "lost_reply_rate": 0.1}
    runs = [
        [faulty_.handle(REQUEST, START) for _ in range(200)]
        for faulty_ in (faulty(5, **plan)[1] for _ in "ab")
    ]
    other = faulty(6, **plan)[1]
    assert runs[0] == runs[1] != [other.handle(REQUEST, START) for _ in range(200)]


def test_rates_are_of_all_requests_and_do_not_hide_one_another():
    _, partner = faulty(throttled_rate=0.1, error_rate=0.1, lost_reply_rate=0.1, cut_body_rate=0.1)
    for _ in range(5000):
        partner.handle(REQUEST, START)
    assert all(400 < count < 600 for count in partner.injected.values())
    assert len(partner.injected) == 4


def test_a_partner_that_is_gone_answers_nobody_tells_nothing_and_comes_back():
    inner, partner = faulty(gone=((1, 2),))
    partner.handle(REQUEST, START)
    assert partner.handle(REQUEST, START + SECOND).cut == "before"
    assert partner.due_events(START + SECOND) == []
    assert inner.done == 1
    assert partner.handle(REQUEST, START + 2 * SECOND).cut == ""
    assert len(partner.due_events(START + 2 * SECOND)) == 2


def test_revoked_credentials_are_refused_for_as_long_as_planned():
    _, partner = faulty(revoked=((0, 1),))
    assert [partner.handle(REQUEST, START + n * SECOND).status for n in (0, 1)] == [401, 200]


def test_a_delivery_is_told_twice_or_late_but_never_lost():
    _, partner = faulty(duplicate_rate=0.3, reorder_rate=0.3, reorder_s=1)
    told = []
    for n in range(200):
        partner.handle(REQUEST, START + n * SECOND // 10)
        told += [int(headers["n"]) for headers, _ in partner.due_events(START + n * SECOND // 10)]
    assert partner.next_due() is not None
    told += [int(headers["n"]) for headers, _ in partner.due_events(START + 1000 * SECOND)]
    assert set(told) == set(range(1, 201))
    assert len(told) > 230
    assert told != sorted(told)


def test_faults_keep_to_the_paths_that_they_are_meant_for():
    _, partner = faulty(error_rate=1.0, only=("/sales",))
    assert partner.handle(REQUEST, START).status == 500
    assert partner.handle(SimRequest(method="GET", path="/stock"), START).status == 200


def test_without_a_plan_a_simulator_stays_itself_and_a_misspelt_fault_is_a_mistake():
    inner = Counting()
    assert with_faults(inner, {}, 1) is inner
    with pytest.raises(ValueError, match="eror_rate"):
        with_faults(inner, {"eror_rate": 1}, 1)
