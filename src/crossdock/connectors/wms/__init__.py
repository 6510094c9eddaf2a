"""The plain warehouse contract: a REST API that a home-grown warehouse system meets in a day (openapi.yaml)."""

from crossdock.connectors.wms.connector import WmsConnector, build
from crossdock.connectors.wms.spec import SPEC

__all__ = ["SPEC", "WmsConnector", "build"]
