"""Pages of Shopify's REST API, and bodies whose topic must be guessed from their shape."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from crossdock.errors import MappingError
from crossdock.sdk.decode import decode, decode_checked, require_plain_json
from crossdock.sdk.spec import Child

Member = msgspec.Raw
About = Callable[[str, bytes], tuple[str, str]]

_TOPICS = {
    "page.orders": "orders/updated",
    "page.fulfillments": "fulfillments/update",
    "page.refunds": "refunds/create",
    "page.transactions": "order_transactions/create",
    "page.products": "products/update",
    "page.variants": "variants/update",
    "page.inventory_items": "inventory_items/update",
    "page.inventory_levels": "inventory_levels/update",
    "page.locations": "locations/update",
    "page.disputes": "disputes/update",
    "page.payouts": "payouts/update",
    "page.balance": "balance_transactions/create",
}
"""The topic of what stands on a page."""

_WRAPPERS = {
    "order": "page.orders",
    "fulfillment": "page.fulfillments",
    "refund": "page.refunds",
    "transaction": "page.transactions",
    "product": "page.products",
    "variant": "page.variants",
    "inventory_item": "page.inventory_items",
    "inventory_level": "page.inventory_levels",
    "location": "page.locations",
    "dispute": "page.disputes",
    "payout": "page.payouts",
}
"""The page of what is wrapped by its name; many of them stand under its plural."""

_SHAPES = (
    ("orders/updated", {"line_items", "total_price", "currency", "financial_status"}),
    ("refunds/create", {"refund_line_items", "order_id"}),
    ("fulfillments/update", {"order_id", "tracking_company", "line_items"}),
    ("disputes/update", {"network_reason_code", "evidence_due_by"}),
    ("balance_transactions/create", {"payout_id", "fee", "net"}),
    ("tender_transactions/create", {"order_id", "remote_reference", "payment_method"}),
    ("order_transactions/create", {"order_id", "kind", "gateway", "amount"}),
    ("returns/request", {"return_line_items"}),
    ("inventory_levels/update", {"inventory_item_id", "location_id", "available"}),
    ("products/update", {"variants", "title", "product_type"}),
    ("inventory_items/update", {"tracked", "sku"}),
    ("locations/update", {"name", "address1", "legacy"}),
    ("payouts/update", {"date", "status", "amount", "currency"}),
    ("customers/redact", {"orders_to_redact"}),
    ("customers/data_request", {"orders_requested"}),
)
"""Fields that only one topic has all of; the first that fits is meant."""


def children(kind: str, body: bytes, about: About) -> list[Child]:
    """Cut a page: its one member, a list or a single object, in the sender's own bytes."""
    topic = _TOPICS.get(kind)
    if topic is None:
        raise MappingError(f"kind: there is no page of kind {kind[:60]!r}.", field="kind")
    require_plain_json(body)
    return [_child(topic, bytes(member), about) for member in members(body)]


def members(body: bytes) -> list[msgspec.Raw]:
    """The objects on a page."""
    if body.lstrip()[:1] == b"[":
        return decode_checked(body, list[msgspec.Raw])
    page = decode_checked(body, dict[str, msgspec.Raw])
    lists = [value for key, value in page.items() if key in _WRAPPERS or key[:-1] in _WRAPPERS]
    if len(lists) != 1:
        raise MappingError("body: it is no page of Shopify's.", field="body")
    inner = bytes(lists[0])
    return decode_checked(inner, list[msgspec.Raw]) if inner.lstrip()[:1] == b"[" else [lists[0]]


def guess(body: bytes) -> list[str]:
    """The topics or pages that a body fits; one where it is plain, none where it is nothing of ours."""
    if body.lstrip()[:1] == b"[":
        found = decode(body, list[msgspec.Raw])
        topics = guess(bytes(found[0])) if found else []
        return [page for page, topic in _TOPICS.items() if topic in topics]
    fields = decode(body, dict[str, msgspec.Raw])
    for key, value in fields.items():
        single = key if key in _WRAPPERS else key[:-1]
        if single in _WRAPPERS and len(fields) == 1:
            return [_page_of(single, bytes(value))]
    return [topic for topic, shape in _SHAPES if shape <= fields.keys()][:1]


def _page_of(single: str, inner: bytes) -> str:
    """The page under a name; `transactions` are those of an order or of a payout, which only what is in them tells."""
    page = _WRAPPERS[single]
    if page == "page.transactions" and b'"payout_id"' in inner:
        return "page.balance"
    return page


def _child(topic: str, body: bytes, about: About) -> Child:
    kind, ref = about(topic, body)
    return Child(
        kind=topic,
        body=body,
        ref_kind=kind,
        ref=ref,
        delivery_id=hashlib.blake2b(body, digest_size=16).hexdigest(),
    )
