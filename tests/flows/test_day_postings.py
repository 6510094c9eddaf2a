"""What a store's day is posted as, where it does not go straight on: voids first, given up, a corrected close."""

import msgspec

from crossdock.domain.process import encode_process
from tests.flows.stores import MINUTE, StoreHub, line, ticket, void, z_report, z_till


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
    assert (first.get("supplement", 0), first.get("supplements", ""), first["reference"]) == (
        0,
        "",
        hub.process(hub.day_subject()).order,
    )
    hub.settle("post_day", reference="J1", total=1000)
    hub.post("ticket", ticket(3))
    hub.advance(MINUTE)
    late = hub.commands("post_day")[-1]
    assert (late["supplement"], late["supplements"], late["document"]) == (1, first["reference"], "J1")
    assert late["reference"] == f"{first['reference']}-1"


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
