"""Retention, as far as it is the same for every store: what of the rows that a walk has passed is past its time.

A walk goes along a table as it is clustered, from the first row to the last, and its place stands in `cursor`: no index by
time is needed, none grows, and a look costs the same however much is kept (docs/adr/0012).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from crossdock.engine.port import Expired, Terms

Row = tuple[Any, ...]

BODIES, DELIVERIES = "retention.bodies", "retention.deliveries"
"""Names of the two walks: feeds of the hub's own."""
BYTES_MAX = 8 * 1024 * 1024
"""Bytes of bodies that go with one look; one that is larger goes alone."""
DELIVERY = "delivery"
END = ""
"""The place of a walk that has passed everything."""
_START: Mapping[str, list[Any]] = {BODIES: [0, 0], DELIVERIES: [0, "", "", ""]}


class Shelves(Protocol):
    """What a store does for it, inside one transaction."""

    def places(self) -> Mapping[str, str]:
        """Where each walk is."""
        ...

    def messages(self, place: Sequence[Any], limit: int, before: int) -> Sequence[Row]:
        """Those after (subject, id), in that order: subject, id, source, handled at, size of its body or None.

        Where it was handled since `before`, nobody asks for the size.
        """
        ...

    def seen(self, place: Sequence[Any], limit: int) -> Sequence[Row]:
        """What was seen after (subject, source, kind, version), in that order: these, and when."""
        ...

    def drop_bodies(self, due: Sequence[Row]) -> Sequence[int]:
        """Of (subject, message, source, moment), drop those whose subject is over since before; which these were."""
        ...

    def drop_deliveries(self, due: Sequence[Row]) -> Sequence[str]:
        """Of (subject, source, id), drop those whose subject is not unfinished; the source of each."""
        ...

    def leave(self, places: Mapping[str, str], counts: Mapping[tuple[str, str], int], now: int) -> None:
        """Keep where the walks are now, and how much more has gone."""
        ...


class _Passed(NamedTuple):
    """What a look has found: rows that may go, and the place that the walk has come to."""

    due: list[Row]
    place: str


def look(shelves: Shelves, terms: Terms, now: int, limit: int) -> Expired:
    """Inside a transaction: go on with each walk by at most `limit` rows. Both begin anew once both are at their end."""
    places = {walk: shelves.places().get(walk, END) for walk in _START}
    begun = any(place != END for place in places.values())
    counts: dict[tuple[str, str], int] = {}
    bodies: Sequence[int] = ()
    deliveries: Sequence[str] = ()
    latest = max(terms.bodies.values(), default=0)
    if not latest:
        places[BODIES] = END
    elif not begun or places[BODIES] != END:
        rows = shelves.messages(_key(places, BODIES), limit, latest)
        passed = _pass_bodies(rows, terms.bodies, limit)
        bodies = shelves.drop_bodies(passed.due) if passed.due else ()
        places[BODIES] = passed.place
        sources = {number: source for _, number, source, _ in passed.due}
        _count(counts, "bodies_expired", [sources[number] for number in bodies])
    if not any(terms.deliveries.values()):
        places[DELIVERIES] = END
    elif not begun or places[DELIVERIES] != END:
        passed = _pass_deliveries(shelves.seen(_key(places, DELIVERIES), limit), terms.deliveries, limit)
        deliveries = shelves.drop_deliveries(passed.due) if passed.due else ()
        places[DELIVERIES] = passed.place
        _count(counts, "deliveries_expired", deliveries)
    shelves.leave(places, counts, now)
    whole = all(place == END for place in places.values())
    return Expired(bodies=bodies, deliveries=len(deliveries), whole=whole)


def _key(places: Mapping[str, str], walk: str) -> list[Any]:
    key: list[Any] = msgspec.json.decode(places[walk]) if places[walk] != END else _START[walk]
    return key


def _pass_bodies(rows: Sequence[Row], before: Mapping[str, int], limit: int) -> _Passed:
    due: list[Row] = []
    total = 0
    for at, (subject, number, source, handled_at, size) in enumerate(rows):
        moment = _moment(before, source)
        if size is None or handled_at >= moment:
            continue
        total += size
        if due and total > BYTES_MAX:
            return _Passed(due, _place(rows[at - 1][:2]))
        due.append((subject, number, source, moment))
    return _Passed(due, _place(rows[-1][:2]) if len(rows) == limit else END)


def _pass_deliveries(rows: Sequence[Row], before: Mapping[str, int], limit: int) -> _Passed:
    due = [
        (subject, source, version)
        for subject, source, kind, version, at in rows
        if kind == DELIVERY and at < _moment(before, source)
    ]
    return _Passed(due, _place(rows[-1][:4]) if len(rows) == limit else END)


def _moment(before: Mapping[str, int], source: str) -> int:
    return before.get(source, before.get("", 0))


def _place(key: Sequence[Any]) -> str:
    return msgspec.json.encode(list(key)).decode()


def _count(counts: dict[tuple[str, str], int], name: str, sources: Sequence[str]) -> None:
    for source in sources:
        counts[source, name] = counts.get((source, name), 0) + 1
