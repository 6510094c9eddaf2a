"""The lines, shipping and charges of an order, and how they are made to add up: exactly, or not at all.

Shopify's total is the judge. What its parts leave open is closed only by what Shopify itself names: a discount of the
order that it did not allocate, taxes that it gives for the order alone, tips, fees and duties. What then remains and is
at most one minor unit per component becomes a charge of kind "rounding"; anything more is a MappingError.
"""

from __future__ import annotations

import msgspec

from crossdock.connectors.shopify import wire
from crossdock.connectors.shopify.money import (
    Discounts,
    nested,
    positive,
    priced,
    reader,
    set_amount,
    tax_lines,
)
from crossdock.connectors.shopify.quantities import Draft
from crossdock.connectors.shopify.words import OWN_SOURCES, Shop, optional_id
from crossdock.errors import MappingError
from crossdock.model import (
    INTEGER_MAX,
    Charge,
    ChargeKind,
    Delivery,
    DiscountAllocation,
    FulfilledBy,
    LineId,
    LineKind,
    OrderLine,
    ShippingCharge,
    Sku,
    TaxLine,
    UnitPrice,
    decimal_text,
    exponent,
    minor_units,
    split_exact,
)

_DELIVERIES: dict[str, Delivery] = {
    "pickup": "pickup",
    "pick_up": "pickup",
    "local_pickup": "pickup",
    "local": "local_delivery",
    "local_delivery": "local_delivery",
}


