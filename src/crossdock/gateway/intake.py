"""The gate for webhooks: `POST /in/{connection}`, as a plain ASGI application for the sake of speed.

Verify, read the key, hand over, answer after the commit. Arrivals that come while a commit is under way gather and go
together with the next. Nothing that authenticates is refused for its contents: what cannot be understood is kept and
becomes a case.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from crossdock.bootstrap.gathering import Gathering
from crossdock.engine.messages import LANE_FREE, LANE_STREAM, PAGE_PREFIX, UNREADABLE, Arrival, Receipt
from crossdock.engine.tracing import sent_trace
from crossdock.errors import (
    CrossdockError,
    MappingError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    SignatureError,
)
from crossdock.sdk.spec import Connector

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

KEPT_HEADERS_MAX = 40
HEADER_CHARS_MAX = 1_000
BODY_S = 30.0
"""How long a sender may take over a body; who takes longer holds memory and a connection, and is sent away."""
STATUS = {
    SignatureError: 401,
    NotFoundError: 404,
    OverloadedError: 503,
    RejectedError: 400,
    MappingError: 400,
}


class TooLargeError(RejectedError):
    """The body is over the limit: nothing of it is kept."""


class TooSlowError(RejectedError):
    """The body did not come in time: nothing of it is kept."""


class IntakeApp:
    """Answers `/in/{connection}` and passes everything else on to `rest`."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        gathering: Gathering,
        rest: Asgi,
        *,
        body_bytes_max: int,
        new_trace: Callable[[], str],
        overtakes: Callable[[str, str], bool],
    ) -> None:
        self._connectors, self._gathering, self._rest = connectors, gathering, rest
        self._body_bytes_max, self._new_trace, self._overtakes = body_bytes_max, new_trace, overtakes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/in/"):
            await self._rest(scope, receive, send)
            return
        if scope["method"] != "POST":
            await _answer(send, 405, {"title": "Method not allowed", "detail": "Deliveries are posted."})
            return
        try:
            receipt = await self._take(scope, receive)
        except TooLargeError as error:
            await _answer(send, 413, {"title": "Too large", "detail": str(error)})
        except TooSlowError as error:
            await _answer(send, 408, {"title": "Too slow", "detail": str(error)})
        except CrossdockError as error:
            status = _status(error)
            problem = {"title": error.kind, "detail": error.message, "field": error.field or ""}
            await _answer(send, status, problem, retry=status == 503)
        else:
            await _answer(
                send,
                200,
                {"message": str(receipt.message), "duplicate": receipt.duplicate},
                kind="application/json",
            )

    async def _take(self, scope: Scope, receive: Receive) -> Receipt:
        name = scope["path"][4:]
        connector = self._connectors.get(name)
        if connector is None:
            raise NotFoundError(f"There is no connection {name[:60]!r}. See [connections] of crossdock.toml.")
        headers = _headers(scope)
        try:
            async with asyncio.timeout(BODY_S):
                body = await read_body(receive, headers, self._body_bytes_max)
        except TimeoutError as error:
            raise TooSlowError(f"The body did not come within {BODY_S:g} s. Send it again.") from error
        connector.verify(headers, body)
        return await self._gathering.accept(self.arrival(name, connector, headers, body))

    def arrival(self, name: str, connector: Connector, headers: Mapping[str, str], body: bytes) -> Arrival:
        """The delivery as an arrival. One whose key cannot be read is kept all the same: it becomes a case."""
        trace = sent_trace(headers) or self._new_trace()
        try:
            gate = connector.gate(headers, body)
            if gate.kind.startswith(
                PAGE_PREFIX
            ):  # it would move our cursor, and no signature covers its kind
                raise MappingError("A page is asked for, never delivered.", field="kind")
        except MappingError:
            return Arrival(
                source=name,
                kind=UNREADABLE,
                body=body,
                headers=headers,
                trace=trace,
                ref_kind=UNREADABLE,
                ref=hashlib.blake2b(body, digest_size=16).hexdigest(),
            )
        ref_kind, ref = gate.ref_kind, gate.ref
        if not ref and gate.delivery_id:
            # It is about nothing that has a name: by the delivery's own it is known again.
            ref_kind, ref = "delivery", gate.delivery_id
        return Arrival(
            source=name,
            kind=gate.kind,
            body=body,
            headers=headers,
            ref_kind=ref_kind,
            ref=ref,
            delivery_id=gate.delivery_id,
            lane=LANE_FREE if self._overtakes(name, gate.kind) else LANE_STREAM,
            trace=trace,
        )


def _status(error: CrossdockError) -> int:
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            return status
    return 503


async def read_body(receive: Receive, headers: Mapping[str, str], bytes_max: int) -> bytes:
    """The whole body, never more than the limit in memory. Compressed bodies are not taken."""
    if headers.get("content-encoding", "identity") not in ("identity", ""):
        raise RejectedError("Send the body uncompressed.", field="content-encoding")
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > bytes_max:
        raise TooLargeError(f"The body has {length} bytes; up to {bytes_max} are taken.")
    first = await receive()
    body: bytes = first.get("body", b"")
    if not first.get("more_body"):
        if len(body) > bytes_max:
            raise TooLargeError(f"The body has more than {bytes_max} bytes.")
        return body
    parts, size = [body], len(body)
    while True:
        part = await receive()
        if part["type"] == "http.disconnect":
            raise RejectedError("The body was cut off.")
        parts.append(part.get("body", b""))
        size += len(parts[-1])
        if size > bytes_max:
            raise TooLargeError(f"The body has more than {bytes_max} bytes.")
        if not part.get("more_body"):
            return b"".join(parts)


def _headers(scope: Scope) -> dict[str, str]:
    """Header names in lower case; values as Latin-1, which every byte string is; never the bearer of credentials."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"][:KEPT_HEADERS_MAX]:
        key = name.decode("latin-1").lower()
        if key not in ("authorization", "cookie"):
            headers[key] = value[:HEADER_CHARS_MAX].decode("latin-1")
    return headers


async def _answer(
    send: Send,
    status: int,
    body: Mapping[str, Any],
    *,
    retry: bool = False,
    kind: str = "application/problem+json",
) -> None:
    if kind.endswith("problem+json"):
        body = {"type": "about:blank", "status": status, **body}
    headers = [(b"content-type", kind.encode())]
    if retry:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})
