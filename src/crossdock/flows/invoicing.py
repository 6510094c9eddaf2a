"""Invoices as the ERP made them: remembered, found by their numbers, their totals held against what was sold (RETAIL 16, 18)."""

from __future__ import annotations

from crossdock.domain.invoicing import Worth, invoices_of, part_worth, whole_worth
from crossdock.domain.process import Invoice
from crossdock.engine.messages import Reference, Settled
from crossdock.flows.desk import Desk
from crossdock.model.money import decimal_text

CREATE_INVOICE = "create_invoice"
DIFFERS = "invoice.total_differs"


def take_invoice(desk: Desk, settled: Settled) -> None:
    """Record what became of an invoice, and compare it."""
    process = desk.process
    parcel = next((p for p in process.shipments if invoice_intent(p.key) == settled.intent), None)
    if parcel is None:
        return
    invoice = parcel.invoice
    if invoice is None:  # asked for before invoices were remembered
        invoice = parcel.invoice = Invoice(connection=settled.connection, lines=parcel.lines)
    invoice.state = settled.outcome
    invoice.reference = settled.reference or invoice.reference
    if settled.outcome != "done":
        return
    invoice.total = settled.total
    if settled.reference:
        reference = Reference(connection=settled.connection, kind="invoice", ref=settled.reference)
        desk.decision.references.append(reference)
    if not compare_invoices(desk) and invoice.total is not None:
        worth = part_worth(process, invoice)
        if worth is not None:
            _compare(desk, worth, invoice.total, [invoice])


def compare_invoices(desk: Desk) -> bool:
    """Hold all invoices against what was sold, once all are there; returns whether they are."""
    worth = whole_worth(desk.process)
    if worth is None:
        return False
    invoices = invoices_of(desk.process)
    _compare(desk, worth, sum(invoice.total or 0 for invoice in invoices), invoices)
    return True


def invoice_intent(key: str) -> str:
    """The intent of the invoice of a shipment."""
    return f"invoice:{key}"


def _compare(desk: Desk, worth: Worth, theirs: int, invoices: list[Invoice]) -> None:
    """Within tolerance nothing is posted: what the sale was rounded by, its own answer has told."""
    process, sale = desk.process, desk.process.sale
    difference = theirs - worth.total
    known = 0 if sale is None or sale.erp_total is None else sale.erp_total - sale.expected
    if difference == known or abs(difference) <= desk.plan.policy.erp_total_tolerance + worth.slack:
        return
    names = [invoice.reference for invoice in invoices if invoice.reference]
    shown, currency = ", ".join(names) or "without a number", process.currency
    many = len(invoices) > 1
    desk.case(
        DIFFERS,
        f"{'Invoices' if many else 'Invoice'} {shown} of order {process.number or process.order} in {invoices[0].connection} "
        f"{'come' if many else 'comes'} to {decimal_text(theirs, currency)} {currency}; what was sold with {'them' if many else 'it'} "
        f"to {decimal_text(worth.total, currency)}: {decimal_text(difference, currency)} apart. Correct the "
        f"{'invoices' if many else 'invoice'} there, then close this case.",
        about=names[-1] if names else "",
    )
