import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from crossdock.engine.messages import Arrival, subject_id
from tests.gateway.serving import line, order


def test_a_posted_order_is_kept_before_it_is_answered_and_found_by_any_name(api):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    reply = api.post(
        "/v1/orders",
        order(external_id="N-1", number="#N1"),
        idempotency_key="n1",
        traceparent=f"00-{trace}-00f067aa0ba902b7-01",
    )
    assert reply.status == 202
    id_ = reply.json["id"]
    assert reply.headers["location"] == f"/v1/orders/{id_}"
    api.until(lambda: api.get(f"/v1/orders/{id_}").json["order"])
    for name in (id_, "N-1", "%23N1"):
        found = api.get(f"/v1/orders/{name}")
        assert found.status == 200
        assert found.json["summary"]["id"] == id_
        assert found.json["correlation_id"] == trace
    assert found.json["order"]["lines"][0]["sku"] == "MUG"
    assert found.json["lines"] == [
        {
            "line": "1",
            "sku": "MUG",
            "ordered": 2,
            "cancelled": 0,
            "shipped": 0,
            "delivered": 0,
            "returned": 0,
        }
    ]


def test_the_same_key_with_the_same_body_gets_the_first_answer_again(api):
    body = order(external_id="S-1")
    first = api.post("/v1/orders", body, idempotency_key="s1")
    again = api.post("/v1/orders", body, idempotency_key="s1")
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


@pytest.mark.fault(34)
@pytest.mark.parametrize("other", [{"note": "other"}, {"external_id": "C-2"}])
def test_the_same_key_with_another_body_is_refused_even_for_another_order(api, other):
    key = f"c-{next(iter(other))}"
    assert api.post("/v1/orders", order(external_id="C-1"), idempotency_key=key).status == 202
    refused = api.post("/v1/orders", order(external_id="C-1") | other, idempotency_key=key)
    assert refused.status == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json["field"] == "Idempotency-Key"
    assert api.get("/v1/orders/C-2").status == 404


@pytest.mark.fault(33)
def test_one_key_sent_many_times_at_once_makes_one_order(api):
    bodies = [order(external_id=f"M-{n % 2}") for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda body: api.post("/v1/orders", body, idempotency_key="m1"), bodies))
    taken = [reply for reply in replies if reply.status == 202]
    assert len(taken) == 8
    assert len({reply.body for reply in taken}) == 1
    assert {reply.status for reply in replies} == {202, 422}


