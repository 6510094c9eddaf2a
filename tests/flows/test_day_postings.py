"""What a store's day is posted as, where it does not go straight on: voids first, given up, a corrected close."""

from datetime import UTC, datetime

import msgspec
import pytest

from crossdock.domain.policy import Place
from crossdock.domain.process import encode_process
from crossdock.domain.tickets import decode_value, encode_value
from crossdock.flows.handler import RetailHandler
from tests.flows.stores import (
    MINUTE,
    TILLS,
    StoreHub,
    line,
    store_plan,
    ticket,
    void,
    z_report,
    z_till,
)


def sold(hub):
    """Three tickets of 10.00, 20.00 and 10.00, in cash."""
    for n, quantity in ((1, 1), (2, 2), (3, 1)):
        hub.post("ticket", ticket(n, line(quantity=quantity)))


def closed(hub, cash=4000, last=3, **more):
    hub.post("day.closed", z_report(z_till(last=last, cash=cash), **more))


def test_what_comes_after_voids_alone_is_the_first_document():
    hub = StoreHub()
    hub.post("ticket", void(1))
    hub.post("day.closed", z_report(z_till(last=1)))
    assert (hub.commands("post_day"), hub.day().stage) == ([], "day_posted")
    hub.post("ticket", ticket(2))
    hub.advance(MINUTE)
    assert hub.process(hub.day_subject()).holds, "the close knows nothing of it, and nothing was posted yet"
    hub.post("day.closed", z_report(z_till(last=2, cash=1000), version="2"))
    (first,) = hub.commands("post_day")
    order = hub.process(hub.day_subject()).order
    assert (first.get("supplement", 0), first.get("supplements", ""), first["day"]) == (0, "", order)
    hub.settle("post_day", reference="J1", total=1000)
    hub.post("ticket", ticket(3))
    hub.advance(MINUTE)
    late = hub.commands("post_day")[-1]
    assert (late["supplement"], late["supplements"], late["document"]) == (1, first["reference"], "J1")
    assert (late["day"], late["reference"]) == (order, f"{order}-2")


def given_up(hub):
    """The first posting is refused, and a person gives it up."""
    sold(hub)
    closed(hub)
    hub.settle("post_day", outcome="refused", code="dropped", reason="drop by ann: no")


def test_a_posting_that_was_given_up_is_a_case_and_later_tickets_go():
    hub = StoreHub()
    given_up(hub)
    text = hub.day_cases()["store_day.given_up|day:0"]
    for part in ("3 tickets", "40.00 EUR", "'given_up'"):
        assert part in text, part
    assert hub.rows[hub.day_subject()].finished, "that case is all that is left to do"
    hub.post("ticket", ticket(4))
    closed(hub, cash=5000, last=4, version="2")
    hub.advance(MINUTE)
    late = hub.commands("post_day")[-1]
    assert (late["total"], late["tickets"], late.get("supplement", 0)) == (1000, 1, 0)
    hub.settle("post_day", reference="J1", total=1000)
    assert "store_day.given_up|day:0" in hub.day_cases()
    assert (hub.day().stage, hub.rows[hub.day_subject()].finished) == ("day_closed", True)


def test_what_was_given_up_is_posted_again_when_a_person_says_so():
    hub = StoreHub()
    given_up(hub)
    hub.post("ticket", ticket(4))
    closed(hub, cash=5000, last=4, version="2")
    hub.settle("post_day", reference="J1", total=1000)
    hub.operator("release_hold", hub.day_subject(), code="given_up")
    again = hub.commands("post_day")[-1]
    assert (again["total"], again["tickets"], again["supplement"], again["document"]) == (4000, 3, 1, "J1")
    hub.settle("post_day", reference="J2", total=4000)
    assert (hub.day_cases(), hub.day().stage, hub.rows[hub.day_subject()].finished) == (
        {},
        "day_posted",
        True,
    )
    held = [[posting.holds("T1", n) for posting in hub.day().postings] for n in (1, 4)]
    assert held == [[False, False, True], [False, True, False]]


