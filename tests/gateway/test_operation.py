import json

import apsw
import pytest
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from crossdock.config import keys
from crossdock.errors import ConfigurationError
from crossdock.gateway.server import HubServer, free_port
from tests.gateway.serving import order

OPEN = ("/healthz", "/readyz")
GUARDED = ["/v1/orders", "/v1/orders/CD0000000001", "/v1/cases", "/v1/overview", "/v1/proof", "/metrics"]


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", "Basic QTpC", "Bearer t\u00f6ken", "Bearer " + "x" * 5000],
)
def test_nobody_asks_without_a_token(api, path, authorization):
    reply = api.get(path, authorization=authorization)
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.headers["content-type"] == "application/problem+json"


def test_nobody_posts_without_a_token(api):
    reply = api.post("/v1/orders", order(external_id="no"), idempotency_key="no", authorization=None)
    assert reply.status == 401
    assert api.get("/v1/orders/no").status == 404


def test_a_new_token_is_taken_and_a_withdrawn_one_is_not_without_a_restart(api):
    path = api.hub.config.hub.tokens
    before = path.read_bytes()
    token = keys.add_token(path, "Bob")
    assert api.get("/v1/overview", authorization=f"Bearer {token}").status == 200
    path.write_bytes(before)
    assert api.get("/v1/overview", authorization=f"Bearer {token}").status == 401
    path.write_bytes(b"damaged")
    assert api.get("/v1/overview").status == 200
    path.write_bytes(before)


def test_signs_of_life_need_no_token(api):
    for path in OPEN:
        assert api.get(path, authorization=None).status == 200


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/orders/x/y/z", "/in"])
def test_an_unknown_path_is_a_problem(api, path):
    reply = api.get(path)
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_a_problem(api):
    assert api.ask("DELETE", "/v1/orders").status == 405
    assert api.get("/in/warehouse").status == 405


def test_the_overview_tells_what_is_where(api):
    api.order("ov", external_id="OV-1")
    api.parked("OV-2")
    found = api.until(lambda: _with_cases(api.get("/v1/overview").json))
    source = next(each for each in found["sources"] if each["source"] == "api")
    assert source["accepted"] == source["processed"] + source["parked"] + source["in_flight"]
    assert source["balanced"]
    assert {each["name"]: each["mode"] for each in found["connections"]} == {
        "warehouse": "live",
        "erp": "live",
        "tills": "live",
    }
    erp = api.until(
        lambda: next(c for c in api.get("/v1/overview").json["connections"] if c["name"] == "erp")
    )
    assert erp["waiting"] >= 1
    assert [each["stage"] for each in found["stages"]] == ["waiting_stock"]


def _with_cases(found):
    reasons = {case["reason"] for case in found["cases"]}
    return found if {"mapping", "stock.short"} <= reasons else None


def test_a_partner_that_does_not_answer_is_told_in_words(api):
    for n in range(6):
        api.order(f"na{n}", external_id=f"NA-{n}")

    def erp():
        found = api.get("/v1/overview").json["connections"]
        return next((c for c in found if c["name"] == "erp" and c["state"] == "not_answering"), None)

    assert "does not answer" in api.until(erp)["text"]
    waits = api.get("/v1/orders/NA-0/timeline").json["waits"]
    assert any("erp does not answer" in wait["why"] for wait in waits)


def test_the_proof_counts_every_invariant(api):
    api.order("pr", external_id="PR-1")
    found = api.get("/v1/proof").json
    assert found["ok"], [check for check in found["checks"] if not check["ok"]]
    assert {check["letter"] for check in found["checks"]} >= set("abcdefgij")


def test_metrics_say_that_the_invariants_hold_though_nobody_asked_for_a_proof(api):
    api.until(lambda: 'crossdock_invariant_ok{letter="h"' in api.get("/metrics").text)
    assert "crossdock_proof_time_seconds" in api.get("/metrics").text


def test_metrics_say_what_the_overview_says(api):
    api.order("me", external_id="ME-1")
    api.until(lambda: 'crossdock_messages_total{outcome="accepted",source="api"}' in api.get("/metrics").text)
    reply = api.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(reply.text)}
    samples = {
        (sample.labels["source"], sample.labels["outcome"]): sample.value
        for sample in families["crossdock_messages"].samples
    }
    held = {
        (sample.labels["source"], sample.labels["state"]): sample.value
        for sample in families["crossdock_messages_held"].samples
    }
    assert samples["api", "accepted"] == samples["api", "processed"] + sum(
        held["api", state] for state in ("in_flight", "parked")
    )
    states = [s.labels["state"] for s in families["crossdock_connection_state"].samples if s.value]
    assert len(states) == 3
    assert all(family.documentation for name, family in families.items() if name.startswith("crossdock"))


def test_metrics_count_what_retention_has_removed(api):
    api.order("expired", external_id="EXPIRED-1")
    database = apsw.Connection(str(api.hub.config.hub.store))
    database.set_busy_timeout(5_000)
    database.execute("insert or replace into counter values ('api', 'bodies_expired', 7)")
    database.close()

    def expired():
        families = {f.name: f for f in text_string_to_metric_families(api.get("/metrics").text)}
        samples = families["crossdock_expired"].samples
        return {(s.labels["source"], s.labels["what"]): s.value for s in samples}

    assert api.until(lambda: expired().get(("api", "bodies")) == 7)
    assert expired()["api", "deliveries"] == 0