HOSTILE = {
    "nothing": (b"", "body"),
    "no JSON": (b"{", "body"),
    "a list": (b"[]", "body"),
    "NaN": (b'{"buyer_total": NaN}', "buyer_total"),
    "a key twice": (b'{"connection":"api","connection":"api"}', "connection"),
    "deep nesting": (b'{"a":' * 100_00 + b"1" + b"}" * 100_00, "body"),
    "a huge integer": (b'{"buyer_total":' + b"9" * 400 + b"}", "buyer_total"),
    "half a surrogate": (b'{"note":"\\ud800"}', "note"),
    "a NUL": (b'{"note":"a\\u0000b"}', "note"),
    "not UTF-8": (b'{"note":"\xff"}', "body"),
    "a field missing": (json.dumps({"connection": "api"}).encode(), "external_id"),
    "text for a number": (json.dumps(order(buyer_total="2000")).encode(), "buyer_total"),
    "no total": (json.dumps(order(buyer_total=None)).encode(), "order.buyer_total"),
    "no currency": (json.dumps(order(currency="EURO")).encode(), "currency"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_understood_is_refused_with_its_field(api, name):
    body, field = HOSTILE[name]
    reply = api.post("/v1/orders", body, idempotency_key=f"h-{name}", content_type="application/json")
    assert reply.status == 400, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == 400
    assert reply.json["field"] == field
    assert reply.json["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"idempotency_key": None}, 400),
        ({"idempotency_key": ""}, 422),
        ({"idempotency_key": "k" * 201}, 422),
        ({"idempotency_key": "schl\u00fcssel"}, 422),
        ({"idempotency_key": "z1", "content_encoding": "gzip"}, 400),
        ({"idempotency_key": "z2", "content_type": "application/xml"}, 202),
    ],
)
def test_headers_are_checked(api, headers, status):
    body = json.dumps(order(external_id="H-1")).encode()
    assert api.post("/v1/orders", body, **headers).status == status


@pytest.mark.fault(48)
def test_a_body_over_the_limit_is_refused(api):
    body = json.dumps(order(note="x" * 70_000)).encode()
    reply = api.post("/v1/orders", body, idempotency_key="big", content_type="application/json")
    assert reply.status == 413
    assert reply.json["title"] == "Too large"


@pytest.mark.parametrize(
    ("fields", "field"), [({"connection": "erp"}, "connection"), ({"id": "CD0000000001"}, "id")]
)
def test_an_order_that_is_posted_stands_under_the_api_and_gets_its_id_from_the_hub(api, fields, field):
    reply = api.post("/v1/orders", order(**fields), idempotency_key=f"under-{field}")
    assert (reply.status, reply.json["field"]) == (422, field)


def test_pages_of_the_list_hold_every_order_once(api):
    ids = [api.order(f"p{n}", external_id=f"P-{n}", number="#page") for n in range(5)]
    found, cursor = [], ""
    while True:
        page = api.get(f"/v1/orders?limit=2&cursor={cursor}").json
        found += [each["id"] for each in page["orders"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(found) == len(set(found))
    assert sorted(found, reverse=True) == found
    assert set(ids) <= set(found)


def test_the_list_is_filtered(api):
    held = api.order("f1", external_id="F-1", number="#F1", holds=[{"code": "fraud"}])
    other = api.order("f2", external_id="F-2", number="#F2")

    def listed(query):
        return [each["id"] for each in api.get(f"/v1/orders?limit=200&{query}").json["orders"]]

    assert listed("number=%23F1") == listed("number=F-1") == [held]
    assert listed("number=%23F1&stage=held") == [held]
    assert listed("number=%23F2&stage=held") == []
    assert listed(f"number={held}") == [held]
    assert held in listed("stage=held")
    assert other not in listed("stage=held")
    assert held in listed("connection=api&custody=open&money=unpaid")
    assert listed("connection=erp") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=%00",
        "cursor=YmVmb3JlOi0x",
        "cursor=x",
        "stage=" + "s" * 300,
    ],
)
def test_impossible_questions_are_refused(api, query):
    reply = api.get(f"/v1/orders?{query}")
    assert reply.status == 400
    assert reply.json["field"] == query.split("=")[0]


@pytest.mark.fault(55)
@pytest.mark.parametrize("name", ["CD9999999999", "CD1", "nobody", "%00", "%ff", "x" * 3000, "%F0%9F%9A%80"])
def test_an_order_that_is_not_there_is_not_found(api, name):
    for path in (f"/v1/orders/{name}", f"/v1/orders/{name}/timeline"):
        reply = api.get(path)
        assert reply.status == 404, reply.text
        assert reply.headers["content-type"] == "application/problem+json"


def test_two_orders_of_one_number_are_told_apart(api):
    other = Arrival(source="erp", kind="something", body=b"{}", ref_kind="order", ref="#twice")
    ids = [
        api.order("t1", external_id="T-1", number="#twice"),
        subject_id(api.hub.accept([other])[0].subject),
    ]
    reply = api.get("/v1/orders/%23twice")
    assert reply.status == 409
    assert sorted(reply.json["candidates"]) == ids


def test_the_timeline_tells_every_step_in_order_of_time(api):
    id_ = api.order("tl", external_id="TL-1", number="#TL")
    story = api.get(f"/v1/orders/{id_}/timeline").json
    assert story["id"] == id_
    assert len(story["correlation_id"]) == 32
    assert [step["at"] for step in story["steps"]] == sorted(step["at"] for step in story["steps"])
    whats = [step["what"] for step in story["steps"]]
    assert whats[0] == "order.canonical"
    assert "order taken" in whats
    assert "create the sale" in whats
    waits = {wait["what"]: wait for wait in story["waits"]}
    assert "Receive stock" in waits["stock"]["remedy"]
    assert "erp: create the sale" in waits


def test_a_held_order_says_so_and_is_released_by_name(api):
    id_ = api.order("rh", external_id="RH-1", holds=[{"code": "fraud", "reason": "odd"}])
    waits = api.get(f"/v1/orders/{id_}/timeline").json["waits"]
    assert ("held: fraud, odd", "Release the hold, or cancel the order.") in [
        (wait["why"], wait["remedy"]) for wait in waits
    ]
    assert api.post(f"/v1/orders/{id_}/release-hold", {"actor": "Ann", "reason": "called"}).status == 202
    api.until(lambda: not api.get(f"/v1/orders/{id_}").json["holds"])
    steps = api.get(f"/v1/orders/{id_}/timeline").json["steps"]
    assert ("hold released", "Ann") in [(step["what"], step["by"]) for step in steps]
    assert ("an operator acts", "Ann", "release the hold: called") in [
        (step["what"], step["by"], step["detail"]) for step in steps
    ]


def test_an_order_is_cancelled_line_by_line_or_whole(api):
    id_ = api.order("cl", external_id="CL-1", lines=[line("1"), line("2")], buyer_total=4000)
    asked = {"actor": "Ann", "reason": "buyer called", "lines": [{"line": "1", "quantity": 2}]}
    assert api.post(f"/v1/orders/{id_}/cancel", asked).status == 202
    api.until(lambda: api.get(f"/v1/orders/{id_}").json["lines"][0]["cancelled"] == 2)
    assert api.get(f"/v1/orders/{id_}").json["lines"][1]["cancelled"] == 0
    assert api.post(f"/v1/orders/{id_}/cancel", {"actor": "Ann", "reason": "all"}).status == 202
    steps = api.get(f"/v1/orders/{id_}/timeline").json["steps"]
    assert "cancel what has not left (2 of line 1): buyer called" in [step["detail"] for step in steps]
    api.until(lambda: api.get(f"/v1/orders/{id_}").json["summary"]["custody"] == "cancelled")


@pytest.mark.parametrize("action", ["cancel", "release-hold", "erase"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"actor": "", "reason": "r"}, "actor"),
        ({"actor": "Ann", "reason": " "}, "reason"),
        ({"actor": "A\nB", "reason": "r"}, "actor"),
        ({"reason": "r"}, "actor"),
        ({"actor": "Ann", "reason": "r", "surprise": 1}, "body"),
    ],
)
def test_every_action_names_its_actor_and_reason(api, action, body, field):
    id_ = api.order("na", external_id="NA-1")
    reply = api.post(f"/v1/orders/{id_}/{action}", body)
    assert (reply.status, reply.json["field"]) == (400, field), reply.text


