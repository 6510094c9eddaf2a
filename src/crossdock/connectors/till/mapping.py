"""Tickets and Z reports of the till contract to the canonical model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count

from crossdock.connectors.till import wire
from crossdock.errors import MappingError
from crossdock.model.base import shown
from crossdock.model.currency import EXPONENTS
from crossdock.model.ids import ConnectionId, ExternalRef, LineId, Sku
from crossdock.model.lines import OrderLine
from crossdock.model.money import Rate, UnitPrice
from crossdock.model.order import Order
from crossdock.model.pricing import Charge, Discount, DiscountAllocation, TaxLine, Tender
from crossdock.model.reports import StoreDayReported, TicketReported, UploadReported
from crossdock.model.tills import (
    SequenceRange,
    StoreDay,
    StoreDayState,
    TenderControl,
    TillTicket,
    over_short,
)

CASH_KINDS = ("paid_in", "paid_out", "float")
SALE_KINDS = ("sale", "return", "mixed")
ROUNDING, TIP = "rounding", "tip"


def external_id(name: wire.NameBody) -> str:
    """The name of a ticket at its connection: "berlin/T1/1017"."""
    return f"{name.store}/{name.till}/{name.sequence}"


def ticket(body: wire.TicketBody, connection: str) -> TicketReported:
    """Read one ticket, or name the field that cannot be."""
    name = external_id(body)
    if body.kind in CASH_KINDS:
        _require(body.amount >= 0, "amount", "it is negative: paid_in and paid_out say the direction")
    sells = body.kind in SALE_KINDS
    if (sells or body.amount) and body.currency not in EXPONENTS:
        raise MappingError(
            f"currency: {shown(body.currency, word=True)} is no ISO 4217 currency that is known. Correct it at the till.",
            field="currency",
        )
    _require(sells or not (body.lines or body.tenders), "kind", f"a {body.kind} has no lines and no tenders")
    return TicketReported(
        ticket=TillTicket(
            connection=ConnectionId(connection),
            external_id=name,
            register=body.till,
            sequence=body.sequence,
            business_date=body.business_date,
            location_ref=location(body.store, connection),
            kind=body.kind,
            sale=_sale(body, name, connection) if sells else None,
            amount=body.amount,
            currency=body.currency,
            cashier=body.cashier,
            original=None if body.original is None else original(body.original, connection),
            training=body.training,
            reason=body.reason,
            occurred_at=body.at,
        )
    )


def store_day(body: wire.DayBody, connection: str, *, state: StoreDayState) -> StoreDayReported:
    """Read the opening or the close of a day."""
    tenders = [_control(tender, "") for tender in body.tenders]
    tenders += [_control(tender, till.till) for till in body.tills for tender in till.tenders]
    closed = state != "open"
    return StoreDayReported(
        store_day=StoreDay(
            connection=ConnectionId(connection),
            external_id=f"{body.store}/{body.business_date.isoformat()}",
            location_ref=location(body.store, connection),
            business_date=body.business_date,
            currency=body.currency,
            version=body.version,
            state=state,
            sequences=tuple(_sequence(till) for till in body.tills if till.first is not None),
            tenders=tuple(tenders),
            tickets=sum(till.tickets for till in body.tills),
            sales_gross=body.sales_gross,
            returns_gross=body.returns_gross,
            tax=body.tax,
            paid_in=body.paid_in,
            paid_out=body.paid_out,
            over_short=over_short(tenders),
            float_opening=body.float_opening,
            float_closing=body.float_closing,
            opened_at=None if closed else body.at,
            closed_at=body.at if closed else None,
        )
    )


def upload(body: wire.FoundBody, connection: str) -> UploadReported:
    """Read the head of an upload with what was found in it."""
    return UploadReported(
        external_id=body.upload,
        tickets=body.tickets,
        total=body.total,
        stated_tickets=body.control.tickets,
        stated_total=body.control.total,
        location_ref=location(body.store, connection) if body.store else None,
    )


def location(store: str, connection: str) -> ExternalRef:
    """The store as its tills name it."""
    return ExternalRef(connection=ConnectionId(connection), kind="location", id=store)


def original(name: wire.NameBody, connection: str) -> ExternalRef:
    """The ticket that a return takes back."""
    return ExternalRef(connection=ConnectionId(connection), kind="ticket", id=external_id(name))


def _sale(body: wire.TicketBody, name: str, connection: str) -> Order:
    lines, discounts = [], []
    bundles = {line.id for line in body.lines if line.kind == "bundle"}
    for n, line in enumerate(body.lines):
        problem = f"there is no line of kind bundle with the id {line.parent!r}"
        _require(not line.parent or line.parent in bundles, f"lines[{n}].parent", problem)
    for n, (line, id_) in enumerate(zip(body.lines, _line_ids(body.lines), strict=True)):
        read, discount = _line(line, n, id_, body.prices_include_tax)
        lines.append(read)
        if discount is not None:
            discounts.append(discount)
    return Order(
        connection=ConnectionId(connection),
        external_id=name,
        number=name,
        version="1",
        currency=body.currency,
        channel="till",
        lines=tuple(lines),
        charges=_charges(body),
        discounts=tuple(discounts),
        tenders=tuple(_tender(tender) for tender in body.tenders),
        buyer_total=body.total,
        location_ref=location(body.store, connection),
        occurred_at=body.at,
    )


def _line_ids(lines: Sequence[wire.LineBody]) -> list[str]:
    """The given ids; a line without one is named by its position, or where another line has that name, by 2.1, 2.2 ..."""
    given: dict[str, int] = {}
    for n, line in enumerate(lines):
        first = given.setdefault(line.id, n) if line.id else n
        _require(
            first == n, f"lines[{n}].id", f"it is that of lines[{first}] too: give each line an id of its own"
        )
    found = []
    for n, line in enumerate(lines, 1):
        names = chain((str(n),), (f"{n}.{m}" for m in count(1)))
        found.append(line.id or next(name for name in names if name not in given))
    return found


def _line(line: wire.LineBody, n: int, id_: str, includes_tax: bool) -> tuple[OrderLine, Discount | None]:
    place = f"lines[{n}]"
    _require(line.quantity != 0, f"{place}.quantity", "it is zero: leave the line out")
    net = line.gross - line.tax
    discount = None
    allocations: tuple[DiscountAllocation, ...] = ()
    if line.discount:
        name = f"line-{n + 1}"
        discount = Discount(id=name, amount=line.discount, kind="manual", title=line.discount_reason)
        allocations = (DiscountAllocation(discount=name, amount=line.discount),)
    read = OrderLine(
        id=LineId(id_),
        sku=Sku(line.sku),
        title=line.title,
        category=line.category,
        kind=line.kind,
        parent_line=LineId(line.parent),
        ordered=line.quantity,
        current=line.quantity,
        fulfilled=max(line.quantity, 0),
        unit=line.unit,
        quantity_scale=line.quantity_scale,
        unit_price=UnitPrice.parse(line.unit_price, field=f"{place}.unit_price") if line.unit_price else None,
        price_includes_tax=includes_tax,
        extended=(line.gross if includes_tax else net) + line.discount,
        discounts=allocations,
        net=net,
        tax=line.tax,
        gross=line.gross,
        taxes=tuple(_tax(tax, f"{place}.taxes[{m}]") for m, tax in enumerate(line.taxes)),
        fulfilled_by="handed_over",
        delivery="none",
        serials=line.serials,
        properties=() if line.restock else (("restock", "no"),),
    )
    return read, discount


def _tax(tax: wire.TaxBody, place: str) -> TaxLine:
    return TaxLine(
        amount=tax.amount,
        name=tax.name,
        jurisdiction=tax.jurisdiction,
        rate=Rate.parse(tax.rate, field=f"{place}.rate") if tax.rate else None,
        category=tax.category,
    )


def _charges(body: wire.TicketBody) -> tuple[Charge, ...]:
    if not (body.charges or body.tip or body.rounding):
        return ()
    charges = [
        Charge(
            kind=charge.kind,
            price=charge.gross,
            net=charge.gross - charge.tax,
            tax=charge.tax,
            gross=charge.gross,
            price_includes_tax=True,
            title=charge.title,
            taxes=tuple(_tax(tax, f"charges[{n}].taxes[{m}]") for m, tax in enumerate(charge.taxes)),
        )
        for n, charge in enumerate(body.charges)
    ]
    if body.tip:
        charges.append(Charge(kind="tip", price=body.tip, net=body.tip, tax=0, gross=body.tip, id=TIP))
    if body.rounding:
        amount = body.rounding
        charges.append(Charge(kind="rounding", price=amount, net=amount, tax=0, gross=amount, id=ROUNDING))
    return tuple(charges)


def _tender(tender: wire.TenderBody) -> Tender:
    return Tender(
        kind=tender.kind,
        amount=tender.amount,
        reference=tender.reference,
        provider=tender.provider,
        foreign_currency=tender.foreign_currency,
        foreign_amount=tender.foreign_amount,
    )


def _control(tender: wire.ZTenderBody, till: str) -> TenderControl:
    return TenderControl(kind=tender.kind, expected=tender.expected, counted=tender.counted, register=till)


def _sequence(till: wire.ZTillBody) -> SequenceRange:
    first = till.first or 0
    last = first if till.last is None else till.last
    _require(first <= last, "tills.last", "it is below the first")
    return SequenceRange(register=till.till, first=first, last=last)


def _require(condition: bool, field: str, problem: str) -> None:
    if not condition:
        raise MappingError(f"{field}: {problem}. Correct it at the till.", field=field)
