import msgspec
import pytest

from crossdock.domain.policy import Policy
from crossdock.errors import ConflictError
from crossdock.model import (
    Component,
    ConnectionId,
    LineId,
    LineQuantity,
    Product,
    ProductReported,
    Shipment,
    Sku,
)
from crossdock.model.reports import OrderReported, ShipmentReported
from tests.flows.facts import order, shipped, short, told
from tests.flows.hub import Hub, balance_of, make_plan
from tests.model.builders import make_line


def released(**changes: object) -> Hub:
    hub = Hub(make_plan(**changes))
    hub.stock(SKU_1=5, SKU_2=5)
    hub.stock(location="madrid", SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    hub.settle_all()
    return hub


def commands(hub: Hub, operation: str) -> list[dict]:
    return [
        msgspec.json.decode(stage.command)
        for (_, _, name, _), stage in hub.effects.items()
        if name == operation
    ]


def test_a_shipment_consumes_what_was_allocated_for_it():
    hub = released()
    hub.tell("wms", shipped(l1=2, l2=1))
    level = hub.level("SKU-1")
    assert (level.on_hand, level.allocated, level.available) == (3, 0, 3)
    assert [
        (m.bucket, m.quantity, m.reason) for m in hub.movements if m.subject == 1 and m.sku == "SKU-1"
    ] == [
        ("allocated", 2, "allocate"),
        ("allocated", -2, "consume"),
        ("on_hand", -2, "shipment"),
    ]


def test_several_packages_and_part_quantities_are_told_one_by_one():
    hub = released()
    hub.tell("wms", shipped("S1", l1=1))
    assert (hub.rows[1].custody, hub.rows[1].stage) == ("part_shipped", "shipping")
    hub.tell("wms", shipped("S2", l1=1, l2=1))
    hub.settle_all()
    assert [c["shipment"]["lines"] for c in commands(hub, "confirm_shipment")] == [
        [{"line": "1", "quantity": 1, "sku": "SKU-1"}],
        [{"line": "1", "quantity": 1, "sku": "SKU-1"}, {"line": "2", "quantity": 1, "sku": "SKU-2"}],
    ]
    assert len(commands(hub, "create_delivery")) == len(commands(hub, "create_invoice")) == 2
    assert all(c["sale_reference"] == "create_sale-sale" for c in commands(hub, "create_delivery"))
    assert hub.rows[1].stage == "done"


def test_a_shipment_reported_twice_is_one():
    hub = released()
    hub.tell("wms", shipped(l1=2))
    assert hub.tell("wms", shipped(l1=2)).outcome == "duplicate"
    assert hub.level("SKU-1").on_hand == 3
    with pytest.raises(ConflictError):
        hub.tell("wms", shipped(l1=1))


def test_the_delivery_waits_for_a_sale_that_is_not_known_yet():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    hub.tell("wms", shipped(l1=2, l2=1))
    assert "create_delivery" not in hub.staged()
    hub.settle("create_sale", reference="S-77")
    assert commands(hub, "create_delivery")[0]["sale_reference"] == "S-77"


def test_a_shipment_that_the_channel_reports_itself_is_not_confirmed_back():
    hub = released()
    hub.tell("shop", shipped("F1", connection="shop", request="", l1=2, l2=1))
    hub.settle_all()
    assert "confirm_shipment" not in hub.staged()
    assert "create_delivery" in hub.staged()
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").allocated) == (3, 0)


@pytest.mark.parametrize("settled", [True, False])
def test_our_own_confirmation_comes_back_and_is_ignored(settled):
    hub = released()
    hub.tell("wms", shipped("S1", l1=2, l2=1))
    if settled:
        hub.settle("confirm_shipment", reference="F9")
    echo = shipped("F9", connection="shop", request="", l1=2, l2=1)
    tracking = msgspec.structs.replace(
        echo.shipment, packages=shipped("S1", l1=2, l2=1).shipment.packages, external_id="F9"
    )
    decision = hub.tell("shop", ShipmentReported(shipment=tracking))
    assert decision.outcome == "duplicate"
    assert hub.process().lines[0].shipped == 2
    assert hub.cases == {}
    hub.tell("shop", OrderReported(order=order(2), shipments=(tracking,)))
    assert hub.process().lines[0].shipped == 2


def test_more_than_was_ordered_is_recorded_and_a_case():
    hub = released()
    hub.tell("wms", shipped(l1=3))
    assert hub.level("SKU-1").on_hand == 2
    assert hub.reasons() == ["shipment.beyond_order"]
    hub.tell("wms", shipped(version="2", l1=2))
    assert hub.reasons() == ["order.held"]
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").allocated) == (3, 0)


def test_a_shipment_of_something_else_is_a_case():
    hub = released()
    hub.tell("wms", shipped(l7=1))
    assert hub.reasons() == ["shipment.unknown_line"]
    assert hub.fields["shipment.unknown_line"] == "lines[0].line"


def test_a_warehouse_may_name_only_the_sku():
    hub = released()
    line = LineQuantity(line=LineId("?"), quantity=2, sku=Sku("SKU-1"))
    hub.tell(
        "wms",
        ShipmentReported(shipment=Shipment(lines=(line,), connection=ConnectionId("wms"), external_id="S1")),
    )
    assert hub.process().lines[0].shipped == 2
    assert hub.level("SKU-1").allocated == 0


def test_stock_that_is_not_at_hand_is_moved_by_the_next_message():
    hub = released()
    line = LineQuantity(line=LineId("1"), quantity=2)
    hub.tell(
        "wms",
        ShipmentReported(shipment=Shipment(lines=(line,), connection=ConnectionId("wms"), external_id="S1")),
    )
    assert hub.process().owed == []
    assert "order.balance_due" in hub.types()
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").allocated) == (3, 0)


def test_an_order_that_comes_fulfilled_is_not_shipped_again():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    lines = (make_line("1", ordered=2, fulfilled=2), make_line("2", ordered=1))
    hub.tell("shop", told(lines=lines))
    assert [line["line"] for line in commands(hub, "release")[0]["request"]["lines"]] == ["2"]
    assert "confirm_shipment" not in hub.staged()
    hub.tell("shop", told(2, lines=lines, tags=("x",)))
    assert hub.process().lines[0].shipped == 2


def test_a_delivered_shipment_makes_the_order_delivered():
    hub = released()
    hub.tell("wms", shipped(l1=2, l2=1))
    again = msgspec.structs.replace(shipped(l1=2, l2=1).shipment, state="delivered", version="2")
    hub.tell("wms", ShipmentReported(shipment=again))
    hub.settle_all()
    assert (hub.rows[1].custody, hub.rows[1].finished) == ("delivered", True)
    assert len(commands(hub, "create_delivery")) == 1


def test_a_shipment_that_was_undone_is_on_hand_again_and_held_for_a_person():
    hub = released()
    hub.tell("wms", shipped(l1=2, l2=1))
    undone = msgspec.structs.replace(shipped(l1=2, l2=1).shipment, state="cancelled", version="2")
    hub.tell("wms", ShipmentReported(shipment=undone))
    assert hub.level("SKU-1").on_hand == 5
    assert hub.reasons() == ["order.held"]
    assert len(commands(hub, "release")) == 1


def test_a_short_pick_is_sourced_elsewhere_as_the_next_attempt():
    hub = released()
    hub.tell("wms", short(l1=1))
    first, second = commands(hub, "release")
    assert second["request"] == {
        "id": "CD0000000001-2",
        "order": "CD0000000001",
        "order_number": "#1001",
        "location": "M1",
        "attempt": 2,
        "replaces": "CD0000000001-1",
        "state": "released",
        "lines": [{"line": "1", "quantity": 1, "sku": "SKU-1"}],
    }
    assert first["request"]["id"] == "CD0000000001-1"
    assert (hub.level("SKU-1").allocated, hub.level("SKU-1", "madrid").allocated) == (1, 1)


def test_a_refusal_is_sourced_elsewhere_and_then_a_case():
    hub = released(policy=Policy(source_retry_s=60))
    hub.tell("wms", short())
    assert commands(hub, "release")[1]["request"]["location"] == "M1"
    hub.tell("wms", short("CD0000000001-2"))
    assert hub.reasons() == ["stock.short"]
    assert (hub.level("SKU-1").allocated, hub.level("SKU-1", "madrid").allocated) == (0, 0)
    hub.advance(120_000_000)
    assert hub.reasons() == ["stock.short"], "what was just found missing is not asked for again"
    hub.stock(SKU_1=5, SKU_2=5)
    hub.advance(120_000_000)
    assert commands(hub, "release")[-1]["request"]["attempt"] == 3
    assert hub.reasons() == []


def test_a_short_pick_of_an_unknown_request_is_a_case():
    hub = released()
    hub.tell("wms", short("CD0000000001-9", l1=1))
    assert hub.reasons() == ["request.unknown"]
    assert hub.fields["request.unknown"] == "request"


def test_a_bundle_is_confirmed_when_it_is_complete():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    parts = (Component(sku=Sku("SKU-1"), quantity=2), Component(sku=Sku("SKU-2"), quantity=1))
    hub.tell(
        "erp", ProductReported(product=Product(sku=Sku("SET"), version="1", components=parts)), subject=901
    )
    hub.tell("shop", told(lines=(make_line("1", ordered=2, sku=Sku("SET")),)))
    one = LineQuantity(line=LineId("1"), quantity=4, sku=Sku("SKU-1"))
    two = LineQuantity(line=LineId("1"), quantity=1, sku=Sku("SKU-2"))
    for name, part in (("S1", one), ("S2", two), ("S3", two)):
        shipment = Shipment(lines=(part,), connection=ConnectionId("wms"), external_id=name)
        hub.tell("wms", ShipmentReported(shipment=shipment))
    told_lines = [c["shipment"]["lines"] for c in commands(hub, "confirm_shipment")]
    assert told_lines == [[{"line": "1", "quantity": 1, "sku": "SET"}]] * 2
    assert hub.rows[1].custody == "shipped"


def test_a_count_made_after_the_goods_left_is_not_lowered_by_their_shipment():
    from tests.model.builders import NOON

    hub = released()
    shipment = msgspec.structs.replace(shipped(l1=2).shipment, shipped_at=NOON)
    hub.now = int(NOON.timestamp() * 1_000_000) + 60_000_000
    hub.stock(SKU_1=3)
    hub.tell("wms", ShipmentReported(shipment=shipment))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").allocated) == (3, 0)
    sums = balance_of(hub.movements)
    assert sums["SKU-1", "berlin"][:3] == [3, 0, 0]


def test_services_are_invoiced_once_the_goods_have_left():
    hub = Hub()
    hub.stock(SKU_1=5)
    hub.tell("shop", told(lines=(make_line("1"), make_line("9", kind="service", sku=Sku("")))))
    hub.settle_all()
    assert "create_invoice" not in hub.staged()
    hub.tell("wms", shipped(l1=1))
    hub.settle_all()
    assert [[x["line"] for x in c["shipment"]["lines"]] for c in commands(hub, "create_invoice")] == [
        ["1"],
        ["9"],
    ]
    assert hub.rows[1].finished


@pytest.mark.fault(31)
def test_a_shipment_before_its_order_waits_for_it():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", shipped("F1", connection="shop", request="", l1=2, l2=1))
    assert hub.rows[1].stage == "unknown"
    hub.tell("shop", told())
    assert (hub.rows[1].custody, hub.level("SKU-1").on_hand, hub.level("SKU-1").reserved) == ("shipped", 3, 0)
    assert hub.process().early == []
    assert "release" not in hub.staged()


def test_a_digital_line_that_the_channel_fulfils_itself_is_invoiced_once():
    hub = Hub()
    hub.stock(SKU_1=5)
    gift = make_line("2", kind="gift_card", delivery="digital")
    hub.tell("shop", told(lines=(make_line("1"), gift)))
    hub.settle_all()
    hub.tell("wms", shipped(l1=1))
    hub.tell("shop", shipped("F1", connection="shop", request="", l2=1))
    hub.settle_all()
    assert [[x["line"] for x in c["shipment"]["lines"]] for c in commands(hub, "create_invoice")] == [
        ["1"],
        ["2"],
    ]
    assert (hub.cases, hub.rows[1].finished) == ({}, True)


def test_everybody_is_told_the_lines_of_the_order_whatever_the_warehouse_calls_them():
    hub = released()
    line = LineQuantity(line=LineId("?"), quantity=1, sku=Sku("SKU-1"))
    other = LineQuantity(line=LineId("x"), quantity=1, sku=Sku("WRONG"))
    shipment = Shipment(lines=(line, other), connection=ConnectionId("wms"), external_id="S1")
    hub.tell("wms", ShipmentReported(shipment=shipment))
    for operation in ("confirm_shipment", "create_delivery"):
        assert commands(hub, operation)[0]["shipment"]["lines"] == [
            {"line": "1", "quantity": 1, "sku": "SKU-1"}
        ]


def test_shipments_of_a_test_order_move_nothing():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    report = shipped("F1", connection="shop", request="", l1=1)
    hub.tell("shop", OrderReported(order=order(1, test=True), shipments=(report.shipment,)))
    hub.tell("wms", shipped(l1=1))
    assert [m for m in hub.movements if m.subject == 1] == []
    assert hub.rows[1].stage == "test"
