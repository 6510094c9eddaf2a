"""Tills that are observed: what their days come to, set against what the present integration has booked of them."""

import re

import msgspec
import pytest

from crossdock.bootstrap.hub import Hub
from crossdock.config import load_config
from crossdock.config.keys import read_key
from crossdock.connectors.erp.connector import build
from crossdock.connectors.till import TillConnector
from crossdock.engine.messages import Arrival
from crossdock.model.commands import Poll
from crossdock.simulator.base import SECOND, SimRequest
from crossdock.simulator.erp import ErpSimulator
from tests.cli.hub import CONFIG, SECRETS, order, work
from tests.connectors.driving import FIRST, Wire, drive
from tests.flows.stores import line, ticket, z_report, z_till

TILLS = TillConnector({"webhook_secret": "s"})
EVENING = 1_774_728_000 * SECOND
"""2026-03-28T20:00:00Z, when every day of these tests is closed."""
HOUR = 3600 * SECOND
FEEDS = 'feeds = ["sales", "days"]'
OBSERVING = (
    CONFIG.replace('connector = "shopify"\n', 'connector = "shopify"\nmode = "observe"\n').replace(
        'token = "${ERP_TOKEN}"',
        f'token = "${{ERP_TOKEN}}"\nchannels = "Kassen=tills"\n{FEEDS}\npoll_every_s = 60\npage_size = "2"',
    )
    + """\
[connections.tills]
connector = "till"
webhook_secret = "${SHOP_SECRET}"
mode = "observe"
[routes.tills]
erp = "erp"
post = "day"
"""
    + "".join(
        f'[locations.{name}]\nzone = "UTC"\npartner_code = "{code}"\n'
        for name, code in (
            ("berlin", "B7"),
            ("madrid", "M1"),
            ("lisbon", "L1"),
            ("porto", "P1"),
            ("faro", "F1"),
        )
    )
)


class Present:
    """The integration that is there now: it books days by names of its own."""

    def __init__(self):
        self.erp = ErpSimulator({"token": SECRETS["ERP_TOKEN"]}, 1)
        self.made = 0

    def books(self, store, total, *, day="2026-03-28", at=EVENING + 60 * SECOND, kind="days", **fields):
        self.made += 1
        lines = [{"net": total, "tax": 0, "gross": total}]
        body = {"reference": f"OLD-{self.made}", "channel": "Kassen", "store": store, "business_date": day}
        body |= {"posting_date": day, "currency": "EUR", "total": total, "lines": lines, **fields}
        self.call(f"/{kind}", body, at)

    def sale(self, channel_order, total):
        self.made += 1
        part = {"line_id": "1", "sku": "", "quantity": 1, "net": total, "tax": 0, "gross": total}
        body = {
            "reference": f"OLD-{self.made}",
            "channel": "Kassen",
            "channel_order": channel_order,
            "lines": [part],
        }
        self.call("/sales", {**body, "currency": "EUR", "exponent": 2, "total": total}, EVENING)

    def call(self, path, body, at):
        headers = {"authorization": f"Bearer {SECRETS['ERP_TOKEN']}"}
        if path == "/credits":
            body["lines"] = [{**each, "quantity": -1} for each in body["lines"]]
        request = SimRequest(method="POST", path=path, headers=headers, body=msgspec.json.encode(body))
        answer = self.erp.handle(request, at)
        assert answer.status == 201, answer.body


def opened(folder):
    config = load_config(folder / "crossdock.toml", SECRETS)
    return Hub(config, master_key=read_key(config.hub.key))


def take(hub, arrival, now):
    hub.store.accept([arrival], now)
    while hub.pipeline.step(now):
        pass


def trade(folder, *tickets, closed=True, store="berlin"):
    """A store's day: its tickets, numbered, and its Z report."""
    sold = [ticket(n, *lines, store=store) for n, lines in enumerate(tickets, start=1)]
    cash = sum(each["total"] for each in sold)
    told = [("ticket", each) for each in sold]
    if closed:
        report = z_report(z_till(first=1, last=len(sold), cash=cash), store=store)
        told.append(("day.closed", report | {"at": "2026-03-28T20:00:00Z"}))
    hub = opened(folder)
    try:
        for kind, body in told:
            raw = msgspec.json.encode(body)
            gate = TILLS.gate({"x-crossdock-event": kind, "x-crossdock-delivery": ""}, raw)
            arrival = Arrival(
                source="tills",
                kind=gate.kind,
                body=raw,
                ref_kind=gate.ref_kind,
                ref=gate.ref,
                delivery_id=gate.delivery_id,
            )
            take(hub, arrival, EVENING)
        for now in (EVENING + 1, EVENING + HOUR):
            hub.store.wake(now)
            while hub.pipeline.step(now):
                pass
    finally:
        hub.store.close()


