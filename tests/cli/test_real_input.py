"""The real input: what Shopify sent, fed by one command into a hub whose partners answer, and the ERP's books read back."""

import json
from copy import deepcopy
from decimal import Decimal

import pytest

from crossdock.sdk.webhooks import sign
from tests.bootstrap.waiting import eventually
from tests.cli.conftest import Cli
from tests.faults.here import retailer
from tests.faults.retailer import SECRETS, SKUS

pytestmark = [pytest.mark.serial, pytest.mark.slow]

RECORDED = "specs/shopify/webhooks_hookdeck"
FIXTURES = "specs/shopify/rest_fixtures_shopify_python_api"
SHOPS = {"shop": "2023-01", "market": "2024-10"}
"""Two shops: what was recorded under each version of the API is one shop's word on one order."""
ERPS = {"shop": "erp_key", "market": "erp_lookup"}
SOLD = ("1", "IPOD2008PINK")
"""What the samples sell."""
OTHER_CURRENCY_FIRST = 194
"""The order in which the oldest version, which is in another currency than all others, comes first."""


@pytest.fixture
def hub(tmp_path):
    """A shop, a second one, their ERPs and a warehouse, over loopback; orders marked as tests are treated like others."""
    shop = {"skus": [*(f"SKU-{n + 1:04d}" for n in range(SKUS)), *SOLD], "documents": True}
    slowly = {"ship_after_s": 1.5}  # the word that an order is cancelled comes in time
    with retailer(tmp_path, policies="post_test_orders = true", shop=shop, market=shop, wms=slowly) as found:
        yield found


