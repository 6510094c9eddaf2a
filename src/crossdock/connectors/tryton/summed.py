"""Tills: a store's day as one sale and one posted invoice, and a credit note for each ticket that took goods back.

Invoices there are numbered in the order of their dates, so a day that is posted late is dated today and booked on its
own day (`accounting_date`); where that period is closed, on the next of the dates that we were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import msgspec

from crossdock.connectors.tryton import invoices, mapping, posted, sales
from crossdock.connectors.tryton.books import Books, Product, load
from crossdock.connectors.tryton.customers import BilledTo
from crossdock.connectors.tryton.deliveries import SHIPMENT, STEPS, booked_at, carry_out
from crossdock.connectors.tryton.given_back import RETURN, RETURN_STEPS
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, ServerRefusedError, date_of, day, decimal
from crossdock.connectors.tryton.sales import SALE
from crossdock.connectors.tryton.steps import advance, amount_of, held, name_of, only, quantity_of, total_of
from crossdock.errors import ConflictError, MappingError
from crossdock.model.commands import CreateCredit, DayLine, PostDay
from crossdock.model.currency import exponent
from crossdock.model.order import Order
from crossdock.sdk.calls import Done, Intent, Refused

_STATE = ("state", "number")
_RATELESS = (
    "Let the tills tell `taxes[].rate`, or write the store's `tax_rates` into its [locations]; then drop the posting and release "
    "the day's hold 'given_up', which posts it anew."
)


def post_day(client: Client, options: Options, command: PostDay, intent: Intent) -> Ask[Done | Refused]:
    """Book a store's day: what it sold as an invoice, what left it as a shipment of its own.

    All of it is planned before the first document is made, and the goods leave last: what Tryton refuses moves nothing.
    """
    kinds = {code for one in command.lines for code in (one.kind, one.category) if code}
    goods = {one.sku for one in command.goods}
    codes = {*kinds, *goods, options.charge, options.rounding}
    books = yield from load(client, codes, [command.store, command.connection], [command.currency])
    billed = _store(books, command.store, command.connection)
    sale = yield from _one(client, SALE, command.reference, sales.FIELDS, "sales")
    shipment = yield from _one(client, SHIPMENT, command.reference, _STATE, "shipments")
    planned = _day_sale(client, options, command, books, billed) if command.lines and _open(sale) else None
    leaving = _leaving(client, options, command, books, billed) if shipment is None else None
    method = yield from _method(client, options)
    done: Done | Refused = Done()
    made = (yield from _made(client, options, sale, planned, books)) if command.lines else 0
    if leaving is not None:
        (id_,) = yield from client.create(SHIPMENT, [leaving])
        if isinstance(id_, ServerRefusedError):
            raise id_
        shipment = {"id": id_}
    if made:
        done = yield from _invoiced(client, made, command.reference, command.posting_dates, intent)
        if isinstance(done, Done):
            done = yield from _dated(client, command, done)
        if method and isinstance(done, Done):
            yield from _pay(client, method, command.reference, command.total - command.owed, intent)
    if shipment is None or not isinstance(done, Done):
        return done
    return msgspec.structs.replace(done, booked_at=(yield from _leave(client, shipment["id"])))


def create_credit(
    client: Client, options: Options, command: CreateCredit, intent: Intent
) -> Ask[Done | Refused]:
    """Credit what a ticket took back; goods are received where the store is a warehouse there."""
    order = _returned(command)
    books = yield from load(
        client, mapping.codes_of(order, options), [command.store, order.connection], [order.currency]
    )
    billed = _store(books, command.store, order.connection)
    sale = yield from _one(client, SALE, order.id, sales.FIELDS, "sales")
    planned: mapping.SalePlan | None = None
    if _open(sale):
        places = _place(books, options, command.store)
        order = order if places else _moneyed(order)
        planned = mapping.sale(order, books, options, company=client.company, billed=billed)
        planned.values["warehouse"] = books.warehouse(places, options, "store").id
    method = yield from _method(client, options)
    made = yield from _made(client, options, sale, planned, books)
    done = yield from _invoiced(client, made, order.id, command.posting_dates, intent)
    if not isinstance(done, Done):
        return done
    if method:
        yield from _pay(client, method, order.id, -command.repaid, intent)
    return msgspec.structs.replace(done, booked_at=(yield from _receive(client, made)))


def _returned(command: CreateCredit) -> Order:
    """The order of a ticket with nothing in it but what came back."""
    order = command.order
    if order is None or not order.id:
        raise MappingError(
            "A credit was to be sent without its ticket. Send the effect again with it.", field="order"
        )
    wanted = frozenset(command.lines)
    return msgspec.structs.replace(
        order,
        lines=tuple(line for line in order.lines if line.id in wanted),
        shipping=(),
        charges=order.charges if command.charges else (),
        buyer_total=command.total,
    )


def _moneyed(order: Order) -> Order:
    """The same with nothing that moves: the goods are where Tryton keeps no stock."""
    lines = (
        msgspec.structs.replace(line, sku="", title=f"{line.sku} {line.title}".strip())
        for line in order.lines
    )
    return msgspec.structs.replace(order, lines=tuple(lines))


def _store(books: Books, store: str, connection: str) -> BilledTo:
    """The account of a store, else that of the connection that its tills came by."""
    customer = books.customer(store if store in books.customers else connection)
    return BilledTo(customer.id, customer.location, customer.addresses[0], customer.addresses[0])


def _place(books: Books, options: Options, store: str) -> list[str]:
    return [store] if options.warehouses.get(store, store) in books.warehouses else []


def _entry(maker: mapping.Maker, books: Books, options: Options, one: DayLine, n: int) -> mapping.Entry:
    """What was sold of one kind and category: as the service of that code, else as the one for charges."""
    field = f"lines[{n}]"
    usual = options.rounding if one.kind == "rounding" else options.charge
    product: Product | None = None
    for code in (one.category, one.kind):
        found = books.products.get(code, ())
        if len(found) == 1 and not found[0].moves:
            product = found[0]
            break
    product = product or books.product(usual, field)
    taxes, tax = maker.taxes(one.taxes, one.net, one.tax, field)
    text = " ".join(filter(None, (one.kind, one.category)))
    quantity = quantity_of(1, 0)
    return maker.entry(
        f"day:{n}", product, quantity, one.net, tax=tax, taxes=taxes, text=text, parts=max(one.lines, 1)
    )


def _comment(command: PostDay) -> str:
    """What of the day is no sale, for who books it by hand."""
    said = [f"{tender.kind} {tender.amount}" for tender in command.tenders]
    extra = {"credited": command.credited, "over/short": command.over_short, "paid in": command.paid_in}
    extra["paid out"] = command.paid_out
    said += [f"{name} {amount}" for name, amount in extra.items() if amount]
    before = (
        f"Supplement {command.supplement} to {command.document or command.supplements}. "
        if command.supplement
        else ""
    )
    return f"{before}In minor units of {command.currency}: {', '.join(said)}." if said else before


def _one(client: Client, model: str, reference: str, fields: Sequence[str], what: str) -> Ask[Row | None]:
    """The one document of a reference, asked for at a first attempt too: it is one question for a whole day."""
    rows = yield from held(client, model, [reference], fields)
    return only(rows.get(reference, ()), reference, what)


def _open(sale: Row | None) -> bool:
    """Whether a sale is still to be made, or to be brought to its total."""
    return sale is None or sale["state"] == "draft"


def _day_sale(
    client: Client, options: Options, command: PostDay, books: Books, billed: BilledTo
) -> mapping.SalePlan:
    """The sale of a day, as it is to be created."""
    maker = mapping.Maker(command.currency, books, options, rateless=_RATELESS)
    entries = [_entry(maker, books, options, one, n) for n, one in enumerate(command.lines)]
    entries += mapping.roundings(entries, command.currency, books, options)
    values = mapping.sale_values(entries, billed, reference=command.reference, company=client.company)
    values |= {
        "currency": books.currency(command.currency),
        "warehouse": books.warehouse(_place(books, options, command.store), options, "store").id,
        "sale_date": day(command.business_date.isoformat()),
        "description": f"{command.store} {command.business_date} ({command.tickets} tickets)",
        "comment": _comment(command),
    }
    return mapping.SalePlan(values=values, total=command.total, tax=sum(one.tax for one in command.lines))


def _made(
    client: Client, options: Options, sale: Row | None, planned: mapping.SalePlan | None, books: Books
) -> Ask[int]:
    """Create a sale where it is not there, see that its total is right, and bring it into process. Returns its id."""
    id_ = sale["id"] if sale is not None else 0
    if planned is not None:
        rounding = books.product(options.rounding, "rounding_product")
        if not id_:
            if "sale_shipment_cost" in client.modules:
                planned.values["shipment_cost_method"] = None
            (made,) = yield from client.create(SALE, [planned.values])
            if isinstance(made, ServerRefusedError):
                raise made
            id_ = made
        yield from sales.level(client, {id_: planned}, rounding)
    yield from sales.finish(client, id_)
    return int(id_)


def _leaving(
    client: Client, options: Options, command: PostDay, books: Books, billed: BilledTo
) -> Row | None:
    """The shipment of what left the store over the day; None where the store is no warehouse there: its stock is not kept."""
    places = _place(books, options, command.store)
    if not places:
        return None
    place = books.warehouse(places, options, "store")
    moves = []
    for n, one in enumerate(command.goods):
        product = books.product(one.sku, f"goods[{n}].sku")
        quantity = round(quantity_of(one.quantity, one.quantity_scale), product.digits)
        if not product.moves or not quantity:
            continue
        moves.append(
            {
                "company": client.company,
                "product": product.id,
                "unit": product.unit,
                "quantity": float(quantity),
                "from_location": place.output,
                "to_location": billed.location,
                "unit_price": decimal("0"),
                "currency": books.currency(command.currency),
            }
        )
    if not moves:
        return None
    return {
        "company": client.company,
        "reference": command.reference,
        "customer": billed.party,
        "delivery_address": billed.shipment,
        "warehouse": place.id,
        "warehouse_output": place.output,
        "warehouse_storage": place.storage,
        "outgoing_moves": [["create", moves]],
    }


def _leave(client: Client, shipment: int) -> Ask[datetime | None]:
    """Have the goods of a day leave. Returns when they did, by Tryton's clock."""
    done = yield from carry_out(client, SHIPMENT, shipment, STEPS, (*_STATE, "outgoing_moves"))
    times = yield from booked_at(client, done, "outgoing_moves")
    return times.get(shipment)


