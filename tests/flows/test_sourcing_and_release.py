import msgspec
import pytest

from crossdock.domain.policy import Policy
from crossdock.engine.messages import HUB
from crossdock.flows.documents import command_for
from crossdock.flows.forgetting import FORGET, Forget
from crossdock.model import Hold
from crossdock.model.reports import OrderReported
from tests.flows.facts import REF, shipped, told
from tests.flows.hub import HOUR, OPERATIONS, Hub, make_plan
from tests.model.builders import NOON, make_line, make_order


def stocked(**changes: object) -> Hub:
    hub = Hub(make_plan(**changes))
    hub.stock(SKU_1=5, SKU_2=5)
    return hub


def test_test_orders_are_kept_and_never_posted():
    hub = stocked()
    hub.tell("shop", told(test=True))
    assert hub.staged() == []
    assert (hub.rows[1].stage, hub.rows[1].finished) == ("test", True)
    assert hub.level("SKU-1").available == 5
    posted = stocked(policy=Policy(post_test_orders=True))
    posted.tell("shop", told(test=True))
    assert posted.staged() == ["create_sale", "acknowledge", "release"]


def test_while_we_observe_everything_is_decided_and_nothing_emitted():
    hub = stocked(modes={"shop": "observe"})
    hub.tell("shop", told())
    assert hub.staged() == []
    assert hub.rows[1].stage == "observed"
    assert hub.level("SKU-1").reserved == 2
    assert "shop" not in [channel for channel, _ in hub.marks]


def test_what_is_taken_over_is_never_shipped_twice_without_a_person():
    offers = {**OPERATIONS, "erp": OPERATIONS["erp"] | {"adopt_sale"}}
    hub = stocked(modes={"shop": "adopt"}, offers=offers)
    hub.tell("shop", told())
    assert hub.staged() == ["adopt_sale"]
    assert hub.reasons() == ["order.held"]
    hub.operator("release_hold", code="adopted")
    assert hub.staged() == ["adopt_sale", "release"]


def test_only_operations_that_are_offered_are_staged():
    hub = stocked(offers={"wms": frozenset({"release"})})
    hub.tell("shop", told())
    assert hub.staged() == ["release"]


def test_a_tentative_order_holds_stock_for_a_time_and_tells_nobody():
    hub = stocked(policy=Policy(reservation_s=60))
    hub.tell("shop", told(commitment="tentative"))
    assert hub.staged() == []
    assert hub.level("SKU-1").reserved == 2
    assert hub.rows[1].stage == "tentative"
    hub.advance(61_000_000)
    assert hub.level("SKU-1").reserved == 0
    assert [m.reason for m in hub.movements if m.subject == 1] == ["reserve", "reserve", "expire", "expire"]
    hub.tell("shop", told(2))
    assert hub.level("SKU-1").allocated == 2
    assert hub.staged() == ["create_sale", "acknowledge", "release"]


def test_a_tentative_order_that_becomes_void_gives_its_stock_back():
    hub = stocked()
    hub.tell("shop", told(commitment="tentative"))
    hub.tell("shop", told(2, commitment="void"))
    assert hub.level("SKU-1").available == 5
    assert (hub.rows[1].custody, hub.rows[1].stage, hub.rows[1].finished) == ("cancelled", "cancelled", True)
    assert hub.staged() == []


def test_a_grace_period_delays_the_release_and_nothing_else():
    hub = stocked(policy=Policy(grace_s=600))
    hub.tell("shop", told())
    assert hub.staged() == ["create_sale", "acknowledge"]
    assert (hub.level("SKU-1").reserved, hub.rows[1].stage) == (2, "waiting_release")
    hub.advance(600_000_000)
    assert hub.staged() == ["create_sale", "acknowledge", "release"]
    assert (hub.level("SKU-1").reserved, hub.level("SKU-1").allocated) == (0, 2)


@pytest.mark.parametrize("fields", [{"tags": ("vip",)}, {"holds": (Hold(code="fraud"),)}])
def test_a_hold_stops_the_release_until_a_person_lifts_it(fields):
    hub = stocked(policy=Policy(hold_tags=("vip",)))
    hub.tell("shop", told(**fields))
    assert hub.staged() == ["create_sale", "acknowledge"]
    assert (hub.rows[1].stage, hub.reasons()) == ("held", ["order.held"])
    hub.operator("release_hold")
    assert hub.staged()[-1] == "release"
    assert hub.reasons() == []
    hub.tell("shop", told(2, **fields))
    assert hub.rows[1].stage != "held"


def test_a_hold_ends_with_the_version_that_lifts_it():
    hub = stocked()
    hub.tell("shop", told(holds=(Hold(code="fraud"),)))
    hub.tell("shop", told(2, holds=(Hold(code="fraud", released_at=NOON),)))
    assert (hub.staged()[-1], hub.reasons()) == ("release", [])


def test_the_next_version_does_not_end_the_hold_of_a_shipment_that_was_changed_after_it_left():
    hub = stocked()
    hub.tell("shop", told())
    hub.settle_all()
    hub.tell("wms", shipped(l1=2))
    hub.tell("wms", shipped(version="2", l1=1))
    assert list(hub.process().holds) == ["shipment"]
    hub.tell("shop", told(2))
    assert list(hub.process().holds) == ["shipment"]
    assert hub.reasons() == ["order.held"]
    hub.operator("release_hold", code="shipment")
    hub.tell("shop", told(3))
    assert not hub.process().holds


