"""Every business event reaches every subscriber that wants it, in order, whatever befalls the way there."""

import pytest

from crossdock.bootstrap.loops import clock_us
from crossdock.bootstrap.proof import prove
from crossdock.model.event_types import BUSINESS
from tests.bootstrap.waiting import eventually
from tests.events.contract import require_contract
from tests.events.subscribed import subscribed

pytestmark = pytest.mark.slow
HOUR = 3_600_000_000


def ids(events, wanted=lambda type_: type_ in BUSINESS):
    """The ids of what must be told: what befalls a subscriber's own tellings is not."""
    return {
        f"CD{subject:010d}.{message}.{position}"
        for (subject, message, position), (type_, data, _) in events.items()
        if wanted(type_) and data.get("operation") != "tell" and data.get("connection") != "audit"
    }


def all_told(shop, name="audit", **how):
    """Wait until nothing waits for the subscriber, then compare its books with the hub's."""
    eventually(lambda: shop.waiting(name) == 0, told=lambda: f"{shop.waiting(name)} wait for {name}")
    there = shop.subscriber(name)
    assert set(there.events) == ids(shop.events(), **how)
    assert there.late == []
    assert there.forged == 0
    return there


def test_every_business_event_reaches_the_subscriber_once_and_in_order(tmp_path):
    with subscribed(tmp_path) as shop:
        shop.send(6)
        shop.settled()
        there = all_told(shop)
        assert there.received == len(there.events) > 60
        assert {"order.accepted", "stock.reserved", "shipment.recorded", "effect.done"} <= {
            event.type for event in there.events.values()
        }
        for type_, data, _ in shop.events().values():
            require_contract(type_, data)
        assert shop.cases() == []
        counted = [row for row in shop.rows("counters") if row[0] == "audit"]
        assert counted == [("audit", "done tell", there.received)], "no receipt goes through the inbox"
        shop.stop()
        shop.check_hub()


def test_a_subscriber_is_told_only_what_it_asks_for(tmp_path):
    lines = {"shipping": 'events = ["shipment.*"]', "shadow": 'mode = "observe"'}
    with subscribed(tmp_path, subscribers=("audit", "shipping", "shadow"), lines=lines) as shop:
        shop.send(2)
        shop.settled()
        all_told(shop)
        all_told(shop, "shipping", wanted=lambda type_: type_.startswith("shipment."))
        assert shop.subscriber("shadow").received == 0
        assert shop.effects_of("shadow") == [], "what is never sent is never staged"


def test_with_no_subscriber_nothing_is_staged_and_nothing_is_asked(tmp_path):
    with subscribed(tmp_path, subscribers=()) as shop:
        assert shop.hub.pipeline._announce is None
        shop.send(1)
        shop.settled()
        assert not [row for row in shop.rows("outbox_by_state") if row[1] == "tell"]


def test_replies_that_are_lost_are_told_again_under_the_same_id(tmp_path):
    with subscribed(tmp_path, faults={"lost_reply_rate": 0.4}) as shop:
        shop.send(4)
        shop.settled()
        there = all_told(shop)
        assert there.repeated > 5
        shop.stop()
        shop.check_hub()


def test_a_subscriber_that_is_gone_holds_nothing_back_and_is_told_later(tmp_path):
    with subscribed(tmp_path, subscribers=("audit", "other")) as shop:
        there = shop.subscriber()
        there.refuse = dict.fromkeys(BUSINESS, 503)
        shop.send(6)
        shop.settled()
        all_told(shop, "other")
        assert shop.waiting() > 60
        assert there.events == {}
        shop.stop()
        shop.start()
        there.refuse = {}
        all_told(shop)
        assert shop.cases() == []


def test_an_event_that_is_never_taken_becomes_a_case_of_the_subscriber_and_not_of_the_order(tmp_path):
    with subscribed(tmp_path, retries="attempts_max = 3") as shop:
        there = shop.subscriber()
        there.refuse = {"order.accepted": 404}
        shop.send(1)
        eventually(lambda: [c for c in shop.cases() if c["effect"]])
        shop.settled()  # the case holds no release back
        (case,) = shop.cases()
        assert case["reason"] == "effect.exhausted"
        assert "404" in case["text"]
        assert "order.accepted" not in {event.type for event in there.events.values()}
        there.refuse = {}
        shop.act("retry", case)
        all_told(shop)
        assert shop.cases() == []


def test_an_address_that_is_gone_pauses_the_subscription_under_one_case(tmp_path):
    with subscribed(tmp_path, retries="paused_s = 1") as shop:
        there = shop.subscriber()
        there.gone = True
        shop.send(3)
        shop.settled()
        (case,) = eventually(shop.cases)
        assert case["reason"] == "gone"
        assert "410" in case["text"]
        asked = there.received
        assert asked <= shop.hub.lanes["audit"].concurrency_max * 4
        shop.send(1)
        shop.settled()
        assert there.received == asked
        assert len(shop.cases()) == 1
        with shop.hub.reads() as reads:
            checks = prove(reads, clock_us() + HOUR)
            overdue = [check for check in checks if check.name == "nothing is overdue unseen"]
        assert [check.ok for check in overdue] == [True], "it is known, by its case"
        there.gone = False
        shop.stop()
        shop.start()
        all_told(shop)
