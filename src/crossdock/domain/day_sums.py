"""The sum of a store day's tickets as its ERP is told it: by tender, and by kind, category and taxes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossdock.domain.scales import rescaled
from crossdock.domain.tax_rates import with_rates
from crossdock.domain.tickets import Sum, Value, gross_of
from crossdock.model.commands import DayGoods, DayLine, DayTender
from crossdock.model.ids import Sku
from crossdock.model.money import Rate
from crossdock.model.pricing import TaxLine, TenderKind

Key = tuple[str, str, tuple[tuple[str, str, str, str], ...]]


def day_lines(values: Iterable[Value], rates: Sequence[str] = ()) -> tuple[DayLine, ...]:
    """What was sold, summed, in a fixed order. What was brought back is not in it: that posts credits of its own.

    rates: those that are known, for taxes that are told without one.
    """
    cells: dict[Key, list[int]] = {}
    taxes: dict[Key, list[int]] = {}
    for value in values:
        for part in with_rates(value, rates).sold:
            _add(cells, taxes, part)
    return tuple(_line(key, cells[key], taxes[key]) for key in sorted(cells))


def day_tenders(values: Iterable[Value]) -> tuple[DayTender, ...]:
    """What came in by each tender less what was given back; one that comes to nothing is left out."""
    sums: dict[TenderKind, int] = {}
    for value in values:
        for kind, amount in value.tenders:
            sums[kind] = sums.get(kind, 0) + amount
    return tuple(DayTender(kind=kind, amount=sums[kind]) for kind in sorted(sums) if sums[kind])


def day_goods(values: Iterable[Value]) -> tuple[DayGoods, ...]:
    """What left the store, summed by SKU, each in the finest scale that a ticket has of it, in a fixed order."""
    sums: dict[str, tuple[int, int]] = {}
    for value in values:
        for goods in value.goods:
            held, scale = sums.get(goods.sku, (0, goods.scale))
            finest = max(scale, goods.scale)
            more, _ = rescaled(goods.quantity, goods.scale, finest)
            sums[goods.sku] = rescaled(held, scale, finest)[0] + more, finest
    return tuple(
        DayGoods(sku=Sku(sku), quantity=quantity, quantity_scale=scale)
        for sku, (quantity, scale) in sorted(sums.items())
    )


def credited(values: Iterable[Value]) -> int:
    """The gross of what was brought back: not positive, but for a rounding."""
    return sum(gross_of(value.back) for value in values)


def _add(cells: dict[Key, list[int]], taxes: dict[Key, list[int]], part: Sum) -> None:
    key = (part.kind, part.category, tuple(tax[:4] for tax in part.taxes))
    cell = cells.setdefault(key, [0, 0, 0, 0])
    cell[0] += part.net
    cell[1] += part.gross
    cell[2] += part.discount
    cell[3] += part.lines
    amounts = taxes.setdefault(key, [0] * len(part.taxes))
    for n, tax in enumerate(part.taxes):
        amounts[n] += tax[4]


def _line(key: Key, cell: list[int], amounts: list[int]) -> DayLine:
    kind, category, names = key
    net, gross, discount, lines = cell
    return DayLine(
        kind=kind,
        category=category,
        net=net,
        tax=gross - net,
        gross=gross,
        taxes=tuple(
            TaxLine(
                amount=amount,
                name=name,
                jurisdiction=jurisdiction,
                rate=Rate.parse(rate) if rate else None,
                category=tax_category,
            )
            for (name, jurisdiction, rate, tax_category), amount in zip(names, amounts, strict=True)
        ),
        discount=discount,
        lines=lines,
    )
