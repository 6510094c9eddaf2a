"""`crossdock up`: a hub that runs until it is told to stop. Its core is this process, its edge a second one."""

from __future__ import annotations

import os
import sys

from crossdock.bootstrap.crashing import reach_from
from crossdock.bootstrap.edge import EdgeProcess
from crossdock.bootstrap.hub import Hub
from crossdock.config import Config
from crossdock.config.keys import read_key
from crossdock.errors import ConfigurationError
from crossdock.gateway.edge import Greeting
from crossdock.gateway.server import HubServer, free_port, local_url
from crossdock.gateway.signals import StopSignals
from crossdock.stores.opening import is_shared

LEAVES_S = 2.0
"""How long the port of a hub that was killed may still be taken."""
LOOK_S = 0.5
"""How often a hub looks whether it has come to an end by itself."""
EDGE = (sys.executable, "-m", "crossdock.gateway.edge")


PARTS: dict[str, tuple[str, ...]] = {
    "gateway": (),
    "worker": ("pipeline",),
    "dispatcher": ("effects",),
    "scheduler": ("ticks",),
}
"""What each role does of a hub's work; a gateway listens."""


def run_role(config: Config, role: str) -> int:
    """Run one part of a hub over a store that several processes share; returns after SIGTERM or SIGINT."""
    if not is_shared(config.hub.store):
        raise ConfigurationError(
            "Roles need a store that several processes share. Set [hub] database to a PostgreSQL address, or run "
            "`crossdock up` without --role.",
            field="hub.database",
        )
    told = StopSignals()
    hub = Hub(config, master_key=read_key(config.hub.key), reach=reach_from(os.environ))
    said = f"{config.hub.name} {role} is up"
    try:
        server = HubServer(hub) if role == "gateway" else None
        hub.start(PARTS[role])
        if server is not None:
            hub.run_beside("http", server.run)
            said += f": {server.url}"
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
        while not (hub.stopping.is_set() or told.wait(LOOK_S)):
            pass
    finally:
        hub.stop()
    return 0


def run(config: Config) -> int:
    """Run the hub of a configuration; returns after SIGTERM or SIGINT, when what was begun is finished."""
    master_key = read_key(config.hub.key)
    host, port = config.hub.host, free_port(config.hub.host, config.hub.port, LEAVES_S)
    told = StopSignals()
    hub = Hub(config, master_key=master_key, reach=reach_from(os.environ))
    greeting = Greeting(config, master_key, host, port, hub.started_at)
    edge = EdgeProcess(hub, EDGE, greeting, hub.keyed())
    try:
        hub.start(hands=edge)
        sys.stdout.write(f"{config.hub.name} is up: {local_url(host, port)}\n")
        sys.stdout.flush()
        while edge.alive and not (hub.stopping.is_set() or told.wait(LOOK_S)):
            pass
    finally:
        hub.stop()
    return 0
