"""Sales: create, amend, cancel. A sale is known by our order id, its `reference`; what is half done is finished.

Sales are made with shipment and invoice "manual": the hub says what left and when, so nothing is shipped or invoiced
there by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crossdock.connectors.tryton import mapping
from crossdock.connectors.tryton.books import Books, Product, load
from crossdock.connectors.tryton.customers import bill, code_of, create_buyers, per_buyer
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, decimal
from crossdock.connectors.tryton.steps import (
    Outcomes,
    advance,
    created,
    held,
    known,
    name_of,
    told,
    total_of,
)
from crossdock.errors import CrossdockError, RetryableError
from crossdock.model.money import decimal_text
from crossdock.model.order import Order
from crossdock.sdk.calls import Done

SALE = "sale.sale"
FIELDS = (
    "reference",
    "number",
    "state",
    "total_amount",
    "untaxed_amount",
    "tax_amount",
    "currency.code",
    "party",
    "shipment_address",
    "shipment_state",
    "invoice_state",
    "to_invoice",
)
READY = ("processing", "done")
STEPS = (("draft", "quote"), ("quotation", "confirm"), ("confirmed", "process"))


class Job(msgspec.Struct, frozen=True):
    """One sale that is wanted: the key of its effect, the order, whether an earlier attempt may have made it."""

    key: str
    order: Order
    again: bool


def create(client: Client, options: Options, jobs: Sequence[Job]) -> Ask[Outcomes]:
    """Make sales and bring them into process, together; each that cannot be is refused by itself."""
    outcomes: Outcomes = {}
    asked = {job.key: job.order.id for job in jobs if job.again}
    rows = yield from held(client, SALE, asked.values(), FIELDS)
    ours = known(rows, asked, "sales", outcomes)
    fresh = [job for job in jobs if job.key not in ours and job.key not in outcomes]
    already = frozenset(ours)
    yield from _create(client, options, fresh, ours=ours, outcomes=outcomes)
    yield from _proceed(client, ours, already, outcomes)
    return outcomes


def _create(
    client: Client, options: Options, jobs: Sequence[Job], *, ours: dict[str, int], outcomes: Outcomes
) -> Ask[None]:
    """Create drafts and see that their totals are the orders'."""
    if not jobs:
        return
    orders = [job.order for job in jobs]
    books = yield from books_for(client, options, orders)
    plans: dict[str, mapping.SalePlan] = {}
    for job in jobs:
        try:
            plans[job.key] = yield from plan(client, options, job.order, books)
        except RetryableError:
            raise
        except CrossdockError as error:
            outcomes[job.key] = told(error)
    made = yield from client.create(SALE, [planned.values for planned in plans.values()])
    ours |= created(dict(zip(plans, made, strict=True)), outcomes)
    rounding = books.products.get(options.rounding, ())
    drafts = {ours[key]: planned for key, planned in plans.items() if key in ours}
    if drafts and len(rounding) == 1:
        yield from level(client, drafts, rounding[0])


def books_for(client: Client, options: Options, orders: Sequence[Order]) -> Ask[Books]:
    """What sales of these orders refer to; buyers are created."""
    codes = set().union(*(mapping.codes_of(order, options) for order in orders))
    parties = {code_of(order, options.customers) for order in orders}
    books = yield from load(client, codes, parties, [order.currency for order in orders])
    return (yield from create_buyers(client, [o for o in orders if per_buyer(o, options.customers)], books))


def plan(client: Client, options: Options, order: Order, books: Books) -> Ask[mapping.SalePlan]:
    """The sale of an order, as it is to be created."""
    billed = yield from bill(client, order, options.customers, books)
    planned = mapping.sale(order, books, options, company=client.company, billed=billed)
    if "sale_shipment_cost" in client.modules:
        planned.values["shipment_cost_method"] = None
    return planned


def level(client: Client, drafts: Mapping[int, mapping.SalePlan], rounding: Product) -> Ask[None]:
    """Put a rounding line into each draft whose total is not its order's: Tryton may round by the line."""
    rows = yield from client.search(SALE, [["id", "in", list(drafts)]], FIELDS)
    writes: list[object] = []
    for row in rows:
        short = drafts[row["id"]].total - total_of(row)
        if short:
            text = decimal_text(short, row["currency."]["code"])
            values = {
                "product": rounding.id,
                "unit": rounding.unit,
                "quantity": 1.0,
                "unit_price": decimal(text),
                "type": "line",
            }
            added = {
                **values,
                "note": f"{mapping.ROUNDING}:total",
                "description": "Rounding",
                "sequence": 10_000,
            }
            writes += [[row["id"]], {"lines": [["create", [added]]]}]
    if writes:
        yield from client.call(f"model.{SALE}.write", *writes)


def _proceed(
    client: Client, ours: Mapping[str, int], already: frozenset[str], outcomes: Outcomes
) -> Ask[None]:
    """Quote, confirm and process whatever is not yet there; then read what came of it."""
    keys = {id_: key for key, id_ in ours.items()}
    rows, refused = yield from advance(client, SALE, keys, STEPS, FIELDS)
    for id_, error in refused.items():
        outcomes[keys[id_]] = error.as_refused(f"Sale id {id_} of Tryton stays unfinished")
    for row in rows:
        if row["state"] in READY:
            key = keys[row["id"]]
            outcomes[key] = Done(reference=name_of(row), total=total_of(row), already=key in already)


def finish(client: Client, sale: int) -> Ask[None]:
    """Bring one sale into process, or raise what Tryton says against it."""
    _, refused = yield from advance(client, SALE, [sale], STEPS, FIELDS)
    if refused:
        raise refused[sale]
