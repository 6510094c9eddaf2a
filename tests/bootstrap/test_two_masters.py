"""A real hub on its store, an ERP that is master of stock and learns late: the way of a statement through all of it."""

import json

from crossdock.bootstrap.hub import Hub
from crossdock.config import load_config
from crossdock.config.keys import make_key, read_key
from crossdock.connectors.erp.connector import build
from crossdock.engine.messages import HUB, LANE_FREE, SETTLED, Arrival, Settled
from crossdock.model.commands import Poll
from crossdock.simulator.base import SECOND
from crossdock.simulator.erp import ErpSimulator
from tests.cli.hub import CONFIG, SECRETS, order
from tests.connectors.driving import FIRST, Wire, drive

NOON = 1_772_366_400 * SECOND
MASTER = CONFIG + '[authority]\nstock = "erp"\n'


class Retailer:
    """A hub whose effects nobody performs: each is done when the test says so."""

    def __init__(self, folder):
        (folder / "crossdock.toml").write_text(MASTER)
        config = load_config(folder / "crossdock.toml", SECRETS)
        config.hub.key.parent.mkdir(parents=True, exist_ok=True)
        make_key(config.hub.key)
        self.hub = Hub(config, master_key=read_key(config.hub.key))
        self.erp = ErpSimulator({"token": "erp-token", "location": "main", "stock": {"MUG": 10}}, 1)
        self.wire = Wire(self.erp, {"authorization": "Bearer erp-token"})
        self.now = self.wire.now = NOON
        self.cursor = ""

    def take(self, source, kind, body, **more):
        self.now += SECOND
        self.wire.now = self.now
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        arrival = Arrival(source=source, kind=kind, body=raw, **more)
        (receipt,) = self.hub.store.accept([arrival], self.now)
        while self.hub.pipeline.step(self.now):
            pass
        return receipt.subject

    def page(self):
        """What the ERP's feed says, before it comes."""
        self.wire.now = self.now
        return drive(
            build({"token": "erp-token"}).poll(Poll(feed="stock", cursor=self.cursor), FIRST), self.wire
        )

    def comes(self, page):
        self.cursor = page.cursor
        self.take("erp", page.kind, page.body, headers={"cursor": page.cursor, "more": ""})

    def settles(self, subject, operation, intent, **more):
        settled = Settled(
            effect=1, connection="erp", operation=operation, intent=intent, outcome="done", **more
        )
        body = json.dumps({k: getattr(settled, k) for k in settled.__struct_fields__}).encode()
        self.take(HUB, SETTLED, body, subject=subject, lane=LANE_FREE)

    def stock(self):
        """(on hand, what the ERP was not told)."""
        reads = self.hub.store.reads()
        levels, untold = reads.levels(["MUG"]), dict(reads.rows("untold_of", "MUG"))
        reads.close()
        return levels["MUG", "main"].on_hand, untold.get("main", 0)


def test_a_midday_statement_brings_back_nothing_and_in_the_end_both_hold_the_same(tmp_path):
    retailer = Retailer(tmp_path)
    retailer.comes(retailer.page())
    assert retailer.stock() == (10, 0)
    subject = retailer.take(
        "shop",
        "orders/create",
        order(1001),
        headers={"x-shopify-topic": "orders/create"},
        ref_kind="order",
        ref="1001",
    )
    name = f"CD{subject:010d}"
    lines = [{"line_id": "10010", "sku": "MUG", "quantity": 2}]
    shipment = {"order_id": name, "request_id": f"{name}-1", "id": "S1", "lines": lines}
    shipment |= {"location": "main", "shipped_at": "2026-03-01T12:00:01Z", "packages": []}
    retailer.take("wms", "shipment.created", shipment, ref_kind="hub", ref=name)
    assert retailer.stock() == (8, -2)

    retailer.erp.feeds.move("MUG", 1, retailer.erp.feeds.moment(retailer.now))
    before = retailer.page()
    retailer.settles(subject, "create_sale", "sale", reference="S1", total=2000)
    at = retailer.erp.feeds.moment(retailer.now + SECOND)
    retailer.erp.feeds.move("MUG", -2, at)
    after = retailer.page()
    retailer.comes(before)
    assert retailer.stock() == (9, -2)
    retailer.comes(after)
    assert retailer.stock() == (7, -2)
    (intent,) = [
        row[0]
        for row in retailer.hub.store._db.connection.execute(
            "select intent from outbox where operation = 'create_delivery'"
        )
    ]
    retailer.settles(subject, "create_delivery", intent, reference="D1", booked_at=at)
    assert retailer.stock() == (9, 0)
    assert retailer.erp.feeds.on_hand == {"MUG": 9}
    retailer.hub.store.close()
