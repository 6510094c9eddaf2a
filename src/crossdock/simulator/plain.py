"""What the simulated home-grown systems share: keys, an agenda of work, signed events, a bearer token.

It speaks JSON over the published contracts and imports nothing of the connectors, so that the two sides can disagree.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, Event, SimRequest, SimResponse, json_response, problem

Step = Callable[[int], list[tuple[str, Any]]]
"""A step of work: given its time, do it and return the (kind, body) of what there is to tell."""

_encode = msgspec.json.Encoder().encode


class BatchItem(msgspec.Struct, gc=False):
    """One item of a batch; `body` is what would have been posted alone."""

    key: str
    body: msgspec.Raw


class _Batch(msgspec.Struct, gc=False):
    items: list[BatchItem]


class BatchResult(msgspec.Struct, omit_defaults=True, gc=False):
    """What one item of a batch is answered."""

    key: str
    status: int
    id: str = ""
    total: int | None = None
    booked_at: str = ""
    problem: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Made(msgspec.Struct, gc=False):
    id: str = ""
    total: int | None = None
    booked_at: str = ""


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_made = msgspec.json.Decoder(_Made).decode


def answer_batch(request: SimRequest, single: Callable[[SimRequest], SimResponse]) -> SimResponse:
    """Answer every item of `POST {path}/batch` as if it had been posted to the path alone; it takes as long as the slowest."""
    try:
        items = _decode_batch(request.body).items
    except msgspec.DecodeError as error:
        return problem(422, str(error))
    path = request.path.removesuffix("/batch")
    results = []
    delay_s = 0.0
    for item in items:
        headers = {**request.headers, "idempotency-key": item.key}
        answer = single(SimRequest(method="POST", path=path, headers=headers, body=bytes(item.body)))
        delay_s = max(delay_s, answer.delay_s)
        if answer.status < 400:
            made = _decode_made(answer.body)
            results.append(BatchResult(item.key, answer.status, made.id, made.total, made.booked_at))
        else:
            results.append(BatchResult(item.key, answer.status, problem=msgspec.Raw(answer.body)))
    return msgspec.structs.replace(json_response({"results": results}), delay_s=delay_s)


class Keys:
    """Answers by Idempotency-Key; the same key with another body is a 409. Forgets the oldest above `keys_max`."""

    def __init__(self, keys_max: int = 0) -> None:
        self._max = keys_max
        self._kept: OrderedDict[str, tuple[int, SimResponse]] = OrderedDict()

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
            self._kept.popitem(last=False)


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
