"""Tills at a hub that is served: signed over HTTP, seen on its pages, settled by a person, and the proof holds."""

import pytest

from tests.console.pages import Console
from tests.flows.stores import line, ticket, z_report, z_till
from tests.gateway import serving

CONFIG = """\
[hub]
name = "test"
[connections.pos]
connector = "till"
webhook_secret = "${SECRET}"
[connections.erp]
connector = "erp"
url = "http://127.0.0.1:9"
token = "${TOKEN}"
[routes.pos]
erp = "erp"
post = "day"
[locations.berlin]
zone = "Europe/Berlin"
[limits]
body_bytes_max = 1000000
[policies]
day_settle_s = 0
[policies.retries]
base_s = 3600
cap_s = 3600
"""


@pytest.fixture
def api(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "CONFIG", CONFIG)
    with serving.served(tmp_path) as found:
        yield found


def held(api):
    """Orders: tickets, and the day."""
    with api.hub.reads() as reads:
        return reads.rows("order_count")[0][0]


@pytest.mark.serial
def test_a_day_over_http_from_its_tickets_to_a_persons_word(api):
    assert api.post("/in/pos", b"{}", authorization=None, x_crossdock_event="ticket").status == 401
    upload = {"tickets": [ticket(n) for n in range(2, 120)], "control": {"tickets": 118, "total": 118_000}}
    assert api.deliver("pos", "ticket", ticket(1, line(quantity=3))).status == 200
    assert api.deliver("pos", "tickets", upload).status == 200
    api.until(lambda: held(api) == 120)
    close = z_report(z_till(last=119, cash=3000 + 118_000 + 1))
    assert api.deliver("pos", "day.closed", close).status == 200
    case = api.until(
        lambda: next(
            (
                case
                for case in api.get("/v1/cases?state=open&limit=200").json["cases"]
                if case["reason"] == "store_day.difference" and "1210.00 EUR" in case["text"]
            ),
            None,
        )
    )
    for part in ("berlin", "till T1", "cash", "1210.01 EUR", "-0.01 EUR"):
        assert part in case["text"]
    day = case["order"]
    summary = api.get(f"/v1/orders/{day}").json["summary"]
    assert summary["stage"] == "day_closed"
    console = Console(api).log_in()
    assert all(console.get(path).status == 200 for path in (f"/orders/{day}", "/orders", "/cases", "/"))
    released = api.post(
        f"/v1/orders/{day}/release-hold", {"actor": "ann", "reason": "a cent", "code": "difference"}
    )
    assert released.status == 202, released.text
    (posted,) = api.until(lambda: api.get(f"/v1/orders/{day}/postings").json)
    assert (posted["connection"], posted["kind"], posted["total"], len(posted["facts"])) == (
        "erp",
        "store_day",
        121_000,
        120,
    )
    (one,) = api.get("/v1/orders?number=berlin/T1/7").json["orders"]
    assert api.get(f"/v1/orders/{one['id']}/postings").json == [posted]
    assert {"kind": "ticket", "id": "berlin/T1/7"} in posted["facts"]
    proof = api.get("/v1/proof").json
    assert [check for check in proof["checks"] if not check["ok"]] == []
