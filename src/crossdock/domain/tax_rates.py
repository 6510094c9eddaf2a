"""Which rate a till charged where it tells a tax and no rate: that which the amounts of each line imply. Pure.

A till rounds each line by itself. Over a day that adds up to more than tells two rates apart, so it is resolved line by
line, before anything is summed, among the rates that are known: those of the store, and those that the day's other lines
state. Amounts in minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from crossdock.domain.tickets import Sum, Tax, Value


def known_rates(configured: Iterable[str], values: Iterable[Value]) -> tuple[str, ...]:
    """The rates of a store and those that tickets state, each once, in order."""
    stated = {tax[2] for value in values for part in (*value.sold, *value.back) for tax in part.taxes}
    return tuple(sorted({Decimal(rate): rate for rate in sorted({*configured, *stated} - {""})}.values()))


def implied_rate(net: int, tax: int, rates: Iterable[str], lines: int = 1) -> str:
    """The rate by which this tax is nearest to that of this net, the higher of two; "" where none comes near.

    Near: what rounding a line's tax, or taking it out of a gross price, can be off by, in whichever way a till rounds.
    """
    fits = []
    for rate in rates:
        factor = Decimal(rate)
        distance = abs(factor * net - tax)
        if distance < lines * (1 + factor):
            fits.append((distance, -factor, rate))
    return min(fits)[2] if fits else ""


def with_rates(value: Value, rates: Sequence[str]) -> Value:
    """The same ticket with a rate for every tax of what it sold that is told without one, as far as one is implied."""
    if not any(is_unrated(part) for part in value.sold):
        return value
    return msgspec.structs.replace(value, sold=tuple(_rated(part, rates) for part in value.sold))


def is_unrated(part: Sum) -> bool:
    """Whether a tax of it is told without its rate."""
    return any(amount and not rate for _, _, rate, _, amount in part.taxes)


def _rated(part: Sum, rates: Sequence[str]) -> Sum:
    taxes: list[Tax] = []
    for tax in part.taxes:
        name, jurisdiction, rate, category, amount = tax
        found = rate or (implied_rate(part.net, amount, rates, part.lines) if amount else "")
        taxes.append((name, jurisdiction, found, category, amount))
    return msgspec.structs.replace(part, taxes=tuple(taxes))
