"""A lane per connection: what may go to this partner now. Pace, breaker, and how many calls are under way."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossdock.engine.calling import Transport
from crossdock.engine.pace import Breaker, Bucket, bucket
from crossdock.engine.port import Want
from crossdock.engine.recovery import RetryPolicy
from crossdock.sdk.spec import Connector

US = 1_000_000
BUNDLE = 4
"""How many calls are claimed per free place: a small stock, so that no place waits for the next claim."""


class Lane(msgspec.Struct, kw_only=True):
    """Mutable state of one connection in this process; owned by the dispatcher's loop."""

    name: str
    connector: Connector
    transport: Transport
    policy: RetryPolicy = RetryPolicy()
    concurrency_max: int = 8
    pace: Bucket = bucket(0, 1)
    breaker: Breaker = Breaker()
    in_flight: int = 0
    paused_until: int = 0
    done: int = 0
    failed: int = 0
    live: bool = True
    """False in observe: its feeds are read, and it is told nothing."""

    @property
    def batches(self) -> Mapping[str, int]:
        """How many effects one call carries, per operation that takes more than one."""
        operations = self.connector.spec.operations
        return {o.name: o.batch_max for o in operations if o.kind == "once" and o.batch_max > 1}

    @property
    def polls(self) -> str | None:
        """The operation that reads its feeds; None where it has none."""
        return next((o.name for o in self.connector.spec.operations if o.kind == "poll"), None)

    def want(self, now: int) -> Want | None:
        """What could be claimed for it now; None where nothing may go. Reading is no effect on anyone."""
        only = "" if self.live else self.polls
        if only is None or now < self.paused_until:
            return None
        self.pace = self.pace.refilled(now)
        if self.breaker.tripped:
            places = self.breaker.grants(self.in_flight, now)
        else:
            places = self.concurrency_max * BUNDLE - self.in_flight
        limit = min(places, self.pace.grants())
        if limit <= 0:
            return None
        deadline = max((o.deadline_s for o in self.connector.spec.operations), default=30.0)
        batches = {} if self.breaker.tripped else self.batches  # a probe carries one
        return Want(
            connection=self.name,
            limit=limit,
            lease_until=now + int(deadline * US),
            batches=batches,
            only=only,
        )

    def next_at(self, now: int) -> int | None:
        """When it may go on by the passing of time alone; None where it needs no waiting."""
        if now < self.paused_until:
            return self.paused_until
        if self.breaker.tripped and now < self.breaker.until:
            return self.breaker.until
        return self.pace.next_at() if self.pace.grants() < 1 else None

    def took(self, count: int) -> None:
        """`count` calls were claimed."""
        self.in_flight += count
        self.pace = self.pace.taken(count)


Lanes = Mapping[str, Lane]
