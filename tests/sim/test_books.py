"""The questions of the day's end find what is planted in the books of a day that has gone well."""

import copy
import tempfile
from pathlib import Path

import msgspec
import pytest

from crossdock.domain.process import Refunded
from crossdock.simulator.erp_given_back import CreditNote, Receipt
from sim.books import Books, check_alerts, check_cases, check_store, unrest
from sim.returns import given_back
from sim.run import Story, _Run
from sim.stores import TICKETS, StoreBooks
from sim.world import DAY, HOUR, Violation


@pytest.fixture(scope="module")
def day():
    with tempfile.TemporaryDirectory() as folder:
        run = _Run(Story(seed=2, faults=(), orders_a_day=40), Path(folder), None)
        run._play()
        yield run
        run.hub.close()


def check(day):
    Books(day.world, day.hub, day.partners, day.people).check()


def shipped(day):
    """A sale of which everything has left."""
    return next(sale for sale in day.partners.erp.sales.values() if sale.delivered)


def violates(letter):
    return pytest.raises(Violation, match=rf"^\({letter}\)")


def test_a_day_that_went_well_is_found_well(day):
    check(day)
    check_store(day.hub, day.known, day.world.clock())
    assert unrest(day.hub) == ""


def test_an_order_that_the_hub_never_had(day):
    shop = day.partners.shops["shop"]
    shop.orders[1] = next(iter(shop.orders.values()))
    with violates("b"):
        check(day)
    del shop.orders[1]


def test_a_sale_that_is_missing_and_one_that_is_there_twice(day):
    erp, sale = day.partners.erp, shipped(day)
    del erp.sales[sale.id]
    with violates("b"):
        check(day)
    erp.sales[sale.id] = erp.sales["again"] = sale
    with violates("c"):
        check(day)
    del erp.sales["again"]


@pytest.mark.parametrize(
    ("letter", "spoil", "mend"),
    [
        (
            "d",
            lambda sale: setattr(sale, "total", sale.total + 1),
            lambda sale: setattr(sale, "total", sale.total - 1),
        ),
        ("b", lambda sale: sale.delivered.update(x=1), lambda sale: sale.delivered.pop("x")),
        ("b", lambda sale: sale.invoiced.update(x=1), lambda sale: sale.invoiced.pop("x")),
        (
            "b",
            lambda sale: sale.cancelled.update(dict.fromkeys(sale.lines, 1)),
            lambda sale: sale.cancelled.clear(),
        ),
    ],
    ids=["total", "delivered", "invoiced", "cancelled"],
)
def test_a_sale_that_says_something_else(day, letter, spoil, mend):
    sale = next(sale for sale in day.partners.erp.sales.values() if sale.delivered and not sale.cancelled)
    spoil(sale)
    with violates(letter):
        check(day)
    mend(sale)


@pytest.mark.parametrize("by", [1, -1])
def test_stock_that_is_not_there(day, by):
    stock = day.partners.warehouses["north"].stock
    stock["SKU-0003"] += by
    with violates("f"):
        check(day)
    stock["SKU-0003"] -= by


@pytest.mark.parametrize("bucket", ["reserved", "allocated"])
def test_a_claim_that_nobody_owns(day, bucket):
    key = ("SKU-0003", "north", bucket)
    day.known.stock[key] = day.known.stock.get(key, 0) + 1
    with violates("f"):
        check(day)
    day.known.stock[key] -= 1


def test_a_shop_that_offers_something_else(day):
    offered = day.partners.shops["market"].admin.quantities
    offered["SKU-0003"] += 1
    with violates("f"):
        check(day)
    offered["SKU-0003"] -= 1


def test_something_that_left_and_that_the_hub_does_not_know(day):
    release = next(r for r in day.partners.warehouses["north"].releases.values() if r.shipped)
    line = next(iter(release.shipped))
    release.shipped[line] += 1
    with violates("g"):
        check(day)
    release.shipped[line] -= 1


def test_an_order_that_stands_still_and_is_nobodys_case(day):
    books = Books(day.world, day.hub, day.partners, day.people)
    subject = next(iter(books.processes))
    books.finished[subject] = False
    with violates("b"):
        books.check()


