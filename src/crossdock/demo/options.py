"""What is played: how many orders come how fast, and when what goes wrong. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

GONE_S_MAX, GONE_PART = 60.0, 2 / 3
"""How long the warehouse is gone: a minute, in a run that is shorter than 90 seconds this part of it."""
DEAD_S = 1.5
"""How long what was killed stays dead before it is started again."""
KILL_EVERY_S = 10.0
"""How often a worker is killed where there are several."""
WORKERS = 3
STORES_USUAL = 300
SECONDS_USUAL = 90.0
"""Long enough for a warehouse that is gone for a whole minute."""

StoreKind = Literal["sqlite", "postgres"]
ErpKind = Literal["simulated", "tryton"]
USUAL: dict[ErpKind, tuple[float, float, int]] = {
    "simulated": (20.0, 15.0, STORES_USUAL),
    "tryton": (1.0, 5.0, 20),
}
"""Orders a second, tickets a second, stores. Tryton books one or two sales a second, and a day of a store is one."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may choose. port 0: any that is free. store: the embedded one, or PostgreSQL and a process a role.

    tickets: a second, of all stores together; 0: there are no stores.
    """

    rate: float = 20.0
    tickets: float = 15.0
    stores: int = STORES_USUAL
    seconds: float = SECONDS_USUAL
    seed: int = 1
    faults: bool = True
    keep: bool = False
    port: int = 0
    json: bool = False
    store: StoreKind = "sqlite"
    erp: ErpKind = "simulated"

    @property
    def orders(self) -> int:
        """How many orders the shop sells."""
        return max(1, round(self.rate * self.seconds))

    @property
    def tills(self) -> bool:
        """Whether there are stores."""
        return self.tickets > 0

    @property
    def gone(self) -> tuple[float, float]:
        """When the warehouse answers nobody, in seconds from the first order: for a minute, or two thirds of a run that is short."""
        start = 0.05 * self.seconds
        return start, start + min(GONE_S_MAX, GONE_PART * self.seconds)

    @property
    def kills(self) -> list[float]:
        """When something is killed: the one hub halfway, in most runs while the warehouse is gone; else a worker every ten seconds."""
        if not self.faults:
            return []
        if self.store == "sqlite":
            return [0.5 * self.seconds]
        every = min(KILL_EVERY_S, 0.4 * self.seconds)
        return [every * n for n in range(1, int(self.seconds / every) + 1) if every * n < self.seconds]

    @property
    def sales_per_s(self) -> float:
        """What the ERP bears: less than what comes, so that a backlog grows, though none that takes minutes; 0: anything."""
        if not self.faults:
            return 0.0
        slower = min(0.1, 3 / self.seconds)
        return max(1.0, self.rate * (1 - slower))

    @property
    def settle_max_s(self) -> float:
        """How long everything may take to come to rest after the last order."""
        slow_s = 0.0 if self.erp == "simulated" else 12.0 * (self.orders + self.stores)
        return 90.0 + 0.5 * self.seconds + slow_s
