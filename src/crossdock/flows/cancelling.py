"""Cancellations: a request until it is a fact. Asked by the channel, an operator or anyone; answered by the warehouse."""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.domain.custody import Quantity, asked_to_stop, keep, shorten, stop
from crossdock.domain.process import OrderProcess, Request
from crossdock.flows.desk import Desk
from crossdock.model.quantity import LineQuantity
from crossdock.model.reports import CancellationAnswered, CancellationRequested


def record_cancellation(desk: Desk, report: CancellationRequested) -> str:
    """Record that quantities are not wanted; what follows stops whatever can still be stopped."""
    from_channel = desk.message.source == desk.process.connection
    want_less(desk, report.lines, from_channel=from_channel)
    desk.event(
        "cancellation.requested",
        {
            "by": report.by,
            "from": desk.message.source,
            "refunded": report.already_refunded,
            "lines": [[line.line, line.quantity] for line in report.lines],
        },
    )
    return "processed"


def want_less(desk: Desk, lines: Sequence[LineQuantity], *, from_channel: bool) -> None:
    """Take quantities off what is wanted; () takes all that has not left. What has left is told to a person."""
    process = desk.process
    late: list[str] = []
    if not lines:
        for line in process.lines:
            left = max(0, line.ordered - line.shipped)
            if from_channel:
                line.asked = max(line.asked, left)
            else:
                line.cancelled = max(line.cancelled, left)
            if line.shipped and line.who in ("us", "else"):
                late.append(line.id)
    for named in lines:
        found = process.line(named.line) or next(
            (x for x in process.lines if x.sku and x.sku == named.sku), None
        )
        if found is None:
            late.append(named.line)
            continue
        if from_channel:
            found.asked = min(found.ordered, found.asked + named.quantity)
        else:
            found.cancelled = min(found.ordered, found.lost + named.quantity)
        if found.shipped > found.target:
            late.append(found.id)
    if late:
        desk.case(
            "cancellation.too_late",
            f"A cancellation of order {process.number or process.order} came when line {', '.join(late)} had left or is not "
            "in it. Intercept the parcel or expect it back, and tell the channel.",
        )


def record_answer(desk: Desk, report: CancellationAnswered) -> str:
    """Record what a warehouse stopped, and what it was too late for: that ships, and a person is told."""
    process = desk.process
    request = _request(process, report)
    if request is None:
        desk.case(
            "request.unknown",
            f"{desk.message.source} answers a cancellation of request {report.request or '(none)'}, which order "
            f"{process.order} has not. Ask the warehouse which order it means.",
            about=report.request,
            field="request",
        )
        return "processed"
    if not request.stops and not report.accepted:
        desk.event("cancellation.answer_ignored", {"request": request.id, "outcome": report.outcome})
        return "stale"
    answer(
        desk,
        request,
        report.outcome,
        accepted=_quantities(report.accepted),
        refused=_quantities(report.refused),
    )
    return "processed"


def answer(
    desk: Desk,
    request: Request,
    outcome: str,
    *,
    accepted: list[Quantity],
    refused: list[Quantity],
    intent: str = "",
    effect: int = 0,
) -> None:
    """Settle what was asked of a warehouse (of one question, or of all). What it does not name follows the outcome.

    effect: the call that was refused, where that is the answer. It is parked, and what else the warehouse is told of the
    order waits behind it, so a person has to give it up.
    """
    process = desk.process
    for question in request.stops:
        if not intent or question.intent == intent:
            desk.close("cancellation.unanswered", "the warehouse has answered", about=question.intent)
    asked = asked_to_stop(request, intent)
    if not asked and outcome != "refused":
        found = shorten(process, desk.ledger, request, accepted, desk.now)
        desk.event("request.short", {"request": request.id, "location": request.location, "lines": found})
        return
    if outcome == "accepted" and not accepted:
        accepted = asked
    if not refused:
        refused = _less(asked, accepted)
    stopped = stop(desk.ledger, request, accepted) if accepted else 0
    kept = keep(request, refused) if refused else 0
    desk.event("cancellation.answered", {"request": request.id, "stopped": stopped, "refused": kept})
    if kept or effect:
        refunded = any(refund.done for refund in process.refunds)
        then = (
            "intercept it and expect a return, for the buyer has the money back"
            if refunded
            else "tell the channel"
        )
        desk.case(
            "cancellation.refused",
            f"{request.warehouse or request.location} could not stop {kept} of request {request.id} of order "
            f"{process.number or process.order}: it ships. Now {then}. "
            "Where it stands cancelled there all the same, have the warehouse send release.cancelled again.",
            about=request.id,
            effect=effect,
        )


def _request(process: OrderProcess, report: CancellationAnswered) -> Request | None:
    id_ = report.request or (report.request_ref.id if report.request_ref is not None else "")
    found = process.request(id_)
    if found is not None or id_:
        return found
    asked = [request for request in process.requests if request.stops]
    return asked[0] if len(asked) == 1 else None


def _less(asked: list[Quantity], accepted: list[Quantity]) -> list[Quantity]:
    """What of the asked was not accepted."""
    given: dict[str, int] = {}
    for line, _, quantity in accepted:
        given[line] = given.get(line, 0) + quantity
    rest = []
    for line, sku, quantity in asked:
        part = min(quantity, given.get(line, 0))
        if part:
            given[line] -= part
        if quantity > part:
            rest.append((line, sku, quantity - part))
    return rest


def _quantities(lines: Sequence[LineQuantity]) -> list[Quantity]:
    return [(line.line, line.sku, line.quantity) for line in lines]