def test_a_supplement_that_was_given_up_may_be_given_up_again():
    hub = StoreHub()
    given_up(hub)
    for n in (1, 2):
        hub.operator("release_hold", hub.day_subject(), code="given_up")
        assert hub.day_cases() == {}
        hub.settle("post_day", outcome="refused", code="dropped", reason="drop by ann: no")
        assert list(hub.day_cases()) == [f"store_day.given_up|day:{n}"]


def test_no_posting_bears_the_reference_of_one_that_was_given_up():
    hub = StoreHub()
    given_up(hub)
    hub.post("ticket", ticket(4))
    closed(hub, cash=5000, last=4, version="2")
    hub.settle("post_day", reference="J1", total=1000)
    hub.operator("release_hold", hub.day_subject(), code="given_up")
    order = hub.process(hub.day_subject()).order
    sent = [(command["reference"], command.get("supplements", "")) for command in hub.commands("post_day")]
    assert sent == [(order, ""), (f"{order}-1", ""), (f"{order}-2", f"{order}-1")]


def test_a_supplement_to_what_was_posted_before_references_were_kept_names_the_day():
    hub = StoreHub()
    sold(hub)
    closed(hub)
    hub.settle("post_day", reference="J1", total=4000)
    process = hub.process(hub.day_subject())
    process.day.postings[0].reference = ""
    stored = hub.orders[hub.day_subject()]
    hub.orders[hub.day_subject()] = msgspec.structs.replace(
        stored, value=msgspec.Raw(encode_process(process))
    )
    hub.post("ticket", ticket(4))
    hub.advance(MINUTE)
    assert hub.commands("post_day")[-1]["supplements"] == process.order


def counted(hub, cents, *, version="1", **more):
    """The close of one ticket of 10.00, of which people counted so much."""
    till = z_till() | {"tenders": [{"kind": "cash", "expected": 1000, "counted": cents}]}
    hub.post("day.closed", z_report(till, version=version, **more))


def test_a_count_that_is_corrected_after_the_posting_goes_after_it():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    counted(hub, 1000)
    hub.settle("post_day", reference="J1", total=1000)
    counted(hub, 900, version="2")
    _, late = hub.commands("post_day")
    assert (late["over_short"], late["total"], late.get("tickets", 0), late["lines"]) == (-100, 0, 0, [])
    assert (late["supplement"], late["document"]) == (1, "J1")
    assert hub.balances()["over_short"] == 100
    counted(hub, 950, version="3")
    assert len(hub.commands("post_day")) == 2, "it waits for the one before it"
    hub.settle("post_day", reference="J2", total=0)
    assert hub.commands("post_day")[-1]["over_short"] == 50
    hub.settle("post_day", reference="J3", total=0)
    assert (hub.balances()["over_short"], hub.day().stage, hub.day_cases()) == (50, "day_posted", {})


def test_what_was_counted_is_told_once_though_its_posting_was_given_up():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    counted(hub, 990)
    hub.settle("post_day", outcome="refused", code="dropped", reason="drop by ann: no")
    hub.advance(MINUTE)
    assert len(hub.commands("post_day")) == 1
    hub.operator("release_hold", hub.day_subject(), code="given_up")
    assert [command["over_short"] for command in hub.commands("post_day")] == [-10, -10]
    assert hub.balances()["over_short"] == 10


def test_a_count_that_its_erp_makes_no_document_of_is_a_case():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    counted(hub, 1000)
    hub.settle("post_day", reference="J1", total=1000)
    counted(hub, 900, version="2")
    hub.settle("post_day", reference="")
    text = hub.day_cases()["store_day.over_short|day:1"]
    assert "-1.00 EUR" in text


def test_a_count_of_the_whole_store_is_not_added_to_that_of_its_tills():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    counted(hub, 990, tenders=[{"kind": "cash", "expected": 1000, "counted": 990}])
    assert hub.commands("post_day")[0]["over_short"] == -10
    assert hub.balances()["over_short"] == 10


