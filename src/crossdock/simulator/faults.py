"""What goes wrong at partners, seeded: a wrapper that spoils the replies and the deliveries of any simulator.

The plan is the JSON object `faults` of the configuration; every `..._rate` is a probability per request or delivery:

    throttled_rate, retry_after_s   429 with Retry-After; nothing was done
    error_rate                      500; nothing was done
    lost_reply_rate                 it was done, then the connection is dropped (a timeout after success)
    lost_request_rate               the connection is dropped before anything was done
    cut_body_rate                   it was done, and the reply ends in the middle of its body
    html_rate                       it was done, and the reply is a 200 with a page of HTML
    slow_rate, slow_s               it was done, and the reply takes so long
    duplicate_rate                  a delivery is posted twice
    reorder_rate, reorder_s         a delivery is held back, so that later ones overtake it
    gone                            [[from_s, until_s], ...] since the start: nobody answers, nothing is posted
    revoked                         [[from_s, until_s], ...]: 401 to everything
    only                            path prefixes that faults apply to; all, if it is absent
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, Event, SimRequest, SimResponse, Simulator, problem

Windows = tuple[tuple[float, float], ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The faults of one simulator; see the module."""

    throttled_rate: float = 0.0
    retry_after_s: float = 1.0
    error_rate: float = 0.0
    lost_reply_rate: float = 0.0
    lost_request_rate: float = 0.0
    cut_body_rate: float = 0.0
    html_rate: float = 0.0
    slow_rate: float = 0.0
    slow_s: float = 1.0
    duplicate_rate: float = 0.0
    reorder_rate: float = 0.0
    reorder_s: float = 0.5
    gone: Windows = ()
    revoked: Windows = ()
    only: tuple[str, ...] = ()


class Faulty:
    """A simulator that fails as planned. Time counts from the first call."""

    def __init__(self, simulator: Simulator, plan: Plan, seed: int) -> None:
        self._inner = simulator
        self._plan = plan
        self._dice = random.Random(seed)
        self._started: int | None = None
        self._held: list[tuple[int, int, Event]] = []
        self._order = 0
        self.injected: dict[str, int] = {}

    def handle(self, request: SimRequest, now: int) -> SimResponse:
        """Answer as the simulator does, or fail as the dice say."""
        plan = self._plan
        if self._within(plan.gone, now):
            return self._fault("gone", SimResponse(cut="before"))
        if self._within(plan.revoked, now):
            return self._fault("revoked", problem(401, "the token was revoked"))
        if plan.only and not request.path.startswith(plan.only):
            return self._inner.handle(request, now)
        roll = self._dice.random()
        if (roll := roll - plan.throttled_rate) < 0:
            headers = {"retry-after": f"{plan.retry_after_s:g}", "content-type": "application/problem+json"}
            return self._fault("throttled", SimResponse(status=429, headers=headers))
        if (roll := roll - plan.error_rate) < 0:
            return self._fault("error", problem(500, "something broke"))
        if (roll := roll - plan.lost_request_rate) < 0:
            return self._fault("lost_request", SimResponse(cut="before"))
        answer = self._inner.handle(request, now)
        if (roll := roll - plan.lost_reply_rate) < 0:
            return self._fault("lost_reply", SimResponse(cut="before", delay_s=answer.delay_s))
        if (roll := roll - plan.cut_body_rate) < 0:
            return self._fault("cut_body", msgspec.structs.replace(answer, cut="body"))
        if (roll := roll - plan.html_rate) < 0:
            body = b"<html><body><h1>Please stand by</h1></body></html>"
            return self._fault("html", SimResponse(headers={"content-type": "text/html"}, body=body))
        if roll - plan.slow_rate < 0:
            return self._fault("slow", msgspec.structs.replace(answer, delay_s=answer.delay_s + plan.slow_s))
        return answer

    def due_events(self, now: int) -> list[Event]:
        """The simulator's deliveries: some twice, some late, none while it is gone."""
        if self._within(self._plan.gone, now):
            return []
        due: list[Event] = []
        while self._held and self._held[0][0] <= now:
            due.append(heapq.heappop(self._held)[2])
        for event in self._inner.due_events(now):
            if self._dice.random() < self._plan.duplicate_rate:
                self._hold(event, now + int(self._plan.reorder_s * SECOND), "duplicate")
            if self._dice.random() < self._plan.reorder_rate:
                self._hold(event, now + int(self._plan.reorder_s * SECOND), "reorder")
            else:
                due.append(event)
        return due

    def next_due(self) -> int | None:
        """When the simulator has something to tell, or something held back comes out."""
        times = [self._held[0][0]] if self._held else []
        if (inner := self._inner.next_due()) is not None:
            times.append(inner)
        return min(times, default=None)

    def state(self, *, documents: bool = True) -> dict[str, Any]:
        """The simulator's state, and how often which fault struck."""
        return {**self._inner.state(documents=documents), "faults": dict(self.injected)}

    def _hold(self, event: Event, until: int, name: str) -> None:
        self._order += 1
        heapq.heappush(self._held, (until, self._order, event))
        self._count(name)

    def _within(self, windows: Windows, now: int) -> bool:
        if self._started is None:
            self._started = now
        return any(start <= (now - self._started) / SECOND < end for start, end in windows)

    def _fault(self, name: str, answer: SimResponse) -> SimResponse:
        self._count(name)
        return answer

    def _count(self, name: str) -> None:
        self.injected[name] = self.injected.get(name, 0) + 1


def with_faults(simulator: Simulator, plan: Mapping[str, Any] | None, seed: int) -> Simulator:
    """Wrap a simulator in a plan; without one it is returned as it is."""
    return Faulty(simulator, msgspec.convert(plan, Plan), seed) if plan else simulator
