"""Invoices: Tryton makes the draft from the sale, we keep what left of it, post it, and book what was captured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from crossdock.connectors.tryton.books import Product, load_products
from crossdock.connectors.tryton.deliveries import Part, sales_of, the_sale, wanted_of
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, ServerRefusedError, day, decimal
from crossdock.connectors.tryton.sales import SALE
from crossdock.connectors.tryton.steps import (
    Outcomes,
    advance,
    amount_of,
    held,
    known,
    name_of,
    told,
    total_of,
)
from crossdock.errors import CrossdockError, MappingError, RetryableError
from crossdock.model.currency import exponent
from crossdock.sdk.calls import Done

INVOICE, INVOICE_LINE = "account.invoice", "account.invoice.line"
OUT = ["type", "=", "out"]
STEPS = (("draft", "post"), ("validated", "post"))
FIELDS = (
    "number",
    "state",
    "reference",
    "total_amount",
    "untaxed_amount",
    "tax_amount",
    "currency.code",
    "amount_to_pay",
    "party",
    "sales",
)
_LINE = ("invoice", "origin", "quantity", "account")
_ROUNDING_MAX = 5
"""Minor units that taxes of parts, each rounded, may lack of the whole; more is not rounding."""


def invoice(client: Client, options: Options, parts: Sequence[Part]) -> Ask[Outcomes]:
    """Make invoices of shipments and post them, together; each that cannot be is refused by itself."""
    outcomes: Outcomes = {}
    asked = {part.key: part.reference for part in parts if part.again}
    rows = yield from held(client, INVOICE, asked.values(), FIELDS, OUT)
    ours = known(rows, asked, "invoices", outcomes)
    already = frozenset(ours)
    fresh = [part for part in parts if part.key not in ours and part.key not in outcomes]
    if fresh:
        ours |= yield from _draft(client, options, fresh, outcomes)
    keys = {id_: key for key, id_ in ours.items()}
    posted, refused = yield from post(client, keys)
    for id_, error in refused.items():
        outcomes[keys[id_]] = error.as_refused(f"Invoice id {id_} of Tryton stays a draft")
    orders = {part.key: part for part in parts}
    for row in posted:
        key = keys[row["id"]]
        if row["state"] not in ("posted", "paid"):
            continue
        outcomes[key] = Done(reference=name_of(row), total=total_of(row), already=key in already)
        if options.payment_method and row["state"] == "posted" and _paid(orders[key]):
            try:
                method = yield from payment_method(client, options.payment_method)
                yield from pay(client, row, method, day(orders[key].today))
            except RetryableError:
                raise
            except CrossdockError as error:
                outcomes[key] = told(error)
    return outcomes


def drafts_of(
    client: Client, sales: Sequence[Row]
) -> Ask[tuple[dict[int, Row], dict[int, ServerRefusedError]]]:
    """A draft of all that is not invoiced yet of each sale, by the sale's id, and the sales that refuse it.

    One that an earlier attempt left without our reference is taken up: Tryton makes no second one of the same quantities.
    """
    ids = {row["id"] for row in sales}
    domain = [["sales", "in", sorted(ids)], ["state", "=", "draft"], ["reference", "=", None]]
    found = yield from client.search(INVOICE, domain, FIELDS)
    have = {sale: row for row in found for sale in row["sales"]}
    missing = [row["id"] for row in sales if row["id"] not in have and row["to_invoice"]]
    refused = yield from client.each(f"model.{SALE}.manual_invoice", missing)
    if missing:
        found = yield from client.search(INVOICE, domain, FIELDS)
        have = {sale: row for row in found for sale in row["sales"]}
    return {sale: row for sale, row in have.items() if sale in ids}, refused


def cut(
    lines: Sequence[Row], notes: Mapping[int, str], wanted: Mapping[str, float], counted: frozenset[str]
) -> list[list[Any]]:
    """What is to be changed of a draft's lines so that of the `counted` notes only the wanted quantities stay.

    What is not counted (shipping, charges, rounding) stays: it is invoiced with the first part.
    """
    changes: list[list[Any]] = []
    have: dict[str, float] = {}
    gone = []
    for line in lines:
        note = notes.get(_origin(line), "")
        if note not in counted:
            continue
        have[note] = line["quantity"]
        quantity = wanted.get(note, 0.0)
        if not quantity:
            gone.append(line["id"])
        elif quantity != line["quantity"]:
            changes.append(["write", [line["id"]], {"quantity": quantity}])
    for note, quantity in wanted.items():
        if abs(quantity) > abs(have.get(note, 0.0)) + 1e-9:
            raise MappingError(
                f"shipment.lines: {quantity:g} of line {note} are to be invoiced, of which Tryton has {have.get(note, 0.0):g} "
                "left. Correct the sale or its invoices there.",
                field="shipment.lines",
            )
    if gone:
        changes.append(["delete", gone])
    return changes


def lines_of(client: Client, invoices: Sequence[int]) -> Ask[dict[int, list[Row]]]:
    """The lines of invoices, by the invoice's id."""
    rows = yield from client.search(
        INVOICE_LINE, [["invoice", "in", list(invoices)], ["type", "=", "line"]], _LINE
    )
    lines: dict[int, list[Row]] = {}
    for row in rows:
        lines.setdefault(row["invoice"], []).append(row)
    return lines


