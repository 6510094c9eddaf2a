"""Money that moved: refunds and payments, recorded as told; a refund of more than was paid stands as a case."""

from __future__ import annotations

from crossdock.domain.journal import credit_parts, extras_back, refund_entries
from crossdock.domain.process import Refunded
from crossdock.flows.desk import Desk
from crossdock.model.finance import Payment
from crossdock.model.returns import Refund
from crossdock.model.versions import is_newer


def record_refund(desk: Desk, refund: Refund, *, alone: bool = False) -> str:
    """Record a refund as it stands; only one that was done counts.

    alone: it came without its order, and whoever told it need not know whether its goods left.
    """
    process = desk.process
    key = f"{refund.connection or desk.message.source}:{refund.external_id or refund.id}"
    held = next((mine for mine in process.refunds if mine.key == key), None)
    if held is None:
        held = Refunded(key=key)
        process.refunds.append(held)
        process.refunds.sort(key=lambda mine: mine.key)
    elif not is_newer(refund.version, held.version):
        return "duplicate" if refund.version == held.version else "stale"
    recorded_before = held.parts is None and held.done
    held.version = refund.version
    foreign = refund.currency != process.currency
    held.done = refund.state == "done" and not refund.test and not foreign
    held.total = refund.total
    held.alone = alone
    held.entries = refund_entries(refund)
    held.extras = extras_back(refund)
    held.unsent = [(x.line, x.quantity, x.gross) for x in refund.lines if x.restock == "cancelled"]
    if not recorded_before:
        held.parts = [] if foreign or refund.test else credit_parts(refund)
    if foreign:
        desk.case(
            "refund.other_currency",
            f"Refund {key} of order {process.number or process.order} is in {refund.currency}, the order in "
            f"{process.currency}. It is kept and counted nowhere: post it by hand.",
            about=key,
            field="currency",
        )
    desk.event(
        "refund.recorded",
        {
            "refund": key,
            "state": refund.state,
            "total": refund.total,
            "currency": refund.currency,
            "by": refund.by,
        },
    )
    return "processed"


def record_payment(desk: Desk, payment: Payment) -> str:
    """Tell that a payment moved. What is paid is read from the order's tenders, so that nothing counts twice."""
    desk.event(
        "payment.reported",
        {
            "payment": payment.external_id or payment.id,
            "state": payment.state,
            "captured": payment.captured,
            "currency": payment.currency,
        },
    )
    return "processed"
