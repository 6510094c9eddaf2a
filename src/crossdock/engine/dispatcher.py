"""The dispatcher: takes due effects in order per (connection, key), has them performed, records what became of them.

`take`, `perform` and `settle` are three separate steps, so that whoever runs them decides about threads and processes:
the hub performs on an event loop elsewhere, the simulation at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crossdock.engine import crash
from crossdock.engine.lanes import Lane, Lanes
from crossdock.engine.performing import Attempted, Call, Failure, Performer, parked
from crossdock.engine.port import ClaimedEffect, EffectResult, Store, Want, batch_size
from crossdock.engine.recovery import Park
from crossdock.errors import RetryableError

US = 1_000_000
GONE_US = 86_400 * US
"""How long a partner that says that it is gone is left alone before one more look."""


class Dispatcher:
    """Effects of all connections of this process."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        performer: Performer,
        *,
        jitter: Callable[[], float],
        reach: crash.Reach = crash.nowhere,
    ) -> None:
        self._store, self.lanes, self.performer = store, lanes, performer
        self._jitter, self._reach = jitter, reach

    def step(self, now: int) -> int:
        """Take, perform and settle once, one after the other; returns how many effects were performed."""
        calls = self.take(now)
        self.settle([self.perform(call) for call in calls], now)
        return sum(len(call.effects) for call in calls)

    def take(self, now: int) -> list[Call]:
        """Claim what may go now. The claim is durable before this returns."""
        calls = self.group(self.claim(self.wants(now), now))
        self.took(calls)
        return calls

    def perform(self, call: Call) -> Attempted:
        """Call the partner once, on this thread. Never raises."""
        return self.performer.perform(call, self.lanes[call.connection].transport)

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

    def group(self, effects: Sequence[ClaimedEffect]) -> list[Call]:
        """The calls that carry these effects, in the order staged.

        An operation with a batch carries many; with every attempt that an effect has used up its batches are a quarter
        as large, so that one that makes its call fail is alone in the end. Unclear ones that can only be decided by a
        person, and others that may have happened, go apart from fresh ones.
        """
        calls: list[Call] = []
        open_: dict[tuple[str, str, bool, int], list[ClaimedEffect]] = {}
        for effect in effects:
            lane = self.lanes[effect.connection]
            size = batch_size(lane.batches.get(effect.operation, 1), effect.attempt - 1)
            kind = (effect.connection, effect.operation, effect.unclear, size)
            batch = open_.setdefault(kind, [])
            batch.append(effect)
            if len(batch) == size:
                calls.append(self._call(lane, batch))
                del open_[kind]
        calls += [self._call(self.lanes[batch[0].connection], batch) for batch in open_.values()]
        return calls

    @staticmethod
    def _call(lane: Lane, batch: Sequence[ClaimedEffect]) -> Call:
        return Call(
            connection=lane.name,
            operation=batch[0].operation,
            effects=tuple(batch),
            probe=lane.breaker.tripped,
        )

    def took(self, calls: Sequence[Call]) -> None:
        """Their lanes have these under way."""
        for call in calls:
            self.lanes[call.connection].took(1)

    def record(self, attempts: Sequence[Attempted], now: int) -> None:
        """Write what became of attempts. One that cannot be written is parked, and holds up no other."""
        if not attempts:
            return
        self._reach(crash.SETTLE_BEFORE_COMMIT)
        results = [result for attempt in attempts for result in attempt.results]
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
            self._store.settle([parked(result.effect, Park("internal"), text, acted=True)], now)

    def learn(self, attempts: Sequence[Attempted], now: int) -> None:
        """Count calls that are over on their lanes: pace, breaker, pauses."""
        for attempt in attempts:
            lane = self.lanes[attempt.connection]
            lane.in_flight -= 1
            if not attempt.begun:
                continue
            if attempt.failure is None:
                lane.done += len(attempt.results)
                lane.breaker = lane.breaker.succeeded()
            else:
                lane.failed += len(attempt.results)
                _learn(lane, attempt.failure, now, self._jitter())

    def next_at(self, now: int) -> int | None:
        """When a lane may go on by the passing of time alone."""
        times = [at for lane in self.lanes.values() if (at := lane.next_at(now)) is not None]
        return min(times, default=None)


def _learn(lane: Lane, failure: Failure, now: int, jitter: float) -> None:
    if failure.kind == "gone":
        lane.paused_until = now + GONE_US
    elif failure.kind == "credentials":
        lane.paused_until = now + int(lane.policy.paused_s * US)
    elif failure.kind == "throttled":
        wait = failure.retry_after if failure.retry_after is not None else lane.policy.base_s
        pause = int(min(wait, lane.policy.retry_after_max_s) * US)
        lane.paused_until = max(lane.paused_until, now + pause)
    elif failure.kind == "down":
        lane.breaker = lane.breaker.failed(now, jitter)
    else:
        lane.breaker = lane.breaker.succeeded()
