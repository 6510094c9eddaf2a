"""A shop's orders and two stores' days, all of it twice and out of order, and what an auditor finds in the running Tryton."""

import random
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from crossdock.domain.policy import Place
from crossdock.simulator.base import SECOND, Event
from crossdock.simulator.till import TillSimulator
from tests.tryton.hub import TILLS, Hub
from tests.tryton.test_spine import SKUS, audited

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STORES = {"store-7": "Europe/Berlin", "store-8": "America/New_York"}
"""The first is a warehouse of Tryton's, and of the second it keeps no stock."""
ORDERS, TICKETS, DAY_US = 3, 16, 86_400 * SECOND
SOON_S = 600
HABITS = {
    "discount_rate": 0.5,
    "deposit_rate": 0.5,
    "gift_card_sold_rate": 0.5,
    "gift_card_paid_rate": 0.3,
    "split_rate": 0.6,
    "tip_rate": 0.7,
    "rounding_rate": 0.6,
    "cash_moved_rate": 0.2,
    "over_short_rate": 1.0,
    "weighed_rate": 0.5,
}
"""What else the tills do."""
SOLD = (*SKUS, "CHEESE")
Units = dict[str, Decimal]
"""Quantities by SKU: pieces, and kilograms of what is weighed."""


@pytest.mark.fault(31)
def test_a_shop_and_two_stores_are_in_the_books_once_to_the_cent(fresh, tmp_path):
    open_account(fresh, "store-8")
    stores = tuple(Place(id=code, zone=zone, stocked=code == "store-7") for code, zone in STORES.items())
    hub = Hub(
        tmp_path,
        fresh,
        skus=SKUS,
        orders=ORDERS,
        loses=9,
        stores=stores,
        warehouses="main=WH; store-7=madrid",
        cancel_rate=0.25,
        unpaid_rate=0.3,
    )
    try:
        hub.read_stock()
        opening = {at: fresh.read.levels(at) for at in ("WH", "madrid")}
        days = yesterday(hub)
        arrivals = [*(("shop", event) for event in hub.sold()), *(("pos", event) for event in days)] * 2
        dice = random.Random(7)
        dice.shuffle(arrivals)
        for source, event in arrivals:
            hub.post(source, event)
            if dice.random() < 0.2:
                hub.run(SOON_S)
        hub.run(SOON_S)
        assert hub.ask("select operation, subject, state, attempt, due_at from outbox") == [], hub.ask(
            "select reason, about, text from case_file where closed_at = 0"
        )
        told = Told(days)
        assert all(told.returns.values()), "both stores take something back"
        left: dict[str, Units] = {"WH": {}, "madrid": dict(told.left["store-7"])}
        for sku, quantity in orders_audited(hub, fresh).items():
            add(left["WH"], sku, Decimal(quantity))
        for sku, units in told.back["store-7"].items():
            add(left["madrid"], sku, -units)
        for at, before in opening.items():
            now = fresh.read.levels(at)
            gone = {sku: exact(before[sku] - now[sku]) for sku in SOLD}
            assert gone == {sku: left[at].get(sku, 0) for sku in SOLD}, at
        for store in STORES:
            store_audited(fresh, told, store)
        credits = sum(len(totals) for totals in told.returns.values())
        sales = fresh.read.rows("sale.sale", [], "reference")
        assert len(sales) == len({sale["reference"] for sale in sales}) == ORDERS + len(STORES) + credits
        asked = hub.ask("select reason, about, text from case_file where closed_at = 0")
        assert [case for case in asked if case[1].startswith("erp/") or "total" in case[0]] == []
        assert [case for case in asked if case[0].startswith("store_day")] == []
    finally:
        hub.close()


def open_account(erp: Any, code: str) -> None:
    """A customer whom the second store's days are booked to."""
    erp.read.call(
        "model.party.party.create",
        [{"name": f"Customers of {code}", "code": code, "addresses": [["create", [{"city": "Lisbon"}]]]}],
    )


def yesterday(hub: Hub) -> list[Event]:
    """All that the stores' tills post of a day that is over: store-7 is offline in the middle of it."""
    start = hub.now // DAY_US * DAY_US - DAY_US + 13 * 3600 * SECOND
    tills = TillSimulator(
        {
            **TILLS,
            "stores": STORES,
            "skus": {sku: 1990 + 7 * n for n, sku in enumerate(SKUS)},
            "tickets_per_s": 1,
            "tickets_max": TICKETS,
            "return_rate": 0.3,
            "void_rate": 0.1,
            "silent": {"store-7": [4, 10]},
            "close_after_s": TICKETS + 5,
            "start": start,
            **HABITS,
        },
        6,
    )
    events = []
    while (due := tills.next_due()) is not None and len(events) < 10 * TICKETS:
        events += tills.due_events(max(due, start))
    kinds = Counter(headers["x-crossdock-event"] for headers, _ in events)
    assert (kinds["tickets"], kinds["day.closed"]) == (1, 2)
    return events


