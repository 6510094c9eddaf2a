"""What became of effects: done is remembered, everything else asks a person, in words that say what to do."""

from __future__ import annotations

from crossdock.domain.process import Sale
from crossdock.engine.messages import Settled
from crossdock.flows.cancelling import answer
from crossdock.flows.comparing import ADOPT_SALE
from crossdock.flows.crediting import CREDIT_REFUND, take_credited
from crossdock.flows.desk import Desk, effect_key
from crossdock.flows.invoicing import CREATE_INVOICE, compare_invoices, take_invoice
from crossdock.flows.stocking import told
from crossdock.flows.telling import LATE_WORD

_NEXT = {
    "refused": "Correct what it objects to, then retry the effect, or settle the matter there by hand and say so.",
    "in_doubt": "Look there whether it has happened, then say so, or retry.",
    "exhausted": "See why the partner does not answer, then retry.",
}
_WORDS = {
    "refused": "was refused",
    "in_doubt": "was sent, and nobody knows whether it happened",
    "exhausted": "did not get through in all its attempts",
}


def take_settled(desk: Desk, settled: Settled) -> str:
    """Record the outcome of an effect of this order. Returns the outcome of the message."""
    process = desk.process
    key = effect_key(settled.connection, settled.operation, settled.intent)
    before = process.pending.get(key)
    if settled.outcome == "done" or settled.code == "dropped":
        process.pending.pop(key, None)
    else:
        process.pending[key] = settled.outcome
    data = {"connection": settled.connection, "operation": settled.operation, "intent": settled.intent}
    if settled.outcome == "done":
        desk.event("effect.done", {**data, "reference": settled.reference})
        if before not in (None, "staged"):
            desk.close(f"effect.{before}", "it went through", about=key)
    else:
        desk.event(f"effect.{settled.outcome}", {**data, "code": settled.code, "attempts": settled.attempts})
    if _stop_refused(desk, settled):
        process.pending.pop(key, None)
    elif settled.outcome != "done" and settled.code != "dropped":
        tell_person(desk, settled)
    told(desk, settled)
    if settled.operation in ("create_sale", "amend_sale", ADOPT_SALE):
        _sale(desk, settled)
    elif settled.operation == CREATE_INVOICE:
        take_invoice(desk, settled)
    elif settled.operation == "cancel_sale" and settled.outcome == "done":
        compare_invoices(desk)
    elif settled.operation == CREDIT_REFUND:
        take_credited(desk, settled)
    elif settled.operation == "acknowledge" and settled.outcome == "done" and _hurried(desk):
        desk.close(LATE_WORD, "the channel has it")
    elif settled.operation == "confirm_shipment" and settled.outcome == "done":
        _confirmed(desk, settled)
    return "processed"


def tell_person(desk: Desk, settled: Settled) -> None:
    """Open the case of an effect that did not happen."""
    name = desk.process.number or desk.message.subject_id
    reason = f": {settled.reason.rstrip('.')}" if settled.reason else ""
    desk.case(
        f"effect.{settled.outcome}",
        f"{settled.operation} of {name} at {settled.connection} ({settled.intent}) {_WORDS[settled.outcome]}, "
        f"attempt {settled.attempts}{reason}. {_NEXT[settled.outcome]}",
        about=effect_key(settled.connection, settled.operation, settled.intent),
        field=settled.field,
        effect=settled.effect,
    )


def _sale(desk: Desk, settled: Settled) -> None:
    """The ERP has the sale: its reference opens what waited for it, its total is compared with ours (RETAIL 16)."""
    process = desk.process
    sale = process.sale
    if sale is None:
        sale = process.sale = Sale(state="staged", document=process.document, expected=process.total)
    if settled.operation in ("create_sale", ADOPT_SALE):
        sale.state = settled.outcome
        sale.reference = settled.reference or sale.reference
    if settled.outcome != "done" or settled.total is None:
        return
    sale.erp_total = settled.total
    difference = settled.total - sale.expected
    if not difference:
        return
    desk.event(
        "sale.total_differs", {"reference": settled.reference, "theirs": settled.total, "ours": sale.expected}
    )
    if abs(difference) <= desk.plan.policy.erp_total_tolerance:
        desk.postings.append(("rounding", (("receivable", difference), ("rounding", -difference))))
        return
    desk.case(
        "sale.total_differs",
        f"Sale {settled.reference or sale.reference} in {settled.connection} comes to {settled.total}, order "
        f"{process.number or process.order} to {sale.expected} minor units of {process.currency}. Correct the sale there.",
        about=settled.reference or sale.reference,
        field="total",
    )


def _hurried(desk: Desk) -> bool:
    """Whether the channel wants our word within a time."""
    return desk.route is not None and desk.route.acknowledge_within_s > 0


def _confirmed(desk: Desk, settled: Settled) -> None:
    for parcel in desk.process.shipments:
        if f"shipment:{parcel.key}" == settled.intent:
            parcel.channel_ref = settled.reference or parcel.channel_ref


def _stop_refused(desk: Desk, settled: Settled) -> bool:
    """A warehouse that refuses the question has refused to stop. What cannot be read (it has no code) is no refusal."""
    if settled.operation != "cancel_release" or settled.outcome != "refused" or not settled.code:
        return False
    request = desk.process.request(settled.intent.rpartition(":")[0])
    if request is None or all(question.intent != settled.intent for question in request.stops):
        return False
    answer(desk, request, "refused", accepted=[], refused=[], intent=settled.intent, effect=settled.effect)
    return True
