"""Proving who sent a delivery, and proving to partners who we are. Secrets are compared in constant time.

Header names are lower case throughout.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Literal

from crossdock.errors import MappingError, SignatureError
from crossdock.sdk.spec import ConnectorSpec

SIGNATURE = "x-crossdock-signature"
EVENT = "x-crossdock-event"
DELIVERY = "x-crossdock-delivery"


def sign(secret: str, body: bytes) -> str:
    """Return the value of our own signature header for a body: `sha256=` and the HMAC in hex."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def verify(
    secret: str,
    body: bytes,
    given: str,
    *,
    header: str = SIGNATURE,
    encoding: Literal["hex", "base64"] = "hex",
    prefix: str = "sha256=",
) -> None:
    """Raise SignatureError unless `given` is the HMAC-SHA256 of the raw body under `secret`.

    A missing header, one that is not ASCII, one in another encoding and an empty secret are all refusals, never
    defects. `header` only names the place in the message.
    """
    wanted = hmac.digest(secret.encode(), body, "sha256")
    if not secret or not hmac.compare_digest(wanted, _decoded(given, encoding, prefix)):
        said = f"The signature in {header} is not that of this body" if given else f"There is no {header}"
        raise SignatureError(
            f"{said}. Compare the webhook secret of the connection with the sender's.", field=header
        )


def bearer(token: str) -> Mapping[str, str]:
    """Return the header that carries a token (RFC 6750)."""
    return {"authorization": f"Bearer {token}"}


def _decoded(given: str, encoding: Literal["hex", "base64"], prefix: str) -> bytes:
    if not given.isascii() or not given.startswith(prefix):
        return b""
    text = given[len(prefix) :]
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def event(headers: Mapping[str, str], spec: ConnectorSpec) -> str:
    """The name of the event; a MappingError where there is none, or none that the contract has."""
    name = headers.get(EVENT, "")
    if not name:
        raise MappingError(f"A delivery came without {EVENT}. Let the sender name the event.", field=EVENT)
    if spec.understands(name) is None:
        known = ", ".join(i.kind for i in spec.inbound if not i.kind.startswith("page."))
        raise MappingError(
            f"{spec.name} has no event {name!r}. It has {known}. Let the sender name one of them.",
            field=EVENT,
        )
    return name