def read(folder, present, now, feeds=("sales", "days")):
    config = load_config(folder / "crossdock.toml", SECRETS)
    connector = build({**config.connections["erp"].settings})
    wire = Wire(present.erp, connector.request_headers())
    hub = opened(folder)
    try:
        for feed in feeds:
            cursor, more = "", True
            while more:
                page = drive(connector.poll(Poll(feed=feed, cursor=cursor), FIRST), wire)
                cursor, more = page.cursor, page.more
                headers = {"cursor": cursor, "more": ""}
                arrival = Arrival(
                    source="erp", kind=page.kind, body=page.body, headers=headers, ref_kind="feed", ref=feed
                )
                take(hub, arrival, now)
    finally:
        hub.store.close()


@pytest.fixture
def observed(cli):
    (cli.folder / "crossdock.toml").write_text(OBSERVING)
    assert cli("init").exit_code == 0
    return cli


SOLD = ((line(price=1190),), (line(price=595),))
"""Two tickets, 17.85 together."""


def test_what_the_erp_holds_of_observed_days_is_compared_to_the_cent(observed):
    present = Present()
    for store in ("berlin", "madrid", "lisbon", "porto", "faro"):
        trade(observed.folder, *SOLD, store=store)
    present.books("B7", 1785)
    present.books("madrid", 1784)
    present.books("lisbon", 1785)
    present.books("lisbon", 1785)
    present.books("porto", 1785, at=EVENING + 5 * HOUR)
    present.books("berlin", 4711, day="2026-03-29")
    read(observed.folder, present, EVENING + 6 * HOUR)
    found = observed.json("compare", code=1)
    assert (found["days"], found["days_agree"], found["days_early"], found["unread"]) == (5, 1, 0, 0)
    assert [(f["kind"], f["number"], f["amount"], f["ours"], f["theirs"]) for f in found["findings"]] == [
        ("missing", "faro/2026-03-28", 1785, 1785, None),
        ("doubled", "lisbon/2026-03-28", 1785, 1785, 3570),
        ("total", "madrid/2026-03-28", -1, 1785, 1784),
        ("late", "porto/2026-03-28", 1785, 1785, 1785),
        ("unknown", "berlin/2026-03-29", 4711, None, 4711),
    ]
    assert {(s["kind"], s["amount"]) for s in found["sums"]} >= {("missing", 1785), ("total", 1)}
    text = observed("compare").stdout
    assert "5 store days: 1 agree, 0 are too young to say." in text
    assert re.search(r"faro/2026-03-28\s+tills\s+not in the ERP\s+17\.85", text)
    assert observed.json("proof")["ok"]
    assert "sale.doubled" not in {case["reason"] for case in observed.json("cases")}


def test_parts_and_credits_of_a_day_count_together(observed):
    present = Present()
    trade(observed.folder, *SOLD, (line(quantity=-1, price=300),))
    present.books("berlin", 1190)
    present.books("berlin", 595)
    present.books("berlin", -300, kind="credits")
    read(observed.folder, present, EVENING + 2 * HOUR)
    found = observed.json("compare")
    assert (found["days"], found["days_agree"], found["findings"]) == (1, 1, [])


def test_an_open_day_and_one_that_has_just_closed_are_too_young(observed):
    trade(observed.folder, *SOLD, store="berlin", closed=False)
    trade(observed.folder, *SOLD, store="madrid")
    present = Present()
    read(observed.folder, present, EVENING + HOUR // 2)
    assert observed.json("compare")["days_early"] == 2
    read(observed.folder, present, EVENING + 2 * HOUR)
    found = observed.json("compare", code=1)
    assert (found["days_early"], [f["number"] for f in found["findings"]]) == (1, ["madrid/2026-03-28"])


def test_days_whose_feed_was_never_read_are_said_to_be_left_out(observed):
    trade(observed.folder, *SOLD)
    work(observed.folder, [("orders/create", order(1001))])
    read(observed.folder, Present(), EVENING, feeds=("sales",))
    found = observed.json("compare", code=1)
    assert (found["days"], found["unread"]) == (0, 1)
    assert "are not compared" in observed("compare").stdout


def test_tickets_that_are_booked_each_are_compared_as_orders(observed):
    path = observed.folder / "crossdock.toml"
    path.write_text(OBSERVING.replace('post = "day"', 'post = "each"'))
    present = Present()
    trade(
        observed.folder,
        *SOLD,
        (line(price=800), line(quantity=-1, price=300)),
        (line(quantity=-1, price=100),),
    )
    present.sale("berlin/T1/1", 1190)
    present.sale("berlin/T1/3", 800)
    read(observed.folder, present, EVENING + 12 * HOUR)
    found = observed.json("compare", "--late-after", "36000", code=1)
    assert [(f["kind"], f["external_id"], f["amount"]) for f in found["findings"]] == [
        ("missing", "berlin/T1/2", 595)
    ]
    assert (found["orders"], found["agree"], found["days"]) == (3, 2, 0)
