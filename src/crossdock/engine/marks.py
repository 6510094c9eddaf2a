"""The publisher: sends *latest* values, read when they are sent, in the partner's batches; older ones never leave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from crossdock.engine import crash
from crossdock.engine.calling import CallFailed, run, steps
from crossdock.engine.lanes import Lane, Lanes
from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.engine.operations import MARK_REFUSED, word_of_pause
from crossdock.engine.port import ClaimedMark, MarkResult, Store, Want
from crossdock.engine.recovery import Park, after_effect_failure, says_partner_is_down
from crossdock.errors import CredentialsError, ThrottledError
from crossdock.sdk.calls import Done, Intent, Refused, Results
from crossdock.sdk.spec import Operation

US = 1_000_000
CALLS_MAX = 4
"""Calls of one turn where many marks wait: claiming and settling each wait for the writer, whatever they are of."""
TURN_US = 20 * US
"""After so long a turn begins no further call; its claims last three times as long."""

Values = Callable[[str, str, Sequence[str]], Mapping[str, tuple[str, Any]]]
"""(connection, operation, keys) -> key -> (value as text, command); a key that is absent is not to be sent."""


class Publisher:
    """Marks of all connections of this process. One call per connection and operation at a time, so that none overtakes."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        values: Values,
        *,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        reach: crash.Reach = crash.nowhere,
    ) -> None:
        self._store, self._lanes, self._values = store, lanes, values
        self._clock, self._jitter, self._reach = clock, jitter, reach

    def step(self, now: int) -> int:
        """Send what is due, a few batches per connection at most; returns how many keys were taken."""
        wants = []
        for lane in self._lanes.values():
            operations = [o for o in lane.connector.spec.operations if o.kind == "latest"]
            if operations and lane.live and (may := lane.want(now)) is not None:
                size = max(o.batch_max for o in operations) * min(may.limit, CALLS_MAX)
                wants.append(Want(connection=lane.name, limit=size, lease_until=now + 3 * TURN_US))
        marks = self._store.claim_marks(wants, now) if wants else []
        if not marks:
            return 0
        self._reach(crash.MARKS_CLAIMED)
        groups: dict[tuple[str, str], list[ClaimedMark]] = {}
        for mark in marks:
            groups.setdefault((mark.connection, mark.operation), []).append(mark)
        results: list[MarkResult] = []
        for (connection, name), group in groups.items():
            results += self._send(self._lanes[connection], name, group)
        self._reach(crash.MARKS_ANSWERED)
        self._store.settle_marks(results, now)
        return len(marks)

    def _send(self, lane: Lane, name: str, marks: list[ClaimedMark]) -> list[MarkResult]:
        operation = lane.connector.spec.operation(name)
        if operation is None:
            return [MarkResult(mark=mark, sent=None) for mark in marks]
        results: list[MarkResult] = []
        began, failed, size = self._clock(), lane.failed, operation.batch_max
        for start in range(0, len(marks), size):
            now = self._clock()
            if lane.failed > failed or now > began + TURN_US:
                due_at = max(now, results[-1].due_at)
                results += [MarkResult(mark=mark, sent=None, due_at=due_at) for mark in marks[start:]]
                break
            results += self._send_batch(lane, operation, marks[start : start + size], now)
        return results

    def _send_batch(
        self, lane: Lane, operation: Operation, marks: list[ClaimedMark], now: int
    ) -> list[MarkResult]:
        """One call, of the values as they are now; what the partner holds already is not sent."""
        found = self._values(lane.name, operation.name, [mark.key for mark in marks])
        changed = [mark for mark in marks if mark.key in found and found[mark.key][0] != mark.sent]
        results = [
            MarkResult(mark=mark, sent=mark.sent)
            for mark in marks
            if mark.key not in found or found[mark.key][0] == mark.sent
        ]
        return results + (self._call(lane, operation, changed, found, now) if changed else [])

    def _call(
        self,
        lane: Lane,
        operation: Operation,
        marks: list[ClaimedMark],
        found: Mapping[str, tuple[str, Any]],
        now: int,
    ) -> list[MarkResult]:
        commands = tuple(found[mark.key][1] for mark in marks)
        intent = Intent(key=f"{lane.name}:{operation.name}:{marks[0].key}:{now}", attempt=marks[0].attempt)
        lane.took(1)
        try:
            calls = getattr(lane.connector, operation.name)(commands, intent)
            deadline = now + int(operation.deadline_s * US)
            trace = traceparent_of_key(intent.key)
            outcome = run(steps(calls, deadline=deadline, clock=self._clock), lane.transport, trace)
        except CallFailed as failure:
            return self._failure(lane, operation, marks, failure, now)
        finally:
            lane.in_flight -= 1
        lane.done += 1
        lane.breaker = lane.breaker.succeeded()
        results = []
        for mark in marks:
            single = outcome.by_key.get(mark.key) if isinstance(outcome, Results) else outcome
            if isinstance(single, Done):
                results.append(MarkResult(mark=mark, sent=found[mark.key][0]))
            elif isinstance(single, Refused):
                results.append(self._refused(mark, single.reason, single.field))
            else:
                results.append(
                    MarkResult(mark=mark, sent=None, due_at=now + US, kind="missing", text="no result")
                )
        return results

    def _failure(
        self,
        lane: Lane,
        operation: Operation,
        marks: list[ClaimedMark],
        failure: CallFailed,
        now: int,
    ) -> list[MarkResult]:
        lane.failed += 1
        error = failure.error
        if isinstance(error, CredentialsError):
            lane.paused_until = max(lane.paused_until, now + int(lane.policy.paused_s * US))
        elif isinstance(error, ThrottledError):
            wait = min(error.retry_after or lane.policy.base_s, lane.policy.retry_after_max_s)
            lane.paused_until = max(lane.paused_until, now + int(wait * US))
        elif says_partner_is_down(error):
            lane.breaker = lane.breaker.failed(now, self._jitter())
        recovery = after_effect_failure(
            error,
            1,
            lane.policy,
            now,
            self._jitter(),
            doubles="key",
            acted=failure.acted,
            unclear=False,
            probe=False,
        )
        if isinstance(recovery, Park):
            return [self._refused(mark, str(error), "") for mark in marks]
        results = [
            MarkResult(mark=mark, sent=None, due_at=recovery.due_at, kind=operation.name, text=str(error))
            for mark in marks
        ]
        if isinstance(error, CredentialsError):
            results[0] = msgspec.structs.replace(results[0], reply=word_of_pause(lane.name))
        return results

    def _refused(self, mark: ClaimedMark, reason: str, field: str) -> MarkResult:
        body = msgspec.json.encode(
            {
                "connection": mark.connection,
                "operation": mark.operation,
                "key": mark.key,
                "reason": reason,
                "field": field,
            }
        )
        reply = Arrival(
            source=HUB,
            kind=MARK_REFUSED,
            body=body,
            ref_kind="mark",
            ref=f"{mark.connection}/{mark.key}",
            lane=LANE_FREE,
        )
        return MarkResult(mark=mark, sent=None, text=reason, reply=reply)


def traceparent_of_key(key: str) -> str:
    """The W3C traceparent of values that belong to no order: a trace of their own, the same for the same key."""
    digest = hashlib.blake2b(key.encode(), digest_size=24).hexdigest()
    return f"00-{digest[:32]}-{digest[32:]}-01"
