"""Recorded deliveries, signed anew as their sender would, and posted to a hub.

How a vendor signs is known to its connector alone, which verifies. So the recording's own signature header is imitated:
whatever header holds an HMAC-SHA256, in base64 or hexadecimal, is made again under the connection's secrets until the
connector is content.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from crossdock.cli.context import problem_of
from crossdock.cli.output import note
from crossdock.errors import ConfigurationError, MappingError, NotFoundError, RetryableError, SignatureError
from crossdock.sdk import webhooks
from crossdock.sdk.calls import Request

if TYPE_CHECKING:
    from crossdock.config import ConnectionConfig
    from crossdock.sdk.spec import Connector
    from crossdock.transport.http import HttpTransport

TIMEOUT_S = 30.0
TRIES_MAX = 10
PAUSE_S = 0.5
NOT_PASSED_ON = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "expect", "host", "keep-alive"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
_HEX = re.compile(r"(sha256=)?([0-9a-fA-F]{64})")

Result = Literal["accepted", "repeated", "refused", "failed"]


class Delivery(msgspec.Struct, frozen=True):
    """A recorded delivery: header names in lower case, the body's own bytes."""

    file: str
    headers: dict[str, str]
    body: bytes


class Fed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one posting."""

    file: str
    result: Result
    status: int = 0
    message: str = ""
    detail: str = ""


class _Recorded(msgspec.Struct):
    headers: dict[str, Any]
    body: msgspec.Raw


def recorded(folder: Path) -> Iterator[Delivery]:
    """Every recorded delivery below a folder, by name; a file that is none is told and left out."""
    files = (
        [folder] if folder.is_file() else sorted(path for path in folder.rglob("*.json") if path.is_file())
    )
    if not files:
        raise NotFoundError(f"There is no .json file in {folder}.")
    for file in files:
        try:
            found = msgspec.json.decode(file.read_bytes(), type=_Recorded)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            note(f"{file} is left out: no recorded delivery with headers and body ({error}).", "yellow")
            continue
        headers = {
            name.lower(): str(value)
            for name, values in found.headers.items()
            for value in (values if isinstance(values, list) else [values])[-1:]
            if isinstance(value, str | int)
        }
        kept = {name: value for name, value in headers.items() if name not in NOT_PASSED_ON}
        yield Delivery(str(file), kept, _body(bytes(found.body)))


def _body(raw: bytes) -> bytes:
    """The body as it was sent; one that was recorded as a text is that text."""
    return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw


def signed(delivery: Delivery, connector: Connector, secrets: Mapping[str, str]) -> Delivery:
    """The delivery under our secret, as its connector takes it; ConfigurationError where none of ours will do."""
    places = [name for name, value in delivery.headers.items() if _looks_signed(value)] or [
        webhooks.SIGNATURE
    ]
    for secret in secrets.values():
        headers = dict(delivery.headers)
        for name in places:
            headers[name] = _signature_like(headers.get(name, ""), secret, delivery.body)
        try:
            connector.verify(headers, delivery.body)
        except SignatureError:
            continue
        return Delivery(delivery.file, headers, delivery.body)
    tried = ", ".join(secrets) or "none is set"
    raise ConfigurationError(
        f"{delivery.file} cannot be signed for the connection: its connector takes no signature under our secrets ({tried}) "
        "in the headers that were recorded. Was it recorded with its signature header, and is the secret set?"
    )


def secrets_of(connection: ConnectionConfig) -> dict[str, str]:
    names = [setting.name for setting in connection.spec.settings if setting.secret]
    return {name: connection.settings[name] for name in names if connection.settings.get(name)}


def _looks_signed(value: str) -> bool:
    return bool(_HEX.fullmatch(value)) or _is_base64_digest(value)


def _is_base64_digest(value: str) -> bool:
    try:
        return len(value) == 44 and len(base64.b64decode(value, validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _signature_like(old: str, secret: str, body: bytes) -> str:
    """An HMAC of the body, written as the old one was."""
    digest = hmac.digest(secret.encode(), body, "sha256")
    if _is_base64_digest(old):
        return base64.b64encode(digest).decode()
    match = _HEX.fullmatch(old)
    prefix = "sha256=" if match is None else match.group(1) or ""
    return prefix + digest.hex()


def post_delivery(transport: HttpTransport, connection: str, delivery: Delivery) -> Fed:
    """Post once, again after a 429 or 503; what the hub answers is the result."""
    request = Request(method="POST", path=f"/in/{connection}", headers=delivery.headers, body=delivery.body)
    for attempt in range(1, TRIES_MAX + 1):
        try:
            reply = transport.send(request, TIMEOUT_S)
        except RetryableError as error:
            return Fed(file=delivery.file, result="failed", detail=error.message)
        if reply.status in (429, 503) and attempt < TRIES_MAX:
            time.sleep(PAUSE_S)
            continue
        if reply.status >= 400:
            detail, field = problem_of(reply)
            detail = f"{field}: {detail}" if field else detail
            return Fed(file=delivery.file, result="refused", status=reply.status, detail=detail)
        return _taken(delivery, reply.status, reply.body)
    return Fed(file=delivery.file, result="failed", detail="the hub is overloaded")


class _Receipt(msgspec.Struct):
    message: str = ""
    duplicate: bool = False


def _taken(delivery: Delivery, status: int, body: bytes) -> Fed:
    try:
        receipt = msgspec.json.decode(body, type=_Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MappingError("What answered is no hub. Look at the address.") from error
    result: Result = "repeated" if receipt.duplicate else "accepted"
    return Fed(file=delivery.file, result=result, status=status, message=receipt.message)
