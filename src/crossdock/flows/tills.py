"""Till tickets: recorded as they are, whatever rule they break. Stock moves at once, nothing is released or acknowledged.

A ticket touches nothing but itself: its process, its document, its movements and postings, and one row for its store's
day (`domain/tickets.py`), so that a thousand a second of one store never wait for one another.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import force_setattr

from crossdock.domain.ledger import ON_HAND, QUARANTINED
from crossdock.domain.policy import Mode, Place, Route
from crossdock.domain.process import Line, OrderProcess, Parcel
from crossdock.domain.state import DocumentRow, TicketRow
from crossdock.domain.store_day import first_date
from crossdock.domain.tickets import (
    Value,
    encode_value,
    entries_of,
    gross_of,
    moves_stock,
    sold_lines,
    value_of,
)
from crossdock.domain.totals import check_totals
from crossdock.engine.messages import LANE_FREE, Arrival
from crossdock.errors import ConflictError, MappingError, RejectedError
from crossdock.flows.day_book import (
    STORE_DAY,
    TOUCHED,
    day_mode,
    day_ref,
    store_place,
    ticket_date,
    told_store,
)
from crossdock.flows.desk import SECOND, Desk, canonical_hash, micros
from crossdock.flows.documents import split_document
from crossdock.flows.goods import HANDED_OVER
from crossdock.flows.posting_sales import create_credit
from crossdock.flows.scales import in_stock
from crossdock.flows.stocking import handed_over
from crossdock.flows.taking_back import settle_returns, tell_original
from crossdock.flows.telling import create_sale, tell_erp
from crossdock.model.fulfilment import Shipment
from crossdock.model.ids import LegalEntityId, LineId, LocationId, OrderId, ShipmentId, Sku
from crossdock.model.order import Order
from crossdock.model.quantity import LineQuantity
from crossdock.model.reports import TicketReported, UploadReported
from crossdock.model.tills import TillTicket

NO_RESTOCK = ("restock", "no")
"""A property of a line that was taken back and cannot be sold again."""
_encode = msgspec.json.Encoder().encode


def take_ticket(desk: Desk, report: TicketReported) -> str:
    """Record one ticket. Returns the outcome: processed or duplicate; the same number with other contents is a conflict."""
    ticket = report.ticket
    place, route = _place(desk, ticket), _route(desk)
    date = ticket_date(desk.plan, ticket, place)
    if date is None:
        raise MappingError(
            f"Ticket {ticket.external_id} has neither business date nor time. Send one of them.",
            field="business_date",
        )
    version = ticket.version or "1"
    try:
        if not desk.first_time(ticket_kind(desk.revision), version, canonical_hash(ticket)):
            return "duplicate"
    except ConflictError as error:
        raise ConflictError(
            f"Ticket {ticket.external_id} (store/till/number) came twice with different contents: {error.message} Ask the "
            "store which of them is true; a number is used once."
        ) from error
    if desk.process.known:
        desk.event("ticket.known_already", {"ticket": ticket.external_id})
        return "stale"
    _check(ticket)
    value, day, store = value_of(ticket), date.isoformat(), told_store(ticket.location, ticket.location_ref)
    process = desk.process
    _absorb(desk, ticket, value, day_ref(store, day))
    value = _at_start(desk, ticket, value, day_mode(desk.plan, process.connection, place, date))
    if ticket.sale is not None and not ticket.training:
        _sell(desk, ticket.sale, place, day_ref(store, day))
    entries = entries_of(value)
    if entries:
        desk.postings.append((value.kind, entries))
    if not process.test and process.commitment == "committed" and ticket.sale is not None:
        if route.post == "each" and not value.back:
            create_sale(desk)
        elif route.post == "each" and value.sold:
            create_sale(desk, lines=sold_lines(ticket.sale), total=gross_of(value.sold))
        if value.back:
            create_credit(desk, ticket, value, place, date)
    desk.event(
        "ticket.recorded",
        {
            "store": store,
            "till": ticket.register,
            "sequence": ticket.sequence,
            "date": day,
            "kind": ticket.kind,
            "currency": process.currency,
            "total": value.total,
        },
    )
    settle_returns(desk)
    tell_original(desk, ticket)
    _tell_day(desk, ticket, value, store, day)
    return "processed"


def take_upload(desk: Desk, report: UploadReported) -> str:
    """Compare what an upload states with what it held: its tickets are in either way. Returns the outcome."""
    wrong = {
        field: f"{name}: stated {stated}, held {held}"
        for field, name, stated, held in (
            ("stated_tickets", "tickets", report.stated_tickets, report.tickets),
            ("stated_total", "total in minor units", report.stated_total, report.total),
        )
        if stated is not None and stated != held
    }
    store = report.location_ref.id if report.location_ref is not None else ""
    desk.event(
        "upload.recorded",
        {"upload": report.external_id, "store": store, "tickets": report.tickets, "total": report.total},
    )
    if wrong:
        desk.case(
            "upload.control_totals",
            f"Upload {report.external_id or '(no id)'} of {store or desk.message.source} does not hold what it states "
            f"({'; '.join(wrong.values())}). Its tickets are taken. Ask the store for the missing ones, or for the right totals.",
            about=report.external_id,
            field=next(iter(wrong)),
        )
    return "processed"


def follow_ticket(desk: Desk) -> None:
    """What follows once the ERP has a ticket's sale: its goods have left already, so delivery and invoice."""
    sale = desk.process.sale
    if sale is not None and sale.state == "done":
        tell_erp(desk, None)


