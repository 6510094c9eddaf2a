"""The wire between the hub and one partner: requests that are late, lost, half done or refused; deliveries likewise.

What has left the hub reaches the partner whatever becomes of the hub; its reply then finds nobody.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from crossdock.errors import NotSentError, UnclearError
from crossdock.sdk.calls import Request, Response
from crossdock.simulator.base import Event, SimRequest, SimResponse, Simulator
from sim.faults import Faults
from sim.world import HOUR, MINUTE, SECOND, Violation, World

BUNDLE = 80
"""Calls that may be under way, or just claimed, when a partner goes away: in each life of the hub."""
PROBE = 30 * SECOND
"""More often than this nobody who is gone may be probed, in the long run."""
LATE_S = 3.0
"""How long after our patience has ended a request may still be carried out; less than an operation's settle_s."""
HTML = b"<html><body><h1>Please stand by</h1></body></html>"

Taken = Callable[[bool], None]
Deliver = Callable[[str, Event, Taken], None]
OnReply = Callable[[Response | Exception], None]
Witness = Callable[[str, SimRequest, SimResponse], None]


class Wire:
    """One partner, reached through everything that can go wrong. `witness` sees what was really carried out."""

    def __init__(
        self,
        world: World,
        faults: Faults,
        name: str,
        simulator: Simulator,
        headers: Mapping[str, str],
        witness: Witness,
    ) -> None:
        self.name, self.simulator = name, simulator
        self.sent = 0
        self.throttled_until = 0
        self.deliver: Deliver = lambda name, event, taken: None
        self.undelivered = 0
        self.lives: Callable[[], int] = lambda: 0
        self._siege = (0, 0, 0)
        self.passes: Callable[[Event], Event | None] = lambda event: event
        """What becomes of a delivery before it is sent: another one, or none."""
        self._world, self._faults = world, faults
        self._headers = {key.lower(): value for key, value in headers.items()}
        self._witness = witness
        self._dice: random.Random = world.dice_for()
        self._planned: int | None = None
        self._lossy = name in ("shop", "market")

    # What the hub asks

    def call(self, request: Request, timeout_s: float, on_reply: OnReply) -> None:
        """Send a request; `on_reply` is called with what comes of it, later, unless the hub has died meanwhile."""
        world, faults = self._world, self._faults
        self.sent += 1
        what = f"{request.method} {request.path}"
        patience = int(timeout_s * SECOND)
        latency = int(self._dice.uniform(0.01, 0.3) * SECOND)
        if faults.within(faults.gone, self.name):
            self._knocked()
            if self._dice.random() < 0.5:
                world.after(latency, lambda: on_reply(NotSentError(f"{what}: no connection was made.")))
            else:
                world.after(patience, lambda: on_reply(UnclearError(f"{what}: nobody answers.")))
            return
        refusal = self._refusal()
        if refusal is not None:
            world.after(latency, lambda: on_reply(refusal))
            return
        if faults.strikes("lost_request", 0.01):
            world.after(latency, lambda: on_reply(UnclearError(f"{what}: the connection broke.")))
            return
        if faults.strikes("slow", 0.02):
            dice = faults.dice("slow")
            latency = int(patience * dice.choice((0.5, 0.99, 1.0, 1.0))) + int(
                dice.uniform(0, LATE_S) * SECOND
            )
            latency = (
                min(latency, patience + int(LATE_S * SECOND)) if self._calm() else min(latency, patience)
            )
        spoiled = self._spoiling(request)
        if spoiled == "part_reply" and self._dice.random() < 0.5:
            request = _first_half(request)  # it did not come to the others
        arrives = latency - int(min(latency, 5_000))

        def arrive() -> None:
            answer = self._carry_out(request)
            reply = self._reply(answer, spoiled, what)
            wait = latency - arrives + int(answer.delay_s * SECOND)
            if latency + int(answer.delay_s * SECOND) > patience or spoiled == "lost_reply":
                reply = UnclearError(f"{what}: no reply came in time.")
                wait = max(0, patience - arrives)
            world.after(wait, lambda: on_reply(reply))

        world.after(arrives, arrive)

    def ask(self, method: str, path: str, body: bytes = b"") -> SimResponse:
        """What a person does at the partner itself: nothing is in the way of that."""
        request = SimRequest(method=method, path=path, headers=self._headers, body=body)
        answer = self.simulator.handle(request, self._world.now)
        self.plan()
        return answer

    def _knocked(self) -> None:
        """A partner that is gone is probed, and not besieged."""
        self._faults.count("gone")
        now = self._world.now
        began = min(window.start for window in self._faults.gone if window.holds(now, self.name))
        if self._siege[0] != began:
            self._siege = (began, 0, self.lives())
        _, count, lives = self._siege
        self._siege = (began, count + 1, lives)
        allowed = BUNDLE * (1 + self.lives() - lives) + (now - began) // PROBE
        if count > allowed:
            raise Violation(
                "pace",
                f"{self.name} is gone since {(now - began) // MINUTE} minutes and was called {count} times.",
            )

    def _calm(self) -> bool:
        """No jump of the clock is near: one would end our patience before its time."""
        now = self._world.now
        return all(abs(at - now) > 2 * MINUTE for at in self._faults.jumps)

    def _refusal(self) -> Response | None:
        faults, now = self._faults, self._world.now
        if faults.within(faults.revoked, self.name):
            faults.count("revoked")
            return Response(status=401, body=b"{}")
        if now < self.throttled_until or faults.strikes("throttle", 0.004):
            if now >= self.throttled_until:
                self.throttled_until = now + int(faults.dice("throttle").choice((2, 30, 600)) * SECOND)
            left = -(-(self.throttled_until - now) // SECOND)
            return Response(status=429, headers={"retry-after": str(left)}, body=b"{}")
        if faults.strikes("error", 0.01):
            return Response(status=500, body=b"{}")
        return None

    def _spoiling(self, request: Request) -> str:
        if request.path.endswith("/batch") and self._faults.strikes("part_reply", 0.3):
            return "part_reply"
        for name, rate in (("lost_reply", 0.02), ("cut_body", 0.005), ("html", 0.006)):
            if self._faults.strikes(name, rate):
                return name
        return ""

    def _carry_out(self, request: Request) -> SimResponse:
        headers = {**self._headers, **{k.lower(): v for k, v in request.headers.items()}}
        asked = SimRequest(
            method=request.method, path=request.path, query=request.query, headers=headers, body=request.body
        )
        answer = self.simulator.handle(asked, self._world.now)
        self._witness(self.name, asked, answer)
        self.plan()
        return answer

    def _reply(self, answer: SimResponse, spoiled: str, what: str) -> Response | Exception:
        if spoiled == "cut_body":
            return UnclearError(f"{what}: the reply was cut off.")
        if spoiled == "part_reply" and answer.status == 200:
            told = msgspec.json.decode(answer.body)
            told["results"] = told["results"][::2]
            return Response(status=200, headers=answer.headers, body=msgspec.json.encode(told))
        if spoiled == "html":
            return Response(status=200, headers={"content-type": "text/html"}, body=HTML)
        return Response(status=answer.status, headers=answer.headers, body=answer.body)

    # What the partner tells

    def plan(self) -> None:
        """See to it that what the partner has to tell is told when it is due."""
        due = self.simulator.next_due()
        if due is None or (self._planned is not None and self._planned <= max(due, self._world.now)):
            return
        self._planned = max(due, self._world.now)
        self._world.at(self._planned, self._tell)

    def _tell(self) -> None:
        if self._planned is None or self._world.now < self._planned:
            return
        self._planned = None
        for event in self.simulator.due_events(self._world.now):
            passed = self.passes(event)
            if passed is not None:
                self.post(passed)
        self.plan()

    def post(self, event: Event) -> None:
        """A delivery on its way, once or more often, at once or late, whole or torn."""
        faults = self._faults
        if self._lossy and faults.strikes("webhook_lost", 0.03):
            self._world.tell("lost", self.name, _name(event))
            return
        delay = int(self._dice.uniform(0.02, 0.5) * SECOND)
        if faults.strikes("webhook_late", 0.05):
            dice = faults.dice("webhook_late")
            delay += int(dice.choice((2 * SECOND, MINUTE, HOUR, 8 * HOUR)) * dice.random())
        times = 1
        if faults.strikes("webhook_twice", 0.06):
            times = faults.dice("webhook_twice").choice((2, 2, 3, 8))
        for n in range(times):
            self.undelivered += 1
            self._world.after(delay + n * SECOND // 50, lambda: self.attempt(event, 0))
        if faults.strikes("webhook_torn", 0.02):
            headers, body = event
            torn = (headers, body[: len(body) * 2 // 3])
            self._world.after(delay // 2, lambda: self.deliver(self.name, torn, lambda taken: None))

    def attempt(self, event: Event, attempt: int = 0) -> None:
        """Post a delivery until it is taken, with the patience of a partner."""
        if self._faults.within(self._faults.gone, self.name):
            self._world.after(10 * MINUTE, lambda: self.attempt(event, attempt))
            return

        def taken(ok: bool) -> None:
            if ok:
                self.undelivered -= 1
                return
            wait = min(HOUR, SECOND << min(attempt, 12))
            self._world.after(wait, lambda: self.attempt(event, attempt + 1))

        self.deliver(self.name, event, taken)


def _name(event: Event) -> Any:
    headers = event[0]
    return headers.get("x-shopify-webhook-id") or headers.get("x-crossdock-delivery")


def _first_half(request: Request) -> Request:
    wanted = msgspec.json.decode(request.body)
    wanted["items"] = wanted["items"][: len(wanted["items"]) // 2]
    return msgspec.structs.replace(request, body=msgspec.json.encode(wanted))
