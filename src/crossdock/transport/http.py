"""HTTP, over pyreqwest: one pool of connections a partner, shared by threads; one deadline a request.

Whether a request has reached the partner decides between trying again and asking first, so it is never guessed: only
a failure to connect is "not sent". pyreqwest's exception classes do not tell (a reset after the request was written
is its ConnectError, a partner that stays silent its ConnectTimeoutError); the chain of causes does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from pyreqwest.client import ClientBuilder, SyncClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, PoolTimeoutError, PyreqwestError

from crossdock import __version__
from crossdock.errors import ConfigurationError, ContractError, CrossdockError, NotSentError, UnclearError
from crossdock.sdk.calls import Request, Response

RESPONSE_BYTES_MAX = 16 * 1024 * 1024
IDLE_CONNECTIONS_MAX = 64
IDLE_S = 50.0
"""Idle connections are closed before the usual partner (60 s) closes them under a request."""

_NEVER_CONNECTED = "client error (Connect)"


class HttpTransport:
    """Send requests to one partner: keep-alive, no redirects, no cookies, certificates verified. Thread-safe.

    `default_headers` are the connector's `request_headers()`. With `trust_env` the proxies of the environment are
    used. Bodies are asked for uncompressed, so a small reply cannot become a large one.
    """

    def __init__(
        self,
        base_url: str,
        default_headers: Mapping[str, str] | None = None,
        *,
        response_bytes_max: int = RESPONSE_BYTES_MAX,
        idle_connections_max: int = IDLE_CONNECTIONS_MAX,
        trust_env: bool = False,
        root_certificate_pem: bytes = b"",
    ) -> None:
        self._base = _base(base_url)
        self._bytes_max = response_bytes_max
        builder = _configured(SyncClientBuilder(), default_headers, idle_connections_max)
        if not trust_env:
            builder = builder.no_proxy()
        if root_certificate_pem:
            builder = builder.add_root_certificate_pem(root_certificate_pem)
        self._client = builder.build()
        self._request = self._client.request

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        """Send one request and return the whole reply within `timeout_s`, connecting included.

        Raises NotSentError where it certainly did not reach the partner, UnclearError where it may have, and
        ContractError for a reply that is too large or a redirect that the request does not accept.
        """
        if timeout_s <= 0:
            raise NotSentError(f"{request.method} {request.path} was not sent: no time was left for it.")
        with _told(request):
            builder = _written(self._request, self._base, request, timeout_s, (traceparent, tracestate))
            with builder.build_streamed() as reply:
                status = _expected(request, reply.status)
                # One read that ends at the end of the body or at one byte too many: each read is a trip to another
                # thread.
                read = reply.body_reader.read(self._bytes_max + 1)
                return Response(
                    status=status, headers=reply.headers, body=_body(request, read, self._bytes_max)
                )

    def close(self) -> None:
        """Close the pool; a request in flight ends as unclear."""
        self._client.close()


class AsyncHttpTransport:
    """As HttpTransport, for an event loop: many requests under way on one thread."""

    def __init__(
        self,
        base_url: str,
        default_headers: Mapping[str, str] | None = None,
        *,
        response_bytes_max: int = RESPONSE_BYTES_MAX,
        idle_connections_max: int = IDLE_CONNECTIONS_MAX,
    ) -> None:
        self._base = _base(base_url)
        self._bytes_max = response_bytes_max
        self._client = _configured(ClientBuilder(), default_headers, idle_connections_max).no_proxy().build()
        self._request = self._client.request

    async def close(self) -> None:
        """Close the pool; a request in flight ends as unclear."""
        await self._client.close()

    async def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response:
        """As HttpTransport.send."""
        if timeout_s <= 0:
            raise NotSentError(f"{request.method} {request.path} was not sent: no time was left for it.")
        with _told(request):
            builder = _written(self._request, self._base, request, timeout_s, (traceparent, tracestate))
            async with builder.build_streamed() as reply:
                status = _expected(request, reply.status)
                read = await reply.body_reader.read(self._bytes_max + 1)
                return Response(
                    status=status, headers=reply.headers, body=_body(request, read, self._bytes_max)
                )


def _base(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ConfigurationError(f"{url!r} is no http(s) address. Give one, with its scheme.", field="url")
    return url.rstrip("/")


def _configured(builder: Any, headers: Mapping[str, str] | None, idle_connections_max: int) -> Any:
    return (
        builder.default_headers({"user-agent": f"crossdock/{__version__}", **(headers or {})})
        .follow_redirects(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .pool_idle_timeout(timedelta(seconds=IDLE_S))
        .pool_max_idle_per_host(idle_connections_max)
        .tcp_nodelay(True)
    )


def _written(new: Any, base: str, request: Request, timeout_s: float, trace: tuple[str, str]) -> Any:
    builder = new(request.method, base + request.path)
    if request.query:
        builder = builder.query(request.query)
    if request.headers:
        builder = builder.headers(request.headers)
    for name, value in zip(("traceparent", "tracestate"), trace, strict=True):
        if value:
            builder = builder.header(name, value)
    if request.body:
        builder = builder.body_bytes(request.body)
    return builder.timeout(timedelta(seconds=timeout_s))


def _expected(request: Request, status: int) -> int:
    if 300 <= status < 400 and status not in request.accept:
        raise ContractError(
            f"{request.method} {request.path} was answered with the redirect {status}. "
            "Set the connection's url to where the partner now is."
        )
    return status


def _body(request: Request, read: Any, bytes_max: int) -> bytes:
    body = b"" if read is None else bytes(read.to_bytes())
    if len(body) > bytes_max:
        raise ContractError(
            f"{request.method} {request.path} was answered with more than {bytes_max} bytes. Ask for smaller pages."
        )
    return body


@contextmanager
def _told(request: Request) -> Iterator[None]:
    """Every failure in our words, once."""
    try:
        yield
    except PyreqwestError as error:
        raise _translated(request, error) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{request.method} {request.path} cannot be written as a request: {error}. Correct the url, or the "
            "setting that became part of a header.",
            field="url",
        ) from error


def _translated(request: Request, error: PyreqwestError) -> CrossdockError:
    """The same failure in our words."""
    what = f"{request.method} {request.path}"
    causes = _causes(error)
    reason = causes[-1] if causes else type(error).__name__
    if isinstance(error, PoolTimeoutError) or _NEVER_CONNECTED in causes:
        return NotSentError(
            f"{what} was not sent, no connection was made: {reason}. It is tried again by itself."
        )
    return UnclearError(f"{what} was sent, but no whole reply came: {reason}. The partner may have done it.")


def _causes(error: PyreqwestError) -> list[str]:
    details: Any = error.details if isinstance(error, DetailedPyreqwestError) else None
    causes = (details or {}).get("causes") or ()
    return [str(cause.get("message", "")) for cause in causes]
