"""Killing processes of the hub as planned, and starting them again as whoever watches over them would."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from crossdock.demo.children import Child, HubProcesses
from crossdock.demo.options import DEAD_S

FELT_S = 6.0
"""As long a death may be felt: leases last three seconds, and what has waited meanwhile takes as long again."""


class Death(msgspec.Struct, kw_only=True):
    """Who was killed when, and when it worked again; in seconds since the shop opened, 0: not yet."""

    name: str
    killed_at: float
    back_at: float = 0.0


class Killing:
    """One at a time, the victims in turn. `ready` says whether the hub takes work, `sent` how many calls are under way."""

    def __init__(
        self,
        hub: HubProcesses,
        kills: Sequence[float],
        *,
        ready: Callable[[], bool],
        sent: Callable[[], int | None],
        tell: Callable[[str], None],
    ) -> None:
        self._hub, self._kills = hub, list(kills)
        self._ready, self._sent, self._tell = ready, sent, tell
        self._lives = 0
        self._started = False
        self.dead: Child | None = None
        self.deaths: list[Death] = []

    @property
    def over(self) -> bool:
        """Whether nobody is dead and nobody will be."""
        return self.dead is None and not self._kills

    def is_calm(self, at: float) -> bool:
        """Whether nothing that happened lately can still be felt: leases of the dead are taken over, backlogs gone."""
        if not self.deaths:
            return True
        last = self.deaths[-1]
        if self._hub.shared:
            return at >= last.killed_at + FELT_S
        return self.dead is None and at >= last.back_at + FELT_S / 2

    def go_on(self, at: float) -> None:
        """Do what is to be done by now."""
        if self.dead is not None:
            self._revive(self.dead, at)
        elif self._kills and at >= self._kills[0]:
            self._kills.pop(0)
            self._kill(self._hub.victims[len(self.deaths) % len(self._hub.victims)], at)
        self._hub.require_alive(None if self._started else self.dead)

    def spare(self) -> None:
        """Kill nobody any more."""
        self._kills.clear()

    def _kill(self, child: Child, at: float) -> None:
        self._lives, self._started = child.lives(), False
        child.kill()
        self.dead = child
        self.deaths.append(Death(name=child.name, killed_at=at))
        if self._hub.shared:
            others = len(self._hub.victims) - 1
            self._tell(f"{child.name} is killed (SIGKILL), the other {others} go on")
            return
        sent = self._sent()
        under_way = f", {sent} calls to partners under way" if sent is not None else ""
        self._tell(f"the hub is killed (SIGKILL){under_way}")

    def _revive(self, child: Child, at: float) -> None:
        death = self.deaths[-1]
        if not self._started and at >= death.killed_at + DEAD_S:
            child.start()
            self._started = True
        elif self._started and child.lives() > self._lives and self._ready():
            self.dead, death.back_at = None, at
            gap = at - death.killed_at
            name = child.name if self._hub.shared else "the hub"
            goes_on = "takes its share again" if self._hub.shared else "goes on where it was"
            self._tell(f"{name} is back after {gap:.1f} s, and {goes_on}")