def test_what_a_day_was_short_before_that_was_remembered_is_not_told_again():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    counted(hub, 990)
    hub.settle("post_day", reference="J1", total=1000)
    process = hub.process(hub.day_subject())
    process.day.postings[0].over_short = None
    stored = hub.orders[hub.day_subject()]
    hub.orders[hub.day_subject()] = msgspec.structs.replace(
        stored, value=msgspec.Raw(encode_process(process))
    )
    hub.post("ticket", ticket(2))
    hub.advance(MINUTE)
    assert "over_short" not in hub.commands("post_day")[-1]


# What was paid


def test_a_day_says_what_of_it_is_owed_and_a_credit_what_of_it_was_given_back():
    hub = StoreHub()
    hub.post(
        "ticket", ticket(1, tenders=[{"kind": "cash", "amount": 600}, {"kind": "invoice", "amount": 400}])
    )
    hub.post("ticket", ticket(2, line(), BACK, kind="mixed"))
    hub.post("ticket", ticket(3, BACK, kind="return", tenders=[]))
    tenders = [{"kind": "invoice", "expected": 400}, {"kind": "cash", "expected": 900}]
    hub.post("day.closed", z_report(z_till(last=3) | {"tenders": tenders}))
    assert [command["owed"] for command in hub.commands("post_day")] == [400]
    assert [command.get("repaid", 0) for command in hub.commands("create_credit")] == [700, 0]


# Taxes without their rate


def taxed(n, gross, tax, **more):
    return ticket(n, {"quantity": 1, "gross": gross, "tax": tax, **more})


def stores(*rates):
    return StoreHub(store_plan(places={"berlin": Place(id="berlin", zone="Europe/Berlin", tax_rates=rates)}))


def rates_of(command):
    found = [line["taxes"][0].get("rate") for line in command["lines"]]
    return [rate and rate["value"] for rate in found]


def test_a_rate_that_tills_do_not_tell_is_taken_from_the_amounts_by_the_rates_of_the_store():
    hub = stores("0.19", "0.07")
    hub.post("ticket", taxed(1, 199, 32))
    hub.post("ticket", taxed(2, 199, 13))
    hub.post("day.closed", z_report(z_till(last=2, cash=398)))
    assert (rates_of(hub.commands("post_day")[0]), hub.day_cases()) == ([7, 19], {})


def test_a_rate_that_another_line_of_the_day_tells_is_known_too():
    hub = stores()
    hub.post("ticket", taxed(1, 199, 32))
    hub.post("ticket", taxed(2, 1190, 190, taxes=[{"amount": 190, "rate": "0.19"}]))
    hub.post("day.closed", z_report(z_till(last=2, cash=1389)))
    (command,) = hub.commands("post_day")
    assert (rates_of(command), command["lines"][0]["tax"]) == ([19], 222)


def test_a_tax_that_no_rate_of_the_store_gives_is_posted_without_one_and_a_case():
    hub = stores("0.19", "0.07")
    hub.post("ticket", taxed(1, 116, 16))
    hub.post("day.closed", z_report(z_till(cash=116)))
    assert rates_of(hub.commands("post_day")[0]) == [None]
    text = hub.day_cases()["store_day.tax_rate|day:0"]
    assert hub.fields["store_day.tax_rate"] == "taxes[].rate"
    for part in ("T1/1", "0.16 on 1.00 EUR", "`taxes[].rate`", "[locations.berlin]"):
        assert part in text, part


# The start


def started(since, mode="live"):
    return StoreHub(store_plan(modes={"pos": mode}, since={"pos": since}))


MORNING = datetime(2026, 3, 28, 10, 30, tzinfo=UTC)
BACK = line("SKU-2", -1, 700)


@pytest.mark.parametrize("mode", ["live", "adopt"])
def test_a_day_across_the_start_is_left_as_a_whole_to_what_posted_before(mode):
    hub = started(MORNING, mode)
    hub.post("ticket", ticket(1, at="2026-03-28T09:00:00+01:00"))
    hub.post("ticket", ticket(2, BACK, kind="return", at="2026-03-28T09:05:00+01:00"))
    hub.post("ticket", ticket(3, at="2026-03-28T12:00:00+01:00"))
    hub.post("ticket", ticket(4, BACK, kind="return", at="2026-03-28T12:05:00+01:00"))
    hub.post("day.closed", z_report(z_till(last=4, cash=600)))
    assert hub.effects == {}
    (text,) = hub.day_cases().values()
    for part in ("2 tickets", "3.00 EUR", "2026-03-28"):
        assert part in text, part
    assert hub.rows[hub.day_subject()].finished
    hub.post("day.closed", z_report(z_till(last=4, cash=600), version="2"))
    assert list(hub.day_cases()) == ["store_day.across_start|"]


