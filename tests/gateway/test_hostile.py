import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.serving import order

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
FIELDS = st.sampled_from(sorted(order())) | st.sampled_from(
    ["buyer", "shipping", "holds", "tenders", "rates"]
)


@pytest.mark.fault(47)
@pytest.mark.fault(54)
@settings(max_examples=150)
@given(field=FIELDS, value=VALUES)
def test_no_order_makes_the_hub_fail(api, field, value):
    body = json.dumps(order(external_id="FZ") | {field: value}).encode()
    reply = api.post("/v1/orders", body, idempotency_key=f"fz {hash(body)}")
    assert reply.status in (202, 400, 422), reply.text
    if reply.status != 202:
        assert reply.json["detail"]
        assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.fault(47)
@settings(max_examples=100)
@given(body=st.binary(max_size=200))
def test_no_bytes_make_the_hub_fail(api, body):
    for path in ("/v1/orders", "/v1/replays", "/v1/cases/1/edit", "/v1/orders/CD0000000001/cancel"):
        assert api.post(path, body, idempotency_key="bytes").status in (400, 404)


@pytest.mark.fault(55)
@settings(max_examples=100)
@given(name=st.text(max_size=40), value=st.text(max_size=60))
def test_no_question_makes_the_hub_fail(api, name, value):
    for path in ("/v1/orders", "/v1/cases", "/orders"):
        assert api.get(f"{path}?{quote(name)}={quote(value)}&number={quote(value)}").status < 500
    if value not in ("", ".", ".."):
        assert api.get(f"/v1/orders/{quote(value, safe='')}").status < 500