def post(client: Client, invoices: Mapping[int, str]) -> Ask[tuple[list[Row], dict[int, ServerRefusedError]]]:
    """Post invoices. That their taxes differ from those of the products is no mistake: the order's were charged."""
    names = [hashlib.md5(f"{INVOICE},{id_}".encode(), usedforsecurity=False).hexdigest() for id_ in invoices]
    warnings = [{"user": client.user_id, "name": f"{name}.invoice_taxes", "always": False} for name in names]
    open_ = (
        (yield from client.search(INVOICE, [["id", "in", list(invoices)], ["state", "=", "draft"]], ()))
        if invoices
        else []
    )
    if not open_:
        return (yield from advance(client, INVOICE, invoices, (), FIELDS))
    answered = yield from client.create("res.user.warning", warnings)
    result = yield from advance(client, INVOICE, invoices, STEPS, FIELDS)
    left = [id_ for id_ in answered if isinstance(id_, int)]
    rows = yield from client.search("res.user.warning", [["id", "in", left]], ())
    if rows:
        yield from client.call("model.res.user.warning.delete", [row["id"] for row in rows])
    return result


def payment_method(client: Client, name: str) -> Ask[int]:
    """The id of a payment method of Tryton's."""
    found = yield from client.search(f"{INVOICE}.payment.method", [["name", "=", name]], ())
    if len(found) != 1:
        raise MappingError(
            f"payment_method: Tryton has {len(found)} payment methods {name!r}: nothing can be paid by it. Name one that it has.",
            field="payment_method",
        )
    return int(found[0]["id"])


def pay(client: Client, row: Row, method: int, today: Row, amount: Decimal | None = None) -> Ask[None]:
    """Book the payment of all that is open of an invoice, or of an amount of it, by a payment method of Tryton's."""
    active = {"active_model": INVOICE, "active_id": row["id"], "active_ids": [row["id"]]}
    wizard = "wizard.account.invoice.pay"
    session, _, _ = yield from client.call(f"{wizard}.create", context=active)
    start = {
        "payee": row["party"],
        "amount": row["amount_to_pay"] if amount is None else decimal(str(amount)),
        "company": client.company,
        "currency": row["currency."]["id"],
        "payment_method": method,
        "date": today,
    }
    data: Row = {"start": start}
    if amount is not None:
        data["ask"] = {"type": "partial"}
    state = "choice" if amount is None else "pay"
    yield from client.call(f"{wizard}.execute", session, data, state, context=active)
    yield from client.call(f"{wizard}.delete", session)


