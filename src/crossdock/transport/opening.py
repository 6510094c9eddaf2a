"""The transport of a connection, by the scheme of its address: http(s), nats or tls, kafka.

A broker's transport takes the same requests as HTTP's: `PUBLISH` with the subject or topic as `path`. Its "headers that
every request carries" are what the connection to the broker is made with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from crossdock.errors import ConfigurationError
from crossdock.sdk.calls import Request, Response
from crossdock.transport.http import RESPONSE_BYTES_MAX, AsyncHttpTransport, HttpTransport


class Transport(Protocol):
    """Performs one request; raises NotSentError or UnclearError where there is no whole reply."""

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response: ...


class AsyncTransport(Protocol):
    """As Transport, for the event loop that first sends with it."""

    async def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response: ...

    async def close(self) -> None: ...


def transport_for(
    settings: Mapping[str, str], headers: Mapping[str, str], *, response_bytes_max: int = RESPONSE_BYTES_MAX
) -> Transport:
    """The transport of a connection with these settings, for threads. Of a broker, each request connects anew."""
    broker = _broker(settings, headers)
    if broker is not None:
        return OneByOne(broker)
    return HttpTransport(settings.get("url", ""), headers, response_bytes_max=response_bytes_max)


def async_transport_for(
    settings: Mapping[str, str], headers: Mapping[str, str], *, response_bytes_max: int = RESPONSE_BYTES_MAX
) -> AsyncTransport:
    """The transport of a connection with these settings, for an event loop. Nothing is connected before it is used."""
    broker = _broker(settings, headers)
    if broker is not None:
        return broker()
    return AsyncHttpTransport(settings.get("url", ""), headers, response_bytes_max=response_bytes_max)


class OneByOne:
    """A broker for threads: tools and tests, nothing that is in a hurry."""

    def __init__(self, open_: Callable[[], AsyncTransport]) -> None:
        self._open = open_

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        """Connect, send, close."""
        return asyncio.run(self._send(request, timeout_s, traceparent, tracestate))

    async def _send(self, request: Request, timeout_s: float, traceparent: str, tracestate: str) -> Response:
        broker = self._open()
        try:
            return await broker.send(request, timeout_s, traceparent, tracestate)
        finally:
            await broker.close()


class Nowhere:
    """The way to a partner that is only listened to, as tills are: it has no address, and nothing is ever sent."""

    async def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        """Refuse: only a connector that asks for what its partner does not have gets here."""
        raise ConfigurationError(
            f"{request.method} {request.path} has no address to go to: its connection has no url.",
            field="url",
        )

    async def close(self) -> None:
        """Nothing is open."""


def _broker(settings: Mapping[str, str], headers: Mapping[str, str]) -> Callable[[], AsyncTransport] | None:
    servers = tuple(server for server in settings.get("servers", "").split(",") if server)
    if not servers and "url" not in settings:
        return Nowhere
    if not servers or "url" in settings:
        return None
    scheme = servers[0].partition("://")[0]
    if scheme in ("nats", "tls"):
        from crossdock.transport.jetstream import JetStreamTransport

        return lambda: JetStreamTransport(servers, headers)
    if scheme == "kafka":
        from crossdock.transport.kafka import KafkaTransport

        return lambda: KafkaTransport(servers, headers)
    raise ConfigurationError(
        f"{servers[0]!r} begins with no scheme that is spoken here. Write nats://, tls:// or kafka://.",
        field="servers",
    )
