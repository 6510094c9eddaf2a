"""Shopify's words in ours: statuses, reasons, gateways, times and ids, and the settings that decide between readings.

A word that decides something and that we do not know is a MappingError: the message parks and a person reads the release
notes. A word that only describes becomes "unknown" or "other".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from crossdock.connectors.shopify import wire
from crossdock.errors import MappingError
from crossdock.model import (
    CancelledBy,
    Commitment,
    ConnectionId,
    ExternalRef,
    FulfilledBy,
    LocationId,
    TenderKind,
    TenderState,
)
from crossdock.model.base import shown

V = TypeVar("V")

OWN_SOURCES = frozenset({"", "web", "pos", "shopify_draft_order", "iphone", "android", "580111", "checkout"})
"""`source_name` of what was sold on the shop itself; any other names the app or marketplace that copied the order."""

_COMMITMENT: dict[str, Commitment] = {
    "pending": "tentative",
    "authorized": "committed",
    "partially_paid": "committed",
    "paid": "committed",
    "partially_refunded": "committed",
    "refunded": "committed",
    "voided": "tentative",
    "expired": "void",
}
LAST_OF_SECOND = 999_999
PROGRESS = {
    "pending": 0,
    "authorized": 1,
    "partially_paid": 2,
    "paid": 3,
    "partially_refunded": 4,
    "refunded": 5,
    "voided": 6,
    "expired": 6,
}
"""How far along its money an order is: orders versions that Shopify gave the same second."""

TENDER_STATE: dict[str, TenderState] = {
    "pending": "pending",
    "authorized": "authorised",
    "partially_paid": "captured",
    "paid": "captured",
    "partially_refunded": "captured",
    "refunded": "captured",
    "voided": "voided",
    "expired": "failed",
}
CANCELLED_BY: dict[str, CancelledBy] = {
    "customer": "buyer",
    "declined": "payment",
    "inventory": "seller",
    "staff": "seller",
    "fraud": "seller",
}
_GATEWAYS: dict[str, TenderKind] = {
    "gift_card": "gift_card",
    "shopify_store_credit": "store_credit",
    "store_credit": "store_credit",
    "cash": "cash",
    "cash on delivery (cod)": "cash",
    "cash on delivery": "cash",
    "bank deposit": "bank_transfer",
    "bank_deposit": "bank_transfer",
    "money order": "cheque",
    "invoice": "invoice",
    "paypal": "wallet",
    "amazon_payments": "wallet",
    "klarna": "pay_later",
    "afterpay": "pay_later",
    "affirm": "pay_later",
    "shopify_installments": "pay_later",
    "shopify_payments": "card",
    "credit_card": "card",
    "stripe": "card",
    "authorize_net": "card",
    "braintree": "card",
    "adyen": "card",
    "bogus": "card",
    "visa": "card",
    "mastercard": "card",
    "american_express": "card",
    "apple_pay": "wallet",
    "google_pay": "wallet",
    "shop_pay": "wallet",
}


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a connection, read once."""

    locations: Mapping[str, str] = {}
    """Shopify's location id -> ours."""
    own_services: frozenset[str] = frozenset()
    pickup_codes: frozenset[str] = frozenset()
    commit_unpaid: frozenset[str] = frozenset()
    acknowledge_tag: str = ""
    currency: str = ""
    taxes_included: str = ""
    zone: str = ""

    def location(self, shopify_id: str) -> LocationId:
        """Our id of a location, or "" where it is not mapped."""
        return LocationId(self.locations.get(shopify_id, ""))

    def fulfilled_by(self, service: str | None) -> FulfilledBy:
        """Who ships what is assigned to a fulfilment service: us, unless it is somebody else's."""
        return "us" if not service or service in self.own_services else "supplier"


def shop(settings: Mapping[str, str]) -> Shop:
    """Read the settings of a connection; what is absent has its default from the spec."""
    pairs = (pair.partition("=") for pair in _listed(settings.get("locations", "")))
    return Shop(
        locations={theirs.strip(): ours.strip() for theirs, _, ours in pairs},
        own_services=frozenset(_listed(settings.get("own_services") or "manual,gift_card")),
        pickup_codes=frozenset(_listed(settings.get("pickup_codes", ""))),
        commit_unpaid=frozenset(
            name.lower() for name in _listed(settings.get("commit_unpaid") or "Cash on Delivery (COD)")
        ),
        acknowledge_tag=settings.get("acknowledge_tag") or "crossdock",
        currency=settings.get("currency", ""),
        taxes_included=settings.get("taxes_included", ""),
        zone=settings.get("zone", ""),
    )


def commitment(body: wire.OrderBody, shop: Shop) -> Commitment:
    """Whether it is a sale yet. Cancelled is told by `cancelled_at`; it unmakes only what was never paid for."""
    status = body.financial_status or "pending"
    found = one_of(_COMMITMENT, status, "financial_status")
    if found == "committed" or any(item.status == "success" for item in body.fulfillments or ()):
        return "committed"
    if status == "pending":
        if body.payment_terms is not None or any(
            name.lower() in shop.commit_unpaid for name in body.payment_gateway_names or ()
        ):
            return "committed"
        return "void" if body.cancelled_at is not None else "tentative"
    if status == "voided" and body.cancelled_at is not None:
        return "committed"
    return found


def tender_kind(gateway: str | None) -> TenderKind:
    """The kind of means behind a gateway, as far as its name tells."""
    return _GATEWAYS.get((gateway or "").strip().lower(), "other")


def one_of(table: Mapping[str, V], word: str, field: str) -> V:
    """Translate a word that decides something; an unknown one is a MappingError."""
    found = table.get(word)
    if found is None:
        raise MappingError(
            f"{field}: {shown(word, word=True)} is not known; known are {', '.join(table)}. Update the connector.",
            field=field,
        )
    return found


def text_id(value: wire.Id, field: str = "id") -> str:
    """The digits of an id as text, exactly; from a GraphQL id its last part."""
    if value is None or value == "":
        raise MappingError(f"{field}: it is missing. Correct it at the source.", field=field)
    return optional_id(value, field)


def optional_id(value: wire.Id, field: str = "id") -> str:
    """The digits of an id as text, "" where there is none."""
    if value is None:
        return ""
    if isinstance(value, int):
        if not 0 <= value < 2**64:
            raise MappingError(f"{field}: it is no id of Shopify's. Correct it at the source.", field=field)
        return str(value)
    return value.rpartition("/")[2].partition("?")[0] if value.startswith("gid://") else value


def reference(connection: ConnectionId, kind: str, value: wire.Id) -> ExternalRef | None:
    """A reference to a thing of the shop, None where it is not named."""
    found = optional_id(value)
    return ExternalRef(connection=connection, kind=kind, id=found) if found else None


def utc(moment: datetime | None, field: str) -> datetime | None:
    """The same moment in UTC; one at the edge of the calendar is a MappingError."""
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise MappingError(
            f"{field}: {moment.year} is no year of a sale. Correct it.", field=field
        ) from error


def version(moment: datetime, after: int) -> str:
    """Write Shopify's update time, which has whole seconds, as a version; `after` orders the versions of one second.

    Shopify changes a thing several times within a second (created, paid, fulfilled) under one `updated_at`: without more
    these would contradict each other, or the later one be lost.
    """
    micros = moment.microsecond or min(max(after, 0), LAST_OF_SECOND)
    return f"{moment.isoformat()[:19]}.{micros:06}Z"


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
