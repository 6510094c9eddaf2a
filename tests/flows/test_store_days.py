"""A store's day: opened, closed, counted to the cent, posted once, supplemented."""

from datetime import UTC, datetime

import pytest

from crossdock.domain.policy import Policy
from tests.flows.hub import HOUR
from tests.flows.stores import (
    DAY,
    MINUTE,
    StoreHub,
    line,
    sell_in_lisbon,
    store_plan,
    ticket,
    void,
    z_report,
    z_till,
)

CARD = [{"kind": "card", "amount": 1000}]


def sold(hub, *, card=True):
    """Three tickets: 10.00 and 20.00 in cash, 10.00 by card."""
    hub.post("ticket", ticket(1))
    hub.post("ticket", ticket(2, line(quantity=2)))
    hub.post("ticket", ticket(3, tenders=CARD if card else [{"kind": "cash", "amount": 1000}]))


def closed(hub, cash=3000, card=1000, last=3, **more):
    hub.post("day.closed", z_report(z_till(last=last, cash=cash, card=card), **more))


def test_the_first_ticket_opens_the_day_and_the_others_do_not_tell_it():
    hub = StoreHub()
    sold(hub)
    assert hub.types(hub.day_subject()).count("store_day.opened") == 1
    assert [subject for subject, _ in hub.deliveries].count(hub.day_subject()) == 1
    assert hub.day().stage == "day_open"


def test_a_day_that_equals_its_close_is_posted_once_in_sum():
    hub = StoreHub()
    sold(hub)
    closed(hub)
    (posted,) = hub.commands("post_day")
    assert posted["total"] == 4000
    assert posted["tenders"] == [{"kind": "card", "amount": 1000}, {"kind": "cash", "amount": 3000}]
    (bags,) = posted["lines"]
    assert (bags["kind"], bags["category"], bags["gross"], bags["taxes"][0]["rate"]) == (
        "goods",
        "bags",
        4000,
        {"value": 19, "scale": 2},
    )
    assert (posted["store"], posted["business_date"], posted["tickets"]) == ("berlin", DAY, 3)
    hub.settle("post_day", reference="J1", total=4000)
    assert hub.day().stage == "day_posted"
    assert hub.day_cases() == {}
    assert hub.rows[hub.day_subject()].finished


def test_the_close_may_come_before_the_tickets():
    hub = StoreHub()
    closed(hub)
    assert set(hub.day_cases()) == {
        "store_day.difference|T1/card",
        "store_day.difference|T1/cash",
        "store_day.difference|*/tickets",
        "store_day.gap|T1",
    }
    sold(hub)
    hub.advance(MINUTE)
    assert hub.day_cases() == {}
    assert [command["total"] for command in hub.commands("post_day")] == [4000]


def test_a_z_report_that_is_a_cent_off_names_store_till_tender_and_both_figures():
    hub = StoreHub()
    sold(hub)
    closed(hub, cash=3001)
    (text,) = hub.day_cases().values()
    for part in ("berlin", "till T1", "cash", "30.01 EUR", "30.00 EUR", "a difference of -0.01 EUR"):
        assert part in text, part
    assert hub.commands("post_day") == []
    assert hub.process(hub.day_subject()).holds


def test_a_tender_that_the_z_report_does_not_name_is_told_as_that():
    hub = StoreHub()
    sold(hub)
    hub.post("day.closed", z_report(z_till(last=3, cash=3000)))
    (text,) = hub.day_cases().values()
    assert "the Z report does not name card, the tickets held come to 10.00 EUR" in text


def test_a_person_releases_the_hold_and_what_is_held_is_posted():
    hub = StoreHub()
    sold(hub)
    closed(hub, cash=3001)
    hub.operator("release_hold", hub.day_subject(), code="difference")
    assert [command["total"] for command in hub.commands("post_day")] == [4000]


def test_a_corrected_report_settles_the_difference():
    hub = StoreHub()
    sold(hub)
    closed(hub, cash=3001)
    closed(hub, cash=3000, version="2")
    assert hub.day_cases() == {}
    assert len(hub.commands("post_day")) == 1


def test_an_older_report_that_comes_late_changes_nothing():
    hub = StoreHub()
    sold(hub)
    closed(hub, version="2")
    assert hub.post("day.closed", z_report(z_till(last=3, cash=1), version="1")).outcome == "stale"
    assert len(hub.commands("post_day")) == 1


def test_the_same_report_twice_is_one():
    hub = StoreHub()
    sold(hub)
    closed(hub)
    assert hub.post("day.closed", z_report(z_till(last=3, cash=3000, card=1000))).outcome == "duplicate"