def test_a_store_that_has_forgotten_what_was_committed(day):
    subject = next(iter(day.known.versions))
    day.known.versions[subject] += 1
    with violates("h"):
        check_store(day.hub, day.known, day.world.clock())
    day.known.versions[subject] -= 1


@pytest.mark.parametrize(("table", "state"), [("inbox", 3), ("outbox", 5)])
def test_what_is_parked_and_nobodys_case(day, table, state):
    database = day.hub.store.inner._db.connection
    rows = {
        "inbox": f"1000000, 'shop', 'orders/create', 1, 0, {state}, 0, 1, 0, 0, 0, ''",
        "outbox": f"1000000, 'erp', 'create_sale', 1, 'x', {state}, 0, 1, 0, 1, '', 0, '{{}}', 0, 0",
    }
    check_cases(day.hub)
    database.execute(f"insert into {table} values ({rows[table]})")
    with violates("b"):
        check_cases(day.hub)
    database.execute(f"delete from {table} where id = 1000000")


def test_an_effect_that_is_late_and_nobodys_case(day):
    subject = next(iter(day.known.versions))
    database = day.hub.store.inner._db.connection
    row = "1, 'erp', 'create_sale', ?, 'late', 1, ?, 0, 0, 0, '', 0, '{}', 0, ?"
    staged = day.world.clock() - 24 * HOUR
    database.execute(f"insert into outbox values ({row})", (subject, 1 << 60, staged))
    with violates("i"):
        check_alerts(day.hub)
    assert "create_sale" in unrest(day.hub)
    database.execute("delete from outbox where id = 1")


def test_a_level_below_zero_that_is_nobodys_case(day):
    database = day.hub.store.inner._db.connection
    database.execute("insert into level values ('X', 'north', -1, 0, 0, 0, 0, 0, 0, 1)")
    database.execute("insert into movement values (0, 1000000, 0, 'X', 'north', 'on_hand', -1, 'sale', 0)")
    with violates("f"):
        check_store(day.hub, day.known, day.world.clock())
    database.execute("delete from level where sku = 'X'")
    database.execute("delete from movement where sku = 'X'")


def test_what_is_late_is_found_by_the_proof_but_not_before_anybody_could_tell(day):
    database = day.hub.store.inner._db.connection
    row = "1, 'erp', 'create_sale', ?, 'late', 1, ?, 0, 0, 0, '', 0, '{}', 0, ?"
    values = (next(iter(day.known.versions)), 1 << 60, day.world.clock() - DAY)
    database.execute(f"insert into outbox values ({row})", values)
    check_store(day.hub, day.known, day.world.clock(), starting=True)
    with violates("i"):
        check_store(day.hub, day.known, day.world.clock())
    database.execute("delete from outbox where id = 1")


@pytest.mark.parametrize("by", [1, -1])
def test_goods_that_came_back_and_that_the_hub_does_not_know(day, by):
    lines = next(lines for lines in day.people.returns.back.values() if lines)
    line = next(iter(lines))
    lines[line] += by
    with violates("g"):
        check(day)
    lines[line] -= by


def test_money_that_a_shop_gave_back_and_that_the_hub_does_not_know(day):
    shop, number, body = next(
        (shop, number, body)
        for shop in day.partners.shops.values()
        for number in shop.orders
        if given_back(body := shop.order(number))
    )
    whole, money = shop.orders[number], next(m for r in body["refunds"] for m in r["transactions"])
    money["amount"] = "0.01"
    shop.orders[number] = msgspec.json.encode(body)
    with violates("g"):
        check(day)
    shop.orders[number] = whole


def test_goods_that_may_not_be_sold_and_that_the_hub_would_sell(day):
    held = day.people.returns.held
    held["SKU-0003", "north"] = held.get(("SKU-0003", "north"), 0) + 1
    with violates("f"):
        check(day)
    held["SKU-0003", "north"] -= 1


@pytest.mark.parametrize(("kind", "letter"), [("credits", "g"), ("receipts", "g"), ("twice", "c")])
def test_what_the_erp_was_told_of_refunds_and_returns_and_is_not_so(day, kind, letter):
    given, order = day.partners.erp.given_back, shipped(day).reference
    planted = {
        "credits": (given.credits, [CreditNote("N0", "N0", order, "R", -1, "")]),
        "receipts": (given.receipts, [Receipt("R0", "R0", order, {"1": 1}, "")]),
        "twice": (given.receipts, [Receipt("R0", "R0", order, {}, ""), Receipt("R1", "R0", order, {}, "")]),
    }
    held, documents = planted[kind]
    held += documents
    with violates(letter):
        check(day)
    del held[-len(documents) :]


