"""Postings: which facts of ours stand in which documents of an ERP, and the other way round (RETAIL 18).

A sale has an invoice for each shipment. A ticket that is posted by itself has a sale; one that is summed is in exactly one posting of its store's day; what it took
back has a credit of its own. All of it is derived from what processes remember.
"""

from __future__ import annotations

from datetime import date

import msgspec

from crossdock.domain.process import Invoice, OrderProcess, Parcel, Sale
from crossdock.domain.store_day import DayPosting, DayState
from crossdock.model.finance import DocumentKind, Posting, PostingState
from crossdock.model.ids import ConnectionId, FactRef, LegalEntityId, OrderId, PostingId

_STATES: dict[str, PostingState] = {
    "done": "posted",
    "refused": "refused",
    "dropped": "refused",
    "undone": "refused",
}


def postings_of(process: OrderProcess, day: OrderProcess | None = None) -> tuple[Posting, ...]:
    """The documents that a subject is in, each with its facts. day: that of the store, where the subject is its ticket."""
    if process.day is not None:
        return tuple(_of_day(process, process.day, posting) for posting in process.day.postings)
    found = [
        _of_order(process, sale, kind)
        for sale, kind in _documents(process)
        if sale is not None and sale.state
    ]
    found += [_of_invoice(process, parcel) for parcel in process.shipments if parcel.invoice is not None]
    found += [
        _of_refund(process, refund.key, refund.credit)
        for refund in process.refunds
        if refund.credit is not None and refund.credit.state
    ]
    if process.ticket and day is not None and day.day is not None:
        _, till, sequence = process.external_id.rsplit("/", 2)
        found += [
            _of_day(day, day.day, posting)
            for posting in day.day.postings
            if posting.holds(till, int(sequence))
        ]
    return tuple(found)


def _documents(process: OrderProcess) -> tuple[tuple[Sale | None, DocumentKind], ...]:
    return (process.sale, "sale"), (process.credit, "credit_note")


def _of_order(process: OrderProcess, sale: Sale, kind: DocumentKind) -> Posting:
    return Posting(
        id=PostingId(f"{process.order}-{kind}"),
        connection=ConnectionId(sale.connection),
        kind=kind,
        facts=(_order(process),),
        document=sale.reference,
        order=OrderId(process.order),
        legal_entity=LegalEntityId(process.legal_entity),
        state=_STATES.get(sale.state, "planned"),
        currency=process.currency,
        total=sale.expected,
        erp_total=sale.erp_total,
        business_date=_business_date(process),
    )


def _of_invoice(process: OrderProcess, parcel: Parcel) -> Posting:
    """The invoice of a shipment. What it should come to is known of all of them together, so its own total is not said."""
    invoice = parcel.invoice or Invoice()
    return Posting(
        id=PostingId(f"{process.order}-invoice-{parcel.key}"),
        connection=ConnectionId(invoice.connection),
        kind="invoice",
        facts=(_order(process), _fact("shipment", parcel.shipment.id or f"{process.order}-{parcel.key}")),
        document=invoice.reference,
        order=OrderId(process.order),
        legal_entity=LegalEntityId(process.legal_entity),
        state=_STATES.get(invoice.state, "planned"),
        currency=process.currency,
        erp_total=invoice.total,
        business_date=_business_date(process),
    )


def _order(process: OrderProcess) -> FactRef:
    return _fact("ticket", process.external_id) if process.ticket else _fact("order", process.order)


def _business_date(process: OrderProcess) -> date | None:
    return date.fromisoformat(process.ticket.rpartition("/")[2]) if process.ticket else None


def _of_refund(process: OrderProcess, key: str, credit: Sale) -> Posting:
    posting = _of_order(process, credit, "credit_note")
    return msgspec.structs.replace(
        posting,
        id=PostingId(f"{process.order}-credit_note-{key}"),
        facts=(_fact("refund", key), *posting.facts),
    )


def _of_day(process: OrderProcess, day: DayState, posting: DayPosting) -> Posting:
    tickets = [
        FactRef(kind="ticket", id=f"{day.store}/{till}/{number}")
        for till, held in sorted(posting.ranges.items())
        for first, last in held
        for number in range(first, last + 1)
    ]
    return Posting(
        id=PostingId(f"{process.order}-{posting.number}"),
        connection=ConnectionId(posting.connection),
        kind="store_day",
        facts=(_fact("store_day", process.external_id), *tickets),
        document=posting.document,
        order=OrderId(process.order),
        legal_entity=LegalEntityId(process.legal_entity),
        state=_STATES.get(posting.state, "planned"),
        batch_sequence=posting.number,
        currency=process.currency,
        total=posting.total,
        erp_total=posting.erp_total,
        posting_date=date.fromisoformat(posting.date) if posting.date else None,
        business_date=date.fromisoformat(day.date),
    )


def _fact(kind: str, id_: str) -> FactRef:
    return FactRef(kind=kind, id=id_)
