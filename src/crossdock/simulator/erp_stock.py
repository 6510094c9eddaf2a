"""The ERP's feeds: levels of its locations, and the sales that it holds, each read in the order last changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, SimRequest, SimResponse, json_response


class _Level(msgspec.Struct):
    sku: str
    location: str
    on_hand: int
    changed: int
    as_of: int
    quantity_scale: int = 0
    held: int = 0


class _Told(msgspec.Struct):
    changed: int
    what: dict[str, Any]


class _Good(msgspec.Struct):
    quantity: int
    sku: str = ""
    quantity_scale: int = 0


class _Goods(msgspec.Struct):
    store: str
    goods: list[_Good] = []


class _Lines(msgspec.Struct):
    store: str
    lines: list[_Good] = []


class Feeds:
    """No two changes have one moment, so that a level's moment says which documents it holds."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._location = str(settings.get("location", "MAIN"))
        self._changes = 0
        self._moment = 0
        self._levels: dict[tuple[str, str], _Level] = {}
        self._told: dict[str, dict[str, _Told]] = {"sales": {}, "days": {}}
        scales = dict(settings.get("quantity_scales", {}))
        opening = {self._location: dict(settings.get("stock", {})), **dict(settings.get("stock_at", {}))}
        for location, stock in opening.items():
            for sku, on_hand in stock.items():
                self._changes += 1
                scale = int(scales.get(sku, 0))
                self._levels[location, sku] = _Level(sku, location, int(on_hand), self._changes, 0, scale)

    @property
    def on_hand(self) -> dict[str, int]:
        """Every level of the first location."""
        return {
            level.sku: level.on_hand for level in self._levels.values() if level.location == self._location
        }

    @property
    def on_hand_at(self) -> dict[str, dict[str, int]]:
        """Every level of the others."""
        found: dict[str, dict[str, int]] = {}
        for level in self._levels.values():
            if level.location != self._location:
                found.setdefault(level.location, {})[level.sku] = level.on_hand
        return found

    def moment(self, now: int) -> int:
        """The moment at which something is booked."""
        self._moment = max(now, self._moment + 1)
        return self._moment

    def move(self, sku: str, quantity: int, at: int, location: str = "", scale: int = 0) -> None:
        """Change a level that is kept; it goes to the end of the feed, so that no reader of pages misses it."""
        key = (location or self._location, sku)
        level = self._levels.pop(key, None)
        if level is not None:
            self._changes += 1
            held = level.quantity_scale
            on_hand = level.on_hand + round(quantity * Fraction(10) ** (held - scale))
            self._levels[key] = _Level(sku, key[0], on_hand, self._changes, at, held, level.held)

    def come_back(self, sku: str, quantity: int, at: int, location: str, *, held: bool) -> None:
        """Goods of an order are here again: where it is told, if a level is kept there. held: they may not be sold."""
        place = location if (location, sku) in self._levels else self._location
        self.move(sku, quantity, at, place)
        level = self._levels.get((place, sku))
        if level is not None and held:
            level.held += quantity

    def day(self, body: bytes, at: int) -> None:
        """What left the store by a day's sum."""
        told = msgspec.json.decode(body, type=_Goods)
        for good in told.goods:
            self.move(good.sku, -good.quantity, at, told.store, good.quantity_scale)

    def credit(self, body: bytes, at: int) -> None:
        """What came back by a credit: its lines are negative."""
        told = msgspec.json.decode(body, type=_Lines)
        for line in told.lines:
            self.move(line.sku, -line.quantity, at, told.store, line.quantity_scale)

    def tell(self, feed: str, what: dict[str, Any]) -> None:
        """A document was made or changed."""
        self._changes += 1
        held = self._told[feed]
        held.pop(what["id"], None)
        held[what["id"]] = _Told(self._changes, {**what, "version": str(self._changes)})

    def levels(self, request: SimRequest) -> SimResponse:
        """A page of levels."""
        page, cursor, more = _page(request, list(self._levels.values()))
        levels = [
            {
                "sku": level.sku,
                "location": level.location,
                "on_hand": level.on_hand,
                **({"quarantined": level.held} if level.held else {}),
                **({"quantity_scale": level.quantity_scale} if level.quantity_scale else {}),
                "as_of": exact(level.as_of),
                "version": str(level.changed),
            }
            for level in page
        ]
        return json_response({"levels": levels, "cursor": cursor, "more": more})

    def documents(self, feed: str, request: SimRequest) -> SimResponse:
        """A page of sales, or of what is booked of days."""
        page, cursor, more = _page(request, list(self._told[feed].values()))
        return json_response({feed: [told.what for told in page], "cursor": cursor, "more": more})


def exact(at: int) -> str:
    """A moment as ISO 8601 UTC, to the microsecond."""
    moment = datetime.fromtimestamp(at // SECOND, UTC).replace(microsecond=at % SECOND)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _page(request: SimRequest, rows: list[Any]) -> tuple[list[Any], str, bool]:
    after, limit = int(request.query.get("cursor") or 0), int(request.query.get("limit") or 500)
    found = [row for row in rows if row.changed > after]
    page = found[:limit]
    return page, str(page[-1].changed) if page else str(after), len(found) > limit
