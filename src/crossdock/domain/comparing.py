"""What the hub would have booked, against what an ERP holds: orders missing, doubled, late, of another total. Pure.

While another integration still feeds the ERP, this says in money what that one does otherwise. Amounts in minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

Kind = Literal["missing", "doubled", "late", "total", "currency", "unknown"]
KINDS: tuple[Kind, ...] = ("missing", "doubled", "total", "currency", "late", "unknown")
US = 1_000_000
OF_DAY = "store_day"
"""The kind of what is booked of a store's day, which may have many documents."""


class BookedSale(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A sale that an ERP holds, as its feed tells it: whoever made it. channel, kind, ref: what it says it is of.

    version: what its changes are ordered by; "" where the ERP does not say it, and the last that came counts.
    """

    connection: str
    document: str
    currency: str
    total: int
    channel: str = ""
    kind: str = "order"
    ref: str = ""
    number: str = ""
    made_at: int = 0
    cancelled: bool = False
    version: str = ""

    @property
    def alone(self) -> bool:
        """Whether another one beside it is one too many."""
        return not self.cancelled and self.kind != OF_DAY


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the hub has it: what the ERP of its route should hold once, and when it was placed."""

    order: str
    connection: str
    external_id: str
    number: str
    erp: str
    currency: str
    total: int
    placed_at: int
    expected: bool = True
    """False where the ERP need not hold it, or nobody asks: it was cancelled, is a test, was placed too long ago."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is otherwise there. `amount` is what it is about, in minor units of `currency`.

    missing: the order's total. doubled: what the further documents come to. total: theirs less ours. currency, unknown:
    their total. late: the order's total, and `late_s` by how much it came after it was placed.
    """

    kind: Kind
    connection: str
    number: str
    currency: str
    amount: int
    order: str = ""
    external_id: str = ""
    ours: int | None = None
    theirs: int | None = None
    documents: tuple[str, ...] = ()
    late_s: int = 0


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """All of it: findings by kind and order, orders that agree, and orders of which it is too early to say.

    days: the same of stores' days, where tills are posted in sum, findings included in `findings`. unread: orders,
    tickets and days whose ERP's feed was never read, so that nothing is said of them.
    """

    findings: tuple[Finding, ...]
    orders: int
    agree: int
    early: int
    days: int = 0
    days_agree: int = 0
    days_early: int = 0
    unread: int = 0

    def sums(self) -> list[tuple[Kind, str, int, int]]:
        """(kind, currency, number of findings, their amounts in sum and without sign) in a fixed order."""
        found: dict[tuple[Kind, str], list[int]] = {}
        for finding in self.findings:
            cell = found.setdefault((finding.kind, finding.currency), [0, 0])
            cell[0] += 1
            cell[1] += abs(finding.amount)
        return [
            (kind, currency, *found[kind, currency])  # type: ignore[misc]
            for kind, currency in sorted(found, key=lambda key: (KINDS.index(key[0]), key[1]))
        ]


def compare(
    orders: Sequence[Wanted],
    booked: Iterable[BookedSale],
    *,
    read_until: Mapping[str, int],
    late_us: int,
    since: int = 0,
) -> Compared:
    """Set them side by side.

    read_until: per ERP, the time up to which its feed was read: an order that was placed less than `late_us` before that
    may still come. since: sales made before are nobody's question where their order is not known. A sale that names its
    order by number is found by it; cancelled sales count as none.
    """
    names = _Names(orders)
    held: dict[str, dict[tuple[str, str], BookedSale]] = {}
    findings: list[Finding] = []
    for sale in booked:
        wanted = names.of(sale)
        if wanted is not None:
            held.setdefault(wanted.order, {})[sale.connection, sale.document] = sale
        elif not sale.cancelled and names.watched(sale, since):
            findings.append(_unknown(sale))
    agree = early = 0
    expected = [order for order in orders if order.expected]
    for order in expected:
        sales = [
            s for s in held.get(order.order, {}).values() if s.connection == order.erp and not s.cancelled
        ]
        if not sales and read_until.get(order.erp, 0) < order.placed_at + late_us:
            early += 1
            continue
        found = _judge(order, sales, late_us)
        agree += not found
        findings += found
    findings.sort(key=lambda f: (KINDS.index(f.kind), f.connection, f.number, f.order, f.documents))
    return Compared(findings=tuple(findings), orders=len(expected), agree=agree, early=early)


class _Names:
    """Orders by the names that others have for them."""

    def __init__(self, orders: Sequence[Wanted]) -> None:
        self._ids = {(order.connection, order.external_id): order for order in orders}
        self._numbers = {(order.connection, order.number): order for order in orders if order.number}
        self._first: dict[tuple[str, str], int] = {}
        for order in orders:
            key = (order.connection, order.erp)
            self._first[key] = min(order.placed_at, self._first.get(key, order.placed_at))

    def of(self, sale: BookedSale) -> Wanted | None:
        """The order that a sale is of."""
        if sale.kind == "order" and (found := self._ids.get((sale.channel, sale.ref))) is not None:
            return found
        number = sale.ref if sale.kind == "number" else sale.number
        return self._numbers.get((sale.channel, number))

    def watched(self, sale: BookedSale, since: int) -> bool:
        """Whether the hub would know its order: it was made since the first that it knows of that channel."""
        first = self._first.get((sale.channel, sale.connection))
        return first is not None and (not sale.made_at or sale.made_at >= max(first, since))


def _judge(order: Wanted, sales: list[BookedSale], late_us: int) -> list[Finding]:
    if not sales:
        return [_finding(order, "missing", order.total)]
    best = min(
        sales,
        key=lambda s: (s.currency != order.currency, abs(s.total - order.total), s.made_at, s.document),
    )
    found = []
    if len(sales) > 1:
        extra = sum(sale.total for sale in sales) - best.total
        found.append(_finding(order, "doubled", extra, sales, best))
    if best.currency != order.currency:
        found.append(
            msgspec.structs.replace(
                _finding(order, "currency", best.total, [best], best), currency=best.currency
            )
        )
    elif best.total != order.total:
        found.append(_finding(order, "total", best.total - order.total, [best], best))
    made = min((sale.made_at for sale in sales if sale.made_at), default=0)
    if made - order.placed_at > late_us:
        late = _finding(order, "late", order.total, sales, best)
        found.append(msgspec.structs.replace(late, late_s=(made - order.placed_at) // US))
    return found


def _finding(
    order: Wanted, kind: Kind, amount: int, sales: Sequence[BookedSale] = (), best: BookedSale | None = None
) -> Finding:
    return Finding(
        kind=kind,
        connection=order.connection,
        number=order.number or order.external_id,
        currency=order.currency,
        amount=amount,
        order=order.order,
        external_id=order.external_id,
        ours=order.total,
        theirs=best.total if best is not None else None,
        documents=tuple(sorted(sale.document for sale in sales)),
    )


def _unknown(sale: BookedSale) -> Finding:
    return Finding(
        kind="unknown",
        connection=sale.channel,
        number=sale.number or sale.ref,
        currency=sale.currency,
        amount=sale.total,
        external_id=sale.ref if sale.kind == "order" else "",
        theirs=sale.total,
        documents=(sale.document,),
    )
