"""The ERP's invoices are read back: together they come to what was sold of the order, less what was cancelled."""

import pytest

from crossdock.domain.policy import Policy
from crossdock.domain.postings import postings_of
from crossdock.engine.messages import HUB, SETTLED, Settled
from crossdock.model import ShippingCharge
from tests.flows.facts import answered, cancel, shipped, told
from tests.flows.hub import Hub, make_plan
from tests.model.builders import taxed

CASE = "invoice.total_differs"


def sold(*, sale_total=None, tolerance=0, **fields) -> Hub:
    """A hub whose ERP has the sale of the order; two of SKU-1 at 10.00 and one of SKU-2 at 5.00."""
    hub = Hub(make_plan(policy=Policy(erp_total_tolerance=tolerance)))
    hub.stock(SKU_1=9, SKU_2=9)
    hub.tell("shop", told(**fields))
    hub.settle("create_sale", total=sale_total)
    hub.settle("release")
    return hub


def invoiced(hub: Hub, *totals: int | None) -> list[str]:
    """The ERP answers the invoices that were asked for, in order; the cases that come of it."""
    for n, total in enumerate(totals, start=1):
        hub.settle("create_invoice", reference=f"I{n}", total=total)
    return hub.reasons()


@pytest.mark.parametrize(
    ("total", "expected"), [(2500, []), (2501, []), (2499, []), (2502, [CASE]), (1, [CASE]), (None, [])]
)
def test_the_invoice_of_a_whole_order_is_compared_with_what_was_sold(total, expected):
    hub = sold(tolerance=1)
    hub.tell("wms", shipped(l1=2, l2=1))
    assert invoiced(hub, total) == expected
    if expected:
        text = hub.cases[1, CASE, "I1"]
        for word in ("I1", "#1001", "erp", "25.00", "Correct"):
            assert word in text


def test_the_invoices_of_parts_are_compared_when_all_are_there():
    hub = sold()
    hub.tell("wms", shipped("W1", l1=2))
    assert invoiced(hub, 2000) == []
    hub.tell("wms", shipped("W2", l2=1))
    assert invoiced(hub, 501) == [CASE]
    assert "I1" in hub.cases[1, CASE, "I1"]


def test_an_invoice_of_a_part_is_compared_where_its_amount_is_exact():
    hub = sold()
    hub.tell("wms", shipped("W1", l1=1))
    assert invoiced(hub, 1002) == [CASE], "one piece costs 10.00, and a cent may be rounded"
    hub = sold()
    hub.tell("wms", shipped("W1", l1=1))
    assert invoiced(hub, 1001) == []


def test_an_invoice_of_a_part_is_not_compared_where_shipping_may_be_in_it():
    shipping = ShippingCharge(id="s1", price=495, **taxed(495, 19, includes_tax=True))
    hub = sold(shipping=(shipping,), tenders=())
    hub.tell("wms", shipped("W1", l1=2))
    assert invoiced(hub, 2495) == []
    hub.tell("wms", shipped("W2", l2=1))
    assert invoiced(hub, 500) == []
    hub = sold(shipping=(shipping,), tenders=())
    hub.tell("wms", shipped("W1", l1=2))
    hub.tell("wms", shipped("W2", l2=1))
    assert invoiced(hub, 2000, 500) == [CASE], "the shipping was lost"


@pytest.mark.parametrize(("total", "expected"), [(2000, False), (2500, True)])
def test_what_was_cancelled_is_not_missing_from_the_invoices(total, expected):
    hub = sold()
    hub.tell("wms", shipped("W1", l1=2))
    hub.tell("shop", cancel(l2=1))
    hub.tell("wms", answered("accepted"))
    hub.settle("create_invoice", reference="I1", total=total)
    hub.settle_all()
    assert "cancel_sale" in hub.staged()
    assert (CASE in hub.reasons()) == expected


def test_a_sale_that_came_to_something_else_is_told_once():
    hub = sold(sale_total=2600)
    assert hub.reasons() == ["sale.total_differs"]
    hub.tell("wms", shipped(l1=2, l2=1))
    assert invoiced(hub, 2600) == ["sale.total_differs"]


def test_an_invoice_stands_among_the_postings_of_its_order_and_finds_it():
    hub = sold(sale_total=2500)
    hub.tell("wms", shipped("W1", l1=2, l2=1))
    planned = postings_of(hub.process())[-1]
    assert (planned.kind, planned.state, planned.document) == ("invoice", "planned", "")
    settled = Settled(
        effect=1,
        connection="erp",
        operation="create_invoice",
        intent="invoice:" + hub.process().shipments[0].key,
        outcome="done",
        reference="I-2026-7",
        total=2500,
    )
    decision = hub.tell(HUB, settled, kind=SETTLED)
    assert [(r.connection, r.kind, r.ref) for r in decision.references] == [("erp", "invoice", "I-2026-7")]
    sale, invoice = postings_of(hub.process())
    assert (sale.kind, invoice.kind) == ("sale", "invoice")
    assert (invoice.document, invoice.erp_total, invoice.state) == ("I-2026-7", 2500, "posted")
    assert [fact.kind for fact in invoice.facts] == ["order", "shipment"]


def test_an_invoice_that_was_refused_is_no_document():
    hub = sold()
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle("create_invoice", outcome="refused", reference="", reason="no")
    assert postings_of(hub.process())[-1].state == "refused"
