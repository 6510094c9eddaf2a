"""The HTTP server of a hub: the gate, the API and the console on one address, in one thread."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import uvloop
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from crossdock.errors import ConfigurationError
from crossdock.gateway.app import build_app
from crossdock.gateway.intake import IntakeApp

if TYPE_CHECKING:
    from crossdock.bootstrap.front import Front

BACKLOG = 1024
STOP_S = 10
STOP_POLL_S = 0.1
LISTENING_POLL_S = 0.02
READERS_MAX = 16
"""Questions that may be read at the same time; more wait their turn."""


class HubServer:
    """Serves a hub. The address is known and free once this is made; `run` is the body of a thread."""

    def __init__(self, hub: Front, *, host: str = "", port: int | None = None) -> None:
        self._hub = hub
        self.host = host or hub.config.hub.host
        self.port = free_port(self.host, hub.config.hub.port if port is None else port)
        self._gathering = hub.gathering()
        rest = build_app(hub, self._gathering)
        self.app = IntakeApp(
            hub.connectors,
            self._gathering,
            rest,  # type: ignore[arg-type]  # the same ASGI by narrower names
            body_bytes_max=hub.config.limits.body_bytes_max,
            new_trace=hub.new_trace,
            overtakes=hub.overtakes,
        )

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        return local_url(self.host, self.port)

    def run(self) -> None:
        """Serve until the hub stops; every request that has begun is answered."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.serve())

    async def listening(self) -> None:
        """Until connections are taken."""
        while True:
            try:
                _, writer = await asyncio.open_connection(local_host(self.host), self.port)
            except OSError:
                await asyncio.sleep(LISTENING_POLL_S)
            else:
                writer.close()
                return

    async def serve(self) -> None:
        """As `run`, on an event loop that is there."""
        server = Server(
            self.app,
            address=self.host,
            port=self.port,
            interface=Interfaces.ASGI,
            websockets=False,
            backlog=BACKLOG,
            log_level=LogLevels.error,
            log_access=False,
        )
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(READERS_MAX, "crossdock-reads"))
        serving = asyncio.ensure_future(server.serve())
        stopping = self._hub.stopping
        while not stopping.is_set() and not serving.done():
            await asyncio.wait([serving], timeout=STOP_POLL_S)
        if not serving.done():
            server.stop()  # type: ignore[no-untyped-call]
        stopping.set()
        await asyncio.wait_for(serving, STOP_S)


def serve(hub: Front) -> str:
    """Serve a hub in this thread until it stops; returns the address that it had."""
    server = HubServer(hub)
    server.run()
    return server.url


def local_host(host: str) -> str:
    """The address under which this machine reaches itself where `host` is listened on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def local_url(host: str, port: int) -> str:
    """Where a server that listens there is reached from this machine."""
    local = local_host(host)
    return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"


def free_port(host: str, port: int, wait_s: float = 0.0) -> int:
    """The port where it is free, any free one for 0; ConfigurationError where it is taken or is not ours.

    wait_s: how long one that is taken may stay so, for a hub that has just died leaves it in a moment.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            return _free_port(host, port)
        except ConfigurationError:
            if time.monotonic() >= until:
                raise
            time.sleep(LISTENING_POLL_S)


def _free_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"{host} port {port} cannot be listened on: {error.strerror}. Stop what listens there, or change "
                "[hub] host and port.",
                field="hub.port",
            ) from error
        return int(probe.getsockname()[1])
