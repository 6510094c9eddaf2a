"""Going live: another integration feeds the ERP, and loses, doubles and mistotals; the hub observes, and says which."""

import re

import msgspec
import pytest

from crossdock.bootstrap.hub import Hub
from crossdock.config import load_config
from crossdock.config.keys import read_key
from crossdock.connectors.erp.connector import build
from crossdock.engine.messages import Arrival
from crossdock.model.commands import Poll
from crossdock.simulator.base import SECOND, SimRequest
from crossdock.simulator.erp import ErpSimulator
from tests.cli.hub import CONFIG, SECRETS, order, work
from tests.connectors.driving import FIRST, Wire, drive

TEN = 1_772_359_200 * SECOND
"""2026-03-01T10:00:00Z, when every order of these tests was placed."""
HOUR = 3600 * SECOND
OBSERVING = CONFIG.replace(
    'connector = "shopify"\n', 'connector = "shopify"\nmode = "observe"\nsince = 2026-03-01\n'
).replace(
    'token = "${ERP_TOKEN}"',
    'token = "${ERP_TOKEN}"\nchannels = "Web=shop"\nfeeds = ["sales"]\npoll_every_s = 60\npage_size = "3"',
)


class Present:
    """The integration that is there now: it writes into the ERP by names of its own."""

    def __init__(self):
        self.erp = ErpSimulator({"token": SECRETS["ERP_TOKEN"]}, 1)
        self.made = 0

    def sale(self, order_id, total=2000, *, at=TEN + 60 * SECOND, **names):
        self.made += 1
        line = {"line_id": "1", "sku": "MUG", "quantity": 1, "net": total, "tax": 0, "gross": total}
        fields = {"reference": f"OLD-{self.made}", "channel": "Web", "channel_order": str(order_id)}
        fields |= {"currency": "EUR", "exponent": 2, "total": total, "lines": [line], **names}
        headers = {"authorization": f"Bearer {SECRETS['ERP_TOKEN']}"}
        request = SimRequest(method="POST", path="/sales", headers=headers, body=msgspec.json.encode(fields))
        assert self.erp.handle(request, at).status == 201


def read_sales(folder, present, now):
    """Read the ERP's feed to its end, as a schedule does, and decide on it."""
    config = load_config(folder / "crossdock.toml", SECRETS)
    connector = build({**config.connections["erp"].settings})
    wire = Wire(present.erp, connector.request_headers())
    hub = Hub(config, master_key=read_key(config.hub.key))
    cursor, more = "", True
    try:
        while more:
            page = drive(connector.poll(Poll(feed="sales", cursor=cursor), FIRST), wire)
            cursor, more = page.cursor, page.more
            headers = {"cursor": cursor, "more": ""}
            arrival = Arrival(
                source="erp", kind=page.kind, body=page.body, headers=headers, ref_kind="feed", ref="sales"
            )
            hub.store.accept([arrival], now)
            while hub.pipeline.step(now):
                pass
    finally:
        hub.store.close()


@pytest.fixture
def observed(cli):
    (cli.folder / "crossdock.toml").write_text(OBSERVING)
    assert cli("init").exit_code == 0
    return cli


def orders(*numbers, **fields):
    return [("orders/create", order(number, **fields)) for number in numbers]


