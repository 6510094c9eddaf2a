"""The pipeline on PostgreSQL by any number of worker processes, beside SQLite by one: `python -m bench.shared`.

Not through a hub: each worker is a store, a pipeline and nothing else, so that what is measured is translate, decide and write.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import multiprocessing
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.world import SKUS, STOCK, World, bodies, headers_of, order_ref
from crossdock.bootstrap.loops import clock_us
from crossdock.config import Config
from crossdock.config.registry import Registry
from crossdock.domain.state import Changes, Level, Movement
from crossdock.engine.messages import Arrival
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.port import Batch
from crossdock.errors import LeaseLostError, RacedError
from crossdock.flows.handler import RetailHandler
from crossdock.simulator.shopify_orders import Catalogue
from crossdock.stores.postgres import PostgresStore
from crossdock.stores.sqlite import SqliteStore
from crossdock.stores.vault import Vault

SETTLE_S, IDLE_S, STALLED_S = 0.2, 0.01, 60.0
KEY = b"k" * 32
GROUP = 500
Address = str | Path


def open_at(address: Address) -> Any:
    """The store at a path or an address."""
    vault = Vault(KEY)
    return SqliteStore(address, vault) if isinstance(address, Path) else PostgresStore(address, vault)


def arrivals(count: int, first: int) -> list[Arrival]:
    """Webhooks of new orders."""
    dice = random.Random(first)
    made = []
    for n, body in enumerate(bodies(count, first)):
        headers = headers_of(body, dice)
        made.append(
            Arrival(
                source="shop",
                kind="orders/create",
                body=body,
                headers=headers,
                ref_kind="order",
                ref=str(order_ref(first + n)),
                delivery_id=headers["x-shopify-webhook-id"],
                trace=f"{dice.getrandbits(128):032x}",
            )
        )
    return made


def stock(store: Any) -> None:
    """Opening stock, as the first movement of every SKU."""
    now, skus = clock_us(), Catalogue.of(SKUS).skus
    levels = [Level(sku, "main", STOCK) for sku in skus]
    moves = [Movement(0, 0, n, sku, "main", "on_hand", STOCK, "opening", now) for n, sku in enumerate(skus)]
    store.commit(Batch(changes=Changes(levels=levels, movements=moves), now=now))


def work(address: Address, config: Config, ready: Any, left: Any, done: Any) -> None:
    """A worker: batch after batch until all of them have handled all. Says how many it did, in how much processor time.

    Until `ready` it takes its share of the inbox, as the others come.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    store = open_at(address)
    registry = Registry()
    connectors = {n: registry.get(c.connector).build(c.settings) for n, c in config.connections.items()}
    pipeline = Pipeline(
        store, RetailHandler(config.plan, connectors), batch_max=config.limits.batch_messages_max
    )
    while not ready.wait(SETTLE_S):
        store.claim(0, clock_us())
    handled = raced = 0
    cpu, ended, until = time.process_time(), 0.0, time.monotonic() + STALLED_S
    while left.value > 0 and time.monotonic() < until:
        try:
            count = pipeline.step(clock_us())
        except (LeaseLostError, RacedError):  # what was lost is done by whoever has it now
            count, raced = 0, raced + 1
        if count:
            with left.get_lock():
                left.value -= count
            handled, ended, until = handled + count, time.perf_counter(), time.monotonic() + STALLED_S
        else:
            time.sleep(IDLE_S)
    done.put((handled, raced, time.process_time() - cpu, ended))
    store.close()


def server_time(server: psutil.Process | None) -> float:
    """Processor time that a PostgreSQL server of ours has used, in seconds."""
    if server is None:
        return 0.0
    own = server.cpu_times()
    total: float = own.user + own.system + own.children_user + own.children_system
    for child in server.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return total


def measure(
    address: Address,
    config: Config,
    orders: int,
    workers: int,
    first: int,
    *,
    server: psutil.Process | None = None,
) -> dict[str, float]:
    """Orders a second, from the moment at which all workers begin to the last batch of any."""
    store = open_at(address)
    if first == 1:
        stock(store)
    taken = arrivals(orders, first)
    began = time.perf_counter()
    for start in range(0, orders, GROUP):
        store.accept(taken[start : start + GROUP], clock_us())
    intake = orders / (time.perf_counter() - began)
    store.close()
    context = multiprocessing.get_context("spawn")
    ready, done, left = context.Event(), context.Queue(), context.Value("i", orders)
    processes = [
        context.Process(target=work, args=(address, config, ready, left, done)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    time.sleep(2 + 2 * workers)
    began, before = time.perf_counter(), server_time(server)
    ready.set()
    results = [done.get() for _ in processes]
    used = server_time(server) - before
    for process in processes:
        process.join()
    ended = max(result[3] for result in results)
    if left.value > 0:
        raise TimeoutError(f"{left.value} of {orders} orders were not handled.")
    return {
        "intake_per_s": intake,
        "orders_per_s": orders / (ended - began),
        "worker_us_per_order": 1e6 * sum(result[2] for result in results) / orders,
        "server_us_per_order": 1e6 * used / orders,
        "handled": sum(result[0] for result in results),
        "lost": sum(result[1] for result in results),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--orders", type=int, default=10_000)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options.add_argument(
        "--url", default="", help="the address of an empty database; without, one is started"
    )
    options.add_argument("--only", default="", help="postgres or sqlite")
    given = options.parse_args()
    server = None
    with tempfile.TemporaryDirectory() as folder:
        config = World(Path(folder), "http://127.0.0.1:1").config
        if given.only != "postgres":
            figures = measure(Path(folder) / "bench.db", config, given.orders, 1, 1)
            print("sqlite", {name: round(value) for name, value in figures.items()})
        if given.only == "sqlite":
            return
        if not given.url:
            from tests.servers import PostgresServer

            server = PostgresServer()
            server.start(shared_buffers="512MB", max_wal_size="4GB")
        try:
            url = given.url or server.database()
            for n, workers in enumerate(given.workers):
                first = 1 + n * given.orders
                figures = measure(
                    url, config, given.orders, workers, first, server=server and psutil.Process(server.pid)
                )
                print(f"postgres, {workers} workers", {name: round(value) for name, value in figures.items()})
        finally:
            if server is not None:
                server.remove()


if __name__ == "__main__":
    main()
