"""Returns against the ticket that sold: all are recorded and credited; what nobody sold is a case."""

import itertools

import pytest

from tests.flows.hub import HOUR
from tests.flows.stores import StoreHub, line, store_plan, ticket


def subject(hub, sequence):
    return hub.subject("ticket", f"berlin/T1/{sequence}")


def back(sequence, *lines, of=1, **more):
    name = {"store": "berlin", "till": "T1", "sequence": of}
    lines = lines or (line(quantity=-1),)
    kind = "return" if all(each["quantity"] < 0 for each in lines) else "mixed"
    return ticket(sequence, *lines, **({"kind": kind, "original": name} | more))


def returns(hub):
    """Cases of returns: what they are about, and what they say."""
    return {(reason, about): text for (_, reason, about), text in hub.cases.items() if reason[:6] == "return"}


def credits_of(hub):
    return sorted(command["total"] for command in hub.commands("create_credit"))


@pytest.mark.parametrize("post", ["each", "day"])
def test_what_was_sold_may_be_brought_back_once_in_parts(post):
    hub = StoreHub(store_plan(post=post))
    hub.post("ticket", ticket(1, line(quantity=3), line("SKU-2")))
    hub.post("ticket", back(2, line(quantity=-1)))
    hub.post("ticket", back(3, line(quantity=-2), line("SKU-2", -1)))
    assert (returns(hub), credits_of(hub)) == ({}, [-3000, -1000])


@pytest.mark.parametrize("post", ["each", "day"])
def test_a_second_return_of_the_same_is_credited_and_a_case_that_names_ticket_and_line(post):
    hub = StoreHub(store_plan(post=post))
    hub.stock(source="pos", SKU_1=5)
    hub.post("ticket", ticket(1))
    hub.post("ticket", back(2))
    hub.post("ticket", back(3))
    ((case, text),) = returns(hub).items()
    assert case == ("return.beyond_sale", "berlin/T1/3/1")
    assert hub.fields["return.beyond_sale"] == "original"
    assert "Ticket berlin/T1/3, line 1, took back 1 x SKU-1 of ticket berlin/T1/1, which sold 1" in text
    assert "makes 2 taken back, with berlin/T1/2" in text
    assert credits_of(hub) == [-1000, -1000]
    assert hub.level("SKU-1").on_hand == 5 - 1 + 2


def test_more_than_was_sold_and_what_was_not_sold_are_cases_line_by_line():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post(
        "ticket", back(2, line(quantity=-2, id="a"), line("SKU-9", -1, id="b"), line("SKU-1", 1, id="c"))
    )
    assert sorted(about for _, about in returns(hub)) == ["berlin/T1/2/a", "berlin/T1/2/b"]


def test_weighed_goods_are_compared_in_whole_units():
    hub = StoreHub()
    cheese = {"unit": "kg", "gross": 500, "tax": 0, "taxes": []}
    hub.post("ticket", ticket(1, line("CHEESE") | cheese | {"quantity": 350, "quantity_scale": 3}))
    again = line("CHEESE") | cheese | {"quantity": -35, "quantity_scale": 2, "gross": -500}
    hub.post("ticket", back(2, again))
    assert returns(hub) == {}
    hub.post("ticket", back(3, again | {"quantity": -1, "quantity_scale": 3, "gross": -1}))
    assert list(returns(hub)) == [("return.beyond_sale", "berlin/T1/3/1")]


def test_a_return_of_a_ticket_that_never_came_is_a_case_after_a_while_until_that_comes():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("ticket", back(9, of=5))
    assert (returns(hub), credits_of(hub)) == ({}, [-1000])
    hub.advance(7 * HOUR)
    ((case, text),) = returns(hub).items()
    assert case == ("return.unknown_sale", "berlin/T1/9")
    assert hub.fields["return.unknown_sale"] == "original"
    assert (
        "Ticket berlin/T1/9 took back of ticket berlin/T1/5 (line 1: 1 x SKU-1), and that never came" in text
    )
    hub.post("ticket", ticket(5))
    assert returns(hub) == {}


def test_what_was_sold_before_the_hub_heard_the_till_is_no_case():
    hub = StoreHub()
    hub.post("ticket", back(100, of=5))
    hub.post("ticket", ticket(101))
    hub.post("ticket", back(102, original={"store": "berlin", "till": "T7", "sequence": 1}))
    hub.advance(24 * HOUR)
    assert (returns(hub), credits_of(hub)) == ({}, [-1000, -1000])


def test_a_return_that_names_no_ticket_and_training_are_not_compared():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("ticket", ticket(2, line(quantity=-5), kind="return"))
    hub.post("ticket", back(3, line(quantity=-5), training=True))
    hub.advance(24 * HOUR)
    assert returns(hub) == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_in_any_order_one_of_two_returns_of_one_unit_is_a_case(order):
    hub = StoreHub()
    bodies = [ticket(1), back(2), back(3)]
    for n in order:
        hub.post("ticket", bodies[n])
        assert hub.post("ticket", bodies[n]).outcome == "duplicate"
    hub.advance(24 * HOUR)
    assert [reason for reason, _ in returns(hub)] == ["return.beyond_sale"]
    assert hub.level("SKU-1").on_hand == 1


def test_a_ticket_that_was_waited_for_is_like_any_other():
    hub = StoreHub()
    hub.post("ticket", back(2))
    assert hub.rows[subject(hub, 1)].finished
    hub.post("ticket", ticket(1))
    assert (hub.rows[subject(hub, 1)].stage, hub.process(subject(hub, 1)).captured) == ("done", 1000)
