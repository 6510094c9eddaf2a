"""What a connector says of itself: one spec is the form, the validation and the page of documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from crossdock.model.reports import Report

Role = Literal["channel", "till", "erp", "wms", "payments", "partner", "subscriber"]


SettingKind = Literal["text", "whole", "number", "currency", "time", "map"]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One value that a connection needs. A secret is only ever given as `${ENV}`.

    It is checked before anything starts, and comes to the connector as text. kind: `whole` and `number` are bound by `low` and
    `high`, a `currency` is an ISO 4217 code, a `time` says its offset from UTC, a `map` is `theirs=ours, ...`. pattern: a regular
    expression that all of it matches, of a map every key. names: what it stands for, or each value of a map, must be a
    location or a connection of the hub. A name that ends in `url` or `zone` says its kind itself.
    """

    name: str
    doc: str
    secret: bool = False
    required: bool = True
    default: str = ""
    choices: tuple[str, ...] = ()
    kind: SettingKind = "text"
    low: float | None = None
    high: float | None = None
    pattern: str = ""
    names: Literal["", "location", "connection"] = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the partner bears. `requests_per_s` 0 means that it names no limit."""

    requests_per_s: float = 0.0
    burst: int = 10
    concurrency_max: int = 8
    page_max: int = 250


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that we do to the partner, and how doubles are avoided there.

    kind: `once` creates something; `latest` sets a value that is read when it is sent, older ones superseded.
    doubles: `key` (the partner dedupes by our effect key), `lookup` (ask before a second try), `none` (an unclear
    reply parks as in doubt). batch_max > 1: one call carries many, each with its own result.
    deadline_s: total for the whole call. settle_s: how long after a lost reply the partner may still be at it.
    held_by_case: an open case of the order holds it back (a warehouse release: yes).
    aside: nothing of its order waits for it, so that its success is no message, and its failure is a case of the
    connection's own, which holds nothing of the order back (an event that is told).
    """

    name: str
    doc: str
    kind: Literal["once", "latest", "poll"] = "once"
    doubles: Literal["key", "lookup", "none"] = "key"
    batch_max: int = 1
    deadline_s: float = 30.0
    settle_s: float = 5.0
    held_by_case: bool = False
    aside: bool = False


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of message that the connector understands. `overtakes`: it never waits behind a parked one."""

    kind: str
    doc: str
    overtakes: bool = False
    whole_object: bool = False
    """True where it carries the whole object, so that a newer one may supersede a parked older one."""


class ConnectorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be known of a connector without running it.

    feeds: what the operation `poll` can read. mapping_revision is raised whenever the mapping would give another result for the same bytes.
    """

    name: str
    title: str
    roles: tuple[Role, ...]
    settings: tuple[Setting, ...]
    operations: tuple[Operation, ...]
    inbound: tuple[Inbound, ...]
    feeds: tuple[str, ...] = ()
    limits: Limits = Limits()
    mapping_revision: int = 1

    def operation(self, name: str) -> Operation | None:
        """The operation of that name, or None where the connector does not offer it."""
        return next((o for o in self.operations if o.name == name), None)

    def understands(self, kind: str) -> Inbound | None:
        """The inbound kind of that name, or None: such a message is kept unhandled."""
        return next((i for i in self.inbound if i.kind == kind), None)


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate reads from a delivery before it is kept; a pure function of headers and body.

    kind: the source's own word (Shopify: the topic). ref_kind, ref: what it is about, in the source's ids; for the
    hub's own order id, ref_kind is "hub". delivery_id: the sender's id of this delivery, "" where it has none.
    An empty ref means that it is not about one order: it gets a stream of its own.
    """

    kind: str
    ref_kind: str = ""
    ref: str = ""
    delivery_id: str = ""
    occurred_at: str = ""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of a page, file or upload: a message of its own, with its own key, that parks alone.

    ref_source: the connection whose name for it `ref` is; "" for the partner's own.
    after_s: so long after the whole was received it is taken up, so that a large upload does not go before everybody
    else's messages.
    """

    kind: str
    body: bytes
    ref_kind: str = ""
    ref: str = ""
    ref_source: str = ""
    delivery_id: str = ""
    after_s: float = 0.0


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """What translate is told besides the bytes.

    subject: the hub's id of what the message is about (an order id). received_at: ISO 8601 UTC.
    """

    connection: str
    subject: str
    received_at: str = ""
    settings: Mapping[str, str] = {}


class Connector(Protocol):
    """A connection's connector: built from its settings, pure, no state of its own.

    Besides these, it has one method per operation of its spec, `name(command, intent) -> Calls`; `command` is the
    class of `crossdock.model.commands` for that operation. For `batch_max` > 1 `command` is a tuple of them, and for `once`
    `intent` is one too; the call ends with `Results`.
    """

    spec: ConnectorSpec

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureError unless the delivery is the vendor's own. Compares in constant time."""

    def gate(self, headers: Mapping[str, str], body: bytes) -> Gate:
        """Read kind, key and delivery id; raise MappingError where even that is impossible."""
        ...

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        """Cut a page, file or upload into children; None where the message is a single one."""

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        """Turn one message into canonical reports; raise MappingError that names the field."""
        ...

    def request_headers(self) -> Mapping[str, str]:
        """Headers that every request to the partner carries (its credentials)."""
        ...


Build = Any  # a callable (settings: Mapping[str, str]) -> Connector; each connector package exports `build`
