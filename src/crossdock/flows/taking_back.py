"""Returns against the ticket that sold: what it sold is held against all that was taken back of it (RETAIL 1).

A ticket that takes back tells the one that it names. That one may come later than its return; one that never comes is a
case where the hub holds older numbers of the same till, so that it should have come. Whatever is found, it is recorded
and credited.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from crossdock.domain.process import OrderProcess, TakenBack
from crossdock.domain.tickets import returned_lines
from crossdock.engine.messages import LANE_FREE, Arrival
from crossdock.flows.desk import SECOND, Again, Desk
from crossdock.model.tills import TillTicket

TAKEN_BACK = "ticket.taken_back"
UNSOLD = "ticket.unsold"
"""The reminder that a ticket of which something was taken back has not come."""
BEYOND, UNKNOWN = "return.beyond_sale", "return.unknown_sale"
_encode = msgspec.json.Encoder().encode


def till_of(ticket: str) -> tuple[str, str, int]:
    """Store, till and number of a ticket's name; of one that is none, a till that nobody has."""
    store, _, rest = ticket.partition("/")
    till, _, sequence = rest.rpartition("/")
    return (store, till, int(sequence)) if sequence.isascii() and sequence.isdigit() else ("", "", 0)


def tell_original(desk: Desk, ticket: TillTicket) -> None:
    """Tell the ticket that a return names what was taken back of it, where it is one of the same connection."""
    original, sale, message = ticket.original, ticket.sale, desk.message
    if original is None or sale is None or ticket.training or original.connection != message.source:
        return
    lines: list[tuple[str, str, int, int]] = [
        (line.id, line.sku, -line.ordered, line.quantity_scale) for line in returned_lines(sale) if line.sku
    ]
    if not lines:
        return
    told = TakenBack(of=original.id, ticket=ticket.external_id, lines=lines)
    desk.decision.children.append(
        Arrival(
            source=message.source,
            kind=TAKEN_BACK,
            body=_encode(told),
            ref_kind="ticket",
            ref=original.id,
            delivery_id=f"taken_back:{ticket.external_id}",
            lane=LANE_FREE,
            parent=message.id,
            trace=message.trace,
        )
    )


def take_taken_back(desk: Desk, told: TakenBack) -> str:
    """Something was taken back of this ticket, whether it is known or not. Returns the outcome."""
    process = desk.process
    if any(each.ticket == told.ticket for each in process.taken):
        desk.event("message.noted", {"kind": TAKEN_BACK})
        return "duplicate"
    process.taken.append(told)
    if process.known:
        _compare(desk, told)
    else:
        process.connection, process.channel = desk.message.source, "till"
        process.external_id = process.number = told.of
        due = desk.now + desk.plan.policy.day_late_s * SECOND
        desk.timer(UNSOLD, due, Again(request=process.connection, intent=told.of))
    desk.event("message.noted", {"kind": TAKEN_BACK})
    return "processed"


def take_unsold(desk: Desk, again: Again) -> str:
    """Ask a person of a ticket that should have come, and of which something was taken back. Returns the outcome."""
    process = desk.process
    desk.event("message.noted", {"kind": UNSOLD})
    store, till, sequence = till_of(again.intent)
    first = desk.book.first(again.request, store, till)
    if process.known or first is None or first > sequence:
        return "stale" if process.known else "processed"  # sold before the hub heard this till
    for told in process.taken:
        lines = ", ".join(
            f"line {line}: {_units(quantity, scale)} x {sku}" for line, sku, quantity, scale in told.lines
        )
        desk.case(
            UNKNOWN,
            f"Ticket {told.ticket} took back of ticket {told.of} ({lines}), and that never came, while older numbers of its "
            "till are held. It is recorded and credited. Ask the store for the ticket, or what the return was of; then close "
            "this case.",
            about=told.ticket,
            field="original",
        )
    return "processed"


def settle_returns(desk: Desk) -> None:
    """The ticket has come: hold what was taken back of it before against what it sold."""
    for told in desk.process.taken:
        desk.close(UNKNOWN, "the ticket has come", about=told.ticket)
        _compare(desk, told)


def _compare(desk: Desk, told: TakenBack) -> None:
    """A case for each line that took back more than what is left of what this ticket sold."""
    process = desk.process
    for line, sku, quantity, scale in told.lines:
        sold = sum(
            (
                _units(each.ordered, each.scale)
                for each in process.lines
                if each.sku == sku and each.ordered > 0
            ),
            Decimal(0),
        )
        taken, tickets = Decimal(0), []
        for ticket, units in _taken(process, sku, (told.ticket, line)):
            taken += units
            tickets.append(ticket)
        if taken <= sold:
            continue
        others = ", ".join(dict.fromkeys(each for each in tickets if each != told.ticket))
        desk.case(
            BEYOND,
            f"Ticket {told.ticket}, line {line}, took back {_units(quantity, scale)} x {sku} of ticket {told.of}, which sold "
            f"{sold} of it; that makes {taken} taken back{f', with {others}' if others else ''}. It is recorded and credited. Ask "
            "the store what the return was of; then close this case.",
            about=f"{told.ticket}/{line}",
            field="original",
        )


def _taken(process: OrderProcess, sku: str, until: tuple[str, str]) -> Iterator[tuple[str, Decimal]]:
    """What was taken back of a SKU, return by return, up to and with one line of one ticket."""
    for told in process.taken:
        for line, each, quantity, scale in told.lines:
            if each == sku:
                yield told.ticket, _units(quantity, scale)
            if (told.ticket, line) == until:
                return


def _units(quantity: int, scale: int) -> Decimal:
    return Decimal(quantity).scaleb(-scale)
