"""One simulation: from a seed to a trace, or to the first invariant that does not hold."""

from __future__ import annotations

import contextlib
import gc
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from crossdock.errors import CrossdockError
from crossdock.simulator.base import Event
from sim.books import Books, check_alerts, check_cases, check_store, unrest
from sim.faults import FAULTS, Faults
from sim.hub import SimHub
from sim.invariants import Invariants
from sim.people import People
from sim.retailer import PARTNERS, SHOPS, WAREHOUSES, Partners, configure, connectors, traits_of
from sim.stores import StoreBooks, Stores
from sim.wire import Wire
from sim.world import DAY, HOUR, MINUTE, SECOND, START, Violation, World

ORDERS_A_DAY = 60
DRAIN_MAX = 4 * DAY
COUNTED_WITHIN = 4 * HOUR
"""Who is quiet at the limit may still have shelves to count, and what that brings to handle."""
LOOKED_AT = 31 * MINUTE
"""At the end, how often it is looked whether all has come to rest: never in step with what happens each hour."""
MEMORY = Path("/dev/shm")


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate. orders: only those with these numbers are sold, the others never were; () is all."""

    seed: int
    days: int = 1
    faults: tuple[str, ...] = tuple(FAULTS)
    orders: tuple[int, ...] = ()
    orders_a_day: int = ORDERS_A_DAY

    def command(self) -> str:
        """How to see it again."""
        names = "all" if self.faults == tuple(FAULTS) else ",".join(self.faults) or "none"
        text = f"make sim SEED={self.seed} DAYS={self.days} FAULTS={names}"
        if self.orders_a_day != ORDERS_A_DAY:
            text += f" A_DAY={self.orders_a_day}"
        return text + (f" ORDERS={','.join(map(str, self.orders))}" if self.orders else "")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How it went. letter "" is: everything held."""

    story: Story
    digest: str
    steps: int
    cpu_s: float
    letter: str = ""
    text: str = ""
    last: tuple[str, ...] = ()
    struck: dict[str, int] = {}
    orders: int = 0
    lives: int = 1

    @property
    def ok(self) -> bool:
        return not self.letter


def simulate(story: Story, trace: IO[str] | None = None) -> Told:
    """Run a story; never raises for what it finds."""
    began = time.process_time()
    folder = Path(tempfile.mkdtemp(prefix="crossdock-sim-", dir=MEMORY if MEMORY.is_dir() else None))
    log, was_on = logging.getLogger("crossdock"), gc.isenabled()
    level = log.level
    log.setLevel(logging.CRITICAL)
    gc.disable()
    try:
        return _Run(story, folder, trace).told(began)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        log.setLevel(level)
        if was_on:
            gc.enable()


class _Run:
    def __init__(self, story: Story, folder: Path, trace: IO[str] | None) -> None:
        self.story = story
        self.world = world = World(story.seed, trace)
        self.faults = faults = Faults(world, story.faults, story.days, PARTNERS)
        traits = traits_of(world.dice_for(), faults)
        config = configure(folder, traits)
        kinds = connectors(config, traits)
        self.partners = Partners(
            world.dice_for(), traits, faults, story.orders_a_day * story.days, story.days
        )
        self.known = Invariants(world)
        self.known.strike = lambda name: faults.count(name) if faults.has(name) else None
        self.known.partners = self.partners.all()
        self.wires = {
            name: Wire(world, faults, name, simulator, kinds[name].request_headers(), self.known.carried_out)
            for name, simulator in self.partners.all().items()
        }
        self.hub = SimHub(world, faults, config, traits, kinds, self.wires, self.known)
        self.hub.on_started = lambda: check_store(self.hub, self.known, world.clock(), starting=True)
        self.known.peace = lambda name: self.wires[name].throttled_until - world.now
        for wire in self.wires.values():
            wire.lives = lambda: self.hub.life
        self.people = People(world, faults, self.hub, self.partners, self.wires, story.days)
        self.stores = Stores(world, faults, self.partners, self.wires)
        self.skipped: set[int] = set()
        self._plan()

    def told(self, began: float) -> Told:
        """Play it to the end."""
        letter = text = ""
        try:
            self._play()
        except Violation as found:
            letter, text = found.letter, found.text
        finally:
            self._close()
        return Told(
            story=self.story,
            digest=self.world.digest,
            steps=self.world.steps,
            cpu_s=time.process_time() - began,
            letter=letter,
            text=text,
            last=tuple(self.world.last),
            struck=dict(sorted(self.faults.counts.items())),
            orders=sum(len(self.partners.shops[name].orders) for name in SHOPS),
            lives=self.hub.life + 1,
        )

    def _plan(self) -> None:
        for name in SHOPS:
            self.wires[name].passes = self._passing(name)
        for name in PARTNERS:
            self.wires[name].plan()
        world, faults, dice = self.world, self.faults, self.world.dice_for()
        for at in faults.jumps:
            jump = dice.choice((-10, 10)) * MINUTE
            world.at(at, partial(self._jump, jump))
        for at in faults.forgets:
            world.at(at, self._forget_keys)

    def _passing(self, name: str) -> Callable[[Event], Event | None]:
        """Of what a shop tells, leave out orders that this story has not, and let people do the rest."""
        wanted = set(self.story.orders)
        shop = self.partners.shops[name]

        def passes(event: Event) -> Event | None:
            if wanted and event[0]["x-shopify-topic"] == "orders/create":
                number = int(msgspec.json.decode(event[1])["order_number"]) - 1001
                if number not in wanted:
                    shop.orders.pop(int(msgspec.json.decode(event[1])["id"]), None)
                    return None
            return self.people.sold(name, event)

        return passes

    def _jump(self, jump: int) -> None:
        self.faults.count("clock")
        self.world.skew += jump
        self.world.tell("clock", jump // SECOND)
        if self.hub.alive:
            self.hub.poke("ticks", 1_000)

    def _forget_keys(self) -> None:
        """Keys that are older than any call under way are forgotten."""
        self.faults.count("forgotten_keys")
        self.world.tell("keys forgotten")
        keys = [
            self.partners.erp._keys,
            *(warehouse._keys for warehouse in self.partners.warehouses.values()),
        ]
        for kept in keys:
            if kept is not None:
                kept._kept.clear()

    def _play(self) -> None:
        world = self.world
        self.hub.start()
        end = START + self.story.days * DAY
        world.after(HOUR, self._each_hour)
        world.run_until(end)
        limit = self.faults.last + DRAIN_MAX
        quiet = 0
        while quiet < 3:
            world.run_until(world.now + LOOKED_AT)
            why = unrest(self.hub)
            quiet = 0 if why or world.now < self.faults.last + 2 * HOUR else quiet + 1
            if quiet == 3 and (self.known.doubtful or self.known.undecided):
                quiet = 0
                for name in WAREHOUSES:
                    self.people.count(name)
            if world.now > limit + (0 if why else COUNTED_WITHIN):
                raise Violation("i", f"It does not come to rest: {why}.")
        check_store(self.hub, self.known, world.clock())
        check_cases(self.hub)
        books = Books(world, self.hub, self.partners, self.people)
        books.check()
        stores = StoreBooks(self.hub, self.partners, self.stores, self.people.dropped)
        stores.check(books.stores, books.open)

    def _each_hour(self) -> None:
        self.world.after(HOUR, self._each_hour)
        check_alerts(self.hub)

    def _close(self) -> None:
        if self.hub.alive:
            with contextlib.suppress(CrossdockError, OSError):
                self.hub.close()
