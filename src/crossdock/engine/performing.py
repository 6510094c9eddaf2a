"""Performing: a call to a partner with one effect or a batch of them, to what became of each.

It needs no store and no state of the hub, so that it may be done in another process: what goes in and what comes out
are plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from crossdock.engine import crash
from crossdock.engine.calling import CallFailed, Steps, Transport, run, steps
from crossdock.engine.masking import without_persons
from crossdock.engine.messages import ASKED_AT, HUB, LANE_FREE, LANE_STREAM, SETTLED, Arrival, Settled
from crossdock.engine.operations import word_of_pause
from crossdock.engine.port import ClaimedEffect, EffectResult
from crossdock.engine.recovery import Park, RetryPolicy, after_effect_failure, says_partner_is_down
from crossdock.engine.tracing import parent_of, state_of
from crossdock.errors import (
    CredentialsError,
    CrossdockError,
    GoneError,
    InDoubtError,
    ThrottledError,
    UnclearError,
)
from crossdock.sdk.calls import Done, Intent, Outcome, Page, Pending, Refused, Results
from crossdock.sdk.spec import Child, Connector, Operation

US = 1_000_000
TEXT_CHARS_MAX = 500

Prepare = Callable[[ClaimedEffect], Any]
"""Makes the typed command of a claimed effect."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Effects that go to their partner in one call: one, or as many as its operation takes in a batch.

    probe: the partner seemed down, and this call finds out whether it is back.
    """

    connection: str
    operation: str
    effects: tuple[ClaimedEffect, ...]
    probe: bool = False

    @property
    def traceparent(self) -> str:
        """The W3C traceparent of its first effect: the subject's trace, the effect as its span."""
        return traceparent_of(self.effects[0])

    @property
    def tracestate(self) -> str:
        """The W3C tracestate of its first effect: as it came with the subject's trace."""
        return state_of(self.effects[0].trace)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What a failed call says of its partner as a whole. `partner` is none of the others: it answered, and it is well."""

    kind: Literal["credentials", "gone", "throttled", "down", "partner"]
    retry_after: float | None = None


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """One call that is over: a result for each of its effects, and what its lane learns from it."""

    connection: str
    results: tuple[EffectResult, ...]
    failure: Failure | None = None
    begun: bool = True

    @property
    def result(self) -> EffectResult:
        """The result of a call with one effect."""
        (single,) = self.results
        return single


def released(call: Call) -> Attempted:
    """A call that was not begun: as if its effects had not been claimed."""
    results = tuple(
        EffectResult(
            effect=effect, state="released", unclear=effect.unclear, spent=False, resume=effect.resume
        )
        for effect in call.effects
    )
    return Attempted(connection=call.connection, results=results, begun=False)


def cut_off(call: Call, now: int, settle_us: int | None) -> Attempted:
    """A call of which nobody will say any more what came of it: each effect may have happened.

    It is due once its lease and `settle_us` are over; None: at once, for the partner knows our key.
    """
    results = tuple(
        EffectResult(
            effect=effect,
            state="retry",
            due_at=now if settle_us is None else max(effect.lease_until, now) + settle_us,
            unclear=True,
            resume=effect.resume,
            kind="unclear",
            text="The process that performed the call is gone; the partner may have acted.",
        )
        for effect in call.effects
    )
    return Attempted(connection=call.connection, results=results, failure=Failure(kind="partner"))


def traceparent_of(effect: ClaimedEffect) -> str:
    """The W3C traceparent of an attempt: the subject's trace, the effect as its span."""
    return parent_of(effect.trace, effect.id)


