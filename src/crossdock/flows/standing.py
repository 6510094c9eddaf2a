"""Cases that stand as long as the facts do: opened when a rule is broken, closed when it no longer is."""

from __future__ import annotations

from crossdock.domain.process import OrderProcess
from crossdock.flows.desk import Desk
from crossdock.model.money import decimal_text

Standing = tuple[str, str, str]
"""(reason, about, text)"""


def stand(desk: Desk) -> None:
    """Open the cases that the facts ask for now, and close those that they no longer do."""
    process = desk.process
    if not (
        process.cases
        or process.waiting
        or process.holds
        or process.shipments
        or process.refunds
        or process.returns
        or len(process.booked) > 1
    ):
        return
    found = [*_waits(process), *_breaches(process), *_doubled(process), *_given_back(process)]
    names = [f"{reason}|{about}" for reason, about, _ in found]
    for (reason, about, text), name in zip(found, names, strict=True):
        if name not in process.cases:
            desk.case(reason, text, about=about)
    for name in process.cases:
        if name not in names:
            reason, _, about = name.partition("|")
            desk.close(reason, "the facts have changed", about=about)
    process.cases = names


def _waits(process: OrderProcess) -> list[Standing]:
    name = process.number or process.order
    found: list[Standing] = []
    if process.waiting and process.source_at:
        text = (
            f"Order {name} waits for stock that none of its locations has. It is looked for again by itself"
        )
        if process.commitment == "committed" and not process.acknowledged and process.mode != "observe":
            text += f", and {process.connection} is not told before that we take it"
        text += ". Cancel what cannot come, or receive stock."
        found.append(("stock.short", "", text))
    for code, reason in process.holds.items():
        text = f"Order {name} is held ({code}{': ' + reason if reason else ''}). Release the hold, or cancel the order."
        found.append(("order.held", code, text))
    return found


def _doubled(process: OrderProcess) -> list[Standing]:
    """An order has one sale in an ERP, whoever made it: a second one is revenue that is not there (DESIGN, promise 6)."""
    held: dict[str, list[str]] = {}
    for sale in process.booked:
        if sale.alone:
            held.setdefault(sale.connection, []).append(sale.document)
    found: list[Standing] = []
    for connection, documents in held.items():
        if len(documents) > 1:
            text = (
                f"{connection} holds {len(documents)} sales of order {process.number or process.order}: {', '.join(sorted(documents))}. "
                "See which of them the deliveries and invoices stand on, and cancel the others there; this case closes when it tells so."
            )
            found.append(("sale.doubled", connection, text))
    return found


def _given_back(process: OrderProcess) -> list[Standing]:
    """What the ERP was told of refunds and returns, and is not so by now: no contract has a word that takes it back."""
    name, found = process.number or process.order, []
    for refund in process.refunds:
        credit, (total, tax) = refund.credit, refund.owed
        if credit is None or (total, tax) == (credit.expected, refund.tax):
            continue
        ours = [decimal_text(-n, process.currency) for n in (credit.expected, refund.tax, total, tax)]
        document = f"credit note {credit.reference}" if credit.reference else "its credit note"
        what = (
            "was not given back"
            if not refund.done
            else f"comes to {ours[2]} {process.currency} (tax {ours[3]}) by now"
        )
        text = (
            f"Refund {refund.key} of order {name} {what}, but was told to {credit.connection} with {ours[0]} (tax {ours[1]}). "
            f"Correct {document} there."
        )
        found.append(("refund.credit_differs", refund.key, text))
    for goods_return in process.returns:
        for line, sku, _ in goods_return.told or ():
            received = sum(n for id_, code, n in goods_return.lines if (id_, code) == (line, sku))
            told = goods_return.told_of(line, sku)
            if told > received:
                text = (
                    f"Of order {name} {received} of line {line} ({sku or 'no SKU'}) came back by return {goods_return.key}, but "
                    f"the ERP was told of {told}. Correct its receipt there."
                )
                found.append(("return.received_less", f"{goods_return.key} {line} {sku}", text))
    return found


def _breaches(process: OrderProcess) -> list[Standing]:
    name = process.number or process.order
    found: list[Standing] = []
    for line in process.lines:
        what = f"{line.shipped} of line {line.id} ({line.sku or 'no SKU'})"
        if line.ordered > 0 and line.shipped > line.ordered:
            text = f"Of order {name} {what} were shipped, but only {line.ordered} ordered. Ask the warehouse, then the buyer."
            found.append(("shipment.beyond_order", line.id, text))
        elif line.who != "none" and line.shipped and (line.shipped > line.target or process.cancelled):
            text = (
                f"Of order {name} {what} were shipped, though cancelled. Intercept the parcel, or expect it back; "
                "give no money back twice."
            )
            if line.told_erp > line.ordered - line.shipped:
                text += " The ERP was told of the cancellation first: correct its sale."
            found.append(("order.cancelled_and_shipped", line.id, text))
        if line.returned > line.shipped and line.ordered > 0:
            text = f"Of order {name} {line.returned} of line {line.id} came back, but {line.shipped} had left. Check both."
            found.append(("return.beyond_shipped", line.id, text))
    refunded = sum(refund.total for refund in process.refunds if refund.done)
    limit = process.captured or process.total
    if refunded > limit:
        text = f"Of order {name} more was given back than was paid. It is recorded; ask whoever refunds for the channel."
        found.append(("refund.beyond_captured", "", text))
    return found
