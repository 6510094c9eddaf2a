"""Word of the date that a store's day was booked to: a closed period posts to the next open one (RETAIL 13). Pure."""

from __future__ import annotations

from datetime import date

import msgspec

from crossdock.model.base import Amount
from crossdock.model.finance import Posting
from crossdock.model.ids import ConnectionId
from crossdock.model.reports import InvoiceReported
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import Text
from crossdock.sdk.spec import Child

POSTED = "document.posted"


class _Posted(msgspec.Struct, frozen=True, kw_only=True):
    order_id: Text
    number: Text
    posting_date: date
    total: Amount | None = None


def told(day: str, number: str, posting_date: date, total: int | None) -> Child:
    """What the call that posted a day says besides its outcome; day: our id of it."""
    body = _Posted(order_id=day, number=number, posting_date=posting_date, total=total)
    return Child(kind=POSTED, body=msgspec.json.encode(body), ref_kind="hub", ref=day)


def report(body: bytes, connection: str) -> InvoiceReported:
    """Read it."""
    said = decode(body, _Posted)
    return InvoiceReported(
        posting=Posting(
            connection=ConnectionId(connection),
            kind="store_day",
            document=said.number,
            state="posted",
            erp_total=said.total,
            posting_date=said.posting_date,
        )
    )
