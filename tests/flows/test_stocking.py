from datetime import UTC, datetime

import msgspec
import pytest

from crossdock.domain.policy import Authority, Place, Plan, Route
from crossdock.domain.state import Level
from crossdock.engine.messages import HUB
from crossdock.flows.quantities import Offer, published_quantity
from crossdock.flows.uncounted import TURNED, Turned
from crossdock.model import (
    ConnectionId,
    ExternalRef,
    Listing,
    ListingReported,
    LocationId,
    PriceReported,
    Product,
    ProductReported,
    Sku,
    StockLevel,
    StockReported,
    UnitPrice,
)
from crossdock.model.catalogue import Price
from tests.flows.facts import shipped, told
from tests.flows.hub import Hub, balance_of, make_plan

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_count_becomes_movements_and_marks_the_channels():
    hub = Hub()
    assert hub.stock(SKU_1=5).outcome == "processed"
    hub.stock(SKU_1=3)
    assert [(m.bucket, m.quantity, m.reason) for m in hub.movements] == [
        ("on_hand", 5, "opening"),
        ("on_hand", -2, "snapshot"),
    ]
    assert hub.marks == [("shop", "SKU-1"), ("market", "SKU-1")] * 2


def test_a_first_count_of_nothing_is_news_and_the_same_count_again_is_none():
    hub = Hub()
    hub.stock(SKU_1=0)
    assert len(hub.marks) == 2
    hub.stock(SKU_1=0)
    assert (len(hub.marks), hub.movements) == (2, [])
    assert hub.levels["SKU-1", "berlin"].on_hand == 0


@pytest.mark.fault(41)
def test_an_older_count_changes_nothing():
    hub = Hub()
    hub.stock(SKU_1=5)
    hub.now -= 10_000_000
    assert hub.stock(SKU_1=9).outcome == "stale"
    assert hub.level("SKU-1").on_hand == 5


def test_a_count_is_told_under_the_code_of_its_partner():
    hub = Hub()
    ref = ExternalRef(connection=ConnectionId("wms"), kind="location", id="M1")
    level = StockLevel(sku=Sku("SKU-1"), location_ref=ref, on_hand=4, as_of=WHEN)
    hub.tell("wms", StockReported(levels=(level,)), subject=900)
    assert hub.level("SKU-1", "madrid").on_hand == 4


def test_a_place_that_is_not_ours_is_a_case():
    hub = Hub()
    ref = ExternalRef(connection=ConnectionId("wms"), kind="location", id="X9")
    level = StockLevel(sku=Sku("SKU-1"), location_ref=ref, on_hand=4, as_of=WHEN)
    decision = hub.tell("wms", StockReported(levels=(level,)), subject=900)
    assert (decision.outcome, hub.reasons(900)) == ("unhandled", ["location.unknown"])
    assert hub.fields["location.unknown"] == "levels[0].location_ref"


@pytest.mark.parametrize(
    ("authority", "source", "taken"),
    [("hub", "wms", True), ("hub", "shop", False), ("erp", "wms", False), ("erp", "erp", True)],
)
def test_only_the_master_of_a_stock_may_state_it(authority, source, taken):
    hub = Hub(make_plan(authority=Authority(stock=authority)))
    hub.stock(source=source, SKU_1=5)
    assert hub.level("SKU-1").on_hand == (5 if taken else 0)


def test_a_figure_that_is_net_of_reservations_is_made_physical():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    level = StockLevel(
        sku=Sku("SKU-1"),
        location=LocationId("berlin"),
        on_hand=3,
        basis="net",
        net_of=("allocated",),
        as_of=datetime.now(UTC),
        quarantined=1,
        committed_elsewhere=1,
        incoming=7,
        safety_stock=1,
    )
    hub.tell("wms", StockReported(levels=(level,)), subject=900)
    now = hub.level("SKU-1")
    assert (now.on_hand, now.allocated, now.quarantined, now.committed_elsewhere, now.incoming) == (
        5,
        2,
        1,
        1,
        7,
    )
    assert now.available == 0
    assert balance_of(hub.movements)["SKU-1", "berlin"] == [5, 0, 2, 1, 1, 1, 7]


