"""A warehouse: keeps releases by their request id and Idempotency-Key, works on them, and tells what came of them.

Settings (all optional): `token`, `webhook_secret`; `accept_after_s`, `ship_after_s` (from the release), `two_packages_rate`,
`short_rate` (a release of which one unit is missing), `refuse_rate`, `part_rate` (a release that leaves in two shipments),
`cancel_answer` ("now", "later"), `cancel_after_s`, `events` (false for a bench: answer and forget), `forget_keys_after`
(releases after which the oldest keys are forgotten), `stock` ({sku: on hand}), `location`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, Event, SimRequest, SimResponse, json_response, problem
from crossdock.simulator.plain import Agenda, BatchResult, Keys, answer_batch, instant, unauthorised


class _Item(msgspec.Struct, omit_defaults=True, gc=False):
    line_id: str
    quantity: int
    sku: str = ""
    reason: str = ""


class _ReleaseIn(msgspec.Struct, gc=False):
    request_id: str
    order_id: str
    lines: list[_Item]
    location: str = ""


class _Named(msgspec.Struct, gc=False):
    request_id: str


class _NamedItem(msgspec.Struct, gc=False):
    key: str
    body: _Named


class _NamedBatch(msgspec.Struct, gc=False):
    items: list[_NamedItem]


class _CancelIn(msgspec.Struct):
    order_id: str
    lines: list[_Item] = []
    reason: str = ""


class Release(msgspec.Struct):
    """One release as the warehouse holds it: what is asked, and per line what is open, shipped, short, cancelled."""

    id: str
    request_id: str
    order_id: str
    location: str
    asked: dict[str, int]
    skus: dict[str, str]
    open: dict[str, int]
    shipped: dict[str, int] = {}
    short: dict[str, int] = {}
    cancelled: dict[str, int] = {}
    shipments: int = 0
    state: str = "accepted"


class WmsSimulator:
    """See the module. Deterministic: the same requests at the same times under the same seed give the same events."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self._set = settings.get
        self._authorization = f"Bearer {settings.get('token', '')}"
        self._dice = random.Random(seed)
        self._decode = msgspec.json.Decoder(_ReleaseIn).decode
        self._peek = msgspec.json.Decoder(_Named).decode
        self._peek_batch = msgspec.json.Decoder(_NamedBatch).decode
        self._brief: dict[str, str] = {}
        self._quiet = settings.get("events", True) is False
        self._keys = Keys(int(settings.get("forget_keys_after", 0)))
        self._agenda = Agenda(str(settings.get("webhook_secret", "")))
        self._location = str(settings.get("location", "MAIN"))
        self.releases: dict[str, Release] = {}
        self.stock: dict[str, int] = dict(settings.get("stock", {}))
        self._count = 0
        self._doubles = 0

    def handle(self, request: SimRequest, now: int) -> SimResponse:
        """Answer POST /releases and /releases/batch, GET /releases/{id} and POST /releases/{id}/cancel."""
        if request.headers.get("authorization") != self._authorization:
            return unauthorised()
        path = request.path
        if path == "/releases" and request.method == "POST":
            return self._brief_answer(request) if self._quiet else self._release(request, now)
        if path == "/releases/batch" and request.method == "POST":
            if self._quiet:
                return self._brief_batch(request)
            return answer_batch(request, lambda single: self._release(single, now))
        parts = path.split("/")
        if len(parts) < 3 or parts[1] != "releases":
            return problem(404, f"there is no {path} here")
        if self._quiet and parts[2] in self._brief:
            return json_response({"id": f"W-{parts[2]}", "request_id": parts[2]})
        release = self.releases.get(parts[2])
        if release is None:
            return problem(404, f"no release {parts[2]} is known")
        if len(parts) == 3 and request.method == "GET":
            return json_response(_shown(release))
        if parts[3:] == ["cancel"] and request.method == "POST":
            return self._cancel(release, request, now)
        return problem(405, f"{request.method} is not offered for {path}")

    def due_events(self, now: int) -> list[Event]:
        """Work up to `now`, and return what there is to tell."""
        return self._agenda.due(now)

    def next_due(self) -> int | None:
        """When the next step of work is due."""
        return self._agenda.next_due()

    def state(self, *, documents: bool = True) -> dict[str, Any]:
        """Counts, and every release with its quantities; `doubles` counts requests released twice."""
        states: dict[str, int] = {}
        for release in self.releases.values():
            states[release.state] = states.get(release.state, 0) + 1
        counts: dict[str, Any] = {
            "releases": self._count,
            "doubles": self._doubles,
            "states": states,
            "events": self._agenda.told,
        }
        if documents:
            counts["stock"] = self.stock
            counts["documents"] = [_shown(release) for release in self.releases.values()]
        return counts

    def _brief_answer(self, request: SimRequest) -> SimResponse:
        """Take a release without working on it: as little as a partner can do that still shows doubles."""
        request_id = self._peek(request.body).request_id
        made = self._note(request.headers.get("idempotency-key", ""), request_id)
        return json_response({"id": made.id, "request_id": request_id}, 201)

    def _brief_batch(self, request: SimRequest) -> SimResponse:
        items = self._peek_batch(request.body).items
        return json_response({"results": [self._note(item.key, item.body.request_id) for item in items]})

    def _note(self, key: str, request_id: str) -> BatchResult:
        known = self._brief.get(request_id)
        if known is None:
            self._count += 1
            self._brief[request_id] = key
        elif known != key:
            self._doubles += 1
        return BatchResult(key, 201, f"W-{request_id}")

    def _release(self, request: SimRequest, now: int) -> SimResponse:
        key = request.headers.get("idempotency-key", "")
        if key and (known := self._keys.answer(key, request.body)) is not None:
            return known
        try:
            wanted = self._decode(request.body)
        except msgspec.DecodeError as error:
            return problem(422, str(error))
        if wanted.request_id in self.releases:
            self._doubles += 1
            return problem(409, f"{wanted.request_id} is released already", "request_id")
        self._count += 1
        release = _new(f"W{self._count}", wanted, self._location)
        self.releases[wanted.request_id] = release
        answer = json_response({"id": release.id, "request_id": release.request_id}, 201)
        self._keys.keep(key, request.body, answer)
        self._plan(release, now)
        return answer

    def _plan(self, release: Release, now: int) -> None:
        dice = self._dice
        accepted = now + self._delay("accept_after_s", 0.2)
        if dice.random() < float(self._set("refuse_rate", 0)):
            self._agenda.add(accepted, lambda at: self._refuse(release, at))
            return
        self._agenda.add(accepted, lambda at: [("release.accepted", _head(release, at))])
        shipped = max(accepted, now + self._delay("ship_after_s", 2.0))
        if dice.random() < float(self._set("short_rate", 0)):
            self._agenda.add(shipped, lambda at: self._fall_short(release, at))
        if dice.random() < float(self._set("part_rate", 0)):
            self._agenda.add(shipped, lambda at: self._ship(release, at, part=True))
            shipped += self._delay("ship_after_s", 2.0)
        self._agenda.add(shipped, lambda at: self._ship(release, at, part=False))

    def _refuse(self, release: Release, now: int) -> list[tuple[str, dict[str, Any]]]:
        if release.state != "accepted":
            return []
        release.short, release.open, release.state = dict(release.open), {}, "refused"
        return [("release.refused", {**_head(release, now), "reason": "no capacity"})]

    def _fall_short(self, release: Release, now: int) -> list[tuple[str, dict[str, Any]]]:
        """One unit of one line is not on the shelf."""
        if not release.open:
            return []
        line = self._dice.choice(sorted(release.open))
        _move(release.open, release.short, {line: 1})
        if not release.open and not release.shipped:
            release.state = "short"
        lines = _items(release, {line: 1}, "not on the shelf")
        return [("pick.short", {**_head(release, now), "lines": lines, "reason": "not on the shelf"})]

    def _ship(self, release: Release, now: int, *, part: bool) -> list[tuple[str, dict[str, Any]]]:
        """Ship what is open, or one unit of it, in one or two packages."""
        if not release.open:
            return []
        sent = {min(release.open): 1} if part else dict(release.open)
        _move(release.open, release.shipped, sent)
        release.shipments += 1
        release.state = "part_shipped" if release.open else "shipped"
        for line, quantity in sent.items():
            sku = release.skus[line]
            self.stock[sku] = self.stock.get(sku, 0) - quantity
        packages = self._packages(release, sent)
        body = {
            "id": f"{release.id}-{release.shipments}",
            "order_id": release.order_id,
            "request_id": release.request_id,
            "location": release.location,
            "shipped_at": instant(now),
            "lines": _items(release, sent),
            "packages": packages,
        }
        return [("shipment.created", body)]

    def _packages(self, release: Release, sent: Mapping[str, int]) -> list[dict[str, Any]]:
        first, second = dict(sent), {}
        if sum(sent.values()) > 1 and self._dice.random() < float(self._set("two_packages_rate", 0)):
            second = {max(sent): 1}
            _take(first, second)
        packages = []
        for n, content in enumerate(filter(None, (first, second)), start=1):
            tracking = f"CDT{self._dice.randrange(10**10):010d}"
            packages.append(
                {
                    "id": f"{release.id}-{release.shipments}-{n}",
                    "tracking_number": tracking,
                    "tracking_url": f"https://track.example/{tracking}",
                    "carrier": "Parcelbird",
                    "weight_grams": 200 + 150 * sum(content.values()),
                    "lines": _items(release, content),
                }
            )
        return packages

    def _cancel(self, release: Release, request: SimRequest, now: int) -> SimResponse:
        key = request.headers.get("idempotency-key", "")
        if key and (known := self._keys.answer(key, request.body)) is not None:
            return known
        try:
            wanted = msgspec.json.decode(request.body, type=_CancelIn)
        except msgspec.DecodeError as error:
            return problem(422, str(error))
        if self._set("cancel_answer", "now") == "later":
            due = now + self._delay("cancel_after_s", 0.5)
            self._agenda.add(due, lambda at: [("release.cancelled", self._stop(release, wanted, at))])
            answer = SimResponse(status=202)
        else:
            answer = json_response(self._stop(release, wanted, now))
        self._keys.keep(key, request.body, answer)
        return answer

    def _stop(self, release: Release, wanted: _CancelIn, now: int) -> dict[str, Any]:
        """Stop what is still open of the wanted quantities, and say what was and was not."""
        asked = {item.line_id: item.quantity for item in wanted.lines} or {
            line: quantity - release.cancelled.get(line, 0) for line, quantity in release.asked.items()
        }
        stopped = {line: min(n, release.open.get(line, 0)) for line, n in asked.items()}
        stopped = {line: n for line, n in stopped.items() if n}
        late = {line: n - stopped.get(line, 0) for line, n in asked.items() if n > stopped.get(line, 0)}
        _move(release.open, release.cancelled, stopped)
        if not release.open and not release.shipped:
            release.state = "cancelled"
        outcome = "refused" if not stopped else "part_accepted" if late else "accepted"
        return {
            **_head(release, now),
            "outcome": outcome,
            "accepted": _items(release, stopped),
            "refused": _items(release, late),
            "reason": "already picked" if late else "",
        }

    def _delay(self, name: str, default: float) -> int:
        """A setting in seconds, give or take a fifth."""
        return int(float(self._set(name, default)) * SECOND * self._dice.uniform(0.8, 1.2))


