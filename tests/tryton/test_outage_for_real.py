"""Tryton stands still and then dies under load, for real: processes, threads and the machine's own clock.

What waits for Tryton may hold nobody else up. So the shop's posts are timed where they are made, and what the hub does for the
shop and the warehouse by the hub's own books.
"""

import json
import os
import signal
import sqlite3
import threading
import time
from decimal import Decimal

import pytest

from crossdock.simulator.base import SECOND
from crossdock.simulator.shopify import ShopifySimulator
from crossdock.testing import tryton
from tests.bootstrap.waiting import eventually
from tests.faults.retailer import Child, Retailer
from tests.tryton.test_outage import told_in_order
from tests.tryton.test_spine import SKUS

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.fault(19)]

EVERY_S = 1.5
BEFORE_S, FROZEN_S, DEAD_S = 5.0, 11.0, 11.0
"""How long orders come before Tryton stands still; how long it does; how long it is dead after that. They come all the while."""
PROMPT_S = 2.0
"""How soon the shop has its 2xx, its acknowledgement and the warehouse its release, on a machine that is busy."""
DRAIN_S = 150.0
"""Tryton posts an invoice or two a second, and less on a machine that is busy."""


class RealRetailer(Retailer):
    """One shop and a warehouse, simulated, and a running Tryton; the hub is the program that everybody starts."""

    def __init__(self, folder, erp):
        known = {"skus": list(SKUS)}
        quickly = {"ship_after_s": 0.5}
        super().__init__(folder, policies="erp_total_tolerance = 0", shop=known, market=known, wms=quickly)
        self._shop = ShopifySimulator({"webhook_secret": "shop-secret", "skus": SKUS}, 1)
        old = f'connector = "erp"\nurl = "{self.at}/erp_key"\ntoken = "${{ERP_TOKEN}}"'
        new = (
            f'connector = "tryton"\nurl = "{erp.server.url}"\nuser = "{tryton.USER}"\n'
            'password = "${TRYTON_PASSWORD}"\nwarehouses = "main=WH"\npayment_method = "Clearing"'
        )
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))
        self.posted, self.bodies, self.stopped = [], {}, threading.Event()

    def start(self, crash_at=""):
        arguments = ("crossdock", "up", "--config", str(self.config))
        self.hub = Child(self.folder, "hub", *arguments, TRYTON_PASSWORD=tryton.PASSWORD)
        assert self.hub.first_line, self.hub.log.read_text()

    def sell(self):
        """Post an order every while, until it is stopped; each is timed."""
        while not self.stopped.wait(EVERY_S):
            _, _, headers, body = self.order()
            began = time.monotonic()
            assert self.post("/in/shop", headers, body) == 1, "it had to be posted again"
            self.posted.append(time.monotonic() - began)
            self.bodies[json.loads(body)["name"]] = json.loads(body)

    def ask(self, sql):
        """A question to the hub's store, beside the hub."""
        with sqlite3.connect(f"file:{self.folder}/data/crossdock.db?mode=ro", uri=True) as books:
            return books.execute(sql).fetchall()

    def took(self, connection, operation):
        """By order: seconds from its arrival until this was done, by the hub's own clock."""
        rows = self.ask(
            "select e.subject, e.done_at - min(m.received_at) from effect e join message m on m.subject = e.subject "
            f"where e.connection = '{connection}' and e.operation = '{operation}' and e.outcome = 'done' "
            "and m.source = 'shop' group by e.subject"
        )
        return {subject: waited / SECOND for subject, waited in rows}

    def waiting(self, connection):
        ((count,),) = self.ask(f"select count(*) from outbox where connection = '{connection}'")
        return count

    def not_told(self):
        """What Tryton is still to be told, and what a person is asked."""
        waiting = "select operation, state, attempt, count(*) from outbox where connection = 'erp_key' group by 1, 2, 3"
        return self.ask(waiting), self.ask("select reason, text from case_file where closed_at = 0")


@pytest.fixture
def retailer(tmp_path, fresh):
    made = RealRetailer(tmp_path, fresh)
    try:
        made.start()
        made.stock()
        yield made
    finally:
        made.stopped.set()
        made.close()


def test_tryton_stands_still_and_dies_under_load_and_no_acknowledgement_is_ever_late(retailer, fresh):
    clock = threading.Event()
    seller = threading.Thread(target=retailer.sell)
    seller.start()
    try:
        clock.wait(BEFORE_S)
        eventually(lambda: retailer.took("erp_key", "create_sale"))
        os.kill(fresh.server._process.pid, signal.SIGSTOP)
        clock.wait(1.0)  # what was on its way back is here
        told = len(retailer.took("erp_key", "create_sale"))
        clock.wait(FROZEN_S - 1.0)
        fresh.server.kill()
        clock.wait(DEAD_S)
        while_gone = len(retailer.bodies) - told
        assert len(retailer.took("erp_key", "create_sale")) == told
        assert while_gone > (FROZEN_S + DEAD_S) / EVERY_S / 2
        assert retailer.waiting("erp_key") >= while_gone - 1, "the backlog waits in the hub"
        nobody_else_waited(retailer)
        fresh.server.start()
    finally:
        retailer.stopped.set()
        seller.join()
    count = len(retailer.bodies)
    eventually(
        lambda: len(retailer.took("erp_key", "create_invoice")) == count, DRAIN_S, 0.2, retailer.not_told
    )
    eventually(lambda: retailer.waiting("erp_key") == 0)
    nobody_else_waited(retailer)
    assert len(retailer.took("shop", "confirm_shipment")) == count
    assert max(retailer.took("erp_key", "create_sale").values()) > FROZEN_S, "Tryton itself was told late"
    told_in_order(retailer, fresh)
    subjects = dict(retailer.ask("select ref, subject from reference where kind = 'number'"))
    for name, body in retailer.bodies.items():
        to_the_cent(fresh, f"CD{subjects[name]:010d}", Decimal(body["total_price"]))
    assert retailer.ask("select reason, text from case_file where closed_at = 0") == []


def nobody_else_waited(retailer):
    """All that was posted was taken, acknowledged and released at once, Tryton there or not."""
    assert max(retailer.posted) < PROMPT_S
    for connection, operation in (("shop", "acknowledge"), ("wms", "release")):
        eventually(lambda c=connection, o=operation: len(retailer.took(c, o)) >= len(retailer.posted))
        assert max(retailer.took(connection, operation).values()) < PROMPT_S, (connection, operation)


def to_the_cent(erp, ours, total):
    assert erp.read.sale(ours)["total_amount"] == total
    assert [row["state"] for row in erp.read.shipments(f"{ours}/")] == ["done"]
    (invoice,) = erp.read.invoices(f"{ours}/")
    assert (invoice["state"], invoice["total_amount"]) in (("posted", total), ("paid", total))
