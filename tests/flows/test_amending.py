from crossdock.domain.policy import Policy
from crossdock.model import Address
from tests.flows.facts import answered, order, shipped, told
from tests.flows.taken import commands, taken
from tests.model.builders import make_line


def test_an_edit_before_the_release_changes_the_reservation_and_amends_the_sale():
    hub = taken(policy=Policy(grace_s=600))
    hub.settle_all()
    lines = (
        make_line("1", ordered=2, current=1, price=1000, percent=19),
        make_line("2", ordered=3, price=500, percent=7),
    )
    hub.tell("shop", told(2, lines=lines))
    assert (hub.level("SKU-1").reserved, hub.level("SKU-2").reserved) == (1, 3)
    assert hub.staged()[-2:] == ["amend_sale", "cancel_sale"]
    hub.advance(600_000_000)
    assert [x["quantity"] for x in commands(hub, "release")[0]["request"]["lines"]] == [1, 3]


def test_a_line_that_is_added_after_the_release_is_released_beside_it():
    hub = taken()
    hub.stock(SKU_3=1)
    lines = (*order().lines, make_line("3"))
    hub.tell("shop", told(2, lines=lines))
    assert [len(c["request"]["lines"]) for c in commands(hub, "release")] == [2, 1]
    assert "cancel_release" not in hub.staged()


def test_a_line_that_vanishes_is_cancelled():
    hub = taken(policy=Policy(grace_s=600))
    hub.tell("shop", told(2, lines=order().lines[:1]))
    assert hub.level("SKU-2").available == 5


def test_another_address_after_the_release_is_stopped_and_released_anew():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, ship_to=Address(city="Bonn")))
    assert hub.staged()[-2:] == ["cancel_release", "amend_sale"]
    assert hub.staged().count("release") == 1
    hub.settle_all()
    hub.tell("wms", answered("accepted"))
    second = hub.effects[1, "wms", "release", "CD0000000001-2"]
    assert second.document == 2
    assert (hub.level("SKU-1").allocated, hub.level("SKU-1").available) == (2, 3)
    assert "cancel_sale" not in hub.staged()


def test_a_change_after_a_delivery_is_a_case():
    hub = taken()
    hub.tell("wms", shipped(l1=2))
    hub.settle_all()
    hub.stock(SKU_3=1)
    hub.tell("shop", told(2, lines=(*order().lines, make_line("3"))))
    assert hub.reasons() == ["sale.amended_late"]
    assert "amend_sale" not in hub.staged()


def test_what_is_wanted_again_after_a_cancellation_is_released_anew_and_the_sale_raised_by_a_person():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    hub.settle_all()
    hub.tell("wms", answered("accepted"))
    hub.settle_all()
    assert hub.staged()[-1] == "cancel_sale"
    hub.tell("shop", told(3))
    assert (hub.staged()[-1], hub.reasons()) == ("release", ["sale.wanted_again"])
    assert (hub.level("SKU-1").allocated, hub.process().lines[0].told_erp) == (2, 0)
    assert "cancel_order" not in hub.staged()


def test_another_address_after_everything_left_changes_nothing():
    hub = taken()
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle_all()
    before = hub.staged()
    hub.tell("shop", told(2, ship_to=Address(city="Bonn")))
    assert (hub.staged(), hub.cases) == (before, {})
