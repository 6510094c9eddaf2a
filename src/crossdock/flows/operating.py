"""What operators do to an order, and the messages that an order sends to itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.domain.sourcing import release_claims
from crossdock.domain.status import status
from crossdock.engine.messages import OperatorAction
from crossdock.errors import RejectedError
from crossdock.flows.cancelling import want_less
from crossdock.flows.consequences import BALANCE
from crossdock.flows.copying import AWAITED as COPY_AWAITED
from crossdock.flows.copying import still_alone
from crossdock.flows.desk import Again, Desk
from crossdock.flows.facts import AWAITED
from crossdock.flows.goods import ANSWER, RELEASE, SOURCE
from crossdock.flows.telling import ACKNOWLEDGE, look_acknowledged
from crossdock.model.quantity import LineQuantity

EXPIRE = "reservation.expire"
OVERDUE = "order.overdue"
TIMERS = (BALANCE, SOURCE, RELEASE, ANSWER, EXPIRE, OVERDUE, AWAITED, ACKNOWLEDGE, COPY_AWAITED)


def take_action(desk: Desk, action: OperatorAction) -> str:
    """Do what an operator asks: `cancel_order`, `release_hold` or `resolve_case`. Returns the outcome."""
    process = desk.process
    if action.action == "cancel_order":
        want_less(desk, _lines(action.data), from_channel=False)
        desk.event("cancellation.requested", {"by": "seller", "from": "operator", "actor": action.actor})
    elif action.action == "release_hold":
        code = str(action.data.get("code", ""))
        lifted = [held for held in process.holds if not code or held == code]
        for held in lifted:
            del process.holds[held]
            process.lifted.append(held)
        desk.event("order.hold_released", {"codes": lifted, "actor": action.actor})
    elif action.action == "resolve_case":
        reason, about = str(action.data.get("reason", "")), str(action.data.get("about", ""))
        process.pending.pop(about, None)
        desk.close(reason, f"{action.actor}: {action.reason}", about=about)
        desk.event("case.resolved", {"reason": reason, "about": about, "actor": action.actor})
    else:
        desk.event("operator.unhandled", {"action": action.action, "actor": action.actor})
        return "unhandled"
    return "processed"


def take_timer(desk: Desk, kind: str, again: Again) -> str:
    """Do what a message to ourselves reminds of. Returns the outcome; one that time has overtaken is stale."""
    process = desk.process
    if kind == SOURCE:
        process.source_at = 0
    elif kind == RELEASE:
        process.release_at = 0
    elif kind == EXPIRE:
        return _expire(desk)
    elif kind == ANSWER:
        return _unanswered(desk, again)
    elif kind == OVERDUE:
        return _overdue(desk)
    elif kind == ACKNOWLEDGE:
        return look_acknowledged(desk)
    elif kind == AWAITED:
        return _awaited(desk)
    elif kind == COPY_AWAITED:
        return still_alone(desk)
    desk.event(f"{kind}_due", {})
    return "processed"


def _expire(desk: Desk) -> str:
    process = desk.process
    if process.commitment != "tentative" or process.expired:
        desk.event("reservation.expiry_ignored", {})
        return "stale"
    process.expired = True
    for piece in process.pieces:
        release_claims(piece, sum(piece.claims.values()), desk.ledger, "expire")
    desk.event("reservation.expired", {})
    return "processed"


def _unanswered(desk: Desk, again: Again) -> str:
    request = desk.process.request(again.request)
    if request is None or all(question.intent != again.intent for question in request.stops):
        desk.event("cancellation.answer_in_time", {"request": again.request})
        return "stale"
    desk.event("cancellation.unanswered", {"request": again.request})
    desk.case(
        "cancellation.unanswered",
        f"{request.warehouse or request.location} was asked to stop a part of request {request.id} and has not answered. "
        "Call it; until it answers nothing is told to the channel.",
        about=again.intent,
    )
    return "processed"


def _awaited(desk: Desk) -> str:
    process = desk.process
    if process.known:
        desk.event("order.came_in_time", {})
        return "stale"
    desk.event("order.missing", {"reports": len(process.early)})
    desk.case(
        "order.missing",
        f"{len(process.early)} reports about {process.order} have come from {process.connection}, and no order. Ask the "
        "channel to send it again; the reports are applied when it comes.",
    )
    return "processed"


def _overdue(desk: Desk) -> str:
    process = desk.process
    now = status(process)
    if now.finished:
        desk.event("order.finished_in_time", {})
        return "stale"
    desk.event("order.overdue", {"stage": now.stage})
    desk.case(
        "order.overdue",
        f"Order {process.number or process.order} should be done, and is {now.stage}. See what it waits for on its timeline.",
    )
    return "processed"


def _lines(data: Mapping[str, Any]) -> tuple[LineQuantity, ...]:
    try:
        return msgspec.convert(data.get("lines", ()), tuple[LineQuantity, ...])
    except msgspec.ValidationError as error:
        raise RejectedError(
            f"The lines to cancel cannot be read: {error}. Name each as line and quantity.", field="lines"
        ) from error