def _draft(
    client: Client, options: Options, parts: Sequence[Part], outcomes: Outcomes
) -> Ask[dict[str, int]]:
    """Drafts of what left, under our references, by key. What has nothing to be invoiced is done without one."""
    sales, sale_lines = yield from sales_of(client, [part.order.id for part in parts])
    ours: dict[str, Row] = {}
    for part in parts:
        try:
            ours[part.key] = the_sale(sales, part.order.id)
        except CrossdockError as error:
            outcomes[part.key] = told(error)
    drafts, refused = yield from drafts_of(client, list(ours.values()))
    lines = (yield from lines_of(client, [row["id"] for row in drafts.values()])) if drafts else {}
    writes: list[Any] = []
    made: dict[str, int] = {}
    whole: dict[int, Row] = {}
    for part in parts:
        if part.key not in ours:
            continue
        sale = ours[part.key]
        if sale["id"] in refused:
            outcomes[part.key] = told(refused[sale["id"]])
            continue
        draft = drafts.get(sale["id"])
        notes = {line["id"]: line["note"] for line in sale_lines.get(sale["id"], ())}
        counted = frozenset(line.id for line in part.order.lines)
        held_lines = lines.get(draft["id"], ()) if draft is not None else ()
        try:
            changes = cut(held_lines, notes, wanted_of(part), counted)
        except CrossdockError as error:
            outcomes[part.key] = told(error)
            continue
        if draft is None:
            outcomes[part.key] = Done()
            continue
        writes += [[draft["id"]], {"reference": part.reference, **({"lines": changes} if changes else {})}]
        made[part.key] = draft["id"]
        if not changes:
            whole[draft["id"]] = sale
    if writes:
        yield from client.call(f"model.{INVOICE}.write", *writes)
    yield from _level(client, options, whole, lines)
    return made


def _level(
    client: Client, options: Options, whole: Mapping[int, Row], lines: Mapping[int, Sequence[Row]]
) -> Ask[None]:
    """Let the last invoice of each sale bear what the rounded parts lack of the sale: a line for net, a tax for tax."""
    if not whole:
        return
    sales = {row["id"]: invoice for invoice, row in whole.items()}
    rows = yield from client.search(INVOICE, [["sales", "in", list(sales)]], FIELDS)
    products = yield from load_products(client, [options.rounding])
    rounding = products.get(options.rounding, [])
    writes: list[Any] = []
    for sale_id, draft in sales.items():
        sale = whole[draft]
        parts = [row for row in rows if sale_id in row["sales"]]
        net, tax = (_short(sale, parts, name) for name in ("untaxed_amount", "tax_amount"))
        if max(abs(net), abs(tax)) > Decimal(_ROUNDING_MAX).scaleb(-exponent(sale["currency."]["code"])):
            continue
        values: Row = {}
        if net and len(rounding) == 1:
            account = lines[draft][0]["account"]
            values["lines"] = [["create", [_rounding_line(rounding[0], net, account)]]]
        if tax:
            known = yield from client.search(
                f"{INVOICE}.tax", [["invoice", "=", draft]], ("account", "tax", "base")
            )
            values |= _rounding_tax(known, tax)
        if values:
            writes += [[draft], values]
    if writes:
        yield from client.call(f"model.{INVOICE}.write", *writes)


def _short(sale: Row, parts: Sequence[Row], name: str) -> Decimal:
    """What the invoices of a sale lack of one of its amounts."""
    return amount_of(sale[name]) - sum((amount_of(row[name]) for row in parts), Decimal(0))


def _rounding_line(product: Product, amount: Decimal, account: int) -> Row:
    return {
        "type": "line",
        "product": product.id,
        "unit": product.unit,
        "quantity": 1.0,
        "unit_price": decimal(str(amount)),
        "account": account,
        "description": "Rounding of parts",
    }


def _rounding_tax(known: Sequence[Row], amount: Decimal) -> Row:
    """The cents on top of the tax with the largest base, entered by hand as its people would."""
    if not known:
        return {}
    largest = max(known, key=lambda row: abs(amount_of(row["base"])))
    added = {
        "manual": True,
        "description": "Rounding of parts",
        "account": largest["account"],
        "tax": largest["tax"],
        "base": decimal("0"),
        "amount": decimal(str(amount)),
    }
    return {"taxes": [["create", [added]]]}


def _origin(line: Row) -> int:
    model, _, id_ = (line["origin"] or "").partition(",")
    return int(id_) if model == "sale.line" else 0


def _paid(part: Part) -> bool:
    """Whether the buyer has paid the order in full."""
    order = part.order
    captured = sum(tender.amount for tender in order.tenders if tender.state == "captured")
    return order.buyer_total is not None and captured >= order.buyer_total > 0
