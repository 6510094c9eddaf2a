import pytest

from crossdock.domain.policy import Policy
from crossdock.engine.messages import HUB, SETTLED, Settled
from crossdock.errors import RejectedError
from tests.flows.facts import shipped, told
from tests.flows.hub import Hub, make_plan


def taken(**changes: object) -> Hub:
    hub = Hub(make_plan(**changes))
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    return hub


@pytest.mark.fault(30)
@pytest.mark.parametrize("outcome", ["refused", "in_doubt", "exhausted"])
def test_an_effect_that_did_not_happen_asks_a_person_and_goes_on_when_it_did(outcome):
    hub = taken()
    stage = hub.effects[1, "erp", "create_sale", "sale"]
    hub.settle(
        "create_sale", outcome=outcome, reference="", reason="no such customer", field="customer", attempts=3
    )
    assert hub.reasons() == [f"effect.{outcome}"]
    ((_, _, about),) = hub.cases
    assert about == "erp/create_sale/sale"
    (text,) = hub.cases.values()
    for word in ("create_sale", "#1001", "erp", "attempt 3", "no such customer", "retry"):
        assert word in text
    hub.tell("wms", shipped(l1=2, l2=1))
    assert "create_delivery" not in hub.staged()
    hub.waiting.append((1, stage))
    hub.settle("create_sale", reference="S-1")
    assert hub.reasons() == []
    assert "create_delivery" in hub.staged()


def test_an_effect_that_a_person_dropped_is_waited_for_no_more():
    hub = taken()
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle("acknowledge", outcome="refused", reason="no")
    hub.settle_all()
    assert not hub.rows[1].finished
    dropped = Settled(
        effect=1,
        connection="shop",
        operation="acknowledge",
        intent="acknowledge",
        outcome="refused",
        code="dropped",
    )
    hub.tell(HUB, dropped, kind=SETTLED)
    assert hub.rows[1].finished


def test_the_total_of_the_erp_is_compared_and_a_cent_is_posted_as_rounding():
    hub = taken(policy=Policy(erp_total_tolerance=1))
    hub.settle("create_sale", total=2501)
    assert hub.cases == {}
    assert hub.postings[-1].entries == (("receivable", 1), ("rounding", -1))
    hub = taken(policy=Policy(erp_total_tolerance=1))
    hub.settle("create_sale", total=2502)
    assert hub.reasons() == ["sale.total_differs"]
    assert hub.fields["sale.total_differs"] == "total"


def test_only_the_case_of_an_effect_that_did_not_happen_is_about_that_effect():
    def cases_of(**outcome):
        hub = taken()
        settled = Settled(effect=9, connection="erp", operation="create_sale", intent="sale", **outcome)
        return [(case.reason, case.effect) for case in hub.tell(HUB, settled, kind=SETTLED).cases]

    assert cases_of(outcome="refused") == [("effect.refused", 9)]
    assert cases_of(outcome="done", total=1) == [("sale.total_differs", 0)]


def test_an_outcome_of_nobodys_effect_is_kept_unhandled():
    hub = taken()
    settled = Settled(effect=9, connection="erp", operation="poll", intent="stock:1", outcome="exhausted")
    decision = hub.tell(HUB, settled, subject=77, kind=SETTLED)
    assert decision.outcome == "unhandled"
    assert hub.reasons(77) == ["effect.exhausted"]
    assert 77 not in hub.orders


def test_an_operator_cannot_act_on_an_order_that_is_not_there():
    with pytest.raises(RejectedError, match="CD0000000009"):
        taken().operator("cancel_order", subject=9)


def test_lines_that_cannot_be_read_are_refused_with_their_field():
    with pytest.raises(RejectedError) as caught:
        taken().operator("cancel_order", lines=[{"line": "1"}])
    assert caught.value.field == "lines"


def test_an_action_without_a_flow_is_unhandled():
    assert taken().operator("dance").outcome == "unhandled"


def test_a_timer_that_time_has_overtaken_changes_nothing():
    hub = taken(policy=Policy(reservation_s=60))
    before = hub.rows[1]
    from crossdock.flows.desk import Again

    decision = hub.tell(HUB, Again(), kind="reservation.expire")
    assert decision.outcome == "stale"
    assert (hub.rows[1].custody, hub.level("SKU-1").allocated) == (before.custody, 2)


def test_a_release_whose_reply_could_not_be_read_may_be_under_way_and_is_asked_to_stop():
    """Else it is shipped, and once more by the request that takes its place."""
    hub = taken()
    hub.settle("release", outcome="in_doubt", reason="a page of HTML")
    assert hub.reasons() == ["effect.in_doubt"]
    hub.tell("shop", told(2, cancelled=True))
    assert "cancel_release" in hub.staged()
    assert hub.rows[1].custody != "cancelled"
