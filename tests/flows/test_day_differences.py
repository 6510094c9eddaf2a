"""What a close states otherwise than we hold it, and what a person has accepted of it."""

from tests.flows.hub import HOUR
from tests.flows.stores import StoreHub, z_report, z_till
from tests.flows.test_store_days import closed, sold


def test_a_difference_that_a_person_accepted_stands_no_more_until_its_figures_change():
    hub = StoreHub()
    sold(hub)
    closed(hub, cash=3001)
    hub.operator("release_hold", hub.day_subject(), code="difference")
    assert hub.day_cases() == {}
    hub.advance(24 * HOUR)
    assert hub.day_cases() == {}
    closed(hub, cash=3002, version="2")
    (text,) = hub.day_cases().values()
    assert "30.02 EUR" in text


def test_what_the_report_says_of_all_sales_less_returns_is_compared():
    hub = StoreHub()
    sold(hub)
    report = z_report(z_till(last=3, cash=3000, card=1000), sales_gross=5000, returns_gross=999)
    hub.post("day.closed", report)
    (text,) = hub.day_cases().values()
    for part in ("sales less returns", "40.01 EUR", "40.00 EUR", "-0.01 EUR"):
        assert part in text, part