def test_an_unknown_quantity_is_not_zero():
    hub = Hub()
    level = StockLevel(sku=Sku("SKU-1"), location=LocationId("berlin"), as_of=WHEN)
    assert hub.tell("wms", StockReported(levels=(level,)), subject=900).outcome == "unhandled"
    assert hub.levels == {}


def test_stock_below_zero_is_recorded_and_a_case_of_its_level():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    hub.stock(SKU_1=1)
    (word,) = hub.tell("wms", shipped(l1=2, l2=1)).children
    assert hub.level("SKU-1").on_hand == -1
    assert (word.kind, word.ref_kind, word.ref) == (TURNED, "level", "SKU-1@berlin")
    hub.tell(HUB, Turned(sku="SKU-1", location="berlin", by=1), subject=901)
    assert list(hub.cases) == [(901, "stock.negative", "SKU-1@berlin")]
    assert hub.reasons() == []


def test_words_of_a_level_that_cross_leave_what_is_true_of_it():
    hub = Hub()
    hub.stock(SKU_1=1)
    hub.tell(HUB, Turned(sku="SKU-1", location="berlin", by=1), subject=901)
    assert list(hub.cases) == []


def test_allocating_and_shipping_what_was_reserved_is_no_news_for_the_channels():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    before = len(hub.marks)
    hub.tell("wms", shipped(l1=2, l2=1))
    assert len(hub.marks) == before


def level(location: str = "berlin", on_hand: int = 10, **buckets: int) -> Level:
    return Level(
        "A", location, on_hand, *(buckets.get(name, 0) for name in ("reserved", "allocated", "safety_stock"))
    )


# name, levels, published
PUBLISHED = [
    ("unknown is not zero", [], None),
    ("nothing is zero", [level(on_hand=0)], 0),
    ("the locations of the channel together, less its buffer", [level(), level("madrid", 5)], 13),
    ("a location that does not serve it does not count", [level(), level("paris", 5)], 8),
    ("only elsewhere is unknown", [level("paris", 5)], None),
    ("what is claimed is gone", [level(reserved=3, allocated=4)], 1),
    ("never below zero", [level(reserved=30), level("madrid", 5)], 3),
    ("the greater safety stock counts", [level("rome", 10, safety_stock=1)], 3),
    ("safety stock of the level", [level("rome", 10, safety_stock=7)], 1),
]


@pytest.mark.parametrize(
    ("levels", "published"), [row[1:] for row in PUBLISHED], ids=[row[0] for row in PUBLISHED]
)
def test_a_channel_is_told_what_its_locations_can_give(levels, published):
    plan = Plan(
        routes={"shop": Route(channel="shop", locations=("berlin", "madrid", "rome"), buffer=2)},
        places={name: Place(id=name) for name in ("berlin", "madrid")}
        | {"rome": Place(id="rome", safety_stock=5)},
    )
    assert published_quantity(plan, "shop", "A", levels) == published
    command = Offer(plan, "shop").command("A", levels)
    assert (command.quantity if command is not None else None) == published


def test_a_channel_that_is_not_published_to_is_told_nothing():
    plan = Plan(routes={"shop": Route(channel="shop", locations=("berlin",), publish=False)}, places={})
    assert published_quantity(plan, "shop", "A", [level()]) is None
    assert published_quantity(plan, "other", "A", [level()]) is None


def test_products_and_prices_are_kept_and_older_ones_ignored():
    hub = Hub()
    product = Product(sku=Sku("A"), name="Thing", version="2")
    assert hub.tell("erp", ProductReported(product=product), subject=900).outcome == "processed"
    older = ProductReported(product=Product(sku=Sku("A"), name="Old", version="1"))
    assert hub.tell("erp", older, subject=900).outcome == "stale"
    price = Price(sku=Sku("A"), currency="EUR", unit_price=UnitPrice(value=1, scale=0))
    hub.tell("erp", PriceReported(price=price), subject=900)
    card = msgspec.json.decode(hub.products["A"])
    assert (card["product"]["name"], len(card["prices"])) == ("Thing", 1)


def test_what_has_no_flow_is_kept_unhandled():
    hub = Hub()
    listing = Listing(connection=ConnectionId("shop"), external_id="1")
    decision = hub.tell("shop", ListingReported(listing=listing), subject=900)
    assert decision.outcome == "unhandled"
    assert hub.orders == {}
