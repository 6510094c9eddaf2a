"""What every partner simulator is: a pure function of (request, now, seed) over plain state.

A simulator has no clock, socket or thread. Time is an integer of microseconds since 1970 that the caller gives and
that never goes back; dice are a `random.Random` of the seed. So the same simulator is served over loopback for the
demo and called directly by the deterministic simulation.

A simulator's class is built as `Kind(settings, seed)`, `settings` being the JSON object of the configuration.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal, Protocol, cast

import msgspec

from crossdock.errors import ConfigurationError

SECOND = 1_000_000
"""One second of simulated time, in its microseconds."""

Event = tuple[Mapping[str, str], bytes]
"""One delivery for the hub: headers (lower case, signed) and raw body."""

Cut = Literal["", "before", "body"]
"""How a reply is broken: the connection is dropped instead of it, or in the middle of its body."""


class SimRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request as the partner sees it; `path` is without the simulator's own prefix, header names lower case."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""


class SimResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The partner's reply; `delay_s` is how long it takes. `cut` is set by faults only."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delay_s: float = 0.0
    cut: Cut = ""


class Simulator(Protocol):
    """A partner system. Every method takes the time; none may read it."""

    def handle(self, request: SimRequest, now: int) -> SimResponse:
        """Answer one request, changing the state."""
        ...

    def due_events(self, now: int) -> list[Event]:
        """Return the deliveries that have become due, each once, in the order to be posted."""
        ...

    def next_due(self) -> int | None:
        """Return when the next delivery becomes due, or None where nothing is planned."""
        ...

    def state(self, *, documents: bool = True) -> dict[str, Any]:
        """Return counts, and unless told otherwise documents, as plain JSON values: what a proof compares with the hub's."""
        ...


KINDS = {
    "wms": "crossdock.simulator.wms:WmsSimulator",
    "erp": "crossdock.simulator.erp:ErpSimulator",
    "shopify": "crossdock.simulator.shopify:ShopifySimulator",
    "subscriber": "crossdock.simulator.subscriber:SubscriberSimulator",
    "till": "crossdock.simulator.till:TillSimulator",
}
"""Where the simulator of each kind is; imported when it is built."""


def build(kind: str, settings: Mapping[str, Any], seed: int) -> Simulator:
    """Build a simulator by its kind; an unknown kind is a ConfigurationError that names those there are."""
    place = KINDS.get(kind)
    if place is None:
        raise ConfigurationError(
            f"There is no simulator of kind {kind!r}; there are {', '.join(KINDS)}.", field="kind"
        )
    module, _, name = place.partition(":")
    return cast(Simulator, getattr(importlib.import_module(module), name)(settings, seed))


_encode = msgspec.json.Encoder().encode
_JSON = {"content-type": "application/json"}
_PROBLEM = {"content-type": "application/problem+json"}


def json_response(value: Any, status: int = 200) -> SimResponse:
    """Answer with JSON."""
    return SimResponse(status=status, headers=_JSON, body=_encode(value))


def problem(status: int, detail: str, field: str = "") -> SimResponse:
    """Answer with an RFC 9457 problem."""
    value = {"type": "about:blank", "title": detail, "status": status, "detail": detail, "field": field}
    return SimResponse(status=status, headers=_PROBLEM, body=_encode(value))
