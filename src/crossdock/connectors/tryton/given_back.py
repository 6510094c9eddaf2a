"""What came back of a shop's order: a posted credit note for each refund, and received shipments for the goods.

The note has the accounts, the customer and the address of the order's invoice, and its lines name those that they take
back. It moves no goods: they come by shipments of their own, which belong to no sale, so that the sale stays done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from crossdock.connectors.tryton import mapping
from crossdock.connectors.tryton.books import Books, Warehouse, load
from crossdock.connectors.tryton.deliveries import booked_at, carry_out, sales_of, the_sale
from crossdock.connectors.tryton.invoices import FIELDS, INVOICE, INVOICE_LINE, OUT, pay, payment_method, post
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, ServerRefusedError, day, decimal
from crossdock.connectors.tryton.steps import held, name_of, only, quantity_of, total_of
from crossdock.errors import MappingError
from crossdock.model.commands import CameBack, CreditPart, CreditRefund, OrderCommand, ReceiveReturn
from crossdock.model.money import decimal_text
from crossdock.model.order import Order
from crossdock.model.pricing import TaxLine
from crossdock.sdk.calls import Done, Intent, Refused

RETURN = "stock.shipment.out.return"
RETURN_STEPS = (("draft", "receive"), ("received", "do"))
_RECEIVED = RETURN_STEPS[:1]
_STATE = ("state", "number", "incoming_moves")
_LIKE = ("state", "journal", "account", "party", "invoice_address")
_POSTED = ("posted", "paid")


def credit_refund(
    client: Client, options: Options, command: CreditRefund, intent: Intent
) -> Ask[Done | Refused]:
    """Credit a refund, once under its reference; a draft that is there already is taken further."""
    order = _order(command)
    method = (yield from payment_method(client, options.payment_method)) if options.payment_method else 0
    found = yield from held(client, INVOICE, [command.reference], FIELDS, OUT)
    row = only(found.get(command.reference, ()), command.reference, "credit notes")
    already = row is not None and row["state"] in _POSTED
    if row is None or not already:
        books = yield from load(client, mapping.codes_of(order, options), [], [order.currency])
        id_ = row["id"] if row is not None else (yield from _draft(client, options, command, order, books))
        yield from _level(client, options, books, id_, -command.total)
        _, refused = yield from post(client, {id_: intent.key})
        if id_ in refused:
            return refused[id_].as_refused(f"Invoice id {id_} of Tryton stays a draft")
        (row,) = yield from client.search(INVOICE, [["id", "=", id_]], FIELDS)
    if method and row["state"] == "posted":
        yield from pay(client, row, method, day(intent.now[:10]))
    return Done(reference=name_of(row), total=total_of(row), already=already)


def receive_return(
    client: Client, options: Options, command: ReceiveReturn, intent: Intent
) -> Ask[Done | Refused]:
    """Receive what came, once under its reference: into the warehouse's storage what may be sold, the rest into its input."""
    order = _order(command)
    codes = {line.sku for line in order.lines} | {line.sku for line in command.lines}
    books = yield from load(client, codes, [], [order.currency])
    sales, lines = yield from sales_of(client, [order.id])
    sale = the_sale(sales, order.id)
    place = books.warehouse([command.location], options, "location")
    arrival = _Arrival(order, sale, lines.get(sale["id"], ()), place)
    parts = (
        (command.reference, [line for line in command.lines if not line.held], RETURN_STEPS),
        (f"{command.reference}/held", [line for line in command.lines if line.held], _RECEIVED),
    )
    planned = [
        (reference, _shipment(client, books, arrival, came, reference), steps)
        for reference, came, steps in parts
    ]
    done: Done = Done()
    for reference, values, steps in planned:
        if values is None:
            continue
        found = yield from held(client, RETURN, [reference], _STATE)
        row = only(found.get(reference, ()), reference, "returns")
        if row is None:
            (id_,) = yield from client.create(RETURN, [values])
            if isinstance(id_, ServerRefusedError):
                raise id_
        else:
            id_ = row["id"]
        rows = yield from carry_out(client, RETURN, id_, steps, _STATE)
        times: Mapping[int, datetime] = yield from booked_at(client, rows, "incoming_moves")
        at = max(filter(None, (done.booked_at, times.get(id_))), default=None)
        done = Done(reference=done.reference or name_of(rows[0]), booked_at=at, already=row is not None)
    return done


