"""Which of Tryton's taxes stands for which of an order's. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from crossdock.connectors.tryton.books import Tax
from crossdock.errors import MappingError
from crossdock.model.pricing import TaxLine


def match_taxes(
    stated: Sequence[TaxLine],
    net: int,
    tax: int,
    *,
    known: Sequence[Tax],
    named: Mapping[str, str],
    field: str,
    remedy: str,
) -> tuple[Tax, ...]:
    """The taxes of one component, by id; a MappingError where one of them has none, or more than one.

    By the setting `taxes` (`jurisdiction rate`, `name rate`, then `rate` alone), else the only one of that rate. Where
    the order does not tell the rate it is the one that gives the stated amount.
    """
    found: dict[int, Tax] = {}
    for n, one in enumerate(stated):
        where = f"{field}.taxes[{n}]"
        if one.rate is None:
            match = _by_amount(net, one.amount, known, where, remedy)
        else:
            match = _by_rate(one, known, named, where)
        if match is not None:
            found[match.id] = match
    if not stated and tax:
        match = _by_amount(net, tax, known, f"{field}.tax", remedy)
        if match is not None:
            found[match.id] = match
    return tuple(found[id_] for id_ in sorted(found))


def _by_rate(one: TaxLine, known: Sequence[Tax], named: Mapping[str, str], field: str) -> Tax | None:
    rate = Decimal(str(one.rate))
    for key in (f"{one.jurisdiction} ", f"{one.name} ", ""):
        wanted = next((theirs for ours, theirs in named.items() if _is(ours, key, rate)), "")
        if wanted:
            return _named(wanted, known, rate, field)
    same = [tax for tax in known if tax.rate == rate]
    if len(same) == 1:
        return same[0]
    if not rate and not same:
        return None
    what = "no sales tax" if not same else f"{len(same)} sales taxes"
    raise MappingError(
        f"{field}: Tryton has {what} of the rate {rate}. Name the one for {(one.jurisdiction + ' ' + str(rate)).strip()!r} in "
        "the setting `taxes`.",
        field=field,
    )


def _is(ours: str, key: str, rate: Decimal) -> bool:
    """Whether a key of the setting is this prefix and this rate, however many zeros it is written with."""
    if not ours.startswith(key):
        return False
    text = ours[len(key) :].strip()
    return text.replace(".", "", 1).isdecimal() and Decimal(text) == rate


def _named(name: str, known: Sequence[Tax], rate: Decimal, field: str) -> Tax:
    found = [tax for tax in known if name in tax.names]
    if len(found) == 1 and found[0].rate == rate:
        return found[0]
    what = f"the rate {found[0].rate}" if len(found) == 1 else f"{len(found)} sales taxes"
    raise MappingError(
        f"{field}: for the rate {rate} the setting `taxes` names {name!r}, of which Tryton has {what}. Correct one of them.",
        field=field,
    )


def _by_amount(net: int, amount: int, known: Sequence[Tax], field: str, remedy: str) -> Tax | None:
    """The tax that gives this amount, to one minor unit; None for no tax at all."""
    if not amount:
        return None
    fits = sorted(
        (abs(tax.rate * net - amount), tax.id) for tax in known if abs(tax.rate * net - amount) <= 1
    )
    nearest = [id_ for distance, id_ in fits if distance == fits[0][0]]
    if len(nearest) == 1:
        return next(tax for tax in known if tax.id == nearest[0])
    what = "No sales tax" if not fits else f"{len(nearest)} sales taxes"
    raise MappingError(
        f"{field}: no rate is told. {what} of Tryton come to {amount} of {net}. {remedy}",
        field=field,
    )
