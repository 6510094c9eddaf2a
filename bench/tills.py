"""Tills: how long a ticket takes to the published quantity, and what a store's upload costs the shop's orders."""

from __future__ import annotations

import bisect
import json
import pickle
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench import parts
from bench.world import SECRET, World, requests_file, send, sent
from crossdock.bootstrap.loops import clock_us
from crossdock.bootstrap.proof import prove
from crossdock.sdk import webhooks
from crossdock.stores.reads import Reads
from crossdock.stores.sqlite.database import Database

STORES = 300
SKUS = 100_000
SHARE = 10
"""A store carries one in so many SKUs, so a SKU lies in `STORES / SHARE` of them."""
MAIN, EACH = 1_000_000, 1_000
"""What lies of a SKU in the warehouse, and in each store that carries it."""
TILLS = 4
RATES = (400.0, 1_000.0)
"""Tickets a second: what a busy machine should bear, and the goal."""
BATCH = 10
"""Half of the tickets come one by one, half in batches of so many."""
NEVER = float("inf")
UPLOAD = 20_000
ORDERS_PER_S = 50.0
UPLOAD_PER_S = 100
"""What the connection takes up of one upload unless told otherwise."""
TOML = """
[hub]
name = "bench"
data = "data"
port = {port}

[connections.shop]
connector = "shopify"
url = "{channel}"
access_token = "${{BENCH_SECRET}}"
webhook_secret = "${{BENCH_SECRET}}"
location_id = "1"
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

[connections.pos]
connector = "till"
webhook_secret = "${{BENCH_SECRET}}"

[routes.shop]
erp = "erp"
locations = ["main", {stores}]

[routes.pos]
erp = "erp"
post = "day"

[authority]
stock = "hub"

[locations.main]
warehouse = "wms"
{locations}
"""
Request = tuple[str, str, bytes]
"""(kind, delivery id, body)"""
_encode = msgspec.json.Encoder().encode


def tills(world: World, tickets: int, first: int, skus: int = SKUS) -> parts.Figures:
    """Both measurements, one after the other, over one retailer with stores."""
    size = min(UPLOAD, tickets)
    with retailer(world, skus) as (stores, channel):
        levels = seed(stores, skus)
        dice = random.Random(first)
        numbers: dict[tuple[int, int], int] = {}
        batches = {
            rate: list(deliveries(dice, int(tickets * rate / sum(RATES)), skus, numbers)) for rate in RATES
        }
        upload = [ticket(dice, 0, skus, numbers) for _ in range(size)]
        with stores.running() as processes, parts.reads_of(stores) as reads:
            published = {
                f"at_{rate:.0f}_per_s": publishing(stores, channel, reads, batches[rate], rate)
                for rate in RATES
            }
            memory = memory_of(processes)
            beside = uploading(stores, reads, upload, first)
            wrong = [c.text for c in prove(reads, clock_us(), orders_max=2_000) if not c.ok]
    return {
        "levels": levels,
        **published,
        "upload": beside,
        "memory": memory,
        "proof": wrong or "balanced",
    }


@contextmanager
def retailer(world: World, skus: int) -> Iterator[tuple[World, str]]:
    """A retailer with stores in a folder of its own, beside the partners of `world`. Gives it and its shop's address."""
    command = [sys.executable, "-m", "bench.channel", SECRET, str(skus)]
    folder = world.folder / "tills"
    folder.mkdir()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            channel = json.loads(process.stdout.readline())["listening"]
            names = [store_name(n) for n in range(STORES)]
            given = {
                "channel": channel,
                "stores": ", ".join(f'"{name}"' for name in names),
                "locations": "\n".join(f"[locations.{name}]\n" for name in names),
            }
            yield World(folder, world.partners, toml=TOML, given=given), channel
        finally:
            process.terminate()


def store_name(number: int) -> str:
    return f"s{number:03d}"


def sku_name(number: int) -> str:
    return f"SKU-{number + 1:04d}"


def seed(world: World, skus: int) -> int:
    """Opening stock, written straight into the store: every SKU in the warehouse and in its stores. Returns the levels."""
    world.hub().store.close()
    database = Database(Path(world.config.hub.store))
    run = database.connection.execute
    now = clock_us()
    database.connection.pragma("synchronous", 0)
    run("drop index level_location")
    run("begin")
    run(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ?1), "
        "s(k) as (select 0 union all select k + 1 from s where k + 1 < ?2) "
        "insert into level select printf('SKU-%04d', i + 1), place, quantity, 0, 0, 0, 0, 0, 0, ?3 from ("
        "select i, 'main' as place, ?4 as quantity from n union all "
        "select i, printf('s%03d', k * ?5 + i % ?5), ?6 from n, s) order by 1, 2",
        (skus, STORES // SHARE, now, MAIN, SHARE, EACH),
    )
    run(
        "insert into movement select 0, 0, row_number() over (), sku, location, 'on_hand', on_hand, 'opening', as_of "
        "from level"
    )
    run("create index level_location on level (location)")
    run("commit")
    count = int(run("select count(*) from level").get)
    database.connection.pragma("wal_checkpoint(truncate)")
    database.close()
    return count


