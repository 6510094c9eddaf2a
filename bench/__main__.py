"""Runs parts of the benchmark, prints a table, and leaves `build/bench.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from bench import limits, shared
from bench.held import held_open, hold_orders
from bench.parts import PARTS as OF_ORDERS
from bench.tills import tills
from bench.world import WORKERS, World, new_world
from tests.servers import PostgresServer

PARTS = {**OF_ORDERS, "tills": (tills, 28_000)}
FIRST_NEW = 5_000_000
STEP = 1_000_000
"""Order numbers of the orders that are measured begin here, above those that are held."""
HELD_ORDER = ("latency", "together", "end_to_end", "pipeline", "intake")
"""One store serves all parts: those that leave work undone come last, or the next would be measured with it."""
HELD_ON_POSTGRES = ("end_to_end", "latency", "pipeline")
"""In this order: by the time of the latency thousands of rows have died, and the pipeline leaves work undone."""
ON_POSTGRES = ("intake", "pipeline", "end_to_end", "latency")
CURVE = (1, 2, 4, 8)
RESULT = Path("build/bench.json")


def main() -> int:
    """Measure what was asked for; 0 when all of it ended."""
    options = _options()
    chosen = [options.part] if options.part else [*PARTS, "limits"]
    results: dict[str, Any] = {"machine": _machine()}
    if options.store != "postgres":
        _say("\n== an empty store")
    for name in chosen if options.store != "postgres" else ():
        if name == "limits":
            results["limits"] = limits.measure(_say)
            continue
        with new_world() as world:
            results[name] = _measure(name, world, options.orders, FIRST_NEW)
    if options.store != "sqlite" and set(chosen) & set(ON_POSTGRES):
        _on_postgres(results, [name for name in chosen if name in ON_POSTGRES], options.orders)
    if options.held and options.store != "postgres":
        _say(f"\n== a store that holds {options.held:,} orders")
        with new_world() as world:
            hold_orders(world, options.held, _say)
            for n, name in enumerate(name for name in HELD_ORDER if name in chosen):
                results[f"{name}_held"] = _measure(name, world, options.orders, FIRST_NEW + n * STEP)
    if options.held and options.store != "sqlite" and set(chosen) & set(HELD_ON_POSTGRES):
        _held_on_postgres(
            results, [name for name in HELD_ON_POSTGRES if name in chosen], options.orders, options.held
        )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=2), "utf-8")
    if options.json:
        print(json.dumps(results))
    _say(f"\nFigures in {RESULT}.")
    return 0


def _on_postgres(results: dict[str, Any], chosen: list[str], orders: int) -> None:
    """The same over PostgreSQL on this machine: roles as processes, and the pipeline by more and more workers."""
    _say(f"\n== PostgreSQL beside it: gateway, {WORKERS} workers, dispatcher, scheduler")
    with _server() as server:
        for name in chosen:
            if name == "pipeline":
                _curve(results, server, orders or PARTS[name][1])
                continue
            with new_world(database=server.database()) as world:
                results[f"{name}_postgres"] = _measure(name, world, orders, FIRST_NEW)


def _held_on_postgres(results: dict[str, Any], chosen: list[str], orders: int, held: int) -> None:
    """On a database that holds many orders, and on a copy of it while somebody keeps a transaction open all the time."""
    _say(f"\n== PostgreSQL that holds {held:,} orders")
    with _server() as server, new_world(database=server.database()) as world:
        hold_orders(world, held, _say)
        url = str(world.config.hub.store)
        aged = server.make_database("bench_held_open", f"template {conninfo_to_dict(url)['dbname']}")
        results |= _on_held(world, chosen, orders, "held_postgres", FIRST_NEW)
        _say("   and while a transaction is held open all the time")
        with held_open(aged):
            beside = World(world.folder, world.partners, aged)
            results |= _on_held(beside, chosen, orders, "held_open_postgres", 2 * FIRST_NEW)


def _on_held(world: World, chosen: list[str], orders: int, suffix: str, first: int) -> dict[str, Any]:
    results = {}
    for n, name in enumerate(chosen):
        begin = first + n * STEP
        if name == "pipeline":
            url, count = str(world.config.hub.store), orders or PARTS[name][1]
            results[f"{name}_{suffix}"] = _pipeline(url, count, WORKERS, begin)
        else:
            results[f"{name}_{suffix}"] = _measure(name, world, orders, begin)
    return results


@contextmanager
def _server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start(shared_buffers="512MB", max_wal_size="4GB")
        yield server
    finally:
        server.remove()


def _curve(results: dict[str, Any], server: PostgresServer, orders: int) -> None:
    for workers in CURVE:
        results[f"pipeline_postgres_{workers}"] = _pipeline(server.database(), orders, workers, 1)


def _pipeline(url: str, orders: int, workers: int, first: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = World(Path(folder), "http://127.0.0.1:9").config
        figures = shared.measure(url, config, orders, workers, first)
    _say(f"{'pipeline':12s} workers={workers}  {_line(figures)}")
    return figures


def _measure(name: str, world: World, orders: int, first: int) -> dict[str, Any]:
    part, usual = PARTS[name]
    figures = part(world, orders or usual, first)
    _say(f"{name:12s} {_line(figures)}")
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--part", choices=[*PARTS, "limits"], help="measure this part alone")
    parser.add_argument("--orders", type=int, default=0, help="how many orders")
    parser.add_argument(
        "--store", choices=["sqlite", "postgres", "both"], default="sqlite", help="on which store"
    )
    parser.add_argument(
        "--held", type=int, default=0, help="measure again on stores that hold so many orders"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON too")
    return parser.parse_args()


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def _line(figures: dict[str, Any], prefix: str = "") -> str:
    parts = []
    for name, value in figures.items():
        if isinstance(value, dict):
            parts.append(_line(value, f"{name}."))
        elif isinstance(value, float):
            parts.append(f"{prefix}{name}={value:,.1f}" if value < 1_000 else f"{prefix}{name}={value:,.0f}")
        else:
            parts.append(f"{prefix}{name}={value}")
    return "  ".join(parts)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