class Told:
    """What the stores have said, added up here, from the bytes that they posted."""

    def __init__(self, events: list[Event]) -> None:
        tickets: list[dict[str, Any]] = []
        self.closes: dict[str, dict[str, Any]] = {}
        for headers, raw in events:
            body = msgspec.json.decode(raw)
            if headers["x-crossdock-event"] == "day.closed":
                self.closes[body["store"]] = body
            else:
                tickets += body.get("tickets", [body])
        assert len(tickets) == TICKETS
        self.tickets = Counter(ticket["store"] for ticket in tickets)
        lines = [line for ticket in tickets for line in ticket["lines"]]
        counted = [
            tender
            for body in self.closes.values()
            for till in body["tills"]
            for tender in till["tenders"]
            if "counted" in tender
        ]
        assert {"void", "paid_in", "paid_out"} < {ticket["kind"] for ticket in tickets}
        assert {"deposit", "gift_card"} < {line.get("kind", "goods") for line in lines}
        assert any(line.get("discount") for line in lines)
        assert any(len(ticket["tenders"]) > 1 for ticket in tickets)
        assert any(part["kind"] == "gift_card" for ticket in tickets for part in ticket["tenders"])
        assert any("tip" in ticket for ticket in tickets)
        assert any("rounding" in ticket for ticket in tickets)
        assert any(line.get("unit") == "kg" for line in lines)
        assert counted, "somebody has counted cash, and it is over or short"
        self.sold = {store: [0, 0] for store in STORES}
        self.returns: dict[str, list[tuple[Decimal, Decimal]]] = {store: [] for store in STORES}
        self.left: dict[str, Units] = {store: {} for store in STORES}
        self.back: dict[str, Units] = {store: {} for store in STORES}
        for ticket in tickets:
            store, credit = ticket["store"], [0, 0]
            for line in ticket["lines"]:
                came_back = line["quantity"] < 0
                into = credit if came_back else self.sold[store]
                into[0] += line["gross"]
                into[1] += line["tax"]
                if sku := line.get("sku"):
                    units = Decimal(abs(line["quantity"])).scaleb(-line.get("quantity_scale", 0))
                    add((self.back if came_back else self.left)[store], sku, units)
            self.sold[store][0] += ticket.get("tip", 0) + ticket.get("rounding", 0)
            if any(credit):
                self.returns[store].append((euros(credit[0]), euros(credit[1])))


def orders_audited(hub: Hub, erp: Any) -> Counter[str]:
    """Hold the shop's orders against the books; returns what of them left."""
    subjects = dict(
        hub.ask("select ref, subject from reference where connection = 'shop' and kind = 'number'")
    )
    assert len(subjects) == len(hub.shop.orders) == ORDERS, hub.ask("select reason, text from case_file")
    left: Counter[str] = Counter()
    for body in map(msgspec.json.decode, hub.shop.orders.values()):
        left += audited(hub, erp, body, subjects[body["name"]])
    return left


def store_audited(erp: Any, told: Told, store: str) -> None:
    """Hold a store's day against the books: one sale and invoice of what it sold, one of each return, and its goods."""
    close = told.closes[store]
    day = (euros(told.sold[store][0]), euros(told.sold[store][1]))
    expected = sorted([day, *told.returns[store]])
    fields = ("total_amount", "tax_amount", "state", "reference", "description", "comment")
    sales = erp.read.rows("sale.sale", [["party.code", "=", store]], *fields)
    assert sorted((sale["total_amount"], sale["tax_amount"]) for sale in sales) == expected
    fields = ("total_amount", "tax_amount", "state", "reference", "accounting_date", "move.date")
    invoices = erp.read.rows("account.invoice", [["party.code", "=", store]], *fields)
    assert sorted((row["total_amount"], row["tax_amount"]) for row in invoices) == expected
    assert {row["state"] for row in invoices} == {"paid"}
    assert {row["reference"] for row in invoices} == {sale["reference"] for sale in sales}
    booked = {
        (moved["year"], moved["month"], moved["day"]) for moved in (row["move."]["date"] for row in invoices)
    }
    business_date = date.fromisoformat(close["business_date"])
    assert booked == {(business_date.year, business_date.month, business_date.day)}
    (posted,) = [sale for sale in sales if sale["description"].startswith(f"{store} ")]
    assert (posted["total_amount"], posted["tax_amount"]) == day
    assert posted["description"] == f"{store} {business_date} ({told.tickets[store]} tickets)"
    stated: Counter[str] = Counter()
    for till in close["tills"]:
        stated.update({tender["kind"]: tender["expected"] for tender in till["tenders"]})
    assert [word for word in posted["comment"].split(": ")[1].split(", ") if word.split()[0] in stated] == [
        f"{kind} {amount}" for kind, amount in sorted(stated.items()) if amount
    ]
    assert moved_out(erp, posted["reference"]) == (told.left[store] if store == "store-7" else {})


def moved_out(erp: Any, reference: str) -> Units:
    """What one shipment of this reference took out, all of it done."""
    shipments = erp.read.rows("stock.shipment.out", [["reference", "=", reference]], "state")
    assert [row["state"] for row in shipments] in ([], ["done"])
    rows = erp.read.rows(
        "stock.move",
        [
            ["shipment.reference", "=", reference, "stock.shipment.out"],
            ["to_location.type", "=", "customer"],
        ],
        "product.code",
        "quantity",
    )
    moved: Units = {}
    for row in rows:
        add(moved, row["product."]["code"], exact(row["quantity"]))
    return moved


def add(units: Units, sku: str, more: Decimal) -> None:
    units[sku] = units.get(sku, Decimal(0)) + more


def exact(quantity: float) -> Decimal:
    """What Tryton has of a product, to the gram."""
    return round(Decimal(quantity), 3)


def euros(cents: int) -> Decimal:
    return Decimal(cents) / 100
