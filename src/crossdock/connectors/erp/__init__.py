"""The plain ERP contract: a REST API that a home-grown ERP, or a thin layer over one, meets in a day (openapi.yaml)."""

from crossdock.connectors.erp.connector import ErpConnector, build
from crossdock.connectors.erp.spec import SPEC

__all__ = ["SPEC", "ErpConnector", "build"]