@pytest.fixture
def cli(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Cli(tmp_path)
    made.env |= {**SECRETS, "CROSSDOCK_TOKEN": hub.token}
    return made


def read(path):
    return json.loads(path.read_text())


def cents(text):
    return int(Decimal(text) * 100)


def newest(folder):
    """The order as its newest version says it: what must stand in the ERP in the end."""
    orders = [read(path)["body"] for path in folder.glob("orders.*.json")]
    return max((order for order in orders if "total_price" in order), key=lambda order: order["updated_at"])


def feed(cli, connection, folder, seed):
    """Twice and out of order, by the command; nothing is refused, and each is known when it comes again."""
    fed = cli.json("feed", "--connection", connection, "--times", "2", "--shuffle", "--seed", seed, folder)
    count = len(list(folder.rglob("*.json")))
    assert (fed["accepted"], fed["repeated"], fed["refused"], fed["failed"]) == (count, count, 0, 0)


def at_rest(hub):
    """Wait until nothing that was fed is on its way, and no call is to be made; the hub's own timers may run."""

    def moving():
        ready = [
            row for row in hub.rows("inbox_by_state") if row[1] == 0 or (row[1] == 1 and row[0] in SHOPS)
        ]
        return ready + [row for row in hub.rows("outbox_by_state") if row[1] != "poll"]

    eventually(lambda: not moving(), 25.0, 0.1, moving)


def sale(hub, channel, order_id):
    """The one sale of an order in its channel's ERP."""
    (found,) = [s for s in hub.state(ERPS[channel])["documents"] if s["channel_order"] == str(order_id)]
    return found


@pytest.mark.parametrize("seed", [1, 2, OTHER_CURRENCY_FIRST])
def test_what_shopify_recorded_stands_once_in_the_erp_to_the_cent_and_cancelled_as_it_says(
    hub, cli, shared, seed
):
    for channel, version in SHOPS.items():
        feed(cli, channel, shared / RECORDED / version, seed)
    at_rest(hub)
    for channel, version in SHOPS.items():
        order = newest(shared / RECORDED / version)
        state = hub.state(ERPS[channel])
        assert (state["sales"], state["doubles"]) == (1, {})
        found = sale(hub, channel, order["id"])
        assert (found["total"], found["currency"]) == (cents(order["total_price"]), order["currency"])
        assert sum(found["gross"].values()) + shipping(order) == found["total"]
        assert order["cancelled_at"]
        assert found["cancelled"] == found["lines"] == {str(line["id"]): 1 for line in order["line_items"]}
        assert (found["delivered"], found["invoiced"]) == ({}, {})
    assert hub.state("wms")["documents"] == []  # nothing of what is cancelled is ever released
    assert cli.json("proof")["ok"] is True
    cases = cli.json("cases", "--limit", "1000")
    refunded = {"refund.other_currency"} if seed == OTHER_CURRENCY_FIRST else set()
    assert {case["reason"] for case in cases} == {"location.unknown"} | refunded
    assert {case["about"] for case in cases if case["reason"] == "location.unknown"} == {
        str(read(path)["body"]["location_id"])
        for path in (shared / RECORDED).glob("*/inventory_levels.*.json")
    }


def shipping(order):
    return sum(cents(line["discounted_price"]) for line in order["shipping_lines"])


# The recorded orders are all cancelled when they come. These live first: the recorded bodies, with another id and another end.


def alive(body, order_id, at="2021-12-31T18:40:00-05:00", **changed):
    """An order as the shop would have told it before anything befell it."""
    unpaid = {"cancelled_at": None, "cancel_reason": None, "closed_at": None, "fulfillment_status": None}
    times = {"created_at": "2021-12-31T18:30:00-05:00", "updated_at": at}
    return {**deepcopy(body), **unpaid, **times, "id": order_id, "financial_status": "paid", **changed}


class Folder:
    """Deliveries as they would have been recorded: headers of a recorded one, with a topic and an id of their own."""

    def __init__(self, folder, headers):
        self.folder, self._headers = folder, headers
        folder.mkdir()

    def keep(self, topic, body):
        number = len(list(self.folder.iterdir())) + 1
        headers = {**self._headers, "x-shopify-topic": topic, "x-shopify-webhook-id": f"told-{number}"}
        path = self.folder / f"{number}.{topic.replace('/', '.')}.json"
        path.write_text(json.dumps({"headers": headers, "body": body}))


SHIPS, STOPPED, SHIPPED_BY_SHOP = 9001, 9002, 9003


def stories(folder, recorded):
    """Three orders: one that we ship, one that is cancelled, one that the shop says it has shipped itself."""
    headers = read(recorded / "orders.create.json")["headers"]
    body = read(recorded / "orders.create.json")["body"]
    told = Folder(folder, headers)
    told.keep("orders/create", alive(body, SHIPS))
    told.keep("orders/paid", alive(body, SHIPS, "2021-12-31T18:41:00-05:00"))
    told.keep("orders/updated", alive(body, SHIPS, "2021-12-31T18:42:00-05:00", note="ring twice"))
    told.keep("orders/create", alive(body, STOPPED))
    told.keep("orders/cancelled", {**body, "id": STOPPED, "created_at": "2021-12-31T18:30:00-05:00"})
    parcel = read(recorded / "fulfillments.create.json")["body"]
    parcel |= {"order_id": SHIPPED_BY_SHOP, "status": "success", "location_id": None}
    done = {"fulfillment_status": "fulfilled", "fulfillments": [parcel]}
    order = alive(body, SHIPPED_BY_SHOP, **done)
    for line in order["line_items"]:
        line |= {"fulfillable_quantity": 0, "fulfillment_status": "fulfilled"}
    told.keep("orders/create", order)
    told.keep("fulfillments/create", parcel)
    told.keep("orders/fulfilled", {**order, "updated_at": "2021-12-31T18:45:00-05:00"})
    return body


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_lives_is_shipped_delivered_and_invoiced_once_and_what_is_stopped_is_cancelled(
    hub, cli, shared, seed
):
    stock(hub, dict.fromkeys(SOLD, 10))
    body = stories(hub.folder / "stories", shared / RECORDED / "2024-10")
    known = hub.partners.app._simulators["shop"].orders  # the shop holds what it has told
    known |= {order: json.dumps(alive(body, order)).encode() for order in (SHIPS, STOPPED, SHIPPED_BY_SHOP)}
    feed(cli, "shop", hub.folder / "stories", seed)
    total, lines = cents(body["total_price"]), {str(line["id"]): 1 for line in body["line_items"]}
    eventually(lambda: sale(hub, "shop", SHIPS)["invoiced"] == lines, 25.0, 0.1)
    eventually(lambda: sale(hub, "shop", STOPPED)["cancelled"] == lines, 25.0, 0.1)
    at_rest(hub)
    state = hub.state("erp_key")
    assert (state["sales"], state["doubles"]) == (3, {})
    for order in (SHIPS, STOPPED, SHIPPED_BY_SHOP):
        found = sale(hub, "shop", order)
        assert (found["total"], found["currency"], found["lines"]) == (total, body["currency"], lines)
    for order in (SHIPS, SHIPPED_BY_SHOP):
        found = sale(hub, "shop", order)
        assert (found["delivered"], found["invoiced"], found["cancelled"]) == (lines, lines, {}), order
    stopped = sale(hub, "shop", STOPPED)
    assert (stopped["delivered"], stopped["invoiced"], stopped["cancelled"]) == ({}, {}, lines)
    releases = hub.state("wms")["documents"]
    ships = sale(hub, "shop", SHIPS)["reference"]
    assert [r["shipped"] for r in releases if r["order_id"] == ships] == [lines]
    assert all(r["order_id"] != sale(hub, "shop", SHIPPED_BY_SHOP)["reference"] for r in releases)
    assert hub.cases() == []
    assert cli.json("proof")["ok"] is True


def stock(hub, levels):
    """The warehouse counts what the samples sell."""
    counted = [{"sku": sku, "on_hand": quantity} for sku, quantity in levels.items()]
    body = json.dumps({"location": "MAIN", "as_of": "2026-01-01T00:00:00Z", "levels": counted}).encode()
    headers = {
        "x-crossdock-event": "stock.snapshot",
        "x-crossdock-delivery": "count-samples",
        "x-crossdock-signature": sign("wms-secret", body),
    }
    hub.post("/in/wms", headers, body)


def test_what_cannot_be_understood_stands_as_a_case_that_names_its_field(hub, cli, shared):
    fixtures = shared / FIXTURES
    headers = read(shared / RECORDED / "2023-01" / "orders.create.json")["headers"]
    told = Folder(hub.folder / "shop", headers)
    told.keep("orders/create", read(fixtures / "order.json")["order"])  # its lines come to 597.00, not 398.00
    told = Folder(hub.folder / "market", headers)
    told.keep("order_transactions/create", read(fixtures / "transaction.json")["transaction"])  # no currency
    for channel in SHOPS:
        feed(cli, channel, hub.folder / channel, 1)
    cases = eventually(lambda: found if len(found := cli.json("cases")) == 2 else None)
    assert {case["source"]: case["field"] for case in cases} == {"shop": "total_price", "market": "currency"}
    assert all(case["reason"] == "mapping" and case["text"] for case in cases)
    assert hub.state("erp_key")["documents"] == []
    assert cli.json("proof")["ok"] is True
