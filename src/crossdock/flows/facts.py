"""Facts about an order: each is recorded once, breach or not; what follows from it is decided elsewhere."""

from __future__ import annotations

from crossdock.domain.process import EARLY_MAX
from crossdock.errors import RejectedError
from crossdock.flows.cancelling import record_answer, record_cancellation
from crossdock.flows.desk import SECOND, Again, Desk, canonical_hash
from crossdock.flows.money import record_payment, record_refund
from crossdock.flows.returning import record_return
from crossdock.flows.shipping import record_elsewhere, record_shipment, record_short_pick
from crossdock.model.finance import Payment
from crossdock.model.fulfilment import Shipment
from crossdock.model.reports import (
    CancellationAnswered,
    CancellationRequested,
    OrderReported,
    PaymentReported,
    RefundReported,
    Report,
    ReturnReported,
    ShipmentReported,
    ShortPickReported,
)
from crossdock.model.returns import Refund, Return

AWAITED = "order.awaited"
EARLY_S = 86_400
"""How long reports may wait for their order before a person is told."""

Fact = (
    ShipmentReported
    | ShortPickReported
    | CancellationRequested
    | CancellationAnswered
    | RefundReported
    | ReturnReported
    | PaymentReported
)
FACTS = (
    ShipmentReported,
    ShortPickReported,
    CancellationRequested,
    CancellationAnswered,
    RefundReported,
    ReturnReported,
    PaymentReported,
)


def take_fact(desk: Desk, report: Fact) -> str:
    """Record a fact of its own message; before the order is known it is kept until it is. Returns the outcome."""
    kind, version, digest = fact_seen(report)
    if version and not desk.first_time(kind, version, digest):
        return "duplicate"
    process = desk.process
    if not process.known:
        if not _names_order(report):
            desk.event("report.without_order", {"kind": kind})
            return "unhandled"
        if len(process.early) >= EARLY_MAX:
            raise RejectedError(
                f"{EARLY_MAX} reports about {process.order} have come, and no order. Ask the channel for the order, then retry."
            )
        if not process.early:
            desk.timer(AWAITED, desk.now + EARLY_S * SECOND, Again())
        process.early.append(report)
        process.connection = process.connection or desk.message.source
        desk.event("order.reported_early", {"kind": kind})
        return "processed"
    if process.test:
        desk.event("order.test_ignored", {"kind": kind})
        return "processed"
    if process.copy_of:
        channel, _, reference = process.copy_of.partition(":")
        desk.event("order.copy_kept", {"channel": channel, "reference": reference, "kind": kind})
        return "processed"
    return record(desk, report)


def record(desk: Desk, report: Report) -> str:
    """Record a fact about an order that is known. Returns the outcome."""
    if isinstance(report, ShipmentReported):
        return record_shipment(desk, report.shipment)
    if isinstance(report, ShortPickReported):
        return record_short_pick(desk, report)
    if isinstance(report, CancellationRequested):
        return record_cancellation(desk, report)
    if isinstance(report, CancellationAnswered):
        return record_answer(desk, report)
    if isinstance(report, RefundReported):
        return record_refund(desk, report.refund, alone=True)
    if isinstance(report, ReturnReported):
        return record_return(desk, report.goods_return)
    if isinstance(report, PaymentReported):
        return record_payment(desk, report.payment)
    return "unhandled"


def record_nested(desk: Desk, report: OrderReported, *, first: bool) -> None:
    """Record what a channel holds of an order besides it. Each is known by its own id, however it comes."""
    for shipment in report.shipments:
        record_shipment(desk, shipment)
    if first:
        record_elsewhere(desk, report.order)
    for refund in report.refunds:
        record_refund(desk, refund)
    for goods_return in report.returns:
        record_return(desk, goods_return)
    for payment in report.payments:
        record_payment(desk, payment)


def _names_order(report: Fact) -> bool:
    """Whether the report is about an order at all: a return may be of a sale that nobody names."""
    named = _held(report) or report
    return bool(getattr(named, "order", "") or getattr(named, "order_ref", None))


def _held(report: Fact) -> Shipment | Refund | Return | Payment | None:
    if isinstance(report, ShipmentReported):
        return report.shipment
    if isinstance(report, RefundReported):
        return report.refund
    if isinstance(report, ReturnReported):
        return report.goods_return
    return report.payment if isinstance(report, PaymentReported) else None


def fact_seen(report: Fact) -> tuple[str, str, str]:
    """The kind and version under which a fact is seen once, and the hash of what it says.

    A payment without a version is a new one with every content: providers tell its state anew. An answer that bears no time has no version (""): the same words may answer two questions. It is only ever heard as the
    answer to a question that is open.
    """
    digest = canonical_hash(report)
    kind = report.__struct_config__.tag
    name = str(kind).rpartition(".")[0] or str(kind)
    held = _held(report)
    if held is not None and held.external_id:
        version = held.version or (digest if isinstance(held, Payment) else "")
        return name, f"{held.external_id}@{version}", digest
    timeless = isinstance(report, CancellationAnswered) and report.occurred_at is None
    return str(kind), "" if timeless else digest, digest
