from datetime import timedelta

import msgspec
import pytest

from crossdock.domain.policy import Policy, Route
from crossdock.domain.process import decode_process
from crossdock.errors import ConflictError, MappingError, RejectedError
from crossdock.flows.documents import Persons, command_for, join_document, split_document
from crossdock.model import Address, LocationId, Party, Product, ProductReported, Sku
from crossdock.model.catalogue import Component, Price
from crossdock.model.commands import Release
from crossdock.model.money import UnitPrice
from crossdock.model.reports import OrderReported, PriceReported
from tests.flows.facts import order, shipped, told
from tests.flows.hub import Hub, make_plan
from tests.model.builders import NOON, make_line


def stocked(**changes: object) -> Hub:
    hub = Hub(make_plan(**changes))
    hub.stock(SKU_1=5, SKU_2=5)
    return hub


def test_an_order_is_reserved_acknowledged_sold_and_released():
    hub = stocked()
    decision = hub.tell("shop", told())
    assert [(e.connection, e.operation, e.intent, e.held_by_case) for e in decision.effects] == [
        ("erp", "create_sale", "sale", False),
        ("shop", "acknowledge", "acknowledge", False),
        ("wms", "release", "CD0000000001-1", True),
    ]
    assert all(effect.document == 1 for effect in decision.effects)
    assert hub.types() == ["order.accepted", "stock.reserved", "request.released"]
    assert [(r.connection, r.kind, r.ref) for r in decision.references] == [("shop", "number", "#1001")]
    row = hub.rows[1]
    assert (row.custody, row.money, row.stage, row.finished) == ("released", "paid", "releasing", False)
    assert (row.connection, row.external_id, row.number, row.total) == ("shop", "450789469", "#1001", 2500)
    assert (hub.level("SKU-1").allocated, hub.level("SKU-1").available) == (2, 3)
    assert ("shop", "SKU-1") in hub.marks
    assert ("market", "SKU-1") in hub.marks


@pytest.mark.fault(30)
def test_an_order_is_done_only_when_everyone_was_told():
    from tests.flows.facts import shipped

    hub = stocked()
    hub.tell("shop", told())
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle_all()
    assert hub.staged() == [
        "create_sale",
        "acknowledge",
        "release",
        "confirm_shipment",
        "create_delivery",
        "create_invoice",
    ]
    row = hub.rows[1]
    assert (row.custody, row.stage, row.finished) == ("shipped", "done", True)
    assert hub.cases == {}


@pytest.mark.fault(30)
def test_one_of_three_destinations_failing_keeps_the_order_open():
    from tests.flows.facts import shipped

    hub = stocked()
    hub.tell("shop", told())
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle("create_sale")
    hub.settle("acknowledge", outcome="refused", reason="no")
    hub.settle_all()
    assert (hub.rows[1].stage, hub.rows[1].finished) == ("closing", False)
    assert hub.reasons() == ["effect.refused"]


def test_the_same_version_twice_is_one_order():
    hub = stocked()
    hub.tell("shop", told())
    movements = list(hub.movements)
    decision = hub.tell("shop", told())
    assert decision.outcome == "duplicate"
    assert not decision.effects
    assert hub.movements == movements
    assert hub.types()[-1] == "order.duplicate_ignored"


def test_the_time_of_our_receipt_is_no_difference():
    hub = stocked()
    hub.tell("shop", told(received_at=NOON))
    assert hub.tell("shop", told(received_at=NOON + timedelta(seconds=9))).outcome == "duplicate"
    assert join_document(*hub.documents[1, 1]).received_at == NOON


@pytest.mark.fault(34)
def test_the_same_version_with_another_content_is_a_conflict_and_changes_nothing():
    hub = stocked()
    hub.tell("shop", told())
    before = hub.rows[1]
    with pytest.raises(ConflictError, match="version '1'"):
        hub.tell("shop", told(number="#1002"))
    assert hub.rows[1] == before


def test_a_version_that_names_another_order_is_not_taken():
    """As after an edit that carries another one's id."""
    hub = stocked()
    hub.tell("shop", told())
    with pytest.raises(MappingError, match="450789470") as raised:
        hub.tell("shop", told(2, external_id="450789470"))
    assert raised.value.field == "external_id"


@pytest.mark.fault(38)
def test_an_older_version_that_arrives_late_is_stale():
    hub = stocked()
    hub.tell("shop", told(2, cancelled=True))
    decision = hub.tell("shop", told(1))
    assert decision.outcome == "stale"
    assert hub.rows[1].custody == "cancelled"
    assert len(hub.documents) == 1


def test_parts_that_do_not_add_up_park_the_message_with_the_field():
    hub = stocked()
    with pytest.raises(MappingError) as caught:
        hub.tell("shop", told(buyer_total=9999))
    assert caught.value.field == "buyer_total"
    assert hub.orders == {}


