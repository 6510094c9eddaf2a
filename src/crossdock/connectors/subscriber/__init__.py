"""A subscriber over HTTP: signed webhooks as Standard Webhooks has them (standardwebhooks.com)."""

from crossdock.connectors.subscriber.connector import SubscriberConnector, build
from crossdock.connectors.subscriber.spec import SPEC

__all__ = ["SPEC", "SubscriberConnector", "build"]
