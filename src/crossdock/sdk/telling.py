"""What connectors to subscribers share: which events are wanted, and the side that faces us.

A subscriber is a connection like any other with one operation, `tell(command: Tell, intent)`. An event's id never
changes, neither over attempts nor over replays, so that whoever has seen it may drop it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from crossdock.errors import ConfigurationError, MappingError, SignatureError
from crossdock.model.event_types import BUSINESS, EVENT_TYPES
from crossdock.model.events import CloudEvent
from crossdock.model.reports import Report
from crossdock.sdk.spec import Child, ConnectorSpec, Gate, Operation, Setting, Translation

TELL = "tell"
CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
"""The structured mode of CloudEvents, one event a message (HTTP binding 3.2, NATS binding 3.2, Kafka binding 3.3)."""
EVENTS = Setting(
    name="events",
    doc='Types that it is told, such as ["order.*", "shipment.recorded"]; none: every business event',
    required=False,
)
_encode = msgspec.json.Encoder().encode


def tell(doc: str, *, deadline_s: float = 30.0) -> Operation:
    """The operation of a subscriber: told again under the same id until it has said that it has it."""
    return Operation(name=TELL, doc=doc, doubles="key", deadline_s=deadline_s, settle_s=0.0, aside=True)


class Wants:
    """Which events a subscriber is told, by the setting `events`; raises ConfigurationError for a type there is not."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._patterns = tuple(part.strip() for part in settings.get(EVENTS.name, "").split(",") if part)
        for pattern in self._patterns:
            if not any(fnmatchcase(type_, pattern) for type_ in EVENT_TYPES):
                raise ConfigurationError(
                    f"there is no event {pattern!r}. {_hint(pattern)}", field=EVENTS.name
                )
        self._known: dict[str, bool] = {}

    def __contains__(self, type_: object) -> bool:
        known = self._known.get(str(type_))
        if known is None:
            known = self._known[str(type_)] = self._wants(str(type_))
        return known

    def _wants(self, type_: str) -> bool:
        """A type that is not in the contract is told too: it is somebody's who extends the hub."""
        if not self._patterns:
            return type_ in BUSINESS or type_ not in EVENT_TYPES
        return any(fnmatchcase(type_, pattern) for pattern in self._patterns)


class Subscriber:
    """The side of a subscriber's connector that faces us: nothing comes in."""

    def __init__(self, spec: ConnectorSpec, settings: Mapping[str, str]) -> None:
        self.spec = spec
        Wants(settings)

    def request_headers(self) -> Mapping[str, str]:
        """Nothing but what a connector adds."""
        return {}

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Nobody can prove to be a subscriber."""
        raise SignatureError("A subscriber is told events and sends none. Post to another connection.")

    def gate(self, headers: Mapping[str, str], body: bytes) -> Gate:
        """Never reached."""
        raise MappingError("A subscriber sends nothing.")

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        """Nothing to split."""
        return None

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        """Nothing to translate."""
        return ()


def encoded(event: CloudEvent) -> bytes:
    """The event in the structured mode: the same bytes for every attempt."""
    return _encode(event)


def _hint(pattern: str) -> str:
    close = difflib.get_close_matches(pattern, list(EVENT_TYPES), n=1, cutoff=0.6)
    groups = sorted({type_.partition(".")[0] for type_ in BUSINESS})
    return (
        f"Did you mean {close[0]!r}?"
        if close
        else f"There are the groups {', '.join(groups)}: write 'order.*'."
    )
