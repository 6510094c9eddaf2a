"""`crossdock up`: a hub that runs until it is told to stop. Its core is this process, its edge a second one."""

from __future__ import annotations

import os
import signal
import sys

from crossdock.bootstrap.crashing import reach_from
from crossdock.bootstrap.edge import EdgeProcess
from crossdock.bootstrap.hub import Hub
from crossdock.config import Config
from crossdock.config.keys import read_key
from crossdock.gateway.edge import Greeting
from crossdock.gateway.server import free_port, local_url

LEAVES_S = 2.0
"""How long the port of a hub that was killed may still be taken."""
EDGE = (sys.executable, "-m", "crossdock.gateway.edge")


def run(config: Config) -> int:
    """Run the hub of a configuration; returns after SIGTERM or SIGINT, when what was begun is finished."""
    master_key = read_key(config.hub.key)
    host, port = config.hub.host, free_port(config.hub.host, config.hub.port, LEAVES_S)
    hub = Hub(config, master_key=master_key, reach=reach_from(os.environ))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: hub.stopping.set())
    greeting = Greeting(config, master_key, host, port, hub.started_at)
    edge = EdgeProcess(hub, EDGE, greeting, hub.keyed())
    try:
        hub.start(hands=edge)
        sys.stdout.write(f"{config.hub.name} is up: {local_url(host, port)}\n")
        sys.stdout.flush()
        while edge.alive and not hub.stopping.wait(1.0):
            pass
    finally:
        hub.stop()
    return 0
