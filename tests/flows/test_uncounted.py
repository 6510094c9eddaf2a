"""A level that was never counted is unknown, not negative: its movements are kept, and its location has one case."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.domain.policy import Place
from tests.flows.hub import balance_of
from tests.flows.stores import MINUTE, SECOND, StoreHub, line, store_plan, ticket

SKUS = ("SKU-1", "SKU-2", "SKU-3")


def cases_of(hub: StoreHub, reason: str) -> list[str]:
    """What open cases of a reason are about."""
    hub.advance(MINUTE)
    return sorted(about for _, found, about in hub.cases if found == reason)


def test_a_store_whose_stock_was_never_told_is_one_case_whatever_it_sells() -> None:
    hub = StoreHub()
    for n in range(1, 30):
        hub.post("ticket", ticket(n, line(f"A-{n}"), line(f"B-{n}", quantity=2)))
    assert cases_of(hub, "stock.negative") == []
    assert cases_of(hub, "stock.unknown") == ["berlin"]
    assert hub.level("B-7").on_hand == -2
    assert balance_of(hub.movements)["B-7", "berlin"][0] == -2


def test_each_store_has_its_own_case() -> None:
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.post("ticket", ticket(1) | {"store": "lisbon"})
    assert cases_of(hub, "stock.unknown") == ["berlin", "lisbon"]


def test_the_case_is_closed_once_the_stock_is_told() -> None:
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    assert cases_of(hub, "stock.unknown") == ["berlin"]
    hub.stock(source="pos", SKU_1=5)
    assert cases_of(hub, "stock.unknown") == []
    assert hub.level("SKU-1").on_hand == 5


def test_what_is_left_is_a_case_of_its_sku_once_it_was_counted() -> None:
    hub = StoreHub()
    hub.stock(source="pos", SKU_1=1)
    hub.advance(SECOND)
    hub.post("ticket", ticket(1, line(quantity=2), line("SKU-2", quantity=2), at=hub.clock()))
    assert cases_of(hub, "stock.negative") == ["SKU-1@berlin"]
    assert cases_of(hub, "stock.unknown") == ["berlin"]


def test_a_first_count_below_zero_is_a_case_of_its_sku() -> None:
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    hub.stock(source="pos", SKU_1=-3)
    assert cases_of(hub, "stock.negative") == ["SKU-1@berlin"]
    assert cases_of(hub, "stock.unknown") == []


def test_a_store_that_goes_on_after_its_case_was_closed_is_told_again_the_next_day() -> None:
    hub = StoreHub()
    hub.post("ticket", ticket(1))
    assert cases_of(hub, "stock.unknown") == ["berlin"]
    hub.cases.clear()
    hub.post("ticket", ticket(2, line("SKU-2")))
    assert cases_of(hub, "stock.unknown") == []
    hub.advance(24 * 3_600 * SECOND)
    hub.post("ticket", ticket(3, line("SKU-3")))
    assert cases_of(hub, "stock.unknown") == ["berlin"]


def test_a_location_that_keeps_no_stock_sells_without_a_movement() -> None:
    plan = store_plan()
    berlin = Place(id="berlin", zone="Europe/Berlin", stocked=False)
    hub = StoreHub(msgspec.structs.replace(plan, places={**plan.places, "berlin": berlin}))
    hub.post("ticket", ticket(1))
    assert (hub.movements, hub.levels, cases_of(hub, "stock.unknown")) == ([], {}, [])
    assert hub.balances()


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(("sell", "take back", "count")), st.integers(0, 2), st.integers(1, 4)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_any_history_leaves_cases_of_counted_skus_and_one_of_the_location(steps: list[Step]) -> None:
    """The model: what is left of each SKU by our books, and which were ever counted."""
    hub = StoreHub()
    left, moved, known = dict.fromkeys(SKUS, 0), set[str](), set[str]()
    said = asked = False
    for n, (what, which, quantity) in enumerate(steps, 1):
        sku = SKUS[which]
        hub.advance(SECOND)
        if what == "count":
            hub.stock(source="pos", **{sku.replace("-", "_"): quantity})
            asked = asked and (sku in known or sku not in moved)
            known.add(sku)
            left[sku] = quantity
        else:
            change = -quantity if what == "sell" else quantity
            kind = "sale" if change < 0 else "return"
            hub.post("ticket", ticket(n, line(sku, -change), kind=kind, at=hub.clock()))
            if left[sku] >= 0 > left[sku] + change and sku not in known and not said:
                said = asked = True
            moved.add(sku)
            left[sku] += change
        hub.advance(SECOND)
    assert {sku: hub.level(sku).on_hand for sku in SKUS} == left
    assert set(cases_of(hub, "stock.negative")) == {f"{sku}@berlin" for sku in known if left[sku] < 0}
    assert cases_of(hub, "stock.unknown") == ["berlin"] * asked
