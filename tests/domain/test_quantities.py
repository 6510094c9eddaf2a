import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.domain.quantities import (
    cancelled_by_line,
    captured_amount,
    check_line,
    check_quantities,
    line_custody,
    money_status,
    open_quantity,
    order_custody,
    refunded_amount,
    removed_quantity,
    returned_by_line,
    shipped_by_line,
)
from crossdock.model import (
    Cancellation,
    LineId,
    LineQuantity,
    Refund,
    Return,
    ReturnLine,
    Shipment,
    Tender,
)
from tests.model.builders import make_line, make_order, rich_order

# ordered, current, fulfilled, cancelled, returned -> custody, still open, removed by edits, rules broken
LINES = [
    ((3, 3, 0, 0, 0), "unfulfilled", 3, 0, []),
    ((3, 3, 1, 0, 0), "partial", 2, 0, []),
    ((3, 3, 3, 0, 0), "fulfilled", 0, 0, []),
    ((3, 3, 3, 0, 1), "part_returned", 0, 0, []),
    ((3, 3, 3, 0, 3), "returned", 0, 0, []),
    ((3, 3, 2, 0, 2), "partial", 1, 0, []),
    ((3, 0, 0, 3, 0), "cancelled", 0, 0, []),
    ((3, 0, 0, 0, 0), "cancelled", 0, 3, []),
    ((3, 1, 0, 1, 0), "unfulfilled", 1, 1, []),
    ((3, 2, 2, 1, 0), "fulfilled", 0, 0, []),
    ((0, 0, 0, 0, 0), "cancelled", 0, 0, []),
    ((-1, -1, -1, 0, 0), "fulfilled", 0, 0, []),
    ((-2, -2, -1, 0, 0), "partial", -1, 0, []),
    ((1, 1, 2, 0, 0), "fulfilled", 0, 0, ["fulfilled <= ordered", "fulfilled <= current"]),
    ((1, 0, 1, 1, 0), "fulfilled", 0, 0, ["fulfilled <= current"]),
    ((1, 1, 0, 0, 1), "unfulfilled", 1, 0, ["returned <= fulfilled"]),
    ((1, 1, 0, 1, 0), "unfulfilled", 1, -1, ["current + cancelled <= ordered"]),
    ((1, 2, 0, 0, 0), "unfulfilled", 2, -1, ["current + cancelled <= ordered"]),
    ((1, 1, 0, -1, 0), "unfulfilled", 1, 1, ["0 <= cancelled"]),
    ((1, 1, -1, 0, 0), "unfulfilled", 2, 0, ["returned <= fulfilled", "0 <= fulfilled"]),
    ((-1, -1, -2, 0, 0), "fulfilled", 0, 0, ["fulfilled <= ordered", "fulfilled <= current"]),
]
NAMES = ("ordered", "current", "fulfilled", "cancelled", "returned")


@pytest.mark.parametrize(("quantities", "custody", "still_open", "removed", "broken"), LINES)
def test_what_the_quantities_of_a_line_mean(quantities, custody, still_open, removed, broken):
    line = make_line(**dict(zip(NAMES, quantities, strict=True)))
    assert line_custody(line) == custody
    assert open_quantity(line) == still_open
    assert removed_quantity(line) == removed
    assert [breach.rule for breach in check_line(line)] == broken


def test_a_breach_names_line_rule_and_quantities():
    breach = check_quantities(make_order(make_line("7", returned=2, fulfilled=1)))[0]
    assert str(breach) == "line 7: returned <= fulfilled does not hold, 2 is more than 1"


@given(st.tuples(*[st.integers(-3, 3)] * 5))
def test_no_breach_is_found_exactly_where_the_chain_of_quantities_holds(quantities):
    ordered, current, fulfilled, cancelled, returned = quantities
    line = make_line(**dict(zip(NAMES, quantities, strict=True)))
    sign = -1 if ordered < 0 else 1
    chain = [0, sign * returned, sign * fulfilled, sign * current, sign * ordered]
    holds = (
        chain == sorted(chain) and sign * cancelled >= 0 and sign * (current + cancelled) <= sign * ordered
    )
    assert (check_line(line) == ()) is holds


def done(**fields):
    return make_line(fulfilled=1, **fields)


ORDERS = [
    ("nothing to hand over", [make_line(kind="service")], "not_needed"),
    ("no delivery", [make_line(delivery="none")], "not_needed"),
    ("all open", [make_line("1"), make_line("2")], "unfulfilled"),
    ("one of two", [done(line="1"), make_line("2")], "partial"),
    ("all gone", [done(line="1"), done(line="2")], "fulfilled"),
    ("gone, the rest cancelled", [done(line="1"), make_line("2", current=0, cancelled=1)], "fulfilled"),
    ("open, the rest cancelled", [make_line("1"), make_line("2", current=0, cancelled=1)], "unfulfilled"),
    ("all cancelled", [make_line("1", current=0, cancelled=1)], "cancelled"),
    ("one came back", [done(line="1", returned=1), done(line="2")], "part_returned"),
    ("all came back", [done(line="1", returned=1), done(line="2", returned=1)], "returned"),
    ("one came back, one open", [done(line="1", returned=1), make_line("2")], "partial"),
    ("a bundle waits for its parts", [done(line="1", kind="bundle"), make_line("1a")], "unfulfilled"),
    ("a bundle goes with its parts", [make_line("1", kind="bundle"), done(line="1a")], "fulfilled"),
    ("an exchange at the till", [done(line="1"), make_line("2", ordered=-1, fulfilled=-1)], "fulfilled"),
    ("a service beside goods", [make_line("1", kind="service"), done(line="2")], "fulfilled"),
]


