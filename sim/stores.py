"""Stores: their tills sell and take back, fall silent for hours and upload late, and close with the Z report of each till.

Their own books are kept here and in their simulator; at the day's end they are laid beside the hub's and the ERP's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from crossdock.domain.process import OrderProcess
from crossdock.simulator.base import Event
from crossdock.simulator.plain import signed
from sim.faults import Faults
from sim.hub import SimHub
from sim.retailer import SECRET, STORES, TILLS, Partners
from sim.wire import Wire
from sim.world import HOUR, START, Violation, World

TICKETS = 36
"""Of all stores together; all of them on the first day."""
OPEN, CLOSE = 7 * HOUR, 20 * HOUR
SILENT, SILENT_MAX = 0.7, 8.0
BACK, AGAIN = 0.12, 0.05


class Stores:
    """Who works in the stores. sold: (store, SKU) -> what has left it, less what came back."""

    def __init__(self, world: World, faults: Faults, partners: Partners, wires: Mapping[str, Wire]) -> None:
        self._world, self._faults = world, faults
        self._wire, self._skus = wires[TILLS], partners.shops["shop"].catalogue.skus
        self._dice = dice = world.dice_for()
        self.sold: dict[tuple[str, str], int] = {}
        self._wire.passes = self._again
        stores = list(STORES)
        for _ in range(TICKETS):
            at, store = START + dice.randrange(OPEN, CLOSE), dice.choice(stores)
            world.at(at, partial(self._sell, store))
        for store in stores:
            at, length = dice.uniform(7, 16), dice.uniform(0.5, SILENT_MAX)
            end = START + int((at + length) * HOUR)
            if faults.strikes("offline", SILENT):
                world.at(START + int(at * HOUR), partial(self._ask, store, "offline"))
                world.at(end, partial(self._ask, store, "online"))
            world.at(max(START + CLOSE, end) + HOUR // 2, partial(self._ask, store, "close"))

    def _sell(self, store: str) -> None:
        sku, quantity = self._dice.choice(self._skus), self._dice.choice((1, 1, 1, 2, 3))
        if self._dice.random() < BACK:
            quantity = -1
        self.sold[store, sku] = self.sold.get((store, sku), 0) + quantity
        self._ask(store, "sell", {"sku": sku, "quantity": quantity})

    def _ask(self, store: str, what: str, body: Any = None) -> None:
        self._wire.ask("POST", f"/{store}/{what}", msgspec.json.encode(body or {}))

    def _again(self, event: Event) -> Event:
        """A till that saw no answer posts a ticket once more, as if it were another delivery."""
        headers, body = event
        if self._faults.strikes("webhook_twice", AGAIN):
            kind, delivery = headers["x-crossdock-event"], headers["x-crossdock-delivery"]
            self._wire.post(signed(SECRET.encode(), kind, f"{delivery}-again", body))
        return event


class StoreBooks:
    """The stores' books beside the hub's and the ERP's, once everything has come to rest."""

    def __init__(
        self, hub: SimHub, partners: Partners, stores: Stores, dropped: Mapping[int, list[str]]
    ) -> None:
        self._hub, self._tills, self._erp, self._stores = hub, partners.tills, partners.erp, stores
        self._lost = any(what.startswith(f"message {TILLS}") for given in dropped.values() for what in given)
        self._given_up = any(
            what.endswith((" post_day", " create_credit")) for given in dropped.values() for what in given
        )

    def check(self, processes: Mapping[int, OrderProcess], open_cases: Mapping[int, list[str]]) -> None:
        """Every store's day is held, posted and moved as its tills have it; what differs is somebody's case."""
        days = {p.day.store: (subject, p) for subject, p in processes.items() if p.day is not None}
        for code, store in self._tills.stores.items():
            made = sum(till.tickets for till in store.tills)
            if not made:
                continue
            if code not in days:
                raise Violation("b", f"The day of store {code} is not known, and {made} tickets were made.")
            subject, process = days[code]
            day = process.day
            if day is None or self._lost:
                continue
            if differs := [each for each in open_cases.get(subject, ()) if each.startswith("store")]:
                raise Violation(
                    "b", f"Everything of store {code} has come, and somebody is asked: {differs}."
                )
            if open_cases.get(subject):
                continue
            if (day.tickets, day.total) != (made, store.total):
                raise Violation(
                    "a",
                    f"Store {code} made {made} tickets of {store.total}, the hub holds {day.tickets} of {day.total}.",
                )
            self._posted(code, made, store.total)
        self._moved()
        if doubles := self._erp.books.doubles():
            raise Violation("c", f"The ERP has documents of stores twice: {doubles}.")

    def _posted(self, code: str, made: int, total: int) -> None:
        """e: the sum of a day is in the ERP, once and to the cent: its days, less its credits."""
        if self._given_up:
            return
        documents = self._erp.books.documents
        days = [booked for booked in documents["days"] if booked.store == code]
        booked = sum(one.total for kind in documents.values() for one in kind if one.store == code)
        tickets = sum(one.tickets for one in days)
        if (tickets, booked) != (made, total):
            raise Violation(
                "e", f"Store {code} made {made} tickets of {total}, in the ERP are {tickets} of {booked}."
            )

    def _moved(self) -> None:
        """f: every ticket moved its store's stock once, however late it came."""
        if self._lost:
            return
        for (code, sku), quantity in self._stores.sold.items():
            level = self._hub.reader.levels([sku]).get((sku, code))
            moved = level.on_hand if level is not None else 0
            if moved != -quantity:
                raise Violation("f", f"{quantity} of {sku} left store {code}, the hub has moved {moved}.")