@pytest.mark.parametrize("reason", ["return.beyond_shipped", "refund.beyond_captured"])
def test_what_went_beyond_and_is_nobodys_case(day, reason):
    """Everybody's books say the same, and nobody was asked about it."""
    books, erp = Books(day.world, day.hub, day.partners, day.people), day.partners.erp.given_back
    subject, process = next((s, p) for s, p in books.processes.items() if p.lines[0].shipped)
    if reason == "return.beyond_shipped":
        back = day.people.returns.back.setdefault(process.order, {})
        line, before = process.lines[0], dict(back)
        back[line.id] = line.returned = line.shipped + 1
        more = line.returned - before.get(line.id, 0)
        held, document = erp.receipts, Receipt("R0", "R0", process.order, {line.id: more}, "")
    else:
        shop = day.partners.shops[process.connection]
        number, whole = int(process.external_id), shop.orders[int(process.external_id)]
        body = shop.order(number)
        beyond = process.total + 1 - given_back(body)
        held, document = erp.credits, CreditNote("N0", "N0", process.order, "R", -beyond, "")
        money = {"kind": "refund", "status": "success", "amount": f"{beyond / 100:.2f}"}
        body["refunds"].append({"transactions": [money], "refund_line_items": []})
        shop.orders[number] = msgspec.json.encode(body)
        process.refunds = [Refunded(key="R", done=True, total=process.total + 1)]
    held.append(document)
    with pytest.raises(Violation, match=r"^\(g\).*nobody's case"):
        books.check()
    books.cases.setdefault(subject, set()).add(reason)
    books.check()
    held.remove(document)
    if reason == "return.beyond_shipped":
        back.clear()
        back.update(before)
    else:
        shop.orders[number] = whole


def check_stores(day):
    books = Books(day.world, day.hub, day.partners, day.people)
    StoreBooks(day.hub, day.partners, day.stores, day.people.dropped).check(books.stores, books.open)


def test_what_stores_sold_is_held_moved_and_posted_on_a_day_that_went_well(day):
    check_stores(day)
    assert (
        sum(till.tickets for store in day.partners.tills.stores.values() for till in store.tills) == TICKETS
    )
    assert day.partners.erp.books.documents["days"]
    assert day.partners.erp.books.documents["credits"]


def test_a_ticket_that_the_hub_does_not_hold(day):
    till = day.partners.tills.stores["s1"].tills[0]
    till.tickets += 1
    with violates("a"):
        check_stores(day)
    till.tickets -= 1


def test_a_day_of_a_store_that_the_hub_does_not_know(day):
    stores = StoreBooks(day.hub, day.partners, day.stores, {})
    with violates("b"):
        stores.check({}, {})


@pytest.mark.parametrize("kind", ["days", "credits"])
def test_a_day_or_a_credit_that_is_in_the_erp_with_another_sum_or_twice(day, kind):
    held = day.partners.erp.books.documents[kind]
    held[0].total += 1
    with violates("e"):
        check_stores(day)
    held[0].total -= 1
    held.append(copy.copy(held[0]))
    held[-1].total = held[-1].tickets = 0
    with violates("c"):
        check_stores(day)
    held.pop()


def test_a_sale_of_a_store_that_moved_no_stock(day):
    sold = day.stores.sold
    key = next(iter(sold))
    sold[key] += 1
    with violates("f"):
        check_stores(day)
    sold[key] -= 1


def test_what_a_person_was_asked_about_or_gave_up_is_not_compared(day):
    books = Books(day.world, day.hub, day.partners, day.people)
    till = day.partners.tills.stores["s1"].tills[0]
    till.tickets += 1
    stores = StoreBooks(day.hub, day.partners, day.stores, {})
    stores.check(books.stores, {subject: ["effect.in_doubt"] for subject in books.stores})
    with violates("b"):
        stores.check(books.stores, {subject: ["store_day.difference"] for subject in books.stores})
    StoreBooks(day.hub, day.partners, day.stores, {9: ["message tills ticket"]}).check(books.stores, {})
    till.tickets -= 1