def test_the_next_version_does_not_end_the_hold_of_an_order_whose_person_is_to_be_forgotten():
    hub = stocked()
    hub.tell("shop", told())
    hub.tell(HUB, Forget(connection="shop", order=REF.id), kind=FORGET)
    hub.tell("shop", told(2))
    assert list(hub.process().holds) == ["erasure"]


def test_the_erp_gates_the_release_only_where_policy_says_so():
    hub = stocked(policy=Policy(erp_gates_release=True))
    hub.tell("shop", told())
    assert (hub.staged(), hub.rows[1].stage) == (["create_sale", "acknowledge"], "waiting_erp")
    hub.settle("create_sale")
    assert hub.staged()[-1] == "release"
    assert hub.process().owed == []
    assert hub.level("SKU-1").allocated == 2


def test_an_order_goes_to_the_first_location_that_has_it_all():
    hub = Hub()
    hub.stock(location="berlin", SKU_1=1, SKU_2=9)
    hub.stock(location="madrid", SKU_1=2, SKU_2=1)
    hub.tell("shop", told())
    assert hub.level("SKU-1", "madrid").allocated == 2
    assert hub.staged().count("release") == 1


def test_an_order_is_split_where_no_location_has_it_all():
    hub = Hub()
    hub.stock(location="berlin", SKU_1=1, SKU_2=1)
    hub.stock(location="madrid", SKU_1=1)
    hub.tell("shop", told())
    assert hub.staged().count("release") == 2
    assert (hub.level("SKU-1").allocated, hub.level("SKU-1", "madrid").allocated) == (1, 1)


def test_what_is_not_there_waits_under_a_case_and_is_looked_for_again():
    hub = Hub(make_plan(policy=Policy(source_retry_s=60)))
    hub.stock(SKU_1=1, SKU_2=1)
    hub.tell("shop", told())
    assert (hub.rows[1].stage, hub.reasons()) == ("waiting_stock", ["stock.short"])
    assert hub.level("SKU-1").reserved == 1
    assert "release" not in hub.staged()
    hub.advance(61_000_000)
    assert hub.rows[1].stage == "waiting_stock"
    hub.stock(SKU_1=9, SKU_2=9)
    hub.advance(61_000_000)
    assert (hub.rows[1].stage, hub.reasons()) == ("releasing", [])
    assert hub.level("SKU-1").allocated == 2


def test_what_is_not_there_is_cancelled_where_policy_says_so():
    hub = Hub(make_plan(policy=Policy(out_of_stock="cancel")))
    hub.stock(SKU_1=1, SKU_2=1)
    hub.tell("shop", told())
    hub.settle_all()
    cancel = msgspec.json.decode(hub.effects[1, "shop", "cancel_order", "cancel:1"].command)
    assert cancel["lines"] == [{"line": "1", "quantity": 1, "sku": "SKU-1"}]
    assert "cancel_sale" in hub.staged()
    assert hub.level("SKU-1").allocated == 1


@pytest.mark.fault(39)
def test_two_buyers_of_one_last_unit_one_wins_and_the_other_becomes_a_case():
    for together in (True, False):
        hub = Hub()
        hub.stock(SKU_1=1)
        one = OrderReported(order=make_order(make_line("1"), external_id="1"))
        two = OrderReported(order=make_order(make_line("1"), external_id="2", connection="market"))
        if together:
            hub.batch(("shop", [one], 1, "order"), ("market", [two], 2, "order"))
        else:
            hub.tell("shop", one, subject=1)
            hub.tell("market", two, subject=2)
        assert (hub.rows[1].stage, hub.rows[2].stage) == ("releasing", "waiting_stock")
        assert (hub.reasons(1), hub.reasons(2)) == ([], ["stock.short"])
        assert hub.level("SKU-1").available == 0


def test_an_order_past_its_time_is_a_case():
    from crossdock.flows.desk import Again

    hub = stocked()
    hub.tell("shop", told())
    hub.advance(HOUR)
    hub.tell("hub", Again(), kind="order.overdue")
    assert hub.reasons() == ["order.overdue"]


def test_a_warehouse_that_we_only_observe_is_told_nothing_and_heard():
    hub = stocked(modes={"wms": "observe"})
    hub.tell("shop", told())
    assert hub.staged() == ["create_sale", "acknowledge"]
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle_all()
    assert (hub.rows[1].stage, hub.level("SKU-1").allocated) == ("done", 0)


def test_what_is_picked_up_and_what_is_shipped_are_released_apart():
    hub = stocked()
    lines = (
        make_line("1", ordered=2, price=1000, percent=19, delivery="pickup"),
        make_line("2", ordered=1, price=500, percent=7, ship_by=NOON),
    )
    hub.tell("shop", told(lines=lines))
    requests = []
    for (_, _, operation, _), stage in hub.effects.items():
        if operation == "release":
            requests.append(command_for("release", stage.command, *hub.documents[1, 1]).request)
    assert [(r.delivery, [line.line for line in r.lines], r.ship_by) for r in requests] == [
        ("pickup", ["1"], None),
        ("ship", ["2"], NOON),
    ]
    hub.settle_all()
    hub.tell("wms", shipped("s1", l1=2), shipped("s2", request="CD0000000001-2", l2=1))
    hub.settle_all()
    assert hub.rows[1].custody == "shipped"
    assert hub.reasons() == []
