"""Serves simulators over loopback: `python -m crossdock.simulator.serve --config FILE.json`.

For the demo, the bench and tests; never for a network.
"""

from crossdock.simulator.serve.app import App, Config, Served, run

__all__ = ["App", "Config", "Served", "run"]
