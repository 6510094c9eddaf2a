"""Simulated stores, against the published contract, and what the hub makes of them."""

from datetime import UTC, datetime

import msgspec
import pytest

from crossdock.connectors.till import build as build_till
from crossdock.domain.policy import Authority, Place
from crossdock.simulator.base import SECOND, SimRequest, build
from tests.connectors.driving import contract, require_schema
from tests.flows.stores import store_plan
from tests.tills.rig import Rig

START = int(datetime(2026, 3, 28, 11, tzinfo=UTC).timestamp()) * SECOND
OPENING = 100_000
"""Of each article in each store: pieces, and grams of what is sold by weight."""
SCHEMAS = {"ticket": "Ticket", "tickets": "Upload", "day.closed": "Close"}


def stores(seed=1, **settings):
    given = {"webhook_secret": "s", "stores": 3, "start": START, "tickets_per_s": 20, "tickets_max": 120}
    return build("till", given | settings, seed)


def day(simulator, seconds=20):
    events = []
    for n in range(1, seconds * 10):
        events += simulator.due_events(START + n * SECOND // 10)
    return events


def ask(simulator, path, body=b"{}"):
    return simulator.handle(SimRequest(method="POST", path=path, body=body), START)


def test_what_stores_post_is_signed_and_what_the_contract_says():
    connector = build_till({"webhook_secret": "s"})
    document = contract("till")
    events = day(stores(silent={"2": [1, 4]}, close_after_s=10))
    kinds = set()
    for headers, body in events:
        connector.verify(headers, body)
        kinds.add(headers["x-crossdock-event"])
        require_schema(document, SCHEMAS[headers["x-crossdock-event"]], body)
    assert kinds == set(SCHEMAS)


def test_the_same_seed_posts_the_same():
    assert day(stores()) == day(stores())
    assert day(stores()) != day(stores(seed=2))


def test_a_silent_store_sends_everything_in_one_upload():
    simulator = stores(silent={"2": [0, 5]})
    events = [(h["x-crossdock-event"], msgspec.json.decode(b)) for h, b in day(simulator)]
    (upload,) = [body for kind, body in events if kind == "tickets"]
    assert upload["control"]["tickets"] == len(upload["tickets"]) > 10
    assert simulator.state()["waiting"] == 0


def test_a_sale_that_is_asked_for_is_posted_at_once():
    simulator = stores(tickets_per_s=0)
    assert ask(simulator, "/1/sell", b'{"sku": "MUG", "quantity": 2}').status == 200
    ((_, body),) = simulator.due_events(START)
    assert msgspec.json.decode(body)["lines"][0]["sku"] == "MUG"
    assert simulator.state()["sold"] == {"MUG": 2}


@pytest.mark.parametrize("path", ["/9/sell", "/1/dance", "/1"])
def test_what_there_is_not_is_said(path):
    assert ask(stores(), path).status == 404


HABITS = (
    "discount",
    "deposit",
    "gift_card_sold",
    "gift_card_paid",
    "split",
    "tip",
    "rounding",
    "cash_moved",
    "over_short",
    "weighed",
)


@pytest.mark.parametrize("habits", [(), *((name,) for name in HABITS), HABITS], ids="+".join)
def test_the_hub_ends_with_the_stores_own_books(tmp_path, habits):
    simulator = stores(
        silent={"2": [1, 4]},
        cent_off=["3"],
        close_after_s=8,
        repeat_rate=0.2,
        broken_rate=0.05,
        **{f"{name}_rate": 0.4 for name in habits},
    )
    places = {code: Place(id=code, zone=str(s.zone)) for code, s in simulator.stores.items()}
    plan = store_plan(places=places, authority=Authority(stock="erp"))
    opening = {code: dict.fromkeys(("MUG", "BAG", "PEN", "CHEESE"), OPENING) for code in places}
    rig = Rig(tmp_path, plan, stock_at=opening, quantity_scales={"CHEESE": 3})
    rig.read_stock()
    events = day(simulator)
    for headers, body in events:
        rig.post(headers["x-crossdock-event"], body, delivery=headers["x-crossdock-delivery"])
    rig.run(300)
    books = simulator.state()["stores"]
    sold = {}
    levels = {key: level.on_hand for key, level in rig.levels().items()}
    for (sku, _), on_hand in levels.items():
        sold[sku] = sold.get(sku, 0) + OPENING - on_hand
    assert {sku: n for sku, n in sold.items() if n} == {s: n for s, n in simulator.sold.items() if n}
    in_erp = rig.erp.simulator.feeds.on_hand_at
    for code in ("1", "2"):
        assert in_erp[code] == {sku: levels[sku, code] for sku in in_erp[code]}
    posted = {b.store: (b.total, b.credited) for b in rig.documents("days")}
    assert posted == {c: (books[c]["total"] - books[c]["back"], books[c]["back"]) for c in ("1", "2")}
    assert rig.balance()["payments"] == sum(book["total"] for book in books.values()) + not_sales(
        events, ("1", "2")
    )
    found = rig.ask("select reason, text from case_file where closed_at = 0")
    (text,) = [text for reason, text in found if reason == "store_day.difference"]
    assert "3, till T1, c" in text
    assert "-0.01 EUR" in text
    rig.close()


def not_sales(events, posted):
    """What is money and no sale, less what is a sale and no money: paid in and out, over and short; paid by gift card."""
    tickets, found = {}, 0
    for _, raw in events:
        body = msgspec.json.decode(raw)
        for ticket in body.get("tickets", [body]) if "lines" in body or "tickets" in body else ():
            tickets[ticket["store"], ticket["till"], ticket["sequence"]] = ticket
        for till in body.get("tills", ()) if body.get("store") in posted else ():
            found += sum(
                tender.get("counted", tender["expected"]) - tender["expected"] for tender in till["tenders"]
            )
    for ticket in tickets.values():
        found += {"paid_in": 1, "paid_out": -1}.get(ticket["kind"], 0) * ticket.get("amount", 0)
        found -= sum(part["amount"] for part in ticket["tenders"] if part["kind"] == "gift_card")
    return found


def test_habits_are_posted_as_the_contract_says():
    every = {f"{name}_rate": 0.5 for name in HABITS}
    document, seen = contract("till"), set()
    for headers, raw in day(stores(close_after_s=5, **every)):
        require_schema(document, SCHEMAS[headers["x-crossdock-event"]], raw)
        body = msgspec.json.decode(raw)
        for ticket in body.get("tickets", [body]) if "lines" in body or "tickets" in body else ():
            parts = (
                sum(line["gross"] for line in ticket["lines"])
                + ticket.get("tip", 0)
                + ticket.get("rounding", 0)
            )
            assert parts == ticket["total"] == sum(tender["amount"] for tender in ticket["tenders"])
            seen |= {name for name in ("tip", "rounding") if name in ticket} | {ticket["kind"]}
            seen |= {line.get("kind", line.get("unit", "goods")) for line in ticket["lines"]}
            seen |= {f"by {tender['kind']}" for tender in ticket["tenders"]}
            seen |= {"split"} if len(ticket["tenders"]) > 1 else set()
            seen |= {"discount" for line in ticket["lines"] if line.get("discount")}
        for till in body.get("tills", ()):
            seen |= {"counted" for tender in till["tenders"] if "counted" in tender}
    assert seen >= {"tip", "rounding", "deposit", "gift_card", "by gift_card", "split", "discount", "counted"}
    assert seen >= {"kg", "paid_in", "paid_out"}


def test_habits_change_nothing_else_that_is_sold():
    plain = stores(close_after_s=5)
    rich = stores(close_after_s=5, **{f"{name}_rate": 0.5 for name in HABITS if name != "cash_moved"})
    day(plain)
    day(rich)
    assert {sku: n for sku, n in rich.sold.items() if sku != "CHEESE"} == plain.sold


def test_stores_sell_in_turn_and_some_only_when_asked():
    simulator = stores(stores=6, in_turn=True, quiet=["3"], often={"2": 2}, tickets_max=24, void_rate=0)
    day(simulator)
    sold = {code: store["tickets"] for code, store in simulator.state()["stores"].items()}
    assert sold == {"1": 4, "2": 8, "3": 0, "4": 4, "5": 4, "6": 4}
    ask(simulator, "/3/sell", b'{"sku": "MUG"}')
    assert simulator.state()["stores"]["3"]["tickets"] == 1


def test_nothing_happens_before_it_is_told_to_open():
    simulator = stores(waits=True, start=0)
    assert day(simulator) == []
    assert simulator.next_due() is None
    ask(simulator, "/-/open")
    assert len(day(simulator)) > 10


def test_each_zone_closes_later_than_the_one_before_and_then_nothing_is_due():
    simulator = stores(stores=4, close_after_s=2, zones_apart_s=1, tickets_max=0)
    closed = []
    for n in range(1, 60):
        simulator.due_events(START + n * SECOND // 10)
        closed.append(simulator.state(documents=False)["closed"])
    assert [closed.index(count) // 10 for count in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert simulator.next_due() is None