def _receive(client: Client, sale: int) -> Ask[datetime | None]:
    """Receive what a sale of negative quantities takes back."""
    (row,) = yield from client.search(SALE, [["id", "=", sale]], ("to_ship", "shipment_returns"))
    if row["to_ship"]:
        yield from client.call(f"model.{SALE}.manual_shipment", [sale])
        (row,) = yield from client.search(SALE, [["id", "=", sale]], ("shipment_returns",))
    fields = (*_STATE, "incoming_moves")
    done, refused = yield from advance(client, RETURN, row["shipment_returns"], RETURN_STEPS, fields)
    for error in refused.values():
        raise error
    times = yield from booked_at(client, done, "incoming_moves")
    return max(times.values(), default=None)


def _invoiced(
    client: Client, sale: int, reference: str, dates: Sequence[date], intent: Intent
) -> Ask[Done | Refused]:
    """Invoice a sale in full, posted on the first of the dates that Tryton takes."""
    found = yield from held(client, invoices.INVOICE, [reference], invoices.FIELDS, invoices.OUT)
    row = only(found.get(reference, ()), reference, "invoices")
    if row is not None and sale not in row["sales"]:
        raise ConflictError(
            f"Invoice {name_of(row)} of Tryton bears {reference} and is of another sale than that of {reference}. Correct "
            "its reference there, then retry."
        )
    already = row is not None and row["state"] in ("posted", "paid")
    if row is None:
        rows = yield from client.search(SALE, [["id", "=", sale]], sales.FIELDS)
        drafts, refused = yield from invoices.drafts_of(client, rows)
        for no in refused.values():
            raise no
        row = next(iter(drafts.values()), None)
        if row is None:
            return Refused(
                reason=f"Tryton makes no invoice of {reference}. Look at its sale there.", code="nothing"
            )
    error: ServerRefusedError | None = None
    for at in dates if not already else ():
        values = {"reference": reference, "accounting_date": day(at.isoformat())}
        yield from client.call(f"model.{invoices.INVOICE}.write", [row["id"]], values)
        _, closed = yield from invoices.post(client, {row["id"]: intent.key})
        error = closed.get(row["id"])
        if error is None:
            break
    if error is not None:
        raise error
    (row,) = yield from client.search(invoices.INVOICE, [["id", "=", row["id"]]], invoices.FIELDS)
    return Done(reference=name_of(row), total=total_of(row), already=already)