def test_a_late_ticket_of_a_posted_day_makes_a_supplement_that_names_the_first():
    hub = StoreHub()
    sold(hub)
    closed(hub)
    hub.settle("post_day", reference="J1", total=4000)
    hub.post("ticket", ticket(4, line(quantity=5)))
    hub.post("ticket", ticket(5))
    hub.advance(MINUTE)
    first, late = hub.commands("post_day")
    assert (late["total"], late["tickets"], late["supplement"]) == (6000, 2, 1)
    assert (late["supplements"], late["document"]) == (first["reference"], "J1")
    assert late["business_date"] == DAY
    assert "store_day.difference|T1/cash" in hub.day_cases(), "the report did not know of them"
    hub.settle("post_day", reference="J2", total=6000)
    assert hub.day().stage == "day_posted"


def test_a_supplement_waits_for_the_document_of_the_first():
    hub = StoreHub()
    sold(hub)
    closed(hub)
    hub.post("ticket", ticket(4))
    hub.advance(MINUTE)
    assert len(hub.commands("post_day")) == 1
    hub.settle("post_day", reference="J1", total=4000)
    assert [command.get("document", "") for command in hub.commands("post_day")] == ["", "J1"]


def test_every_ticket_is_in_exactly_one_posting():
    hub = StoreHub()
    sold(hub)
    closed(hub)
    hub.settle("post_day", reference="J1", total=4000)
    hub.post("ticket", ticket(7))
    hub.advance(MINUTE)
    held = [[posting.holds("T1", n) for posting in hub.day().postings] for n in (1, 2, 3, 7)]
    assert held == [[True, False], [True, False], [True, False], [False, True]]
    assert not any(posting.holds("T1", 5) for posting in hub.day().postings)


def test_missing_numbers_are_named_per_till_until_they_come():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("ticket", ticket(5))
    hub.post("ticket", ticket(1, till="T2"))
    tills = z_till(last=6, cash=2000) | {"tickets": 2}, z_till("T2", last=1, cash=1000)
    hub.post("day.closed", z_report(*tills))
    (text,) = hub.day_cases().values()
    assert "till T1" in text
    assert "2-4, 6" in text
    for number in (2, 3, 4, 6):
        hub.post("ticket", void(number))
    hub.advance(MINUTE)
    assert "store_day.gap|T1" not in hub.day_cases()


def test_a_return_is_credited_by_itself_and_its_money_is_in_the_days_sum():
    hub = StoreHub()
    sold(hub)
    back = line("SKU-2", -1, 400)
    original = {"store": "berlin", "till": "T1", "sequence": 1}
    hub.post("ticket", ticket(4, line(), back, kind="mixed", original=original))
    closed(hub, cash=3600, last=4)
    (credit,) = hub.commands("create_credit")
    (posted,) = hub.commands("post_day")
    assert (credit["total"], credit["lines"], credit["original"]["id"]) == (-400, ["2"], "berlin/T1/1")
    assert (posted["total"], posted["credited"]) == (5000, -400)
    assert sum(tender["amount"] for tender in posted["tenders"]) == posted["total"] + posted["credited"]
    hub.settle("create_credit", reference="C1", total=-400)
    ticket_process = hub.process(hub.subject("ticket", "berlin/T1/4"))
    assert (ticket_process.credit.state, ticket_process.credit.reference) == ("done", "C1")


@pytest.mark.fault(44)
def test_an_even_exchange_has_no_tenders_and_still_posts_both_sides():
    hub = StoreHub()
    hub.post("ticket", ticket(1, line(), line("SKU-2", -1), kind="mixed", tenders=[]))
    hub.post("day.closed", z_report(z_till()))
    (posted,) = hub.commands("post_day")
    assert (posted["total"], posted["credited"], posted["tenders"]) == (1000, -1000, [])
    assert [credit["total"] for credit in hub.commands("create_credit")] == [-1000]


def test_what_people_counted_goes_to_over_and_short():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    till = z_till() | {"tenders": [{"kind": "cash", "expected": 1000, "counted": 995}]}
    hub.post("day.closed", z_report(till))
    (posted,) = hub.commands("post_day")
    assert posted["over_short"] == -5
    assert hub.balances()["over_short"] == 5


def test_paid_in_and_out_are_compared_too():
    hub = StoreHub()
    cash = {"store": "berlin", "till": "T1", "at": "2026-03-28T09:00:00+01:00", "currency": "EUR"}
    hub.post("cash.movement", cash | {"sequence": 1, "kind": "paid_out", "amount": 1500})
    hub.post("day.closed", z_report(z_till(), paid_out=1400))
    (text,) = hub.day_cases().values()
    assert "paid_out" in text
    assert "14.00 EUR" in text


@pytest.mark.parametrize(("total", "reasons"), [(4000, []), (4001, []), (4002, ["posting.total_differs"])])
def test_the_total_of_the_erp_is_read_back(total, reasons):
    hub = StoreHub()
    sold(hub)
    closed(hub)
    hub.settle("post_day", reference="J1", total=total)
    assert hub.reasons(hub.day_subject()) == reasons
    assert hub.balances().get("rounding", 0) == (4000 - total if total == 4001 else 0)
    assert hub.day().postings[0].erp_total == total


