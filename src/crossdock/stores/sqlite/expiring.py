"""Bodies and delivery ids that are past their time leave the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossdock.engine.messages import HUB
from crossdock.stores.expiring import END, Row
from crossdock.stores.sqlite.database import Database, Program, encode

LOOKS_UNWRITTEN_MAX = 50
"""So many looks that found nothing to drop are begun again, at most, after a crash."""


class Shelves:
    """Implements `stores.expiring.Shelves` inside the writer's transaction.

    Where a walk is, is written with what goes, and else rarely: a look that finds nothing needs no fsync, for which those who
    take messages in would have to wait. What a transaction could not drop is found again in the next round.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._places: Mapping[str, str] | None = None
        self._unwritten = 0

    def places(self) -> Mapping[str, str]:
        return dict(self._db.run("walks", HUB)) if self._places is None else self._places

    def messages(self, place: Sequence[Any], limit: int, before: int) -> Sequence[Row]:
        return self._db.run("pass_messages", *place, limit, before)

    def seen(self, place: Sequence[Any], limit: int) -> Sequence[Row]:
        return self._db.run("pass_seen", *place, limit)

    def drop_bodies(self, due: Sequence[Row]) -> Sequence[int]:
        gone = [number for (number,) in self._db.run("expire_bodies", encode(due).decode())]
        if gone:
            # Numbers are given on from the highest that ever was.
            self._db.run("keep_last_message", max(gone))
            self._db.run("expire_bodies_before_edit", encode(gone).decode())
        return sorted(gone)

    def drop_deliveries(self, due: Sequence[Row]) -> Sequence[str]:
        return [source for (source,) in self._db.run("expire_deliveries", encode(due).decode())]

    def leave(self, places: Mapping[str, str], counts: Mapping[tuple[str, str], int], now: int) -> None:
        self._places, self._unwritten = dict(places), self._unwritten + 1
        if not (counts or self._unwritten >= LOOKS_UNWRITTEN_MAX or set(places.values()) == {END}):
            return
        program = Program()
        program.add_all("cursor", ((HUB, walk, place, now) for walk, place in places.items()))
        program.count(counts)
        self._db.run_program(program)
        self._unwritten = 0
