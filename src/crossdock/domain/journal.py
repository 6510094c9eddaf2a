"""What an order posts: what should stand in the journal by the facts as they are, less what stands there already.

Debits are positive. `receivable` is what the channel or buyer owes, `payments` what came in less what was given back.
Every posting sums to zero, and the sums over all postings of an order do not depend on the order of its messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossdock.domain.process import OrderProcess
from crossdock.model.commands import CreditKind, CreditPart
from crossdock.model.order import Order
from crossdock.model.pricing import TaxLine
from crossdock.model.returns import Refund, RefundAdjustment, RefundLine, RefundShipping

Entries = tuple[tuple[str, int], ...]


def extras_of(order: Order) -> dict[str, int]:
    """What an order posts besides its lines: shipping, charges and their taxes, credits negative."""
    shipping = charges = tax = withheld = 0
    for ship in order.shipping:
        shipping += ship.net
        tax += ship.tax
        withheld += withheld_of(ship.taxes)
    for charge in order.charges:
        charges += charge.net
        tax += charge.tax
        withheld += withheld_of(charge.taxes)
    named = {"shipping": -shipping, "charges": -charges, "tax": withheld - tax, "tax_withheld": -withheld}
    return {account: amount for account, amount in named.items() if amount}


def withheld_of(taxes: Sequence[TaxLine]) -> int:
    """The tax that a channel keeps and remits itself."""
    withheld = 0
    for tax in taxes:
        if tax.remitted_by == "marketplace":
            withheld += tax.amount
    return withheld


def refund_entries(refund: Refund) -> dict[str, int]:
    """What a refund posts. For goods that never went the sale is reversed already, so only the money moves."""
    sums = {"payments": -refund.total}
    rest = refund.total
    for line in refund.lines:
        rest -= line.gross
        if line.restock == "cancelled":
            sums["receivable"] = sums.get("receivable", 0) + line.gross
        else:
            sums["refunds"] = sums.get("refunds", 0) + line.net
            sums["tax"] = sums.get("tax", 0) + line.tax
    parts: list[RefundShipping | RefundAdjustment] = [*refund.shipping, *refund.adjustments]
    for part in parts:
        rest -= part.gross
        sums["refunds"] = sums.get("refunds", 0) + part.net
        sums["tax"] = sums.get("tax", 0) + part.tax
    if rest:
        sums["refunds"] = sums.get("refunds", 0) + rest
    return {account: amount for account, amount in sums.items() if amount}


def extras_back(refund: Refund) -> list[tuple[int, int]]:
    """(net, tax) of each part of a refund that gives back what is no goods: shipping first, then charges and whatever it is."""
    parts: list[RefundShipping | RefundAdjustment] = [*refund.shipping, *refund.adjustments]
    found = [(part.net, part.tax) for part in parts if part.gross > 0]
    rest = refund.total - sum(line.gross for line in refund.lines) - sum(part.gross for part in parts)
    return [*found, (rest, 0)] if rest > 0 else found


def credit_parts(refund: Refund) -> list[CreditPart]:
    """What of a refund is to be credited: all of it but what was given back for goods that never went.

    Their gross is the refund's total less theirs, exactly. Nothing that somebody has typed is in it.
    """
    found: list[CreditPart] = []
    rest = refund.total
    for line in refund.lines:
        rest -= line.gross
        if line.restock != "cancelled":
            found.append(_part("line", line, line=line.line, sku=line.sku, quantity=line.quantity))
    for ship in refund.shipping:
        rest -= ship.gross
        found.append(_part("shipping", ship, shipping=ship.shipping))
    for part in refund.adjustments:
        rest -= part.gross
        found.append(CreditPart(kind=part.kind, net=part.net, tax=part.tax, gross=part.gross))
    if rest:
        found.append(CreditPart(kind="rest", net=rest, tax=0, gross=rest))
    return [part for part in found if part.net or part.tax]


def _part(kind: CreditKind, of: RefundLine | RefundShipping, **fields: Any) -> CreditPart:
    return CreditPart(kind=kind, net=of.net, tax=of.tax, gross=of.gross, taxes=of.taxes, **fields)


def to_post(process: OrderProcess, gone: Sequence[int] | None) -> Entries:
    """What is still to be posted, and mark it as posted. gone: per line, what was cancelled for good; None is nothing."""
    wanted, unsold = _wanted(process, gone) if process.commitment == "committed" else ({}, None)
    for refund in process.refunds:
        if refund.done:
            for account, amount in refund.entries.items():
                wanted[account] = wanted.get(account, 0) + amount
            if unsold is not None:
                unsold -= _owed_back(wanted, refund.extras, unsold)
    if gone is not None and process.refunds and process.commitment == "committed":
        _round(wanted, process, gone)
    wanted = {account: amount for account, amount in wanted.items() if amount}
    posted = process.posted
    if not posted:
        entries = tuple(wanted.items())
    else:
        accounts = list(dict.fromkeys((*wanted, *posted)))
        differences = ((account, wanted.get(account, 0) - posted.get(account, 0)) for account in accounts)
        entries = tuple((account, amount) for account, amount in differences if amount)
    process.posted = wanted
    return entries


def _round(wanted: dict[str, int], process: OrderProcess, gone: Sequence[int]) -> None:
    """What a channel gave back of goods that never left, and their share of the sale, may differ by a minor unit a piece."""
    counts: dict[str, int] = {}
    sums: dict[str, int] = {}
    for refund in process.refunds:
        for id_, quantity, gross in refund.unsent if refund.done else ():
            counts[id_] = counts.get(id_, 0) + quantity
            sums[id_] = sums.get(id_, 0) + gross
    for line, lost in zip(process.lines, gone, strict=True):
        if lost and counts.get(line.id) == lost:
            off = line.gross - share(line.gross, line.ordered - lost, line.ordered) - sums[line.id]
            if 0 < abs(off) <= lost:
                wanted["receivable"] = wanted.get("receivable", 0) + off
                wanted["rounding"] = wanted.get("rounding", 0) - off


def _owed_back(wanted: dict[str, int], extras: Sequence[tuple[int, int]], unsold: int) -> int:
    """Turn what a refund gives back of shipping and charges that no sale has any more into what is owed; returns how much.

    Where more is given back than there was, the rest stays a refund, without tax: no sale has any of which it could be.
    """
    left = unsold
    for net, tax in extras:
        part = min(net + tax, left)
        for account, amount in (("receivable", part), ("refunds", tax - part), ("tax", -tax)):
            wanted[account] = wanted.get(account, 0) + amount
        left -= part
    return unsold - left


def _wanted(process: OrderProcess, gone: Sequence[int] | None) -> tuple[dict[str, int], int | None]:
    """What the sale posts as it stands, and the shipping and charges of a sale of which nothing is left, else None."""
    unsold = None
    net = gross = discount = withheld = 0
    if gone is None:
        for line in process.lines:
            net += line.net
            gross += line.gross
            discount += line.discount
            withheld += line.withheld
        extras = process.extras
    else:
        left = False
        for line, lost in zip(process.lines, gone, strict=True):
            part, whole = line.ordered - lost, line.ordered
            left = left or part != 0 or not whole
            net += share(line.net, part, whole)
            gross += share(line.gross, part, whole)
            discount += share(line.discount, part, whole)
            withheld += share(line.withheld, part, whole)
        extras = process.extras if left else {}
        unsold = None if left else max(0, -sum(process.extras.values()))
    wanted = {"receivable": gross, "sales": -net - discount}
    if discount:
        wanted["discounts"] = discount
    tax = gross - net
    if tax - withheld:
        wanted["tax"] = withheld - tax
    if withheld:
        wanted["tax_withheld"] = -withheld
    for account, amount in extras.items():
        wanted[account] = wanted.get(account, 0) + amount
        wanted["receivable"] -= amount
    if process.captured:
        wanted["payments"] = process.captured
        wanted["receivable"] -= process.captured
    return wanted, unsold


def share(amount: int, part: int, whole: int) -> int:
    """The part of an amount, rounded towards zero; all of it for all, none for none."""
    if part == whole:
        return amount
    share = abs(amount) * part // whole
    return share if amount >= 0 else -share
