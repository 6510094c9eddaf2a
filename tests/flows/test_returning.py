from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model.reports import OrderReported, RefundReported, ReturnReported
from crossdock.model.returns import Return, ReturnLine
from tests.flows.facts import order, refunded, shipped
from tests.flows.hub import Hub
from tests.flows.taken import taken
from tests.model.builders import make_line

SECOND = 1_000_000


def test_a_refund_is_recorded_once_and_shows_in_the_money():
    hub = taken()
    hub.tell("shop", refunded())
    assert hub.tell("shop", refunded()).outcome == "duplicate"
    hub.tell("shop", OrderReported(order=order(2), refunds=(refunded().refund,)))
    assert hub.rows[1].money == "part_refunded"
    assert hub.process().refunds[0].total == 500
    assert ("payments", -500) in hub.postings[-1].entries
    assert hub.cases == {}


def test_a_refund_that_is_only_begun_counts_once_it_is_done():
    hub = taken()
    begun = refunded(state="pending")
    hub.tell("shop", begun)
    assert (hub.rows[1].money, hub.process().refunds[0].done) == ("paid", False)
    hub.tell("shop", RefundReported(refund=msgspec.structs.replace(begun.refund, state="done", version="2")))
    assert (hub.rows[1].money, hub.process().refunds[0].done) == ("part_refunded", True)


@pytest.mark.fault(43)
def test_a_refund_of_more_than_was_paid_is_recorded_and_a_case():
    hub = taken()
    hub.tell("shop", refunded("R1", 2000))
    hub.tell("shop", refunded("R2", 2000))
    assert (hub.rows[1].money, hub.reasons()) == ("refunded", ["refund.beyond_captured"])


@pytest.mark.parametrize(("disposition", "available"), [("restock", 4), ("undecided", 3)])
def test_what_comes_back_is_on_hand_again(disposition, available):
    hub = taken()
    hub.tell("wms", shipped(l1=2, l2=1))
    line = ReturnLine(line="1", sku="SKU-1", quantity=1, received=1, disposition=disposition)
    hub.tell(
        "wms",
        ReturnReported(goods_return=Return(lines=(line,), external_id="X", version="1", location="berlin")),
    )
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").available) == (4, available)
    assert hub.rows[1].custody == "part_returned"


def test_more_back_than_left_is_a_case():
    hub = taken()
    hub.tell("wms", shipped(l1=1))
    line = ReturnLine(line="1", sku="SKU-1", quantity=2, received=2)
    hub.tell("wms", ReturnReported(goods_return=Return(lines=(line,), external_id="X", version="1")))
    assert hub.reasons() == ["return.beyond_shipped"]


def test_a_return_of_a_sale_that_nobody_names_is_kept_unhandled():
    hub = Hub()
    line = ReturnLine(sku="SKU-1", quantity=1)
    report = ReturnReported(goods_return=Return(lines=(line,), external_id="X", version="1"))
    assert hub.tell("shop", report).outcome == "unhandled"
    assert hub.orders == {}


def test_a_refund_in_another_currency_is_kept_and_counted_nowhere():
    hub = taken()
    report = refunded()
    foreign = msgspec.structs.replace(report, refund=msgspec.structs.replace(report.refund, currency="USD"))
    hub.tell("shop", foreign)
    assert (hub.rows[1].money, hub.reasons()) == ("paid", ["refund.other_currency"])
    assert hub.fields["refund.other_currency"] == "currency"
    assert len(hub.postings) == 1


def back(version="1", *, received=1, disposition="restock", at=None):
    line = ReturnLine(line="1", sku="SKU-1", quantity=2, received=received, disposition=disposition)
    named = {"external_id": "X", "version": version, "location": "berlin", "received_at": at}
    return ReturnReported(goods_return=Return(lines=(line,), **named))


def sent():
    """Two of SKU-1 have left; three are there."""
    hub = taken()
    hub.tell("wms", shipped(l1=2, l2=1))
    return hub


