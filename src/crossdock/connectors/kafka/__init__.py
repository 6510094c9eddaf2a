"""Events into a topic of Kafka, in order per order."""

from crossdock.connectors.kafka.connector import KafkaConnector, build
from crossdock.connectors.kafka.spec import SPEC

__all__ = ["SPEC", "KafkaConnector", "build"]
