"""The ERP is master of stock and learns late: docs/adr/0009, race by race."""

from datetime import UTC, datetime

import msgspec
import pytest

from crossdock.domain.policy import Authority
from crossdock.engine.messages import ASKED_AT, HUB, SETTLED, Settled
from crossdock.model import LocationId, Sku, StockLevel, StockReported
from tests.flows.facts import shipped, told
from tests.flows.hub import Hub, make_plan
from tests.flows.masters import SKU, Erp, MasterHub, master_plan
from tests.flows.stores import MINUTE, NOON, SECOND, line, ticket, z_report, z_till

FIVE_S = 5 * SECOND


def opened(on_hand: int = 10, **plan: object) -> tuple[MasterHub, Erp]:
    """A hub that knows of ten, as the ERP does."""
    hub, erp = MasterHub(master_plan(**plan)), Erp(NOON - 60 * SECOND)  # type: ignore[arg-type]
    erp.count(on_hand, NOON - 60 * SECOND)
    hub.state(*erp.state())
    return hub, erp


def deliver(hub: MasterHub, erp: Erp, quantity: int, *, says_when: bool = True, hears: bool = True) -> int:
    """The ERP books the delivery; the hub hears of it, or not yet. Returns when it was booked."""
    erp.book("delivery", quantity, hub.now)
    if hears:
        hub.settle("create_delivery", booked_at=erp.booked["delivery"] if says_when else 0)
    return erp.booked["delivery"]


def test_a_midday_count_of_an_erp_that_has_not_seen_the_mornings_sales_resurrects_nothing():
    hub, erp = opened()
    hub.post("ticket", ticket(1, line(quantity=3)))
    assert (hub.on_hand(), hub.told()) == (7, -3)
    erp.count(9, NOON + MINUTE)
    assert hub.state(*erp.state()) == "processed"
    assert hub.on_hand() == 6
    hub.settle("create_sale")
    deliver(hub, erp, -3)
    assert (hub.on_hand(), erp.on_hand, hub.told()) == (6, 6, 0)
    assert hub.state(*erp.state()) == "processed"
    assert hub.on_hand() == 6
    assert hub.unseen == []


@pytest.mark.fault(41)
def test_a_statement_made_before_the_booking_that_arrives_after_it_is_rebased_still():
    hub, erp = opened()
    hub.post("ticket", ticket(1, line(quantity=3)))
    erp.count(8, NOON + MINUTE)
    before = erp.state()
    hub.settle("create_sale")
    deliver(hub, erp, -3)
    assert hub.state(*before) == "processed"
    assert (hub.on_hand(), erp.on_hand) == (5, 5)


def test_a_statement_that_holds_a_delivery_of_which_we_have_not_heard_is_put_right_when_we_do():
    hub, erp = opened()
    hub.post("ticket", ticket(1, line(quantity=3)))
    hub.settle("create_sale")
    booked_at = deliver(hub, erp, -3, hears=False)
    hub.state(*erp.state())
    assert hub.on_hand() == 4, "it might be sold twice, so it is not for sale yet"
    hub.settle("create_delivery", booked_at=booked_at)
    assert hub.on_hand() == 7
    assert hub.movements[-1].reason == "correction"
    assert hub.marks[-1] == ("shop", SKU)


def test_a_partner_that_does_not_say_when_it_booked_is_believed_after_the_clocks_tolerance():
    hub, erp = opened(stock_clock_s=5)
    hub.post("ticket", ticket(1, line(quantity=3)))
    hub.settle("create_sale")
    hub.now += MINUTE
    deliver(hub, erp, -3, says_when=False)
    hub.state(7, hub.now + FIVE_S - 1)
    assert hub.on_hand() == 4
    hub.state(7, hub.now + FIVE_S)
    assert hub.on_hand() == 7


def test_an_erp_that_books_later_than_it_answers_is_given_its_lag():
    hub, erp = opened(stock_clock_s=0, stock_lag_s=60)
    hub.post("ticket", ticket(1, line(quantity=3)))
    hub.settle("create_sale")
    deliver(hub, erp, -3, says_when=False)
    hub.state(10, hub.now + 59 * SECOND)
    assert hub.on_hand() == 7
    hub.state(7, hub.now + 60 * SECOND)
    assert hub.on_hand() == 7


def test_what_is_refused_stays_unseen_until_a_person_settles_it():
    hub, erp = opened()
    hub.post("ticket", ticket(1, line(quantity=3)))
    hub.settle("create_sale")
    hub.settle("create_delivery", outcome="refused", reason="closed")
    erp.count(10, NOON + MINUTE)
    hub.state(*erp.state())
    assert (hub.on_hand(), hub.told()) == (7, -3)
    subject = hub.subjects["pos", "ticket", "berlin/T1/1"]
    dropped = Settled(
        effect=1,
        connection="erp",
        operation="create_delivery",
        intent="delivery:handed_over",
        outcome="refused",
        code="dropped",
    )
    hub.tell(HUB, dropped, subject=subject, kind=SETTLED)
    assert hub.told() == 0
    erp.count(9, hub.now + MINUTE)
    hub.state(*erp.state())
    assert hub.on_hand() == 9


