import pytest

from crossdock.domain.policy import Policy
from crossdock.engine.messages import HUB, SETTLED, Settled
from tests.flows.facts import answered, cancel, quantities, refunded, shipped, told
from tests.flows.hub import HOUR, Hub
from tests.flows.taken import commands, taken


def test_before_the_release_a_cancellation_is_a_fact_at_once():
    hub = taken(policy=Policy(grace_s=600))
    hub.tell("shop", told(2, cancelled=True))
    assert (hub.level("SKU-1").available, hub.rows[1].custody) == (5, "cancelled")
    hub.settle_all()
    assert hub.staged() == ["create_sale", "acknowledge", "cancel_sale"]
    assert commands(hub, "cancel_sale") == [
        {"order_id": "CD0000000001", "reason": "cancelled", "sale_reference": "create_sale-sale"}
    ]
    assert (hub.rows[1].stage, hub.rows[1].finished) == ("cancelled", True)
    hub.advance(HOUR)
    assert "release" not in hub.staged()


def test_a_cancelled_order_stands_in_the_erp_however_its_messages_came():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told(2, cancelled=True))
    hub.settle_all()
    assert hub.staged() == ["create_sale", "cancel_sale"]
    assert hub.rows[1].finished


def test_after_the_release_the_warehouse_is_asked_and_the_others_wait_for_its_answer():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    assert hub.staged()[-1] == "cancel_release"
    assert hub.rows[1].stage == "cancelling"
    assert hub.level("SKU-1").allocated == 2
    hub.settle_all()
    assert "cancel_sale" not in hub.staged()
    hub.tell("wms", answered("accepted"))
    hub.settle_all()
    assert hub.staged()[-1] == "cancel_sale"
    assert "cancel_order" not in hub.staged(), "it began at the channel, which knows"
    assert (hub.level("SKU-1").available, hub.rows[1].stage) == (5, "cancelled")


def test_an_operator_cancels_and_channel_and_erp_are_told():
    hub = taken()
    hub.settle_all()
    hub.operator("cancel_order")
    hub.settle("cancel_release")
    hub.tell("wms", answered("accepted", accepted=quantities(l1=2, l2=1)))
    hub.settle_all()
    assert hub.staged()[-2:] == ["cancel_order", "cancel_sale"]
    assert commands(hub, "cancel_order") == [{"order_id": "CD0000000001", "reason": "cancelled"}]
    assert (hub.rows[1].stage, hub.rows[1].finished) == ("cancelled", True)
    hub.tell("shop", told(2, cancelled=True))
    assert hub.staged().count("cancel_order") == 1


def test_an_operator_cancels_a_part():
    hub = taken(policy=Policy(grace_s=600))
    hub.operator("cancel_order", lines=[{"line": "1", "quantity": 1}])
    hub.settle_all()
    assert commands(hub, "cancel_order")[0]["lines"] == [{"line": "1", "quantity": 1, "sku": "SKU-1"}]
    assert commands(hub, "cancel_sale")[0]["lines"] == [{"line": "1", "quantity": 1, "sku": "SKU-1"}]
    hub.advance(600_000_000)
    assert commands(hub, "release")[0]["request"]["lines"][0]["quantity"] == 1


def test_two_parts_cancelled_one_after_the_other_are_two_words_to_the_erp():
    hub = taken(policy=Policy(grace_s=600))
    hub.settle_all()
    for line in ("1", "2"):
        hub.operator("cancel_order", lines=[{"line": line, "quantity": 1}])
        hub.settle_all()
    assert [told["lines"][0]["line"] for told in commands(hub, "cancel_sale")] == ["1", "2"]


@pytest.mark.fault(32)
def test_a_warehouse_that_is_too_late_ships_and_a_person_is_told():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    hub.settle("cancel_release")
    hub.tell("wms", answered("refused"))
    assert hub.reasons() == ["cancellation.refused"]
    assert hub.rows[1].stage == "at_warehouse"
    assert hub.staged().count("cancel_release") == 1
    hub.tell("wms", shipped(l1=2, l2=1))
    assert "order.cancelled_and_shipped" in hub.reasons()
    hub.settle_all()
    assert "cancel_sale" not in hub.staged()
    assert "create_invoice" in hub.staged()


def test_a_warehouse_that_refuses_the_question_has_refused_to_stop():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    (stage,) = (stage for _, stage in hub.waiting if stage.operation == "cancel_release")
    refused = Settled(
        effect=7,
        connection="wms",
        operation=stage.operation,
        intent=stage.intent,
        outcome="refused",
        reason="packed",
        code="409",
    )
    decision = hub.tell(HUB, refused, kind=SETTLED)
    assert hub.reasons() == ["cancellation.refused"]
    assert hub.process().requests[0].items[0].kept == 2
    assert [case.effect for case in decision.cases] == [
        7
    ]  # else all that follows would wait behind it for ever


def test_an_answer_that_cannot_be_read_is_no_refusal():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    hub.settle("cancel_release", outcome="refused", reason="a page of HTML")
    assert hub.reasons() == ["effect.refused"]
    hub.tell("wms", answered("accepted"))
    assert hub.process().requests[0].items[0].out == 0


