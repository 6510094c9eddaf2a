"""An ERP that is master of stock, in a few lines: what it holds, when that last changed, and what it has booked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from crossdock.domain.policy import Authority, Place, Plan
from crossdock.engine.messages import Stage
from crossdock.model import ConnectionId, LocationId, Sku, StockLevel, StockReported, as_utc
from tests.flows.hub import OPERATIONS
from tests.flows.stores import StoreHub, store_plan

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SKU = "SKU-1"


def master_plan(*, post: str = "each", **authority: Any) -> Plan:
    """A store whose tills and warehouse move stock of which the ERP is master."""
    plan = store_plan(post=post, authority=Authority(stock="erp", **authority))
    berlin = Place(id="berlin", zone="Europe/Berlin", warehouse="wms", partner_code="B1")
    return msgspec.structs.replace(
        plan,
        places={**plan.places, "berlin": berlin},
        offers={**plan.offers, "wms": OPERATIONS["wms"]},
    )


class Erp:
    """One level. Nothing is booked twice, and no two changes have one moment."""

    def __init__(self, now: int) -> None:
        self.moment, self.on_hand, self.as_of = now, 0, now
        self.booked: dict[str, int] = {}

    def tick(self, now: int) -> int:
        self.moment = max(now, self.moment + 1)
        return self.moment

    def count(self, on_hand: int, now: int) -> None:
        self.on_hand, self.as_of = on_hand, self.tick(now)

    def book(self, key: str, quantity: int, now: int) -> None:
        if key not in self.booked:
            self.booked[key] = self.as_of = self.tick(now)
            self.on_hand += quantity

    def state(self) -> tuple[int, int]:
        """A statement: (on hand, when that last changed)."""
        return self.on_hand, self.as_of


class MasterHub(StoreHub):
    """A hub that hears of stock from the ERP."""

    def state(self, on_hand: int, as_of: int, *, sku: str = SKU, complete: bool = False) -> str:
        """The ERP's statement comes. Returns its outcome."""
        level = StockLevel(
            sku=Sku(sku),
            location=LocationId("berlin"),
            on_hand=on_hand,
            as_of=as_utc(EPOCH + timedelta(microseconds=as_of)),
            connection=ConnectionId("erp"),
        )
        return self.tell("erp", StockReported(levels=(level,), complete=complete), subject=900).outcome

    def on_hand(self, sku: str = SKU) -> int:
        return self.level(sku).on_hand

    def to_erp(self) -> Iterator[tuple[int, Stage]]:
        """What may be sent to the ERP now: the first of each subject."""
        seen: set[int] = set()
        for subject, stage in self.waiting:
            if stage.connection == "erp" and subject not in seen:
                seen.add(subject)
                yield subject, stage

    def told(self) -> int:
        """What stands among the unseen and was not told yet."""
        return sum(u.quantity for u in self.unseen if not u.seen_at)
