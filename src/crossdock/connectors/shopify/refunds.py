"""A refund of Shopify's: what was given back for goods, shipping and duties, and what money indeed moved.

The money is what the transactions say. What the parts make beside it is written as an adjustment of kind "discrepancy",
which is what Shopify's own `refund_discrepancy` restates; that one is therefore never added.
"""

from __future__ import annotations

from decimal import Decimal

from crossdock.connectors.shopify import wire
from crossdock.connectors.shopify.money import set_amount
from crossdock.connectors.shopify.quantities import RESTOCK
from crossdock.connectors.shopify.words import (
    one_of,
    optional_id,
    reference,
    tender_kind,
    text_id,
    utc,
    version,
)
from crossdock.errors import MappingError
from crossdock.model import (
    AdjustmentKind,
    ConnectionId,
    ExternalRef,
    LineId,
    Refund,
    RefundAdjustment,
    RefundLine,
    RefundShipping,
    RefundState,
    Sku,
    Tender,
    TenderState,
    minor_units,
)

_TENDERS: dict[str, TenderState] = {
    "success": "captured",
    "pending": "pending",
    "awaiting_response": "pending",
    "unknown": "pending",
    "failure": "failed",
    "error": "failed",
}
_ADJUSTMENTS: dict[str, AdjustmentKind] = {
    "restocking_fee": "restocking_fee",
    "return_shipping_fee": "return_shipping",
    "goodwill": "goodwill",
}
FLOAT_DECIMALS = 9
"""Shopify sums these numbers as floating point: 5.7 may come as 5.699999999999999."""
_RESTATED = ("refund_discrepancy", "pending_refund_discrepancy")


