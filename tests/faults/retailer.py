"""A retailer to be hurt: two shops, an ERP with keys and one without, a warehouse, and a hub that may be killed.

Everything runs in processes of its own over loopback; orders are posted, signed, by a sender that does not give up.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from crossdock.bootstrap.proof import prove
from crossdock.config import keys
from crossdock.errors import RetryableError
from crossdock.sdk.calls import Request, get
from crossdock.sdk.webhooks import sign
from crossdock.simulator.shopify import ShopifySimulator
from crossdock.simulator.shopify_orders import make_order
from crossdock.stores.opening import open_reads
from crossdock.stores.vault import Vault
from crossdock.transport.http import HttpTransport
from tests.bootstrap.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "SHOP_TOKEN": "shop-token",
    "SHOP_SECRET": "shop-secret",
    "WMS_TOKEN": "wms-token",
    "WMS_SECRET": "wms-secret",
    "ERP_TOKEN": "erp-token",
}
SKUS = 20
ON_HAND = 100_000
WAITING = 2
"""From here on the states of a message that does not go on by itself."""
LOCATION = "70000000001"
CHANNELS = {"shop": "erp_key", "market": "erp_lookup"}
CONFIG = """\
[hub]
name = "faults"
port = {port}
{hub_more}
[connections.shop]
connector = "shopify"
url = "{partners}/shop"
access_token = "${{SHOP_TOKEN}}"
webhook_secret = "${{SHOP_SECRET}}"
location_id = "{location}"
requests_per_s = 0
[connections.market]
connector = "shopify"
url = "{partners}/market"
access_token = "${{SHOP_TOKEN}}"
webhook_secret = "${{SHOP_SECRET}}"
location_id = "{location}"
requests_per_s = 0
[connections.wms]
connector = "wms"
url = "{partners}/wms"
token = "${{WMS_TOKEN}}"
webhook_secret = "${{WMS_SECRET}}"
[connections.erp_key]
connector = "erp"
url = "{partners}/erp_key"
token = "${{ERP_TOKEN}}"
[connections.erp_lookup]
connector = "erp"
url = "{partners}/erp_lookup"
token = "${{ERP_TOKEN}}"
idempotency = "lookup"
[routes.shop]
erp = "erp_key"
locations = ["main"]
[routes.market]
erp = "erp_lookup"
locations = ["main"]
[locations.main]
warehouse = "wms"
partner_code = "MAIN"
[policies]
unknown_sku = "accept"
{policies}
[policies.retries]
attempts_max = 30
base_s = 0.05
cap_s = 0.5
{more}
"""


def free_port():
    """One that nobody is given by chance before it is listened on, again and again: calls go out from ports above these."""
    for port in random.SystemRandom().sample(range(15_000, 32_000), 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def simulators(hub, **settings):
    """The partners' configuration. `settings` and `..._faults` are by the name of the simulator."""
    base = {
        "shop": ("shopify", {"access_token": "shop-token", "webhook_secret": "shop-secret", "skus": SKUS}),
        "wms": ("wms", {"token": "wms-token", "webhook_secret": "wms-secret", "accept_after_s": 0.02}),
        "erp_key": ("erp", {"token": "erp-token"}),
        "erp_lookup": ("erp", {"token": "erp-token", "idempotency": "none"}),
    }
    base["market"] = base["shop"]
    base["wms"][1].update(ship_after_s=0.1)
    served = []
    for name, (kind, given) in base.items():
        extra = {"documents": False, "echo_s": -1} if kind == "shopify" else {}
        served.append(
            {
                "name": name,
                "kind": kind,
                "settings": {**given, **extra, **settings.get(name, {})},
                "faults": settings.get(f"{name}_faults", {}),
            }
        )
    return {"simulators": served, "hub": hub, "seed": 7}


class Child:
    """A process of ours; what it says on stderr is kept."""

    def __init__(self, folder, name, *arguments, **environ):
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**os.environ, **SECRETS, **environ},
                text=True,
            )

    @cached_property
    def first_line(self):
        """What it says first; waited for."""
        return self.process.stdout.readline()

    @property
    def alive(self):
        return self.process.poll() is None

    def end(self, number=signal.SIGKILL):
        """Send a signal and wait for the end; returns how it ended."""
        if self.alive:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code


