"""How a connector talks: it yields requests, is sent replies, and returns an outcome.

A connector never sleeps, retries or opens a socket. Each call is a generator, so the same code runs against the
real partner, a recording, or a simulator under a virtual clock:

    def create_sale(self, command: CreateSale, intent: Intent) -> Calls:
        if intent.may_have_happened:
            found = yield get("/sales", query={"reference": command.order.id})
            ...
        reply = yield post("/sales", json=mapping.sale(command.order), headers={"idempotency-key": intent.key})
        return Done(reference=reply.decode(Created).id)

Replies that mean "later" or "not you" (401, 403, 408, 425, 429 and every 5xx) never reach the generator unless the
request lists them in `accept`: whoever performs the call raises for them, in one place.

A call may raise any error of `crossdock.errors` at any time. While all its requests were questions (a GET, or `asks`), that
is a refusal with the error's words and field; once one was sent that may have changed something, the effect is in doubt.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from crossdock.errors import ContractError, CredentialsError, RejectedError, ThrottledError, UnclearError
from crossdock.sdk.decoders import decoder_of
from crossdock.sdk.spec import Child

T = TypeVar("T")
_encode = msgspec.json.Encoder(order="deterministic").encode

DETAIL_CHARS_MAX = 300


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, relative to the connection's `url`. `accept` lists statuses the call handles itself.

    asks: it changes nothing there although its method could, as where one POST is used for everything (JSON-RPC, GraphQL).
    """

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""
    accept: tuple[int, ...] = ()
    asks: bool = False

    @property
    def changes_something(self) -> bool:
        """True where the partner may act on it, so that a lost reply is unclear."""
        return not self.asks and self.method not in ("GET", "HEAD", "OPTIONS")


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A whole reply: header names are lower case; a body that was cut off never gets here."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def decode(self, type_: type[T]) -> T:
        """Decode the JSON body, or raise ContractError that names the place in it."""
        try:
            return decoder_of(type_).decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ContractError(
                f"The partner answered {self.status} with a body that is not what its contract says: {error}. "
                "Compare the connector's version with the partner's."
            ) from error


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """It is so at the partner; `reference` is the partner's own id of the document, if it has one."""

    reference: str = ""
    total: int | None = None
    """The total that the partner holds, in minor units of the order's currency, where it says so."""
    booked_at: datetime | None = None
    """When it was booked, by the partner's own clock, where it says so: its later statements of stock hold it."""
    already: bool = False
    """True where a look-up found the work of an earlier attempt."""
    messages: tuple[Child, ...] = ()
    """What the reply tells besides, as messages for the inbox: a cancellation answered at once, line by line."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The partner said no, and would again. `field` names what it objected to, in its own words."""

    reason: str
    code: str = ""
    field: str = ""


class Pending(msgspec.Struct, frozen=True, kw_only=True, tag="pending"):
    """The partner is still at it: call again after `after` seconds with `intent.resume` = `resume`."""

    resume: str
    after: float


class Page(msgspec.Struct, frozen=True, kw_only=True, tag="page"):
    """What a poll brought: the raw body goes through the inbox, `cursor` commits with its children."""

    kind: str
    body: bytes
    cursor: str
    more: bool = False


class Results(msgspec.Struct, frozen=True, kw_only=True, tag="results"):
    """Of a batched call: an outcome of its own for each key; a key that is missing is retried."""

    by_key: Mapping[str, Done | Refused]


Outcome = Done | Refused | Pending | Page | Results
Calls = Generator[Request, Response, Outcome]


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the effect while it is attempted.

    key: the effect key, the same for every attempt; send it as `Idempotency-Key` where the partner has one.
    may_have_happened: an earlier attempt may have reached the partner; ask before doing it again.
    attempt: counted from 1. resume: from `Pending`. now: ISO 8601 UTC time of this attempt. traceparent, tracestate: what every
    request of it carries already.
    """

    key: str
    may_have_happened: bool = False
    attempt: int = 1
    resume: str = ""
    traceparent: str = ""
    tracestate: str = ""
    now: str = ""


def get(
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (),
) -> Request:
    """Ask; changes nothing at the partner."""
    return Request(method="GET", path=path, query=query or {}, headers=headers or {}, accept=accept)


def post(
    path: str,
    *,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (),
    method: str = "POST",
    asks: bool = False,
) -> Request:
    """Send `json` (anything msgspec encodes; None for no body). asks: it changes nothing at the partner."""
    merged = {"content-type": "application/json", **(headers or {})}
    body = b"" if json is None else _encode(json)
    return Request(method=method, path=path, headers=merged, body=body, accept=accept, asks=asks)


def raise_for_reply(request: Request, reply: Response) -> None:
    """Raise for a reply that no connector should have to handle; return for every other."""
    status = reply.status
    if status < 400 or status in request.accept:
        return
    where = f"{request.method} {request.path} was answered with {status}"
    if status in (401, 403):
        raise CredentialsError(f"{where}. Renew the connection's credentials, then resume it.")
    if status == 429:
        raise ThrottledError(
            f"{where}. It is tried again at the partner's pace.", retry_after=retry_after(reply)
        )
    if status >= 500 or status in (408, 425):
        error = UnclearError(f"{where}. It is tried again by itself.", retry_after=retry_after(reply))
        raise error
    if status not in (404, 409, 410, 412, 422):
        detail = reply.body[:DETAIL_CHARS_MAX].decode("utf-8", "replace")
        raise RejectedError(f"{where}: {detail}")


def retry_after(reply: Response) -> float | None:
    """Seconds of a `Retry-After` header (RFC 9110, 10.2.3); None where there is none, or it is a date."""
    text = reply.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 * 7 else None


def refused(reply: Response) -> Refused:
    """The usual reading of a 4xx: an RFC 9457 problem where there is one, else the first words of the body."""
    try:
        problem = msgspec.json.decode(reply.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = {}
    reason = str(problem.get("detail") or problem.get("title") or "")
    if not reason:
        reason = reply.body[:DETAIL_CHARS_MAX].decode("utf-8", "replace") or f"HTTP {reply.status}"
    return Refused(
        reason=reason[:DETAIL_CHARS_MAX],
        code=str(problem.get("code") or reply.status)[:DETAIL_CHARS_MAX],
        field=str(problem.get("field") or "")[:DETAIL_CHARS_MAX],
    )
