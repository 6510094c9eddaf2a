"""Sales that the ERP holds, as its feed tells them: ours, and those that somebody else has made. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from crossdock.model.base import Amount, Instant
from crossdock.model.finance import Posting
from crossdock.model.ids import ConnectionId, ExternalRef
from crossdock.model.reports import InvoiceReported
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import Text
from crossdock.sdk.spec import Child

SALE = "sale.told"


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


class _Page(msgspec.Struct, frozen=True):
    sales: tuple[msgspec.Raw, ...]


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
        )
    )
