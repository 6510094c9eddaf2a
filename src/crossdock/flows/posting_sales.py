"""Telling the ERP of tickets by the day: one document per store and day, supplements for late tickets, credits for returns.

A posting names the tickets that it sums, so that each is in exactly one; the ERP's total is read back and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from crossdock.domain.day_sums import credited, day_goods, day_lines, day_tenders
from crossdock.domain.policy import Place
from crossdock.domain.process import Sale
from crossdock.domain.state import TicketRow
from crossdock.domain.store_day import GIVEN_UP, DayPosting, DayState, posting_dates, ranges
from crossdock.domain.tax_rates import is_unrated, with_rates
from crossdock.domain.tickets import Value, gross_of, owed_of, repaid_of, returned_lines
from crossdock.engine.messages import Reference, Settled
from crossdock.flows.desk import SECOND, Desk
from crossdock.flows.stocking import told_together
from crossdock.model.commands import CreateCredit, PostDay
from crossdock.model.ids import OrderId
from crossdock.model.money import decimal_text
from crossdock.model.reports import InvoiceReported
from crossdock.model.tills import TillTicket

POST_DAY, CREATE_CREDIT = "post_day", "create_credit"
CREDIT = "credit"
DROPPED = "dropped"


def create_credit(desk: Desk, ticket: TillTicket, value: Value, place: Place, day: date) -> None:
    """Credit what a ticket took back: what sold it is another document, so it posts a credit of its own.

    Where it sold nothing, its charges are the credit's; what it paid out too, unless its day's sum has that.
    """
    process, route, sale = desk.process, desk.route, ticket.sale
    if route is None or not route.erp or sale is None:
        return
    each, alone, total = route.post == "each", not value.sold, gross_of(value.back)
    command = CreateCredit(
        order_id=OrderId(f"{process.order}-{CREDIT}" if each and not alone else process.order),
        lines=tuple(line.id for line in returned_lines(sale)),
        total=total,
        store=place.id,
        business_date=day,
        posting_dates=_dates(desk, place, day),
        original=ticket.original,
        legal_entity=desk.entity(place),
        charges=alone,
        tenders=day_tenders([value]) if each and alone else (),
        repaid=repaid_of(value),
    )
    if desk.stage(route.erp, CREATE_CREDIT, CREDIT, command):
        process.credit = Sale(state="staged", document=process.document, expected=total, connection=route.erp)
    elif process.mode != "observe" and desk.plan.modes.get(route.erp) != "observe":
        desk.case(
            "credit.by_hand",
            f"{route.erp} takes no credits from us, and ticket {ticket.external_id} took back "
            f"{decimal_text(-total, sale.currency)} {sale.currency}. Credit it there by hand, then close this case.",
        )


def post_day(
    desk: Desk, day: DayState, left: Sequence[tuple[TicketRow, Value]], rates: Sequence[str] = ()
) -> int:
    """Post what is in no posting yet; returns how many tickets still wait. A supplement waits for the one before it.

    rates: those that are known, for taxes that are told without one.
    """
    route = desk.route
    if route is None or not desk.may(route.erp, POST_DAY) or day.on_its_way or not (left or day.untold):
        return len(left)
    number = len(day.postings)
    command = _command(desk, day, number, [value for _, value in left], rates)
    numbers: dict[str, list[int]] = {}
    for row, _ in left:
        numbers.setdefault(row.till, []).append(row.sequence)
    posting = DayPosting(
        number=number,
        connection=route.erp,
        total=command.total,
        ranges={till: ranges(found) for till, found in numbers.items()},
        reference=command.reference,
        tickets=len(left),
        over_short=command.over_short,
    )
    day.postings.append(posting)
    if not (command.lines or command.tenders or command.paid_in or command.paid_out or command.over_short):
        posting.state = "done"  # voids only: there is nothing to book
        return 0
    _unexplained(desk, day, left, rates, number)
    desk.stage(route.erp, POST_DAY, _intent(number), command)
    subjects = tuple(row.subject for row, value in left if value.goods)
    told_together(desk, desk.process.external_id, subjects, _intent(number))
    over = day.counted - day.over_short if command.over_short else 0
    if over:
        day.over_short += over
        desk.postings.append(("over_short", (("payments", over), ("over_short", -over))))
    desk.event(
        "store_day.posting",
        {
            "store": day.store,
            "date": day.date,
            "reference": command.reference,
            "supplement": command.supplement,
            "tickets": len(left),
            "currency": command.currency,
            "total": command.total,
        },
    )
    return 0


def take_posted(desk: Desk, settled: Settled) -> None:
    """Record what the ERP made of a posting: its document, and its total against ours (RETAIL 16, 18)."""
    process = desk.process
    if settled.operation == CREATE_CREDIT and process.credit is not None:
        credit = process.credit
        credit.state, credit.reference = settled.outcome, settled.reference or credit.reference
        credit.erp_total = settled.total
        compare_total(desk, settled, "credit_note", credit.expected)
    elif settled.operation == POST_DAY and process.day is not None:
        posting = next((p for p in process.day.postings if _intent(p.number) == settled.intent), None)
        if posting is None:
            return
        if settled.code == DROPPED:
            _given_up(desk, process.day, posting)
            return
        posting.state = settled.outcome
        posting.document = settled.reference or posting.document
        posting.erp_total = settled.total if settled.outcome == "done" else posting.erp_total
        compare_total(desk, settled, "store_day", posting.total)
        if posting.state == "done" and not posting.made and posting.over_short:
            _no_document(desk, process.day, posting, posting.over_short)


def post_again(desk: Desk, day: DayState) -> None:
    """A person wants posted what another has given up: its tickets count as unposted again."""
    desk.process.lifted.remove(GIVEN_UP)
    for posting in day.postings:
        if posting.state == "dropped":
            posting.state = "undone"
            day.left += posting.tickets
            desk.close("store_day.given_up", "it is posted again", about=_intent(posting.number))


def _unexplained(
    desk: Desk, day: DayState, left: Sequence[tuple[TicketRow, Value]], rates: Sequence[str], number: int
) -> None:
    """Where a store's rates are said, a tax that none of them gives is worth a look; it is posted without a rate."""
    place = desk.plan.places.get(day.place, Place(id=day.place))
    found = [
        (f"{row.till}/{row.sequence}", part)
        for row, value in left
        for part in with_rates(value, rates).sold
        if is_unrated(part)
    ]
    if not found or not place.tax_rates:
        return
    (name, part), currency = found[0], desk.process.currency
    desk.case(
        "store_day.tax_rate",
        f"{len(found)} lines of {day.store} of {day.date} tell a tax without its rate, and none of the rates that are known "
        f"there ({', '.join(rates)}) gives it: first in ticket {name} a tax of {decimal_text(part.gross - part.net, currency)} "
        f"on {decimal_text(part.net, currency)} {currency}. They are posted without a rate. Let the tills tell "
        f"`taxes[].rate`, or add the rate to `tax_rates` of [locations.{day.place}].",
        about=_intent(number),
        field="taxes[].rate",
    )


