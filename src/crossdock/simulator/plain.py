"""What the simulated home-grown systems share: keys, an agenda of work, signed events, a bearer token.

It speaks JSON over the published contracts and imports nothing of the connectors, so that the two sides can disagree.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, Event, SimResponse, problem

Step = Callable[[int], list[tuple[str, Any]]]
"""A step of work: given its time, do it and return the (kind, body) of what there is to tell."""

_encode = msgspec.json.Encoder().encode


class Keys:
    """Answers by Idempotency-Key; the same key with another body is a 409. Forgets the oldest above `keys_max`."""

    def __init__(self, keys_max: int = 0) -> None:
        self._max = keys_max
        self._kept: dict[str, tuple[int, SimResponse]] = {}

    def answer(self, key: str, body: bytes) -> SimResponse | None:
        """Return the answer that this key had, None where it is new."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept[0] != _mark(body):
            return problem(409, f"key {key} came before with another body")
        return kept[1]

    def keep(self, key: str, body: bytes, answer: SimResponse) -> None:
        """Remember what a key was answered; no key, no memory."""
        if not key:
            return
        self._kept[key] = (_mark(body), answer)
        if self._max and len(self._kept) > self._max:
            del self._kept[next(iter(self._kept))]


class Agenda:
    """Work to be done later, in order of time and then of planning, and the signed events that come of it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._heap: list[tuple[int, int, Step]] = []
        self._planned = 0
        self.told = 0

    def add(self, due: int, step: Step) -> None:
        """Plan a step."""
        self._planned += 1
        heapq.heappush(self._heap, (due, self._planned, step))

    def due(self, now: int) -> list[Event]:
        """Do every step that is due, and return its events."""
        events: list[Event] = []
        while self._heap and self._heap[0][0] <= now:
            at, _, step = heapq.heappop(self._heap)
            events.extend(self._event(kind, body) for kind, body in step(at))
        return events

    def next_due(self) -> int | None:
        """When the first step is due."""
        return self._heap[0][0] if self._heap else None

    def _event(self, kind: str, body: Any) -> Event:
        self.told += 1
        return signed(self._secret, kind, f"evt-{self.told}", _encode(body))


def signed(secret: bytes, kind: str, delivery: str, body: bytes) -> Event:
    """Put an event into its signed envelope."""
    headers = {
        "content-type": "application/json",
        "x-crossdock-event": kind,
        "x-crossdock-delivery": delivery,
        "x-crossdock-signature": "sha256=" + hmac.digest(secret, body, hashlib.sha256).hex(),
    }
    return headers, body


def instant(now: int) -> str:
    """A simulated time as ISO 8601 UTC."""
    return datetime.fromtimestamp(now / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unauthorised() -> SimResponse:
    """Answer to a wrong token."""
    return problem(401, "the token is not ours")


def _mark(body: bytes) -> int:
    return hash(body)
