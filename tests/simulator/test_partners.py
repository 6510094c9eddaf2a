"""The simulated warehouse and ERP: functions of request, time and seed, in which nothing is made or lost."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import ConfigurationError
from crossdock.simulator.base import SECOND, SimRequest, build
from crossdock.simulator.erp import ErpSimulator
from crossdock.simulator.wms import WmsSimulator

START = 1_774_700_000 * SECOND
AUTH = {"authorization": "Bearer t"}
RATES = {"short_rate": 0.5, "refuse_rate": 0.2, "part_rate": 0.5, "two_packages_rate": 0.5}


def post(path, value, key=""):
    headers = {**AUTH, "idempotency-key": key} if key else AUTH
    return SimRequest(method="POST", path=path, headers=headers, body=msgspec.json.encode(value))


def read(path, **query):
    return SimRequest(method="GET", path=path, query=query, headers=AUTH)


def release(n, *quantities):
    lines = [{"line_id": str(line), "sku": "A", "quantity": q} for line, q in enumerate(quantities)]
    return post("/releases", {"request_id": f"r{n}", "order_id": f"o{n}", "lines": lines}, f"key-{n}")


def sale(reference="CD1", gross=1000, key=""):
    line = {"line_id": "1", "sku": "A", "quantity": 1, "net": gross, "tax": 0, "gross": gross}
    fields = {"reference": reference, "currency": "EUR", "exponent": 2, "total": gross, "lines": [line]}
    return post("/sales", fields, key)


def run_warehouse(seed, orders, cancels):
    simulator = WmsSimulator({"token": "t", "webhook_secret": "s", "stock": {"A": 1000}, **RATES}, seed)
    told = []
    for n, quantities in enumerate(orders):
        assert simulator.handle(release(n, *quantities), START + n * SECOND).status == 201
        if n in cancels:
            body = {"order_id": f"o{n}", "lines": [{"line_id": "0", "quantity": 1}]}
            simulator.handle(post(f"/releases/r{n}/cancel", body, f"c{n}"), START + n * SECOND)
        told += simulator.due_events(START + n * SECOND)
    told += simulator.due_events(START + 1000 * SECOND)
    return simulator, told


ORDERS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=8)


@given(st.integers(0, 1000), ORDERS, st.sets(st.integers(0, 7)))
def test_a_warehouse_makes_and_loses_nothing_whatever_happens(seed, orders, cancels):
    simulator, told = run_warehouse(seed, orders, cancels)
    shipped = 0
    for held in simulator.releases.values():
        for line, asked in held.asked.items():
            parts = (held.open, held.shipped, held.short, held.cancelled)
            assert sum(part.get(line, 0) for part in parts) == asked
        assert held.open == {}
        shipped += sum(held.shipped.values())
    assert simulator.stock["A"] == 1000 - shipped
    bodies = [msgspec.json.decode(b) for h, b in told if h["x-crossdock-event"] == "shipment.created"]
    assert sum(line["quantity"] for body in bodies for line in body["lines"]) == shipped
    assert simulator.next_due() is None


def test_the_same_seed_tells_the_same_story():
    orders = [[1, 2], [3], [1], [2, 2, 1]]
    _, first = run_warehouse(7, orders, {1})
    _, second = run_warehouse(7, orders, {1})
    _, other = run_warehouse(8, orders, {1})
    assert first == second != other


def test_events_come_when_they_are_due_and_once():
    simulator = WmsSimulator({"token": "t", "accept_after_s": 1, "ship_after_s": 10}, 1)
    simulator.handle(release(1, 1), START)
    assert simulator.due_events(START) == []
    due = simulator.next_due()
    assert [h["x-crossdock-event"] for h, _ in simulator.due_events(due)] == ["release.accepted"]
    assert simulator.due_events(due) == []
    assert simulator.next_due() > due


def test_a_key_is_answered_again_and_another_body_under_it_is_a_conflict():
    for simulator, first, other in (
        (WmsSimulator({"token": "t"}, 1), release(1, 1), release(1, 2)),
        (ErpSimulator({"token": "t"}, 1), sale(key="k"), sale(gross=2, key="k")),
    ):
        answer = simulator.handle(first, START)
        assert simulator.handle(first, START) == answer
        assert simulator.handle(other, START).status == 409


def test_a_wrong_token_is_refused():
    for kind in ("wms", "erp"):
        request = SimRequest(method="GET", path="/stock", headers={"authorization": "Bearer x"})
        assert build(kind, {"token": "t"}, 1).handle(request, START).status == 401


def test_an_erp_without_keys_books_twice_and_says_so():
    simulator = ErpSimulator({"token": "t", "idempotency": "none"}, 1)
    for _ in range(2):
        simulator.handle(sale(key="k"), START)
    assert simulator.state()["doubles"] == {"sales:CD1": 2}
    found = simulator.handle(read("/sales", reference="CD1"), START)
    assert len(msgspec.json.decode(found.body)["documents"]) == 2


def test_an_erp_refuses_a_sale_that_does_not_add_up():
    request = post("/sales", {**msgspec.json.decode(sale().body), "total": 1001})
    answer = ErpSimulator({"token": "t"}, 1).handle(request, START)
    assert (answer.status, msgspec.json.decode(answer.body)["field"]) == (422, "total")


def test_a_slow_erp_answers_later_and_later_and_then_sends_away():
    simulator = ErpSimulator({"token": "t", "sales_per_s_max": 2, "queue_s_max": 1}, 1)
    answers = [simulator.handle(sale(f"CD{n}"), START) for n in range(4)]
    assert [answer.delay_s for answer in answers] == [0.0, 0.5, 1.0, 0.0]
    assert (answers[3].status, answers[3].headers["retry-after"]) == (503, "1")
    assert simulator.handle(sale("CD9"), START + 10 * SECOND).delay_s == 0.0
    assert simulator.state()["sales"] == 4


@pytest.mark.fault(27)
def test_a_level_that_changes_while_pages_are_read_is_told_again_and_none_is_skipped():
    simulator = ErpSimulator({"token": "t", "stock": {f"{n}": 9 for n in range(4)}}, 1)
    first = msgspec.json.decode(simulator.handle(read("/stock", limit="2"), START).body)
    simulator.feeds.move("0", -1, START + SECOND)
    simulator.feeds.move("3", -2, START + SECOND)
    cursor, levels = first["cursor"], {level["sku"]: level["on_hand"] for level in first["levels"]}
    while True:
        page = msgspec.json.decode(simulator.handle(read("/stock", limit="1", cursor=cursor), START).body)
        cursor = page["cursor"]
        levels |= {level["sku"]: level["on_hand"] for level in page["levels"]}
        if not page["more"]:
            break
    assert levels == {"0": 8, "1": 9, "2": 9, "3": 7}


@pytest.mark.parametrize("kind", ["wms", "erp"])
def test_partners_of_a_bench_count_and_forget_but_still_see_doubles(kind):
    simulator = build(kind, {"token": "t", "events": False, "documents": False, "idempotency": "none"}, 1)
    for key in ("k1", "k2"):
        request = release(1, 1) if kind == "wms" else sale()
        keyed = msgspec.structs.replace(request, headers={**AUTH, "idempotency-key": key})
        assert simulator.handle(keyed, START).status == 201
    lookup = read("/releases/r1") if kind == "wms" else read("/sales", reference="CD1")
    assert b'"id"' in simulator.handle(lookup, START).body
    state = simulator.state()
    assert state["doubles"]
    assert state["documents"] == []


def test_a_kind_that_there_is_not_is_told_with_those_there_are():
    with pytest.raises(ConfigurationError, match="wms, erp, shopify"):
        build("fax", {}, 1)


def test_an_erp_keeps_stock_at_several_locations():
    erp = build("erp", {"token": "t", "stock": {"MUG": 5}, "stock_at": {"berlin": {"MUG": 2}}}, 1)
    asked = SimRequest(method="GET", path="/stock", headers={"authorization": "Bearer t"})
    levels = msgspec.json.decode(erp.handle(asked, 0).body)["levels"]
    assert [(level["location"], level["on_hand"]) for level in levels] == [("MAIN", 5), ("berlin", 2)]
    erp.feeds.move("MUG", -1, 1, "berlin")
    assert (erp.feeds.on_hand, erp.feeds.on_hand_at) == ({"MUG": 5}, {"berlin": {"MUG": 1}})


def test_the_invoices_of_a_sale_come_to_the_sale_with_its_shipping():
    erp = ErpSimulator({"token": "t", "rounding": 1}, 1)
    line = {"line_id": "1", "sku": "A", "quantity": 3, "net": 1000, "tax": 0, "gross": 1000}
    shipping = [{"net": 495, "tax": 0, "gross": 495}]
    body = {
        "reference": "CD1",
        "currency": "EUR",
        "exponent": 2,
        "total": 1495,
        "lines": [line],
        "shipping": shipping,
    }
    assert erp.handle(post("/sales", body), START).status == 201
    totals = []
    for n in (1, 2):
        document = {"reference": f"CD1/{n}", "order_reference": "CD1", "shipment_id": str(n)}
        document["lines"] = [{"line_id": "1", "quantity": n}]
        totals.append(msgspec.json.decode(erp.handle(post("/invoices", document), START).body)["total"])
    assert (totals[0], sum(totals)) == (333 + 496, 1496)


def test_an_erp_that_only_counts_says_nothing_of_an_invoice():
    erp = ErpSimulator({"token": "t", "documents": False}, 1)
    document = {"reference": "CD1/1", "order_reference": "CD1", "shipment_id": "1", "lines": []}
    assert msgspec.json.decode(erp.handle(post("/invoices", document), START).body)["total"] is None
    assert msgspec.json.decode(erp.handle(sale(), START).body)["total"] == 1000
