"""One message an event, keyed by its order, so that one partition holds all of an order in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from crossdock.connectors.kafka.spec import SPEC
from crossdock.errors import ConfigurationError
from crossdock.model.commands import Tell
from crossdock.sdk.calls import Calls, Done, Intent, Request, refused
from crossdock.sdk.telling import CONTENT_TYPE, Subscriber, encoded

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Ack(msgspec.Struct, frozen=True):
    """Where in the topic it stands."""

    topic: str
    partition: int
    offset: int


def build(settings: Mapping[str, str]) -> KafkaConnector:
    """Build the connector of one connection."""
    return KafkaConnector(settings)


class KafkaConnector(Subscriber):
    """Produces to a topic. Requests are those of `crossdock.transport.kafka`."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(SPEC, settings)
        self._settings = {s.name: settings.get(s.name) or s.default for s in SPEC.settings}
        _check(self._settings)

    def request_headers(self) -> Mapping[str, str]:
        """What the producer is made with, in librdkafka's words."""
        settings = self._settings
        options = {"security.protocol": settings["security"]}
        if settings["security"].startswith("sasl"):
            options |= {
                "sasl.mechanism": settings["mechanism"],
                "sasl.username": settings["user"],
                "sasl.password": settings["password"],
            }
        if settings["ca_file"]:
            options["ssl.ca.location"] = settings["ca_file"]
        return options

    def tell(self, command: Tell, intent: Intent) -> Calls:
        """Produce the event; done once the brokers have it."""
        event = command.event
        reply = yield Request(
            method="PUBLISH",
            path=self._settings["topic"],
            query={"key": event.partitionkey or event.subject},
            headers={"content-type": CONTENT_TYPE},
            body=encoded(event),
            accept=(400, 413),
        )
        if reply.status >= 400:
            return refused(reply)
        ack = reply.decode(Ack)
        return Done(reference=f"{ack.topic}:{ack.partition}:{ack.offset}")


def _check(settings: Mapping[str, str]) -> None:
    for server in settings["servers"].split(","):
        try:
            parts = urlsplit(server)
            good = parts.scheme == "kafka" and bool(parts.hostname) and bool(parts.port)
        except ValueError:
            good, parts = False, urlsplit("")
        if not good or parts.path not in ("", "/") or parts.username:
            raise ConfigurationError(
                f"{server!r} is no bootstrap server. Write one like kafka://broker.example:9092.",
                field="servers",
            )
    if not _TOPIC.fullmatch(settings["topic"]):
        raise ConfigurationError(
            f"{settings['topic']!r} is no name of a topic. Write up to 249 letters, digits, '.', '_' and '-'.",
            field="topic",
        )
    if settings["security"].startswith("sasl") and not (settings["user"] and settings["password"]):
        raise ConfigurationError("sasl wants user and password. Add both.", field="security")
