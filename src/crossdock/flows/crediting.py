"""What was given back and what came back of an order, told to the ERP: a credit per refund, a receipt per arrival."""

from __future__ import annotations

from crossdock.domain.process import OrderProcess, Refunded, Returned, Sale
from crossdock.engine.messages import Settled
from crossdock.flows.desk import Desk
from crossdock.flows.posting_sales import compare_total
from crossdock.model.commands import CameBack, CreditRefund, ReceiveReturn
from crossdock.model.ids import LineId, OrderId, Sku
from crossdock.model.money import decimal_text

CREDIT_REFUND, RECEIVE_RETURN = "credit_refund", "receive_return"


def credit_refunds(desk: Desk, erp: str, sale: Sale) -> None:
    """Credit each refund that is done, once, after the order's first invoice: what is not invoiced is not credited."""
    process = desk.process
    if not any("create_invoice" in parcel.told for parcel in process.shipments):
        return
    for refund in process.refunds:
        total, tax = refund.owed
        if refund.credit is not None or not (total or tax):
            continue
        if refund.alone and _may_stay(process, refund):
            continue
        credit = Sale(document=process.document, expected=total, connection=erp)
        if total < 0 and desk.stage(erp, CREDIT_REFUND, _intent(refund), _command(desk, refund, sale)):
            credit.state = "staged"
        elif process.mode == "observe" or desk.plan.modes.get(erp) == "observe":
            continue
        else:
            _by_hand(desk, erp, refund)
        refund.credit, refund.tax = credit, tax


def take_credited(desk: Desk, settled: Settled) -> None:
    """Record what the ERP made of a refund's credit: its document, and its total against ours (RETAIL 16, 18)."""
    for refund in desk.process.refunds:
        credit = refund.credit
        if credit is None or _intent(refund) != settled.intent:
            continue
        credit.state, credit.reference = settled.outcome, settled.reference or credit.reference
        credit.erp_total = settled.total if settled.outcome == "done" else credit.erp_total
        compare_total(desk, settled, "credit_note", credit.expected)


def receive_returns(desk: Desk, erp: str, sale: Sale) -> None:
    """Have the ERP receive what came since it was told last, after the order's first delivery."""
    process = desk.process
    if not any("create_delivery" in parcel.told for parcel in process.shipments):
        return
    for held in process.returns:
        lines = _came(desk, held)
        if held.told is None or not lines:
            continue
        command = ReceiveReturn(
            order_id=OrderId(process.order),
            goods_return=held.key,
            reference=f"{process.order}/{intent_of(held)}",
            lines=lines,
            location=held.place,
            sale_reference=sale.reference,
        )
        if desk.stage(erp, RECEIVE_RETURN, intent_of(held), command):
            held.receipts += 1
            held.told += [(line.line, line.sku, line.quantity) for line in lines]


def intent_of(held: Returned) -> str:
    """The intent of a return's next receipt."""
    return f"return:{held.key}:{held.receipts + 1}"


def _came(desk: Desk, held: Returned) -> tuple[CameBack, ...]:
    kept = {(line, sku) for line, sku, n in held.quarantined if n}
    return tuple(
        CameBack(line=LineId(line), sku=Sku(sku), quantity=came, held=(line, sku) in kept)
        for line, sku, received in held.lines
        if (came := received - held.told_of(line, sku)) > 0 and desk.process.piece(line, sku) is not None
    )


def _may_stay(process: OrderProcess, refund: Refunded) -> bool:
    """Whether a refund names goods that have not left: what stays is cancelled, not credited. The order will tell."""
    waiting = {line.id for line in process.lines if line.who in ("us", "else") and line.target > line.shipped}
    return any(part.kind == "line" and part.line in waiting for part in refund.parts or ())


def _intent(refund: Refunded) -> str:
    return f"refund:{refund.key}"


def _command(desk: Desk, refund: Refunded, sale: Sale) -> CreditRefund:
    process = desk.process
    return CreditRefund(
        order_id=OrderId(process.order),
        refund=refund.key,
        reference=f"{process.order}/{_intent(refund)}",
        currency=process.currency,
        total=-refund.owed[0],
        parts=tuple(refund.parts or ()),
        sale_reference=sale.reference,
    )


def _by_hand(desk: Desk, erp: str, refund: Refunded) -> None:
    """Nobody can be told by us: the connection has no such operation, or what is left of the refund is no credit."""
    process, (total, _) = desk.process, refund.owed
    amount = f"{decimal_text(abs(total), process.currency)} {process.currency}"
    name = process.number or process.order
    if total < 0:
        text = (
            f"{erp} takes no credits of refunds from us, and {process.connection} gave back {amount} of order {name} "
            f"(refund {refund.key}), which is invoiced there. Credit it there by hand, then close this case."
        )
    else:
        text = (
            f"Of refund {refund.key} of order {name} {process.connection} kept {amount} of what was cancelled, or gave back its "
            f"tax alone: that is no credit of ours. Book it in {erp} by hand, then close this case."
        )
    desk.case("refund.credit_by_hand", text, about=refund.key)