def _new(id_: str, wanted: _ReleaseIn, location: str) -> Release:
    asked = {item.line_id: item.quantity for item in wanted.lines}
    return Release(
        id=id_,
        request_id=wanted.request_id,
        order_id=wanted.order_id,
        location=wanted.location or location,
        asked=asked,
        skus={item.line_id: item.sku for item in wanted.lines},
        open=dict(asked),
    )


def _take(source: dict[str, int], amounts: Mapping[str, int]) -> None:
    for line, quantity in amounts.items():
        left = source[line] - quantity
        if left:
            source[line] = left
        else:
            del source[line]


def _move(source: dict[str, int], target: dict[str, int], amounts: Mapping[str, int]) -> None:
    """Move quantities from one state of a release to another; none is made or lost."""
    _take(source, amounts)
    for line, quantity in amounts.items():
        target[line] = target.get(line, 0) + quantity


def _items(release: Release, amounts: Mapping[str, int], reason: str = "") -> list[_Item]:
    return [
        _Item(line_id=line, quantity=quantity, sku=release.skus.get(line, ""), reason=reason)
        for line, quantity in amounts.items()
    ]


def _head(release: Release, now: int) -> dict[str, Any]:
    return {"order_id": release.order_id, "request_id": release.request_id, "occurred_at": instant(now)}


def _shown(release: Release) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(release)
    return shown
