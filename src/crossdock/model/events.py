"""The event envelope: CloudEvents 1.0 in structured JSON (cloudevents.io, spec v1.0.2)."""

from typing import Any

from crossdock.model.base import Instant, Model, require


class CloudEvent(Model, frozen=True, kw_only=True, tag_field="specversion", tag="1.0"):
    """Carry one event in the structured JSON mode of CloudEvents 1.0; `specversion` is always "1.0" on the wire.

    `source` and `id` together are unique: a receiver who has seen both may drop the second. `subject` is the
    reference of what it is about. `data` is any value that msgspec encodes; () and "" are left out, as the standard
    forbids empty attributes. `traceparent` is W3C Trace Context; `correlationid` the whole story, set at the gate;
    `causationid` the id of the direct parent; `sequence` orders the events of one subject; `partitionkey` is what
    a broker keeps in order.
    """

    id: str
    source: str
    type: str
    subject: str = ""
    time: Instant | None = None
    datacontenttype: str = ""
    dataschema: str = ""
    data: Any = None
    traceparent: str = ""
    tracestate: str = ""
    correlationid: str = ""
    causationid: str = ""
    sequence: str = ""
    partitionkey: str = ""

    def __post_init__(self) -> None:
        require(bool(self.id and self.source and self.type), "event", "CloudEvents wants id, source and type")

    @property
    def specversion(self) -> str:
        """The version of CloudEvents that this envelope follows."""
        return "1.0"
