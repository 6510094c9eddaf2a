"""The Shopify connector: a shop as a channel. Imports nothing of another connector."""

from crossdock.connectors.shopify.connector import ShopifyConnector, build
from crossdock.connectors.shopify.spec import SPEC

__all__ = ["SPEC", "ShopifyConnector", "build"]
