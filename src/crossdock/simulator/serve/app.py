"""Which simulators are served where, and the deliveries that they make to the hub.

Paths: `/{name}/...` is the simulator of that name; `/_state/{name}` its counts and documents as JSON (`?brief=1` without
the documents), and when it will have something to do by itself (`next_due`, microseconds or null); `/_health` answers
200 as soon as it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop

from crossdock.simulator.base import SimRequest, SimResponse, Simulator, build, json_response, problem
from crossdock.simulator.faults import with_faults
from crossdock.simulator.serve.delivery import Deliveries
from crossdock.simulator.serve.http import HttpServer

STEP_S = 0.01
"""How often due deliveries are looked for."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One simulator: its name in the path, its kind, and the connection of the hub that it delivers to ("" is its name)."""

    name: str
    kind: str
    settings: dict[str, Any] = {}
    faults: dict[str, Any] = {}
    connection: str = ""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration file. Port 0 takes a free one; without `hub` nothing is delivered."""

    simulators: tuple[Served, ...]
    host: str = "127.0.0.1"
    port: int = 0
    hub: str = ""
    seed: int = 1


class App:
    """The simulators of one process, and their deliveries."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._simulators: dict[str, Simulator] = {}
        self._deliveries: dict[str, Deliveries] = {}
        for n, served in enumerate(config.simulators):
            seed = config.seed * 1000 + n
            simulator = build(served.kind, served.settings, seed)
            self._simulators[served.name] = with_faults(simulator, served.faults, seed + 500)
            if config.hub:
                url = f"{config.hub.rstrip('/')}/in/{served.connection or served.name}"
                self._deliveries[served.name] = Deliveries(url)

    def answer(self, request: SimRequest) -> SimResponse:
        """Answer one request: the simulator of its first path segment, or one of our own pages."""
        name, _, rest = request.path[1:].partition("/")
        simulator = self._simulators.get(name)
        try:
            if simulator is None:
                return self._own(request)
            inner = SimRequest(
                method=request.method,
                path="/" + rest,
                query=request.query,
                headers=request.headers,
                body=request.body,
            )
            return simulator.handle(inner, _now())
        except Exception:
            traceback.print_exc()
            return problem(500, f"the simulator {name} has a defect; see what it printed")

    async def serve(self, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        """Serve until `stop`; `ready` is told the address as soon as it answers."""
        server = HttpServer(self.answer)
        ready(await server.start(self._config.host, self._config.port))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(deliveries.run()) for deliveries in self._deliveries.values()]
            tasks.append(group.create_task(self._tell()))
            await stop.wait()
            for task in tasks:
                task.cancel()
        await server.close()

    async def _tell(self) -> None:
        """Hand what has become due to the deliveries. A defect in a simulator stops the process."""
        while True:
            now = _now()
            for name, deliveries in self._deliveries.items():
                simulator = self._simulators[name]
                due = simulator.next_due()
                if due is not None and due <= now:
                    deliveries.add(simulator.due_events(now))
            await asyncio.sleep(STEP_S)

    def _own(self, request: SimRequest) -> SimResponse:
        if request.path == "/_health":
            return json_response({"simulators": list(self._simulators)})
        name = request.path.removeprefix("/_state/")
        simulator = self._simulators.get(name)
        if simulator is None:
            return problem(404, f"there is no {request.path} here; there are {', '.join(self._simulators)}")
        state = simulator.state(documents=not request.query.get("brief"))
        state["next_due"] = simulator.next_due()
        if deliveries := self._deliveries.get(name):
            state["deliveries"] = deliveries.counts()
        return json_response(state)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT; prints `{"listening": "http://HOST:PORT"}` as its first line."""
    gc.freeze()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_until_told(App(config)))


async def _until_told(app: App) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await app.serve(stop, _say)


def _say(address: str) -> None:
    sys.stdout.write(f'{{"listening": "{address}"}}\n')
    sys.stdout.flush()


def _now() -> int:
    return time.time_ns() // 1000
