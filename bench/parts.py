"""The parts of the benchmark. Each takes a world and a number of orders, and gives its figures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from bench import world as worlds
from bench.world import World, headers_of, requests_file, send, sent, wait_for
from crossdock.bootstrap.loops import clock_us
from crossdock.bootstrap.proof import prove
from crossdock.engine.messages import LANE_STREAM, Arrival
from crossdock.gateway.server import HubServer
from crossdock.stores.opening import open_reads
from crossdock.stores.reads import Reads

CONNECTIONS = 256
STALLED_S = 60.0
EFFECTS = ("create_sale", "release", "acknowledge")
Figures = dict[str, Any]


def intake(world: World, orders: int, first: int) -> Figures:
    """Accepted webhooks a second over HTTP: verified, deduplicated, sealed, fsynced before each 200."""
    file = requests_file(world, orders, first)
    hub = world.hub()
    server = HubServer(hub)
    hub.start(())
    hub.run_beside("http", server.run)
    wait_for(world.port)
    figures = sent(send(world, file, connections=CONNECTIONS))
    hub.stop()
    return {"webhooks_per_s": figures["per_s"], **figures}


def pipeline(world: World, orders: int, first: int) -> Figures:
    """Orders a second from the inbox through translate and decide, to state, stock, journal, events and outbox."""
    hub = world.hub()
    dice = random.Random(first)
    now = clock_us()
    arrivals = []
    for n, body in enumerate(worlds.bodies(orders, first)):
        headers = headers_of(body, dice)
        arrivals.append(
            Arrival(
                source="shop",
                kind="orders/create",
                body=body,
                headers=headers,
                ref_kind="order",
                ref=str(worlds.order_ref(first + n)),
                delivery_id=headers["x-shopify-webhook-id"],
                lane=LANE_STREAM,
                trace=f"{dice.getrandbits(128):032x}",
            )
        )
    for start in range(0, orders, 1_000):
        hub.store.accept(arrivals[start : start + 1_000], now)
    del arrivals
    hub.store.close()
    hub = world.hub()
    with hub.reads() as reads:
        end = handled_of(reads) + orders
        hub.start(("pipeline",), world.edge(hub))
        began, left = time.perf_counter(), end - handled_of(reads)  # some were handled while the edge came up
        until(reads, lambda: handled_of(reads) >= end)
        seconds = time.perf_counter() - began
    hub.stop()
    return {"orders_per_s": left / seconds, "seconds": seconds}


def handled_of(reads: Reads) -> int:
    """The shop's messages that have left the inbox; counted as they leave, so that asking costs nothing."""
    return sum(
        value for source, name, value in reads.rows("counters") if (source, name) == ("shop", "processed")
    )


def end_to_end(world: World, orders: int, first: int) -> Figures:
    """Orders a second, accepted over HTTP until ERP document, warehouse release and acknowledgement are recorded."""
    file = requests_file(world, orders, first)
    with world.running() as processes, reads_of(world) as reads:
        before = done_of(reads)
        began = time.perf_counter()
        sender = send(world, file, connections=CONNECTIONS)
        until(reads, lambda: all(done_of(reads)[name] - before[name] >= orders for name in EFFECTS))
        seconds = time.perf_counter() - began
        figures = sent(sender)
        until(reads, lambda: not reads.rows("inbox_by_state"))
        memory = memory_of(processes)
        wrong = [check.text for check in prove(reads, clock_us(), orders_max=2_000) if not check.ok]
    return {
        "orders_per_s": orders / seconds,
        "seconds": seconds,
        "memory_mb": memory,
        "intake": figures,
        "proof": wrong or "balanced",
    }


def latency(world: World, orders: int, first: int, rate: float = 100.0) -> Figures:
    """Capture to ERP, from our receipt to the ERP's answer recorded, at a steady rate."""
    file = requests_file(world, orders, first)
    with world.running() as processes, reads_of(world) as reads:
        before = done_of(reads)
        began = clock_us()
        figures = sent(send(world, file, connections=16, rate=rate))
        until(reads, lambda: all(done_of(reads)[name] - before[name] >= orders for name in EFFECTS))
        rows = reads.rows("captured_to_done", "create_sale", began)
        memory = memory_of(processes)
    values = sorted(row[0] / 1000 for row in rows)
    at = {f"p{p}_ms": values[min(len(values) - 1, len(values) * p // 100)] for p in (50, 95, 99)}
    return {"rate_per_s": rate, **at, "max_ms": values[-1], "memory_mb": memory, "intake": figures}


def together(world: World, orders: int, first: int) -> Figures:
    """Intake and everything behind it at 500 orders a second: how long a sender waits for its 200."""
    return latency(world, orders, first, rate=500.0)


def memory_of(pids: Sequence[int]) -> float:
    """Megabytes that a hub's processes have resident."""
    hubs = [psutil.Process(pid) for pid in pids]
    every = [process for hub in hubs for process in (hub, *hub.children(recursive=True))]
    return sum(process.memory_info().rss for process in every) / 1e6


class reads_of:
    """A reader of a world's store, beside its hub."""

    def __init__(self, world: World) -> None:
        from crossdock.config.keys import read_key
        from crossdock.stores.vault import Vault

        hub = world.config.hub
        self._reads = open_reads(hub.store, Vault(read_key(hub.key)))

    def __enter__(self) -> Reads:
        return self._reads

    def __exit__(self, *_: object) -> None:
        self._reads.close()


def done_of(reads: Reads) -> dict[str, int]:
    """How often each operation was done; counted as they leave, so that asking costs nothing."""
    counted = dict.fromkeys(EFFECTS, 0)
    for source, name, value in reads.rows("counters"):
        operation = name.removeprefix("done ")
        if operation in counted and name != operation:
            counted[operation] += value
        del source
    return counted


def until(reads: Reads, reached: Callable[[], bool]) -> None:
    """Wait for it, as long as anything moves; once nothing does, say where things stand."""
    seen: Any = None
    moved = time.monotonic()
    while not reached():
        now = reads.rows("counters")
        if now != seen:
            seen, moved = now, time.monotonic()
        if time.monotonic() > moved + STALLED_S:
            held = {name: reads.rows(name) for name in ("counters", "inbox_by_state", "outbox_by_state")}
            raise TimeoutError(f"Nothing has moved for {STALLED_S} s: {held}")
        time.sleep(0.1)


PARTS: dict[str, tuple[Callable[[World, int, int], Figures], int]] = {
    "intake": (intake, 20_000),
    "pipeline": (pipeline, 20_000),
    "end_to_end": (end_to_end, 10_000),
    "latency": (latency, 2_000),
    "together": (together, 10_000),
}
"""Each part, and how many orders it takes unless told otherwise."""