def test_metrics_tell_of_a_hub_of_one_process(api):
    families = {f.name: f for f in text_string_to_metric_families(api.get("/metrics").text)}
    (memory,) = families["process_resident_memory_bytes"].samples
    assert (memory.labels, memory.value > 1e6) == ({"part": "hub"}, True)


def test_stock_is_told_per_location(api):
    levels = {
        "location": "MAIN",
        "as_of": "2026-03-01T00:00:00Z",
        "levels": [{"sku": "TEA", "on_hand": 7}],
    }
    assert api.deliver("warehouse", "stock.snapshot", levels).status == 200
    found = api.until(lambda: _found(api.get("/v1/stock/TEA")))
    assert (found["available"], found["levels"][0]["location"]) == (7, "main")
    assert found["levels"][0]["as_of"] == "2026-03-01T00:00:00Z"
    api.order("tea", external_id="TEA-1", lines=order()["lines"], number="#tea")
    levels["levels"] = [{"sku": "TEA/GREEN/1", "on_hand": 3}, {"sku": "A//B", "on_hand": 4}]
    assert api.deliver("warehouse", "stock.snapshot", levels).status == 200
    for path in ("TEA/GREEN/1", "TEA%2FGREEN%2F1"):
        found = api.until(lambda path=path: _found(api.get(f"/v1/stock/{path}")))
        assert (found["sku"], found["available"]) == ("TEA/GREEN/1", 3)
    assert api.until(lambda: _found(api.get("/v1/stock/A%2F%2FB")))["available"] == 4
    missing = api.get("/v1/stock/NONE")
    assert (missing.status, missing.json["title"]) == (404, "Not found")


def _found(reply):
    return reply.json if reply.status == 200 else None


def test_a_delivery_that_is_not_signed_is_refused(api):
    reply = api.post("/in/warehouse", b"{}", x_crossdock_signature="\u00fc", authorization=None)
    assert reply.status == 401


def test_the_description_of_the_api_is_valid_and_complete(api):
    reply = api.get("/schema/openapi.json", authorization=None)
    assert reply.status == 200
    described = json.loads(reply.body)
    validate(described)
    assert set(described["paths"]) == {
        "/healthz",
        "/metrics",
        "/readyz",
        "/v1/cases",
        "/v1/cases/{case}",
        "/v1/cases/{case}/done",
        "/v1/cases/{case}/edit",
        "/v1/cases/{case}/release",
        "/v1/cases/{case}/resolve",
        "/v1/cases/{case}/retry",
        "/v1/events/replays",
        "/v1/orders",
        "/v1/orders/{order}",
        "/v1/orders/{order}/cancel",
        "/v1/orders/{order}/erase",
        "/v1/orders/{order}/postings",
        "/v1/orders/{order}/release-hold",
        "/v1/orders/{order}/timeline",
        "/v1/overview",
        "/v1/proof",
        "/v1/replays",
        "/v1/stock/{sku}",
    }
    for path, item in described["paths"].items():
        for operation in item.values():
            assert operation["summary"]
            assert operation["description"] or path == "/healthz"
            assert bool(operation.get("security")) == (path not in OPEN), path
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, item in described["paths"].items():
        for method, operation in item.items():
            errors = {status: a for status, a in operation["responses"].items() if status >= "400"}
            assert all(answer["content"] == problem for answer in errors.values()), path
            if path not in OPEN:
                assert errors.keys() >= {"400", "401", "404", "405", "409", "503"}
                assert (errors.keys() >= {"413", "422"}) == (method == "post")
    assert described["components"]["schemas"]["Problem"]["properties"].keys() >= {"title", "detail", "field"}
    posted = described["paths"]["/v1/orders"]["post"]["requestBody"]["content"]["application/json"]
    name = posted["schema"]["$ref"].rpartition("/")[2]
    assert {"external_id", "buyer_total", "lines"} <= set(
        described["components"]["schemas"][name]["properties"]
    )


def test_a_port_that_is_taken_is_told_before_anything_starts(api):
    with pytest.raises(ConfigurationError, match="cannot be listened on"):
        HubServer(api.hub, port=api.port)
    assert free_port("127.0.0.1", 0) > 0


def test_a_failing_thread_makes_the_hub_not_ready(api, monkeypatch):
    class Dead:
        name = "crossdock-pipeline"

        def is_alive(self):
            return False

    monkeypatch.setattr(api.hub, "_threads", [*api.hub._threads, Dead()])
    reply = api.get("/readyz", authorization=None)
    assert reply.status == 503
    assert "crossdock-pipeline" in reply.json["detail"]


@pytest.mark.fault(53)
@pytest.mark.parametrize("name", ["host", "origin", "cookie", "accept", "traceparent", "authorization"])
@pytest.mark.parametrize("value", ["", "[", "http://[", "\u00fc", "a=b=c;;", "0" * 9000])
def test_no_header_makes_the_hub_fail(api, name, value):
    for method, path in (("GET", "/"), ("GET", "/orders?q=1"), ("POST", "/login"), ("GET", "/v1/overview")):
        assert api.ask(method, path, b"" if method == "POST" else None, **{name: value}).status < 500


@pytest.mark.fault(52)
@pytest.mark.parametrize(
    "path", ["/%ff", "/orders/%ff", "/v1/orders?number=%ff", "/v1/stock/%00", "/assets/..%2f", "//"]
)
def test_no_path_makes_the_hub_fail(api, path):
    assert api.get(path).status < 500
