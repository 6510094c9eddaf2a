"""A story that fails, made smaller: fewer kinds of faults, then fewer orders, as long as the same invariant breaks."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sim.run import Told, simulate

ATTEMPTS_MAX = 40


def shrink(
    told: Told, say: Callable[[str], None] = lambda text: None, attempts_max: int = ATTEMPTS_MAX
) -> Told:
    """The smallest story found that breaks the same invariant; `told` itself where nothing smaller does."""
    return _Shrinking(told, say, attempts_max).run()


class _Shrinking:
    def __init__(self, told: Told, say: Callable[[str], None], attempts_max: int) -> None:
        self.best, self._say, self._left = told, say, attempts_max

    def run(self) -> Told:
        self._fewer_faults()
        self._fewer_orders()
        self._fewer_faults()
        return self.best

    def _fewer_faults(self) -> None:
        """All at once, then halves, then one at a time."""
        size = len(self.best.story.faults)
        while size:
            start = 0
            while start < len(self.best.story.faults):
                faults = self.best.story.faults
                rest = faults[:start] + faults[start + size :]
                if len(rest) == len(faults) or not self._try(faults=rest):
                    start += size
            size //= 2

    def _fewer_orders(self) -> None:
        orders = self.best.story.orders or tuple(range(self.best.story.orders_a_day * self.best.story.days))
        size = len(orders) // 2
        while size:
            start = 0
            while start < len(orders) and len(orders) > 1:
                rest = orders[:start] + orders[start + size :]
                if rest and self._try(orders=rest):
                    orders = rest
                else:
                    start += size
            size //= 2

    def _try(self, **changes: object) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        told = simulate(msgspec.structs.replace(self.best.story, **changes))
        if told.letter != self.best.letter:
            return False
        self.best = told
        self._say(f"still ({told.letter}): {told.story.command()}")
        return True
