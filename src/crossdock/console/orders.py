"""Orders as people ask for them: found by any name, listed by what they are at, whole with what was done of them."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec

from crossdock.bootstrap.loops import clock_us
from crossdock.console import words
from crossdock.console.days import DayView, day_view, is_day, latest_days
from crossdock.console.face import Face
from crossdock.console.times import moment
from crossdock.domain.process import OrderProcess
from crossdock.engine.messages import subject_id, subject_number
from crossdock.engine.tracing import id_of
from crossdock.errors import MappingError, NotFoundError
from crossdock.flows.documents import join_document
from crossdock.model.order import Order
from crossdock.stores.sqlite.reads import Reads

LIST_MAX = 200
NEWEST = 2**62
NAME_CHARS_MAX = 200


class OrderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list. Money is in minor units of `currency`; `stage` says what the order is at, `text` in words.

    Of a store's day `total` is what is posted of it, else what was counted; where neither is known yet, `currency` is "".
    Nobody pays a day: its `money` is "".
    """

    id: str
    connection: str
    external_id: str
    number: str
    commitment: str
    custody: str
    money: str
    stage: str
    text: str
    finished: bool
    currency: str
    total: int
    placed_at: datetime | None
    updated_at: datetime | None


class LineProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line, in its unit."""

    line: str
    sku: str
    ordered: int
    cancelled: int
    shipped: int
    delivered: int
    returned: int


class RequestProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What one location was asked to ship, and what it still has to do."""

    id: str
    location: str
    warehouse: str
    quantity: int
    shipped: int
    short: int
    stopped: int
    out: int


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """One order: what it is at, what was done of it, and the latest version as the channel told it."""

    summary: OrderSummary
    correlation_id: str
    version: str
    erp_reference: str
    holds: dict[str, str]
    lines: list[LineProgress]
    requests: list[RequestProgress]
    shipments: list[str]
    open_effects: dict[str, str]
    order: Order | None
    """The latest version. Once its persons were erased they stand there masked."""
    day: DayView | None = None
    """Set where it is a store's day and no order."""


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Orders, newest first. `next` is the cursor of the page that follows, "" where there is none."""

    orders: list[OrderSummary]
    next: str = ""


class Ambiguous(Exception):
    """Several orders go by that name; `found` are their ids."""

    def __init__(self, text: str, found: list[str]) -> None:
        super().__init__(f"{len(found)} orders are called {text!r}.")
        self.found = found


def resolve(face: Face, reads: Reads, text: str) -> int:
    """The subject that `text` names: our id, or the channel's id or number. NotFoundError, or Ambiguous."""
    subject = subject_number(text)
    if subject is not None:
        if reads.rows("get_subject", subject):
            return subject
        raise NotFoundError(f"There is no order {text}. Look it up by the channel's number.")
    found = reads.find(text, face.sources()) if len(text) <= NAME_CHARS_MAX else []
    if not found:
        raise NotFoundError(
            f"No order goes by {text[:60]!r}. Ids of ours look like CD0000000001; the channel's numbers are taken as they "
            "stand there, with their #."
        )
    if len(found) > 1:
        raise Ambiguous(text, [subject_id(subject) for subject in found])
    return found[0]


def order_view(reads: Reads, subject: int) -> OrderView:
    """One order, whole."""
    row = _row(reads, subject)
    if row is None:
        raise NotFoundError(f"There is no order {subject_id(subject)}. Look it up by the channel's number.")
    if "process" not in row:
        return _unknown(row)
    process = msgspec.convert(row["process"], OrderProcess)
    document = reads.document(subject)
    sale = process.sale.reference if process.sale is not None else ""
    day = day_view(row)
    return OrderView(
        summary=summary(row),
        correlation_id=row["trace"],
        version=process.version,
        erp_reference=sale if day is None else ", ".join(day.documents),
        holds=process.holds,
        lines=[
            LineProgress(
                line=line.id,
                sku=line.sku,
                ordered=line.ordered,
                cancelled=line.lost,
                shipped=line.shipped,
                delivered=line.delivered,
                returned=line.returned,
            )
            for line in process.lines
        ],
        requests=[
            RequestProgress(
                id=request.id,
                location=request.location,
                warehouse=request.warehouse,
                quantity=sum(item.quantity for item in request.items),
                shipped=sum(item.shipped for item in request.items),
                short=sum(item.short for item in request.items),
                stopped=sum(item.stopped for item in request.items),
                out=sum(item.out for item in request.items),
            )
            for request in process.requests
        ],
        shipments=[parcel.key for parcel in process.shipments],
        open_effects=process.pending,
        order=join_document(*document) if document is not None else None,
        day=day,
    )


