"""Sales that Tryton holds, whoever made them, as `crossdock compare` and a takeover want to know them.

A sale of ours bears our id. One that another integration has made names its order in its reference, by a convention that the
setting `references` tells; a sale that names no order of ours is nobody's question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from crossdock.connectors.tryton.cursors import Cursor, latest
from crossdock.connectors.tryton.options import Convention, Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, moment, moment_of
from crossdock.connectors.tryton.sales import READY, SALE
from crossdock.connectors.tryton.steps import total_of
from crossdock.errors import MappingError, RejectedError
from crossdock.model.base import Amount, Instant
from crossdock.model.finance import Posting, PostingState
from crossdock.model.ids import ConnectionId, ExternalRef
from crossdock.model.reports import InvoiceReported
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import Text

TOLD = "sale.told"
OVERLAP = timedelta(seconds=300)
"""Sales are written in long transactions, thirty of ours in one, which bear the time of their beginning."""
FIELDS = (
    "number",
    "reference",
    "party.code",
    "state",
    "total_amount",
    "currency.code",
    "create_date",
    "write_date",
)
_OURS = re.compile(r"(CD[0-9]{10})(-[0-9]+|/.*)?", re.ASCII | re.DOTALL)
"""The hub's own id, alone; of another posting of a day; of a sale that an amended one has replaced."""


class SaleTold(msgspec.Struct, frozen=True, kw_only=True):
    """One sale, under the number that it has there."""

    number: Text
    reference: str
    party: str
    state: str
    currency: Text
    total: Amount
    made_at: Instant | None = None
    changed: str = ""


class Named(msgspec.Struct, frozen=True):
    """Whose sale it is: our id of it (kind `hub`), or a channel's number or id of its order."""

    kind: str
    ref: str
    channel: str = ""
    replaced: bool = False


def read(client: Client, options: Options, cursor: Cursor) -> Ask[tuple[list[Row], Cursor, bool]]:
    """The next page of sales that have a number, oldest id first. One that changes behind the pass is met by the next."""
    if not options.references:
        raise RejectedError(
            "Whose sales Tryton's are is not said: write `references`, what a sale there has for its order, such as "
            "{number}=shop.",
            field="references",
        )
    if not cursor.seen:
        cursor = Cursor(since=cursor.since or options.sales_since, seen=(yield from latest(client, SALE)))
    domain: list[Any] = [["id", ">", cursor.after], ["number", "!=", None], ["company", "=", client.company]]
    if cursor.since:
        since = moment(cursor.since)
        domain.append(["OR", [["write_date", ">=", since]], [["create_date", ">=", since]]])
    found = yield from client.search(SALE, domain, FIELDS, limit=options.page_size, order=[["id", "ASC"]])
    rows = [_row(row) for row in found]
    if len(found) == options.page_size:
        return rows, cursor.on(found[-1]["id"]), True
    return rows, cursor.over(OVERLAP), False


def named(conventions: Sequence[Convention], body: bytes) -> Named | None:
    """Whose sale a row tells of; None where it names no order of ours."""
    try:
        sale = decode(body, SaleTold)
    except MappingError:
        return Named(kind="", ref="")  # a message of its own, which parks alone
    return _named(conventions, sale)


def report(body: bytes, connection: str, conventions: Sequence[Convention]) -> InvoiceReported:
    """Read one."""
    sale = decode(body, SaleTold)
    whose = _named(conventions, sale)
    ref = None
    if whose is not None and whose.channel:
        ref = ExternalRef(connection=ConnectionId(whose.channel), kind=whose.kind, id=whose.ref)
    return InvoiceReported(
        posting=Posting(
            connection=ConnectionId(connection),
            kind="sale",
            document=sale.number,
            order_ref=ref,
            state="reversed" if whose is not None and whose.replaced else _state(sale.state),
            currency=sale.currency,
            erp_total=sale.total,
            posted_at=sale.made_at,
        )
    )


def _named(conventions: Sequence[Convention], sale: SaleTold) -> Named | None:
    ours = _OURS.fullmatch(sale.reference)
    if ours is not None:
        return Named(kind="hub", ref=ours[1], replaced=(ours[2] or "").startswith("/"))
    for convention in conventions:
        name = convention.name_in(sale.reference, sale.party)
        if name:
            return Named(kind=convention.kind, ref=name, channel=convention.connection)
    return None


def _state(state: str) -> PostingState:
    """What is still a draft, or one again, is a plan and no sale."""
    if state == "cancelled":
        return "reversed"
    return "posted" if state in ("confirmed", *READY) else "planned"


def _row(row: Row) -> Row:
    party: Mapping[str, Any] = row["party."] or {}
    body = {
        "number": row["number"],
        "reference": row["reference"] or "",
        "party": party.get("code") or "",
        "state": row["state"],
        "currency": row["currency."]["code"],
        "total": total_of(row),
        "made_at": moment_of(row["create_date"]),
        "changed": moment_of(row["write_date"] or row["create_date"]),
    }
    return {"kind": TOLD, "body": body}
