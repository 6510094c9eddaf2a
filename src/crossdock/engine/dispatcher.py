"""The dispatcher: takes due effects in order per (connection, key), has them performed, records what became of them.

`take`, `perform` and `settle` are three separate steps, so that whoever runs them decides about threads: the hub
performs on several, the simulation on none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from crossdock.engine import crash
from crossdock.engine.calling import CallFailed, Steps, run, steps
from crossdock.engine.lanes import Lane, Lanes
from crossdock.engine.messages import HUB, LANE_FREE, LANE_STREAM, SETTLED, Arrival, Settled
from crossdock.engine.operations import word_of_pause
from crossdock.engine.port import ClaimedEffect, EffectResult, Store, Want
from crossdock.engine.recovery import Park, after_effect_failure, says_partner_is_down
from crossdock.errors import (
    CredentialsError,
    CrossdockError,
    InDoubtError,
    RetryableError,
    ThrottledError,
)
from crossdock.sdk.calls import Done, Intent, Outcome, Page, Pending, Refused
from crossdock.sdk.spec import Child, Operation

US = 1_000_000
TEXT_CHARS_MAX = 500

Prepare = Callable[[ClaimedEffect], Any]
"""Makes the typed command of a claimed effect."""


class Attempted(msgspec.Struct, frozen=True):
    """One attempt: its result, and what its lane learns from it."""

    result: EffectResult
    error: Exception | None = None
    begun: bool = True


class Dispatcher:
    """Effects of all connections of this process."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        prepare: Prepare,
        *,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        reach: crash.Reach = crash.nowhere,
    ) -> None:
        self._store, self.lanes, self._prepare = store, lanes, prepare
        self._clock, self._jitter, self._reach = clock, jitter, reach

    def step(self, now: int) -> int:
        """Take, perform and settle once, one after the other; returns how many were performed."""
        effects = self.take(now)
        self.settle([self.perform(effect) for effect in effects], now)
        return len(effects)

    def take(self, now: int) -> list[ClaimedEffect]:
        """Claim what may go now. The claim is durable before this returns."""
        effects = self.claim(self.wants(now), now)
        self.took(effects)
        return effects

    def settle(self, attempts: Sequence[Attempted], now: int) -> None:
        """Record attempts, with their replies, in one transaction."""
        if attempts:
            self.record(attempts, now)
            self.learn(attempts, now)

    # The parts of a turn, for a loop whose writes are done elsewhere and may come to nothing: a lane learns from an
    # attempt when it is over, and counts what it took when it is known that the store has it.

    def wants(self, now: int) -> list[Want]:
        """How much of each connection's work may go now."""
        return [want for lane in self.lanes.values() if (want := lane.want(now)) is not None]

    def claim(self, wants: Sequence[Want], now: int) -> list[ClaimedEffect]:
        """Claim so much."""
        effects = self._store.claim_effects(wants, now) if wants else []
        if effects:
            self._reach(crash.EFFECTS_CLAIMED)
        return effects

    def took(self, effects: Sequence[ClaimedEffect]) -> None:
        """Their lanes have these under way."""
        for effect in effects:
            self.lanes[effect.connection].took(1)

    def record(self, attempts: Sequence[Attempted], now: int) -> None:
        """Write what became of attempts. One that cannot be written is parked, and holds up no other."""
        if not attempts:
            return
        self._reach(crash.SETTLE_BEFORE_COMMIT)
        results = [attempt.result for attempt in attempts]
        try:
            self._store.settle(results, now)
        except RetryableError:
            raise
        except Exception:
            for result in results:
                self._record_alone(result, now)
        self._reach(crash.SETTLED)

    def _record_alone(self, result: EffectResult, now: int) -> None:
        try:
            self._store.settle([result], now)
        except RetryableError:
            raise
        except Exception as error:
            text = f"A defect: what came of it cannot be kept: {type(error).__name__}. Look at the partner, then decide."
            self._store.settle([self._parked(result.effect, Park("internal"), text, "", acted=True)], now)

    def learn(self, attempts: Sequence[Attempted], now: int) -> None:
        """Count attempts that are over on their lanes: pace, breaker, pauses."""
        for attempt in attempts:
            self._learn(self.lanes[attempt.result.effect.connection], attempt, now)

    @staticmethod
    def released(effect: ClaimedEffect) -> Attempted:
        """An effect that was claimed and not begun: as if it had not been claimed."""
        return Attempted(
            EffectResult(
                effect=effect, state="released", unclear=effect.unclear, spent=False, resume=effect.resume
            ),
            begun=False,
        )

    def next_at(self, now: int) -> int | None:
        """When a lane may go on by the passing of time alone."""
        times = [at for lane in self.lanes.values() if (at := lane.next_at(now)) is not None]
        return min(times, default=None)

    # One attempt

    def perform(self, effect: ClaimedEffect) -> Attempted:
        """Call the partner once, on this thread. Never raises."""
        transport = self.lanes[effect.connection].transport
        return run(self.attempt(effect), transport, traceparent_of(effect))

    def attempt(self, effect: ClaimedEffect) -> Steps[Attempted]:
        """One attempt as its steps, for whoever performs them. Never raises of itself."""
        lane = self.lanes[effect.connection]
        operation = lane.connector.spec.operation(effect.operation)
        if operation is None:
            reason = f"The connector {lane.connector.spec.name} has no operation {effect.operation}."
            return Attempted(self._parked(effect, Park("unsupported"), reason, ""))
        if effect.unclear and operation.doubles == "none":
            error = InDoubtError(
                f"{effect.operation} may have reached {effect.connection}, which cannot be asked."
            )
            return Attempted(self._parked(effect, Park("in_doubt", "in_doubt"), str(error), ""))
        probe = lane.breaker.tripped
        try:
            outcome = yield from self._call(lane, operation, effect)
        except CallFailed as failure:
            return self._failure(lane, operation, effect, failure, probe)
        except Exception as error:
            return self._failure(lane, operation, effect, CallFailed(error, acted=False), probe)
        self._reach(crash.EFFECT_ANSWERED)
        try:
            return Attempted(self._outcome(effect, outcome))
        except Exception as error:
            return self._failure(lane, operation, effect, CallFailed(error, acted=True), probe)

    def _call(self, lane: Lane, operation: Operation, effect: ClaimedEffect) -> Steps[Outcome]:
        command = self._prepare(effect)
        now = self._clock()
        intent = Intent(
            key=effect.key,
            may_have_happened=effect.unclear,
            attempt=effect.attempt,
            resume=effect.resume,
            traceparent=traceparent_of(effect),
            now=datetime.fromtimestamp(now / US, UTC).isoformat(),
        )
        calls = getattr(lane.connector, operation.name)(command, intent)
        deadline = min(now + int(operation.deadline_s * US), effect.lease_until)
        self._reach(crash.EFFECT_BEFORE_SEND)
        return (yield from steps(calls, deadline=deadline, clock=self._clock))

    def _outcome(self, effect: ClaimedEffect, outcome: Outcome) -> EffectResult:
        if isinstance(outcome, Done):
            settled = _settled(
                effect, "done", reference=outcome.reference, total=outcome.total, already=outcome.already
            )
            return EffectResult(
                effect=effect,
                state="done",
                reference=outcome.reference,
                reply=_reply(effect, settled),
                told=tuple(_told(effect, child) for child in outcome.messages),
            )
        if isinstance(outcome, Page):
            headers = {"cursor": outcome.cursor, "more": "true" if outcome.more else ""}
            page = Arrival(
                source=effect.connection,
                kind=outcome.kind,
                body=outcome.body,
                headers=headers,
                subject=effect.subject,
                lane=LANE_STREAM,
            )
            return EffectResult(effect=effect, state="done", reference=outcome.cursor[:80], reply=page)
        if isinstance(outcome, Pending):
            due = self._clock() + int(outcome.after * US)
            return EffectResult(
                effect=effect, state="pending", due_at=due, resume=outcome.resume, spent=False
            )
        if isinstance(outcome, Refused):
            park = Park("refused")
            return self._parked(effect, park, outcome.reason, outcome.field, outcome.code)
        return self._parked(
            effect, Park("contract"), "The connector gave results for a call that carries one.", ""
        )

    def _failure(
        self, lane: Lane, operation: Operation, effect: ClaimedEffect, failure: CallFailed, probe: bool
    ) -> Attempted:
        error = failure.error
        recovery = after_effect_failure(
            error,
            effect.attempt,
            lane.policy,
            self._clock(),
            self._jitter(),
            doubles=operation.doubles,
            acted=failure.acted,
            probe=probe,
        )
        text = (str(error) or type(error).__name__).encode("utf-8", "replace").decode()
        if isinstance(recovery, Park):
            field = error.field or "" if isinstance(error, CrossdockError) else ""
            return Attempted(self._parked(effect, recovery, text, field, acted=failure.acted), error)
        due = recovery.due_at
        if effect.unclear or recovery.unclear:
            due = max(due, self._clock() + int(operation.settle_s * US) if recovery.unclear else due)
        result = EffectResult(
            effect=effect,
            state="retry",
            due_at=due,
            unclear=effect.unclear or recovery.unclear,
            spent=recovery.spent,
            resume=effect.resume,
            kind=getattr(error, "kind", "internal"),
            text=text[:TEXT_CHARS_MAX],
            told=(word_of_pause(effect.connection),) if isinstance(error, CredentialsError) else (),
        )
        return Attempted(result, error)

    def _parked(
        self,
        effect: ClaimedEffect,
        park: Park,
        text: str,
        field: str,
        code: str = "",
        *,
        acted: bool = False,
    ) -> EffectResult:
        text = text[:TEXT_CHARS_MAX]
        settled = _settled(effect, park.outcome, reason=text, field=field, code=code)
        return EffectResult(
            effect=effect,
            state="in_doubt" if park.outcome == "in_doubt" else "parked",
            unclear=effect.unclear or acted,
            resume=effect.resume,
            kind=park.reason,
            text=text,
            reply=_reply(effect, settled),
        )

    def _learn(self, lane: Lane, attempt: Attempted, now: int) -> None:
        lane.in_flight -= 1
        error = attempt.error
        if not attempt.begun:
            return
        if error is None:
            lane.done += 1
            lane.breaker = lane.breaker.succeeded()
            return
        lane.failed += 1
        if isinstance(error, CredentialsError):
            lane.paused_until = now + int(lane.policy.paused_s * US)
        elif isinstance(error, ThrottledError):
            wait = error.retry_after if error.retry_after is not None else lane.policy.base_s
            lane.paused_until = max(
                lane.paused_until, now + int(min(wait, lane.policy.retry_after_max_s) * US)
            )
        elif says_partner_is_down(error):
            lane.breaker = lane.breaker.failed(now, self._jitter())
        else:
            lane.breaker = lane.breaker.succeeded()


def traceparent_of(effect: ClaimedEffect) -> str:
    """The W3C traceparent of an attempt: the subject's trace, the effect as its span."""
    return f"00-{effect.trace}-{effect.id & 0xFFFFFFFFFFFFFFFF:016x}-01"


def _settled(effect: ClaimedEffect, outcome: Any, **more: Any) -> Settled:
    return Settled(
        effect=effect.id,
        connection=effect.connection,
        operation=effect.operation,
        intent=effect.intent,
        outcome=outcome,
        attempts=effect.attempt,
        **more,
    )


def _told(effect: ClaimedEffect, child: Child) -> Arrival:
    """What a reply tells besides: a message from the partner, about the same subject."""
    return Arrival(
        source=effect.connection,
        kind=child.kind,
        body=child.body,
        subject=effect.subject,
        delivery_id=child.delivery_id,
        lane=LANE_FREE,
        trace=effect.trace,
    )


def _reply(effect: ClaimedEffect, settled: Settled) -> Arrival:
    return Arrival(
        source=HUB,
        kind=SETTLED,
        body=msgspec.json.encode(settled),
        subject=effect.subject,
        lane=LANE_FREE,
        trace=effect.trace,
    )