def test_the_first_day_that_begins_after_the_start_is_posted_as_a_whole():
    hub = started(MORNING)
    for n, at in ((1, "2026-03-29T09:00:00+02:00"), (2, "2026-03-30T03:00:00+02:00")):
        hub.post("ticket", ticket(n, at=at))
    hub.post("ticket", ticket(3, BACK, kind="return", at="2026-03-29T09:00:00+02:00"))
    hub.post("day.closed", z_report(z_till(last=3, cash=1300), business_date="2026-03-29"))
    assert [command["total"] for command in hub.commands("post_day")] == [2000]
    assert [command["total"] for command in hub.commands("create_credit")] == [-700]


@pytest.mark.parametrize(
    ("store", "at", "posted"),
    [
        ("berlin", "2026-03-28T12:00:00+01:00", False),
        ("berlin", "2026-03-29T03:30:00+02:00", False),
        ("berlin", "2026-03-29T04:30:00+02:00", True),
        ("tokyo", "2026-03-29T06:00:00+09:00", True),
        ("tokyo", "2026-03-29T03:00:00+09:00", False),
        ("new-york", "2026-03-28T23:00:00-04:00", False),
        ("new-york", "2026-03-29T09:00:00-04:00", True),
    ],
)
def test_a_start_that_is_a_date_is_the_first_business_date_of_every_store(store, at, posted):
    zones = {"berlin": "Europe/Berlin", "tokyo": "Asia/Tokyo", "new-york": "America/New_York"}
    places = {name: Place(id=name, zone=zone) for name, zone in zones.items()}
    hub = StoreHub(store_plan(places=places, since={"pos": datetime(2026, 3, 29, tzinfo=UTC)}))
    hub.post("ticket", ticket(1, store=store, at=at))
    (date,) = {row.day for row in hub.tickets.values()}
    hub.post("day.closed", z_report(z_till(cash=1000), store=store, business_date=date))
    assert bool(hub.commands("post_day")) == posted
    assert hub.day_cases(store, date) == {}


def test_one_by_one_the_time_of_each_ticket_counts():
    hub = StoreHub(store_plan(post="each", since={"pos": MORNING}))
    hub.post("ticket", ticket(1, at="2026-03-28T09:00:00+01:00"))
    hub.post("ticket", ticket(2, at="2026-03-28T12:00:00+01:00"))
    assert [stage.operation for _, stage in hub.waiting] == ["create_sale"]


def test_a_connection_that_goes_live_without_a_start_posts_what_it_sold_since_and_nothing_else():
    hub = StoreHub(store_plan(modes={"pos": "observe"}))
    hub.post("ticket", ticket(1))
    hub.post("ticket", ticket(2, BACK, kind="return"))
    live = store_plan()
    hub.plan, hub.handler = live, RetailHandler(live, {"pos": TILLS})
    hub.post("ticket", ticket(3, line(), BACK, kind="mixed"))
    hub.post("day.closed", z_report(z_till(last=3, cash=600)))
    (posted,) = hub.commands("post_day")
    assert (posted["total"], posted["credited"], posted["tickets"]) == (1000, -700, 1)
    assert [command["total"] for command in hub.commands("create_credit")] == [-700]
    hub.settle("post_day", reference="J1", total=1000)
    assert hub.day().stage == "day_posted"


def test_tickets_that_were_kept_before_they_said_so_are_as_live_as_their_day():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    for key, row in hub.tickets.items():
        value = msgspec.structs.replace(decode_value(row.value), live=None)
        hub.tickets[key] = msgspec.structs.replace(row, value=encode_value(value))
    hub.post("day.closed", z_report(z_till(cash=1000)))
    assert [command["total"] for command in hub.commands("post_day")] == [1000]
