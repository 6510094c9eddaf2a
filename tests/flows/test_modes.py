from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from crossdock.domain.policy import Plan
from crossdock.model import ConnectionId, InvoiceReported, Posting
from tests.flows.facts import REF, shipped, told
from tests.flows.hub import OPERATIONS, Hub, make_plan
from tests.model.builders import NOON

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "sold_at", "expected"),
    [
        ("live", datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "observe"),
        ("live", START, "live"),
        ("live", None, "live"),
        ("observe", datetime(2026, 5, 1, tzinfo=UTC), "observe"),
        ("adopt", datetime(2025, 1, 1, tzinfo=UTC), "adopt"),
        ("adopt", datetime(2026, 5, 1, tzinfo=UTC), "live"),
        ("adopt", None, "live"),
    ],
)
def test_what_was_sold_before_the_start_date_is_observed_or_taken_over(mode, sold_at, expected):
    plan = Plan(routes={}, places={}, modes={"shop": mode}, since={"shop": START})
    assert plan.mode_at("shop", sold_at) == expected
    assert plan.mode_at("other", sold_at) == "live"


def taking_over(**offers: frozenset[str]) -> Hub:
    """A hub that takes over what the shop sold before the start."""
    erp = OPERATIONS["erp"] | {"adopt_sale"}
    plan = make_plan(
        modes={"shop": "adopt"}, since={"shop": NOON}, offers={**OPERATIONS, "erp": erp, **offers}
    )
    hub = Hub(plan)
    hub.stock(SKU_1=5, SKU_2=5)
    return hub


BEFORE = NOON - timedelta(days=1)


def told_sale(document: str = "S7", *, cancelled: bool = False) -> InvoiceReported:
    return InvoiceReported(
        posting=Posting(
            connection=ConnectionId("erp"),
            kind="sale",
            document=document,
            order_ref=REF,
            state="reversed" if cancelled else "posted",
            currency="EUR",
            erp_total=2500,
        )
    )


def test_the_sale_of_an_order_that_is_taken_over_is_asked_for_and_never_made():
    hub = taking_over()
    hub.tell("shop", told(occurred_at=BEFORE))
    assert hub.staged() == ["adopt_sale"]
    hub.settle("adopt_sale", reference="S7", total=2500)
    assert hub.reasons() == ["order.held"]
    hub.operator("release_hold", code="adopted")
    hub.settle("release")
    hub.tell("wms", shipped(l1=2, l2=1))
    delivery = next(stage for _, stage in hub.waiting if stage.operation == "create_delivery")
    assert msgspec.json.decode(delivery.command)["sale_reference"] == "S7"
    assert "create_sale" not in hub.staged()


def test_a_sale_that_the_erp_has_told_of_is_taken_without_asking():
    hub = taking_over()
    hub.tell("erp", told_sale("S6", cancelled=True), told_sale("S7"))
    assert hub.rows[1].finished
    hub.tell("shop", told(occurred_at=BEFORE))
    assert hub.staged() == []
    assert (hub.process().sale.state, hub.process().sale.reference) == ("done", "S7")


def test_an_order_that_nobody_has_booked_is_a_case_and_not_booked_twice():
    hub = taking_over()
    hub.tell("shop", told(occurred_at=BEFORE))
    hub.settle("adopt_sale", outcome="refused", code="not_there", reason="nobody has made it")
    assert hub.reasons() == ["effect.refused", "order.held"]
    assert hub.staged() == ["adopt_sale"]


def test_what_is_sold_since_the_start_is_live():
    hub = taking_over()
    hub.tell("shop", told(occurred_at=NOON))
    assert hub.staged() == ["create_sale", "acknowledge", "release"]


def test_two_sales_of_one_order_are_a_case_until_one_of_them_is_cancelled():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    hub.settle_all()
    hub.tell("erp", told_sale("S1"))
    assert hub.reasons() == []
    hub.tell("erp", told_sale("S2"))
    hub.tell("erp", told_sale("S2"))
    assert hub.reasons() == ["sale.doubled"]
    text = hub.cases[1, "sale.doubled", "erp"]
    assert "S1, S2" in text
    assert "cancel" in text
    hub.tell("wms", shipped(l1=2, l2=1))
    assert hub.reasons() == ["sale.doubled"]
    hub.tell("erp", told_sale("S1", cancelled=True))
    assert hub.reasons() == []