def test_erasing_an_order_masks_its_persons_and_keeps_its_money(api):
    buyer = {"name": "Zoe Secret", "email": "zoe@example.com"}
    id_ = api.order("er", external_id="ER-1", buyer=buyer, note="ring twice")
    assert api.get(f"/v1/orders/{id_}").json["order"]["buyer"]["name"] == "Zoe Secret"
    asked = {"actor": "Ann", "reason": "asked to"}
    early = api.post(f"/v1/orders/{id_}/erase", asked)
    assert (early.status, early.json["field"]) == (409, "order")
    assert api.post(f"/v1/orders/{id_}/cancel", asked).status == 202
    api.until(lambda: api.get(f"/v1/orders/{id_}").json["summary"]["custody"] == "cancelled")
    assert api.post(f"/v1/orders/{id_}/erase", asked).status == 202
    after = api.get(f"/v1/orders/{id_}")
    assert "Zoe" not in after.text
    assert "ring twice" not in after.text
    assert after.json["order"]["buyer"] == {"masked": True}
    assert after.json["summary"]["total"] == 2000
    steps = api.until(
        lambda: [
            step for step in api.get(f"/v1/orders/{id_}/timeline").json["steps"] if "erase" in step["detail"]
        ]
    )
    assert steps[0]["by"] == "Ann"


def test_a_replay_runs_the_raw_bytes_again_and_names_its_reason(api):
    id_ = api.order("rp", external_id="RP-1")
    asked = {"order": id_, "actor": "Ann", "reason": "a new mapping"}
    reply = api.post("/v1/replays", asked)
    assert (reply.status, reply.json) == (202, {"accepted": 1, "repeated": 0, "gone": 0, "next": ""})
    steps = api.until(
        lambda: [
            step
            for step in api.get(f"/v1/orders/{id_}/timeline").json["steps"]
            if step["outcome"] == "known already"
        ]
    )
    assert steps[0]["detail"].endswith("replay by Ann: a new mapping")


