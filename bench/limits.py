"""What this machine could do at most: the same bytes, with nothing decided and nothing promised."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from bench.world import World, bodies, free_port, new_world, requests_file, send, sent, wait_for
from crossdock.sdk.calls import post
from crossdock.stores.sqlite.database import Database, create_schema
from crossdock.transport.http import HttpTransport

ORDERS = 5_000
BATCH = 200
THREADS = 16


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """Every limit, one after the other."""
    results: dict[str, Any] = {}
    with new_world() as world:
        for name, part in (
            ("decode_orders_per_s", _decode),
            ("fsyncs_per_s", _fsyncs),
            ("written_orders_per_s", _writes),
            ("http_server_per_s", _server),
            ("http_client_per_s", _client),
        ):
            results[name] = part(world)
            say(f"limit        {name}={results[name]:,.0f}")
    return results


def _decode(_: World) -> float:
    """The same bodies, decoded without a type."""
    ready = bodies(ORDERS, 0)
    began = time.perf_counter()
    for body in ready:
        msgspec.json.decode(body)
    return ORDERS / (time.perf_counter() - began)


def _fsyncs(world: World) -> float:
    """Commits a second of one row each."""
    database = Database(world.folder / "fsyncs.db")
    database.connection.execute("create table t (a)")
    began = time.perf_counter()
    for n in range(500):
        database.connection.execute("insert into t values (?)", (n,))
    figure = 500 / (time.perf_counter() - began)
    database.close()
    return figure


def _writes(world: World) -> float:
    """The rows that orders leave behind (intake, decisions, three effects), written again: raw inserts, fsynced by 200."""
    from bench.parts import end_to_end

    end_to_end(world, ORDERS, 0)
    source = Database(world.config.hub.store, readonly=True)
    tables = [
        "subject",
        "reference",
        "body",
        "message",
        "seen",
        "process",
        "document",
        "movement",
        "posting",
        "event",
        "effect",
    ]
    rows = {table: source.connection.execute(f"select * from {table}").fetchall() for table in tables}
    source.close()
    with tempfile.TemporaryDirectory(dir=world.folder) as folder:
        target = Database(Path(folder) / "raw.db")
        create_schema(target)
        began = time.perf_counter()
        for start in range(0, ORDERS, BATCH):
            target.connection.execute("begin immediate")
            for table, all_rows in rows.items():
                share = len(all_rows) / ORDERS
                part = all_rows[int(start * share) : int((start + BATCH) * share)]
                if part:
                    marks = ",".join("?" * len(part[0]))
                    target.connection.executemany(f"insert or ignore into {table} values ({marks})", part)
            target.connection.execute("commit")
        figure = ORDERS / (time.perf_counter() - began)
        target.close()
    return figure


async def _nothing(scope: Any, receive: Any, send_: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send_({"type": f"{message['type']}.complete"})
            if message["type"].endswith("shutdown"):
                return
    await receive()
    await send_({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send_({"type": "http.response.body", "body": b"{}"})


def _serve(port: int) -> None:
    async def serve() -> None:
        server = Server(
            _nothing, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_level=LogLevels.error
        )
        await server.serve()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


def _server(world: World) -> float:
    """The HTTP server alone: the same requests, answered at once by an application that does nothing."""
    world.port = free_port()
    threading.Thread(target=_serve, args=(world.port,), daemon=True).start()
    wait_for(world.port)
    return sent(send(world, requests_file(world, 20_000, 0), connections=64))["per_s"]


def _client(world: World) -> float:
    """The HTTP client alone, on 16 threads, against that server."""
    transport = HttpTransport(f"http://127.0.0.1:{world.port}")
    request = post("/anything", json={"a": "x" * 1_000})
    each = 500

    def calls() -> None:
        for _ in range(each):
            transport.send(request, 10)

    threads = [threading.Thread(target=calls) for _ in range(THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return THREADS * each / (time.perf_counter() - began)