def test_an_unknown_sku_parks_the_message_until_it_is_known():
    hub = Hub()
    hub.stock(SKU_1=5)
    with pytest.raises(MappingError) as caught:
        hub.tell("shop", told())
    assert caught.value.field == "lines[1].sku"
    assert hub.level("SKU-1").reserved == 0
    hub.tell("erp", ProductReported(product=Product(sku=Sku("SKU-2"), version="1")), subject=901)
    assert hub.tell("shop", told()).outcome == "processed"
    assert hub.reasons() == ["stock.short"]


def test_an_unknown_sku_is_taken_where_policy_says_so_and_released_only_with_stock():
    hub = stocked(policy=Policy(unknown_sku="accept"))
    hub.tell("shop", told(lines=(make_line("9", sku=Sku("NEW")),)))
    assert hub.rows[1].stage == "waiting_stock"


def test_a_channel_without_a_route_is_refused_with_a_remedy():
    hub = stocked()
    with pytest.raises(RejectedError, match=r"\[routes.bazaar\]"):
        hub.tell("bazaar", told(connection="bazaar"))


def test_lines_without_stock_of_ours_reserve_nothing():
    hub = stocked()
    lines = (
        make_line("1", kind="gift_card", delivery="digital"),
        make_line("2", kind="custom", sku=Sku("")),
        make_line("3", fulfilled_by="marketplace"),
    )
    hub.tell("shop", told(lines=lines))
    assert hub.movements == [] or all(move.subject != 1 for move in hub.movements)
    command = msgspec.json.decode(hub.effects[1, "wms", "release", "CD0000000001-1"].command)
    assert [line["line"] for line in command["request"]["lines"]] == ["2"]


def test_an_order_that_a_marketplace_fulfils_is_posted_only():
    hub = stocked()
    hub.tell("market", told(connection="market", lines=(make_line("1", fulfilled_by="marketplace"),)))
    assert hub.staged() == ["create_sale"]
    assert hub.level("SKU-1").available == 5


def test_what_a_buyer_has_already_moves_stock_and_is_posted():
    hub = stocked()
    line = make_line("1", ordered=2, fulfilled_by="handed_over", location=LocationId("berlin"))
    hub.tell("shop", told(lines=(line,)))
    assert hub.level("SKU-1").on_hand == 3
    hub.settle_all()
    assert hub.staged() == ["create_sale", "create_delivery", "create_invoice"]
    assert (hub.rows[1].custody, hub.rows[1].finished) == ("delivered", True)


def test_a_ticket_may_mix_sale_and_return():
    hub = stocked()
    at = {"fulfilled_by": "handed_over", "location": LocationId("berlin")}
    lines = (make_line("1", ordered=1, **at), make_line("2", ordered=-1, current=-1, price=300, **at))
    hub.tell("shop", told(lines=lines))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-2").on_hand) == (4, 6)
    hub.tell("shop", told(2, lines=lines, tags=("x",)))
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-2").on_hand) == (4, 6)


def test_a_bundle_reserves_its_components():
    hub = stocked()
    parts = (Component(sku=Sku("SKU-1"), quantity=2), Component(sku=Sku("SKU-2"), quantity=1))
    bundle = Product(sku=Sku("SET"), version="1", kind="bundle", components=parts)
    hub.tell("erp", ProductReported(product=bundle), subject=901)
    hub.tell("shop", told(lines=(make_line("1", ordered=2, sku=Sku("SET")),)))
    assert (hub.level("SKU-1").allocated, hub.level("SKU-2").allocated) == (4, 2)


def test_a_message_that_fails_leaves_nothing_in_its_batch():
    hub = stocked()
    handler = hub.handler
    good, bad = told(), OrderReported(order=order(1, buyer_total=1, external_id="2"))
    first, second, third = (hub._message("shop", n, "order") for n in (1, 2, 3))
    batch = [(first, (good,)), (second, (bad,)), (third, (OrderReported(order=order(external_id="3")),))]
    world = hub._world(batch)
    world.handle(*batch[0], hub.now)
    with pytest.raises(MappingError):
        world.handle(*batch[1], hub.now)
    world.handle(*batch[2], hub.now)
    changes = world.changes()
    assert [row.subject for row in changes.processes] == [1, 3]
    assert {level.sku: level.allocated for level in changes.levels} == {"SKU-1": 4, "SKU-2": 2}
    assert handler.needs(batch).orders == (1, 2, 3)


def test_a_failure_after_an_earlier_message_of_the_same_order_keeps_the_earlier():
    hub = stocked()
    first, second = (hub._message("shop", 1, "order") for _ in range(2))
    batch = [(first, (told(),)), (second, (shipped(l1=2, l2=1), told(2, buyer_total=7)))]
    world = hub._world(batch)
    world.handle(*batch[0], hub.now)
    with pytest.raises(MappingError):
        world.handle(*batch[1], hub.now)
    (row,) = world.changes().processes
    kept = decode_process(row.value)
    assert (kept.version, kept.shipments, [line.shipped for line in kept.lines]) == ("1", [], [0, 0])


