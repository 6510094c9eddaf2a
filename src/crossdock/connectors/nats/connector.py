"""One message an event: its id is `Nats-Msg-Id`, by which the stream drops it when it comes twice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from crossdock.connectors.nats.spec import SPEC
from crossdock.errors import ConfigurationError, NotSentError
from crossdock.model.commands import Tell
from crossdock.sdk.calls import Calls, Done, Intent, Request, Response, refused
from crossdock.sdk.telling import CONTENT_TYPE, Subscriber, encoded

SCHEMES = ("nats", "tls")
WINDOW_S_MAX = 86_400
_CREDENTIALS = ("user", "password", "token", "credentials_file")
_TOKENS = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Ack(msgspec.Struct, frozen=True):
    """The stream has it, under this number; `duplicate`: it had it before."""

    stream: str
    seq: int
    duplicate: bool = False


def build(settings: Mapping[str, str]) -> NatsConnector:
    """Build the connector of one connection."""
    return NatsConnector(settings)


class NatsConnector(Subscriber):
    """Publishes to a stream. Requests are those of `crossdock.transport.jetstream`."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(SPEC, settings)
        self._settings = {s.name: settings.get(s.name) or s.default for s in SPEC.settings}
        _check(self._settings)

    def request_headers(self) -> Mapping[str, str]:
        """What the connection to the broker is made with."""
        return {name: self._settings[name] for name in _CREDENTIALS if self._settings[name]}

    def tell(self, command: Tell, intent: Intent) -> Calls:
        """Publish the event; done once the stream has acknowledged it."""
        event = command.event
        publish = Request(
            method="PUBLISH",
            path=f"{self._settings['subject']}.{event.type}",
            headers={"Nats-Msg-Id": event.id, "content-type": CONTENT_TYPE},
            body=encoded(event),
            accept=(400, 413),
        )
        reply = yield publish
        if reply.status == 404 and self._settings["make_stream"] == "yes":
            made = yield self._stream()
            reply = made if made.status >= 400 else (yield publish)
        if reply.status == 404:
            raise NotSentError(
                f"No stream takes {publish.path}. Make one that does ({self._settings['stream']}), or wait for its "
                "servers; the event waits here."
            )
        if reply.status >= 400:
            return refused(reply)
        return Done(reference=_reference(reply))

    def _stream(self) -> Request:
        settings = self._settings
        wanted = {
            "name": settings["stream"],
            "subjects": [f"{settings['subject']}.>"],
            "replicas": int(settings["replicas"]),
            "duplicate_window_s": int(settings["duplicate_window_s"]),
        }
        return Request(
            method="MAKE", path=settings["stream"], body=msgspec.json.encode(wanted), accept=(400,)
        )


def _reference(reply: Response) -> str:
    ack = reply.decode(Ack)
    return f"{ack.stream}:{ack.seq}"


def _check(settings: Mapping[str, str]) -> None:
    for server in settings["servers"].split(","):
        try:
            parts = urlsplit(server)
            good = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good, parts = False, urlsplit("")
        if not good or parts.path not in ("", "/"):
            raise ConfigurationError(
                f"{server!r} is no address of NATS. Write one like nats://broker.example:4222.",
                field="servers",
            )
        if parts.username or parts.password:
            raise ConfigurationError(
                "an address holds credentials. Take them out; user, password and token are settings of their own.",
                field="servers",
            )
    if not _TOKENS.fullmatch(settings["subject"]):
        raise ConfigurationError(
            f"{settings['subject']!r} is no subject. Write words of letters, digits, '_' and '-' with dots between.",
            field="subject",
        )
    if not _NAME.fullmatch(settings["stream"]):
        raise ConfigurationError(
            f"{settings['stream']!r} is no name of a stream. Write up to 32 letters, digits, '_' and '-'.",
            field="stream",
        )
    if settings["replicas"] not in ("1", "3", "5"):
        raise ConfigurationError(
            f"{settings['replicas']!r} is not 1, 3 or 5. Write one of them.", field="replicas"
        )
    window = settings["duplicate_window_s"]
    if not window.isdecimal() or not 1 <= int(window) <= WINDOW_S_MAX:
        raise ConfigurationError(
            f"{window!r} is no number of seconds from 1 to {WINDOW_S_MAX}. Write 1200 for twenty minutes.",
            field="duplicate_window_s",
        )
