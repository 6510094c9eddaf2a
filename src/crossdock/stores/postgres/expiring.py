"""Bodies and delivery ids that are past their time leave the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossdock.engine.messages import HUB
from crossdock.stores.expiring import Row
from crossdock.stores.postgres.intake import count
from crossdock.stores.postgres.session import Session


class Shelves:
    """Implements `stores.expiring.Shelves` inside a transaction of the scheduler. What others are at is left for next time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def places(self) -> Mapping[str, str]:
        return dict(self._session.run("walks", HUB))

    def messages(self, place: Sequence[Any], limit: int, before: int) -> Sequence[Row]:
        return self._session.run("pass_messages", *place, limit, before)

    def seen(self, place: Sequence[Any], limit: int) -> Sequence[Row]:
        return self._session.run("pass_seen", *place, limit)

    def drop_bodies(self, due: Sequence[Row]) -> Sequence[int]:
        subjects, numbers, _, moments = (list(column) for column in zip(*due, strict=True))
        gone = [number for (number,) in self._session.run("expire_bodies", subjects, numbers, moments)]
        if gone:
            self._session.run("expire_bodies_before_edit", gone)
        return sorted(gone)

    def drop_deliveries(self, due: Sequence[Row]) -> Sequence[str]:
        columns = (list(column) for column in zip(*due, strict=True))
        return [source for (source,) in self._session.run("expire_deliveries", *columns)]

    def leave(self, places: Mapping[str, str], counts: Mapping[tuple[str, str], int], now: int) -> None:
        for walk, place in sorted(places.items()):
            self._session.run("put_cursor", HUB, walk, place, now)
        count(self._session, counts)