class _Arrival(msgspec.Struct, frozen=True):
    """What came back is of this sale, and lies there."""

    order: Order
    sale: Row
    lines: Sequence[Row]
    place: Warehouse


def _order(command: OrderCommand) -> Order:
    if command.order is None or not command.order.id:
        raise MappingError(
            "It was to be sent without its order. Send the effect again with it.", field="order"
        )
    return command.order


def _draft(client: Client, options: Options, command: CreditRefund, order: Order, books: Books) -> Ask[int]:
    """A credit note as a draft, like the order's own invoice."""
    sales, _ = yield from sales_of(client, [order.id])
    sale = the_sale(sales, order.id)
    domain = [["sales", "in", [sale["id"]]], ["state", "in", list(_POSTED)], OUT]
    invoices = yield from client.search(INVOICE, domain, _LIKE, order=[["id", "ASC"]])
    if not invoices:
        raise MappingError(
            f"order: Tryton has no posted invoice of {order.id} that could be credited. Post it there, then retry.",
            field="order",
        )
    like = invoices[0]
    ids = [row["id"] for row in invoices]
    fields = ("origin", "account", "product")
    billed = yield from client.search(INVOICE_LINE, [["invoice", "in", ids], ["type", "=", "line"]], fields)
    entries = _entries(command.parts, order, books, options)
    entries += mapping.roundings(entries, order.currency, books, options)
    values = {
        "type": "out",
        "company": client.company,
        "reference": command.reference,
        "currency": books.currency(order.currency),
        "description": " ".join(filter(None, (order.connection, order.number)))[:200],
        "lines": [["create", [_line(entry, n, billed) for n, entry in enumerate(entries, 1)]]],
        **{name: like[name] for name in ("journal", "account", "party", "invoice_address")},
    }
    (made,) = yield from client.create(INVOICE, [values])
    if isinstance(made, ServerRefusedError):
        raise made
    return int(made)


def _line(entry: mapping.Entry, sequence: int, billed: Sequence[Row]) -> Row:
    """A line of the note: it names the line of an invoice that sold the same, and has its account."""
    same = next((row for row in billed if row["product"] == entry.product.id), None)
    values = mapping.line(entry, sequence)
    values["account"] = (same or billed[0])["account"]
    if same is not None:
        values["origin"] = f"{INVOICE_LINE},{same['id']}"
    return values


def _entries(
    parts: Iterable[CreditPart], order: Order, books: Books, options: Options
) -> list[mapping.Entry]:
    maker = mapping.Maker(order.currency, books, options)
    lines = {line.id: (n, line) for n, line in enumerate(order.lines)}
    made: list[mapping.Entry] = []
    for n, part in enumerate(parts):
        place, sold = lines.get(part.line, (0, None))
        code, field = _code(part, options), f"parts[{n}]"
        quantity = Decimal(1)
        if part.kind == "line" and sold is not None:
            code, field = sold.sku or code, f"lines[{place}].sku"
            quantity = abs(quantity_of(part.quantity, sold.quantity_scale)) or quantity
        taxes, tax = maker.taxes(_stated(part, order), -part.net, -part.tax, f"parts[{n}]")
        entry = maker.entry(
            part.line or f"{part.kind}:{n}",
            books.product(code, field),
            -quantity if part.net >= 0 else quantity,
            -part.net,
            tax=tax,
            taxes=taxes,
            text=(sold.title if sold is not None else "") or part.kind.replace("_", " "),
        )
        made.append(entry)
    if maker.others_tax:
        product = books.product(options.charge, "charge_product")
        text = "Tax that the channel remits"
        made.append(maker.entry("tax:marketplace", product, Decimal(-1), maker.others_tax, text=text))
    return made


