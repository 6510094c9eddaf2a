"""Calls for tills: a store day's sum as one document, and credits for what was brought back; both by date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import msgspec

from crossdock.connectors.erp.mapping import charge_body, line_body, tax_body
from crossdock.connectors.erp.wire import ChargeBody, LineBody, TaxBody, Wire
from crossdock.errors import MappingError, RejectedError
from crossdock.model.base import Amount
from crossdock.model.commands import CreateCredit, DayGoods, DayLine, PostDay
from crossdock.model.currency import exponent
from crossdock.model.finance import Posting
from crossdock.model.ids import ConnectionId
from crossdock.model.reports import InvoiceReported
from crossdock.sdk.batches import REFUSALS
from crossdock.sdk.calls import Calls, Done, Intent, Response, get, post, refused
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import KEY, Created
from crossdock.sdk.spec import Child

PERIOD_CLOSED = "period_closed"
"""The code of a refusal that another date may get past."""
POSTED = "document.posted"

Find = Callable[[Response, str], Created | None]


class DayLineBody(Wire, frozen=True, kw_only=True):
    """What a store sold of one kind, category and combination of taxes."""

    kind: str
    net: int
    tax: int
    gross: int
    category: str = ""
    discount: int = 0
    lines: int = 0
    taxes: tuple[TaxBody, ...] = ()


class DayTenderBody(Wire, frozen=True, kw_only=True):
    """What came in by one tender, less what was given back."""

    kind: str
    amount: int


class DayGoodsBody(Wire, frozen=True, kw_only=True):
    """What left the store of one SKU, in 10 ** -quantity_scale of its unit."""

    sku: str
    quantity: int
    quantity_scale: int = 0


class DayBody(Wire, frozen=True, kw_only=True):
    """What POST /days carries."""

    reference: str
    channel: str
    store: str
    business_date: date
    posting_date: date
    currency: str
    exponent: int
    total: int
    account: str
    lines: tuple[DayLineBody, ...]
    tenders: tuple[DayTenderBody, ...]
    credited: int = 0
    tickets: int = 0
    day: str = ""
    supplement: int = 0
    supplements: str = ""
    document: str = ""
    legal_entity: str = ""
    over_short: int = 0
    paid_in: int = 0
    paid_out: int = 0
    goods: tuple[DayGoodsBody, ...] = ()


class CreditBody(Wire, frozen=True, kw_only=True):
    """What POST /credits carries; quantities and money are negative."""

    reference: str
    channel: str
    ticket: str
    store: str
    business_date: date
    posting_date: date
    currency: str
    exponent: int
    total: int
    account: str
    lines: tuple[LineBody, ...]
    charges: tuple[ChargeBody, ...] = ()
    tenders: tuple[DayTenderBody, ...] = ()
    original: str = ""
    legal_entity: str = ""


class PostedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an ERP tells of a document that it posted: in its answer, or as an event of its own."""

    order_id: str
    id: str
    posting_date: date
    total: Amount | None = None


class _Dated(Created, frozen=True, kw_only=True):
    posting_date: date | None = None


class _Refusal(msgspec.Struct, frozen=True):
    code: str = ""


def post_day(command: PostDay, intent: Intent, find: Find) -> Calls:
    """Post a day's sum once, to the first of its dates whose period is open."""
    body = _day(command)
    return (yield from _post("/days", body, command.posting_dates, intent, find))


def create_credit(command: CreateCredit, intent: Intent, find: Find) -> Calls:
    """Credit what a ticket took back, once, on the first of its dates whose period is open."""
    body = _credit(command)
    return (yield from _post("/credits", body, command.posting_dates, intent, find))


def posted(body: bytes, connection: str) -> InvoiceReported:
    """Read what an ERP tells of a document that it posted."""
    told = decode(body, PostedBody)
    return InvoiceReported(
        posting=Posting(
            connection=ConnectionId(connection),
            kind="store_day",
            document=told.id,
            state="posted",
            erp_total=told.total,
            posting_date=told.posting_date,
        )
    )


