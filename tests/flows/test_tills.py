"""Tickets as stores write them: recorded as they are, stock moved at once, every posting balanced."""

import msgspec
import pytest

from crossdock.domain.status import status
from crossdock.engine.messages import subject_id
from crossdock.errors import ConflictError, MappingError, RejectedError
from crossdock.sdk.spec import Translation
from tests.flows.hub import balance_of
from tests.flows.stores import SECOND, TILLS, StoreHub, line, store_plan, ticket, void


def subject(hub, sequence=1, till="T1"):
    return hub.subject("ticket", f"berlin/{till}/{sequence}")


def test_a_sale_moves_stock_at_once_and_releases_nothing():
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=5)
    hub.post("ticket", ticket(1, line(quantity=2)))
    assert hub.level("SKU-1").on_hand == 3
    assert hub.staged(subject(hub)) == []
    assert ("shop", "SKU-1") in hub.marks
    now = status(hub.process(subject(hub)))
    assert (now.custody, now.money, now.finished) == ("delivered", "paid", True)


def test_a_sale_of_what_is_not_there_is_recorded_and_is_a_case_of_its_level_until_that_stands_again():
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=1)
    hub.advance(SECOND)
    for sequence in (1, 2, 3):
        hub.post("ticket", ticket(sequence, at=hub.clock()))
        hub.advance(SECOND)
    assert hub.level("SKU-1").on_hand == -2
    (((_, *case), text),) = hub.cases.items()
    assert case == ["stock.negative", "SKU-1@berlin"]
    assert subject_id(subject(hub, 2)) in text
    hub.post("ticket", ticket(4, line(quantity=-2), kind="return", at=hub.clock()))
    hub.advance(SECOND)
    assert (hub.level("SKU-1").on_hand, list(hub.cases)) == (0, [])


def test_a_report_is_as_it_came_after_it_was_decided_on():
    hub = StoreHub()
    (report,) = TILLS.translate(
        "ticket", {}, msgspec.json.encode(ticket(1)), Translation(connection="pos", subject="")
    )
    before = msgspec.json.encode(report)
    hub.tell("pos", report, subject=subject(hub), kind="ticket")
    assert msgspec.json.encode(report) == before


@pytest.mark.fault(33)
def test_a_ticket_that_comes_again_is_known_and_moves_nothing():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    assert hub.post("ticket", ticket(1)).outcome == "duplicate"
    assert hub.level("SKU-1").on_hand == -1
    assert len(hub.tickets) == 1


@pytest.mark.fault(34)
def test_the_same_number_with_other_contents_is_a_conflict():
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    with pytest.raises(ConflictError, match=r"berlin/T1/1 .* twice"):
        hub.post("ticket", ticket(1, line(quantity=2)))
    assert hub.level("SKU-1").on_hand == -1


def test_the_same_ticket_written_otherwise_is_the_same():
    hub = StoreHub()
    body = ticket(1)
    hub.post("ticket", body)
    assert hub.post("ticket", dict(reversed(body.items()))).outcome == "duplicate"


@pytest.mark.fault(44)
def test_one_ticket_may_sell_and_take_back():
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=5, SKU_2=5)
    hub.post("ticket", ticket(1, line("SKU-1", 1, 5000), line("SKU-2", -1, 2000), kind="mixed"))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-2").on_hand) == (4, 6)
    assert hub.balances()["payments"] == 3000


def test_what_comes_back_broken_is_on_hand_and_not_for_sale():
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=5)
    hub.post("ticket", ticket(1, line(quantity=-1, restock=False), kind="return"))
    level = hub.level("SKU-1")
    assert (level.on_hand, level.quarantined, level.available) == (6, 1, 5)


def test_weighed_goods_move_in_their_own_scale():
    hub = StoreHub()
    hub.tell("pos", hub.statement("CHEESE", 5000, "pos", scale=3), subject=900)
    cheese = line("CHEESE", 1, 455, tax=30, unit="kg", quantity_scale=3, unit_price="12.99")
    hub.post("ticket", ticket(1, cheese | {"quantity": 350, "gross": 455}))
    assert hub.level("CHEESE").on_hand == 4650


def test_a_bundle_bears_the_price_and_its_components_move_the_stock():
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=9, SKU_2=9)
    parts = [line("SKU-1", 2, 0, id="p1", parent="set"), line("SKU-2", 1, 0, id="p2", parent="set")]
    hub.post("ticket", ticket(1, line("GIFT-SET", 1, 3000, kind="bundle", id="set"), *parts))
    assert [hub.level(sku).on_hand for sku in ("SKU-1", "SKU-2", "GIFT-SET")] == [7, 8, 0]
    assert hub.balances() == {"payments": 3000, "sales": -2522, "tax": -478}
    kept = msgspec.json.decode(hub.documents[subject(hub), 1][0])["lines"]
    assert [each.get("parent_line", "") for each in kept] == ["", "set", "set"]


def test_a_component_of_no_bundle_of_its_ticket_names_the_line():
    hub = StoreHub()
    with pytest.raises(MappingError, match="no line of kind bundle") as error:
        hub.post("ticket", ticket(1, line(parent="set")))
    assert error.value.field == "lines[0].parent"


