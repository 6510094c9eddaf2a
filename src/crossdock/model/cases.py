"""The exception queue: what a person must look at, why, and how it ended."""

from typing import Literal

from crossdock.model.base import Instant, Model, require
from crossdock.model.ids import CaseId, ConnectionId, CorrelationId, ExternalRef, FactRef, OrderId

CaseState = Literal["open", "resolved"]
Resolution = Literal[
    "", "retried", "edited", "accepted", "cancelled", "superseded", "ignored", "fixed_elsewhere"
]


class Case(Model, frozen=True, kw_only=True):
    """Hold one entry of the exception queue.

    `reason` is a stable code ("totals.difference", "mapping.field"); `message` tells an operator what was tried, on
    which reference, and what to do next, and never holds a secret or a buyer's address. `field` names the field
    that could not be understood. `holds` says that the case keeps the effects of its order back that ask for it.
    """

    id: CaseId
    reason: str
    message: str
    subject: FactRef | None = None
    subject_ref: ExternalRef | None = None
    order: OrderId = OrderId("")
    connection: ConnectionId = ConnectionId("")
    correlation: CorrelationId = CorrelationId("")
    field: str = ""
    holds: bool = True
    state: CaseState = "open"
    owner: str = ""
    opened_at: Instant | None = None
    resolution: Resolution = ""
    resolution_note: str = ""
    resolved_by: str = ""
    resolved_at: Instant | None = None

    def __post_init__(self) -> None:
        require(
            bool(self.reason and self.message), "case", "needs a reason and a message that says what to do"
        )
        require(
            (self.state == "resolved") == bool(self.resolution),
            "resolution",
            "a resolved case says how, an open one not",
        )
