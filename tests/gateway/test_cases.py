import json
import threading
import time

import pytest

from tests.gateway.serving import order


def named(**fields):
    return {"actor": "Ann", "reason": "the shop mended it"} | fields


def test_a_parked_order_is_a_case_that_names_the_field_and_what_waits_behind_it(api):
    id_, case = api.parked("W-1")
    assert (case["reason"], case["field"], case["source"]) == ("mapping", "buyer_total", "api")
    assert "2100" in case["text"]
    assert case["actions"] == ["retry", "edit", "resolve"]
    api.until(lambda: api.cases(id_)[0]["waiting"] == 1)
    parked, waiting = api.get(f"/v1/orders/{id_}/timeline").json["waits"]
    assert parked["case"] == waiting["case"] == case["id"]
    assert waiting["behind"] == parked["message"] == case["message"]
    assert "which is parked" in waiting["why"]
    assert "Retry it, correct it" in parked["remedy"]
    assert api.get(f"/v1/orders/{id_}").json["summary"]["stage"] == "unknown"


def test_a_case_gives_the_bytes_as_they_came(api):
    _, case = api.parked("B-1")
    raw = api.get(f"/v1/cases/{case['id']}").json["raw"]
    assert (raw["kind"], raw["source"]) == ("order.canonical", "api")
    assert json.loads(raw["body"])["buyer_total"] == 2100
    assert raw["headers"] == {"idempotency-key": "B-1-1"}


def test_edit_and_retry_releases_what_waits_in_order(api):
    id_, case = api.parked("E-1")
    api.until(lambda: api.cases(id_)[0]["waiting"] == 1)
    mended = json.dumps(order(external_id="E-1", number="#E-1"))
    reply = api.post(f"/v1/cases/{case['id']}/edit", named(body=mended))
    assert reply.status == 202, reply.text
    second = api.until(
        lambda: [c for c in api.cases(id_) if c["id"] != case["id"] and c["reason"] == "mapping"]
    )
    closed = next(c for c in api.cases(id_, "closed") if c["id"] == case["id"])
    assert closed["resolution"] == "edit by Ann: the shop mended it"
    assert closed["owner"] == "Ann"
    assert api.get(f"/v1/orders/{id_}").json["version"] == "1"
    assert api.post(f"/v1/cases/{second[0]['id']}/resolve", named()).status == 202
    api.until(lambda: not [c for c in api.cases(id_) if c["reason"] == "mapping"])
    steps = api.get(f"/v1/orders/{id_}/timeline").json["steps"]
    outcomes = [s["outcome"] for s in steps if s["kind"] == "message" and s["what"] == "order.canonical"]
    assert outcomes == ["handled", "dropped by a person"]


def test_an_edit_that_names_another_order_is_refused(api):
    """It would be taken for a version of the wrong one."""
    id_, case = api.parked("X-1")
    other = json.dumps(order(external_id="X-2", number="#X-2"))
    reply = api.post(f"/v1/cases/{case['id']}/edit", named(body=other))
    assert (reply.status, reply.json["field"]) == (400, "body")
    assert all(name in reply.json["detail"] for name in ("X-1", "X-2"))
    assert case["id"] in [c["id"] for c in api.cases(id_)]


def test_an_edit_of_a_webhook_that_names_another_order_is_refused(api):
    ticket = {"store": "store-1", "till": "T9", "sequence": 4711, "lines": "none"}
    assert api.deliver("tills", "ticket", ticket).status == 200
    found = api.until(
        lambda: [c for c in api.get("/v1/cases?limit=200").json["cases"] if c["source"] == "tills"]
    )
    path = f"/v1/cases/{found[-1]['id']}/edit"
    reply = api.post(path, named(body=json.dumps(ticket | {"sequence": 4712})))
    assert (reply.status, reply.json["field"]) == (400, "body"), reply.text
    assert "store-1/T9/4711" in reply.json["detail"]
    assert api.post(path, named(body=json.dumps(ticket | {"lines": []}))).status == 202


def test_another_order_is_never_slowed_by_a_parked_one(api):
    api.parked("O-1")
    began = time.monotonic()
    id_ = api.order("o2", external_id="O-2")
    assert time.monotonic() - began < 5
    assert api.get(f"/v1/orders/{id_}").json["summary"]["stage"] == "waiting_stock"


def test_a_retry_that_fails_again_is_a_case_again(api):
    id_, case = api.parked("R-1")
    assert api.post(f"/v1/cases/{case['id']}/retry", named()).status == 202
    again = api.until(lambda: [c for c in api.cases(id_) if c["id"] != case["id"]])
    assert again[0]["field"] == "buyer_total"


