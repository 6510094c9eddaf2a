"""Stores that send nothing while others sell: within a day, and before their next one has begun."""

import re
from datetime import UTC, datetime

import msgspec

from crossdock.domain.policy import Place
from tests.flows.hub import HOUR
from tests.flows.stores import MINUTE, SECOND, StoreHub, sell_in_lisbon, store_plan, ticket, z_report, z_till


def test_a_store_that_falls_silent_while_others_sell_is_a_case_until_it_is_heard():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    sell_in_lisbon(hub, 120)
    text = hub.day_cases()["store.silent|"]
    assert "berlin" in text
    for n in range(2, 5):
        hub.post("ticket", ticket(n))
        sell_in_lisbon(hub, 30)
    assert "store.silent|" not in hub.day_cases()
    assert "store.heard" in hub.types(hub.day_subject())


def test_where_nobody_sells_nobody_is_silent():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.advance(5 * HOUR)
    assert hub.day_cases() == {}


def test_a_store_that_has_closed_is_not_silent():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("day.closed", z_report(z_till(cash=1000)))
    sell_in_lisbon(hub, 180)
    assert hub.day_cases() == {}


def closed_both(hub):
    """Both stores sell in the morning and close in the evening."""
    for store in ("berlin", "214"):
        hub.post("ticket", ticket(1, store=store))
    hub.advance(9 * HOUR)
    for store in ("berlin", "214"):
        hub.post("day.closed", z_report(z_till(cash=1000), store=store))


def sell_tomorrow(hub, minutes):
    for _ in range(minutes // 10):
        hub.advance(10 * MINUTE)
        at = datetime.fromtimestamp(hub.now // SECOND, UTC).isoformat()
        hub.post("ticket", ticket(hub.now // MINUTE, store="214", at=at))


def test_a_store_that_never_begins_its_day_while_others_sell_is_a_case_until_it_is_heard():
    hub = StoreHub()
    closed_both(hub)
    hub.advance(15 * HOUR)  # it is the next noon, and both began at noon
    sell_tomorrow(hub, 50)
    assert "store.silent|" not in hub.day_cases()
    sell_tomorrow(hub, 70)
    text = hub.day_cases()["store.silent|"]
    assert re.search(
        r"berlin .* no ticket for \d+ minutes, and has begun no day since that of 2026-03-28", text
    )
    assert "store.silent|" not in hub.day_cases("214", "2026-03-29")
    hub.post("ticket", ticket(2, at="2026-03-29T14:30:00+02:00"))
    sell_tomorrow(hub, 70)
    assert "store.silent|" not in hub.day_cases()
    assert hub.types(hub.day_subject()).count("store.heard") == 1


def test_a_store_that_nobody_expects_yet_is_not_silent_however_early_others_sell():
    hub = StoreHub()
    closed_both(hub)
    hub.advance(8 * HOUR)
    sell_tomorrow(hub, 6 * 60)
    assert "store.silent|" not in hub.day_cases()


def test_where_few_of_many_sell_the_others_have_a_holiday():
    places = {f"s{n}": Place(id=f"s{n}", zone="Europe/Berlin") for n in range(6)}
    plan = store_plan()
    hub = StoreHub(msgspec.structs.replace(plan, places={**plan.places, **places}))
    closed_both(hub)
    for n in range(6):
        hub.post("ticket", ticket(1, store=f"s{n}"))
    hub.advance(15 * HOUR)
    sell_tomorrow(hub, 180)
    assert "store.silent|" not in hub.day_cases()
    for sequence in (2, 3):
        for n in range(3):
            hub.post("ticket", ticket(sequence, store=f"s{n}", at="2026-03-29T15:00:00+02:00"))
        hub.advance(40 * MINUTE)
    assert "store.silent|" in hub.day_cases()


def test_a_day_that_has_been_followed_and_a_store_that_is_gone_for_good_are_watched_no_more():
    hub = StoreHub()
    closed_both(hub)
    hub.advance(14 * HOUR)
    hub.post("ticket", ticket(2, at="2026-03-29T12:00:00+02:00"))
    hub.advance(20 * 24 * HOUR)
    assert (hub.day().watch_at, hub.day("214").watch_at) == (0, 0)
    watches = [timer for *_, timer in hub.timers if timer.kind == "store_day.watch"]
    assert len(watches) <= 1  # that of the day that nobody closed
