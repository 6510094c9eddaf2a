"""When a channel is told that we take its order, and which company of ours takes it."""

from crossdock.domain.policy import Policy, Route
from crossdock.domain.postings import postings_of
from crossdock.flows.documents import command_for, join_document
from tests.flows.facts import told
from tests.flows.hub import HOUR, Hub, make_plan
from tests.model.builders import make_line


def test_an_order_is_acknowledged_once_all_of_it_that_is_ours_is_reserved():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=0)
    hub.tell("shop", told())
    assert hub.staged() == ["create_sale"]
    assert hub.reasons() == ["stock.short"]
    assert "shop is not told" in hub.cases[1, "stock.short", ""]
    hub.stock(SKU_2=1)
    hub.advance(HOUR)
    assert hub.staged() == ["create_sale", "acknowledge", "release"]
    assert hub.reasons() == []


def test_what_others_fulfil_needs_no_reservation():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=0)
    lines = (
        make_line("1", ordered=2, price=1000, percent=19),
        make_line("2", ordered=1, price=500, percent=7, fulfilled_by="supplier"),
    )
    hub.tell("shop", told(lines=lines))
    assert hub.staged() == ["create_sale", "acknowledge", "release"]


def test_a_channel_whose_deadline_does_not_wait_is_told_at_once_and_a_case_says_what_is_short():
    route = Route(channel="shop", erp="erp", locations=("berlin",), acknowledge_unreserved=True)
    hub = Hub(make_plan(routes={"shop": route}))
    hub.stock(SKU_1=5, SKU_2=0)
    hub.tell("shop", told())
    assert hub.staged() == ["create_sale", "acknowledge"]
    assert hub.reasons() == ["stock.short"]


def test_what_can_never_be_reserved_and_is_cancelled_by_policy_is_told_so():
    hub = Hub(make_plan(policy=Policy(out_of_stock="cancel")))
    hub.stock(SKU_1=5, SKU_2=0)
    hub.tell("shop", told())
    assert "cancel_order" in hub.staged()
    assert "acknowledge" in hub.staged()


def test_an_order_is_of_the_company_that_its_channel_sells_for():
    route = Route(channel="shop", erp="erp", locations=("berlin",), legal_entity="acme-de")
    hub = Hub(make_plan(routes={"shop": route}))
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    value, party = hub.documents[1, 1]
    assert join_document(value, party).legal_entity == "acme-de"
    sale = command_for("create_sale", hub.effects[1, "erp", "create_sale", "sale"].command, value, party)
    assert sale.order.legal_entity == "acme-de"
    (posting,) = postings_of(hub.process())
    assert posting.legal_entity == "acme-de"
    hub.tell("shop", told())
    assert hub.types()[-1] == "order.duplicate_ignored", "the company is ours to say, and changes no version"


def test_a_company_that_the_order_names_itself_stands():
    route = Route(channel="shop", erp="erp", locations=("berlin",), legal_entity="acme-de")
    hub = Hub(make_plan(routes={"shop": route}))
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told(legal_entity="acme-at"))
    assert join_document(*hub.documents[1, 1]).legal_entity == "acme-at"
    assert hub.process().legal_entity == "acme-at"
