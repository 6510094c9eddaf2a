"""Numbers of tills over the night: what follows on yesterday's last, and what is missing between."""

import pytest

from tests.flows.hub import HOUR
from tests.flows.stores import MINUTE, StoreHub, ticket, z_report, z_till


def sell(hub, day, *numbers, till="T1", store="berlin"):
    for n in numbers:
        hub.post("ticket", ticket(n, till=till, store=store, business_date=f"2026-03-{day}"))


def close(hub, day, *tills):
    hub.post("day.closed", z_report(*tills, business_date=f"2026-03-{day}"))


def till_of(*numbers, till="T1"):
    return z_till(till, min(numbers), max(numbers), cash=1000 * len(numbers)) | {"tickets": len(numbers)}


def gaps(hub, day):
    return [name for name in hub.day_cases(date=f"2026-03-{day}") if name.startswith("store_day.gap")]


def test_a_till_that_does_not_go_on_where_it_stopped_is_a_case_until_the_missing_come():
    hub = StoreHub()
    sell(hub, 27, 1, 2, 3)
    sell(hub, 28, 6, 7)
    close(hub, 28, till_of(6, 7))
    assert gaps(hub, 28) == ["store_day.gap|T1/2026-03-27"]
    text = hub.day_cases()["store_day.gap|T1/2026-03-27"]
    assert "tickets 4-5 are missing between its last of 2026-03-27 and its first of 2026-03-28" in text
    assert len(hub.commands("post_day")) == 1
    sell(hub, 27, 4, 5)
    hub.advance(20 * MINUTE)
    assert gaps(hub, 28) == []


def test_a_till_that_goes_on_is_no_case_however_long_it_stood_still():
    hub = StoreHub()
    sell(hub, 24, 1, 2)
    sell(hub, 26, 50, till="T2")
    sell(hub, 27, 51, till="T2")
    sell(hub, 28, 3)
    close(hub, 28, till_of(3))
    assert gaps(hub, 28) == []


def test_the_numbers_of_other_stores_are_nothing_to_it():
    hub = StoreHub()
    sell(hub, 27, 1, 2, store="214")
    sell(hub, 28, 9)
    close(hub, 28, till_of(9))
    assert gaps(hub, 28) == []


def test_numbers_that_a_close_states_and_nobody_sent_are_told_once():
    hub = StoreHub()
    sell(hub, 27, 1, 2)
    sell(hub, 28, 5)
    close(hub, 28, z_till("T1", 3, 5, cash=1000) | {"tickets": 1})
    assert gaps(hub, 28) == ["store_day.gap|T1"]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ({26: (101, 150), 27: (201, 250), 28: (301, 350)}, False),
        ({26: (1001, 1950), 27: (3001, 3950), 28: (5001, 5950)}, False),
        ({26: (1, 10), 27: (11, 20), 28: (500, 501)}, True),
        ({27: (1, 20), 28: (500, 501)}, False),
        ({27: (1, 20), 28: (120, 121)}, True),
        ({26: (1, 10), 27: (900, 901), 28: (902, 903)}, False),
    ],
)
def test_a_till_that_jumps_each_night_misses_nothing(days, told):
    hub = StoreHub()
    for day, numbers in days.items():
        sell(hub, day, *numbers)
    close(hub, 28, till_of(*days[28]) | {"first": days[28][0], "last": days[28][0]})
    hub.advance(HOUR)
    between = [name for name in gaps(hub, 28) if "/" in name]
    assert bool(between) == told