def ticket_kind(revision: int) -> str:
    """The kind under which a ticket is seen."""
    return "ticket" if revision <= 1 else f"ticket@{revision}"


def _place(desk: Desk, ticket: TillTicket) -> Place:
    name = told_store(ticket.location, ticket.location_ref)
    place = store_place(desk.plan, name)
    if place is None:
        raise MappingError(
            f"Ticket {ticket.external_id} is of store {name!r}, which is none of our locations. Add [locations.{name}] or "
            "give one that partner_code, then retry.",
            field="store",
        )
    return place


def _route(desk: Desk) -> Route:
    source = desk.message.source
    route = desk.plan.routes.get(source)
    if route is None:
        raise RejectedError(
            f"Tickets of {source} have no route. Add [routes.{source}] to the configuration, then retry the message."
        )
    return route


def _check(ticket: TillTicket) -> None:
    differences = check_totals(ticket.sale) if ticket.sale is not None else ()
    if differences:
        raise MappingError(
            f"Ticket {ticket.external_id} does not add up: {'; '.join(map(str, differences[:3]))} (minor units). Correct "
            "it at the store or in the message.",
            field=differences[0].field,
        )


def _absorb(desk: Desk, ticket: TillTicket, value: Value, day: str) -> None:
    process, sale = desk.process, ticket.sale
    process.known, process.ticket, process.channel = True, day, "till"
    process.connection, process.external_id = desk.message.source, ticket.external_id
    process.number, process.version = ticket.external_id, ticket.version or "1"
    process.placed_at = micros(ticket.occurred_at) or desk.now
    process.test = ticket.training
    process.commitment = "committed" if sale is not None or value.amount else "void"
    process.currency = value.currency or ticket.currency or (sale.currency if sale is not None else "")
    process.total = process.due = value.total
    process.captured = sum(amount for _, amount in value.tenders)


def _at_start(desk: Desk, ticket: TillTicket, value: Value, of_day: Mode) -> Value:
    """Decide whether it is live: by itself where each is posted by itself, else with its whole day. The value that says so."""
    process, plan, route = desk.process, desk.plan, desk.route
    since = plan.since.get(process.connection)
    process.mode = plan.mode_at(process.connection, ticket.occurred_at)
    if process.mode == "adopt" and since is not None:
        process.mode = "observe"  # others have posted it: there is nothing to take over
    across = False
    if route is None or route.post == "day":
        moment = since is not None and first_date(since) is None
        across = moment and of_day == "observe" and process.mode == "live" and ticket.occurred_at is not None
        process.mode = of_day
    return msgspec.structs.replace(value, live=process.mode != "observe", across=across)