def moment(hub, seconds):
    return datetime.fromtimestamp(hub.now // SECOND + seconds, UTC)


def test_a_return_that_is_told_after_a_count_that_held_it_adds_nothing():
    hub = sent()
    hub.advance(60 * SECOND)
    hub.stock(SKU_1=4)
    hub.tell("wms", back(at=moment(hub, -30)))
    assert (hub.level("SKU-1").on_hand, hub.process().line("1").returned) == (4, 1)


def test_a_count_from_before_a_return_that_is_known_does_not_take_it_away():
    hub = sent()
    hub.advance(60 * SECOND)
    counted = hub.statement("SKU-1", 3)
    hub.advance(60 * SECOND)
    hub.tell("wms", back(at=moment(hub, -30)))
    hub.tell("wms", counted, subject=900)
    assert hub.level("SKU-1").on_hand == 4


def test_goods_whose_fate_was_undecided_may_be_sold_once_somebody_has_decided():
    hub = sent()
    hub.tell("wms", back("1", disposition="undecided"))
    assert hub.level("SKU-1").available == 3
    hub.tell("wms", back("2", disposition="restock"))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").available) == (4, 4)
    hub.tell("wms", back("3", disposition="scrap"))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").available) == (4, 3)


def test_what_a_count_has_held_already_is_not_quarantined_once_more():
    hub = sent()
    hub.advance(60 * SECOND)
    hub.stock(SKU_1=4)
    hub.tell("wms", back("1", disposition="undecided", at=moment(hub, -30)))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").available) == (4, 4)
    hub.tell("wms", back("2", received=2, disposition="undecided", at=moment(hub, 30)))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").available) == (5, 4)


def test_a_decision_about_goods_that_a_count_has_freed_since_frees_them_once():
    hub = sent()
    hub.tell("wms", back("1", disposition="undecided"))
    hub.advance(60 * SECOND)
    hub.stock(SKU_1=4)
    hub.tell("wms", back("2", disposition="restock"))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").available) == (4, 4)


ORDERED = {"1": 2, "2": 1, "3": 2}
"""Line 3 is what the buyer takes in exchange: it stands in the order from its second version on."""
DISPOSITIONS = st.sampled_from(["restock", "undecided", "quarantine"])
LINES = st.sampled_from(sorted(ORDERED))
SHIP = st.tuples(st.just("ship"), LINES, st.integers(1, 2))
BACK = st.tuples(st.just("back"), st.sampled_from("XY"), LINES, st.integers(1, 2), DISPOSITIONS)
STEPS = st.lists(SHIP | BACK | st.just(("exchange",)) | st.just(("again",)), max_size=12)


def exchanged():
    line = make_line("3", ordered=ORDERED["3"], price=700, percent=19)
    return OrderReported(order=order(2, lines=(*order().lines, line)))


def version_of(name, held):
    """A return as it is by now: line -> (received, disposition)."""
    lines = tuple(
        ReturnLine(line=line, sku=f"SKU-{line}", quantity=n, received=n, disposition=fate)
        for line, (n, fate) in held["lines"].items()
    )
    told = {"external_id": name, "version": str(held["version"]), "location": "berlin"}
    return ReturnReported(goods_return=Return(lines=lines, **told))


@pytest.mark.fault(44)
@settings(max_examples=200)
@given(steps=STEPS)
def test_whatever_is_shipped_returned_in_parts_and_exchanged_no_unit_is_made_or_lost(steps):
    hub = taken()
    hub.stock(SKU_3=5)
    there = {"1", "2"}
    left, returns, last, sent = Counter(), {}, None, 0
    for what, *given_ in steps:
        if what == "ship" and given_[0] in there:
            sent += 1
            last = ("wms", shipped(f"S{sent}", **{f"l{given_[0]}": given_[1]}))
            left[given_[0]] += given_[1]
        elif what == "back" and given_[1] in there:
            name, line, quantity, fate = given_
            held = returns.setdefault(name, {"version": 0, "lines": {}})
            before, _ = held["lines"].get(line, (0, ""))
            held["lines"][line] = (before + quantity, fate)
            held["version"] += 1
            last = ("wms", version_of(name, held))
        elif what == "exchange":
            there.add("3")
            last = ("shop", exchanged())
        if last is not None:
            hub.tell(*last)
        require_conserved(hub, there, left, returns)


def require_conserved(hub, there, left, returns):
    """Each unit is on a shelf or with the buyer, and what is beyond that is somebody's case."""
    beyond = []
    for line in sorted(there):
        came = [held["lines"][line] for held in returns.values() if line in held["lines"]]
        back = sum(n for n, _ in came)
        mine, level = hub.process().line(line), hub.level(f"SKU-{line}")
        assert (mine.shipped, mine.returned) == (left[line], back)
        assert level.on_hand == 5 - left[line] + back
        assert level.quarantined == sum(n for n, fate in came if fate != "restock")
        beyond += ["return.beyond_shipped"] * (back > left[line])
        beyond += ["shipment.beyond_order"] * (left[line] > ORDERED[line])
    assert sorted(reason for reason in hub.reasons() if reason.endswith(("_shipped", "_order"))) == sorted(
        beyond
    )
    assert all(sum(n for _, n in posting.entries) == 0 for posting in hub.postings)
