import msgspec

from crossdock.engine.messages import HUB
from crossdock.flows.forgetting import FORGET, Forget
from crossdock.model import (
    ChannelErasureRequested,
    ConnectionId,
    ExternalRef,
    PersonDataRequested,
    PersonErasureRequested,
)
from tests.flows.facts import REF, shipped, told
from tests.flows.hub import Hub
from tests.flows.taken import taken

SHOP = ConnectionId("shop")
PERSON = ExternalRef(connection=SHOP, kind="customer", id="7")


def forget(hub: Hub, subject: int = 1):
    return hub.tell(HUB, Forget(connection="shop", order=REF.id), subject=subject, kind=FORGET)


def test_a_request_leads_to_a_message_to_each_order_that_it_names_once():
    other = ExternalRef(connection=SHOP, kind="order", id="2")
    asked = PersonErasureRequested(connection=SHOP, person_ref=PERSON, order_refs=(REF, other, REF))
    decision = Hub().tell("shop", asked, subject=50)
    told_to = [(child.source, child.kind, *child.name) for child in decision.children]
    assert told_to == [(HUB, FORGET, "shop", "order", REF.id), (HUB, FORGET, "shop", "order", "2")]
    assert [msgspec.json.decode(child.body)["order"] for child in decision.children] == [REF.id, "2"]
    assert decision.outcome == "processed"
    assert decision.erase, "the request names the person too"


def test_a_request_that_names_no_order_is_a_case():
    hub = Hub()
    decision = hub.tell("shop", PersonErasureRequested(connection=SHOP, person_ref=PERSON), subject=50)
    assert not decision.erase
    assert not decision.children
    assert "customer 7" in hub.cases[50, "erasure.asked", ""]
    assert hub.fields["erasure.asked"] == "order_refs"


def test_an_order_that_is_done_is_forgotten_at_once():
    hub = taken()
    hub.settle_all()
    hub.tell("wms", shipped("s1", l1=2, l2=1))
    hub.settle_all()
    decision = forget(hub)
    assert decision.erase
    assert "person.erased" in hub.types()
    assert not hub.process().forget
    assert hub.reasons() == []


def test_an_order_that_is_still_to_be_shipped_waits_for_it_and_is_then_forgotten():
    hub = taken()
    hub.settle_all()
    assert not forget(hub).erase
    assert hub.reasons() == ["order.held"]
    assert "person.erased" not in hub.types()
    decision = hub.tell("wms", shipped("s1", l1=2, l2=1))
    assert not decision.erase, "shop and ERP are still to be told"
    assert "person.erased" not in hub.types()
    assert hub.reasons() == []
    hub.settle_all()
    assert hub.types().count("person.erased") == 1
    assert not hub.process().forget


def test_an_order_that_is_not_held_is_a_case_and_nothing_is_erased():
    hub = Hub()
    assert not forget(hub).erase
    assert hub.reasons() == ["erasure.unknown"]
    assert hub.fields["erasure.unknown"] == "order_refs"
    assert REF.id in hub.cases[1, "erasure.unknown", REF.id]
    assert hub.rows[1].finished, "nobody waits for an order that may never come"


def test_an_order_that_comes_after_the_request_is_forgotten_in_its_turn():
    hub = Hub()
    forget(hub)
    hub.stock(SKU_1=5, SKU_2=5)
    assert not hub.tell("shop", told()).erase
    assert hub.reasons() == ["order.held"]
    assert "release" not in hub.staged()
    hub.tell("shop", told(2, cancelled=True))
    hub.settle_all()
    assert "person.erased" in hub.types()
    assert hub.reasons() == []


def test_a_test_order_is_forgotten_at_once():
    hub = Hub()
    hub.tell("shop", told(test=True))
    assert forget(hub).erase


def test_who_asks_what_is_held_of_them_gets_an_answer_from_a_person():
    hub = Hub()
    hub.tell("shop", PersonDataRequested(connection=SHOP, person_ref=PERSON, order_refs=(REF,)), subject=50)
    assert REF.id in hub.cases[50, "person.data_requested", ""]


def test_a_shop_that_leaves_is_a_case():
    hub = Hub()
    hub.tell("shop", ChannelErasureRequested(connection=SHOP), subject=50)
    assert hub.reasons(50) == ["erasure.channel"]


def test_who_lifts_the_hold_lets_the_order_be_shipped_and_then_forgotten():
    hub = Hub()
    forget(hub)
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    hub.operator("release_hold", code="erasure")
    assert "release" in hub.staged()
    hub.settle_all()
    hub.tell("wms", shipped("s1", l1=2, l2=1))
    hub.settle_all()
    assert "person.erased" in hub.types()


def test_a_call_that_a_person_must_look_at_keeps_nobodys_name():
    hub = taken()
    hub.settle("create_sale", outcome="refused", reason="no")
    hub.settle_all()
    hub.tell("wms", shipped("s1", l1=2, l2=1))
    hub.settle_all()
    assert "effect.refused" in hub.reasons()
    assert forget(hub).erase
