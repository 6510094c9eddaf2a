"""Taking over: sales that another integration, or people, have made of an order are found and marked as ours.

Nothing is made, and nothing that is planned there is undone: others may still ship it. What they have planned gives way when
the hub says that the goods left (deliveries.give_way).
"""

from __future__ import annotations

from crossdock.connectors.tryton import sales
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row
from crossdock.connectors.tryton.sales import SALE
from crossdock.connectors.tryton.steps import held, name_of, only, quantity_of, total_of
from crossdock.model.commands import AdoptSale
from crossdock.model.money import decimal_text
from crossdock.model.order import Order
from crossdock.sdk.calls import Done, Refused


def adopt(client: Client, options: Options, order: Order, command: AdoptSale) -> Ask[Done | Refused]:
    """Find the sale of an order by the channel's names of it, and write our reference and line ids on it.

    It must be in process, of the order's total and of its goods: a number alone may be another channel's.
    """
    names = list(dict.fromkeys(filter(None, (command.number, command.channel_order))))
    fields = (*sales.FIELDS, "comment")
    rows = yield from held(client, SALE, [order.id, *names], fields)
    ours = only(rows.get(order.id, ()), order.id, "sales")
    if ours is not None:
        return Done(reference=name_of(ours), total=total_of(ours), already=True)
    asked = " or ".join(repr(name) for name in names)
    sale = only([row for name in names for row in rows.get(name, ())], asked, "sales")
    if sale is None:
        return Refused(
            reason=f"Tryton has no sale with the reference {asked}: nobody has made it, or under another. Write "
            f"{order.id} as the reference of its sale there, or book the order by hand; then send this again or drop it.",
            code="not_there",
            field="number",
        )
    wrong = _unlike(sale, order)
    if wrong:
        return Refused(
            reason=f"Sale {name_of(sale)} of Tryton bears {sale['reference']!r}, {wrong}. Put it right there, or write "
            f"{order.id} as the reference of the right one; then send this again.",
            code="differs",
            field="number",
        )
    notes = yield from _notes(client, options, sale, order)
    if isinstance(notes, str):
        return Refused(
            reason=f"Sale {name_of(sale)} of Tryton has no line of {notes}, which the order has. Put it right there, then send "
            "this again; or drop it and finish the order by hand.",
            code="differs",
            field="lines",
        )
    before = f"Reference before: {sale['reference']}"
    values = {
        "reference": order.id,
        "comment": "\n".join(filter(None, (sale["comment"], before))),
        "invoice_method": "manual",
        "shipment_method": "manual",
    }
    writes: list[object] = []
    for line, note in notes.items():
        writes += [[line], {"note": note}]
    if writes:
        yield from client.call("model.sale.line.write", *writes)
    yield from client.call(f"model.{SALE}.write", [sale["id"]], values)
    return Done(reference=name_of(sale), total=total_of(sale), already=True)


def _unlike(sale: Row, order: Order) -> str:
    """What shows that a sale is not that of the order, or not ready; "" where nothing does. Cents that were rounded are left to the hub."""
    if sale["state"] not in sales.READY:
        return f"but is still {sale['state']}"
    currency, total = sale["currency."]["code"], order.buyer_total
    parts = len(order.lines) + len(order.shipping) + len(order.charges)
    if currency != order.currency or total is None or abs(total_of(sale) - total) > parts + 1:
        stated = "none yet" if total is None else f"{decimal_text(total, order.currency)} {order.currency}"
        return f"but comes to {decimal_text(total_of(sale), currency)} {currency}, the order to {stated}"
    return ""


def _notes(client: Client, options: Options, sale: Row, order: Order) -> Ask[dict[int, str] | str]:
    """Our line id for each of the sale's lines that is one of the order's goods; else the SKU that has none."""
    fields = ("product.code", "quantity")
    lines = yield from client.search("sale.line", [["sale", "=", sale["id"]], ["type", "=", "line"]], fields)
    left: dict[tuple[str, float], list[int]] = {}
    for line in lines:
        key = ((line["product."] or {}).get("code") or "", float(line["quantity"]))
        left.setdefault(key, []).append(line["id"])
    notes: dict[int, str] = {}
    for item in order.lines:
        quantity = float(quantity_of(item.ordered, item.quantity_scale))
        same = left.get((item.sku or options.charge, quantity))
        if same:
            notes[same.pop(0)] = item.id
        elif item.ordered and item.sku:
            return f"{quantity:g} {item.sku}"
    return notes
