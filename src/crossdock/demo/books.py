"""Everybody's books at the end of the day: what each partner says of itself, and what the hub holds. Only reading.

Quantities are whole units by line of the order, money is cents. Orders are known by the shop's id throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.demo.days import DayCase, Posted, StoreBook, StoreBooks
from crossdock.demo.retailer import ERP, SHOP, WAREHOUSE, Retailer
from crossdock.demo.stores import STORES, WEIGHED, is_missed
from crossdock.demo.tryton import Auditor
from crossdock.domain.process import OrderProcess, decode_process
from crossdock.domain.state import Level
from crossdock.engine.messages import subject_id
from crossdock.stores.reads import Reads

CASES_MAX = 100_000
MAIN = "main"
"""The location that the warehouse works at."""

Quantities = dict[str, int]


class Sold(msgspec.Struct, kw_only=True):
    """An order as the shop has it. `fulfilled`: what it was told has left."""

    number: str
    total: int
    currency: str
    cancelled: bool = False
    acknowledged: bool = False
    fulfilled: Quantities = {}


class Sale(msgspec.Struct, kw_only=True):
    """A sale as the ERP has it; `reference` is the hub's id of the order, `channel_order` the shop's."""

    id: str
    reference: str
    channel_order: str
    currency: str
    total: int
    lines: Quantities = {}
    cancelled: Quantities = {}
    delivered: Quantities = {}
    invoiced: Quantities = {}


class Release(msgspec.Struct, kw_only=True):
    """A release as the warehouse has it; `order_id` is the hub's id of the order."""

    request_id: str
    order_id: str
    asked: Quantities = {}
    skus: dict[str, str] = {}
    open: Quantities = {}
    shipped: Quantities = {}
    cancelled: Quantities = {}
    shipments: int = 0


class Taken(msgspec.Struct, kw_only=True):
    """An order as the hub has it. `requests`: what it asked the warehouse for, by request; `cases`: open reasons."""

    id: str
    external_id: str
    commitment: str = ""
    ordered: Quantities = {}
    requests: dict[str, Quantities] = {}
    finished: bool = False
    cases: list[str] = []


class Case(msgspec.Struct, kw_only=True):
    """An open case: of which order or which store's day, why, in which words."""

    order: str
    reason: str
    text: str = ""
    store: str = ""
    about: str = ""


class Source(msgspec.Struct, kw_only=True):
    """What the hub counted of one source."""

    accepted: int = 0
    processed: int = 0
    parked: int = 0
    in_flight: int = 0
    unhandled: int = 0
    repeated: int = 0


class Books(msgspec.Struct, kw_only=True):
    """All of it. `opening`: the stock before the first order; `doubles`: references with more documents than one."""

    opening: Mapping[str, int] = {}
    sold: dict[str, Sold] = {}
    shown: Quantities = {}
    """What the shop offers of each SKU."""
    shop_events: int = 0
    shop_fulfilments: int = 0
    sales: list[Sale] = []
    erp_stock: Quantities = {}
    doubles: list[str] = []
    releases: list[Release] = []
    warehouse_stock: Quantities = {}
    warehouse_events: int = 0
    warehouse_doubles: int = 0
    taken: dict[str, Taken] = {}
    """The hub's orders by the hub's id."""
    levels: dict[str, Level] = {}
    cases: list[Case] = []
    sources: dict[str, Source] = {}
    stores: StoreBooks | None = None


def read_books(
    partners: Mapping[str, bytes], reads: Reads, retailer: Retailer, auditor: Auditor | None = None
) -> Books:
    """Read everybody's books. auditor: reads those of an ERP that is not simulated."""
    shop, warehouse = (msgspec.json.decode(partners[name]) for name in (SHOP, WAREHOUSE))
    books = Books(
        opening=retailer.opening,
        sold={id_: _sold(order) for id_, order in shop["orders"].items()},
        shown=shop["quantities"],
        shop_events=shop["counts"]["events"],
        shop_fulfilments=shop["counts"]["fulfillments"],
        releases=msgspec.convert(warehouse["documents"], list[Release]),
        warehouse_stock=warehouse["stock"],
        warehouse_events=warehouse["events"],
        warehouse_doubles=warehouse["doubles"],
    )
    if STORES in partners:
        books.stores = _read_stores(msgspec.json.decode(partners[STORES]), retailer)
    of_stores = _read_hub(books, reads)
    if auditor is not None:
        _audit(books, auditor, of_stores)
    else:
        _read_erp(books, msgspec.json.decode(partners[ERP]))
    return books


def _read_erp(books: Books, erp: Mapping[str, Any]) -> None:
    """The simulated ERP's books."""
    books.sales = msgspec.convert(erp["documents"], list[Sale])
    books.erp_stock, books.doubles = erp["stock"], sorted(erp["doubles"])
    if books.stores is not None:
        books.stores.days = msgspec.convert(erp["books"]["days"], list[Posted])
        books.stores.credits = msgspec.convert(erp["books"]["credits"], list[Posted])
        books.stores.erp_stock = erp["stock_at"]