def test_a_replay_of_what_is_not_kept_any_more_is_refused_and_the_timeline_says_that_its_bytes_are_gone(api):
    id_ = api.order("gone", external_id="GONE-1")
    drop_bodies_of(api.hub, id_)
    steps = api.get(f"/v1/orders/{id_}/timeline").json["steps"]
    assert steps[0]["detail"] == "its raw bytes are not kept any more"
    reply = api.post("/v1/replays", {"order": id_, "actor": "Ann", "reason": "a new mapping"})
    assert reply.status == 422
    assert reply.json["detail"].startswith(
        f"Replay of {id_}: the raw bytes of its 1 messages are not kept any more"
    )
    assert "Have the source send it again" in reply.json["detail"]


def drop_bodies_of(hub, id_):
    """As retention does, long after."""
    subject = int(id_.removeprefix("CD"))
    with hub.reads() as reads:
        numbers = [row[0] for row in reads.rows("timeline_messages", subject, 100)]
    sql = f"delete from body where message in ({', '.join(map(str, numbers))})"
    hub.writer.call(lambda: hub.store._db.connection.execute(sql).fetchall())


def test_a_replay_since_a_time_comes_in_parts(api):
    since = datetime.now(UTC).isoformat()
    for n in range(3):
        api.order(f"rs{n}", external_id=f"RS-{n}")
    asked = {"connection": "api", "since": since, "actor": "Ann", "reason": "r", "limit": 2}
    first = api.post("/v1/replays", asked).json
    assert first["accepted"] == 2
    second = api.post("/v1/replays", asked | {"after": first["next"]}).json
    assert int(second["next"] or 2**62) > int(first["next"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "order"),
        ({"order": "x", "connection": "api"}, "order"),
        ({"connection": "api"}, "since"),
        ({"connection": "nowhere", "since": "2020-01-01T00:00:00Z"}, "connection"),
        ({"connection": "api", "since": "2020-01-01T00:00:00"}, "since"),
        ({"connection": "api", "since": "2020-01-01T00:00:00Z", "limit": 1001}, "limit"),
        ({"connection": "api", "since": "2020-01-01T00:00:00Z", "after": "x"}, "after"),
    ],
)
def test_an_unclear_replay_is_refused(api, fields, field):
    reply = api.post("/v1/replays", {"actor": "Ann", "reason": "r"} | fields)
    assert (reply.status, reply.json["field"]) == (400, field)


def test_a_store_day_tells_its_sum_and_cannot_be_cancelled(api):
    id_ = api.store_day(2, stated=2001)
    view = api.get(f"/v1/orders/{id_}").json
    assert (view["day"]["tickets"], view["day"]["total"], view["day"]["posted"]) == (1, 2000, None)
    summary = view["summary"]
    assert (summary["total"], summary["currency"], summary["money"]) == (2000, "EUR", "")
    listed = api.get("/v1/orders?stage=day_closed").json["orders"]
    assert summary in listed
    story = api.get(f"/v1/orders/{id_}/timeline").json
    assert "total 20.00 EUR" in next(s["detail"] for s in story["steps"] if s["what"].startswith("counted"))
    [wait] = [wait for wait in story["waits"] if wait["why"].startswith("held: difference")]
    assert (wait["what"], bool(wait["case"])) == ("posting to the ERP", True)
    assert wait["remedy"].endswith("or post with this difference.")
    assert api.get("/v1/orders?number=store-1/2026-03-02").json["orders"] == [summary]
    refused = api.post(f"/v1/orders/{id_}/cancel", {"actor": "Ann", "reason": "wrong"})
    assert (refused.status, refused.json["field"]) == (422, "order")
    assert "store-1/2026-03-02 is a store's day" in refused.json["detail"]


def test_a_missing_key_is_a_problem_that_names_it(api):
    missing = api.post("/v1/orders", order())
    assert (missing.status, missing.json["field"]) == (400, "Idempotency-Key")
    assert missing.json["detail"].startswith("Idempotency-Key: this header is missing")


def test_an_order_that_is_not_understood_cannot_be_cancelled(api):
    id_, _ = api.parked("NO-1")
    api.until(lambda: api.cases(id_)[0]["waiting"] == 1)
    refused = api.post(f"/v1/orders/{id_}/cancel", {"actor": "Ann", "reason": "no"})
    assert (refused.status, refused.json["field"]) == (409, "order")
    assert "resolve it" in refused.json["detail"]
    assert len(api.cases(id_)) == 1