def test_an_action_sent_twice_under_one_key_is_done_once(api):
    _, case = api.parked("K-1")
    path = f"/v1/cases/{case['id']}/retry"
    first = api.post(path, named(), idempotency_key="k-1")
    again = api.post(path, named(), idempotency_key="k-1")
    assert (first.status, again.status) == (202, 202)
    assert first.json == again.json
    other = api.post(path, named(reason="another"), idempotency_key="k-1")
    assert other.status == 409


def test_a_case_of_facts_can_only_be_resolved(api):
    id_ = api.order("facts", external_id="FA-1")
    case = next(c for c in api.cases(id_) if c["reason"] == "stock.short")
    assert case["actions"] == ["resolve"]
    refused = api.post(f"/v1/cases/{case['id']}/edit", named(body="{}"))
    assert (refused.status, refused.json["field"]) == (400, "action")
    assert api.post(f"/v1/cases/{case['id']}/resolve", named()).status == 202
    api.until(lambda: case["id"] in [c["id"] for c in api.cases(id_, "closed")])
    assert api.post(f"/v1/cases/{case['id']}/resolve", named()).status == 409


def test_cases_come_in_pages_and_by_reason(api):
    for n in range(3):
        api.parked(f"PG-{n}")
    found, after = [], "0"
    while after:
        page = api.get(f"/v1/cases?limit=2&after={after}").json
        found += [case["id"] for case in page["cases"]]
        after = page["next"]
    assert len(found) == len(set(found)) >= 3
    assert sorted(found, key=int) == found
    reasons = {case["reason"] for case in api.get("/v1/cases?reason=mapping").json["cases"]}
    assert reasons == {"mapping"}


@pytest.mark.fault(55)
@pytest.mark.parametrize("case", ["0", "999999", "9" * 30])
def test_a_case_that_is_not_there_is_not_found(api, case):
    assert api.get(f"/v1/cases/{case}").status == 404
    for action in ("retry", "resolve"):
        assert api.post(f"/v1/cases/{case}/{action}", named()).status == 404


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        ("retry", {"actor": ""}, "actor"),
        ("resolve", {"reason": ""}, "reason"),
        ("edit", {}, "body"),
        ("edit", {"body": "x", "body_base64": "eA=="}, "body"),
        ("edit", {"body_base64": "not base64"}, "body_base64"),
        ("done", {"reference": "S1"}, "action"),
        ("retry", {"actor": 5}, "actor"),
    ],
)
def test_an_unclear_action_is_refused(api, action, fields, field):
    _, case = api.parked("U-1")
    reply = api.post(f"/v1/cases/{case['id']}/{action}", named(**fields))
    assert (reply.status, reply.json["field"]) == (400, field), reply.text


@pytest.mark.parametrize("query", ["state=gone", "after=-1", "limit=0", "after=" + "9" * 30])
def test_impossible_questions_are_refused(api, query):
    assert api.get(f"/v1/cases?{query}").status == 400


def test_nothing_ends_while_actions_are_carried_out(api):
    assert all(thread.is_alive() for thread in threading.enumerate() if thread.name.startswith("crossdock"))
    assert api.get("/readyz").status == 200


def test_a_day_that_is_held_for_its_difference_is_posted_from_its_case(api):
    id_ = api.store_day(1, stated=2001)
    case = next(c for c in api.cases(id_) if c["reason"] == "store_day.difference")
    assert (case["hold"], case["actions"]) == ("difference", ["release", "resolve"])
    assert api.get(f"/v1/orders/{id_}").json["holds"]
    path = f"/v1/cases/{case['id']}/release"
    first = api.post(path, named(reason="a cent, never mind"), idempotency_key="rel-1")
    assert first.status == 202, first.text
    api.until(lambda: not api.get(f"/v1/orders/{id_}").json["holds"])
    steps = api.until(
        lambda: [
            step
            for step in api.get(f"/v1/orders/{id_}/timeline").json["steps"]
            if step["what"] == "book the store's day"
        ]
    )
    assert steps
    again = api.post(path, named(reason="a cent, never mind"), idempotency_key="rel-1")
    assert again.json == first.json


def test_a_hold_is_released_from_its_case_and_nothing_else_is(api):
    held = api.order("hc", external_id="HC-1", holds=[{"code": "fraud"}])
    case = next(c for c in api.cases(held) if c["reason"] == "order.held")
    assert case["actions"] == ["release", "resolve"]
    assert api.post(f"/v1/cases/{case['id']}/release", named()).status == 202
    api.until(lambda: not api.get(f"/v1/orders/{held}").json["holds"])
    _, parked = api.parked("HC-2")
    refused = api.post(f"/v1/cases/{parked['id']}/release", named())
    assert (refused.status, refused.json["field"]) == (400, "action")


def test_a_state_that_is_none_is_named_as_the_request_has_it(api):
    wrong = api.get("/v1/cases?state=foo")
    assert (wrong.status, wrong.json["field"]) == (400, "state")
    assert wrong.json["detail"].startswith("state:")
    assert "shown" not in wrong.text
