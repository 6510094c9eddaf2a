"""Orders to sales in Tryton's words, to the cent. Pure.

Tryton computes: a line's amount is quantity times unit price, rounded half to even; the taxes of all lines with the same
taxes are summed and rounded once. What that gives is computed here beforehand. Where it differs from what the order
states, lines of the rounding product make up for it, so that net, tax and total are the order's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from crossdock.connectors.tryton.books import Books, Product, Tax
from crossdock.connectors.tryton.customers import BilledTo
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Row, day, decimal
from crossdock.connectors.tryton.taxes import match_taxes
from crossdock.errors import MappingError
from crossdock.model.currency import exponent
from crossdock.model.lines import OrderLine
from crossdock.model.money import decimal_text
from crossdock.model.order import Order
from crossdock.model.pricing import Charge, DiscountAllocation, ShippingCharge, TaxLine

ROUNDING = "rounding"
PIECES = ("", "ea")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a sale. `note` names what of the order it is: a line's id, `shipping:ID`, `charge:ID`, `rounding`.

    net, tax: what the order states of it, in minor units. price: of one unit, to the decimals that Tryton keeps.
    """

    note: str
    product: Product
    quantity: Decimal
    price: Decimal
    net: int
    tax: int = 0
    taxes: tuple[Tax, ...] = ()
    text: str = ""
    parts: int = 1
    """How many amounts, each with a rounded tax of its own, are summed in it."""


class SalePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be created, and what Tryton must make of it, in minor units."""

    values: Row
    total: int
    tax: int


def codes_of(order: Order, options: Options) -> set[str]:
    """The product codes that a sale of the order refers to."""
    return {line.sku for line in order.lines if line.sku} | {
        options.shipping,
        options.charge,
        options.rounding,
    }


def sale(order: Order, books: Books, options: Options, *, company: int, billed: BilledTo) -> SalePlan:
    """Write an order as a sale. What Tryton lacks for it is a MappingError that names the field."""
    if order.buyer_total is None:
        raise MappingError(
            f"Order {order.id} has no total yet: a tentative order makes no document. Wait until it is committed.",
            field="buyer_total",
        )
    entries = entries_of(order, books, options)
    entries += roundings(entries, order.currency, books, options)
    # A store that sells need not be a warehouse there; each shipment says where it left from.
    place = options.warehouses.get(order.location, order.location)
    warehouse = books.warehouse([order.location] if place in books.warehouses else [], options, "location")
    values = sale_values(entries, billed, reference=order.id, company=company)
    values |= {
        "currency": books.currency(order.currency),
        "warehouse": warehouse.id,
        "description": " ".join(filter(None, (order.connection, order.number)))[:200],
        "comment": order.note or None,
    }
    when = order.store_local[:10] or (order.occurred_at.isoformat()[:10] if order.occurred_at else "")
    if when:
        values["sale_date"] = day(when)
    return SalePlan(values=values, total=order.buyer_total, tax=sum(entry.tax for entry in entries))


def sale_values(entries: Sequence[Entry], billed: BilledTo, *, reference: str, company: int) -> Row:
    """A sale of these lines that ships and invoices nothing by itself."""
    return {
        "reference": reference,
        "company": company,
        "party": billed.party,
        "invoice_address": billed.invoice,
        "shipment_address": billed.shipment,
        "invoice_method": "manual",
        "shipment_method": "manual",
        "lines": [["create", [line(entry, n) for n, entry in enumerate(entries, 1)]]],
    }


def line(entry: Entry, sequence: int) -> Row:
    """One line as Tryton creates it."""
    return {
        "type": "line",
        "sequence": sequence,
        "note": entry.note,
        "product": entry.product.id,
        "unit": entry.product.unit,
        "quantity": float(entry.quantity),
        "unit_price": decimal(str(entry.price)),
        "taxes": [["add", [tax.id for tax in entry.taxes]]],
        "description": entry.text or None,
    }


def entries_of(order: Order, books: Books, options: Options) -> list[Entry]:
    """Everything of the order that costs something or moves, before rounding."""
    maker = Maker(order.currency, books, options)
    entries: list[Entry] = []
    for n, item in enumerate(order.lines):
        if item.ordered or item.gross:
            entries.append(maker.goods(item, f"lines[{n}]"))
    for n, shipping in enumerate(order.shipping):
        entries += maker.charge(shipping, options.shipping, f"shipping:{shipping.id or n}", f"shipping[{n}]")
    for n, charge in enumerate(order.charges):
        code = options.rounding if charge.kind == "rounding" else options.charge
        entries += maker.charge(charge, code, f"charge:{charge.id or n}", f"charges[{n}]")
    if maker.others_tax:
        # The buyer paid it, the channel keeps it and pays it to the authority: part of the total, and no tax of ours.
        product = books.product(options.charge, "charge_product")
        entries.append(
            maker.entry(
                "tax:marketplace", product, Decimal(1), maker.others_tax, text="Tax that the channel remits"
            )
        )
    return entries


def roundings(entries: Sequence[Entry], currency: str, books: Books, options: Options) -> list[Entry]:
    """The lines that make up for the difference between what Tryton computes and what we state; mostly none.

    A tax that differs by cents gets a taxed line of the amount whose tax these cents are. One line without tax takes
    that amount off again, with what unit prices of few decimals lose.
    """
    cent = Decimal(1).scaleb(-exponent(currency))
    product: Product | None = None
    made: list[Entry] = []
    net = sum((_round(entry.quantity * entry.price, cent) for entry in entries), Decimal(0))
    for taxes, group in _groups(entries).items():
        short = Decimal(sum(entry.tax for entry in group)) * cent - _tax(taxes, group, cent)
        if not short:
            continue
        rate = sum((tax.rate for tax in taxes), Decimal(0))
        if abs(short) > cent * (sum(entry.parts for entry in group) + 1) or not rate:
            raise MappingError(
                f"taxes: of {', '.join(entry.note for entry in group[:3])} we state "
                f"{sum(entry.tax for entry in group)}, Tryton computes {short.copy_negate()} {currency} more by its "
                f"rate {rate}. Name the right tax in the setting `taxes`.",
                field="taxes",
            )
        # Tryton rounds lines below zero apart from the others, so there the cents stand alone.
        base = short if short < 0 else short + _tax(taxes, group, cent) - _exact(taxes, group)
        product = product or books.product(options.rounding, "rounding_product")
        price = _round(base / rate, cent)
        made.append(
            Entry(
                note=f"{ROUNDING}:tax",
                product=product,
                quantity=Decimal(1),
                price=price,
                net=0,
                taxes=taxes,
                text="Rounding of tax",
            )
        )
        net += price
    residue = Decimal(sum(entry.net for entry in entries)) * cent - net
    if residue:
        product = product or books.product(options.rounding, "rounding_product")
        made.append(
            Entry(note=ROUNDING, product=product, quantity=Decimal(1), price=residue, net=0, text="Rounding")
        )
    return made


class Maker:
    """Makes entries of one document; gathers the tax that others remit.

    rateless: what a person is to do about a tax whose rate is not told and not found.
    """

    def __init__(self, currency: str, books: Books, options: Options, *, rateless: str = "") -> None:
        self._books, self._options = books, options
        self._rateless = rateless or "Let the channel tell the rate."
        self._currency = currency
        self._cent = Decimal(1).scaleb(-exponent(currency))
        self.others_tax = 0

    def goods(self, item: OrderLine, field: str) -> Entry:
        code = item.sku or self._options.charge
        product = self._books.product(code, f"{field}.sku")
        if item.sku and item.unit not in (*PIECES, product.symbol):
            raise MappingError(
                f"{field}.unit: the order counts {item.sku} in {item.unit!r}, Tryton in {product.symbol!r}. Make them agree.",
                field=f"{field}.unit",
            )
        quantity = Decimal(item.ordered).scaleb(-item.quantity_scale) if item.ordered else Decimal(1)
        taxes, tax = self.taxes(item.taxes, item.net, item.tax, field)
        text = item.title + self._less(item.discounts)
        return self.entry(item.id, product, quantity, item.net, tax=tax, taxes=taxes, text=text)

    def charge(self, charge: ShippingCharge | Charge, code: str, note: str, field: str) -> list[Entry]:
        if not charge.gross and not charge.net:
            return []
        product = self._books.product(code, f"{field}")
        taxes, tax = self.taxes(charge.taxes, charge.net, charge.tax, field)
        text = charge.title + self._less(charge.discounts)
        return [self.entry(note, product, Decimal(1), charge.net, tax=tax, taxes=taxes, text=text)]

    def entry(
        self,
        note: str,
        product: Product,
        quantity: Decimal,
        net: int,
        *,
        tax: int = 0,
        taxes: tuple[Tax, ...] = (),
        text: str = "",
        parts: int = 1,
    ) -> Entry:
        step = Decimal(1).scaleb(-self._options.price_decimals)
        price = _round(Decimal(net) * self._cent / quantity, step)
        return Entry(
            note=note,
            product=product,
            quantity=quantity,
            price=price,
            net=net,
            tax=tax,
            taxes=taxes,
            text=text,
            parts=parts,
        )

    def taxes(self, stated: Sequence[TaxLine], net: int, tax: int, field: str) -> tuple[tuple[Tax, ...], int]:
        """The taxes of ours on a component, and what they come to; what others remit is put aside."""
        others = sum(one.amount for one in stated if one.collected_by == "marketplace")
        self.others_tax += others
        ours = [one for one in stated if one.collected_by != "marketplace"]
        known, named = self._books.taxes, self._options.taxes
        tax -= others
        remedy = self._rateless
        return match_taxes(ours, net, tax, known=known, named=named, field=field, remedy=remedy), tax

    def _less(self, discounts: Iterable[DiscountAllocation]) -> str:
        amount = sum(part.amount for part in discounts)
        return f" (less {decimal_text(amount, self._currency)} discount)" if amount else ""


def _groups(entries: Sequence[Entry]) -> dict[tuple[Tax, ...], list[Entry]]:
    groups: dict[tuple[Tax, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.taxes, []).append(entry)
    return groups


def _tax(taxes: tuple[Tax, ...], group: Sequence[Entry], cent: Decimal) -> Decimal:
    """What Tryton will compute as the tax of lines with the same taxes; lines below zero are rounded apart."""
    above = [entry for entry in group if entry.quantity * entry.price >= 0]
    below = [entry for entry in group if entry.quantity * entry.price < 0]
    return _round(_exact(taxes, above), cent) + _round(_exact(taxes, below), cent)


def _exact(taxes: tuple[Tax, ...], group: Sequence[Entry]) -> Decimal:
    rate = sum((tax.rate for tax in taxes), Decimal(0))
    return sum((entry.quantity * entry.price for entry in group), Decimal(0)) * rate


def _round(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * step
