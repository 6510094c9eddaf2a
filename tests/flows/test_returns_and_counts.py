"""News of goods that came back and counts of them cross: what is there and what may be sold is true all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import LocationId, Sku, StockLevel
from crossdock.model.reports import ReturnReported, StockReported
from crossdock.model.returns import Return, ReturnLine
from tests.flows.facts import shipped
from tests.flows.hub import Hub
from tests.flows.taken import taken

MINUTE = 60 * 1_000_000
PARCELS = ("X", "Y")


class Warehouse:
    """What really is there of SKU-1, by parcel, and its news: the last version of each parcel that was not told yet."""

    def __init__(self) -> None:
        self.hub = taken()
        self.hub.stock(SKU_1=5, SKU_2=5)
        self.hub.tell("wms", shipped(l1=2, l2=1))
        self.there: int = self.hub.level("SKU-1").on_hand
        self.parcels: dict[str, dict[str, Any]] = {}
        self.untold: dict[str, ReturnReported] = {}

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.hub.now / 1_000_000, UTC)

    def arrives(self, name: str, fate: str, decided_before_s: int) -> None:
        """One unit; another one where the first was told of. What becomes of it may have been decided on its way."""
        parcel = self.parcels.get(name)
        if parcel is not None and (name in self.untold or parcel["quantity"] == 2):
            return
        self.there += 1
        if parcel is None:
            at = self.moment() - timedelta(seconds=decided_before_s)
            given = {} if fate == "undecided" else {"decided_at": at}
            parcel = self.parcels[name] = {"disposition": fate, "quantity": 0, **given}
        parcel["received_at"] = self.moment()
        parcel["quantity"] += 1
        self._news(name)

    def decides(self, name: str, fate: str) -> None:
        """Once: who thinks better of it is believed at the next count, where that falls between."""
        if self.parcels.get(name, {}).get("disposition") == "undecided":
            self.parcels[name] |= {"disposition": fate, "decided_at": self.moment()}
            self._news(name)

    def counts(self) -> None:
        level = StockLevel(
            sku=Sku("SKU-1"),
            location=LocationId("berlin"),
            on_hand=self.there,
            quarantined=self.held(),
            as_of=self.moment(),
        )
        self.hub.tell("wms", StockReported(levels=(level,)), subject=900)

    def tells(self, name: str) -> None:
        news = self.untold.pop(name, None)
        if news is not None:
            self.hub.tell("wms", news)

    def held(self) -> int:
        return sum(p["quantity"] for p in self.parcels.values() if p["disposition"] != "restock")

    def _news(self, name: str) -> None:
        """What was not told of before is not told any more."""
        parcel = self.parcels[name]
        line = ReturnLine(line="1", sku="SKU-1", received=parcel["quantity"], **parcel)
        version = str(self.hub.now)
        told = Return(lines=(line,), external_id=name, version=version, location="berlin", state="received")
        self.untold[name] = ReturnReported(goods_return=told)


NAMES = st.sampled_from(PARCELS)
FATES = st.sampled_from(["undecided", "restock", "quarantine"])
STEPS = st.lists(
    st.tuples(st.just("arrives"), NAMES, FATES, st.sampled_from([0, 90, 200]))
    | st.tuples(st.just("decides"), NAMES, st.sampled_from(["restock", "quarantine"]))
    | st.tuples(st.just("tells"), NAMES)
    | st.tuples(st.just("counts")),
    max_size=14,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_whenever_a_count_falls_between_what_happened_and_its_news_what_may_be_sold_is_true(
    steps: list[tuple[str, ...]],
) -> None:
    there = Warehouse()
    for name, *of in steps:
        there.hub.advance(MINUTE)
        getattr(there, name)(*of)
    for name in PARCELS:
        there.hub.advance(MINUTE)
        there.tells(name)
    level = there.hub.level("SKU-1")
    assert (level.on_hand, level.quarantined) == (there.there, there.held())


def test_what_a_count_held_back_as_undecided_is_freed_by_the_first_news_of_it() -> None:
    there = Warehouse()
    for name, *of in (("arrives", "X", "undecided", 0), ("counts",), ("decides", "X", "restock")):
        there.hub.advance(MINUTE)
        getattr(there, name)(*of)
    assert there.hub.level("SKU-1").quarantined == 1
    there.tells("X")
    assert (there.hub.level("SKU-1").on_hand, there.hub.level("SKU-1").quarantined) == (there.there, 0)


def test_a_hub_that_is_told_no_moments_believes_what_came_last() -> None:
    hub: Hub = taken()
    hub.stock(SKU_1=5, SKU_2=5)
    line = ReturnLine(line="1", sku="SKU-1", quantity=1, received=1, disposition="quarantine")
    told = Return(lines=(line,), external_id="X", version="1", location="berlin", state="received")
    hub.tell("wms", ReturnReported(goods_return=told))
    assert hub.level("SKU-1").quarantined == 1
