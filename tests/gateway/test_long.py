"""Names that are too long to find anything by: refused at once where we are asked, kept and told where a partner tells."""

import pytest

from crossdock.testing.store_case import long_text
from tests.gateway.serving import line, order, served
from tests.servers import PostgresServer

LONG = long_text(6_000, 1)
AT = "2026-03-28T12:00:00Z"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def hub(request, tmp_path_factory):
    """A served hub on each of the stores."""
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        with served(folder) as api:
            yield api
        return
    server = PostgresServer()
    try:
        server.start()
        with served(folder, database=server.database()) as api:
            yield api
    finally:
        server.remove()


@pytest.mark.fault(47)
@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("order.external_id", {"external_id": LONG}),
        ("order.number", {"number": LONG}),
        ("order.version", {"version": LONG}),
        ("line.sku", {"lines": [line(sku=LONG)]}),
    ],
)
def test_an_order_under_a_name_that_is_too_long_is_refused_by_its_field(hub, field, fields):
    refused = hub.post("/v1/orders", order(**({"external_id": "L"} | fields)), idempotency_key=field)
    assert refused.status == 400
    assert f"{field}: it has 6000 characters, and up to 255 are taken" in refused.json["detail"]
    assert hub.order(f"after {field}", external_id=f"after {field}")


@pytest.mark.fault(47)
@pytest.mark.parametrize(
    ("field", "event"),
    [("order_id", {"order_id": LONG}), ("id", {"id": LONG})],
)
def test_an_event_about_a_name_that_is_too_long_is_kept_and_its_case_names_the_field(hub, field, event):
    shipment = {"id": "S1", "order_id": f"unknown {field}", "request_id": "R1", "shipped_at": AT}
    shipment["lines"] = [{"line_id": "1", "sku": "MUG", "quantity": 1}]
    assert hub.deliver("warehouse", "shipment.created", shipment | event).status == 200
    found = hub.until(
        lambda: [case for case in hub.get("/v1/cases?limit=200").json["cases"] if case["field"] == field]
    )
    assert "at most 255 characters, and has 6000" in found[0]["text"]
    assert hub.order(f"after {field}", external_id=f"after {field}")
