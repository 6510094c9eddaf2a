"""The day as it goes: the partners open, orders come, the hub is killed and comes back, everything comes to rest."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from crossdock.demo.children import Child, HubProcesses
from crossdock.demo.killing import Death, Killing
from crossdock.demo.last_units import Gone, LastUnits
from crossdock.demo.options import Options
from crossdock.demo.retailer import SOURCE_RETRY_S
from crossdock.demo.screen import Screen
from crossdock.demo.stores import SILENT_FROM, SILENT_UNTIL, stores_of
from crossdock.demo.view import picture
from crossdock.demo.watch import Look, Watch
from crossdock.errors import ConfigurationError

LOOK_S = 0.5
READY_S = 60.0
SLOW_READY_S = 600.0
"""The same where a real ERP tells its stock, warehouse by warehouse."""
REST_S = SOURCE_RETRY_S + 2.0
"""As long nothing may happen before the day counts as over: longer than the hub's shortest timer."""


class Played(msgspec.Struct, kw_only=True):
    """How the day went. Times in seconds since the shop opened; memory is the hub's peak, the sum of its processes."""

    deaths: list[Death] = []
    sold_at: float = 0.0
    rested_at: float = 0.0
    rested: bool = False
    memory_mib: float = 0.0
    processes: int = 1
    last_units: list[Gone] = []


class Play:
    """Runs the day; `run` returns when everything has come to rest, or has taken too long to."""

    def __init__(
        self, options: Options, hub: HubProcesses, partners: Child, watch: Watch, screen: Screen
    ) -> None:
        self._options, self._hub, self._partners = options, hub, partners
        self._watch, self._screen = watch, screen
        self._last = Look()
        self._opened = time.monotonic()
        self._killing = Killing(hub, options.kills, ready=watch.ready, sent=watch.calls_sent, tell=self._tell)
        self._stores = stores = stores_of(options)
        units = stores.last if stores is not None else ()
        self._last_units = LastUnits(units, options.seconds, sell=watch.sell, tell=self._tell)
        self.played = Played(
            deaths=self._killing.deaths, processes=len(hub.children), last_units=self._last_units.gone
        )
        gone, back = options.gone
        plot = [
            (gone, lambda: self._tell("the warehouse is gone: it answers nobody")),
            (back, lambda: self._tell("the warehouse is back")),
        ]
        if stores is not None:
            store, day = stores.silent, options.seconds
            plot += [
                (SILENT_FROM * day, lambda: self._tell(f"{store} loses its line, and goes on selling")),
                (
                    SILENT_UNTIL * day,
                    lambda: self._tell(f"{store} has its line again, and uploads what it sold"),
                ),
            ]
        plot.sort(key=lambda step: step[0])
        self._plot: list[tuple[float, Callable[[], None]]] = plot if options.faults else []

    def run(self) -> Played:
        """Open, sell, come to rest."""
        self._open()
        quiet_since: float | None = None
        while True:
            began = time.monotonic()
            self._go_on()
            look = self._look()
            at = self._at()
            if (
                look.shop is not None
                and look.shop.counts.orders == self._options.orders
                and not self.played.sold_at
            ):
                self.played.sold_at = at
                self._killing.spare()
                self._tell(
                    f"the last of {self._options.orders:,} orders is sold; now everything has to come to rest"
                )
            quiet = not self._plot and self._killing.over and self._is_at_rest(look)
            quiet_since = (quiet_since or began) if quiet else None
            if quiet_since is not None and began - quiet_since >= REST_S:
                self.played.rested = True
            over = self.played.sold_at and at > self.played.sold_at + self._options.settle_max_s
            if self.played.rested or over:
                self.played.rested_at = at
                return self.played
            time.sleep(max(0.0, LOOK_S - (time.monotonic() - began)))

    def _is_at_rest(self, look: Look) -> bool:
        if self._stores is None:
            return look.at_rest(self._options.orders)
        held = 1 if self._options.faults else 0
        return self._last_units.over and look.at_rest(self._options.orders, len(self._stores.zones), held)

    def _open(self) -> None:
        """Wait until the hub has read the stock and told the shop, which begins to sell with that."""
        self._wait(self._watch.ready, "the hub does not get ready")
        self._wait(self._watch.knows_stores, "the stock of the stores was not read")
        self._wait(lambda: self._opens(self._watch.look()), "the shop was not told its stock")
        self._wait(self._watch.open_all, "the shop and the stores did not open")
        self._opened = time.monotonic()
        everybody = f"it opens, and {len(self._stores.zones)} stores with it" if self._stores else "it opens"
        self._tell(f"the hub has read the ERP's stock and told the shop: {everybody}")

    @staticmethod
    def _opens(look: Look) -> bool:
        return look.shop is not None and look.shop.stocked

    def _wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        patience_s = READY_S if self._options.erp == "simulated" else SLOW_READY_S
        limit = time.monotonic() + patience_s
        while not condition():
            self._hub.require_alive()
            self._partners.require_alive()
            if time.monotonic() > limit:
                raise ConfigurationError(
                    f"After {patience_s:.0f} s {otherwise}. It said last:\n{self._hub.tail()}"
                )
            time.sleep(0.05)

    def _go_on(self) -> None:
        """Do what the plot has for now, and see after the children."""
        self._partners.require_alive()
        while self._plot and self._at() >= self._plot[0][0]:
            self._plot.pop(0)[1]()
        self._remember_memory()  # before a process takes its own along
        self._killing.go_on(self._at())

    def _look(self) -> Look:
        dead = self._killing.dead
        look = self._watch.look(hub=dead is None or self._hub.shared)
        view = picture(
            look,
            self._last,
            self._options,
            at_s=self._at(),
            phase=self._phase(),
            memory_mib=self._remember_memory(),
            dead=dead.name if dead is not None else "",
        )
        self._screen.show(view)
        display = look.shop.display if look.shop is not None else {}
        self._last_units.go_on(self._at(), display, calm=self._killing.is_calm(self._at()))
        self._last = msgspec.structs.replace(
            look,
            tills=look.tills or self._last.tills,
            hub=look.hub or self._last.hub,
            shop=look.shop or self._last.shop,
            store=look.store or self._last.store,
        )
        return look

    def _phase(self) -> str:
        return "the orders are sold, it comes to rest" if self.played.sold_at else "orders come in"

    def _remember_memory(self) -> float:
        now = self._hub.memory_mib()
        self.played.memory_mib = max(self.played.memory_mib, now)
        return now

    def _tell(self, text: str) -> None:
        self._screen.tell(self._at(), text)

    def _at(self) -> float:
        return time.monotonic() - self._opened
