"""A channel that wants our word on an order within a time: a person is told before that is over."""

import msgspec
import pytest

from tests.flows.facts import cancel, told
from tests.flows.hub import Hub, make_plan
from tests.model.builders import NOON

SECOND = 1_000_000
WITHIN_S = 4 * 3600
LATE = "order.acknowledge_late"


def hurried(**stock):
    """A hub that has taken an order at the moment it was placed."""
    plan = make_plan()
    route = msgspec.structs.replace(plan.routes["shop"], acknowledge_within_s=WITHIN_S)
    now = int(NOON.timestamp()) * SECOND
    hub = Hub(msgspec.structs.replace(plan, routes={**plan.routes, "shop": route}), now=now)
    hub.stock(**(stock or {"SKU_1": 5, "SKU_2": 5}))
    return hub


def wait(hub, part):
    hub.advance(int(WITHIN_S * part) * SECOND)


@pytest.mark.fault(29)
def test_who_has_not_been_told_in_time_is_a_case_before_the_time_is_over_and_none_once_told():
    hub = hurried()
    hub.tell("shop", told(occurred_at=NOON))
    wait(hub, 0.7)
    assert hub.reasons() == []
    wait(hub, 0.1)
    assert hub.reasons() == [LATE]
    hub.settle("acknowledge")
    assert hub.reasons() == []


@pytest.mark.fault(29)
def test_an_order_that_is_not_ours_yet_is_told_of_as_well():
    hub = hurried()
    hub.tell("shop", told(occurred_at=NOON, commitment="tentative"))
    wait(hub, 0.8)
    assert hub.reasons() == [LATE]


def test_who_was_told_in_time_or_has_cancelled_it_all_is_nobodys_case():
    hub = hurried()
    hub.tell("shop", told(occurred_at=NOON))
    hub.settle("acknowledge")
    wait(hub, 1)
    assert LATE not in hub.reasons()
    gone = hurried()
    gone.tell("shop", told(occurred_at=NOON))
    gone.tell("shop", cancel(l1=2, l2=1))
    wait(gone, 1)
    assert LATE not in gone.reasons()


def test_a_channel_without_such_a_time_is_not_watched():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told(occurred_at=NOON))
    hub.advance(86_400 * SECOND)
    assert LATE not in hub.reasons()
