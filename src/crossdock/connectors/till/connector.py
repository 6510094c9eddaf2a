"""What stores post, taken apart: an upload into pieces, pieces into tickets, each ticket under its own key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from crossdock.connectors.till import mapping, wire
from crossdock.connectors.till.cutting import can_be_read, cut
from crossdock.connectors.till.spec import CASH, CLOSED, CONTROL, OPENED, SPEC, TICKET, TICKETS
from crossdock.errors import ConfigurationError, MappingError
from crossdock.model.reports import Report
from crossdock.sdk import webhooks
from crossdock.sdk.decode import decode, decode_checked
from crossdock.sdk.plain import PlainConnector
from crossdock.sdk.spec import Child, Gate, Translation

TOGETHER_MAX = 50
"""So many tickets are taken up at once; more come from a store that was offline, and are cut into pieces."""
PIECE_MAX = 5
"""Tickets of one piece: it is written in a few milliseconds, and an order's next step does not wait longer for it."""
UPLOAD_MAX = 20_000
"""Tickets of one upload."""
_encode = msgspec.json.Encoder().encode
_sum = msgspec.json.Decoder(wire.SumBody).decode


def build(settings: Mapping[str, str]) -> TillConnector:
    """Build the connector of one connection."""
    return TillConnector(settings)


class TillConnector(PlainConnector):
    """Tills behind the contract of openapi.yaml. Nothing is ever asked of them."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(SPEC, settings)
        text = settings.get("upload_tickets_per_s") or "100"
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100_000):
            raise ConfigurationError(
                f"upload_tickets_per_s is {text!r}; it is a whole number from 1 to 100000.",
                field="upload_tickets_per_s",
            )
        self._piece_s = PIECE_MAX / int(text)

    def request_headers(self) -> Mapping[str, str]:
        """No request ever goes to a till."""
        return {}

    def gate(self, headers: Mapping[str, str], body: bytes) -> Gate:
        """Read what it is about. An upload is about many: nothing of it is read before it is kept."""
        kind = webhooks.event(headers, self.spec)
        delivery = headers.get(webhooks.DELIVERY, "")
        if kind in (TICKET, CASH):
            return _ticket_gate(kind, decode_checked(body, wire.NameBody), delivery)
        if kind in (OPENED, CLOSED):
            day = decode_checked(body, wire.DayHead)
            ref = f"{day.store}/{day.business_date.isoformat()}"
            return Gate(kind=kind, ref_kind="store_day", ref=ref, delivery_id=delivery)
        return Gate(kind=kind, delivery_id=delivery)

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        """Cut an upload into pieces that follow one another at the connection's pace, and a piece into tickets."""
        if kind != TICKETS:
            return None
        try:
            upload = decode_checked(body, wire.UploadBody)
        except MappingError:
            return self._pieces(*_taken_apart(body))
        _require_few(upload.tickets)
        children = [] if upload.control is None else [_control(upload, upload.control)]
        return self._pieces(children, upload.tickets)

    def _pieces(self, children: list[Child], tickets: Sequence[bytes | msgspec.Raw]) -> list[Child]:
        if len(tickets) <= TOGETHER_MAX:
            return children + [_child(bytes(ticket)) for ticket in tickets]
        for n, start in enumerate(range(0, len(tickets), PIECE_MAX)):
            piece = b'{"tickets":[' + b",".join(tickets[start : start + PIECE_MAX]) + b"]}"
            children.append(Child(kind=TICKETS, body=piece, after_s=n * self._piece_s))
        return children

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        """Turn one ticket, cash movement, opening or close into its report."""
        connection = context.connection
        if kind in (TICKET, CASH):
            ticket = decode(body, wire.TicketBody)
            if kind == CASH and ticket.kind not in mapping.CASH_KINDS:
                raise MappingError(
                    f"kind: a cash movement is one of {', '.join(mapping.CASH_KINDS)}.", field="kind"
                )
            return (mapping.ticket(ticket, connection),)
        if kind in (OPENED, CLOSED):
            day = decode(body, wire.DayBody)
            return (mapping.store_day(day, connection, state="open" if kind == OPENED else "closed"),)
        if kind == CONTROL:
            return (mapping.upload(decode(body, wire.FoundBody), connection),)
        if kind == TICKETS:
            return ()
        raise MappingError(f"The till contract has no event {kind!r}. Compare its version.", field="kind")


def _taken_apart(body: bytes) -> tuple[list[Child], list[bytes]]:
    """What of an upload stands alone because it cannot be read, and the tickets that can; its error where nothing can."""
    parts = cut(body, UPLOAD_MAX)
    if parts is None:
        decode_checked(body, wire.UploadBody)
        return [], []
    _require_few(parts.tickets)
    read = [ticket for ticket in parts.tickets if can_be_read(ticket)]
    children = [Child(kind=TICKET, body=ticket) for ticket in parts.tickets if not can_be_read(ticket)]
    try:
        head = decode_checked(parts.head, wire.UploadBody)
    except MappingError:
        return [Child(kind=CONTROL, body=parts.head), *children], read
    if head.control is not None:
        raws = tuple(msgspec.Raw(ticket) for ticket in parts.tickets)
        whole = msgspec.structs.replace(head, tickets=raws)
        children.insert(0, _control(whole, head.control))
    return children, read


def _require_few(tickets: Sequence[bytes | msgspec.Raw]) -> None:
    if len(tickets) > UPLOAD_MAX:
        raise MappingError(
            f"tickets: an upload has up to {UPLOAD_MAX}, this has more. Let the store send it in parts.",
            field="tickets",
        )


def _ticket_gate(kind: str, name: wire.NameBody, delivery: str) -> Gate:
    return Gate(kind=kind, ref_kind="ticket", ref=mapping.external_id(name), delivery_id=delivery)


def _child(ticket: bytes) -> Child:
    """A ticket under its own key; one whose key cannot be read stands alone, and parks when it is read."""
    try:
        ref = mapping.external_id(decode_checked(ticket, wire.NameBody))
    except MappingError:
        return Child(kind=TICKET, body=ticket)
    return Child(kind=TICKET, body=ticket, ref_kind="ticket", ref=ref)


def _control(upload: wire.UploadBody, control: wire.ControlBody) -> Child:
    found = wire.FoundBody(
        upload=upload.upload,
        store=upload.store,
        tickets=len(upload.tickets),
        total=_total(upload.tickets),
        control=control,
    )
    return Child(kind=CONTROL, body=_encode(found))


def _total(tickets: Sequence[msgspec.Raw]) -> int:
    """The sum of the totals that can be read; a ticket that cannot be parks by itself and makes a difference here."""
    total = 0
    for ticket in tickets:
        try:
            total += _sum(ticket).total
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return total
