"""What one till ticket comes to: its part of the day's sums, small, and its journal entries. Amounts in minor units.

Tickets of a day never touch one another: each leaves a value, and the day is summed from values when it is counted.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from crossdock.model.ids import LineId
from crossdock.model.lines import OrderLine
from crossdock.model.order import Order
from crossdock.model.pricing import Charge, ShippingCharge, TaxLine, TenderKind
from crossdock.model.tills import TicketKind, TillTicket

Tax = tuple[str, str, str, str, int]
"""(name, jurisdiction, rate as text or "", category, amount)"""

LIABILITIES = {"gift_card": "gift_cards", "deposit": "deposits", "tip": "tips"}
"""What is sold and is no revenue: it is owed to whoever comes back with it, or to the staff."""
_CHARGES = {"rounding": "rounding", "shipping": "shipping"}
_GOODS = frozenset(("goods", "service", "custom", "bundle"))
_TENDERS: dict[str, str] = {"gift_card": "gift_cards", "store_credit": "store_credit"}
_DRAWER = {"paid_in": ("paid_in", 1), "paid_out": ("paid_out", -1), "float": ("float", 1)}


class Sum(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Lines or charges of one kind, category and taxes. `gross` = net + taxes; `discount`, without tax, is taken off."""

    kind: str
    category: str
    net: int
    gross: int
    taxes: tuple[Tax, ...] = ()
    discount: int = 0
    lines: int = 1


class Goods(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """So much of a SKU, in 10**-scale of its unit."""

    sku: str
    quantity: int
    scale: int = 0


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A ticket in its day: what it sold, what it took back (negative), what was paid, and cash besides the sales."""

    kind: TicketKind = "sale"
    currency: str = ""
    total: int = 0
    tenders: tuple[tuple[TenderKind, int], ...] = ()
    sold: tuple[Sum, ...] = ()
    back: tuple[Sum, ...] = ()
    amount: int = 0
    goods: tuple[Goods, ...] = ()
    """What left the store; what came back is in a credit of its own."""
    live: bool | None = None
    """Whether it is ours to post; None of a ticket that was kept before this was said, which is as its day is."""
    across: bool = False
    """Sold after the start, on a day that had begun before it."""


_encode = msgspec.json.Encoder().encode
decode_value = msgspec.json.Decoder(Value).decode


def encode_value(value: Value) -> msgspec.Raw:
    """The value as it is kept."""
    return msgspec.Raw(_encode(value))


def value_of(ticket: TillTicket) -> Value:
    """What a ticket adds to its day. Training and voids add nothing but their number."""
    sale = ticket.sale
    if ticket.training or sale is None or sale.commitment != "committed":
        amount = 0 if ticket.training or ticket.kind not in _DRAWER else ticket.amount
        kind = ticket.kind if amount or ticket.kind in ("void", "no_sale") else "no_sale"
        return Value(kind=kind, currency=ticket.currency if amount else "", amount=amount)
    sold: list[Sum] = []
    back: list[Sum] = []
    for line in sale.lines:
        (back if line.ordered < 0 else sold).append(_line_sum(line))
    charges = sold if sold or not back else back
    charges += [_charge_sum(charge.kind, charge) for charge in sale.charges]
    charges += [_charge_sum("shipping", shipping) for shipping in sale.shipping]
    return Value(
        kind=ticket.kind,
        currency=sale.currency,
        total=sale.buyer_total or 0,
        tenders=tuple((t.kind, t.amount) for t in sale.tenders if t.state == "captured"),
        sold=tuple(sold),
        back=tuple(back),
        goods=tuple(
            Goods(line.sku, line.ordered, line.quantity_scale)
            for line in sale.lines
            if line.ordered > 0 and moves_stock(line)
        ),
    )


def entries_of(value: Value) -> tuple[tuple[str, int], ...]:
    """The journal entries of a ticket: debits positive, balanced; what is not paid stays receivable."""
    sums: dict[str, int] = {}
    for part in (*value.sold, *value.back):
        _add(sums, _account(part.kind), -part.net - part.discount)
        if part.gross != part.net:
            _add(sums, "tax", part.net - part.gross)
        if part.discount:
            _add(sums, "discounts", part.discount)
    for kind, amount in value.tenders:
        _add(sums, _TENDERS.get(kind, "payments"), amount)
    if value.amount:
        account, sign = _DRAWER[value.kind]
        _add(sums, "payments", sign * value.amount)
        _add(sums, account, -sign * value.amount)
    rest = sum(sums.values())
    if rest:
        sums["receivable"] = -rest
    return tuple((account, amount) for account, amount in sums.items() if amount)


def gross_of(parts: Iterable[Sum]) -> int:
    """What they come to, tax once."""
    return sum(part.gross for part in parts)


def repaid_of(value: Value) -> int:
    """What a ticket gave back or set off for what it took back; not negative. Of what it was paid it sold first."""
    sold, back = gross_of(value.sold), gross_of(value.back)
    return max(0, min(-back, sold - _received(value)))


def owed_of(value: Value) -> int:
    """What of its sales nobody has paid yet: what stays open, and what was put on a buyer's account. Not negative."""
    sold = gross_of(value.sold)
    return max(0, min(sold, sold - _received(value) - repaid_of(value)))


def _received(value: Value) -> int:
    return sum(amount for kind, amount in value.tenders if kind != "invoice")


def _account(kind: str) -> str:
    if kind in _GOODS:
        return "sales"
    return LIABILITIES.get(kind) or _CHARGES.get(kind, "charges")


def _add(sums: dict[str, int], account: str, amount: int) -> None:
    sums[account] = sums.get(account, 0) + amount


def _line_sum(line: OrderLine) -> Sum:
    discount = 0
    if line.discounts:
        discount = sum(part.amount for part in line.discounts)
        if line.price_includes_tax and line.gross:
            discount = discount * line.net // line.gross
    return Sum(line.kind, line.category, line.net, line.gross, _taxes(line.taxes, line.tax), discount)


def _charge_sum(kind: str, charge: Charge | ShippingCharge) -> Sum:
    return Sum(kind, "", charge.net, charge.gross, _taxes(charge.taxes, charge.tax))


def _taxes(taxes: tuple[TaxLine, ...], tax: int) -> tuple[Tax, ...]:
    """The taxes of a component; one without a name where its source tells only the sum."""
    if not taxes:
        return (("", "", "", "", tax),) if tax else ()
    return tuple(
        (t.name, t.jurisdiction, "" if t.rate is None else str(t.rate), t.category, t.amount) for t in taxes
    )


def moves_stock(line: OrderLine) -> bool:
    """Whether goods change hands: not for what is no thing, nor for the line that only bears a set's price."""
    return bool(line.sku) and line.kind in ("goods", "custom")


def sold_lines(sale: Order) -> tuple[LineId, ...]:
    """The ids of the lines that a ticket sold."""
    return tuple(line.id for line in sale.lines if line.ordered >= 0)


def returned_lines(sale: Order) -> tuple[OrderLine, ...]:
    """The lines of a ticket that took goods back."""
    return tuple(line for line in sale.lines if line.ordered < 0)
