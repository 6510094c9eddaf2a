"""A retailer to measure: a folder with configuration and keys, partners that answer at once, orders that were signed before."""

from __future__ import annotations

import base64
import hmac
import json
import os
import pickle
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from crossdock.bootstrap.edge import EdgeProcess
from crossdock.bootstrap.hub import Hub
from crossdock.bootstrap.loops import clock_us
from crossdock.config import Config, load_config
from crossdock.config.keys import add_token, make_key, read_key
from crossdock.domain.state import Changes, Level, Movement
from crossdock.engine.port import Batch
from crossdock.gateway.edge import Greeting
from crossdock.gateway.running import EDGE
from crossdock.simulator.shopify_orders import Catalogue, order_id, quick_orders
from crossdock.stores.opening import is_shared

SECRET = "only-for-the-bench"
SKUS = 1_000
LINES = 3
STOCK = 100_000_000
SEED = 7
TOML = """
[hub]
name = "bench"
data = "data"
database = "{database}"
port = {port}

[connections.shop]
connector = "shopify"
url = "{partners}/shop"
access_token = "${{BENCH_SECRET}}"
webhook_secret = "${{BENCH_SECRET}}"
requests_per_s = 0
concurrency_max = 16

[connections.erp]
connector = "erp"
url = "{partners}/erp"
token = "${{BENCH_SECRET}}"
batch_max = "50"
concurrency_max = 16

[connections.wms]
connector = "wms"
url = "{partners}/wms"
token = "${{BENCH_SECRET}}"
webhook_secret = "${{BENCH_SECRET}}"
batch_max = "50"
concurrency_max = 16

[locations.main]
warehouse = "wms"

[routes.shop]
erp = "erp"
locations = ["main"]
publish = false
"""


WORKERS = 2


class World:
    """One folder, one configuration, one port. database: where several processes share the store; "" is a file.

    given: what else stands in braces in the text of the configuration.
    """

    def __init__(
        self,
        folder: Path,
        partners: str,
        database: str = "",
        *,
        toml: str = TOML,
        given: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.partners = folder, partners
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {**os.environ, "BENCH_SECRET": SECRET}
        (folder / "data").mkdir(mode=0o700, exist_ok=True)
        self.file = folder / "crossdock.toml"
        places = {"port": self.port, "partners": partners, "database": database, **(given or {})}
        self.file.write_text(toml.format(**places), "utf-8")
        self.config: Config = load_config(self.file, self.environ)
        if not self.config.hub.key.exists():
            make_key(self.config.hub.key)
            add_token(self.config.hub.tokens, "bench")

    def hub(self) -> Hub:
        """A hub in this process."""
        return Hub(self.config, master_key=read_key(self.config.hub.key))

    def edge(self, hub: Hub) -> EdgeProcess:
        """The second process of a hub, as `crossdock up` has it."""
        greeting = Greeting(
            self.config, read_key(self.config.hub.key), "127.0.0.1", self.port, hub.started_at
        )
        return EdgeProcess(hub, EDGE, greeting, hub.keyed())

    def stock(self) -> None:
        """Opening stock, as the first movement of every SKU."""
        hub = self.hub()
        skus = Catalogue.of(SKUS).skus
        now = clock_us()
        levels = [Level(sku, "main", STOCK) for sku in skus]
        moves = [
            Movement(0, 0, n, sku, "main", "on_hand", STOCK, "opening", now) for n, sku in enumerate(skus)
        ]
        hub.store.commit(Batch(changes=Changes(levels=levels, movements=moves), now=now))
        hub.store.close()

    @contextmanager
    def running(self) -> Iterator[list[int]]:
        """The hub as its users run it, `crossdock up`: one, or its roles over a shared store. Gives the processes' ids."""
        roles = ["gateway", *["worker"] * WORKERS, "dispatcher", "scheduler"]
        words = [["--role", role] for role in roles] if is_shared(self.config.hub.store) else [[]]
        command = [sys.executable, "-m", "crossdock.cli", "up", "--config", str(self.file)]
        processes = [
            subprocess.Popen([*command, *more], env=self.environ, stdout=subprocess.PIPE, text=True)
            for more in words
        ]
        try:
            for process in processes:
                assert process.stdout is not None
                assert "is up" in process.stdout.readline()
            wait_for(self.port)
            yield [process.pid for process in processes]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(40)
                assert process.stdout is not None
                process.stdout.close()


@contextmanager
def new_world(keep: Path | None = None, database: str = "") -> Iterator[World]:
    """A world in a new folder, with partners beside it; the folder goes at the end."""
    folder = keep or Path(
        tempfile.mkdtemp(prefix="crossdock-bench-", dir=os.environ.get("BENCH_DIR") or Path.cwd())
    )
    folder.mkdir(exist_ok=True)
    try:
        with partners(folder) as address:
            world = World(folder, address, database)
            world.stock()
            yield world
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def partners(folder: Path) -> Iterator[str]:
    """Shop, ERP and warehouse, answering at once over loopback."""
    common: dict[str, Any] = {"token": SECRET, "access_token": SECRET, "webhook_secret": SECRET}
    config = {
        "simulators": [
            {"name": "shop", "kind": "shopify", "settings": {**common, "skus": SKUS, "documents": False}},
            {"name": "erp", "kind": "erp", "settings": {**common, "documents": False}},
            {"name": "wms", "kind": "wms", "settings": {**common, "events": False}},
        ]
    }
    file = folder / "partners.json"
    file.write_text(json.dumps(config), "utf-8")
    command = [sys.executable, "-m", "crossdock.simulator.serve", "--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["listening"]
        finally:
            process.terminate()


def bodies(count: int, first: int) -> list[bytes]:
    """Bodies of orders/create with three lines each, number `first` and on."""
    return list(quick_orders(first, count, clock_us(), SEED, Catalogue.of(SKUS)))


def order_ref(number: int) -> int:
    """The id of the order with this number."""
    return order_id(number)


def headers_of(body: bytes, dice: random.Random) -> Mapping[str, str]:
    """The headers that Shopify would send with it."""
    digest = hmac.new(SECRET.encode(), body, "sha256").digest()
    return {
        "content-type": "application/json",
        "x-shopify-topic": "orders/create",
        "x-shopify-shop-domain": "bench.myshopify.com",
        "x-shopify-webhook-id": f"{dice.getrandbits(128):032x}",
        "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
    }


def requests_file(world: World, count: int, first: int) -> Path:
    """Whole HTTP requests, ready to be sent, in a file for the sender."""
    dice = random.Random(first)
    ready = []
    for body in bodies(count, first):
        head = [f"POST /in/shop HTTP/1.1\r\nhost: 127.0.0.1:{world.port}\r\ncontent-length: {len(body)}\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in headers_of(body, dice).items()]
        ready.append("".join(head).encode() + b"\r\n" + body)
    file = world.folder / f"requests-{first}.pickle"
    file.write_bytes(pickle.dumps(ready))
    return file


def send(world: World, file: Path, *, connections: int, rate: float = 0.0) -> subprocess.Popen[str]:
    """Start sending, from a process of its own; it prints its figures as JSON when it is done."""
    command = [sys.executable, "-m", "bench.sender", str(file), str(world.port), str(connections), str(rate)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def sent(process: subprocess.Popen[str]) -> dict[str, float]:
    """The figures of a sender that has ended."""
    text, _ = process.communicate(timeout=600)
    figures: dict[str, float] = msgspec.json.decode(text)
    return figures


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 30) -> None:
    """Until somebody listens."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"Nothing listens on port {port} after {seconds} s.")
