"""Pace and breaker of a connection, as pure values: no clock, no sleep, no lock."""

from __future__ import annotations

import msgspec

US = 1_000_000


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A token bucket. rate 0: no limit. tokens may be a fraction; at is the time they were counted (microseconds)."""

    rate: float
    burst: float
    tokens: float
    at: int = 0

    def refilled(self, now: int) -> Bucket:
        """The bucket as it stands at `now`; a clock that went back adds nothing."""
        if self.rate <= 0:
            return self
        grown = self.tokens + max(0, now - self.at) * self.rate / US
        return Bucket(rate=self.rate, burst=self.burst, tokens=min(self.burst, grown), at=now)

    def grants(self) -> int:
        """Whole calls that may go now."""
        return 1_000_000 if self.rate <= 0 else int(self.tokens)

    def taken(self, calls: int) -> Bucket:
        """The bucket after `calls`."""
        if self.rate <= 0:
            return self
        return Bucket(rate=self.rate, burst=self.burst, tokens=self.tokens - calls, at=self.at)

    def next_at(self) -> int:
        """When the next whole token is there."""
        if self.rate <= 0 or self.tokens >= 1:
            return self.at
        return self.at + int((1 - self.tokens) / self.rate * US) + 1


def bucket(rate: float, burst: float) -> Bucket:
    """A full bucket."""
    return Bucket(rate=rate, burst=max(1.0, burst), tokens=max(1.0, burst))


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Counts failures of a partner as a whole. Open until `until`; after that, one probe at a time.

    failures: in a row. trips: openings in a row, which lengthen the wait.
    """

    failures_max: int = 5
    base_s: float = 1.0
    cap_s: float = 60.0
    failures: int = 0
    trips: int = 0
    until: int = 0

    @property
    def tripped(self) -> bool:
        return self.trips > 0

    def grants(self, in_flight: int, now: int) -> int:
        """How many calls may begin: any number, none, or one probe."""
        if not self.tripped:
            return 1_000_000
        return 0 if now < self.until or in_flight else 1

    def failed(self, now: int, jitter: float) -> Breaker:
        """After a failure: one more in a row; a failed probe, or too many, opens it for longer each time.

        A failure while it is open is of a call that was under way before, and tells nothing new.
        """
        failures = self.failures + 1
        if now < self.until if self.tripped else failures < self.failures_max:
            return msgspec.structs.replace(self, failures=failures)
        wait = min(self.cap_s, self.base_s * 2.0 ** min(self.trips, 20))
        until = now + int(wait * (0.5 + jitter / 2) * US)
        return msgspec.structs.replace(self, failures=failures, trips=self.trips + 1, until=until)

    def succeeded(self) -> Breaker:
        """After a success: closed."""
        if not self.failures and not self.trips:
            return self
        return msgspec.structs.replace(self, failures=0, trips=0, until=0)
