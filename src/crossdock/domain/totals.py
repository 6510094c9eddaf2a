"""Do the parts of an order add up to what the buyer paid, exactly?

The rule is invariant d of the project: from committed on, total = lines + tax (once) + shipping + charges - discounts.
Net, tax and gross of a component stand after its discounts, so the total is the sum of gross, and discounts and
taxes are checked where they apply. A rounding is an explicit charge of kind "rounding", never a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from crossdock.model.currency import exponent
from crossdock.model.lines import OrderLine
from crossdock.model.money import Amounts, UnitPrice
from crossdock.model.order import Order
from crossdock.model.pricing import Charge, ShippingCharge
from crossdock.model.returns import Refund, RefundAdjustment, RefundLine, RefundShipping

Priced = OrderLine | ShippingCharge | Charge


class TotalsDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Name a field that is not what its parts make: `expected` by the parts, `stated` by the source, in minor units."""

    field: str
    expected: int
    stated: int

    def __str__(self) -> str:
        return f"{self.field}: stated {self.stated}, but its parts make {self.expected}"


def check_totals(order: Order) -> tuple[TotalsDifference, ...]:
    """Return every field of a committed order that does not add up; () means exact. Others are not checked.

    Fields are paths of the canonical order, `lines[0].extended`, in the order of the struct, the total last.
    """
    if order.commitment != "committed":
        return ()
    found: list[TotalsDifference] = []
    allocated: dict[str, int] = {}
    for n, line in enumerate(order.lines):
        _check_extended(n, line, order.currency, found)
        _check_component(("lines", n), line, line.extended, allocated, found)
    for n, shipping in enumerate(order.shipping):
        _check_component(("shipping", n), shipping, shipping.price, allocated, found)
    for n, charge in enumerate(order.charges):
        _check_component(("charges", n), charge, charge.price, allocated, found)
    _check_discounts(order, allocated, found)
    total = order_amounts(order).gross
    _compare("buyer_total", total, order.buyer_total, found)
    if order.shop_currency == order.currency:
        _compare("shop_total", total, order.shop_total, found)
    return tuple(found)


def check_refund(refund: Refund) -> tuple[TotalsDifference, ...]:
    """Return what of a refund does not add up: its total by its parts, and by its tenders where it names any.

    A source that tells only the total has no parts to compare.
    """
    found: list[TotalsDifference] = []
    if refund.lines or refund.shipping or refund.adjustments:
        _compare(
            "total", _sum((*refund.lines, *refund.shipping, *refund.adjustments)).gross, refund.total, found
        )
    if refund.tenders:
        _compare("tenders", sum(tender.amount for tender in refund.tenders), refund.total, found)
    for n, line in enumerate(refund.lines):
        if line.taxes:
            _compare(f"lines[{n}].tax", sum(tax.amount for tax in line.taxes), line.tax, found)
    return tuple(found)


def line_amounts(line: OrderLine) -> Amounts:
    """Return net, tax and gross of a line, after its discounts, for its ordered quantity."""
    return Amounts(net=line.net, tax=line.tax, gross=line.gross)


def lines_amounts(order: Order) -> Amounts:
    """Return net, tax and gross of all lines."""
    return _sum(order.lines)


def shipping_amounts(order: Order) -> Amounts:
    """Return net, tax and gross of shipping."""
    return _sum(order.shipping)


def charges_amounts(order: Order) -> Amounts:
    """Return net, tax and gross of all charges, the rounding among them."""
    return _sum(order.charges)


def order_amounts(order: Order) -> Amounts:
    """Return net, tax and gross of the whole order: what its buyer pays, tax once."""
    return _sum(_components(order))


def discount_total(order: Order) -> int:
    """Return what all discounts take off, on the basis of the prices that they reduce."""
    return sum(allocation.amount for part in _components(order) for allocation in part.discounts)


def withheld_tax(order: Order) -> int:
    """Return the tax that the buyer paid and the channel keeps back, because it remits it itself."""
    return sum(tax.amount for part in _components(order) for tax in part.taxes if not tax.in_payout)