def _dated(client: Client, command: PostDay, done: Done) -> Ask[Done]:
    """Say with the outcome to which date the day was booked: its own, or the first after it that was open."""
    if not command.day:
        return done
    fields = ("accounting_date", "invoice_date")
    found = yield from held(client, invoices.INVOICE, [command.reference], fields, invoices.OUT)
    row = only(found.get(command.reference, ()), command.reference, "invoices")
    booked = (row["accounting_date"] or row["invoice_date"]) if row is not None else None
    if not booked:
        return done
    said = posted.told(command.day, done.reference, date_of(booked), done.total)
    return msgspec.structs.replace(done, messages=(said,))


def _method(client: Client, options: Options) -> Ask[int]:
    """The payment method, looked for before there is anything to pay; 0 where none is set."""
    return (
        (yield from invoices.payment_method(client, options.payment_method)) if options.payment_method else 0
    )


def _pay(client: Client, method: int, reference: str, paid: int, intent: Intent) -> Ask[None]:
    """Book what was paid at the tills of a posted invoice or credit note, less what is booked of it already.

    paid: in minor units, negative of a credit note. What Tryton has of it tells how much is still to be booked.
    """
    found = yield from held(client, invoices.INVOICE, [reference], invoices.FIELDS, invoices.OUT)
    row = only(found.get(reference, ()), reference, "invoices")
    if row is None or row["state"] != "posted":
        return
    left = amount_of(row["amount_to_pay"])
    booked = amount_of(row["total_amount"]) - left
    due = Decimal(paid).scaleb(-exponent(row["currency."]["code"])) - booked
    due = max(Decimal(0), min(due, left)) if left > 0 else min(Decimal(0), max(due, left))
    if due:
        today = day(intent.now[:10])
        yield from invoices.pay(client, row, method, today, None if due == left else due)
