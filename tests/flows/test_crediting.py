"""What a shop gave back and what came back of an order, told to the ERP that has invoiced and delivered it."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.domain.policy import Authority
from crossdock.domain.postings import postings_of
from crossdock.model.ids import LineId, Sku
from crossdock.model.money import Rate
from crossdock.model.pricing import TaxLine
from crossdock.model.reports import OrderReported, RefundReported, ReturnReported
from crossdock.model.returns import Refund, RefundAdjustment, RefundLine, RefundShipping, Return, ReturnLine
from tests.flows.facts import REF, order, refunded, shipped, told
from tests.flows.hub import OPERATIONS, Hub, make_plan
from tests.flows.taken import commands, taken


def invoiced(**changes):
    """Two of SKU-1 and one of SKU-2 are delivered and invoiced."""
    hub = taken(**changes)
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle_all()
    return hub


def gave(name="R1", *, total, lines=(), shipping=(), adjustments=(), version="1", **fields):
    refund = {"currency": "EUR", "connection": "shop", "order_ref": REF, "external_id": name, **fields}
    parts = {"lines": lines, "shipping": shipping, "adjustments": adjustments}
    return RefundReported(refund=Refund(total=total, version=version, **parts, **refund))


def line(net, tax, *, restock="returned", quantity=1, id_="1"):
    rate = TaxLine(amount=tax, name="VAT", rate=Rate(value=19, scale=2))
    named = {"line": LineId(id_), "sku": Sku(f"SKU-{id_}"), "quantity": quantity, "taxes": (rate,)}
    return RefundLine(net=net, tax=tax, gross=net + tax, restock=restock, **named)


def back(version="1", *, received=1, disposition="restock", location="berlin"):
    goods = ReturnLine(line="1", sku="SKU-1", quantity=2, received=received, disposition=disposition)
    named = {"external_id": "X", "connection": "wms", "version": version, "location": location}
    return ReturnReported(goods_return=Return(lines=(goods,), **named))


def without(*operations):
    erp = OPERATIONS["erp"] - set(operations)
    return {"offers": {**OPERATIONS, "erp": erp}}


def test_a_refund_of_an_invoiced_order_is_credited_once():
    hub = invoiced()
    hub.tell("shop", refunded())
    hub.tell("shop", refunded())
    hub.tell("shop", OrderReported(order=order(2), refunds=(refunded().refund,)))
    (command,) = commands(hub, "credit_refund")
    assert (command["refund"], command["reference"]) == ("shop:R1", "CD0000000001/refund:shop:R1")
    assert (command["total"], command["currency"]) == (500, "EUR")
    assert command["parts"] == [
        {"kind": "line", "net": 500, "tax": 0, "gross": 500, "line": "2", "quantity": 1}
    ]
    assert hub.cases == {}


def test_all_parts_of_a_refund_are_credited_with_their_taxes_and_nothing_that_was_typed():
    hub = invoiced()
    report = gave(
        total=2000,
        lines=(line(1000, 190),),
        shipping=(RefundShipping(net=420, tax=80, gross=500, shipping="s1"),),
        adjustments=(RefundAdjustment(kind="restocking_fee", net=-84, tax=-16, gross=-100, reason="Ann"),),
        reason="Ann Smith was not at home",
    )
    hub.tell("shop", report)
    (command,) = commands(hub, "credit_refund")
    assert [(part["kind"], part["net"], part["tax"]) for part in command["parts"]] == [
        ("line", 1000, 190),
        ("shipping", 420, 80),
        ("restocking_fee", -84, -16),
        ("rest", 410, 0),
    ]
    assert sum(part["gross"] for part in command["parts"]) == command["total"] == 2000
    assert b"Ann" not in bytes(hub.orders[1].value)


def test_what_was_given_back_for_goods_that_never_left_is_not_credited():
    hub = invoiced()
    hub.tell("shop", gave(total=1190, lines=(line(500, 95), line(500, 95, restock="cancelled"))))
    hub.tell("shop", gave("R2", total=595, lines=(line(500, 95, restock="cancelled"),)))
    assert [command["total"] for command in commands(hub, "credit_refund")] == [595]
    assert hub.cases == {}


def test_a_refund_of_before_the_first_invoice_is_credited_after_it():
    hub = taken()
    hub.tell("shop", refunded())
    assert commands(hub, "credit_refund") == []
    hub.tell("wms", shipped(l2=1))
    hub.settle_all()
    assert hub.staged()[-2:] == ["create_invoice", "credit_refund"]


@pytest.mark.parametrize("how", [{"state": "pending"}, {"state": "failed"}, {"test": True}])
def test_a_refund_that_gave_nothing_back_is_not_credited(how):
    hub = invoiced()
    hub.tell("shop", refunded(**how))
    assert commands(hub, "credit_refund") == []
    assert hub.cases == {}


def test_a_refund_that_was_only_begun_is_credited_once_it_is_done():
    hub = invoiced()
    begun = refunded(state="pending").refund
    hub.tell("shop", RefundReported(refund=begun))
    hub.tell("shop", RefundReported(refund=msgspec.structs.replace(begun, state="done", version="2")))
    assert [command["total"] for command in commands(hub, "credit_refund")] == [500]


def test_a_refund_in_another_currency_is_not_credited():
    hub = invoiced()
    hub.tell("shop", RefundReported(refund=msgspec.structs.replace(refunded().refund, currency="USD")))
    assert commands(hub, "credit_refund") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [({"state": "failed"}, "was not given back"), ({"total": 700}, "comes to 7.00 EUR (tax 0.00) by now")],
)
def test_a_refund_that_changes_after_its_credit_is_a_case_until_it_is_right_again(change, words):
    hub = invoiced()
    first = refunded().refund
    hub.tell("shop", RefundReported(refund=first))
    hub.settle("credit_refund", reference="C1", total=-500)
    hub.tell("shop", RefundReported(refund=msgspec.structs.replace(first, version="2", **change)))
    assert len(commands(hub, "credit_refund")) == 1
    text = hub.cases[1, "refund.credit_differs", "shop:R1"]
    assert words in text
    assert "Correct credit note C1 there." in text
    hub.tell("shop", RefundReported(refund=msgspec.structs.replace(first, version="3")))
    assert "refund.credit_differs" not in hub.reasons()


def test_an_erp_that_takes_no_credits_makes_each_refund_one_case():
    hub = invoiced(**without("credit_refund"))
    hub.tell("shop", refunded())
    hub.tell("shop", refunded("R2", 100))
    hub.tell("shop", told(2))
    texts = [text for (_, reason, _), text in hub.cases.items() if reason == "refund.credit_by_hand"]
    assert len(texts) == 2
    assert "gave back 5.00 EUR of order #1001 (refund shop:R1)" in texts[0]


def test_where_less_was_given_back_than_was_cancelled_a_person_books_the_rest():
    hub = invoiced()
    hub.tell("shop", gave(total=1000, lines=(line(1000, 190, restock="cancelled"),)))
    assert commands(hub, "credit_refund") == []
    assert hub.reasons() == ["refund.credit_by_hand"]


@pytest.mark.parametrize("modes", [{"erp": "observe"}, {"shop": "observe"}])
def test_an_observed_connection_is_told_of_no_refund_and_no_return(modes):
    hub = invoiced(modes=modes)
    hub.tell("shop", refunded())
    hub.tell("wms", back())
    assert {"credit_refund", "receive_return"}.isdisjoint(hub.staged())
    assert "refund.credit_by_hand" not in hub.reasons()


def test_the_credits_document_stands_among_the_orders_postings_and_its_total_is_compared():
    hub = invoiced()
    hub.tell("shop", refunded())
    hub.settle("credit_refund", reference="C1", total=-501)
    credit = postings_of(hub.process())[-1]
    assert (credit.kind, credit.document, credit.total, credit.erp_total) == ("credit_note", "C1", -500, -501)
    assert [(fact.kind, fact.id) for fact in credit.facts] == [("refund", "shop:R1"), ("order", credit.order)]
    assert hub.postings[-1].entries == (("receivable", -1), ("rounding", 1))
    assert hub.cases == {}


def test_a_credit_that_is_too_far_off_is_a_case():
    hub = invoiced()
    hub.tell("shop", refunded())
    hub.settle("credit_refund", reference="C1", total=-600)
    assert hub.reasons() == ["posting.total_differs"]


def test_what_came_back_is_received_once_and_what_came_later_by_itself():
    hub = invoiced()
    hub.tell("wms", back())
    hub.tell("wms", back())
    hub.tell("wms", back("2", received=2))
    first, second = commands(hub, "receive_return")
    assert first["reference"] == "CD0000000001/return:wms:X:1"
    assert second["reference"] == "CD0000000001/return:wms:X:2"
    assert first["lines"] == second["lines"] == [{"quantity": 1, "line": "1", "sku": "SKU-1"}]
    assert first["location"] == "berlin"


def test_what_may_not_be_sold_is_received_as_such():
    hub = invoiced()
    hub.tell("wms", back(disposition="quarantine"))
    hub.tell("wms", back("2", disposition="restock"))
    (command,) = commands(hub, "receive_return")
    assert command["lines"][0]["held"] is True


def test_less_back_than_the_erp_was_told_is_a_case_and_counts_once_it_comes_again():
    hub = invoiced()
    hub.tell("wms", back(received=2))
    hub.tell("wms", back("2", received=1))
    assert hub.reasons() == ["return.received_less"]
    hub.tell("wms", back("3", received=2))
    assert hub.reasons() == []
    assert len(commands(hub, "receive_return")) == 1


class Master(Hub):
    """Stock is the ERP's: 5, then two left."""

    def __init__(self):
        super().__init__(make_plan(authority=Authority(stock="erp")))
        self.count(5)
        self.count(5, "SKU-2")
        self.tell("shop", told())
        self.tell("wms", shipped(l1=2, l2=1))
        self.settle_all()
        self.now += 10_000_000

    def count(self, on_hand, sku="SKU-1"):
        self.now += 1
        statement = self.statement(sku, on_hand, "erp")
        self.tell("erp", statement, subject=900)