def test_a_warehouse_that_refused_and_then_says_that_it_stopped_is_believed():
    """It was asked twice, and had forgotten the first time: it refuses to stop what it has stopped."""
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    hub.settle("cancel_release")
    hub.tell("wms", answered("refused"))
    hub.tell("wms", answered("accepted", accepted=quantities(l1=2, l2=1)))
    hub.settle_all()
    assert hub.rows[1].custody == "cancelled"
    assert "cancel_sale" in hub.staged()
    assert hub.level("SKU-1").allocated == 0


def test_a_part_acceptance_stops_a_part():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    hub.settle("cancel_release")
    hub.tell("wms", answered("part_accepted", accepted=quantities(l1=1, l2=1)))
    hub.tell("wms", shipped(l1=1))
    hub.settle_all()
    assert commands(hub, "cancel_sale")[0]["lines"] == [
        {"line": "1", "quantity": 1, "sku": "SKU-1"},
        {"line": "2", "quantity": 1, "sku": "SKU-2"},
    ]
    assert (hub.level("SKU-1").on_hand, hub.level("SKU-1").allocated) == (4, 0)


def test_a_warehouse_that_does_not_answer_is_called():
    hub = taken()
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    hub.settle("cancel_release")
    hub.advance(5 * HOUR)
    assert hub.reasons() == ["cancellation.unanswered"]
    hub.tell("wms", answered("accepted"))
    assert hub.reasons() == []


def test_a_warehouse_that_takes_no_cancellations_is_a_case():
    hub = taken(offers={"wms": frozenset({"release"})})
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    assert hub.reasons() == ["cancellation.by_hand"]


def test_a_release_that_was_refused_stops_at_once():
    hub = taken()
    hub.settle("release", outcome="refused", reason="bad address")
    hub.tell("shop", told(2, cancelled=True))
    assert "cancel_release" not in hub.staged()
    assert (hub.level("SKU-1").available, hub.rows[1].custody) == (5, "cancelled")


@pytest.mark.fault(32)
def test_cancelled_after_shipped_is_a_conflict_case_and_nothing_is_overwritten():
    hub = taken()
    hub.tell("wms", shipped(l1=2, l2=1))
    hub.settle_all()
    hub.tell("shop", told(2, cancelled=True))
    assert hub.reasons() == ["order.cancelled_and_shipped", "order.cancelled_and_shipped"]
    assert (hub.rows[1].custody, hub.level("SKU-1").on_hand) == ("shipped", 3)
    hub.settle_all()
    assert "cancel_sale" not in hub.staged()


def test_a_request_to_cancel_takes_what_has_not_left():
    hub = taken()
    hub.settle_all()
    hub.tell("wms", shipped(l1=1))
    hub.tell("shop", cancel())
    hub.settle("cancel_release")
    hub.tell("wms", answered("accepted"))
    hub.settle_all()
    assert hub.reasons() == ["cancellation.too_late"]
    assert (hub.rows[1].custody, hub.process().lines[0].shipped) == ("shipped", 1)
    assert commands(hub, "cancel_sale")[0]["lines"] == [
        {"line": "1", "quantity": 1, "sku": "SKU-1"},
        {"line": "2", "quantity": 1, "sku": "SKU-2"},
    ]


@pytest.mark.fault(31)
def test_a_request_to_cancel_before_the_order_is_applied_when_it_comes():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", cancel(l1=1))
    hub.tell("shop", told())
    assert commands(hub, "release")[0]["request"]["lines"][0]["quantity"] == 1


@pytest.mark.fault(4)
def test_a_cancellation_waits_for_a_sale_in_doubt():
    hub = taken(policy=Policy(grace_s=600))
    hub.settle("create_sale", outcome="in_doubt", reference="")
    hub.tell("shop", told(2, cancelled=True))
    assert "cancel_sale" not in hub.staged()
    assert hub.reasons() == ["effect.in_doubt"]
    settled = hub.effects[1, "erp", "create_sale", "sale"]
    hub.waiting.append((1, settled))
    hub.settle("create_sale", reference="S-1")
    assert commands(hub, "cancel_sale")[0]["sale_reference"] == "S-1"
    assert hub.reasons() == []


def test_a_channel_that_cannot_be_told_is_a_case():
    hub = taken(policy=Policy(grace_s=600), offers={"shop": frozenset({"acknowledge"})})
    hub.operator("cancel_order")
    assert hub.reasons() == ["cancellation.tell_by_hand"]


def test_the_journal_reverses_what_was_cancelled_and_ends_the_same():
    hub = taken(policy=Policy(grace_s=600))
    hub.tell("shop", told(2, cancelled=True, tenders=()))
    sums: dict[str, int] = {}
    for posting in hub.postings:
        for account, amount in posting.entries:
            sums[account] = sums.get(account, 0) + amount
    assert set(sums.values()) == {0}


def test_reports_whose_order_never_comes_become_a_case():
    hub = Hub()
    hub.tell("shop", cancel(l1=1))
    hub.tell("shop", refunded())
    assert (hub.rows[1].stage, hub.reasons()) == ("unknown", [])
    hub.advance(25 * HOUR)
    assert hub.reasons() == ["order.missing"]