class Retailer:
    """All of it. `accepted` are the orders that got their 2xx, by channel; `via` leads to partners through proxies."""

    def __init__(self, folder, *, more="", hub_more="", policies="", urls=None, via=None, **settings):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "data").mkdir()
        keys.make_key(folder / "data" / "key")
        self.token = keys.add_token(folder / "data" / "tokens", "test")
        self.at = self.start_partners(simulators(self.url, **settings))
        self.config = folder / "crossdock.toml"
        text = CONFIG.format(
            port=self.port,
            partners=self.at,
            location=LOCATION,
            more=more,
            hub_more=hub_more,
            policies=policies,
        )
        for name, url in (urls or {}).items():
            text = text.replace(f"{self.at}/{name}", url)
        for name, way in (via or {}).items():
            way.aim(self.at)
            text = text.replace(f"{self.at}/{name}", f"{way.url}/{name}")
        self.config.write_text(text)
        self.hub = None
        self.accepted = {name: [] for name in CHANNELS}
        self._gate, self._state = HttpTransport(self.url), HttpTransport(self.at)
        self._shop = ShopifySimulator({"webhook_secret": "shop-secret", "skus": SKUS}, 1)
        self._dice, self._numbered, self._lock = random.Random(5), 0, threading.Lock()

    def start_partners(self, plan):
        """Start the simulators; returns their address."""
        path = self.folder / "partners.json"
        path.write_text(json.dumps(plan))
        self.partners = Child(self.folder, "partners", "crossdock.simulator.serve", "--config", str(path))
        return json.loads(self.partners.first_line)["listening"]

    # The hub

    def start(self, crash_at=""):
        """Start the hub, with a crash point or without; returns when it says that it is up."""
        environ = {"CROSSDOCK_CRASH_AT": crash_at} if crash_at else {"CROSSDOCK_CRASH_AT": ""}
        self.hub = Child(self.folder, "hub", "tests.faults.hub_process", str(self.config), **environ)
        said = self.hub.first_line
        assert crash_at or "is up" in said, self.hub.log.read_text()

    def stop(self):
        """Stop the hub as an operator does."""
        assert self.hub.end(signal.SIGTERM) == 0, self.hub.log.read_text()[-2000:]

    def close(self):
        """End everything, however it is."""
        for child in (self.hub, self.partners):
            if child is not None:
                child.end()

    # What comes in

    def stock(self):
        """The warehouse counts."""
        levels = [{"sku": sku, "on_hand": ON_HAND} for sku in self._shop.catalogue.skus]
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = json.dumps({"location": "MAIN", "as_of": at, "levels": levels}).encode()
        headers = {
            "x-crossdock-event": "stock.snapshot",
            "x-crossdock-delivery": f"count-{at}",
            "x-crossdock-signature": sign("wms-secret", body),
        }
        self.post("/in/wms", headers, body)

    def order(self):
        """The next order of a shop: (channel, order id, headers, body)."""
        with self._lock:
            number, self._numbered = self._numbered, self._numbered + 1
            now = time.time_ns() // 1000
            body = make_order(number, now, self._dice, self._shop.catalogue)
            headers, raw = self._shop.event("orders/create", json.dumps(body).encode(), now)
        return list(CHANNELS)[number % 2], str(body["id"]), headers, raw

    patience_s = 5.0
    """How long a sender waits for an answer before it sends again."""

    def post(self, path, headers, body, within_s=30.0):
        """Post until it is taken; returns how many times it had to be posted."""
        request = Request(method="POST", path=path, headers=headers, body=body)
        until, tries = time.monotonic() + within_s, 0
        pause = threading.Event()
        while True:
            tries += 1
            try:
                if 200 <= self._gate.send(request, self.patience_s).status < 300:
                    return tries
            except RetryableError:
                pass
            assert time.monotonic() < until, f"{path} was not taken within {within_s} s"
            pause.wait(0.02)

    def send(self, count, every_s=0.0):
        """Post so many orders, one after the other; each counts once it has its 2xx."""
        pause = threading.Event()
        for _ in range(count):
            channel, order, headers, body = self.order()
            self.post(f"/in/{channel}", headers, body)
            self.accepted[channel].append(order)
            pause.wait(every_s)

    @contextmanager
    def sending(self, count, senders=4, every_s=0.0):
        """Post so many orders from several senders while the body runs; all have their 2xx at the end."""
        with ThreadPoolExecutor(senders) as pool:
            posted = [pool.submit(self.send, count // senders, every_s) for _ in range(senders)]
            yield
            for each in posted:
                each.result(60)

    # What came of it

    def state(self, name):
        """What a partner holds."""
        return json.loads(self._state.send(get(f"/_state/{name}"), 10).body)

    def settled(self, within_s=25.0):
        """Wait until every accepted order is sold, released, shipped, delivered and invoiced."""
        eventually(lambda: not self.missing(), within_s, 0.1, self.missing)

    def missing(self):
        """What is not there yet, per partner."""
        found = {}
        for channel, erp in CHANNELS.items():
            sales, wanted = self.state(erp)["documents"], len(self.accepted[channel])
            for kind in ("delivered", "invoiced"):
                found[f"{erp} {kind}"] = wanted - sum(sale[kind] == sale["lines"] for sale in sales)
        shipped = self.state("wms")["states"].get("shipped", 0)
        found["wms shipped"] = sum(map(len, self.accepted.values())) - shipped
        return {name: count for name, count in found.items() if count > 0}

    def check_partners(self):
        """Every accepted order stands exactly once in its ERP and once at the warehouse."""
        ours = {}
        for channel, erp in CHANNELS.items():
            state, orders = self.state(erp), self.accepted[channel]
            assert state["doubles"] == {}
            assert sorted(sale["channel_order"] for sale in state["documents"]) == sorted(orders)
            for sale in state["documents"]:
                assert sale["lines"] == sale["delivered"] == sale["invoiced"]
            ours |= {sale["reference"]: sale for sale in state["documents"]}
        wms = self.state("wms")
        assert wms["doubles"] == 0
        assert sorted(release["order_id"] for release in wms["documents"]) == sorted(ours)
        for release in wms["documents"]:
            assert release["shipped"] == ours[release["order_id"]]["lines"]

    def reads(self):
        """The hub's store, to look into."""
        vault = Vault(keys.read_key(self.folder / "data" / "key"))
        return open_reads(self.folder / "data" / "crossdock.db", vault)

    def check_hub(self):
        """The books of the stopped hub: every number balances, and no person is needed."""
        reads = self.reads()
        try:
            checks = prove(reads, time.time_ns() // 1000)
            assert [check.text for check in checks if not check.ok] == []
            assert reads.cases(after=0, state="open", limit=10) == []
            assert not [row for row in reads.rows("inbox_by_state") if row[1] >= WAITING]
            accepted = {source: count for source, name, count in reads.rows("counters") if name == "accepted"}
            assert {name: accepted[name] for name in CHANNELS} == {
                name: len(orders) for name, orders in self.accepted.items()
            }
        finally:
            reads.close()