def test_a_days_sum_tells_its_tickets_and_not_those_that_come_later():
    hub, erp = opened(post="day")
    hub.post("ticket", ticket(1, line(quantity=3)))
    hub.post("ticket", ticket(2, line(quantity=1)))
    hub.advance(9 * 60 * MINUTE)
    hub.post("day.closed", z_report(z_till(last=2, cash=4000)))
    hub.advance(MINUTE)
    (posting,) = hub.commands("post_day")
    assert posting["goods"] == [{"sku": SKU, "quantity": 4}]
    hub.post("ticket", ticket(3, line(quantity=2)))
    erp.book("day", -4, hub.now)
    hub.settle("post_day", booked_at=erp.booked["day"], total=4000)
    assert hub.told() == -2
    hub.state(*erp.state())
    assert (hub.on_hand(), erp.on_hand) == (4, 6)


def test_what_a_till_takes_back_is_told_by_its_credit():
    hub, erp = opened(post="day")
    hub.post("ticket", ticket(1, line(quantity=-2), kind="return"))
    erp.count(10, NOON + MINUTE)
    hub.state(*erp.state())
    assert hub.on_hand() == 12
    erp.book("credit", 2, hub.now)
    hub.settle("create_credit", booked_at=erp.booked["credit"], total=-2000)
    hub.state(*erp.state())
    assert (hub.on_hand(), erp.on_hand, hub.told()) == (12, 12, 0)


def test_on_hand_below_zero_is_recorded_with_a_case():
    hub, erp = opened(on_hand=1)
    hub.post("ticket", ticket(1, line(quantity=3)))
    erp.count(0, NOON + MINUTE)
    hub.state(*erp.state())
    hub.advance(SECOND)
    assert hub.on_hand() == -3
    assert [reason for _, reason, _ in hub.cases] == ["stock.negative"]
    erp.count(3, hub.now)
    hub.state(*erp.state())
    hub.advance(SECOND)
    assert (hub.on_hand(), list(hub.cases)) == (0, [])


def test_a_shipment_that_is_corrected_before_it_is_told_is_unseen_as_it_is():
    hub = Hub(make_plan(authority=Authority(stock="erp")))
    hub.stock(source="erp", SKU_1=9, SKU_2=9)
    hub.tell("shop", told())
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.tell("wms", shipped(l1=1, l2=1, version="2"))
    sums: dict[str, int] = {}
    for row in hub.unseen:
        sums[row.sku] = sums.get(row.sku, 0) + row.quantity
    assert sums == {"SKU-1": -1, "SKU-2": -1}
    hub.stock(source="erp", SKU_1=9, SKU_2=9)
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-2").on_hand) == (8, 8)


def test_what_others_tell_the_master_is_not_rebased():
    plan = make_plan(authority=Authority(stock="erp"), modes={"erp": "observe"})
    hub = Hub(plan)
    hub.stock(source="erp", SKU_1=9, SKU_2=9)
    hub.tell("shop", told())
    hub.tell("wms", shipped(l1=2, l2=1))
    assert hub.unseen == []
    hub.stock(source="erp", SKU_1=9)
    assert hub.level("SKU-1").on_hand == 9


def test_a_count_that_comes_late_does_not_bring_back_what_has_left_since():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    counted_at = hub.now
    hub.now += MINUTE
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.now += MINUTE
    late, hub.now = hub.now, counted_at
    hub.stock(SKU_1=5)
    hub.now = late
    assert hub.level("SKU-1").on_hand == 3


def test_a_complete_snapshot_says_zero_of_what_it_leaves_out_but_for_what_is_unseen():
    hub, erp = opened()
    hub.state(4, erp.tick(NOON), sku="OTHER")
    hub.state(2, erp.tick(NOON), sku="GONE")
    hub.post("ticket", ticket(1, line("OTHER", quantity=1)))
    hub.state(9, erp.tick(NOON), complete=True)
    assert (hub.on_hand(), hub.on_hand("OTHER"), hub.on_hand("GONE")) == (9, -1, 0)
    assert ("shop", "GONE") in hub.marks


def test_a_complete_snapshot_is_of_its_own_location_and_names_what_it_does_not_know():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.stock(location="madrid", SKU_2=7)
    named = StockLevel(
        sku=Sku("SKU-1"),
        location=LocationId("berlin"),
        on_hand=4,
        as_of=datetime.fromtimestamp(hub.now / SECOND, UTC),
    )
    unknown = StockLevel(
        sku=Sku("SKU-2"), location=LocationId("berlin"), as_of=datetime.fromtimestamp(hub.now / SECOND, UTC)
    )
    hub.tell("wms", StockReported(levels=(named, unknown), complete=True), subject=900)
    assert [hub.level(*at).on_hand for at in (("SKU-1",), ("SKU-2",), ("SKU-2", "madrid"))] == [4, 5, 7]


def test_a_statement_without_a_time_is_of_the_moment_at_which_it_was_asked_for():
    hub, _ = opened()
    hub.now += MINUTE
    asked = hub.now
    hub.now += MINUTE
    level = StockLevel(sku=Sku(SKU), location=LocationId("berlin"), on_hand=8)
    message = hub._message("erp", 900, "stock.changed")
    message = msgspec.structs.replace(message, headers={ASKED_AT: str(asked)})
    reports = (StockReported(levels=(level,)),)
    world = hub._world([(message, reports)])
    world.handle(message, reports, hub.now)
    hub.apply(world.changes())
    assert (hub.level(SKU).on_hand, hub.level(SKU).as_of) == (8, asked)


def test_a_sale_is_news_to_the_channels_that_its_store_serves_and_to_no_other():
    hub, _ = opened()
    hub.marks.clear()
    hub.post("ticket", ticket(1, store="214"))
    assert hub.marks == []
    hub.post("ticket", ticket(2))
    assert hub.marks == [("shop", SKU)]
