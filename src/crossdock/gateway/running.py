"""`crossdock up`: one process that runs all parts until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys

from crossdock.bootstrap.crashing import reach_from
from crossdock.bootstrap.hub import Hub
from crossdock.config import Config
from crossdock.config.keys import read_key
from crossdock.gateway.server import HubServer


def run(config: Config) -> int:
    """Run the hub of a configuration; returns after SIGTERM or SIGINT, when what was begun is finished."""
    hub = Hub(config, master_key=read_key(config.hub.key), reach=reach_from(os.environ))
    server = HubServer(hub)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: hub.signals.stopping.set())
    hub.start()
    hub.run_beside("http", server.run)
    sys.stdout.write(f"{config.hub.name} is up: {server.url}\n")
    sys.stdout.flush()
    while not hub.signals.stopping.wait(1.0):
        pass
    hub.stop()
    return 0