def test_two_sales_of_an_order_that_is_not_known_are_a_case_too():
    hub = Hub()
    hub.tell("erp", told_sale("S1"), told_sale("S2"))
    assert hub.reasons() == ["sale.doubled"]


def test_a_sale_that_is_made_anew_is_no_second_one():
    hub = Hub()
    hub.tell("erp", told_sale("S1", cancelled=True), told_sale("S2"))
    assert hub.reasons() == []


def test_the_sales_that_an_erp_tells_of_are_kept_as_they_are_now():
    hub = Hub(make_plan(modes={"shop": "observe"}))
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    hub.tell("erp", told_sale("S1"), told_sale("S2"))
    hub.tell("erp", told_sale("S1", cancelled=True))
    assert [(s.document, s.cancelled) for s in hub.process().booked] == [("S2", False), ("S1", True)]
    assert hub.staged() == []


def test_a_sale_that_bears_our_own_id_is_of_the_order_that_it_stands_under():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    sale = told_sale()
    hub.tell(
        "erp", msgspec.structs.replace(sale, posting=msgspec.structs.replace(sale.posting, order_ref=None))
    )
    (booked,) = hub.process().booked
    assert (booked.channel, booked.kind, booked.ref) == (REF.connection, REF.kind, REF.id)


def test_a_sale_that_is_a_draft_again_counts_as_none():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    for document in ("S1", "S2"):
        hub.tell("erp", told_sale(document))
    assert "sale.doubled" in hub.reasons()
    sale = told_sale("S2")
    hub.tell(
        "erp", msgspec.structs.replace(sale, posting=msgspec.structs.replace(sale.posting, state="planned"))
    )
    assert "sale.doubled" not in hub.reasons()


def not_askable(**changes: object) -> Hub:
    """A hub that takes over what the shop sold before the start, from an ERP that cannot be asked for it."""
    plan = make_plan(modes={"shop": "adopt"}, since={"shop": NOON}, offers=OPERATIONS)
    hub = Hub(msgspec.structs.replace(plan, **changes))
    hub.stock(SKU_1=5, SKU_2=5)
    return hub


@pytest.mark.parametrize("changes", [{}, {"modes": {"shop": "adopt", "erp": "observe"}}])
def test_where_the_erp_cannot_be_asked_for_a_sale_a_person_is(changes):
    hub = not_askable(**changes)
    hub.tell("shop", told(occurred_at=BEFORE))
    assert hub.process().sale.state == ""
    assert set(hub.process().holds) == {"adopted", "sale_unseen"}
    text = hub.cases[1, "order.held", "sale_unseen"]
    for word in ("#1001", "erp", "release"):
        assert word in text
    hub.tell("shop", told(2, occurred_at=BEFORE))
    assert "sale_unseen" in hub.process().holds
    hub.operator("release_hold", code="adopted")
    assert hub.staged() == []
    hub.operator("release_hold", code="sale_unseen")
    assert (hub.process().sale.state, hub.process().sale.reference) == ("done", "#1001")
    assert hub.staged() == ["release"]
    assert hub.reasons() == []


def test_an_erp_that_cannot_be_asked_may_tell_the_sale_by_itself():
    hub = not_askable()
    hub.tell("shop", told(occurred_at=BEFORE))
    hub.operator("release_hold", code="adopted")
    hub.tell("erp", told_sale("S7", cancelled=True))
    assert "sale_unseen" in hub.process().holds
    hub.tell("erp", told_sale("S8"))
    assert (hub.process().sale.state, hub.process().sale.reference) == ("done", "S8")
    assert hub.reasons() == []
    assert hub.staged() == ["release"]


def test_an_order_without_an_erp_is_taken_over_as_it_is():
    routes = {name: msgspec.structs.replace(route, erp="") for name, route in make_plan().routes.items()}
    hub = not_askable(routes=routes)
    hub.tell("shop", told(occurred_at=BEFORE))
    assert set(hub.process().holds) == {"adopted"}
