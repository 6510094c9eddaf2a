"""Who performs the calls of the hub: what `crossdock.bootstrap.hands` does on an event loop, reply by reply."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from crossdock.engine.performing import Attempted, Call, Performer
from crossdock.engine.port import ClaimedEffect
from crossdock.errors import UnclearError
from crossdock.flows.documents import fill_command, join_document
from crossdock.sdk.calls import Request, Response
from sim.fate import FOUND, REPLY
from sim.invariants import LOOKED_UP
from sim.wire import LATE_S, Wire
from sim.world import SECOND, Killed

if TYPE_CHECKING:
    from sim.hub import SimHub


class Hands:
    """Implements `crossdock.bootstrap.loops.Performs`: as many calls at a time as each partner bears."""

    def __init__(self, hub: SimHub, performer: Performer) -> None:
        self._hub, self._performer = hub, performer
        self._queues: dict[str, deque[Call]] = {name: deque() for name in hub.lanes}
        self._flying = dict.fromkeys(hub.lanes, 0)
        self._done: Callable[[Attempted], None] = lambda attempted: None

    def start(self, done: Callable[[Attempted], None]) -> None:
        """Be ready; `done` is told what became of each call."""
        self._done = done

    def finish(self) -> None:
        """Nothing is ever finished here: a simulated hub is only killed."""

    def begin(self, calls: Sequence[Call]) -> None:
        """Make these calls, as many at a time as each partner bears."""
        for call in calls:
            self._queues[call.connection].append(call)
        for name in dict.fromkeys(call.connection for call in calls):
            self._next(name)

    def _next(self, name: str) -> None:
        queue = self._queues[name]
        while queue and self._flying[name] < self._hub.lanes[name].concurrency_max:
            call = queue.popleft()
            self._flying[name] += 1
            self._go_on(call, self._performer.attempt(call), None)

    def _go_on(self, call: Call, steps: Any, reply: Response | Exception | None) -> None:
        hub = self._hub
        if reply is not None:
            asked = call.effects[0].unclear and call.operation in LOOKED_UP
            hub.may_freeze(FOUND if asked else REPLY)
        try:
            if reply is None:
                sending = next(steps)
            elif isinstance(reply, Exception):
                sending = steps.throw(reply)
            else:
                sending = steps.send(reply)
        except StopIteration as end:
            self._flying[call.connection] -= 1
            self._done(end.value)
            hub.known.learnt(end.value, hub.world.clock())
            hub.poke("effects")
            self._next(call.connection)
            return
        hub.known.sending(call, sending.request, hub.world.clock())
        hub.world.tell(
            "send", call.effects[0].id, call.operation, sending.request.method, sending.request.path
        )

        def back(got: Response | Exception) -> None:
            hub.mine(lambda: self._go_on(call, steps, got))()

        hub.wires[call.connection].call(sending.request, sending.timeout_s, _of_life(hub, back))


class Waiting:
    """A transport whose caller waits: the publisher's. The world goes on meanwhile, and may end the caller's life."""

    def __init__(self, hub: SimHub, wire: Wire) -> None:
        self._hub, self._wire = hub, wire

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        hub, world, life = self._hub, self._hub.world, self._hub.life
        box: list[Response | Exception] = []
        world.tell("send", self._wire.name, request.method, request.path)
        self._wire.call(request, timeout_s, box.append)
        until = world.now + int((timeout_s + LATE_S + 1) * SECOND)
        while (not box and world.now < until) or world.now < hub.frozen_until:
            world.run_until(world.now + SECOND // 20)
            if hub.life != life:
                raise Killed(life)
        reply = box[0] if box else UnclearError("No reply came.")
        if isinstance(reply, Exception):
            raise reply
        return reply


def _of_life(
    hub: SimHub, what: Callable[[Response | Exception], None]
) -> Callable[[Response | Exception], None]:
    """A reply to a process that is gone finds nobody."""
    life = hub.life

    def run(reply: Response | Exception) -> None:
        if hub.life == life:
            what(reply)

    return run


def prepare(effect: ClaimedEffect) -> Any:
    order = join_document(effect.value, effect.party) if effect.document else None
    return fill_command(effect.operation, effect.command, order)