def _row(reads: Reads, subject: int) -> dict[str, Any] | None:
    """An order's row. One whose messages have come, but could not be understood yet, has one with its id alone."""
    row = reads.order(subject)
    found = reads.rows("get_subject", subject) if row is None else []
    if not found:
        return row
    nothing: dict[str, Any] = dict.fromkeys(("connection", "external_id", "number", "commitment"), "")
    nothing |= dict.fromkeys(("custody", "money", "currency"), "")
    nothing |= dict.fromkeys(("finished", "total", "placed_at"), 0)
    return nothing | {
        "subject": subject,
        "stage": "unknown",
        "trace": id_of(found[0][0]),
        "updated_at": found[0][1],
    }


def _unknown(row: dict[str, Any]) -> OrderView:
    return OrderView(
        summary=summary(row),
        correlation_id=row["trace"],
        version="",
        erp_reference="",
        holds={},
        lines=[],
        requests=[],
        shipments=[],
        open_effects={},
        order=None,
    )


def order_page(
    face: Face,
    reads: Reads,
    *,
    cursor: str = "",
    limit: int = 50,
    number: str = "",
    connection: str = "",
    stage: str = "",
    custody: str = "",
    money: str = "",
) -> OrderPage:
    """One page of the list, newest first."""
    if number:
        return OrderPage(orders=_named(face, reads, number, connection, stage, custody, money))
    rows = reads.orders(
        before=read_cursor(cursor),
        limit=limit + 1,
        connection=connection,
        stage=stage,
        custody=custody,
        money=money,
    )
    more = len(rows) > limit
    return OrderPage(
        orders=summaries(reads, rows[:limit]),
        next=write_cursor(rows[limit - 1]["subject"]) if more else "",
    )


def _named(face: Face, reads: Reads, number: str, *wanted: str) -> list[OrderSummary]:
    """The few that go by a name, by the index of names; where none does, the days of the store that has it."""
    subject = subject_number(number)
    if subject is not None:
        subjects = [subject]
    else:
        subjects = reads.find(number, face.sources()) if len(number) <= NAME_CHARS_MAX else []
        subjects = subjects or latest_days(reads, number, face.sources(), moment(clock_us()).date())
    rows = [row for row in (_row(reads, subject) for subject in subjects) if row is not None]
    keys = ("connection", "stage", "custody", "money")
    return [
        summary(row)
        for row in rows
        if all(not value or row[key] == value for key, value in zip(keys, wanted, strict=True))
    ]


def summaries(reads: Reads, rows: list[dict[str, Any]]) -> list[OrderSummary]:
    """Rows of a list as people read them. What a store's day comes to stands in its process alone: these are read."""
    return [summary((reads.order(row["subject"]) or row) if is_day(row) else row) for row in rows]


def summary(row: dict[str, Any]) -> OrderSummary:
    """A row as people read it."""
    if is_day(row):
        day = day_view(row)
        known = None if day is None else day.known
        row = row | {"money": "", "total": known or 0, "currency": "" if known is None else row["currency"]}
    return OrderSummary(
        id=subject_id(row["subject"]),
        text=words.stage(row["stage"]),
        finished=bool(row["finished"]),
        placed_at=moment(row["placed_at"]) if row["placed_at"] else None,
        updated_at=moment(row["updated_at"]) if row["updated_at"] else None,
        **{
            key: row[key]
            for key in (
                "connection",
                "external_id",
                "number",
                "commitment",
                "custody",
                "money",
                "stage",
                "currency",
                "total",
            )
        },
    )


def read_cursor(cursor: str) -> int:
    """Where a page begins; MappingError for what is no cursor of ours."""
    if not cursor:
        return NEWEST
    try:
        plain = base64.urlsafe_b64decode(cursor.encode("ascii") + b"==")
        prefix, _, digits = plain.decode("ascii").partition(":")
        number = int(digits) if prefix == "before" and len(digits) < 19 else 0
    except (ValueError, binascii.Error):
        number = 0
    if number <= 0:
        raise MappingError(
            "This is no cursor of ours. Pass on `next` of the page before, as it is.", field="cursor"
        )
    return number


def write_cursor(subject: int) -> str:
    """The cursor of what comes after this order."""
    return base64.urlsafe_b64encode(f"before:{subject}".encode()).decode().rstrip("=")
