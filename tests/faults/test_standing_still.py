"""Whatever stands still is told to a person in time, and the rest goes on."""

import pytest

from crossdock.engine import sweeping
from tests.bootstrap.waiting import eventually
from tests.faults.here import retailer

pytestmark = pytest.mark.slow

FOR_EVER = [[0, 1e9]]


@pytest.fixture(autouse=True)
def _looked_at_often(monkeypatch):
    monkeypatch.setattr(sweeping, "EVERY_US", 200_000)


def reasons(shop):
    return sorted({(case["reason"], case["about"]) for case in shop.cases()})


@pytest.mark.fault(29)
def test_a_shop_that_does_not_get_its_acknowledgements_is_a_case_before_their_deadline_and_goods_still_leave(
    tmp_path,
):
    with retailer(tmp_path, policies="late_s = 1", shop_faults={"gone": FOR_EVER}) as shop:
        shop.send(6)
        eventually(lambda: ("late", "shop acknowledge") in reasons(shop))
        eventually(lambda: shop.state("wms")["states"].get("shipped", 0) == 6)
        (case,) = [case for case in shop.cases() if case["about"] == "shop acknowledge"]
        shop.act("resolve_case", case)
        eventually(lambda: ("late", "shop acknowledge") not in reasons(shop))


def test_an_order_that_is_not_done_in_time_is_a_case_once(tmp_path):
    with retailer(tmp_path, policies="fulfilment_deadline_s = 1", wms_faults={"gone": FOR_EVER}) as shop:
        shop.send(4)
        eventually(lambda: [case["reason"] for case in shop.cases()].count("order.overdue") == 4)
        for case in shop.cases():
            shop.act("resolve_case", case)
        eventually(lambda: shop.cases() == [])
        shop.send(2)
        eventually(lambda: [case["reason"] for case in shop.cases()].count("order.overdue") == 2)