def test_gift_cards_are_owed_when_sold_and_pay_when_redeemed():
    hub = StoreHub()
    hub.post("ticket", ticket(1, line("GC", 1, 5000, tax=0, kind="gift_card")))
    assert hub.balances() == {"gift_cards": -5000, "payments": 5000}
    assert hub.level("GC").on_hand == 0
    tenders = [{"kind": "gift_card", "amount": 5000}, {"kind": "card", "amount": 1000}]
    hub.post("ticket", ticket(2, line(quantity=6), tenders=tenders))
    assert hub.balances() == {"payments": 6000, "sales": -5043, "tax": -957}


def test_deposits_tips_and_the_rounding_of_cash_have_accounts_of_their_own():
    hub = StoreHub()
    bottle = line("BOTTLE", 1, 25, tax=0, kind="deposit")
    hub.post("ticket", ticket(1, line(price=997), bottle, tip=100, rounding=-2))
    balances = hub.balances()
    assert balances["payments"] == 997 + 25 + 100 - 2
    assert (balances["deposits"], balances["tips"], balances["rounding"]) == (-25, -100, 2)
    assert sum(balances.values()) == 0


def test_a_discount_is_told_apart_from_sales():
    hub = StoreHub()
    hub.post("ticket", ticket(1, line(price=1190, tax=190) | {"discount": 119, "unit_price": "13.09"}))
    assert hub.balances() == {"discounts": 100, "payments": 1190, "sales": -1100, "tax": -190}


def test_what_is_not_paid_stays_receivable():
    hub = StoreHub()
    hub.post("ticket", ticket(1, tenders=[{"kind": "cash", "amount": 900}]))
    assert hub.balances()["receivable"] == 100


def test_cash_paid_in_and_out_uses_a_number_and_moves_the_drawer():
    hub = StoreHub()
    cash = {"store": "berlin", "till": "T1", "at": "2026-03-28T09:00:00+01:00", "currency": "EUR"}
    hub.post("cash.movement", cash | {"sequence": 1, "kind": "float", "amount": 10000})
    hub.post("cash.movement", cash | {"sequence": 2, "kind": "paid_out", "amount": 1500, "reason": "flowers"})
    assert hub.balances() == {"float": -10000, "paid_out": 1500, "payments": 8500}
    assert len(hub.tickets) == 2


def test_voids_and_training_use_their_number_and_nothing_else():
    hub = StoreHub()
    hub.post("ticket", void(1))
    hub.post("ticket", ticket(2, training=True))
    assert (hub.balances(), hub.movements, len(hub.tickets)) == ({}, [], 2)
    assert status(hub.process(subject(hub, 2))).stage == "test"


def test_a_ticket_whose_parts_do_not_add_up_names_the_field():
    hub = StoreHub()
    with pytest.raises(MappingError, match="does not add up") as error:
        hub.post("ticket", ticket(1, total=999))
    assert error.value.field == "buyer_total"
    assert not hub.tickets


def test_a_ticket_of_no_store_of_ours_names_the_store():
    hub = StoreHub()
    with pytest.raises(MappingError, match="none of our locations"):
        hub.post("ticket", ticket(1, store="paris"))


def test_tickets_without_a_route_wait_for_one():
    hub = StoreHub(store_plan(routes={}))
    with pytest.raises(RejectedError, match="no route"):
        hub.post("ticket", ticket(1))


def test_a_store_may_be_named_by_its_code():
    hub = StoreHub()
    hub.post("ticket", ticket(1, store="214"))
    assert hub.level("SKU-1", "lisbon").on_hand == -1
    assert hub.day("214").place == "lisbon"


@pytest.mark.fault(47)
def test_one_bad_ticket_of_an_upload_stands_alone():
    hub = StoreHub()
    good, bad = ticket(1), ticket(2, total=1)
    with pytest.raises(MappingError):
        hub.upload(bad, good)
    hub.upload(good, ticket(3))
    assert sorted(row[4] for row in hub.tickets) == [1, 3]


@pytest.mark.parametrize(
    ("control", "fields"),
    [
        ({"tickets": 2, "total": 2000}, {}),
        ({"tickets": 3}, {"upload.control_totals": "stated_tickets"}),
        ({"tickets": 2, "total": 1999}, {"upload.control_totals": "stated_total"}),
    ],
)
def test_an_upload_that_does_not_hold_what_it_states_is_a_case_and_its_tickets_are_in(control, fields):
    hub = StoreHub()
    hub.upload(ticket(1), ticket(2), control=control)
    assert {reason: hub.fields[reason] for _, reason, _ in hub.cases if reason.startswith("upload")} == fields
    assert len(hub.tickets) == 2


def test_in_observation_nothing_is_told():
    hub = StoreHub(store_plan(post="each", modes={"pos": "observe"}))
    hub.post("ticket", ticket(1))
    assert hub.staged(subject(hub)) == []
    assert hub.level("SKU-1").on_hand == -1


def test_levels_equal_their_movements():
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=5)
    hub.post("ticket", ticket(1, line(quantity=2)))
    hub.post("ticket", ticket(2, line(quantity=-1, restock=False), kind="return"))
    cell = balance_of(hub.movements)["SKU-1", "berlin"]
    level = hub.level("SKU-1")
    assert cell[:5] == [level.on_hand, level.reserved, level.allocated, level.safety_stock, level.quarantined]
