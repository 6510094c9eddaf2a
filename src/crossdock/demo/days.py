"""Do the books of the stores, the ERP and the hub agree? Tickets, days, the cent, the late upload, stock in every store.

Pure. Money is cents. A store's own sum is net of what it took back; in the ERP that is its days and its credits.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from crossdock.demo.findings import Finding, finding, money, n


class StoreBook(msgspec.Struct, kw_only=True):
    """A store as its tills have it. `back`: what it took back (negative), in `total`; `late`: tickets of its uploads."""

    day: str = ""
    zone: str = ""
    tickets: int = 0
    total: int = 0
    back: int = 0
    stated: int = 0
    closed: bool = False
    late: int = 0


class Posted(msgspec.Struct, kw_only=True):
    """A store's day, a supplement of one, or a credit, as the ERP has it."""

    id: str
    store: str
    total: int
    tickets: int = 0
    credited: int = 0
    supplements: str = ""


class DayCase(msgspec.Struct, kw_only=True):
    """A case of a store's day."""

    store: str
    reason: str
    text: str = ""
    open: bool = True


class StoreBooks(msgspec.Struct, kw_only=True):
    """Everything of the stores. `held`: tickets that the hub has, by store; `levels`: what it has on hand there.

    Quantities are pieces; of what is `weighed` they have the decimals that it names.
    """

    silent: str = ""
    cent_off: str = ""
    is_missed: bool = False
    opening: dict[str, dict[str, int]] = {}
    stores: dict[str, StoreBook] = {}
    sold: dict[str, int] = {}
    weighed: dict[str, int] = {}
    repeated: int = 0
    days: list[Posted] = []
    credits: list[Posted] = []
    erp_stock: dict[str, dict[str, int]] = {}
    held: dict[str, int] = {}
    levels: dict[str, dict[str, int]] = {}
    cases: list[DayCase] = []

    def differences(self) -> list[DayCase]:
        """Open cases of a Z report that differs from the tickets."""
        return [case for case in self.cases if case.open and case.reason == DIFFERENCE]

    def posted(self, store: str) -> int:
        """What the ERP has of a store."""
        return sum(posted.total for posted in (*self.days, *self.credits) if posted.store == store)


DIFFERENCE, SILENT = "store_day.difference", "store.silent"


def compare_stores(books: StoreBooks | None) -> list[Finding]:
    """Answer every question; none where there are no stores."""
    if books is None:
        return []
    asked: tuple[Callable[[StoreBooks], Finding], ...] = (
        tickets_kept,
        days_posted,
        cent_found,
        silence_noticed,
        stock_in_stores,
    )
    return [question(books) for question in asked]


def tickets_kept(books: StoreBooks) -> Finding:
    """Every ticket of every till stands once in the hub, and once in a document of its day."""
    in_days: dict[str, int] = {}
    for day in books.days:
        in_days[day.store] = in_days.get(day.store, 0) + day.tickets
    wrong = []
    for code, store in books.stores.items():
        if books.held.get(code, 0) != store.tickets:
            wrong.append(f"{code}: {store.tickets} tickets made, {books.held.get(code, 0)} held by the hub")
        elif code == books.cent_off or (code not in in_days and not store.total - store.back):
            continue  # it waits for a person, or has sold nothing: then there is nothing to book
        elif in_days.get(code, 0) != store.tickets:
            wrong.append(
                f"{code}: {store.tickets} tickets made, {in_days.get(code, 0)} in its day in the ERP"
            )
    made = sum(store.tickets for store in books.stores.values())
    text = f"{n(made)} tickets of {n(len(books.stores))} stores, {n(books.repeated)} of them posted twice"
    return finding("every ticket once in the hub", text, wrong)