class Performer:
    """Makes calls by the connectors of this process. Nothing here waits, and nothing is kept between two calls."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        prepare: Prepare,
        *,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        policy: RetryPolicy | None = None,
        reach: crash.Reach = crash.nowhere,
    ) -> None:
        self.connectors, self._prepare = connectors, prepare
        self._clock, self._jitter, self._reach = clock, jitter, reach
        self.policy = policy or RetryPolicy()

    def perform(self, call: Call, transport: Transport) -> Attempted:
        """Call the partner once, on this thread. Never raises."""
        return run(self.attempt(call), transport, call.traceparent, call.tracestate)

    def attempt(self, call: Call) -> Steps[Attempted]:
        """One call as its steps, for whoever performs them. Never raises of itself."""
        connector = self.connectors[call.connection]
        operation = connector.spec.operation(call.operation)
        if operation is None:
            park = Park("unsupported")
            reason = f"The connector {connector.spec.name} has no operation {call.operation}."
            return _all(call, lambda effect: parked(effect, park, reason))
        if operation.doubles == "none" and any(effect.unclear for effect in call.effects):
            # Alone: effects that are unclear are never grouped.
            error = InDoubtError(
                f"{call.operation} may have reached {call.connection}, which cannot be asked."
            )
            return _all(call, lambda effect: parked(effect, Park("in_doubt", "in_doubt"), str(error)))
        asked_at = self._clock() if operation.kind == "poll" else 0
        try:
            outcome = yield from self._call(connector, operation, call)
        except CallFailed as failure:
            return self._failed(operation, call, failure)
        except Exception as error:
            return self._failed(operation, call, CallFailed(error, acted=False))
        self._reach(crash.EFFECT_ANSWERED)
        try:
            return _all(
                call, lambda effect: _aside(operation, self._result(operation, effect, outcome, asked_at))
            )
        except Exception as error:
            return self._failed(operation, call, CallFailed(error, acted=True))

    def _call(self, connector: Connector, operation: Operation, call: Call) -> Steps[Outcome]:
        commands = tuple(self._prepare(effect) for effect in call.effects)
        now = self._clock()
        text = datetime.fromtimestamp(now / US, UTC).isoformat()
        intents = tuple(_intent(effect, text) for effect in call.effects)
        make = getattr(connector, operation.name)
        calls = make(commands, intents) if operation.batch_max > 1 else make(commands[0], intents[0])
        lease_until = min(effect.lease_until for effect in call.effects)
        deadline = min(now + int(operation.deadline_s * US), lease_until)
        self._reach(crash.EFFECT_BEFORE_SEND)
        return (yield from steps(calls, deadline=deadline, clock=self._clock))

    def _result(
        self, operation: Operation, effect: ClaimedEffect, outcome: Outcome, asked_at: int
    ) -> EffectResult:
        if isinstance(outcome, Results) and operation.batch_max > 1:
            single = outcome.by_key.get(effect.key)
            if single is None:
                error = UnclearError(f"{effect.connection} said nothing of this one among others.")
                return self._again(operation, effect, CallFailed(error, acted=True), probe=False)
            outcome = single
        if isinstance(outcome, Done):
            return _done(effect, outcome)
        if isinstance(outcome, Refused):
            return parked(effect, Park("refused"), outcome.reason, outcome.field, outcome.code)
        if isinstance(outcome, Page):
            return _page(effect, outcome, asked_at)
        if isinstance(outcome, Pending):
            due = self._clock() + int(outcome.after * US)
            return EffectResult(
                effect=effect, state="pending", due_at=due, resume=outcome.resume, spent=False
            )
        return parked(effect, Park("contract"), "The connector gave results for a call that carries one.")

    # Failures

    def _failed(self, operation: Operation, call: Call, failure: CallFailed) -> Attempted:
        again = [self._again(operation, effect, failure, probe=call.probe) for effect in call.effects]
        results = [_aside(operation, result) for result in again]
        error = failure.error
        if isinstance(error, CredentialsError) and results[0].state == "retry":
            told = (word_of_pause(call.connection, str(error) if isinstance(error, GoneError) else ""),)
            results[0] = msgspec.structs.replace(results[0], told=told)
        return Attempted(connection=call.connection, results=tuple(results), failure=_lesson(error))

    def _again(
        self, operation: Operation, effect: ClaimedEffect, failure: CallFailed, *, probe: bool
    ) -> EffectResult:
        error, now = failure.error, self._clock()
        recovery = after_effect_failure(
            error,
            effect.attempt,
            self.policy,
            now,
            self._jitter(),
            doubles=operation.doubles,
            acted=failure.acted,
            unclear=effect.unclear,
            probe=probe,
        )
        text = (str(error) or type(error).__name__).encode("utf-8", "replace").decode()
        if isinstance(recovery, Park):
            field = error.field or "" if isinstance(error, CrossdockError) else ""
            # A code is the partner's own; what we have found out has none, and is no refusal of theirs.
            return parked(effect, recovery, text, field, acted=failure.acted)
        due = max(recovery.due_at, now + int(operation.settle_s * US) if recovery.unclear else 0)
        return EffectResult(
            effect=effect,
            state="retry",
            due_at=due,
            unclear=effect.unclear or recovery.unclear,
            spent=recovery.spent,
            resume=effect.resume,
            kind=getattr(error, "kind", "internal"),
            text=without_persons(text, effect.party)[:TEXT_CHARS_MAX],
        )


def parked(
    effect: ClaimedEffect, park: Park, text: str, field: str = "", code: str = "", *, acted: bool = False
) -> EffectResult:
    """An effect that stops until a person decides."""
    text = without_persons(text, effect.party)[:TEXT_CHARS_MAX]
    settled = _settled(effect, park.outcome, reason=text, field=field, code=code)
    return EffectResult(
        effect=effect,
        state="in_doubt" if park.reason == "in_doubt" else "parked",
        unclear=effect.unclear or acted,
        resume=effect.resume,
        kind=park.reason,
        text=text,
        reply=_reply(effect, settled),
    )


def _aside(operation: Operation, result: EffectResult) -> EffectResult:
    """Of an effect aside, success is no message, and all else is one about its connection instead of its subject."""
    if not operation.aside or result.reply is None:
        return result
    if result.state == "done":
        return msgspec.structs.replace(result, reply=None)
    reply = msgspec.structs.replace(
        result.reply, subject=0, ref_kind="connection", ref=result.effect.connection
    )
    return msgspec.structs.replace(result, reply=reply)


def _lesson(error: Exception) -> Failure:
    if isinstance(error, GoneError):
        return Failure(kind="gone")
    if isinstance(error, CredentialsError):
        return Failure(kind="credentials")
    if isinstance(error, ThrottledError):
        return Failure(kind="throttled", retry_after=error.retry_after)
    return Failure(kind="down" if says_partner_is_down(error) else "partner")


def _all(call: Call, result: Callable[[ClaimedEffect], EffectResult]) -> Attempted:
    return Attempted(connection=call.connection, results=tuple(map(result, call.effects)))


def _intent(effect: ClaimedEffect, now: str) -> Intent:
    return Intent(
        key=effect.key,
        may_have_happened=effect.unclear,
        attempt=effect.attempt,
        resume=effect.resume,
        traceparent=traceparent_of(effect),
        tracestate=state_of(effect.trace),
        now=now,
    )


def _done(effect: ClaimedEffect, done: Done) -> EffectResult:
    booked_at = _micros(done.booked_at) if done.booked_at is not None else 0
    settled = _settled(
        effect,
        "done",
        reference=done.reference,
        total=done.total,
        already=done.already,
        booked_at=booked_at,
    )
    return EffectResult(
        effect=effect,
        state="done",
        reference=done.reference,
        reply=_reply(effect, settled),
        told=tuple(_told(effect, child) for child in done.messages),
    )


def _micros(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp()) * US + moment.microsecond


def _page(effect: ClaimedEffect, page: Page, asked_at: int) -> EffectResult:
    reply = Arrival(
        source=effect.connection,
        kind=page.kind,
        body=page.body,
        headers={
            "cursor": page.cursor,
            "more": "true" if page.more else "",
            ASKED_AT: str(asked_at) if asked_at else "",
        },
        subject=effect.subject,
        lane=LANE_STREAM,
    )
    return EffectResult(effect=effect, state="done", reference=page.cursor[:80], reply=reply)


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
