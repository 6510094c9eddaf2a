"""The API under schemathesis, from its own OpenAPI document: no request makes a 5xx, and every answer is as described."""

import contextlib
import json
import time

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.budget import ANSWER_S, examples
from tests.fuzz.mutate import bodies_of
from tests.gateway.serving import order, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
ACT = {"actor": "ann", "reason": "looked"}
BODIES = {
    "/v1/orders": order(external_id="FZ"),
    "/v1/orders/A-1/cancel": ACT | {"lines": [{"line": "1", "quantity": 1}]},
    "/v1/orders/A-1/release-hold": ACT | {"code": "fraud"},
    "/v1/cases/1/edit": ACT | {"body": "{}", "body_base64": ""},
    "/v1/cases/1/done": ACT | {"reference": "S1"},
    "/v1/replays": ACT
    | {"connection": "warehouse", "since": "2026-01-01T00:00:00Z", "limit": 3, "after": ""},
}
TYPES = st.sampled_from(
    ("application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data", "")
)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with served(tmp_path_factory.mktemp("hub")) as found:
        found.order("one", external_id="A-1", number="#1")
        found.parked("B-1")
        yield found


@pytest.fixture(scope="module")
def schema(api):
    return schemathesis.openapi.from_dict(api.get("/schema/openapi.json").json)


@pytest.mark.fault(47)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_no_request_makes_the_api_fail_and_every_answer_is_as_described(api, schema, mode):
    unsatisfiable = [Unsatisfiable] if mode is GenerationMode.NEGATIVE else []  # nothing to get wrong
    for operation in [found.ok() for found in schema.get_all_operations()]:

        @examples(15)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            began = time.monotonic()
            headers = {"authorization": f"Bearer {api.token}"}
            reply = case.call(base_url=api.url, headers=headers, timeout=ANSWER_S)
            case.validate_response(reply, checks=CHECKS)
            assert time.monotonic() - began < ANSWER_S

        with contextlib.suppress(*unsatisfiable):
            ask()


@pytest.mark.fault(47)
@given(data=st.data())
@examples(150)
def test_no_body_makes_the_api_fail(api, data):
    require_told(api, data.draw(st.sampled_from(sorted(BODIES.items()))), data)


def require_told(api, asked, data):
    """A body of one request, mutated, is answered in time, and where it is refused, in words."""
    path, body = asked
    mutated = data.draw(bodies_of(json.dumps(body).encode()))
    headers = {"idempotency-key": str(hash(mutated)), "content-type": data.draw(TYPES)}
    began = time.monotonic()
    reply = api.post(path, mutated, **headers)
    assert time.monotonic() - began < ANSWER_S
    assert reply.status < 500, reply.text
    if reply.status >= 400:
        assert reply.json["detail"]
        assert reply.headers["content-type"] == "application/problem+json"
