"""What partners do to a hub over real sockets: lost replies, refusals to be hurried, cut and senseless answers."""

import asyncio
import time

import pytest

from crossdock.errors import UnclearError
from crossdock.sdk.calls import post
from crossdock.transport.http import AsyncHttpTransport, HttpTransport
from tests.bootstrap.waiting import eventually
from tests.faults.dripping import dripping
from tests.faults.here import retailer

pytestmark = pytest.mark.slow

PARKED, IN_DOUBT = 4, 5
SALES = ("/sales",)


def effects(shop, order, channel, operation):
    return [row for row in shop.timeline(order, channel)["effects"] if row["operation"] == operation]


def finished(shop):
    """All is settled, the books balance, and nobody is needed."""
    shop.settled()
    assert shop.cases() == []
    shop.stop()
    shop.check_partners()
    shop.check_hub()


@pytest.mark.fault(17)
@pytest.mark.fault(3)
def test_replies_that_are_lost_after_success_leave_one_document_each(tmp_path):
    lost = {"lost_reply_rate": 0.4}
    with retailer(tmp_path, erp_key_faults=lost, erp_lookup_faults=lost, wms_faults=lost) as shop:
        shop.send(16)
        shop.settled()
        for erp in ("erp_key", "erp_lookup"):
            assert shop.state(erp)["faults"]["lost_reply"] > 3
        finished(shop)


@pytest.mark.fault(17)
def test_replies_that_come_after_the_deadline_leave_one_document_each(tmp_path):
    slow = {"slow_rate": 0.15, "slow_s": 30.0}
    with retailer(tmp_path, erp_key_faults=slow, erp_lookup_faults=slow) as shop:
        shop.send(12)
        finished(shop)


@pytest.mark.fault(22)
def test_a_body_that_is_cut_off_is_never_success_and_leaves_one_document_each(tmp_path):
    cut = {"cut_body_rate": 0.4}
    with retailer(tmp_path, erp_key_faults=cut, erp_lookup_faults=cut, wms_faults=cut) as shop:
        shop.send(16)
        shop.settled()
        assert shop.state("erp_lookup")["faults"]["cut_body"] > 3
        finished(shop)


@pytest.mark.fault(22)
def test_a_partner_whose_every_reply_is_cut_off_is_never_said_to_have_done_it(tmp_path):
    with retailer(tmp_path, erp_lookup_faults={"cut_body_rate": 1.0}) as shop:
        shop.send(4)
        eventually(lambda: shop.state("erp_lookup")["faults"].get("cut_body", 0) > 8)
        for order in shop.accepted["market"]:
            (sale,) = effects(shop, order, "market", "create_sale")
            assert (sale["outcome"], sale["done_at"]) == ("", 0)


@pytest.mark.fault(4)
@pytest.mark.parametrize("trouble", ["lost_reply_rate", "cut_body_rate", "html_rate"])
def test_without_key_or_look_up_an_unclear_reply_is_in_doubt_and_never_posted_again(tmp_path, trouble):
    faults = {trouble: 1.0, "only": SALES}
    with retailer(tmp_path, doubles="none", erp_key_faults=faults, erp_lookup_faults=faults) as shop:
        shop.send(6)
        cases = eventually(lambda: len(shop.cases()) == 6 and shop.cases())
        shop.stop()
        shop.start()
        shop.send(2)
        eventually(lambda: len(shop.cases()) == 8)
        for channel, erp in (("shop", "erp_key"), ("market", "erp_lookup")):
            state = shop.state(erp)
            assert (state["sales"], state["doubles"]) == (4, {})
            for order in shop.accepted[channel]:
                (sale,) = effects(shop, order, channel, "create_sale")
                assert (sale["state"], sale["attempt"]) == (IN_DOUBT, 1)
        shop.act("done", cases[0], reference="S1")
        eventually(lambda: len(shop.cases()) == 7)
        assert [shop.state(erp)["sales"] for erp in ("erp_key", "erp_lookup")] == [4, 4]


@pytest.mark.fault(18)
def test_a_429_is_obeyed_and_no_other_connection_waits(tmp_path):
    throttled = {"throttled_rate": 1.0, "retry_after_s": 600}
    with retailer(tmp_path, erp_key_faults=throttled) as shop:
        shop.send(30)
        eventually(lambda: shop.state("erp_lookup")["sales"] == 15)
        eventually(lambda: shop.state("wms")["states"].get("shipped", 0) == 30)
        assert shop.state("erp_key")["faults"]["throttled"] <= shop.hub.lanes["erp_key"].concurrency_max
        assert shop.hub.lanes["erp_key"].paused_until > time.time_ns() // 1_000 + 500_000_000
        assert shop.cases() == []


