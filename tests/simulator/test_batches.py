"""Batches at the simulated warehouse and ERP: each item is answered as if it had been posted alone."""

import msgspec
import pytest

from crossdock.simulator.base import SECOND, SimRequest, build
from crossdock.simulator.faults import Faulty, Plan

START = 1_774_700_000 * SECOND
AUTH = {"authorization": "Bearer t"}
PATHS = {"erp": "/sales", "wms": "/releases"}


def partner(kind, **settings):
    return build(kind, {"token": "t", "webhook_secret": "s", **settings}, 1)


def body(kind, n):
    if kind == "wms":
        lines = [{"line_id": "1", "sku": "A", "quantity": 1}]
        return {"request_id": f"r{n}", "order_id": f"CD{n}", "lines": lines}
    line = {"line_id": "1", "sku": "A", "quantity": 1, "net": 10, "tax": 0, "gross": 10}
    return {"reference": f"CD{n}", "currency": "EUR", "exponent": 2, "total": 10, "lines": [line]}


def batch(kind, *items):
    value = {"items": [{"key": key, "body": body(kind, n)} for key, n in items]}
    path = PATHS[kind] + "/batch"
    return SimRequest(method="POST", path=path, headers=AUTH, body=msgspec.json.encode(value))


def alone(kind, key, n):
    headers = {**AUTH, "idempotency-key": key}
    return SimRequest(
        method="POST", path=PATHS[kind], headers=headers, body=msgspec.json.encode(body(kind, n))
    )


def results(simulator, request, now=START):
    answer = simulator.handle(request, now)
    assert answer.status == 200
    return msgspec.json.decode(answer.body)["results"]


@pytest.mark.parametrize("settings", [{}, {"documents": False, "events": False}])
@pytest.mark.parametrize("kind", ["erp", "wms"])
def test_a_batch_that_comes_again_is_answered_again_and_nothing_is_made_twice(kind, settings):
    simulator = partner(kind, **settings)
    first = results(simulator, batch(kind, ("k1", 1), ("k2", 2)))
    assert [(result["key"], result["status"]) for result in first] == [("k1", 201), ("k2", 201)]
    assert results(simulator, batch(kind, ("k1", 1), ("k2", 2))) == first
    again, new = results(simulator, batch(kind, ("k2", 2), ("k3", 3)))
    assert again == first[1]
    single = msgspec.json.decode(simulator.handle(alone(kind, "k3", 3), START).body)
    assert single["id"] == new["id"]
    state = simulator.state()
    assert state["sales" if kind == "erp" else "releases"] == 3
    assert not state["doubles"]


@pytest.mark.parametrize("kind", ["erp", "wms"])
def test_a_batch_of_a_bench_sees_doubles(kind):
    simulator = partner(kind, documents=False, events=False, idempotency="none")
    results(simulator, batch(kind, ("k1", 1), ("k2", 1), ("k3", 2)))
    assert simulator.state()["doubles"] == ({"sales:CD1": 2} if kind == "erp" else 1)


def test_an_erp_without_keys_books_a_batch_that_comes_again_twice():
    simulator = partner("erp", idempotency="none")
    for _ in range(2):
        results(simulator, batch("erp", ("k1", 1), ("k2", 2)))
    assert simulator.state()["doubles"] == {"sales:CD1": 2, "sales:CD2": 2}


@pytest.mark.parametrize("kind", ["erp", "wms"])
def test_one_item_is_refused_and_the_others_are_made(kind):
    simulator = partner(kind)
    request = batch(kind, ("k1", 1), ("k2", 2))
    good, bad = msgspec.json.decode(request.body)["items"]
    items = {"items": [{"key": "k0", "body": {}}, bad, good]}
    request = msgspec.structs.replace(request, body=msgspec.json.encode(items))
    told = results(simulator, request)
    assert [result["status"] for result in told] == [422, 201, 201]
    assert told[0]["problem"]["detail"]
    other = batch(kind, ("k1", 3), ("k4", 4))
    assert [result["status"] for result in results(simulator, other)] == [409, 201]


@pytest.mark.parametrize("kind", ["erp", "wms"])
def test_what_is_no_batch_is_refused_and_a_wrong_token_too(kind):
    simulator = partner(kind)
    request = msgspec.structs.replace(batch(kind), body=b'{"items":[{"key":"k"}]}')
    assert simulator.handle(request, START).status == 422
    assert simulator.handle(msgspec.structs.replace(request, headers={}), START).status == 401


def test_a_slow_erp_takes_as_long_for_a_batch_as_for_its_last_item_and_sends_the_rest_away():
    simulator = partner("erp", sales_per_s_max=2, queue_s_max=1)
    answer = simulator.handle(batch("erp", *((f"k{n}", n) for n in range(4))), START)
    assert answer.delay_s == 1.0
    told = msgspec.json.decode(answer.body)["results"]
    assert [result["status"] for result in told] == [201, 201, 201, 503]
    assert simulator.state()["sales"] == 3


def test_a_fault_strikes_a_batch_as_one_request():
    inner = partner("erp")
    simulator = Faulty(inner, Plan(lost_reply_rate=1.0), 1)
    assert simulator.handle(batch("erp", ("k1", 1), ("k2", 2)), START).cut == "before"
    assert (inner.state()["sales"], simulator.injected) == (2, {"lost_reply": 1})
