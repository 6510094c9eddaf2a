"""What is kept for a time only, and goes when it is over: raw bodies, and the ids of deliveries."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossdock.engine.port import Store, Terms

ROUND_EVERY_US = 6 * 3600 * 1_000_000
"""How often it is begun to look at everything that is kept."""
PAUSE_US = 100_000
"""Between two looks of a round: whoever takes messages in goes first."""
ROWS_MAX = 250
"""Messages, and delivery ids, that one look passes; and no more go with it."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long each source's are kept, in microseconds; "" is every source that is not named, 0 is for ever."""

    bodies_us: Mapping[str, int] = {}
    deliveries_us: Mapping[str, int] = {}

    def terms(self, now: int) -> Terms:
        """As moments."""
        return Terms(bodies=_before(self.bodies_us, now), deliveries=_before(self.deliveries_us, now))


class Keeping:
    """Looks through what is kept, little by little, a few times a day. `step` returns when it wants to be called again."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store, self._retention = store, retention
        self._next_at = 0

    def step(self, now: int) -> int:
        """Look further, if it is time; a clock that has jumped back far makes no pause longer than the usual one."""
        if self._next_at - ROUND_EVERY_US <= now < self._next_at:
            return self._next_at
        expired = self._store.expire(self._retention.terms(now), now, ROWS_MAX)
        self._next_at = now + (ROUND_EVERY_US if expired.whole else PAUSE_US)
        return self._next_at


def _before(kept_us: Mapping[str, int], now: int) -> dict[str, int]:
    return {source: max(0, now - us) if us else 0 for source, us in kept_us.items()}
