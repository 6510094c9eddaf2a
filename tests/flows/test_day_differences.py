"""What a close states otherwise than we hold it, and what a person has accepted of it."""

import pytest

from tests.flows.hub import HOUR
from tests.flows.stores import StoreHub, line, ticket, z_report, z_till
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
    assert hub.fields["store_day.difference"] == "sales_gross"


CASH = {"store": "berlin", "till": "T1", "at": "2026-03-28T09:00:00+01:00", "currency": "EUR"}


def drawers(hub):
    """A float of 100.00, 5.00 paid in, 15.00 paid out; 20.00 sold for cash, 10.00 by card, 10.00 brought back."""
    for sequence, kind, amount in ((1, "float", 10000), (2, "paid_in", 500), (3, "paid_out", 1500)):
        hub.post("cash.movement", CASH | {"sequence": sequence, "kind": kind, "amount": amount})
    hub.post("ticket", ticket(4, line(quantity=2)))
    hub.post("ticket", ticket(5, tenders=[{"kind": "card", "amount": 1000}]))
    hub.post("ticket", ticket(6, line(quantity=-1), kind="return"))


@pytest.mark.parametrize(
    ("stated", "about", "figures"),
    [
        ({}, [], ()),
        ({"tax": 319, "float_opening": 10000, "float_closing": 10000}, [], ()),
        ({"tax": 318}, ["*/tax"], ("3.18", "3.19")),
        ({"float_opening": 9900, "float_closing": 9900}, ["*/float_opening"], ("99.00", "100.00")),
        ({"float_closing": 10000}, [], ()),
        ({"float_closing": 10001}, ["*/float_closing"], ("100.01", "100.00")),
    ],
)
def test_what_a_close_states_of_tax_and_drawers_is_compared_to_the_cent(stated, about, figures):
    hub = StoreHub()
    drawers(hub)
    hub.post(
        "day.closed", z_report(z_till(last=6, cash=1000, card=1000), paid_in=500, paid_out=1500, **stated)
    )
    cases = hub.day_cases()
    assert sorted(cases) == [f"store_day.difference|{name}" for name in about]
    assert [hub.fields[name.partition("|")[0]] for name in cases] == [
        name.removeprefix("*/") for name in about
    ]
    assert all(figure in text for figure in figures for text in cases.values())
    assert len(hub.commands("post_day")) == (0 if about else 1)