class Lines:
    """The priced components of one order."""

    def __init__(
        self, body: wire.OrderBody, currency: str, shop_total: int, shop: Shop, drafts: list[Draft]
    ) -> None:
        self.body = body
        self.currency = currency
        self.shop_total = shop_total
        self.scale = exponent(currency, field="presentment_currency")
        self.shop = shop
        self.includes_tax = bool(body.taxes_included)
        self.read = reader(currency)
        self.discounts = Discounts(body, self.read)
        self.charges: list[Charge] = []
        self.shipping: tuple[ShippingCharge, ...] = ()
        self.drafts: list[Draft] = []
        for draft in drafts:
            self._read(draft)
        self.removed: list[ShippingCharge] = []
        self.shipping = self._shipping()

    def settle(self, stated: int) -> int:
        """Make the parts add up to the stated total, or raise; return what the buyer pays."""
        body = self.body
        if body.original_total_additional_fees_set is not None or body.original_total_duties_set is not None:
            self._named_charges()
        order_taxes = self._order_taxes()
        gap = stated - self._gross(order_taxes)
        if gap and self.removed:
            gap = self._keep_removed_shipping(gap)
        if gap < 0:
            gap = self._unallocated_discount(gap)
        if order_taxes:
            self._split_taxes(order_taxes)
        if gap:
            self._tip(gap, stated)
            gap = stated - self._gross(())
        if gap:
            self._rounding(gap, stated)
        if body.total_cash_rounding_payment_adjustment_set is None:
            return stated
        return stated + self._cash_rounding()

    def order_lines(self) -> tuple[OrderLine, ...]:
        """The lines, after `settle`."""
        body = self.body
        shipped_by_nobody = body.source_name == "pos" and not body.shipping_lines
        delivery = self._delivery()
        return tuple([self._line(draft, shipped_by_nobody, delivery) for draft in self.drafts])

    def _read(self, draft: Draft) -> None:
        item = draft.item
        try:
            unit = self.read(item.price, "price")
            extended = unit * item.quantity
            if not -INTEGER_MAX <= extended <= INTEGER_MAX:
                raise MappingError("price: with its quantity it is out of range. Correct it.", field="price")
            if item.discount_allocations:
                draft.discounts = self.discounts.read(item.discount_allocations, "lines")
            elif item.total_discount is not None:
                amount = self.read(item.total_discount, "total_discount")
                draft.discounts = self.discounts.allocate("line", amount, "lines")
            draft.taxes = tax_lines(item.tax_lines, self.read)
            if item.duties:
                self._duties(draft, item.duties)
        except MappingError as error:
            raise nested(f"line_items[{draft.position}]", error) from error
        draft.unit_price, draft.extended = unit, extended
        if item.product_id is None and _is_tip(item):
            title = item.title or "Tip"
            self._charge("tip", extended, title, id_=draft.id, discounts=draft.discounts, taxes=draft.taxes)
        else:
            self.drafts.append(draft)

    def _duties(self, draft: Draft, duties: tuple[wire.Duty, ...]) -> None:
        if self.body.duties_included:
            return  # the prices hold them already, as with tax
        for n, duty in enumerate(duties):
            price = self.read(duty.shop_money.amount, f"duties[{n}].shop_money.amount")
            taxes = tax_lines(duty.tax_lines, self.read)
            title = duty.harmonized_system_code or ""
            self._charge("duty", price, title, id_=optional_id(duty.id), taxes=taxes, line=draft.id)

    def _shipping(self) -> tuple[ShippingCharge, ...]:
        found: list[ShippingCharge] = []
        for n, line in enumerate(self.body.shipping_lines or ()):
            try:
                charge = self._shipping_charge(n, line)
            except MappingError as error:
                raise nested(f"shipping_lines[{n}]", error) from error
            (self.removed if line.is_removed else found).append(charge)
        return tuple(found)

    def _shipping_charge(self, position: int, line: wire.ShippingLine) -> ShippingCharge:
        price = self.read(line.price, "price")
        discounts: tuple[DiscountAllocation, ...] = ()
        if not line.is_removed:
            if line.discount_allocations:
                discounts = self.discounts.read(line.discount_allocations, "shipping")
            elif line.discounted_price is not None:
                reduced = self.read(line.discounted_price, "discounted_price")
                discounts = self.discounts.allocate("shipping", max(0, price - reduced), "shipping")
        taxes = tax_lines(line.tax_lines, self.read)
        net, tax, gross = priced(price, discounts, taxes, self.includes_tax)
        return ShippingCharge(
            id=optional_id(line.id) or str(position + 1),
            price=price,
            net=net,
            tax=tax,
            gross=gross,
            price_includes_tax=self.includes_tax,
            title=line.title or "",
            code=line.code or "",
            carrier=line.carrier_identifier or "",
            service="" if line.is_removed else line.code or line.title or "",
            discounts=discounts,
            taxes=taxes,
        )

    def _named_charges(self) -> None:
        """Fees and duties that Shopify gives for the order and not for a line."""
        body = self.body
        field = "original_total_additional_fees_set"
        if fees := set_amount(body.original_total_additional_fees_set, self.currency, field):
            self._charge("fee", fees, "additional fees")
        duties = set_amount(body.original_total_duties_set, self.currency, "original_total_duties_set")
        if duties and not body.duties_included and not any(charge.kind == "duty" for charge in self.charges):
            self._charge("duty", duties, "duties")

    def _gross(self, order_taxes: tuple[TaxLine, ...]) -> int:
        """What all parts make; taxes of the order alone are counted where prices do not include them."""
        total = 0
        for charge in self.charges:
            total += charge.gross
        for part in self.shipping:
            total += part.gross
        for draft in self.drafts:
            total += priced(draft.extended, draft.discounts, draft.taxes, self.includes_tax)[2]
        if not self.includes_tax:
            for tax in order_taxes:
                total += tax.amount
        return total

    def _order_taxes(self) -> tuple[TaxLine, ...]:
        """The taxes of the order, where Shopify gives them for none of its parts (API versions before 2015)."""
        for draft in self.drafts:
            if draft.taxes:
                return ()
        if any(part.taxes for part in self.shipping) or any(part.taxes for part in self.charges):
            return ()
        total = self.read(self.body.total_tax or "0", "total_tax")
        if not total or not self.drafts:
            return ()
        return tax_lines(self.body.tax_lines, self.read) or (TaxLine(amount=total),)

    def _split_taxes(self, taxes: tuple[TaxLine, ...]) -> None:
        taxed = [draft for draft in self.drafts if draft.item.taxable is not False] or self.drafts
        weights = positive(draft.reduced for draft in taxed)
        for tax in taxes:
            for draft, amount in zip(taxed, split_exact(tax.amount, weights), strict=True):
                if amount:
                    draft.taxes += (msgspec.structs.replace(tax, amount=amount),)

    def _keep_removed_shipping(self, gap: int) -> int:
        """A shipping line that an edit has removed still counts in the total, or does not: the total tells which."""
        if gap != sum(charge.gross for charge in self.removed):
            return gap
        self.shipping += tuple(self.removed)
        return 0

    def _unallocated_discount(self, gap: int) -> int:
        """Freeze to the lines what Shopify took off the order and allocated to nothing, residue and all."""
        rest = self.read(self.body.total_discounts or "0", "total_discounts")
        rest -= self.discounts.allocated
        if rest <= 0 or not self.drafts or abs(gap + rest) > self._tolerance():
            return gap
        weights = positive(draft.reduced for draft in self.drafts)
        for draft, amount in zip(self.drafts, split_exact(rest, weights), strict=True):
            draft.discounts += self.discounts.allocate("order", amount, "lines")
        return gap + rest

    def _tip(self, gap: int, stated: int) -> None:
        """A tip that stands in no line. Its amount is in the shop's currency only, so elsewhere it is what is left,
        if that is the tip at the rate of the totals to a hundredth."""
        body = self.body
        if not body.total_tip_received or any(charge.kind == "tip" for charge in self.charges):
            return
        tip = minor_units(body.total_tip_received, body.currency, field="total_tip_received")
        if tip and self.currency != body.currency:
            expected = tip * stated // self.shop_total if self.shop_total > 0 else 0
            tip = gap if abs(gap - expected) <= max(1, expected // 100) else 0
        if tip:
            self._charge("tip", tip, "Tip")

    def _rounding(self, gap: int, stated: int) -> None:
        if abs(gap) > self._tolerance():
            parts = decimal_text(stated - gap, self.currency)
            raise MappingError(
                f"total_price: it says {decimal_text(stated, self.currency)} {self.currency}, its parts make {parts}. "
                "Compare the order in Shopify, then edit and retry.",
                field="total_price",
            )
        self._charge("rounding", gap, "rounding")

    def _cash_rounding(self) -> int:
        """What a till rounded a cash payment by: it is not in Shopify's total, but in what the buyer paid."""
        given = self.body.total_cash_rounding_payment_adjustment_set
        amount = set_amount(given, self.currency, "total_cash_rounding_payment_adjustment_set")
        if amount:
            self._charge("rounding", amount, "cash rounding")
        return amount or 0

    def _tolerance(self) -> int:
        return len(self.drafts) + len(self.shipping)

    def _charge(
        self,
        kind: ChargeKind,
        price: int,
        title: str,
        *,
        id_: str = "",
        line: str = "",
        discounts: tuple[DiscountAllocation, ...] = (),
        taxes: tuple[TaxLine, ...] = (),
    ) -> None:
        net, tax, gross = priced(price, discounts, taxes, self.includes_tax)
        self.charges.append(
            Charge(
                kind=kind,
                price=price,
                net=net,
                tax=tax,
                gross=gross,
                id=id_,
                price_includes_tax=self.includes_tax,
                title=title,
                line=LineId(line),
                discounts=discounts,
                taxes=taxes,
            )
        )

    def _delivery(self) -> Delivery:
        """How what needs shipping comes to the buyer; a pickup is told by a category, a code of ours, or no address."""
        body = self.body
        for line in body.shipping_lines or ():
            if found := _DELIVERIES.get(line.delivery_category or ""):
                return found
            if line.code in self.shop.pickup_codes or line.title in self.shop.pickup_codes:
                return "pickup"
        if body.shipping_lines and body.shipping_address is None and (body.source_name or "") in OWN_SOURCES:
            return "pickup"
        return "ship"

    def _line(self, draft: Draft, handed_over: bool, delivery: Delivery) -> OrderLine:
        item = draft.item
        net, tax, gross = priced(draft.extended, draft.discounts, draft.taxes, self.includes_tax)
        by: FulfilledBy = "handed_over" if handed_over else self.shop.fulfilled_by(item.fulfillment_service)
        kind: LineKind = "goods"
        if item.gift_card:
            kind = "gift_card"
        elif item.product_id is None and item.variant_id is None:
            kind = "custom"
        if item.requires_shipping is False and not handed_over:
            delivery = "digital"
        return OrderLine(
            id=draft.id,
            ordered=item.quantity,
            current=draft.current,
            extended=draft.extended,
            net=net,
            tax=tax,
            gross=gross,
            sku=Sku(item.sku or ""),
            title=item.name or item.title or "",
            kind=kind,
            listing=optional_id(item.variant_id, "variant_id"),
            fulfilled=max(draft.fulfilled, draft.current) if handed_over else draft.fulfilled,
            cancelled=draft.cancelled,
            returned=draft.returned,
            unit_price=UnitPrice(value=draft.unit_price, scale=self.scale),
            price_includes_tax=self.includes_tax,
            discounts=draft.discounts,
            taxes=draft.taxes,
            fulfilled_by=by,
            delivery="pickup" if handed_over else delivery,
            properties=_properties(item.properties) if item.properties else (),
        )


def _is_tip(item: wire.LineItem) -> bool:
    """Say whether a line without a product is a tip: Shopify gives it a `tip_payment_gateway`, even null."""
    if item.tip_payment_gateway is not msgspec.UNSET:
        return True
    return item.title == "Tip" and item.requires_shipping is False


def _properties(properties: tuple[wire.Property, ...]) -> tuple[tuple[str, str], ...]:
    """The buyer's own words on a line; what is not text is kept as its JSON."""
    found = []
    for entry in properties:
        value = entry.value
        if value is not None:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            found.append((entry.name or "", text))
    return tuple(found)