def ticket(dice: random.Random, store: int, skus: int, numbers: dict[tuple[int, int], int]) -> dict[str, Any]:
    """A ticket of one to three lines. A few articles sell most: a fifth of the lines is of one article in a hundred."""
    till = dice.randrange(TILLS)
    sequence = numbers[store, till] = numbers.get((store, till), 0) + 1
    lines: list[dict[str, Any]] = []
    for _ in range(dice.choice((1, 1, 2, 3))):
        rank = int(skus // SHARE * dice.random() ** 3)
        quantity = dice.choice((1, 1, 1, 2))
        gross = 1_190 * quantity
        taxes = [{"rate": "0.19", "name": "VAT", "amount": 190 * quantity}]
        sku = sku_name(rank * SHARE + store % SHARE)
        lines.append(
            {
                "sku": sku,
                "quantity": quantity,
                "gross": gross,
                "tax": 190 * quantity,
                "taxes": taxes,
                "category": "goods",
            }
        )
    total = sum(line["gross"] for line in lines)
    now = datetime.now(UTC)
    return {
        "store": store_name(store),
        "till": f"T{till}",
        "sequence": sequence,
        "at": now.isoformat(timespec="milliseconds"),
        "business_date": now.date().isoformat(),
        "kind": "sale",
        "currency": "EUR",
        "lines": lines,
        "tenders": [{"kind": "card", "amount": total}],
        "total": total,
    }


def deliveries(
    dice: random.Random, tickets: int, skus: int, numbers: dict[tuple[int, int], int]
) -> Iterator[Request]:
    """So many tickets of all stores, half of them one by one, half in batches."""
    made = 0
    while made < tickets:
        store = dice.randrange(STORES)
        if dice.random() < BATCH / (BATCH + 1) or tickets - made < BATCH:
            made += 1
            yield "ticket", f"{dice.getrandbits(64):x}", _encode(ticket(dice, store, skus, numbers))
        else:
            made += BATCH
            body = {"tickets": [ticket(dice, store, skus, numbers) for _ in range(BATCH)]}
            yield "tickets", f"{dice.getrandbits(64):x}", _encode(body)


def till_requests(world: World, batches: Sequence[Request]) -> Path:
    """Whole signed requests in a file for the sender."""
    ready = []
    for kind, delivery, body in batches:
        head = (
            f"POST /in/pos HTTP/1.1\r\nhost: 127.0.0.1:{world.port}\r\ncontent-type: application/json\r\n"
            f"{webhooks.EVENT}: {kind}\r\n{webhooks.DELIVERY}: {delivery}\r\n"
            f"{webhooks.SIGNATURE}: {webhooks.sign(SECRET, body)}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        ready.append(head.encode() + body)
    file = world.folder / f"tills-{batches[0][1]}.pickle"
    file.write_bytes(pickle.dumps(ready))
    return file


def publishing(
    world: World, channel: str, reads: Reads, batches: Sequence[Request], rate: float
) -> parts.Figures:
    """Tickets at a steady rate, until the shop was told of each: from our receipt to the quantity that counts it."""
    tickets = sum(1 if kind == "ticket" else BATCH for kind, _, _ in batches)
    file, began = till_requests(world, batches), clock_us()
    figures = sent(send(world, file, connections=64, rate=rate * len(batches) / tickets))
    parts.until(reads, lambda: not waiting(reads) and not marks_left(reads))
    with urllib.request.urlopen(f"{channel}/told", timeout=60) as answer:
        told: list[tuple[int, str, int]] = msgspec.json.decode(answer.read())
    seconds, decisions = decided(world, began)
    waits = [wait for received, wait in waited(sold(world), told) if received >= began]
    quantities = sum(at >= began for at, _, _ in told)
    return {
        "tickets": tickets,
        "tickets_per_s": tickets / seconds,
        "accepted_per_s": tickets / figures["seconds"],
        "decided": percentiles(decisions),
        "published": percentiles(sorted(wait for wait in waits if wait < NEVER)),
        "never_published": waits.count(NEVER),
        "movements_per_quantity": len(waits) / max(1, quantities),
        "intake": figures,
    }


def waiting(reads: Reads) -> bool:
    """Whether something of the tills' is not decided on."""
    return any(source == "pos" for source, *_ in reads.rows("inbox_by_state"))


def marks_left(reads: Reads) -> bool:
    return any(state != 4 for _, state, _ in reads.rows("marks_by_state"))


def decided(world: World, began: int) -> tuple[float, list[float]]:
    """Seconds from the receipt of the first ticket since then to the last one's commit, and the milliseconds of each."""
    database = Database(Path(world.config.hub.store), readonly=True)
    rows: list[Any] = database.connection.execute(
        "select received_at, handled_at from message where source = 'pos' and kind = 'ticket' "
        "and received_at >= ?",
        (began,),
    ).fetchall()
    database.close()
    took = max(handled for _, handled in rows) - min(received for received, _ in rows)
    return took / 1_000_000, sorted((handled - received) / 1_000 for received, handled in rows)


def sold(world: World) -> list[tuple[int, str, int]]:
    """What tickets took off the shelves: (when the message came, SKU, quantity), in the order decided."""
    database = Database(Path(world.config.hub.store), readonly=True)
    rows: list[Any] = database.connection.execute(
        "select g.received_at, m.sku, -m.quantity from movement m "
        "join message g on g.subject = m.subject and g.id = m.message "
        "where m.subject > 0 and m.bucket = 'on_hand' and m.reason = 'sale' order by m.at, m.message, m.position"
    ).fetchall()
    database.close()
    return rows


def waited(
    moved: Sequence[tuple[int, str, int]], told: Sequence[tuple[int, str, int]]
) -> Iterator[tuple[int, float]]:
    """Of each sale its receipt, and milliseconds to the first quantity, told to the shop, that counts it.

    Stock only falls here, so a quantity counts a sale exactly when it is not above what that sale left.
    """
    times: dict[str, list[int]] = {}
    lows: dict[str, list[int]] = {}
    for at, sku, quantity in told:
        times.setdefault(sku, []).append(at)
        lows.setdefault(sku, []).append(-quantity)
    left: dict[str, int] = {}
    for received, sku, quantity in moved:
        left[sku] = left.get(sku, MAIN + EACH * (STORES // SHARE)) - quantity
        found = bisect.bisect_left(lows.get(sku, []), -left[sku])
        known = found < len(times.get(sku, []))
        yield received, (times[sku][found] - received) / 1_000 if known else NEVER


def uploading(world: World, reads: Reads, upload: Sequence[dict[str, Any]], first: int) -> parts.Figures:
    """The shop's orders at a steady rate: alone, then while a store's tickets of eight hours come in one body."""
    seconds = len(upload) / UPLOAD_PER_S
    count = max(1, int(ORDERS_PER_S * seconds))
    alone = ordering(world, reads, count, first)
    began = time.perf_counter()
    body = _encode({"upload": "U1", "tickets": list(upload)})
    sender = send(world, till_requests(world, [("tickets", "U1", body)]), connections=1)
    beside = ordering(world, reads, count, first + count)
    taken = sent(sender)
    parts.until(reads, lambda: not waiting(reads))
    return {
        "tickets": len(upload),
        "bytes": len(body),
        "accepted": taken["accepted"],
        "accepted_ms": taken["max_ms"],
        "seconds": time.perf_counter() - began,
        "orders_alone": alone,
        "orders_beside": beside,
        "p99_ratio": beside["p99_ms"] / alone["p99_ms"],
    }


def ordering(world: World, reads: Reads, count: int, first: int) -> dict[str, float]:
    """So many orders at a steady rate; from our receipt to the ERP's answer recorded."""
    file = requests_file(world, count, first)
    before, began = parts.done_of(reads), clock_us()
    taken = sent(send(world, file, connections=16, rate=ORDERS_PER_S))
    if taken["refused"]:
        raise RuntimeError(
            f"The hub refused {taken['refused']:.0f} of {count} orders; at last: {taken['refusal']}"
        )
    parts.until(reads, lambda: all(parts.done_of(reads)[n] - before[n] >= count for n in parts.EFFECTS))
    return percentiles(sorted(row[0] / 1_000 for row in reads.rows("captured_to_done", "create_sale", began)))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Of sorted milliseconds."""
    found = {f"p{p}_ms": values[min(len(values) - 1, len(values) * p // 100)] for p in (50, 95, 99)}
    return {**found, "max_ms": values[-1]}


def memory_of(pids: Sequence[int]) -> dict[str, float]:
    """Megabytes resident, and those of them that are no pages of the store's file."""
    hubs = [psutil.Process(pid) for pid in pids]
    every = [process for hub in hubs for process in (hub, *hub.children(recursive=True))]
    return {"mb": parts.memory_of(pids), "own_mb": sum(p.memory_full_info().uss for p in every) / 1e6}
