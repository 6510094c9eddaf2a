"""Tickets that the ERP is told of one by one: a sale of what was sold, a credit of what was taken back."""

from datetime import date

import msgspec
import pytest

from crossdock.domain.status import status
from crossdock.flows.documents import command_for
from crossdock.sdk.spec import Translation
from tests.flows.hub import OPERATIONS
from tests.flows.stores import DAY, TILLS, StoreHub, line, store_plan, ticket


def subject(hub, sequence=1):
    return hub.subject("ticket", f"berlin/T1/{sequence}")


def each_hub(**changes):
    return StoreHub(store_plan(post="each", **changes))


def commands(hub, operation):
    """Commands as a connector gets them, with the order of their document."""
    return [
        command_for(operation, stage.command, *hub.documents[key[0], stage.document])
        for key, stage in hub.effects.items()
        if key[2] == operation
    ]


def test_a_ticket_that_only_sells_is_a_sale_with_delivery_and_invoice():
    hub = each_hub()
    hub.post("ticket", ticket(1, line(quantity=2)))
    hub.settle_all()
    assert hub.staged(subject(hub)) == ["create_sale", "create_delivery", "create_invoice"]
    (sale,) = commands(hub, "create_sale")
    assert (sale.lines, sale.order.buyer_total) == ((), 2000)
    assert status(hub.process(subject(hub))).finished


def test_a_return_is_a_credit_with_what_was_paid_out_and_its_business_date():
    hub = each_hub()
    original = {"store": "berlin", "till": "T1", "sequence": 1}
    hub.post("ticket", ticket(2, line(quantity=-1), kind="return", original=original))
    hub.settle_all()
    assert hub.staged(subject(hub, 2)) == ["create_credit"]
    (credit,) = commands(hub, "create_credit")
    assert (credit.total, credit.lines, credit.original.id) == (-1000, ("1",), "berlin/T1/1")
    assert (credit.business_date, credit.posting_dates) == (date(2026, 3, 28), (date(2026, 3, 28),))
    assert [(tender.kind, tender.amount) for tender in credit.tenders] == [("cash", -1000)]
    assert credit.order_id == credit.order.id == hub.process(subject(hub, 2)).order
    assert status(hub.process(subject(hub, 2))).finished


def test_a_ticket_that_sells_and_takes_back_is_a_sale_of_what_it_sold_and_a_credit_beside_it():
    hub = each_hub()
    sold = line("SKU-1", 1, 5000) | {"discount": 100}
    back = line("SKU-2", -1, 2000) | {"discount": -50}
    hub.post("ticket", ticket(1, sold, back, kind="mixed", rounding=-1))
    hub.settle_all()
    assert sorted(hub.staged(subject(hub))) == [
        "create_credit",
        "create_delivery",
        "create_invoice",
        "create_sale",
    ]
    (sale,), (credit,) = commands(hub, "create_sale"), commands(hub, "create_credit")
    assert [line.sku for line in sale.order.lines] == ["SKU-1"]
    assert [discount.amount for discount in sale.order.discounts] == [100]
    assert sale.order.buyer_total == hub.process(subject(hub)).sale.expected == 4999
    assert (credit.total, credit.charges, credit.tenders) == (-2000, False, ())
    assert credit.order_id == credit.order.id == f"{sale.order.id}-credit"
    assert sale.order.buyer_total + credit.total == hub.process(subject(hub)).total


def test_a_credit_of_a_closed_period_may_go_to_the_next_open_date():
    hub = each_hub()
    hub.now += 40 * 86_400 * 1_000_000
    hub.post("ticket", ticket(1, line(quantity=-1), kind="return", business_date=DAY))
    (credit,) = commands(hub, "create_credit")
    assert credit.business_date == date(2026, 3, 28)
    assert credit.posting_dates == (
        date(2026, 3, 28),
        date(2026, 4, 1),
        date(2026, 5, 1),
        date(2026, 5, 7),
    )


def test_an_erp_whose_total_of_the_credit_differs_is_a_case():
    hub = each_hub()
    hub.post("ticket", ticket(1, line(quantity=-1), kind="return"))
    hub.settle("create_credit", total=-900)
    assert hub.reasons(subject(hub)) == ["posting.total_differs"]
    assert hub.fields["posting.total_differs"] == "total"


@pytest.mark.parametrize("post", ["each", "day"])
def test_an_erp_that_takes_no_credits_is_a_case_of_the_ticket(post):
    offers = {"pos": frozenset(), "erp": OPERATIONS["erp"] | {"post_day"}}
    hub = StoreHub(store_plan(post=post, offers=offers))
    hub.post("ticket", ticket(1, line(quantity=-1), kind="return"))
    assert (hub.staged(subject(hub)), hub.reasons(subject(hub))) == ([], ["credit.by_hand"])


def test_in_observation_no_credit_is_told_and_none_is_asked_for():
    hub = each_hub(modes={"pos": "observe"})
    hub.post("ticket", ticket(1, line(quantity=-1), kind="return"))
    assert (hub.staged(subject(hub)), hub.reasons(subject(hub))) == ([], [])


def test_the_order_of_another_effect_is_not_cut_with_that_of_the_sale():
    hub = each_hub()
    hub.post("ticket", ticket(1, line("SKU-1"), line("SKU-2", -1), kind="mixed"))
    hub.settle_all()
    (delivery,) = commands(hub, "create_delivery")
    assert [line.sku for line in delivery.order.lines] == ["SKU-1", "SKU-2"]
    body = msgspec.json.encode(ticket(1, line("SKU-1"), line("SKU-2", -1), kind="mixed"))
    (report,) = TILLS.translate("ticket", {}, body, Translation(connection="pos", subject=""))
    assert [line.sku for line in report.ticket.sale.lines] == ["SKU-1", "SKU-2"]