def _post(path: str, body: DayBody | CreditBody, dates: Sequence[date], intent: Intent, find: Find) -> Calls:
    if intent.may_have_happened:
        asked = get(path, query={"reference": body.reference}, accept=REFUSALS)
        found = find((yield asked), body.reference)
        if found is not None:
            return Done(reference=found.id, total=found.total, booked_at=found.booked_at, already=True)
    reply = None
    for n, posting_date in enumerate(dates):
        dated = msgspec.structs.replace(body, posting_date=posting_date)
        key = f"{intent.key}:{n}" if n else intent.key
        reply = yield post(path, json=dated, headers={KEY: key}, accept=REFUSALS)
        if reply.status < 400:
            return _done(reply, dated)
        if not _is_closed(reply):
            break
    if reply is None:
        raise RejectedError(f"{body.reference} names no date to post it to.", field="posting_dates")
    return refused(reply)


def _done(reply: Response, body: DayBody | CreditBody) -> Done:
    made = reply.decode(_Dated)
    if isinstance(body, CreditBody):
        return Done(reference=made.id, total=made.total, booked_at=made.booked_at)
    posting_date = made.posting_date or body.posting_date
    told = PostedBody(order_id=body.day, id=made.id, posting_date=posting_date, total=made.total)
    said = Child(kind=POSTED, body=msgspec.json.encode(told), ref_kind="hub", ref=told.order_id)
    return Done(reference=made.id, total=made.total, booked_at=made.booked_at, messages=(said,))


def _is_closed(reply: Response) -> bool:
    try:
        return msgspec.json.decode(reply.body, type=_Refusal).code == PERIOD_CLOSED
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _day(command: PostDay) -> DayBody:
    return DayBody(
        reference=command.reference,
        channel=command.connection,
        store=command.store,
        business_date=command.business_date,
        posting_date=command.business_date,
        currency=command.currency,
        exponent=exponent(command.currency),
        total=command.total,
        account=f"store:{command.store}",
        lines=tuple(_line(line) for line in command.lines),
        tenders=tuple(DayTenderBody(kind=t.kind, amount=t.amount) for t in command.tenders),
        credited=command.credited,
        tickets=command.tickets,
        day=command.day or command.supplements or command.reference,
        supplement=command.supplement,
        supplements=command.supplements,
        document=command.document,
        legal_entity=command.legal_entity,
        over_short=command.over_short,
        paid_in=command.paid_in,
        paid_out=command.paid_out,
        goods=tuple(_goods(goods) for goods in command.goods),
    )


def _goods(goods: DayGoods) -> DayGoodsBody:
    return DayGoodsBody(sku=goods.sku, quantity=goods.quantity, quantity_scale=goods.quantity_scale)


def _line(line: DayLine) -> DayLineBody:
    return DayLineBody(
        kind=line.kind,
        category=line.category,
        net=line.net,
        tax=line.tax,
        gross=line.gross,
        discount=line.discount,
        lines=line.lines,
        taxes=tuple(tax_body(tax) for tax in line.taxes),
    )


def _credit(command: CreateCredit) -> CreditBody:
    order = command.order
    if order is None:
        raise MappingError(
            "A credit was to be sent without its ticket. Send the effect again.", field="order"
        )
    wanted = frozenset(command.lines)
    return CreditBody(
        reference=command.order_id,
        channel=order.connection,
        ticket=order.external_id,
        store=command.store,
        business_date=command.business_date,
        posting_date=command.business_date,
        currency=order.currency,
        exponent=exponent(order.currency),
        total=command.total,
        account=f"store:{command.store}",
        lines=tuple(line_body(line) for line in order.lines if line.id in wanted),
        charges=tuple(charge_body(charge) for charge in order.charges) if command.charges else (),
        tenders=tuple(DayTenderBody(kind=t.kind, amount=t.amount) for t in command.tenders),
        original=command.original.id if command.original is not None else "",
        legal_entity=command.legal_entity,
    )