def _audit(books: Books, auditor: Auditor, of_stores: Mapping[str, str]) -> None:
    """Tryton's books. It knows our ids alone: what the shop calls an order is the hub's word."""
    documents = auditor.documents()
    for document in documents:
        if document.reference.partition("-")[0] in of_stores:
            continue
        taken = books.taken.get(document.reference)
        books.sales.append(
            Sale(
                id=document.id,
                reference=document.reference,
                channel_order=taken.external_id if taken is not None else document.reference,
                currency=document.currency,
                total=document.total,
                lines=document.lines,
                cancelled=document.cancelled,
                delivered=document.delivered,
                invoiced=document.invoiced,
            )
        )
    references = [document.reference for document in documents]
    books.doubles = sorted({name for name in references if references.count(name) > 1})
    stock = auditor.stock()
    books.erp_stock = stock.pop("WH", {})
    if books.stores is not None:
        books.stores.days, books.stores.credits = auditor.posted(of_stores, documents)
        books.stores.erp_stock = stock


def _read_stores(tills: Mapping[str, Any], retailer: Retailer) -> StoreBooks:
    """What the tills have of the stores."""
    stores, options = retailer.stores, retailer.options
    if stores is None:
        return StoreBooks()
    return StoreBooks(
        silent=stores.silent if options.faults else "",
        cent_off=stores.cent_off if options.faults else "",
        is_missed=is_missed(options),
        opening=stores.opening,
        stores=msgspec.convert(tills["stores"], dict[str, StoreBook]),
        sold=tills["sold"],
        weighed=WEIGHED,
        repeated=tills["repeated"],
    )


def _read_hub(books: Books, reads: Reads) -> dict[str, str]:
    """The hub's books; returns which of its ids are days and tickets, of which store."""
    finished = {row["subject"]: bool(row["finished"]) for row in _orders(reads)}
    of_stores: dict[int, str] = {}
    named: dict[str, str] = {}
    for subject, value in reads.processes():
        process = decode_process(value)
        if process.connection == STORES:
            named[process.order] = of_stores[subject] = _store_of(process, books.stores)
            continue
        books.taken[process.order] = Taken(
            id=process.order,
            external_id=process.external_id,
            commitment=process.commitment,
            ordered={line.id: line.ordered for line in process.lines},
            requests={
                request.id: {item.line: item.quantity for item in request.items}
                for request in process.requests
                if request.warehouse
            },
            finished=finished.get(subject, False),
        )
    for row in reads.cases(after=0, state="all", limit=CASES_MAX):
        store, is_open = of_stores.get(row["subject"], ""), not row["closed_at"]
        if books.stores is not None and store:
            told = DayCase(store=store, reason=row["reason"], text=row["text"], open=is_open)
            books.stores.cases.append(told)
        if not is_open:
            continue
        case = Case(
            order=subject_id(row["subject"]),
            reason=row["reason"],
            text=row["text"],
            store=store,
            about=row["about"],
        )
        books.cases.append(case)
        if case.order in books.taken:
            books.taken[case.order].cases.append(case.reason)
    _read_levels(books, reads)
    for source, *counts in reads.rows("source_balance"):
        accepted, processed, unhandled, repeated, parked, in_flight = counts
        books.sources[source] = Source(
            accepted=accepted,
            processed=processed,
            unhandled=unhandled,
            repeated=repeated,
            parked=parked,
            in_flight=in_flight,
        )
    return named


def _store_of(process: OrderProcess, books: StoreBooks | None) -> str:
    """The store of a day or a ticket; a ticket is counted."""
    store = process.day.store if process.day is not None else process.ticket.partition("/")[0]
    if books is not None and process.day is None and process.ticket:
        books.held[store] = books.held.get(store, 0) + 1
    return store


def _read_levels(books: Books, reads: Reads) -> None:
    skus = set(books.opening)
    if books.stores is not None:
        skus.update(*(opening for opening in books.stores.opening.values()))
    for (sku, location), level in reads.levels(sorted(skus)).items():
        if location == MAIN:
            books.levels[sku] = level
        elif books.stores is not None:
            books.stores.levels.setdefault(location, {})[sku] = level.on_hand


def _orders(reads: Reads) -> Iterable[dict[str, Any]]:
    before = 1 << 62
    while page := reads.orders(before=before, limit=1000):
        yield from page
        before = page[-1]["subject"]


def _sold(order: Mapping[str, Any]) -> Sold:
    return Sold(
        number=order["number"],
        total=int(Decimal(order["total"]) * 100),
        currency=order["currency"],
        cancelled=order["cancelled"],
        acknowledged=order["acknowledged"],
        fulfilled=order["fulfilled"],
    )


def add(*many: Mapping[str, int]) -> Quantities:
    """The sum of quantities, line by line; lines of nothing are left out."""
    sums: Quantities = {}
    for quantities in many:
        for line, quantity in quantities.items():
            sums[line] = sums.get(line, 0) + quantity
    return {line: quantity for line, quantity in sums.items() if quantity}