def days_posted(books: StoreBooks) -> Finding:
    """Each store's day in the ERP comes to what its tills took, to the cent; only the day that differs waits."""
    wrong, ours, theirs, waits = [], 0, 0, 0
    for code, store in books.stores.items():
        posted = books.posted(code)
        if code == books.cent_off:
            waits = store.total - store.back
            if posted != store.back:
                wrong.append(
                    f"{code} differs from its Z report, and {money(posted - store.back)} EUR are posted"
                )
            continue
        ours, theirs = ours + store.total, theirs + posted
        if posted != store.total:
            wrong.append(f"{code}: its tills took {money(store.total)} EUR, the ERP has {money(posted)} EUR")
        if not store.closed:
            wrong.append(f"{code} has not closed")
    zones = len({store.zone for store in books.stores.values()})
    text = f"{n(len(books.days))} days of {zones} time zones: {money(ours)} EUR taken, {money(theirs)} EUR booked"
    supplements = sum(bool(day.supplements) for day in books.days)
    if supplements:
        text += f", {n(supplements)} of them supplements"
    if books.cent_off:
        text += f"; {money(waits)} EUR of {books.cent_off} wait for a person"
    return finding("each store's day in the ERP", text, wrong)


def cent_found(books: StoreBooks) -> Finding:
    """The one Z report that is a cent off is a case that names store, till, tender and the cent; no other differs."""
    found = books.differences()
    wrong = [f"{case.store} differs: {case.text}" for case in found if case.store != books.cent_off]
    if not books.cent_off:
        return finding("Z reports equal the tickets", f"{n(len(books.stores))} of them", wrong)
    mine = [case for case in found if case.store == books.cent_off]
    off = books.stores[books.cent_off].stated - books.stores[books.cent_off].total
    if len(mine) != 1 or "till " not in mine[0].text or "0.01 EUR" not in mine[0].text or off != 1:
        listed = "; ".join(case.text for case in mine) or "no case"
        wrong.append(f"{books.cent_off} is {off} cent off in one tender, and there is: {listed}")
    text = mine[0].text.partition(". ")[0] if mine else ""
    return finding("the cent is found", text, wrong)


def silence_noticed(books: StoreBooks) -> Finding:
    """The store that fell silent was somebody's case meanwhile, and what it uploaded late counts like the rest."""
    if not books.silent:
        return finding("no store was silent", f"{n(len(books.stores))} stores", [])
    late = books.stores[books.silent].late
    told = [case for case in books.cases if case.reason == SILENT]
    wrong = [f"{case.store} is still called silent" for case in told if case.open]
    missed = any(case.store == books.silent for case in told)
    if books.is_missed and not missed:
        wrong.append(f"{books.silent} was silent, and nobody was told")
    if not late:
        wrong.append(f"{books.silent} uploaded nothing")
    said = "the hub had told it was silent" if missed else "too short a silence to be told"
    return finding("the late store", f"{books.silent} uploaded {n(late)} tickets late; {said}", wrong)


def stock_in_stores(books: StoreBooks) -> Finding:
    """On hand = opening stock - what the tills sold, in every store, for the hub; and for the ERP, but the day that waits."""
    wrong = []
    opened: dict[str, int] = {}
    hand: dict[str, int] = {}
    for code, opening in books.opening.items():
        for sku, quantity in opening.items():
            ours = books.levels.get(code, {}).get(sku, 0)
            theirs = books.erp_stock.get(code, {}).get(sku, 0)
            opened[sku], hand[sku] = opened.get(sku, 0) + quantity, hand.get(sku, 0) + ours
            if ours != theirs and code != books.cent_off:
                wrong.append(f"{sku} in {code}: {ours} on hand in the hub, {theirs} in the ERP")
    for sku, quantity in opened.items():
        if quantity - books.sold.get(sku, 0) != hand[sku]:
            wrong.append(f"{sku}: {quantity} - {books.sold.get(sku, 0)} sold is not {hand[sku]} on hand")
    pieces = [sku for sku in opened if sku not in books.weighed]
    counts = [sum(held.get(sku, 0) for sku in pieces) for held in (opened, books.sold, hand)]
    text = "{} units - {} sold = {} on hand".format(*map(n, counts))
    for sku, scale in books.weighed.items():
        kilograms = [
            f"{Decimal(held.get(sku, 0)).scaleb(-scale):,} kg" for held in (opened, books.sold, hand)
        ]
        text += "; {}: {} - {} = {}".format(sku, *kilograms)
    return finding("stock of the stores", f"{text}; the ERP the same", wrong)
