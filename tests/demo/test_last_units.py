"""Last units are sold when the hub is calm, and how soon the shop hears of it is by the shop's own clock."""

import time

from crossdock.demo.last_units import LastUnits
from crossdock.demo.stores import LastUnit

UNITS = [LastUnit(sku=f"LAST-{n}", store=f"store-{n}", at=10.0 * n) for n in (1, 2)]


def rig():
    sold, told = [], []
    return LastUnits(UNITS, 60, sell=lambda *unit: sold.append(unit), tell=told.append), sold, told


def test_each_is_sold_when_it_is_time_and_the_hub_is_calm():
    units, sold, _ = rig()
    for at, calm in ((9.0, True), (11.0, False), (12.0, True), (19.0, True), (20.0, True)):
        units.go_on(at, {}, calm=calm)
    assert sold == [("store-1", "LAST-1"), ("store-2", "LAST-2")]
    assert not units.over


def test_it_is_gone_when_the_shop_lists_none_since_then():
    units, _, told = rig()
    units.go_on(10.0, {"LAST-1": (1, 5)}, calm=True)
    (gone,) = units.gone
    units.go_on(11.0, {"LAST-1": (0, gone.sold_at - 1)}, calm=True)
    assert gone.took_ms is None
    units.go_on(12.0, {"LAST-1": (0, gone.sold_at + 84_000)}, calm=True)
    assert gone.took_ms == 84.0
    assert told == ["store-1 sold the last LAST-1: the shop listed none after 84 ms"]
    assert gone.sold_at <= time.time_ns() // 1000


def test_what_cannot_be_sold_before_the_stores_close_stays_where_it_is():
    units, sold, _ = rig()
    units.go_on(44.0, {}, calm=False)
    units.go_on(50.0, {}, calm=True)
    assert sold == []
    assert units.over
