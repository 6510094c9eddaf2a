"""Bodies and delivery ids that are past their time leave the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossdock.engine.messages import HUB
from crossdock.stores.expiring import Row
from crossdock.stores.sqlite.database import Database, Program, encode


class Shelves:
    """Implements `stores.expiring.Shelves` inside the writer's transaction."""

    def __init__(self, database: Database, now: int) -> None:
        self._db, self._now = database, now

    def places(self) -> Mapping[str, str]:
        return dict(self._db.run("walks", HUB))

    def messages(self, place: Sequence[Any], limit: int) -> Sequence[Row]:
        return self._db.run("pass_messages", *place, limit)

    def seen(self, place: Sequence[Any], limit: int) -> Sequence[Row]:
        return self._db.run("pass_seen", *place, limit)

    def drop_bodies(self, due: Sequence[Row]) -> Sequence[int]:
        self._db.run("keep_last_message")  # numbers are given on from the highest that ever was
        gone = [number for (number,) in self._db.run("expire_bodies", encode(due).decode())]
        if gone:
            self._db.run("expire_bodies_before_edit", encode(gone).decode())
        return sorted(gone)

    def drop_deliveries(self, due: Sequence[Row]) -> Sequence[str]:
        return [source for (source,) in self._db.run("expire_deliveries", encode(due).decode())]

    def leave(self, places: Mapping[str, str], counts: Mapping[tuple[str, str], int]) -> None:
        program = Program()
        for walk, place in places.items():
            program.add("cursor", HUB, walk, place, self._now)
        program.count(counts)
        self._db.run_program(program)
