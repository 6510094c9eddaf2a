"""NATS JetStream, over nats-py: one connection a partner, made when it is needed, and made anew when it is lost.

nats-py's own reconnecting is off: it keeps what is published while it has no connection and sends it later, when
nobody waits for it any more. Here a message is either on its way over a connection that stands, or not sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.errors import AuthorizationError, InvalidUserCredentialsError, MaxPayloadError
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError

from crossdock import __version__
from crossdock.errors import NotSentError, UnclearError
from crossdock.sdk.calls import Request, Response

CONNECT_S = 5.0
PING_S = 10
_OPTIONS = {"credentials_file": "user_credentials", "user": "user", "password": "password", "token": "token"}


class Stream(msgspec.Struct, frozen=True):
    """The body of a request MAKE."""

    name: str
    subjects: list[str]
    replicas: int
    duplicate_window_s: int


class JetStreamTransport:
    """PUBLISH waits for the stream's acknowledgement; MAKE makes a stream that is not there. For one event loop.

    Replies: 200 with {stream, seq, duplicate}; 404 no stream takes it; 413 too large; 401 who we are is refused; else
    the code that JetStream gives, its words as the body.
    """

    def __init__(self, servers: Sequence[str], credentials: Mapping[str, str]) -> None:
        self._servers = list(servers)
        self._credentials: dict[str, Any] = {_OPTIONS[name]: value for name, value in credentials.items()}
        self._client: Client | None = None
        self._lost: asyncio.Future[None] | None = None
        self._connecting = asyncio.Lock()

    async def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        """Perform one request within `timeout_s`, connecting included. Raises NotSentError or UnclearError."""
        what = f"{request.method} {request.path}"
        if timeout_s <= 0:
            raise NotSentError(f"{what} was not sent: no time was left for it.")
        began = asyncio.get_running_loop().time()
        try:
            client, lost = await self._connected(min(timeout_s, CONNECT_S))
        except (nats.errors.Error, OSError, TimeoutError) as error:
            if _is_refusal(error):
                return Response(status=401)
            raise NotSentError(
                f"{what} was not sent, no connection was made: {str(error) or type(error).__name__}. "
                "It is tried again by itself."
            ) from error
        left = timeout_s - (asyncio.get_running_loop().time() - began)
        if left <= 0:
            raise NotSentError(f"{what} was not sent: no time was left for it.")
        trace = {"traceparent": traceparent, "tracestate": tracestate}
        make = _publish if request.method == "PUBLISH" else _make
        work: asyncio.Future[Response] = asyncio.ensure_future(make(client, request, left, trace))
        await asyncio.wait((work, lost), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            reason = "the connection was lost" if lost.done() else "nothing was answered in time"
            raise UnclearError(f"{what} was sent, but not acknowledged: {reason}. It may be in the stream.")
        return _reply(what, work)

    async def close(self) -> None:
        """Close the connection; a request in flight ends as unclear."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self, timeout_s: float) -> tuple[Client, asyncio.Future[None]]:
        async with self._connecting:
            client, lost = self._client, self._lost
            if client is not None and lost is not None and client.is_connected and not lost.done():
                return client, lost
            self._client = self._lost = None
            if client is not None:
                with contextlib.suppress(Exception):
                    await client.close()
            lost = asyncio.get_running_loop().create_future()
            self._client, self._lost = await self._connect(lost, timeout_s), lost
            return self._client, lost

    async def _connect(self, lost: asyncio.Future[None], timeout_s: float) -> Client:
        refused: list[Exception] = []

        async def note(error: Exception) -> None:
            refused.append(error)

        async def lose() -> None:
            if not lost.done():
                lost.set_result(None)

        client = Client()
        try:
            await asyncio.wait_for(
                client.connect(
                    servers=self._servers,
                    name=f"crossdock/{__version__}",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=CONNECT_S,  # type: ignore[arg-type]  # seconds, whole or not
                    ping_interval=PING_S,
                    error_cb=note,
                    disconnected_cb=lose,
                    closed_cb=lose,
                    **self._credentials,
                ),
                timeout_s,
            )
        except Exception as error:
            with contextlib.suppress(Exception):
                await client.close()
            raise next((found for found in refused if _is_refusal(found)), error) from None
        return client


def _is_refusal(error: Exception) -> bool:
    """Whether the server does not take us for who we say that we are; it says so in its own words only."""
    return (
        isinstance(error, AuthorizationError | InvalidUserCredentialsError)
        or "authorization" in str(error).lower()
    )


async def _publish(client: Client, request: Request, timeout_s: float, trace: Mapping[str, str]) -> Response:
    headers = {**request.headers, **{name: value for name, value in trace.items() if value}}
    ack = await client.jetstream().publish(request.path, request.body, timeout=timeout_s, headers=headers)
    return _ok({"stream": ack.stream, "seq": ack.seq, "duplicate": bool(ack.duplicate)})


async def _make(client: Client, request: Request, timeout_s: float, _trace: Mapping[str, str]) -> Response:
    wanted = msgspec.json.decode(request.body, type=Stream)
    config = StreamConfig(
        name=wanted.name,
        subjects=wanted.subjects,
        storage=StorageType.FILE,
        num_replicas=wanted.replicas,
        duplicate_window=wanted.duplicate_window_s,
    )
    made = await client.jetstream(timeout=timeout_s).add_stream(config)
    return _ok({"stream": made.config.name})


def _ok(value: Any) -> Response:
    return Response(status=200, headers={"content-type": "application/json"}, body=msgspec.json.encode(value))


def _reply(what: str, work: asyncio.Future[Response]) -> Response:
    """The reply, or the failure in our words."""
    try:
        return work.result()
    except NoStreamResponseError:
        return Response(status=404)
    except MaxPayloadError:
        return Response(status=413, body=b"The event is larger than the server takes.")
    except APIError as error:
        return Response(status=error.code or 500, body=(error.description or "").encode())
    except nats.errors.TimeoutError as error:
        raise UnclearError(
            f"{what} was sent, but not acknowledged in time. It may be in the stream."
        ) from error
    except (nats.errors.Error, OSError) as error:
        raise UnclearError(
            f"{what} was sent, but not acknowledged: {str(error) or type(error).__name__}. It may be in the stream."
        ) from error
