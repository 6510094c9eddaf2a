"""The last unit of an article is sold in a store: how soon does it leave the shop?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from crossdock.demo.stores import LastUnit

US = 1_000_000
SOLD_BY = 0.72
"""Until this part of the day they are sold: then the stores close."""


class Gone(msgspec.Struct, kw_only=True):
    """A last unit: when its ticket was made (microseconds), and after how many ms the shop listed none; None: not yet."""

    sku: str
    store: str
    sold_at: int
    took_ms: float | None = None


class LastUnits:
    """Sells them when it is time and the hub is calm, and looks when the shop was told. The clock is everybody's."""

    def __init__(
        self,
        units: Sequence[LastUnit],
        seconds: float,
        *,
        sell: Callable[[str, str], None],
        tell: Callable[[str], None],
    ) -> None:
        self._units, self._by = list(units), SOLD_BY * seconds
        self._sell, self._tell = sell, tell
        self.gone: list[Gone] = []

    @property
    def over(self) -> bool:
        """Whether all are sold and gone."""
        return not self._units and all(unit.took_ms is not None for unit in self.gone)

    def go_on(self, at: float, display: Mapping[str, tuple[int, int]], *, calm: bool) -> None:
        """Sell what is due, and see what the shop lists: (quantity, since) of each article."""
        if self._units and not calm and at >= self._by:
            self._units.clear()  # the stores close: what could not be sold in time stays where it is
        if self._units and calm and at >= self._units[0].at:
            unit = self._units.pop(0)
            self.gone.append(Gone(sku=unit.sku, store=unit.store, sold_at=time.time_ns() // 1000))
            self._sell(unit.store, unit.sku)
        for gone in self.gone:
            quantity, since = display.get(gone.sku, (1, 0))
            if gone.took_ms is None and not quantity and since >= gone.sold_at:
                gone.took_ms = round((since - gone.sold_at) * 1000 / US, 1)
                self._tell(
                    f"{gone.store} sold the last {gone.sku}: the shop listed none after {gone.took_ms:.0f} ms"
                )
