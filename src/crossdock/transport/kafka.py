"""Kafka, over confluent-kafka (librdkafka): an idempotent producer that waits until all replicas in step have it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossdock import __version__
from crossdock.errors import ConfigurationError, NotSentError, UnclearError
from crossdock.sdk.calls import Request, Response

DELIVERY_S = 20.0
"""How long librdkafka tries by itself; a report always comes before the call's own deadline."""
POLL_S = 0.002
_TOO_LARGE = ("MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE")
_SHUT_OUT = (
    "_AUTHENTICATION",
    "SASL_AUTHENTICATION_FAILED",
    "TOPIC_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
)
_ABSENT = ("_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_PARTITION")


class KafkaTransport:
    """PUBLISH produces to the topic `path`, keyed by the query's `key`. For one event loop.

    Replies: 200 with {topic, partition, offset}; 413 too large; 401 who we are is refused. options: librdkafka's.
    """

    def __init__(self, servers: Sequence[str], options: Mapping[str, str]) -> None:
        self._kafka = _library()
        self._options: dict[str, Any] = {
            "bootstrap.servers": ",".join(server.partition("://")[2].rstrip("/") for server in servers),
            "client.id": f"crossdock/{__version__}",
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": int(DELIVERY_S * 1000),
            "linger.ms": 2,
            **options,
        }
        self._producer: Any = None
        self._waiting = 0
        self._poller: asyncio.Task[None] | None = None

    async def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        """Produce within `timeout_s`. Raises NotSentError or UnclearError."""
        what = f"{request.method} {request.path}"
        if timeout_s <= 0:
            raise NotSentError(f"{what} was not sent: no time was left for it.")
        reported: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._produce(what, request, (("traceparent", traceparent), ("tracestate", tracestate)), reported)
        self._waiting += 1
        try:
            self._poll()
            return await asyncio.wait_for(reported, timeout_s)
        except TimeoutError as error:
            raise UnclearError(
                f"{what} was handed over, but nothing came back. It may be in the topic."
            ) from error
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Let what was handed over go out, for a moment; then end."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.flush(1.0)

    @property
    def servers(self) -> str:
        """The brokers that the cluster names, as bootstrap servers; asks them."""
        brokers = self._made().list_topics(timeout=5.0).brokers.values()
        return ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def _made(self) -> Any:
        if self._producer is None:
            try:
                self._producer = self._kafka.Producer(self._options, logger=_quiet())
            except self._kafka.KafkaException as error:
                raise ConfigurationError(
                    f"A producer cannot be made: {error.args[0].str()}. Correct the settings.",
                    field="servers",
                ) from error
        return self._producer

    def _produce(
        self,
        what: str,
        request: Request,
        trace: Sequence[tuple[str, str]],
        reported: asyncio.Future[Response],
    ) -> None:
        headers = [(name, value.encode()) for name, value in request.headers.items()]
        headers += [(name, value.encode()) for name, value in trace if value]

        def report(error: Any, message: Any) -> None:
            if reported.done():
                return
            try:
                reported.set_result(self._reply(what, error, message))
            except Exception as failure:
                reported.set_exception(failure)

        try:
            self._made().produce(
                request.path,
                value=request.body,
                key=request.query.get("key", "").encode(),
                headers=headers,
                on_delivery=report,
            )
        except BufferError as error:
            raise NotSentError(
                f"{what} was not sent: the queue to the brokers is full. It is tried again."
            ) from error
        except self._kafka.KafkaException as error:
            self._reply_or_raise(what, error.args[0], reported)

    def _reply_or_raise(self, what: str, error: Any, reported: asyncio.Future[Response]) -> None:
        """What was never handed over: nothing can have happened."""
        try:
            reported.set_result(self._reply(what, error, None))
        except UnclearError as failure:
            raise NotSentError(
                f"{what} was not sent: {error.str()}. It is tried again by itself."
            ) from failure

    def _reply(self, what: str, error: Any, message: Any) -> Response:
        """The report of one message, or its failure in our words."""
        if error is None:
            ack = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
            return Response(status=200, body=msgspec.json.encode(ack))
        name = error.name()
        if error.fatal():
            self._producer = (
                None  # an idempotent producer that has lost its order ends for good; the next is a new one
            )
        if name in _TOO_LARGE:
            return Response(status=413, body=b"The event is larger than the brokers take.")
        if name in _SHUT_OUT:
            return Response(status=401)
        if name in _ABSENT:
            raise NotSentError(f"{what} was not sent: there is no such topic. Make it; the event waits here.")
        raise UnclearError(
            f"{what} was handed over, and not acknowledged: {error.str()}. It may be in the topic."
        )

    def _poll(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        """Hear reports while somebody waits for one."""
        while self._waiting and self._producer is not None:
            self._producer.poll(0)
            await asyncio.sleep(POLL_S)


def _library() -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        raise ConfigurationError(
            "Kafka needs a library that is not here. Install crossdock[kafka].", field="connector"
        ) from error
    return confluent_kafka


def _quiet() -> Any:
    import logging

    log = logging.getLogger("crossdock.kafka")
    log.setLevel(logging.CRITICAL)
    return log
