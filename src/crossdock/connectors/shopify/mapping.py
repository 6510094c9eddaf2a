"""An order of Shopify's as one canonical order whose parts add up to what its buyer was charged."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from crossdock.connectors.shopify import money, wire
from crossdock.connectors.shopify.facts import refund, shipment
from crossdock.connectors.shopify.lines import Lines
from crossdock.connectors.shopify.parties import address, party
from crossdock.connectors.shopify.payments import payment, tenders
from crossdock.connectors.shopify.quantities import Draft, as_it_left, settle_quantities
from crossdock.connectors.shopify.words import (
    CANCELLED_BY,
    LAST_OF_SECOND,
    OWN_SOURCES,
    PROGRESS,
    Shop,
    commitment,
    reference,
    text_id,
    utc,
    version,
)
from crossdock.errors import MappingError
from crossdock.model import (
    Cancellation,
    ConnectionId,
    ExternalRef,
    LineQuantity,
    LocationId,
    Order,
    OrderReported,
    Payment,
    Refund,
    Seller,
    Sku,
)
from crossdock.sdk.decode import decode, decode_checked

_MICROSECOND = timedelta(microseconds=1)

_decode_exactly = msgspec.json.Decoder(float_hook=Decimal).decode


def order_reported(
    raw: bytes, connection: ConnectionId, shop: Shop, *, told_at: datetime | None, polled: bool
) -> OrderReported:
    """Read a whole order, with the shipments, refunds and cancellations that Shopify holds of it.

    Every topic carries the same object, so the topic makes no difference. `told_at` is when the delivery was triggered;
    what was polled was read when its second had passed.
    """
    body = decode(raw, wire.OrderBody)
    currency = body.presentment_currency or body.currency
    total = shop_total = money.reader(body.currency)(body.total_price, "total_price")
    if currency != body.currency:
        _require_set(body)
        body = decode_checked(
            msgspec.json.encode(money.charged(_decode_exactly(raw), currency)), wire.OrderBody
        )
        total = money.reader(currency)(body.total_price, "total_price")
    reading = _Reading(body, currency, (total, shop_total), connection, shop)
    reading.version = version(reading.updated_at, reading.after(told_at, polled))
    return reading.reported()


def _require_set(body: wire.OrderBody) -> None:
    if body.total_price_set is None:
        raise MappingError(
            f"total_price_set: the buyer was charged in {body.presentment_currency}, but no amount says how much. "
            "Ask for the order again.",
            field="total_price_set",
        )


class _Reading:
    """One order while it is read."""

    def __init__(
        self,
        body: wire.OrderBody,
        currency: str,
        totals: tuple[int, int],
        connection: ConnectionId,
        shop: Shop,
    ) -> None:
        self.body = body
        self.currency = currency
        self.total, self.shop_total = totals
        self.connection = connection
        self.shop = shop
        self.id = text_id(body.id)
        self.ref = ExternalRef(connection=connection, kind="order", id=self.id)
        moment = utc(body.updated_at or body.processed_at or body.created_at, "updated_at")
        if moment is None:
            raise MappingError(
                "updated_at: it is missing, so versions have no order. Correct it at the source.",
                field="updated_at",
            )
        self.updated_at = moment
        self.version = ""

    def reported(self) -> OrderReported:
        """The order and its facts."""
        body, shop = self.body, self.shop
        shipments = tuple(
            shipment(item, self.connection, self.ref, shop, f"fulfillments[{n}]")
            for n, item in enumerate(body.fulfillments or ())
        )
        drafts = settle_quantities(body, shipments)
        order = self._order(drafts)
        return OrderReported(
            order=order,
            shipments=shipments,
            refunds=self._refunds(order, drafts) if body.refunds else (),
            cancellations=self._cancellations(drafts),
            payments=self._payments() if body.transactions else (),
        )

    def _refunds(self, order: Order, drafts: list[Draft]) -> tuple[Refund, ...]:
        found = (
            refund(
                item,
                self.connection,
                self.ref,
                currency=self.currency,
                includes_tax=bool(self.body.taxes_included),
                at_version=self.version,
                path=f"refunds[{n}]",
            )
            for n, item in enumerate(self.body.refunds or ())
        )
        sold = {line.id for line in order.lines}
        return tuple(as_it_left(item, n, drafts, sold) for n, item in enumerate(found) if item is not None)

    def _payments(self) -> tuple[Payment, ...]:
        return tuple(
            payment(item, self.connection, self.ref, f"transactions[{n}]", self.currency)
            for n, item in enumerate(self.body.transactions or ())
        )

    def _order(self, drafts: list[Draft]) -> Order:
        body, shop, currency = self.body, self.shop, self.currency
        lines = Lines(body, currency, self.shop_total, shop, drafts)
        total = lines.settle(self.total)
        wall = body.processed_at or body.created_at
        occurred = self.updated_at if wall == body.updated_at else utc(wall, "processed_at")
        source = body.source_name or ""
        seller: Seller = "seller" if body.merchant_of_record_app_id is None else "marketplace"
        current = body.current_total_price
        at = reference(self.connection, "location", body.location_id)
        return Order(
            connection=self.connection,
            external_id=self.id,
            version=self.version,
            currency=currency,
            lines=lines.order_lines(),
            number=body.name or "",
            origin="" if source in OWN_SOURCES else source,
            origin_ref="" if source in OWN_SOURCES else body.source_identifier or "",
            channel="till" if source == "pos" else "b2b" if body.company is not None else "shop",
            commitment=commitment(body, shop),
            sold_by=seller,
            bill_to="buyer" if seller == "seller" else "marketplace",
            test=bool(body.test),
            shipping=lines.shipping,
            charges=tuple(lines.charges),
            discounts=lines.discounts.frozen(),
            tenders=tenders(body, currency, total, self.updated_at),
            buyer_total=total,
            current_total=None if current is None else lines.read(current, "current_total_price"),
            shop_currency=body.currency,
            shop_total=total if currency == body.currency else self.shop_total,
            rates=()
            if currency == body.currency
            else money.exchange_rate(total, currency, self.shop_total, body.currency, occurred),
            location=LocationId("") if at is None else shop.location(at.id),
            location_ref=at,
            buyer=party(body),
            ship_to=address(body.shipping_address),
            billing_address=address(body.billing_address),
            purchase_order=body.po_number or "",
            payment_terms="" if body.payment_terms is None else body.payment_terms.payment_terms_name or "",
            cancelled_at=utc(body.cancelled_at, "cancelled_at"),
            cancel_reason=body.cancel_reason or "",
            note=body.note or "",
            tags=self._tags(),
            occurred_at=occurred,
            channel_updated_at=self.updated_at,
            store_local=f"{wall.replace(tzinfo=None).isoformat()} {shop.zone}" if wall and shop.zone else "",
        )

    def _tags(self) -> tuple[str, ...]:
        """The tags, without the one by which we acknowledge: our own write is not the shop's news."""
        if not self.body.tags:
            return ()
        tags = (tag.strip() for tag in self.body.tags.split(","))
        return tuple(tag for tag in tags if tag and tag != self.shop.acknowledge_tag)

    def after(self, told_at: datetime | None, polled: bool) -> int:
        """How late in the second of its update this version is, in microseconds.

        By the time that triggered the delivery, where it says so (API versions since 2024); else by how far the order is:
        cancelled after refunded after shipped after paid.
        """
        if polled:
            return LAST_OF_SECOND
        if told_at is not None:
            return min((told_at - self.updated_at) // _MICROSECOND, LAST_OF_SECOND - 1)
        body = self.body
        facts = 10 * len(body.fulfillments or ()) + 1000 * len(body.refunds or ())
        if body.cancelled_at is not None:
            facts += LAST_OF_SECOND // 2
        return facts + PROGRESS.get(body.financial_status or "", 0)

    def _cancellations(self, drafts: list[Draft]) -> tuple[Cancellation, ...]:
        body = self.body
        if body.cancelled_at is not None:
            return (
                Cancellation(
                    order_ref=self.ref,
                    external_id=self.id,
                    by=CANCELLED_BY.get(body.cancel_reason or "", "unknown"),
                    reason=body.cancel_reason or "",
                    already_refunded=body.financial_status == "refunded",
                    requested_at=utc(body.cancelled_at, "cancelled_at"),
                ),
            )
        lines = [
            LineQuantity(line=draft.id, quantity=draft.cancelled, sku=Sku(draft.item.sku or ""))
            for draft in drafts
            if draft.cancelled
        ]
        if not lines:
            return ()
        return (
            Cancellation(
                order_ref=self.ref,
                external_id=f"{self.id}/lines",
                lines=tuple(lines),
                by="unknown",
                already_refunded=body.financial_status in ("refunded", "partially_refunded"),
                requested_at=self.updated_at,
            ),
        )
