"""A store's day as people ask for it: what its tickets come to, what of it is posted, and as which documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from crossdock.domain.store_day import DayState
from crossdock.stores.sqlite.reads import Reads

DAYS_BACK = 31
STORE_CHARS_MAX = 80


class DayView(msgspec.Struct, frozen=True, kw_only=True):
    """One store's day; money in minor units of `currency`. What is not known yet is null.

    tickets and total are as last counted, posted is what the ERP made of its documents; left: tickets that are counted
    and not posted.
    """

    store: str
    date: str
    currency: str
    tickets: int | None
    total: int | None
    posted: int | None
    documents: list[str]
    left: int

    @property
    def known(self) -> int | None:
        """The sum for a list: what is posted, else what was counted."""
        return self.total if self.posted is None else self.posted


def is_day(row: Mapping[str, Any]) -> bool:
    """Whether a row of the list of orders is a store's day."""
    return bool(row["stage"].startswith("day_"))


def day_view(row: Mapping[str, Any]) -> DayView | None:
    """The day of a row that has its process; None where it is no day."""
    process = row.get("process") or {}
    if not process.get("day"):
        return None
    day = msgspec.convert(process["day"], DayState)
    counted = day.checked or day.tickets > 0
    done = [posting for posting in day.postings if posting.state == "done"]
    return DayView(
        store=day.store,
        date=day.date,
        currency=row["currency"],
        tickets=day.tickets if counted else None,
        total=day.total if counted else None,
        posted=sum(p.total if p.erp_total is None else p.erp_total for p in done) if done else None,
        documents=[posting.document for posting in done if posting.document],
        left=day.left,
    )


def latest_days(reads: Reads, store: str, sources: Sequence[str], today: date) -> list[int]:
    """The days of a store of the last month, newest first: one look into the index of names for each."""
    if not store or "/" in store or len(store) > STORE_CHARS_MAX:
        return []
    dates = (today + timedelta(days=1 - back) for back in range(DAYS_BACK + 1))
    return [subject for day in dates for subject in reads.find(f"{store}/{day.isoformat()}", sources)]