def test_a_closed_period_goes_to_the_next_open_date_and_keeps_its_business_date():
    hub = StoreHub()
    hub.now += 40 * 24 * HOUR
    sold(hub)
    closed(hub)
    (posted,) = hub.commands("post_day")
    assert posted["business_date"] == DAY
    assert posted["posting_dates"] == [DAY, "2026-04-01", "2026-05-01", "2026-05-07"]


def test_where_policy_says_so_a_closed_period_goes_to_the_day_of_posting():
    hub = StoreHub(store_plan(policy=Policy(day_settle_s=0, closed_period="today")))
    hub.now += 40 * 24 * HOUR
    sold(hub)
    closed(hub)
    assert hub.commands("post_day")[0]["posting_dates"] == [DAY, "2026-05-07"]


def test_one_by_one_posts_no_sum_and_still_compares_the_close():
    hub = StoreHub(store_plan(post="each"))
    sold(hub)
    closed(hub, card=999)
    assert hub.commands("post_day") == []
    assert list(hub.day_cases()) == ["store_day.difference|T1/card"]
    closed(hub, version="2")
    assert (hub.day_cases(), hub.day().stage, hub.rows[hub.day_subject()].finished) == (
        {},
        "day_closed",
        True,
    )


def test_a_refused_posting_waits_for_a_person_and_holds_back_supplements():
    hub = StoreHub()
    sold(hub)
    closed(hub)
    hub.settle("post_day", outcome="refused", code="period_closed", reason="the books are closed")
    assert "effect.refused" in hub.reasons(hub.day_subject())
    assert not hub.rows[hub.day_subject()].finished


def test_a_day_of_two_currencies_is_not_summed():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("ticket", ticket(2, currency="CHF"))
    hub.post("day.closed", z_report(z_till(last=2, cash=2000)))
    hub.operator("release_hold", hub.day_subject(), code="difference")
    hub.advance(MINUTE)
    assert list(hub.day_cases()) == ["store_day.currencies|"]
    assert hub.fields["store_day.currencies"] == "currency"
    assert hub.commands("post_day") == []


def test_a_day_that_nobody_closes_is_a_case_after_its_end():
    hub = StoreHub()
    sold(hub)
    hub.advance(20 * HOUR)  # the day ends after 15 hours, for an hour is lost in this night, and 6 are given
    assert "store_day.not_closed|" not in hub.day_cases()
    hub.advance(2 * HOUR)
    assert "store_day.not_closed|" in hub.day_cases()
    closed(hub)
    assert hub.day_cases() == {}


# Dates


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("store", "at", "date"),
    [
        ("berlin", "2026-03-28T23:59:59+01:00", "2026-03-28"),
        ("berlin", "2026-03-29T00:30:00+01:00", "2026-03-28"),
        ("berlin", "2026-03-29T03:59:59+02:00", "2026-03-28"),
        ("berlin", "2026-03-29T04:00:00+02:00", "2026-03-29"),
        ("berlin", "2026-10-25T03:59:59+01:00", "2026-10-24"),
        ("berlin", "2026-10-25T01:59:59+00:00", "2026-10-24"),
        ("berlin", "2026-10-25T03:00:00+00:00", "2026-10-25"),
        ("berlin", "2026-04-01T01:00:00+02:00", "2026-03-31"),
        ("214", "2026-03-29T03:59:59+00:00", "2026-03-29"),
        ("214", "2026-03-29T02:59:59+00:00", "2026-03-28"),
    ],
)
def test_the_business_date_is_the_stores_over_midnight_months_end_and_daylight_saving(store, at, date):
    hub = StoreHub()
    hub.post("ticket", ticket(1, store=store, at=at))
    assert [row.day for row in hub.tickets.values()] == [date]
    assert hub.day(store, date).stage == "day_open"


def test_the_date_that_a_till_states_is_its_own():
    hub = StoreHub()
    hub.post("ticket", ticket(1, business_date="2026-03-27"))
    assert [row.day for row in hub.tickets.values()] == ["2026-03-27"]


@pytest.mark.fault(40)
def test_a_store_offline_for_eight_hours_uploads_late_and_is_applied_once():
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=100)
    hub.post("ticket", ticket(1))
    sell_in_lisbon(hub, 480)
    assert "store.silent|" in hub.day_cases()
    closed(hub, cash=30000, card=0, last=30)
    assert hub.commands("post_day") == []
    upload = [ticket(n) for n in range(1, 31)]
    hub.upload(*upload, control={"tickets": 30, "total": 30000})
    hub.upload(*reversed(upload), control={"tickets": 30, "total": 30000})
    hub.advance(MINUTE)
    assert hub.level("SKU-1").on_hand == 70
    assert [command["total"] for command in hub.commands("post_day")] == [30000]
    assert hub.day_cases() == {}
    assert hub.day().tickets == 30


def test_a_day_before_the_start_date_is_only_observed():
    hub = StoreHub(store_plan(since={"pos": datetime(2026, 4, 1, tzinfo=UTC)}))
    sold(hub)
    closed(hub)
    assert hub.process(hub.day_subject()).mode == "observe"
    assert hub.effects == {}