def _code(part: CreditPart, options: Options) -> str:
    if part.kind in ("shipping", "return_shipping"):
        return options.shipping
    return options.rounding if part.kind == "rounding" else options.charge


def _stated(part: CreditPart, order: Order) -> tuple[TaxLine, ...]:
    """The taxes of a part, negative: as the refund tells them, else by the rates at which the same was sold."""
    taxes = part.taxes
    if not taxes and part.tax:
        taxes = _shared(part.tax, _sold_at(part, order))
    return tuple(msgspec.structs.replace(tax, amount=-tax.amount) for tax in taxes)


def _sold_at(part: CreditPart, order: Order) -> tuple[TaxLine, ...]:
    if part.kind == "line":
        return next((line.taxes for line in order.lines if line.id == part.line), ())
    if part.kind == "shipping":
        named = [charge for charge in order.shipping if charge.id == part.shipping] or order.shipping
        return named[0].taxes if named else ()
    return ()


def _shared(amount: int, taxes: Sequence[TaxLine]) -> tuple[TaxLine, ...]:
    """An amount among taxes, as their amounts are to each other; the shares add up to it."""
    whole, before, made = sum(tax.amount for tax in taxes), 0, []
    if not whole:
        return ()
    for tax in taxes:
        share = amount * (before + tax.amount) // whole - amount * before // whole
        before += tax.amount
        made.append(msgspec.structs.replace(tax, amount=share))
    return tuple(made)


def _level(client: Client, options: Options, books: Books, note: int, total: int) -> Ask[None]:
    """Put a rounding line into a draft whose total is not the refund's: Tryton may round by the line."""
    (row,) = yield from client.search(INVOICE, [["id", "=", note]], FIELDS)
    short = total - total_of(row)
    if not short:
        return
    (like, *_) = yield from client.search(
        INVOICE_LINE, [["invoice", "=", note], ["type", "=", "line"]], ("account",)
    )
    product = books.product(options.rounding, "rounding_product")
    line = {
        "type": "line",
        "product": product.id,
        "unit": product.unit,
        "quantity": 1.0,
        "unit_price": decimal(decimal_text(short, row["currency."]["code"])),
        "account": like["account"],
        "description": "Rounding",
    }
    yield from client.call(f"model.{INVOICE}.write", [note], {"lines": [["create", [line]]]})


def _shipment(
    client: Client, books: Books, arrival: _Arrival, came: Iterable[CameBack], reference: str
) -> Row | None:
    """A return as it is created; None where nothing of it moves."""
    order, sale, place = arrival.order, arrival.sale, arrival.place
    sold = {line.id: line for line in order.lines}
    billed = {row["note"]: row for row in arrival.lines}
    moves = []
    for n, one in enumerate(came):
        line, row = sold.get(one.line), billed.get(one.line)
        code = one.sku or (line.sku if line is not None else "")
        product = books.product(code, f"lines[{n}].sku")
        from_location = next(
            (r["to_location"] for r in (row, *arrival.lines) if r and r["to_location"]), None
        )
        if not product.moves or from_location is None:
            continue
        same = row is not None and row["product"] == product.id
        moves.append(
            {
                "company": client.company,
                "product": product.id,
                "unit": product.unit,
                "quantity": float(quantity_of(one.quantity, line.quantity_scale if line is not None else 0)),
                "from_location": from_location,
                "to_location": place.input,
                "unit_price": row["unit_price"] if row is not None and same else decimal("0"),
                "currency": sale["currency."]["id"],
            }
        )
    if not moves:
        return None
    return {
        "company": client.company,
        "reference": reference,
        "customer": sale["party"],
        "contact_address": sale["shipment_address"],
        "warehouse": place.id,
        "warehouse_input": place.input,
        "warehouse_storage": place.storage,
        "incoming_moves": [["create", moves]],
    }