def expected_receivable(order: Order) -> int:
    """Return what the channel should pay to us before its fees.

    The buyer's total, less the tax that the channel keeps, and with the discounts that it funds: also the shared ones in
    full, for it pays those out whole and invoices our share later.
    """
    funded = {discount.id for discount in order.discounts if discount.funded_by != "seller"}
    paid_by_channel = sum(
        allocation.amount
        for part in _components(order)
        for allocation in part.discounts
        if allocation.discount in funded
    )
    return order_amounts(order).gross - withheld_tax(order) + paid_by_channel


def rounding_residue(order: Order) -> int:
    """Return what an explicit charge of kind "rounding" must be, so that the parts make `buyer_total`; 0 without one."""
    return 0 if order.buyer_total is None else order.buyer_total - order_amounts(order).gross


def extended_price(line: OrderLine, currency: str) -> int | None:
    """Return unit price times ordered quantity in minor units, half away from zero; None without a unit price."""
    if line.unit_price is None:
        return None
    numerator, denominator = _exact_extended(line, line.unit_price, currency)
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def _exact_extended(line: OrderLine, price: UnitPrice, currency: str) -> tuple[int, int]:
    """Return unit price times ordered quantity as a fraction of minor units."""
    return price.value * line.ordered * 10 ** exponent(currency), 10 ** (price.scale + line.quantity_scale)


def _check_extended(n: int, line: OrderLine, currency: str, found: list[TotalsDifference]) -> None:
    """Any rounding of the exact product is right; a whole minor unit away from it is not."""
    if line.unit_price is None:
        return
    numerator, denominator = _exact_extended(line, line.unit_price, currency)
    if abs(line.extended * denominator - numerator) >= denominator:
        _compare(f"lines[{n}].extended", extended_price(line, currency), line.extended, found)


def _check_component(
    place: tuple[str, int],
    part: Priced,
    price: int,
    allocated: dict[str, int],
    found: list[TotalsDifference],
) -> None:
    """Price less discounts is gross where the price includes tax, else net; the taxes make the tax.

    place: the list that it stands in, and where. It becomes a name only where something differs: nearly never.
    """
    for allocation in part.discounts:
        price -= allocation.amount
        allocated[allocation.discount] = allocated.get(allocation.discount, 0) + allocation.amount
    basis = part.gross if part.price_includes_tax else part.net
    if price != basis:
        kind = "gross" if part.price_includes_tax else "net"
        _compare(_field(place, kind), price, basis, found)
    if part.taxes:
        tax = 0
        for component in part.taxes:
            tax += component.amount
        if tax != part.tax:
            _compare(_field(place, "tax"), tax, part.tax, found)


def _field(place: tuple[str, int], name: str) -> str:
    return f"{place[0]}[{place[1]}].{name}"


def _check_discounts(order: Order, allocated: dict[str, int], found: list[TotalsDifference]) -> None:
    """Every discount is allocated whole, and nothing is allocated that is no discount of the order."""
    for discount in order.discounts:
        _compare(f"discounts[{discount.id}]", allocated.pop(discount.id, 0), discount.amount, found)
    for unknown, amount in allocated.items():
        _compare(f"discounts[{unknown}]", amount, 0, found)


def _compare(field: str, expected: int | None, stated: int | None, found: list[TotalsDifference]) -> None:
    """Note a difference; what is not known differs from nothing."""
    if stated is not None and expected is not None and stated != expected:
        found.append(TotalsDifference(field=field, expected=expected, stated=stated))


def _components(order: Order) -> Iterator[Priced]:
    yield from order.lines
    yield from order.shipping
    yield from order.charges


def _sum(parts: Iterable[Priced | RefundLine | RefundShipping | RefundAdjustment]) -> Amounts:
    net = tax = 0
    for part in parts:
        net += part.net
        tax += part.tax
    return Amounts(net=net, tax=tax, gross=net + tax)
