from tests.gateway.test_orders import order


def test_a_later_version_keeps_the_trace_of_its_sender_and_the_order_its_own(api):
    first, later = "a" * 32, "b" * 32
    api.post(
        "/v1/orders", order(external_id="TRACED-1"), idempotency_key="traced-1", traceparent=_trace(first)
    )
    newer = order(external_id="TRACED-1", version="2026-03-02T09:30:00.000000Z")
    answer = api.post(
        "/v1/orders", newer, idempotency_key="traced-2", traceparent=_trace(later), tracestate="vendor=1"
    )
    id_ = answer.json["id"]
    assert api.until(lambda: api.get("/v1/orders/TRACED-1").json["correlation_id"]) == first
    with api.hub.reads() as reads:
        kept = reads.raw(int(answer.json["message"]), int(id_[2:]))["headers"]
    assert kept == {"idempotency-key": "traced-2", "traceparent": _trace(later), "tracestate": "vendor=1"}
    steps = [step for step in api.get("/v1/orders/TRACED-1/timeline").json["steps"] if step["trace"]]
    assert [step["trace"] for step in steps] == [first, later]
    assert [f"trace {step['trace']}" in step["detail"] for step in steps] == [False, True]


def test_an_order_of_a_trace_that_is_not_sampled_is_told_by_its_id_alone(api):
    trace = "d" * 32
    more = {"traceparent": _trace(trace), "tracestate": "vendor=1"}
    api.post("/v1/orders", order(external_id="TRACED-3"), idempotency_key="traced-4", **more)
    assert api.until(lambda: api.get("/v1/orders/TRACED-3").json["correlation_id"]) == trace
    timeline = api.get("/v1/orders/TRACED-3/timeline").json
    assert timeline["correlation_id"] == trace
    (told,) = [step for step in timeline["steps"] if step["trace"]]
    assert trace not in told["detail"]


def test_an_action_keeps_the_trace_of_who_asked_for_it(api):
    trace = "c" * 32
    api.post("/v1/orders", order(external_id="TRACED-2"), idempotency_key="traced-3")
    api.until(lambda: api.get("/v1/orders/TRACED-2").json["order"])
    asked = {"actor": "ann", "reason": "the buyer called"}
    answer = api.post("/v1/orders/TRACED-2/cancel", asked, traceparent=_trace(trace))
    assert answer.status == 202
    (step,) = [
        step
        for step in api.get("/v1/orders/TRACED-2/timeline").json["steps"]
        if step["kind"] == "message" and step["message"] == answer.json["message"]
    ]
    assert step["trace"] == trace
    assert f"trace {trace}" in step["detail"]


def _trace(trace):
    return f"00-{trace}-00f067aa0ba902b7-00"
