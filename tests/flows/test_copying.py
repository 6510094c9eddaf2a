"""A tool copies a marketplace's orders into the shop; both are connected, and a naive hub ships twice (RETAIL 5)."""

import msgspec
import pytest

from crossdock.domain.policy import Route
from crossdock.engine.messages import HUB
from crossdock.flows.copying import ALONE_S, COPIED, Copied
from tests.flows.facts import order, shipped, told
from tests.flows.hub import Hub, make_plan

COPY, SOLD = 2, 1
MARKET_ID = "302-1234567"


def connected() -> Hub:
    plan = make_plan()
    shop = msgspec.structs.replace(plan.routes["shop"], copies={"amazon-us": "market"})
    hub = Hub(msgspec.structs.replace(plan, routes={**plan.routes, "shop": shop}))
    hub.stock(SKU_1=5, SKU_2=5)
    return hub


def copied(version: int = 1, **changes):
    return told(version, origin="amazon-us", origin_ref=MARKET_ID, **changes)


def sold(version: int = 1):
    return told(version, connection="market", external_id=MARKET_ID, number=MARKET_ID)


def tell_copy(hub: Hub, report=None):
    """What the copy tells the order that was sold comes under that one's subject, as the store sees to."""
    decision = hub.tell("shop", report or copied(), subject=COPY)
    for child in decision.children:
        assert (child.source, child.kind) == (HUB, COPIED)
        assert child.name == ("market", "order", MARKET_ID)
        hub.tell(HUB, msgspec.json.decode(child.body, type=Copied), subject=SOLD, kind=COPIED)
    return decision


def staged_of(hub: Hub, subject: int) -> list[str]:
    return [operation for number, _, operation, _ in hub.effects if number == subject]


@pytest.mark.parametrize("first", ["the order that was sold", "its copy"])
def test_of_an_order_and_its_copy_only_what_was_sold_is_sent(first):
    hub = connected()
    if first == "its copy":
        tell_copy(hub)
        hub.tell("market", sold(), subject=SOLD)
    else:
        hub.tell("market", sold(), subject=SOLD)
        tell_copy(hub)
    assert staged_of(hub, COPY) == []
    assert staged_of(hub, SOLD) == ["create_sale", "acknowledge", "release"]
    assert hub.level("SKU-1").available == 3
    assert (hub.rows[COPY].stage, hub.rows[COPY].finished) == ("copy", True)
    assert hub.process(SOLD).copies == ["shop:450789469"]
    assert hub.process(COPY).copy_of == f"market:{MARKET_ID}"
    assert hub.postings
    assert {posting.subject for posting in hub.postings} == {SOLD}
    hub.advance(2 * ALONE_S * 1_000_000)
    assert hub.reasons() == []


def test_what_becomes_of_a_copy_is_kept_and_leads_to_nothing():
    hub = connected()
    hub.tell("market", sold(), subject=SOLD)
    tell_copy(hub)
    before = staged_of(hub, SOLD)
    hub.tell("shop", copied(2, cancelled=True), subject=COPY)
    hub.tell("shop", shipped("F1", connection="shop", request="", l1=2), subject=COPY)
    assert staged_of(hub, COPY) == []
    assert staged_of(hub, SOLD) == before
    assert hub.level("SKU-1").on_hand == 5
    assert len(hub.documents) == 3
    assert hub.rows[COPY].stage == "copy"


def test_a_copy_whose_order_never_comes_is_a_case_that_says_so():
    hub = connected()
    tell_copy(hub)
    hub.advance(ALONE_S * 1_000_000)
    assert hub.reasons() == ["order.copy_alone"]
    assert "shop:450789469" in next(iter(hub.cases.values()))
    hub.tell("market", sold(), subject=SOLD)
    assert staged_of(hub, SOLD) == ["create_sale", "acknowledge", "release"]


def test_a_copy_that_names_no_order_is_a_case_and_is_not_sent():
    hub = connected()
    decision = hub.tell("shop", told(origin="amazon-us"), subject=COPY)
    assert decision.children == []
    assert hub.reasons(COPY) == ["order.copy_unnamed"]
    assert staged_of(hub, COPY) == []


def test_what_a_place_sells_that_is_not_connected_is_an_order_like_any_other():
    hub = connected()
    hub.tell("shop", told(origin="ebay", origin_ref="E1"), subject=COPY)
    assert staged_of(hub, COPY) == ["create_sale", "acknowledge", "release"]


def test_a_copy_may_sell_what_we_do_not_know():
    hub = connected()
    lines = (msgspec.structs.replace(order().lines[0], sku="AMZ-1"), order().lines[1])
    tell_copy(hub, copied(lines=lines))
    assert hub.rows[COPY].stage == "copy"


def test_an_order_that_was_taken_before_its_origin_was_named_goes_on():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", copied(), subject=COPY)
    before = hub.effects.copy()
    hub.plan = hub.handler._plan = msgspec.structs.replace(
        hub.plan,
        routes={
            **hub.plan.routes,
            "shop": Route(channel="shop", erp="erp", locations=("berlin",), copies={"amazon-us": "market"}),
        },
    )
    hub.tell("shop", copied(2), subject=COPY)
    assert hub.process(COPY).copy_of == ""
    assert set(before) <= set(hub.effects)
