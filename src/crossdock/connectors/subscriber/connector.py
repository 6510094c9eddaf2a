"""One POST an event, signed under every secret, its id the same over attempts, its time that of the attempt."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime

from standardwebhooks import Webhook

from crossdock.connectors.subscriber.spec import SPEC
from crossdock.errors import ConfigurationError, GoneError, UnclearError
from crossdock.model.commands import Tell
from crossdock.sdk.calls import Calls, Done, Intent, Request
from crossdock.sdk.telling import CONTENT_TYPE, Subscriber, encoded
from crossdock.sdk.webhooks import bearer

PREFIX = "whsec_"
KEY_BYTES_MIN, KEY_BYTES_MAX = 24, 64
SECRETS_MAX = 5
_OURS = (401, 403, 408, 425, 429)
"""Replies that the engine reads by itself: credentials, and "later"."""
_ANY = tuple(status for status in range(300, 500) if status not in _OURS)


def build(settings: Mapping[str, str]) -> SubscriberConnector:
    """Build the connector of one connection."""
    return SubscriberConnector(settings)


class SubscriberConnector(Subscriber):
    """Posts events to an address that verifies them."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(SPEC, settings)
        older = [part for part in settings.get("older_secrets", "").split(",") if part]
        if len(older) >= SECRETS_MAX:
            raise ConfigurationError(
                f"there are more than {SECRETS_MAX - 1} older secrets. Take out those that the subscriber has replaced.",
                field="older_secrets",
            )
        named = [("secret", settings.get("secret", "")), *(("older_secrets", part) for part in older)]
        self._keys = [Webhook(_key(field, text)) for field, text in named if text]
        self._token = settings.get("token", "")

    def request_headers(self) -> Mapping[str, str]:
        """The subscriber's token."""
        return bearer(self._token) if self._token else {}

    def tell(self, command: Tell, intent: Intent) -> Calls:
        """Post the event. A 2xx is its receipt, 410 ends the subscription, all else is tried again."""
        event = command.event
        body = encoded(event)
        at = datetime.fromisoformat(intent.now)
        signatures = " ".join(key.sign(event.id, at, body.decode()) for key in self._keys)
        reply = yield Request(
            method="POST",
            path="",
            headers={
                "content-type": CONTENT_TYPE,
                "webhook-id": event.id,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": signatures,
            },
            body=body,
            accept=_ANY,
        )
        if reply.status == 410:
            raise GoneError("its address was answered with 410, which means that it wants no more events.")
        if not 200 <= reply.status < 300:
            raise UnclearError(
                f"Event {event.id} was answered with {reply.status}. It is told again by itself; see that the "
                "subscriber's address is right, and why it does not take it."
            )
        return Done()


def _key(field: str, text: str) -> bytes:
    """The key of a secret, or a ConfigurationError that does not print it."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise ConfigurationError(
            f"it is not {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes in base64 behind {PREFIX!r}. Make one: "
            "`echo whsec_$(head -c 32 /dev/urandom | base64)`.",
            field=field,
        )
    return key