def test_what_the_stocks_master_was_not_told_of_a_return_stands_beside_its_statement():
    hub = Master()
    hub.tell("wms", back())
    assert hub.level("SKU-1").on_hand == 4
    hub.count(3)
    assert hub.level("SKU-1").on_hand == 4
    hub.settle("receive_return")
    hub.now += 10_000_000
    hub.count(4)
    assert hub.level("SKU-1").on_hand == 4


def test_each_receipt_is_seen_when_it_has_settled_and_not_before():
    hub = Master()
    hub.tell("wms", back())
    hub.tell("wms", back("2", received=2))
    hub.count(3)
    assert hub.level("SKU-1").on_hand == 5
    hub.settle("receive_return")
    hub.now += 10_000_000
    hub.count(4)
    assert hub.level("SKU-1").on_hand == 5
    hub.settle("receive_return")
    hub.now += 10_000_000
    hub.count(5)
    assert hub.level("SKU-1").on_hand == 5
    assert all(row.seen_at for row in hub.unseen)


def test_less_back_than_its_master_was_told_waits_for_nobody():
    hub = Master()
    hub.tell("wms", back(received=2))
    hub.settle("receive_return")
    hub.tell("wms", back("2", received=1))
    assert hub.level("SKU-1").on_hand == 4
    hub.now += 10_000_000
    hub.count(4)
    assert hub.level("SKU-1").on_hand == 4