def _no_document(desk: Desk, day: DayState, posting: DayPosting, over: int) -> None:
    """An ERP may make no document where nothing was sold; what people counted is told to a person then."""
    currency = desk.process.currency
    desk.case(
        "store_day.over_short",
        f"{day.store} of {day.date} is over or short by {decimal_text(over, currency)} {currency} (counted less expected), and "
        f"{posting.connection} has made no document of it, for nothing was sold with it. Book it there by hand, then close "
        "this case.",
        about=_intent(posting.number),
    )


def _given_up(desk: Desk, day: DayState, posting: DayPosting) -> None:
    """Nobody sends it any more: what it holds is a person's to book, and no reason to keep back what comes later."""
    process = desk.process
    posting.state = "dropped"
    process.holds[GIVEN_UP] = "a posting was given up"
    desk.case(
        "store_day.given_up",
        f"The posting of {posting.tickets} tickets of {day.store} of {day.date}, "
        f"{decimal_text(posting.total, process.currency)} {process.currency}, to {posting.connection} was given up: it has no "
        f"document of them that we know of. Release the hold '{GIVEN_UP}' to post them again, or book them there by hand and "
        "close this case. Tickets that come later are posted without them.",
        about=_intent(posting.number),
    )


def take_document(desk: Desk, report: InvoiceReported) -> str:
    """Record the date that the ERP posted a day to, where it says so. Returns the outcome."""
    told, day = report.posting, desk.process.day
    posting = next(
        (p for p in (day.postings if day is not None else ()) if p.document == told.document), None
    )
    if posting is None or told.posting_date is None or day is None:
        desk.event("message.noted", {"kind": desk.message.kind})
        return "unhandled"
    posting.date = told.posting_date.isoformat()
    desk.event(
        "store_day.dated",
        {"store": day.store, "date": day.date, "document": posting.document, "posted_on": posting.date},
    )
    return "processed"