class RefundReading:
    """One refund while it is read. `currency` "" takes the one that the refund itself names."""

    def __init__(
        self, body: wire.RefundBody, connection: ConnectionId, currency: str, includes_tax: bool | None
    ) -> None:
        self.body = body
        self.id = text_id(body.id)
        self.connection = connection
        self.currency = currency or _currency(body)
        self.tenders = self._tenders()
        self.includes_tax = self._includes_tax() if includes_tax is None else includes_tax

    def refund(self, order: ExternalRef | None, at_version: str) -> Refund | None:
        """The refund, or None where it holds neither parts nor money."""
        body = self.body
        lines = tuple(self._line(n, item) for n, item in enumerate(body.refund_line_items or ()))
        shipping = self._shipping()
        adjustments = self._adjustments()
        parts = sum(line.gross for line in lines)
        parts += sum(part.gross for part in shipping) + sum(part.gross for part in adjustments)
        moved = tuple(tender for tender in self.tenders if tender.state != "failed")
        total = sum(tender.amount for tender in moved) if self.tenders else parts
        if (
            not moved
            and not shipping
            and not adjustments
            and all(line.restock == "cancelled" for line in lines)
        ):
            return None
        if total != parts:
            rest = total - parts
            adjustments += (RefundAdjustment(kind="discrepancy", net=rest, tax=0, gross=rest),)
        occurred = utc(body.processed_at or body.created_at, "processed_at")
        return Refund(
            currency=self.currency,
            total=total,
            connection=self.connection,
            external_id=self.id,
            version=at_version or (version(occurred, 0) if occurred else ""),
            order_ref=order,
            state=self._state(),
            lines=lines,
            shipping=shipping,
            adjustments=adjustments,
            tenders=moved,
            reason=body.note or "",
            test=any(bool(item.test) for item in body.transactions or ()),
            occurred_at=occurred,
        )

    def _state(self) -> RefundState:
        """Without a transaction no money has moved yet, so the refund is pending, whatever its parts say."""
        states = {tender.state for tender in self.tenders}
        if not states or "pending" in states:
            return "pending"
        return "done" if "captured" in states else "failed"

    def _tenders(self) -> tuple[Tender, ...]:
        found = []
        for n, item in enumerate(self.body.transactions or ()):
            if item.kind != "refund":
                continue
            field = f"transactions[{n}]"
            if item.currency and item.currency != self.currency:
                raise MappingError(
                    f"{field}.currency: {item.currency[:10]} is not {self.currency}, in which the rest was charged.",
                    field=f"{field}.currency",
                )
            found.append(
                Tender(
                    kind=tender_kind(item.gateway),
                    amount=minor_units(item.amount, self.currency, field=f"{field}.amount"),
                    state=one_of(_TENDERS, item.status or "success", f"{field}.status"),
                    id=optional_id(item.id, f"{field}.id"),
                    provider=item.gateway or "",
                    occurred_at=utc(item.processed_at or item.created_at, f"{field}.processed_at"),
                )
            )
        return tuple(found)

    def _includes_tax(self) -> bool:
        """Tell from the money whether `subtotal` includes tax: a refund that comes alone does not say."""
        subtotal = tax = 0
        for n, item in enumerate(self.body.refund_line_items or ()):
            one, other = self._amounts(n, item)
            subtotal, tax = subtotal + one, tax + other
        moved = sum(tender.amount for tender in self.tenders if tender.state != "failed")
        return bool(tax) and moved == subtotal

    def _amounts(self, position: int, item: wire.RefundLineItem) -> tuple[int, int]:
        field = f"refund_line_items[{position}]"
        return (
            self._amount(item.subtotal_set, item.subtotal, f"{field}.subtotal"),
            self._amount(item.total_tax_set, item.total_tax, f"{field}.total_tax"),
        )

    def _amount(self, given: wire.MoneySet | None, plain: Decimal | None, field: str) -> int:
        """The amount of a set, else the plain number, which is in the shop's currency."""
        amount = set_amount(given, self.currency, f"{field}_set")
        if amount is None:
            amount = minor_units(round(plain or Decimal(), FLOAT_DECIMALS), self.currency, field=field)
        return amount

    def _line(self, position: int, item: wire.RefundLineItem) -> RefundLine:
        subtotal, tax = self._amounts(position, item)
        gross = subtotal if self.includes_tax else subtotal + tax
        field = f"refund_line_items[{position}]"
        return RefundLine(
            net=gross - tax,
            tax=tax,
            gross=gross,
            quantity=item.quantity,
            line=LineId(text_id(item.line_item_id, f"{field}.line_item_id")),
            sku=Sku("" if item.line_item is None else item.line_item.sku or ""),
            restock=one_of(RESTOCK, item.restock_type or "no_restock", f"{field}.restock_type"),
            location_ref=reference(self.connection, "location", item.location_id),
        )

    def _shipping(self) -> tuple[RefundShipping, ...]:
        """Shipping given back: newer versions have lines for it, older ones an adjustment, some have both."""
        found = []
        for n, item in enumerate(self.body.refund_shipping_lines or ()):
            field = f"refund_shipping_lines[{n}]"
            gross = set_amount(item.subtotal_amount_set, self.currency, f"{field}.subtotal_amount_set") or 0
            tax = set_amount(item.tax_amount_set, self.currency, f"{field}.tax_amount_set") or 0
            gross = gross if self.includes_tax else gross + tax
            shipping = "" if item.shipping_line is None else optional_id(item.shipping_line.id)
            found.append(RefundShipping(net=gross - tax, tax=tax, gross=gross, shipping=shipping))
        if found:
            return tuple(found)
        return tuple(
            RefundShipping(net=net, tax=tax, gross=net + tax)
            for n, item in enumerate(self.body.order_adjustments or ())
            if item.kind == "shipping_refund"
            for net, tax in (self._given_back(n, item),)
        )

    def _adjustments(self) -> tuple[RefundAdjustment, ...]:
        found = []
        for n, item in enumerate(self.body.order_adjustments or ()):
            if item.kind == "shipping_refund" or item.kind in _RESTATED:
                continue
            net, tax = self._given_back(n, item)
            kind = _ADJUSTMENTS.get(item.kind or "", "other")
            found.append(
                RefundAdjustment(kind=kind, net=net, tax=tax, gross=net + tax, reason=item.reason or "")
            )
        for n, duty in enumerate(self.body.duties or ()):
            amount = set_amount(duty.amount_set, self.currency, f"duties[{n}].amount_set") or 0
            if amount:
                found.append(RefundAdjustment(kind="duty", net=amount, tax=0, gross=amount))
        return tuple(found)

    def _given_back(self, position: int, item: wire.Adjustment) -> tuple[int, int]:
        """Net and tax of an adjustment: Shopify writes what it gives back as negative."""
        field = f"order_adjustments[{position}]"
        amount = self._amount(item.amount_set, item.amount, f"{field}.amount")
        return -amount, -self._amount(item.tax_amount_set, item.tax_amount, f"{field}.tax_amount")


def _currency(body: wire.RefundBody) -> str:
    """The currency that a refund names itself, where it comes without its order."""
    for item in body.transactions or ():
        if item.currency:
            return item.currency
    for line in body.refund_line_items or ():
        if line.subtotal_set is not None:
            return line.subtotal_set.presentment_money.currency_code
    for adjustment in body.order_adjustments or ():
        if adjustment.amount_set is not None:
            return adjustment.amount_set.presentment_money.currency_code
    raise MappingError(
        "transactions: no part of the refund names its currency. Set `currency` of the connection.",
        field="transactions",
    )
