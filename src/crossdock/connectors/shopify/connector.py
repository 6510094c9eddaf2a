"""Shopify as a channel: what it sends, and what we ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crossdock.connectors.shopify import pages, wire
from crossdock.connectors.shopify.calls import ShopifyCalls
from crossdock.connectors.shopify.spec import SPEC
from crossdock.connectors.shopify.translate import TOPIC, TRIGGERED, Delivery, translate
from crossdock.connectors.shopify.words import optional_id, shop
from crossdock.errors import MappingError
from crossdock.model import ConnectionId, Report
from crossdock.sdk import webhooks
from crossdock.sdk.decode import decode_checked
from crossdock.sdk.spec import Child, Gate, Translation

SIGNATURE = "x-shopify-hmac-sha256"
DELIVERY = "x-shopify-webhook-id"

_ABOUT = {
    "orders": ("order", "id"),
    "fulfillments": ("order", "order_id"),
    "refunds": ("order", "order_id"),
    "order_transactions": ("order", "order_id"),
    "tender_transactions": ("order", "order_id"),
    "disputes": ("order", "order_id"),
    "returns": ("order", "order_id"),
    "products": ("product", "id"),
    "variants": ("product", "product_id"),
    "inventory_items": ("inventory_item", "id"),
    "inventory_levels": ("inventory_item", "inventory_item_id"),
    "locations": ("location", "id"),
    "payouts": ("payout", "id"),
}
"""What a delivery is about, by the first part of its topic: the kind of thing, and the field that names it.

An order is named by the digits that stand in the body, here as in `order_id` of everything else: see Known lies.
"""


def build(settings: Mapping[str, str]) -> ShopifyConnector:
    """Build the connector of one connection."""
    return ShopifyConnector(settings)


class ShopifyConnector(ShopifyCalls):
    """One shop."""

    spec = SPEC

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._secret = settings.get("webhook_secret", "")
        self._token = settings.get("access_token", "")
        self._shop = shop(settings)

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise SignatureError unless the delivery bears the HMAC of its raw bytes under the app's secret."""
        webhooks.verify(
            self._secret, body, headers.get(SIGNATURE, ""), header=SIGNATURE, encoding="base64", prefix=""
        )

    def gate(self, headers: Mapping[str, str], body: bytes) -> Gate:
        """Read topic, delivery id and what it is about; the rest of the body is only looked at to skip it."""
        topic = headers.get(TOPIC, "")
        if not topic:
            raise MappingError(f"{TOPIC}: it is missing. Is the sender Shopify?", field=TOPIC)
        kind, ref = self._about(topic, body)
        return Gate(
            kind=topic,
            ref_kind=kind,
            ref=ref,
            delivery_id=headers.get(DELIVERY, ""),
            occurred_at=headers.get(TRIGGERED, ""),
        )

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        """Cut a page into the objects on it, each under the topic that would have told it."""
        if not kind.startswith("page."):
            return None
        return pages.children(kind, body, self._about)

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        """Turn one delivery, or one object of a page, into reports."""
        return translate(Delivery(kind, headers, body, ConnectionId(context.connection), self._shop))

    def guess_kind(self, body: bytes) -> list[str]:
        """The kinds that a body without headers may be, by its shape."""
        return pages.guess(body)

    def request_headers(self) -> Mapping[str, str]:
        """The app's token."""
        return {"x-shopify-access-token": self._token, "accept": "application/json"}

    def _about(self, topic: str, body: bytes) -> tuple[str, str]:
        about = _ABOUT.get(topic.partition("/")[0])
        if about is None or self.spec.understands(topic) is None:
            return "", ""
        kind, field = about
        key = decode_checked(body, wire.KeyBody)
        ref = optional_id(getattr(key, field), field)
        if not ref and key.order is not None:
            ref = optional_id(key.order.id, "order.id")
        return (kind, ref) if ref else ("", "")