@pytest.mark.parametrize(("_story", "lines", "custody"), ORDERS, ids=[story for story, _, _ in ORDERS])
def test_where_the_goods_of_an_order_are(_story, lines, custody):
    assert order_custody(make_order(*lines)) == custody


def test_the_order_that_uses_everything_is_partly_on_its_way():
    assert order_custody(rich_order()) == "partial"
    assert check_quantities(rich_order()) == ()


def card(amount, state="captured"):
    return Tender(kind="card", amount=amount, state=state)


def refund(total, **fields):
    return Refund(currency="EUR", total=total, **fields)


# The order's total is 1000.
MONEY = [
    ((), (), {}, "unpaid"),
    ((card(1000, "pending"),), (), {}, "unpaid"),
    ((card(1000, "authorised"),), (), {}, "authorised"),
    ((card(200), card(800, "authorised")), (), {}, "authorised"),
    ((card(200), card(700, "authorised")), (), {}, "part_paid"),
    ((card(700, "authorised"),), (), {}, "authorised"),
    ((card(400),), (), {}, "part_paid"),
    ((card(1000),), (), {}, "paid"),
    ((card(1500), card(-500)), (), {}, "paid"),
    ((card(400), card(600)), (), {}, "paid"),
    ((card(1000), card(5, "failed")), (), {}, "paid"),
    ((card(1000, "voided"), card(1000, "failed")), (), {}, "voided"),
    ((card(1000),), (refund(300),), {}, "part_refunded"),
    ((card(1000),), (refund(300), refund(700)), {}, "refunded"),
    ((card(1000),), (refund(1200),), {}, "refunded"),
    ((), (refund(1000),), {}, "refunded"),
    ((card(1000),), (refund(300, state="pending"), refund(1, state="failed")), {}, "paid"),
    ((card(800),), (), {"current_total": 800}, "paid"),
    ((card(1000),), (), {"current_total": 1200}, "part_paid"),
    ((), (), {"buyer_total": 0}, "paid"),
    ((), (), {"buyer_total": None, "commitment": "tentative"}, "unpaid"),
    ((card(400),), (), {"buyer_total": None, "commitment": "tentative"}, "part_paid"),
    ((card(4, "authorised"),), (), {"buyer_total": None, "commitment": "tentative"}, "authorised"),
    ((card(-500),), (), {"buyer_total": -500}, "paid"),
]


@pytest.mark.parametrize(("tenders", "refunds", "fields", "status"), MONEY)
def test_where_the_money_of_an_order_is(tenders, refunds, fields, status):
    assert money_status(make_order(tenders=tenders, **fields), refunds) == status


def test_money_and_custody_know_nothing_of_each_other():
    order = make_order(make_line(fulfilled=1), tenders=())
    assert (order_custody(order), money_status(order)) == ("fulfilled", "unpaid")


def test_a_refund_in_another_currency_is_not_added():
    order = make_order(tenders=(card(1000),))
    assert refunded_amount(order, [Refund(currency="USD", total=5), refund(7)]) == 7
    assert captured_amount(order) == 1000


def quantity(line, count):
    return LineQuantity(line=LineId(line), quantity=count)


def test_shipments_count_once_they_have_left():
    shipments = [
        Shipment(lines=(quantity("1", 2), quantity("2", 1))),
        Shipment(lines=(quantity("1", 1),), state="delivered"),
        Shipment(lines=(quantity("1", 8),), state="planned"),
        Shipment(lines=(quantity("1", 8),), state="packed"),
        Shipment(lines=(quantity("1", 8),), state="cancelled"),
        Shipment(lines=(quantity("3", 1),), state="lost"),
    ]
    assert shipped_by_line(shipments) == {"1": 3, "2": 1, "3": 1}


def test_a_cancellation_counts_for_what_was_accepted():
    asked = Cancellation(lines=(quantity("1", 5),))
    granted = Cancellation(lines=(quantity("1", 5),), accepted=(quantity("1", 2),), state="part_accepted")
    assert cancelled_by_line([asked, granted, granted]) == {"1": 4}


def test_a_return_counts_for_what_was_received():
    lines = (ReturnLine(line=LineId("1"), quantity=3, received=2), ReturnLine(quantity=1, received=1))
    assert returned_by_line([Return(lines=lines)]) == {"1": 2, "": 1}