def test_a_master_that_takes_no_returns_has_them_by_others():
    hub = Hub(make_plan(authority=Authority(stock="erp"), **without("receive_return")))
    for sku in ("SKU-1", "SKU-2"):
        hub.tell("erp", hub.statement(sku, 5, "erp"), subject=900)
    hub.tell("shop", told())
    hub.tell("wms", shipped(l1=2))
    hub.settle_all()
    hub.now += 10_000_000
    hub.tell("wms", back())
    hub.tell("erp", hub.statement("SKU-1", 3, "erp"), subject=900)
    assert hub.level("SKU-1").on_hand == 3


AMOUNTS = st.integers(1, 700)
REFUNDS = st.lists(
    st.tuples(AMOUNTS, st.sampled_from(["returned", "no_restock", "nothing"]), st.booleans()), max_size=4
)


@settings(max_examples=100)
@given(refunds=REFUNDS, before=st.booleans(), cut=st.integers(0, 1))
def test_what_is_invoiced_less_what_is_credited_is_what_the_buyer_has_paid_in_the_end(refunds, before, cut):
    hub = taken()
    sent = shipped(l1=2) if cut else shipped(l1=2, l2=1)
    if not before:
        hub.tell("wms", sent)
        hub.settle_all()
    given_back = 0
    if cut:
        hub.tell("shop", told(2, lines=cancelled_second()))
        hub.tell("shop", gave("R0", total=500, lines=(line(467, 33, restock="cancelled", id_="2"),)))
        given_back += 500
    for n, (total, restock, begun) in enumerate(refunds, 1):
        parts = () if restock == "nothing" else (line(total, 0, restock=restock),)
        hub.tell("shop", gave(f"R{n}", total=total, lines=parts, state="pending" if begun else "done"))
        given_back += 0 if begun else total
    if before:
        hub.tell("wms", sent)
    hub.settle_all()
    credited = sum(command["total"] for command in commands(hub, "credit_refund"))
    process = hub.process()
    sold = sum(one.gross * one.shipped // one.ordered for one in process.lines)
    assert sold - credited == process.captured - given_back


def cancelled_second():
    """The order with its second line cancelled before it left."""
    first, second = order().lines
    return first, msgspec.structs.replace(second, current=0, cancelled=1)