@pytest.mark.fault(18)
def test_a_short_retry_after_is_waited_for_and_the_work_is_done(tmp_path):
    throttled = {"throttled_rate": 0.3, "retry_after_s": 0.2}
    with retailer(
        tmp_path, erp_key_faults=throttled, erp_lookup_faults=throttled, wms_faults=throttled
    ) as shop:
        shop.send(12)
        shop.settled()
        for order in shop.accepted["market"]:
            assert all(row["attempts"] == 1 for row in effects(shop, order, "market", "create_sale"))
        finished(shop)


@pytest.mark.fault(21)
def test_a_reply_of_one_byte_at_a_time_is_ended_by_the_total_deadline():
    with dripping() as partner:
        began = time.monotonic()
        with pytest.raises(UnclearError):
            HttpTransport(partner.url).send(post("/sales", json={}), 0.4)
        with pytest.raises(UnclearError):
            asyncio.run(AsyncHttpTransport(partner.url).send(post("/sales", json={}), 0.4))
        assert time.monotonic() - began < 4
        assert partner.posts == 2


@pytest.mark.fault(21)
def test_a_partner_that_drips_holds_up_only_its_own_orders_and_never_counts_as_success(tmp_path):
    with dripping() as partner, retailer(tmp_path, urls={"erp_key": partner.url}) as shop:
        shop.send(8)
        eventually(lambda: shop.state("erp_lookup")["sales"] == 4)
        eventually(
            lambda: all(sale["delivered"] == sale["lines"] for sale in shop.state("erp_lookup")["documents"])
        )
        eventually(lambda: partner.posts >= 1)
        order = shop.accepted["shop"][0]
        eventually(lambda: shop.timeline(order)["attempts"])
        (sale,) = effects(shop, order, "shop", "create_sale")
        assert sale["outcome"] == ""
        assert {row["kind"] for row in shop.timeline(order)["attempts"]} == {"unclear"}


@pytest.mark.fault(23)
def test_html_in_a_200_is_a_contract_error_and_not_success(tmp_path):
    with retailer(tmp_path, erp_lookup_faults={"html_rate": 1.0, "only": SALES}) as shop:
        shop.send(8)
        cases = eventually(lambda: len(shop.cases()) == 4 and shop.cases())
        assert shop.state("erp_lookup")["sales"] == 4
        for order in shop.accepted["market"]:
            (sale,) = effects(shop, order, "market", "create_sale")
            assert (sale["outcome"], sale["state"], sale["attempt"]) == ("", PARKED, 1)
            assert [row["kind"] for row in shop.timeline(order, "market")["attempts"]] == ["contract"]
        assert all("contract" in case["text"] for case in cases)
        eventually(lambda: all(s["delivered"] == s["lines"] for s in shop.state("erp_key")["documents"]))


@pytest.mark.fault(23)
def test_after_html_in_a_200_a_retry_by_hand_finds_the_document_and_makes_no_second_one(tmp_path):
    with retailer(tmp_path, erp_lookup_faults={"html_rate": 1.0, "only": SALES}) as shop:
        shop.send(2)
        (case,) = eventually(shop.cases)
        shop.mend("erp_lookup")
        shop.act("retry", case)
        shop.settled()
        assert shop.state("erp_lookup")["sales"] == 1
        finished(shop)


@pytest.mark.fault(26)
def test_while_credentials_are_revoked_nothing_is_burnt_and_then_it_goes_on(tmp_path):
    with retailer(tmp_path, more="paused_s = 1.0", erp_key_faults={"revoked": [[0, 2.5]]}) as shop:
        shop.send(10)
        eventually(lambda: [case["reason"] for case in shop.cases()] == ["credentials"])
        shop.settled()
        for order in shop.accepted["shop"]:
            (sale,) = effects(shop, order, "shop", "create_sale")
            assert sale["attempts"] == 1
        shop.stop()
        shop.check_partners()


@pytest.mark.fault(19)
def test_a_partner_that_is_gone_for_a_while_is_served_in_the_end_and_no_other_waits(tmp_path):
    with retailer(tmp_path, erp_key_faults={"gone": [[0, 2.0]]}) as shop:
        shop.send(20)
        eventually(lambda: shop.state("erp_lookup")["sales"] == 10)
        finished(shop)
