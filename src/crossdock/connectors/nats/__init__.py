"""Events into a stream of NATS JetStream, each once within the stream's duplicate window."""

from crossdock.connectors.nats.connector import NatsConnector, build
from crossdock.connectors.nats.spec import SPEC

__all__ = ["SPEC", "NatsConnector", "build"]