def test_what_the_present_integration_does_otherwise_is_named_to_the_cent(observed):
    present = Present()
    work(observed.folder, orders(1001, 1002, 1003, 1004, 1005, 1006, 1007))
    present.sale(1001)
    present.sale(1002, 1999)
    present.sale(1004)
    present.sale(1004)
    present.sale(1005, at=TEN + 3 * HOUR)
    present.sale("", number="#1006")
    present.sale(1007, currency="USD")
    present.sale(9999, 4711, number="#9999")
    read_sales(observed.folder, present, TEN + 4 * HOUR)
    found = observed.json("compare", "--since", "2026-03-01", code=1)
    assert (found["orders"], found["agree"], found["early"]) == (7, 2, 0)
    assert [(f["kind"], f["number"], f["amount"], f["currency"]) for f in found["findings"]] == [
        ("missing", "#1003", 2000, "EUR"),
        ("doubled", "#1004", 2000, "EUR"),
        ("total", "#1002", -1, "EUR"),
        ("currency", "#1007", 2000, "USD"),
        ("late", "#1005", 2000, "EUR"),
        ("unknown", "#9999", 4711, "EUR"),
    ]
    assert [(s["kind"], s["currency"], s["findings"], s["amount"]) for s in found["sums"]][:3] == [
        ("missing", "EUR", 1, 2000),
        ("doubled", "EUR", 1, 2000),
        ("total", "EUR", 1, 1),
    ]
    doubled = found["findings"][1]
    assert doubled["documents"] == ["S3", "S4"]
    assert found["findings"][4]["late_s"] == 3 * 3600
    text = observed("compare").stdout
    assert "7 orders: 2 agree, 0 are too young to say." in text
    assert re.search(r"#1003\s+shop\s+not in the ERP\s+20\.00\s+20\.00", text)
    assert re.search(r"#1002\s+shop\s+another total\s+-0\.01\s+20\.00\s+19\.99", text)
    assert re.search(r"#1005\s+shop\s+late by 3 h 0 min", text)


def test_nothing_was_sent_while_the_hub_observed(observed):
    work(observed.folder, orders(1001))
    assert observed.json("orders")[0]["stage"] == "observed"
    assert observed.json("status")["effects"] == []


def test_an_integration_that_does_what_we_would_do_ends_with_zero(observed):
    present = Present()
    work(observed.folder, orders(1001, 1002))
    present.sale(1001)
    present.sale(1002)
    read_sales(observed.folder, present, TEN + 2 * HOUR)
    found = observed.json("compare")
    assert (found["agree"], found["findings"]) == (2, [])
    assert "The ERP holds what we would have booked." in observed("compare").stdout


def test_an_order_that_was_told_of_first_by_the_erp_is_one_order(observed):
    present = Present()
    present.sale(1001)
    read_sales(observed.folder, present, TEN + 2 * HOUR)
    work(observed.folder, orders(1001))
    assert observed.json("compare")["agree"] == 1
    assert observed.json("proof")["ok"]


def test_what_may_still_come_is_not_missing(observed):
    present = Present()
    work(observed.folder, orders(1001, 1002))
    present.sale(1001)
    read_sales(observed.folder, present, TEN + HOUR // 2)
    found = observed.json("compare")
    assert (found["agree"], found["early"], found["findings"]) == (1, 1, [])
    assert observed.json("compare", "--late-after", "60", code=1)["findings"][0]["number"] == "#1002"


def test_a_sale_that_was_cancelled_and_made_anew_is_no_double(observed):
    present = Present()
    work(observed.folder, orders(1001))
    present.sale(1001, 1500)
    sale = present.erp.sales["S1"]
    sale.cancelled = dict(sale.lines)
    present.erp._tell(sale)
    present.sale(1001)
    read_sales(observed.folder, present, TEN + 2 * HOUR)
    assert observed.json("compare")["agree"] == 1


def test_orders_before_the_time_are_nobodys_question(observed):
    present = Present()
    work(observed.folder, orders(1001, 1002))
    present.sale(1002, 1)
    read_sales(observed.folder, present, TEN + 2 * HOUR)
    found = observed.json("compare", "--since", "2026-03-01T10:00:01+00:00")
    assert (found["orders"], found["findings"]) == (0, [])


def test_without_the_feed_nothing_is_said(observed):
    work(observed.folder, orders(1001))
    result = observed("compare")
    assert result.exit_code == 2
    assert 'feeds = ["sales"]' in result.stderr


def test_a_since_that_is_no_time_is_told(observed):
    assert "is no time" in observed("compare", "--since", "lately").stderr
