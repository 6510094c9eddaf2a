"""What a person does to have persons forgotten. What a shop asks for goes its own way (flows/forgetting.py)."""

from __future__ import annotations

from collections.abc import Mapping

from crossdock.console.acting import act, require_named
from crossdock.console.face import Face
from crossdock.domain.status import NEEDS_ADDRESS
from crossdock.engine.messages import Receipt, subject_id
from crossdock.errors import ConflictError, NotFoundError

NEVER_SENT = ("unknown", "test", "copy", "observed")
"""Stages of orders that nobody here has to send anywhere, whatever their custody says."""


def erase(
    face: Face, subject: int, actor: str, reason: str, *, caller: Mapping[str, str] | None = None
) -> Receipt:
    """Forget the persons of an order, for good; who did it and why stays on its timeline."""
    require_named(actor, reason)
    with face.reads() as reads:
        order = reads.order(subject)
    if order is None:
        raise NotFoundError(f"There is no order {subject_id(subject)} whose persons could be forgotten.")
    if order["custody"] in NEEDS_ADDRESS and order["stage"] not in NEVER_SENT:
        raise ConflictError(
            f"Order {subject_id(subject)} is still to be shipped: without its address it could not be. Cancel it, or wait "
            "until it has left, then erase it.",
            field="order",
        )
    face.hub.erase(subject)
    return act(face, subject, "erase", actor=actor, reason=reason, caller=caller)
