"""A shop gives money back before the goods left, and calls it what it likes: the sale falls once, by what was given back."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.shopify_payloads import line, shipping
from tests.flows.refunding import (
    EARLY,
    LATE,
    REFUNDED,
    RESTOCKS,
    Shop,
    bought,
    fulfilled,
    gave_back,
    mug,
    postage_back,
    tell_both,
)
from tests.flows.taken import commands


@pytest.mark.parametrize("first", ["refund", "order"])
@pytest.mark.parametrize("restock", RESTOCKS)
def test_what_is_refunded_before_it_leaves_counts_once_and_the_rest_ships(restock, first):
    shop = Shop()
    shop.order(bought())
    refund = gave_back(restock)
    after = {
        "lines": [mug(current_quantity=1)],
        "refunds": [refund],
        "financial_status": "partially_refunded",
    }
    tell_both(shop, refund, bought(at=REFUNDED, **after), first)
    shop.stopped()
    once = {"sales": -1000, "tax": -190, "payments": 1190}
    assert shop.journal() == once
    shop.left(1)
    shop.order(bought(at=LATE, fulfillments=[fulfilled(1)], **after))
    assert shop.journal() == once
    assert commands(shop.hub, "credit_refund") == []
    assert shop.hub.cases == {}


@pytest.mark.parametrize("first", ["refund", "order"])
@pytest.mark.parametrize("restock", ["no_restock", "return"])
def test_what_is_refunded_after_it_left_is_a_refund_and_the_sale_stands(restock, first):
    shop = Shop()
    shop.order(bought())
    shop.hub.settle_all()
    shop.left(2)
    shop.order(bought(fulfillments=[fulfilled(2)], at="2026-03-01T12:00:00+01:00"))
    refund = gave_back(restock)
    after = {"lines": [mug(current_quantity=1)], "refunds": [refund], "fulfillments": [fulfilled(2)]}
    tell_both(shop, refund, bought(at=REFUNDED, **after), first)
    assert shop.journal() == {"sales": -2000, "refunds": 1000, "tax": -190, "payments": 1190}
    assert [command["total"] for command in commands(shop.hub, "credit_refund")] == [1190]
    assert shop.hub.cases == {}


@pytest.mark.parametrize("first", ["refund", "order"])
@pytest.mark.parametrize("restock", RESTOCKS)
def test_a_whole_order_given_back_before_it_leaves_leaves_nothing_in_the_journal(restock, first):
    shop = Shop()
    shop.order(bought(postage=True))
    refund = gave_back(restock, "29.75", quantity=2, order_adjustments=postage_back())
    after = {"lines": [mug(current_quantity=0)], "refunds": [refund], "financial_status": "refunded"}
    tell_both(shop, refund, bought(at=REFUNDED, postage=True, **after), first)
    shop.stopped()
    assert shop.journal() == {}


@pytest.mark.parametrize("first", ["refund", "order"])
def test_shipping_given_back_while_goods_leave_is_a_refund(first):
    shop = Shop()
    shop.order(bought(postage=True))
    refund = gave_back("no_restock", "17.85", order_adjustments=postage_back())
    after = {
        "lines": [mug(current_quantity=1)],
        "refunds": [refund],
        "financial_status": "partially_refunded",
    }
    tell_both(shop, refund, bought(at=REFUNDED, postage=True, **after), first)
    shop.stopped()
    assert shop.journal() == {
        "sales": -1000,
        "shipping": -500,
        "refunds": 500,
        "tax": -190,
        "payments": 1190,
    }


def test_a_fee_that_is_kept_of_a_cancelled_order_stays_earned():
    shop = Shop()
    shop.order(bought())
    kept = [{"kind": "restocking_fee", "amount": "2.00", "tax_amount": "0"}]
    refund = gave_back("cancel", "21.80", quantity=2, order_adjustments=kept)
    shop.order(bought(at=REFUNDED, lines=[mug(current_quantity=0)], refunds=[refund]))
    shop.stopped()
    assert shop.journal() == {"refunds": -200, "payments": 200}


def test_a_tip_given_back_with_the_order_is_no_line_of_it():
    shop = Shop()
    tip = line(
        2, price="3.00", product_id=None, title="Tip", requires_shipping=False, tip_payment_gateway=None
    )
    shop.order(bought(lines=[mug(), tip], more=3))
    refund = gave_back("no_restock", "26.80", quantity=2)
    refund["refund_line_items"].append(
        {
            "id": 8009,
            "line_item_id": 102,
            "quantity": 1,
            "restock_type": "no_restock",
            "subtotal": 3.0,
            "total_tax": 0,
        }
    )
    given = {
        "lines": [mug(current_quantity=0), {**tip, "current_quantity": 0}],
        "refunds": [refund],
        "more": 3,
    }
    shop.order(bought(at=REFUNDED, **given))
    shop.stopped()
    assert shop.journal() == {}


def test_one_of_two_is_never_sent_and_the_other_is_given_back_later():
    shop = Shop()
    shop.order(bought())
    one, two = gave_back("no_restock"), gave_back("no_restock", id_=8101)
    shop.order(bought(at=REFUNDED, lines=[mug(current_quantity=1)], refunds=[one]))
    shop.stopped()
    shop.left(1)
    after = {"lines": [mug(current_quantity=0)], "refunds": [one, two], "fulfillments": [fulfilled(1)]}
    shop.order(bought(at=LATE, **after))
    assert shop.journal() == {"sales": -1000, "refunds": 1000}
    assert [command["total"] for command in commands(shop.hub, "credit_refund")] == [1190]


def test_one_refund_of_two_that_left_and_did_not_leave_is_both():
    shop = Shop()
    shop.order(bought())
    shop.hub.settle_all()
    shop.left(1)
    refund = gave_back("no_restock", "23.80", quantity=2)
    after = {"lines": [mug(current_quantity=0)], "refunds": [refund], "fulfillments": [fulfilled(1)]}
    shop.order(bought(at=LATE, **after))
    shop.stopped()
    assert shop.journal() == {"sales": -1000, "refunds": 1000}
    assert [command["total"] for command in commands(shop.hub, "credit_refund")] == [1190]


def test_a_refund_that_comes_alone_is_not_credited_while_its_goods_wait():
    shop = Shop()
    shop.order(bought())
    shop.hub.settle_all()
    shop.left(1)
    refund = gave_back("no_restock")
    shop.refund(refund)
    assert commands(shop.hub, "credit_refund") == []
    after = {"lines": [mug(current_quantity=1)], "refunds": [refund], "fulfillments": [fulfilled(1)]}
    shop.order(bought(at=LATE, **after))
    shop.stopped()
    assert commands(shop.hub, "credit_refund") == []
    assert shop.journal() == {"sales": -1000, "tax": -190, "payments": 1190}
    assert shop.hub.cases == {}


def test_what_leaves_although_its_refund_came_alone_is_credited():
    shop = Shop()
    shop.order(bought())
    shop.hub.settle_all()
    shop.refund(gave_back("no_restock"))
    shop.left(2)
    assert [command["total"] for command in commands(shop.hub, "credit_refund")] == [1190]
    assert shop.journal() == {"sales": -2000, "refunds": 1000, "tax": -190, "payments": 1190}


def cents(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_given_back_and_however_it_is_called_nothing_is_owed_and_the_money_is_what_moved(data):
    quantity, price = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3000))
    cut = data.draw(st.integers(0, price * quantity))
    whole = price * quantity - cut
    off = [{"amount": cents(cut), "discount_application_index": 0}]
    ship = [shipping("5.00")] if data.draw(st.booleans()) else []

    def body(at: str, left: int, refunds: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        mugs = line(quantity=quantity, price=cents(price), current_quantity=left, discount_allocations=off)
        total = cents(whole + (500 if ship else 0))
        codes = [{"type": "discount_code", "code": "X", "value": "1.0", "value_type": "fixed_amount"}]
        terms = {"discount_applications": codes, "taxes_included": True, "shipping_lines": ship}
        return bought(lines=[mugs], at=at, total_price=total, refunds=refunds, **terms, **fields)

    shop, left, refunds, given = Shop(), quantity, [], 0
    shop.order(body(EARLY, quantity, []))
    for n in range(data.draw(st.integers(0, 3))):
        part = data.draw(st.integers(0, left))
        if not part:
            continue
        left -= part
        amount = (2 * whole * part + quantity) // (2 * quantity)
        with_postage = bool(ship) and not left
        back = [{"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "0"}] if with_postage else []
        at = f"2026-03-02T1{n}:00:00+01:00"
        refund = gave_back(
            data.draw(st.sampled_from(RESTOCKS)),
            cents(amount + (500 if with_postage else 0)),
            quantity=part,
            id_=8001 + 10 * n,
            order_adjustments=back,
            created_at=at,
            processed_at=at,
        )
        refund["refund_line_items"][0] |= {"subtotal": amount / 100, "total_tax": 0.0}
        refunds.append(refund)
        given += amount + (500 if with_postage else 0)
        tell_both(
            shop, refund, body(at, left, list(refunds)), data.draw(st.sampled_from(["refund", "order"]))
        )
        if data.draw(st.booleans()):
            shop.stopped()
    shop.stopped()
    if left:
        shop.left(left)
        shop.order(body(LATE, left, refunds, fulfillments=[fulfilled(left)]))
    journal = shop.journal()
    assert journal.get("receivable", 0) == 0
    assert journal.get("payments", 0) == whole + (500 if ship else 0) - given
    assert journal.get("refunds", 0) == 0
    assert abs(journal.get("rounding", 0)) <= quantity - left


def captured(amount: str) -> dict[str, Any]:
    money = {"id": 6001, "kind": "capture", "status": "success", "amount": amount, "currency": "EUR"}
    return {**money, "gateway": "shopify_payments", "order_id": 5001, "processed_at": EARLY}


def amount_alone(amount="11.90", **fields: Any) -> dict[str, Any]:
    return {**gave_back("cancel", amount, id_=8201, **fields), "refund_line_items": []}


def taken_off(restock: str) -> list[dict[str, Any]]:
    """What an edit leaves behind: a refund of a line without money, or nothing at all."""
    return [] if restock == "nothing" else [gave_back(restock, transactions=[])]


@pytest.mark.parametrize("edit", ["nothing", "no_restock", "cancel"])
@pytest.mark.parametrize("first", ["refund", "order"])
def test_an_amount_that_names_no_line_is_a_refund_of_what_is_left_also_after_an_edit(edit, first):
    shop = Shop()
    shop.order(bought())
    after = {"lines": [mug(current_quantity=1)], "financial_status": "partially_refunded"}
    shop.order(bought(at="2026-03-02T09:00:00+01:00", refunds=taken_off(edit), **after))
    shop.stopped()
    shop.left(1)
    money = amount_alone()
    tell_both(shop, money, bought(at=REFUNDED, refunds=[*taken_off(edit), money], **after), first)
    shop.hub.settle_all()
    assert shop.journal() == {
        "sales": -1000,
        "tax": -190,
        "payments": 1190,
        "refunds": 1190,
        "receivable": -1190,
    }
    assert [command["total"] for command in commands(shop.hub, "credit_refund")] == [1190]
    assert shop.hub.cases == {}


def test_what_was_edited_off_before_it_was_paid_is_not_what_an_amount_gives_back():
    shop = Shop()
    shop.order(bought(financial_status="authorized"))
    paid = {"lines": [mug(current_quantity=1)], "transactions": [captured("11.90")]}
    shop.order(bought(at="2026-03-02T09:00:00+01:00", **paid))
    shop.stopped()
    shop.left(1)
    money = amount_alone()
    shop.order(bought(at=LATE, refunds=[money], fulfillments=[fulfilled(1)], **paid))
    assert shop.journal() == {"sales": -1000, "tax": -190, "refunds": 1190}
    assert [command["total"] for command in commands(shop.hub, "credit_refund")] == [1190]
    assert shop.hub.cases == {}


@pytest.mark.parametrize("first", RESTOCKS)
@pytest.mark.parametrize("then", ["no_restock", "return"])
def test_of_two_refunds_the_one_of_what_had_left_is_credited_once_and_stays_so(first, then):
    """One of two leaves broken, and is given back; then the other is, which has not left."""
    shop = Shop()
    shop.order(bought())
    shop.hub.settle_all()
    shop.left(1)
    parcel = {"fulfillments": [{**fulfilled(1), "created_at": EARLY, "updated_at": EARLY}]}
    broken = gave_back(first)
    shop.order(bought(at=REFUNDED, lines=[mug(current_quantity=1)], refunds=[broken], **parcel))
    credited = [command["refund"] for command in commands(shop.hub, "credit_refund")]
    assert credited == (["shop:8001"] if first == "return" else [])
    other = gave_back(then, id_=8101, created_at=LATE, processed_at=LATE)
    shop.order(bought(at=LATE, lines=[mug(current_quantity=0)], refunds=[broken, other], **parcel))
    shop.stopped()
    assert shop.journal() == {"sales": -1000, "refunds": 1000}
    credited_now = commands(shop.hub, "credit_refund")
    assert [command["total"] for command in credited_now] == [1190]
    assert [command["refund"] for command in credited_now][: len(credited)] == credited
    assert shop.hub.cases == {}


def test_of_two_refunds_the_one_of_what_had_not_left_stays_that_when_the_other_is_refunded():
    shop = Shop()
    shop.order(bought())
    unsent = gave_back("return")
    shop.order(bought(at=REFUNDED, lines=[mug(current_quantity=1)], refunds=[unsent]))
    shop.stopped()
    shop.left(1)
    sent = gave_back("no_restock", id_=8101, created_at=LATE, processed_at=LATE)
    lines = [mug(current_quantity=0)]
    shop.order(bought(at=LATE, lines=lines, refunds=[unsent, sent], fulfillments=[fulfilled(1)]))
    assert shop.journal() == {"sales": -1000, "refunds": 1000}
    assert [command["refund"] for command in commands(shop.hub, "credit_refund")] == ["shop:8101"]
    assert shop.hub.cases == {}


def test_a_refund_that_names_what_had_left_in_two_parts_keeps_both():
    """Three of four left, and two of them come back to two places; then the one that stays is refunded as returned."""
    shop = Shop()
    shop.order(bought(quantity=4))
    shop.hub.settle_all()
    shop.left(3)
    parcel = {"fulfillments": [{**fulfilled(3), "created_at": EARLY, "updated_at": EARLY}]}
    back = gave_back("return", "23.80")
    part = back["refund_line_items"][0]
    back["refund_line_items"] = [{**part, "location_id": 1}, {**part, "id": 8009, "location_id": 2}]
    lines = [mug(4, current_quantity=2)]
    shop.order(bought(at=REFUNDED, quantity=4, lines=lines, refunds=[back], **parcel))
    other = gave_back("return", "23.80", quantity=2, id_=8101, created_at=LATE, processed_at=LATE)
    lines = [mug(4, current_quantity=0)]
    shop.order(bought(at=LATE, quantity=4, lines=lines, refunds=[back, other], **parcel))
    shop.stopped()
    assert shop.journal() == {"sales": -3000, "refunds": 3000}
    credits_ = [(command["refund"], command["total"]) for command in commands(shop.hub, "credit_refund")]
    assert credits_ == [("shop:8001", 2380), ("shop:8101", 1190)]
    assert shop.hub.cases == {}


@pytest.mark.parametrize("goodwill", [3, 7])
@pytest.mark.parametrize("ids", [(8001, 8101), (8101, 8001)])
def test_no_tax_of_shipping_stays_once_nothing_of_the_order_is_left(ids, goodwill):
    """Something is given back of goodwill, then the order is cancelled, and the rest given back with the postage."""
    shop = Shop()
    shop.order(bought(postage=True))
    kind = gave_back("cancel", f"{goodwill:.2f}", id_=ids[0], refund_line_items=[])
    rest = gave_back(
        "cancel", f"{29.75 - goodwill:.2f}", quantity=2, id_=ids[1], order_adjustments=postage_back()
    )
    after = {"lines": [mug(current_quantity=0)], "refunds": [kind, rest], "financial_status": "refunded"}
    shop.order(bought(at=REFUNDED, postage=True, **after))
    shop.stopped()
    assert shop.journal() == {}
