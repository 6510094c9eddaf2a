"""What the ERP holds, as its feeds tell it: sales, and what it booked of a store's day; ours, and others'. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Literal

import msgspec

from crossdock.model.base import Amount, Instant
from crossdock.model.finance import Posting
from crossdock.model.ids import ConnectionId, ExternalRef
from crossdock.model.reports import InvoiceReported
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import Text
from crossdock.sdk.spec import Child

SALE, DAY = "sale.told", "day.told"
STORE_DAY = "store_day"


class SaleTold(msgspec.Struct, frozen=True, kw_only=True):
    """One sale. channel_order is the channel's id of the order, number what people call it: one of them is enough."""

    id: Text
    channel: Text
    currency: Text
    total: Amount
    channel_order: str = ""
    number: str = ""
    reference: str = ""
    state: Literal["open", "cancelled"] = "open"
    made_at: Instant | None = None
    version: str = ""


class DayTold(msgspec.Struct, frozen=True, kw_only=True):
    """One document of what a store sold, or took back, on a business day: all of it, a part, or a correction; signed."""

    id: Text
    channel: Text
    store: Text
    business_date: date
    currency: Text
    total: Amount
    state: Literal["open", "cancelled"] = "open"
    made_at: Instant | None = None
    version: str = ""


class _Page(msgspec.Struct, frozen=True):
    sales: tuple[msgspec.Raw, ...]


class _DayPage(msgspec.Struct, frozen=True):
    days: tuple[msgspec.Raw, ...]


class _DayKey(msgspec.Struct, frozen=True):
    channel: str = ""
    store: str = ""
    business_date: str = ""


class _Key(msgspec.Struct, frozen=True):
    channel: str = ""
    channel_order: str = ""
    number: str = ""


def channels(text: str) -> dict[str, str]:
    """The setting `channels`: the ERP's name of a channel -> the connection's."""
    pairs = (entry.partition("=") for entry in text.split(","))
    return {theirs.strip(): ours.strip() for theirs, _, ours in pairs if ours.strip()}


def split(body: bytes, names: Mapping[str, str]) -> list[Child]:
    """One child a sale, about the order that its channel knows by that id or number."""
    found = []
    for raw in decode(body, _Page).sales:
        sale = bytes(raw)
        try:
            key = msgspec.json.decode(sale, type=_Key)
        except (msgspec.DecodeError, UnicodeDecodeError):
            key = _Key()
        found.append(
            Child(
                kind=SALE,
                body=sale,
                ref_kind="order" if key.channel_order else "number",
                ref=key.channel_order or key.number,
                ref_source=names.get(key.channel, key.channel),
                delivery_id=hashlib.sha256(sale).hexdigest()[:32],
            )
        )
    return found


def split_days(body: bytes, names: Mapping[str, str]) -> list[Child]:
    """One child a document, about the store's day that it is of."""
    found = []
    for raw in decode(body, _DayPage).days:
        told = bytes(raw)
        try:
            key = msgspec.json.decode(told, type=_DayKey)
        except (msgspec.DecodeError, UnicodeDecodeError):
            key = _DayKey()
        found.append(
            Child(
                kind=DAY,
                body=told,
                ref_kind=STORE_DAY if key.store and key.business_date else "",
                ref=f"{key.store}/{key.business_date}" if key.store and key.business_date else "",
                ref_source=names.get(key.channel, key.channel),
                delivery_id=hashlib.sha256(told).hexdigest()[:32],
            )
        )
    return found


def day(body: bytes, connection: str, names: Mapping[str, str]) -> InvoiceReported:
    """Read one document of a day."""
    told = decode(body, DayTold)
    tills = ConnectionId(names.get(told.channel, told.channel))
    ref = f"{told.store}/{told.business_date.isoformat()}"
    return InvoiceReported(
        posting=Posting(
            connection=ConnectionId(connection),
            kind="store_day",
            document=told.id,
            order_ref=ExternalRef(connection=tills, kind=STORE_DAY, id=ref),
            state="reversed" if told.state == "cancelled" else "posted",
            currency=told.currency,
            erp_total=told.total,
            business_date=told.business_date,
            posted_at=told.made_at,
            version=told.version,
        )
    )


def sale(body: bytes, connection: str, names: Mapping[str, str]) -> InvoiceReported:
    """Read one."""
    told = decode(body, SaleTold)
    channel = ConnectionId(names.get(told.channel, told.channel))
    kind, ref = ("order", told.channel_order) if told.channel_order else ("number", told.number)
    return InvoiceReported(
        posting=Posting(
            connection=ConnectionId(connection),
            kind="sale",
            document=told.id,
            number=told.number,
            order_ref=ExternalRef(connection=channel, kind=kind, id=ref) if ref else None,
            state="reversed" if told.state == "cancelled" else "posted",
            currency=told.currency,
            erp_total=told.total,
            posted_at=told.made_at,
            version=told.version,
        )
    )
