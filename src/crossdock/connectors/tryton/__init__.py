"""Tryton (8.0): sales, shipments, invoices, credit notes and stock over its JSON-RPC, looked up before a second try."""

from crossdock.connectors.tryton.connector import TrytonConnector, build
from crossdock.connectors.tryton.spec import SPEC

__all__ = ["SPEC", "TrytonConnector", "build"]