def test_persons_are_kept_apart_and_come_back_with_the_command():
    hub = stocked()
    home = Address(name="Ann Example", lines=("Long Street 1",), city="Berlin", country="DE")
    person = Party(kind="guest", name="Ann Example", email="ann@example.org")
    hub.tell("shop", told(ship_to=home, buyer=person, billing_address=home, note="for Ann"))
    value, party = hub.documents[1, 1]
    everything = value + hub.rows[1].value + b"".join(stage.command for stage in hub.effects.values())
    assert b"Ann" not in everything
    assert b"Long Street" not in everything
    assert "Ann" not in str(hub.events)
    stage = hub.effects[1, "wms", "release", "CD0000000001-1"]
    release = command_for("release", stage.command, value, party)
    assert isinstance(release, Release)
    assert release.request.ship_to == home
    assert release.request.location == "B1"
    assert release.order is not None
    assert (release.order.id, release.order.buyer) == ("CD0000000001", person)


def test_what_a_buyer_has_typed_is_sealed_and_erased_with_the_persons():
    hub = stocked()
    lines = (
        make_line("1", ordered=2, price=1000, percent=19),
        make_line("2", ordered=1, price=500, percent=7, properties=(("Engraving", "For Zebedee"),)),
    )
    typed = told(lines=lines, tags=("gift for Zebedee",), purchase_order="Zebedee-1", cancel_reason="Zebedee")
    hub.tell("shop", typed)
    value, party = hub.documents[1, 1]
    assert b"Zebedee" not in value + hub.rows[1].value
    joined = join_document(value, party)
    assert (joined.lines, joined.tags) == (typed.order.lines, typed.order.tags)
    assert (joined.purchase_order, joined.cancel_reason) == ("Zebedee-1", "Zebedee")
    erased = join_document(value, b"")
    assert (erased.tags, erased.lines[1].properties, erased.purchase_order) == ((), (), "")
    assert erased.lines[1].gross == typed.order.lines[1].gross


def test_what_is_sealed_apart_changes_no_version():
    """The hash of a version outlives an update of the hub: what is told again is no conflict."""
    order = told(tags=("b2b",), note="ring twice").order
    plain = msgspec.structs.replace(order, id="CD0000000001", received_at=None, note="")
    in_the_open = msgspec.structs.replace(plain, buyer=None, ship_to=None, billing_address=None)
    persons = Persons(
        buyer=order.buyer, ship_to=order.ship_to, billing_address=order.billing_address, note=order.note
    )
    encoded = msgspec.json.encode(in_the_open) + msgspec.json.encode(persons)
    assert split_document(order, "CD0000000001").said == encoded


def test_erased_persons_stand_masked():
    hub = stocked()
    hub.tell("shop", told(buyer=Party(name="Ann"), note="hi"))
    joined = join_document(hub.documents[1, 1][0], b"")
    assert joined.buyer == Party(masked=True)
    assert joined.ship_to == Address(masked=True)
    assert joined.note == ""


def test_a_price_that_differs_warns_and_holds_only_what_may_still_be_refused():
    hub = stocked()
    price = Price(
        sku=Sku("SKU-1"), currency="EUR", unit_price=UnitPrice(value=1200, scale=2), includes_tax=True
    )
    hub.tell("erp", PriceReported(price=price), subject=901)
    hub.tell("shop", told())
    assert "order.price_differs" in hub.types()
    assert hub.staged()[-1] == "release"
    hub.tell("market", told(connection="market", channel="b2b"), subject=2)
    assert hub.reasons(2) == ["order.held"]


def test_the_journal_balances_and_shows_discounts_tax_and_what_was_paid():
    hub = stocked()
    hub.tell("shop", told())
    (posting,) = hub.postings
    assert dict(posting.entries) == {"sales": -2148, "tax": -352, "payments": 2500}
    assert posting.currency == "EUR"


def test_nothing_depends_on_a_location_when_a_channel_has_none():
    plan = make_plan(routes={"shop": Route(channel="shop", erp="erp")})
    hub = Hub(plan)
    hub.tell("shop", told(lines=(make_line("1", sku=Sku("")),)))
    assert hub.staged() == ["create_sale"]


def test_what_was_handed_over_nowhere_we_know_is_a_case():
    hub = stocked()
    hub.tell("shop", told(lines=(make_line("1", fulfilled_by="handed_over"),)))
    assert (hub.reasons(), hub.fields["location.unknown"]) == (["location.unknown"], "location_ref")
    assert hub.level("SKU-1").on_hand == 5
