"""The plain till contract: what a store's tills, or the server behind them, post to the hub (openapi.yaml)."""

from crossdock.connectors.till.connector import TillConnector, build
from crossdock.connectors.till.spec import SPEC

__all__ = ["SPEC", "TillConnector", "build"]
