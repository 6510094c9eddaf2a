"""What the invoices of an order should come to: all of them what was sold of it, less what was cancelled; one its own lines. Pure."""

from __future__ import annotations

import msgspec

from crossdock.domain.journal import share
from crossdock.domain.process import Invoice, Line, OrderProcess


class Worth(msgspec.Struct, frozen=True):
    """An amount in minor units, and by how much whoever rounds parts in another way may be off."""

    total: int
    slack: int = 0


def invoices_of(process: OrderProcess) -> list[Invoice]:
    """Every invoice that was asked for, in that order."""
    return [parcel.invoice for parcel in process.shipments if parcel.invoice is not None]


def whole_worth(process: OrderProcess) -> Worth | None:
    """What all invoices together should come to; None while one is to come, or where that cannot be said.

    A part of a line that was cancelled takes its share off; shipping and charges stay. It cannot be said of a sale that does not
    say what the order is (a case of its own), nor where an invoice told no total.
    """
    sale, invoices = process.sale, invoices_of(process)
    if sale is None or not invoices or sale.expected != _sold(process):
        return None
    if any(invoice.state != "done" or invoice.total is None for invoice in invoices):
        return None
    invoiced: dict[str, int] = {}
    for invoice in invoices:
        for id_, quantity in invoice.lines:
            invoiced[id_] = invoiced.get(id_, 0) + quantity
    total, slack = sale.expected, 0
    for line in _sold_lines(process):
        wanted = line.ordered - line.told_erp
        if invoiced.get(line.id, 0) != wanted:
            return None
        total -= line.gross - share(line.gross, wanted, line.ordered)
        slack += 0 < wanted < line.ordered
    return Worth(total, slack)


def part_worth(process: OrderProcess, invoice: Invoice) -> Worth | None:
    """What one of several invoices should come to; None where that is not exact.

    It is where every line of it is invoiced whole or each piece has an exact price, and the order has nothing besides its lines,
    of which nobody says with which part it goes.
    """
    sale = process.sale
    lines = {line.id: line for line in _sold_lines(process)}
    if sale is None or sum(line.gross for line in lines.values()) != sale.expected:
        return None
    total = 0
    for id_, quantity in invoice.lines:
        line = lines.get(id_)
        if line is None or (quantity != line.ordered and line.gross % line.ordered):
            return None
        total += line.gross * quantity // line.ordered
    return Worth(total, len(invoice.lines))


def _sold_lines(process: OrderProcess) -> list[Line]:
    """Its lines but for those that a till took back, which are no sale."""
    return [line for line in process.lines if line.ordered > 0]


def _sold(process: OrderProcess) -> int:
    return process.total - sum(line.gross for line in process.lines if line.ordered < 0)
