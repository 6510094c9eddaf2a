"""A subscriber over HTTP: verifies signatures as Standard Webhooks has them, keeps each event once, and notes the order.

Settings (all optional): `secrets` (each takes part in rotation; none: nothing is verified), `gone` (answers 410), `refuse`
({event type: status} that it answers to those), `tolerance_s`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, Event, SimRequest, SimResponse, problem

TOLERANCE_S = 300


class _Told(msgspec.Struct):
    """What it reads of a CloudEvent."""

    id: str
    type: str
    source: str
    specversion: str
    subject: str = ""
    sequence: str = ""
    data: Any = None


class SubscriberSimulator:
    """Takes events; a repeated id is answered like the first time and kept once."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self._keys = [base64.b64decode(str(s).removeprefix("whsec_")) for s in settings.get("secrets", ())]
        self._tolerance = int(settings.get("tolerance_s", TOLERANCE_S)) * SECOND
        self.gone = bool(settings.get("gone", False))
        self.refuse: dict[str, int] = dict(settings.get("refuse", {}))
        self.events: dict[str, _Told] = {}
        self.received = self.repeated = self.forged = 0
        self.late: list[str] = []
        self._last: dict[str, str] = {}

    def handle(self, request: SimRequest, now: int) -> SimResponse:
        """Take one event."""
        self.received += 1
        if self.gone:
            return problem(410, "nobody listens here any more")
        if self._keys and not self._signed(request, now):
            self.forged += 1
            return problem(400, "the signature is none of ours")
        told = msgspec.json.decode(request.body, type=_Told)
        status = self.refuse.get(told.type)
        if status is not None:
            return problem(status, f"no {told.type}")
        if told.id != request.headers.get("webhook-id") or told.specversion != "1.0":
            return problem(422, "the envelope does not fit", field="id")
        if told.id in self.events:
            self.repeated += 1
            return SimResponse(status=200)
        self.events[told.id] = told
        if told.sequence < self._last.get(told.subject, ""):
            self.late.append(told.id)
        self._last[told.subject] = max(told.sequence, self._last.get(told.subject, ""))
        return SimResponse(status=204)

    def due_events(self, now: int) -> list[Event]:
        """It sends nothing."""
        return []

    def next_due(self) -> int | None:
        """It plans nothing."""
        return None

    def state(self, *, documents: bool = True) -> dict[str, Any]:
        """What came: how much, how often again, and what came after a later one of its subject."""
        counts: dict[str, Any] = {
            "received": self.received,
            "kept": len(self.events),
            "repeated": self.repeated,
            "forged": self.forged,
            "late": list(self.late),
        }
        if documents:
            counts["events"] = [[e.id, e.type, e.subject] for e in self.events.values()]
        return counts

    def _signed(self, request: SimRequest, now: int) -> bool:
        headers = request.headers
        stamp = headers.get("webhook-timestamp", "")
        if not stamp.isdecimal() or abs(int(stamp) * SECOND - now) > self._tolerance:
            return False
        signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + request.body
        given = [
            part[3:] for part in headers.get("webhook-signature", "").split(" ") if part.startswith("v1,")
        ]
        wanted = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in self._keys]
        return any(hmac.compare_digest(a, b) for a in given for b in wanted)