def compare_total(desk: Desk, settled: Settled, kind: str, ours: int) -> None:
    """Tell of a document that the ERP has made, and hold its total against ours (RETAIL 16, 18)."""
    if settled.outcome != "done":
        return
    process, theirs = desk.process, settled.total
    if settled.reference:
        reference = Reference(connection=settled.connection, kind=kind, ref=settled.reference)
        desk.decision.references.append(reference)
    desk.event(
        "posting.made",
        {
            "connection": settled.connection,
            "kind": kind,
            "document": settled.reference,
            "currency": process.currency,
            "total": ours,
            "erp_total": theirs,
        },
    )
    difference = 0 if theirs is None else theirs - ours
    if not difference or theirs is None:
        return
    if abs(difference) <= desk.plan.policy.erp_total_tolerance:
        desk.postings.append(("rounding", (("receivable", difference), ("rounding", -difference))))
        return
    currency = process.currency
    desk.case(
        "posting.total_differs",
        f"Document {settled.reference} of {process.number} in {settled.connection} comes to "
        f"{decimal_text(theirs, currency)} {currency}, we posted {decimal_text(ours, currency)}: "
        f"{decimal_text(difference, currency)} apart. Correct the document there.",
        about=settled.reference or settled.intent,
        field="total",
    )


def _command(
    desk: Desk, day: DayState, number: int, values: Sequence[Value], rates: Sequence[str]
) -> PostDay:
    process, place = desk.process, desk.plan.places.get(day.place, Place(id=day.place))
    lines, business_date = day_lines(values, rates), date.fromisoformat(day.date)
    before = day.documents
    process.legal_entity = process.legal_entity or desk.entity(place)
    return PostDay(
        reference=_reference(process.order, number),
        day=process.order,
        connection=process.connection,
        store=day.place,
        business_date=business_date,
        posting_dates=_dates(desk, place, business_date),
        currency=process.currency,
        total=sum(line.gross for line in lines),
        lines=lines,
        tenders=day_tenders(values),
        credited=credited(values),
        owed=sum(owed_of(value) for value in values),
        tickets=len(values),
        supplement=len(before),
        supplements=(before[0].reference or process.order) if before else "",
        document=before[0].document if before else "",
        legal_entity=process.legal_entity,
        over_short=day.untold,
        paid_in=sum(value.amount for value in values if value.kind == "paid_in"),
        paid_out=sum(value.amount for value in values if value.kind == "paid_out"),
        goods=day_goods(values),
    )


def _reference(order: str, number: int) -> str:
    """Under what a posting stands in the ERP: the day's id, each after the first with its number behind it.

    What was given up may have left something there: another posting never takes its name.
    """
    return f"{order}-{number}" if number else order


def _intent(number: int) -> str:
    return f"day:{number}"


def _dates(desk: Desk, place: Place, day: date) -> tuple[date, ...]:
    today = datetime.fromtimestamp(desk.now / SECOND, UTC).astimezone(ZoneInfo(place.zone)).date()
    return posting_dates(day, today, desk.plan.policy.closed_period)