def _sell(desk: Desk, sale: Order, place: Place, day: str) -> None:
    """Keep the sale as a document, move its stock, and remember its lines as handed over.

    The report stays as it came: a batch may be decided twice, and what it says is hashed each time.
    """
    process = desk.process
    sale = sale.__copy__()  # type: ignore[attr-defined]  # shallow, and ours
    force_setattr(sale, "location", LocationId(place.id))
    if not sale.legal_entity:
        force_setattr(sale, "legal_entity", LegalEntityId(desk.entity(place)))
    process.legal_entity = sale.legal_entity
    document, party, _ = split_document(sale, process.order)
    process.document = 1
    desk.documents.append(DocumentRow(subject=desk.message.subject, version=1, value=document, party=party))
    if sale.commitment != "committed":
        return
    ledger, at = desk.ledger, place.id
    for line in sale.lines:
        quantity = line.ordered
        kept = Line(id=line.id, sku=line.sku, ordered=quantity, net=line.net, gross=line.gross, who="done")
        kept.scale = line.quantity_scale
        process.lines.append(kept)
        if quantity > 0:
            kept.shipped = kept.delivered = quantity
        else:
            kept.taken_back = True
        if place.stocked and moves_stock(line):
            moved = -in_stock(desk, line.sku, quantity, line.quantity_scale, f"ticket {sale.number}")
            ledger.move(line.sku, at, ON_HAND, moved, "sale" if quantity > 0 else "return")
            handed_over(desk, (line.sku, at, moved), micros(sale.occurred_at), day)
            if quantity < 0 and NO_RESTOCK in line.properties:
                ledger.move(line.sku, at, QUARANTINED, moved, "quarantine")
    route = desk.route
    if route is not None and route.post == "each":
        _parcel(process, sale)


def _parcel(process: OrderProcess, sale: Order) -> None:
    """What the buyer took with them, for an ERP that is told of each ticket by itself."""
    lines = tuple(
        LineQuantity(line=LineId(line.id), quantity=line.ordered, sku=Sku(line.sku))
        for line in sale.lines
        if line.ordered > 0
    )
    if not lines:
        return
    shipment = Shipment(
        id=ShipmentId(f"{process.order}-{HANDED_OVER}"),
        order=OrderId(process.order),
        lines=lines,
        state="delivered",
        fulfilled_by="handed_over",
    )
    parcel = Parcel(key=HANDED_OVER, shipment=shipment, from_channel=True)
    parcel.lines = [(line.line, line.quantity) for line in lines]
    process.shipments.append(parcel)


def _tell_day(desk: Desk, ticket: TillTicket, value: Value, store: str, day: str) -> None:
    """Leave the ticket's row; tell the day only where it must hear of it: it is new, or it was closed before."""
    message, ref = desk.message, day_ref(store, day)
    stage = desk.book.stage(message.source, ref)
    row = TicketRow(
        message.source,
        store,
        day,
        ticket.register,
        ticket.sequence,
        message.subject,
        message.received_at,
        encode_value(value),
    )
    if not desk.book.add(row, touches=stage != "day_open"):
        return
    # Late tickets of one day tell it once a turn, so that an upload after hours counts it a few times, not thousands.
    each = max(1, desk.plan.policy.day_settle_s // 2) * SECOND
    turn = desk.now // each
    touched = {"store": store, "date": day, "currency": desk.process.currency}
    desk.decision.children.append(
        Arrival(
            source=message.source,
            kind=TOUCHED,
            body=_encode(touched),
            ref_kind=STORE_DAY,
            ref=ref,
            delivery_id=f"touched:{stage}:{turn}",
            lane=LANE_FREE,
            due_at=(turn + 2) * each if stage else 0,
            parent=message.id,
            trace=message.trace,
        )
    )
