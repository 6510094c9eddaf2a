"""Taking back: quantities that will not come, and sales that are replaced.

A sale in process knows no way back. What will not come of it gets a shipment and an invoice of these quantities, both
cancelled and ignored by the sale, as its people would do it by hand; both bear the key of the effect as their reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crossdock.connectors.tryton import sales
from crossdock.connectors.tryton.books import Books, load_warehouses
from crossdock.connectors.tryton.deliveries import SHIPMENT, give_way, sales_of, shipment_values
from crossdock.connectors.tryton.invoices import INVOICE, cut, drafts_of, lines_of
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, ServerRefusedError
from crossdock.connectors.tryton.sales import SALE
from crossdock.connectors.tryton.steps import name_of, only, quantity_of
from crossdock.errors import MappingError
from crossdock.model.commands import CancelSale
from crossdock.model.order import Order
from crossdock.sdk.calls import Done, Intent, Refused

_STATE = ("state", "number", "reference")


class _Closing(msgspec.Struct, frozen=True):
    """What a sale is to expect no more: quantities by our line id, None for all that is left of it, charges too."""

    sale: Row
    lines: Sequence[Row]
    wanted: Mapping[str, float] | None
    key: str


def cancel(
    client: Client, options: Options, order_id: str, command: CancelSale, intent: Intent
) -> Ask[Done | Refused]:
    """Take quantities off a sale, or all that is left of it; a sale that is not there needs none taken off."""
    sales_by, lines_by = yield from sales_of(client, [order_id])
    sale = only(sales_by.get(order_id, ()), order_id, "sales")
    if sale is None:
        return Done()
    if sale["state"] not in sales.READY:
        if not command.lines:
            yield from _undo(client, sale)
            return Done(reference=name_of(sale))
        yield from sales.finish(client, sale["id"])
        sales_by, lines_by = yield from sales_of(client, [order_id])
        sale = sales_by[order_id][0]
    if (yield from give_way(client, [sale])):
        sales_by, lines_by = yield from sales_of(client, [order_id])
        sale = sales_by[order_id][0]
    wanted = _wanted(command) if command.lines else None
    yield from _close(client, options, _Closing(sale, lines_by.get(sale["id"], []), wanted, intent.key))
    return Done(reference=name_of(sale))


def amend(client: Client, options: Options, order: Order, intent: Intent) -> Ask[Done | Refused]:
    """Make the sale what the order is now: the old one is closed under another reference, a new one takes its place.

    That the old one bears the other reference tells a repeated call how far the first one came.
    """
    replaced = f"{order.id}/{intent.key}"
    sales_by, lines_by = yield from sales_of(client, [order.id, replaced])
    old = only(sales_by.get(replaced, ()), replaced, "sales")
    gone = yield from client.search(SALE, [["reference", "=", replaced], ["state", "=", "cancelled"]], ())
    if old is None and not gone:
        old = only(sales_by.get(order.id, ()), order.id, "sales")
        if old is None:
            raise MappingError(
                f"order: Tryton has no sale of {order.id} to amend. Create it first.", field="order"
            )
        if (yield from give_way(client, [old])):
            sales_by, lines_by = yield from sales_of(client, [order.id])
            old = sales_by[order.id][0]
        if old["shipment_state"] != "none" or old["invoice_state"] != "none":
            return Refused(
                reason=f"Sale {name_of(old)} was shipped or invoiced in part. Correct it in Tryton.",
                code="delivered",
            )
        yield from client.call(f"model.{SALE}.write", [old["id"]], {"reference": replaced})
    if old is not None:
        if old["state"] in sales.READY:
            yield from _close(client, options, _Closing(old, lines_by.get(old["id"], []), None, intent.key))
        else:
            yield from _undo(client, old)
    made = yield from sales.create(client, options, [sales.Job(intent.key, order, True)])
    return made.get(intent.key) or Refused(reason=f"The new sale of {order.id} stays unfinished in Tryton.")


def _undo(client: Client, sale: Row) -> Ask[None]:
    """Cancel a sale that is not in process yet."""
    if sale["state"] == "confirmed":
        yield from client.call(f"model.{SALE}.draft", [sale["id"]])
    yield from client.call(f"model.{SALE}.cancel", [sale["id"]])


def _close(client: Client, options: Options, closing: _Closing) -> Ask[None]:
    """Do it, or go on with it."""
    yield from _no_shipment(client, options, closing)
    yield from _no_invoice(client, closing)
    yield from client.call(f"model.{SALE}.process", [closing.sale["id"]])


def _no_shipment(client: Client, options: Options, closing: _Closing) -> Ask[None]:
    sale, lines, wanted, key = closing.sale, closing.lines, closing.wanted, closing.key
    found = yield from client.search(SHIPMENT, [["reference", "=", key]], (*_STATE, "outgoing_moves"))
    if not found:
        left = {line["note"]: float(line["quantity_to_ship"] or 0.0) for line in lines}
        take = (
            left
            if wanted is None
            else {note: min(quantity, left.get(note, 0.0)) for note, quantity in wanted.items()}
        )
        places = Books(warehouses=(yield from load_warehouses(client)))
        place = places.warehouse([], options, "warehouses")
        values = shipment_values(client, sale, lines, take, reference=key, place=place)
        if values is None:
            return
        (made,) = yield from client.create(SHIPMENT, [values])
        if isinstance(made, ServerRefusedError):
            raise made
        found = yield from client.search(SHIPMENT, [["id", "=", made]], (*_STATE, "outgoing_moves"))
    for shipment in found:
        if shipment["state"] != "cancelled":
            yield from client.call(f"model.{SHIPMENT}.cancel", [shipment["id"]])
        moves = yield from client.search(
            "stock.move", [["id", "in", shipment["outgoing_moves"]]], ("origin",)
        )
        by_line: dict[int, list[int]] = {}
        for move in moves:
            by_line.setdefault(int(move["origin"].partition(",")[2]), []).append(move["id"])
        writes: list[object] = []
        for line, ids in by_line.items():
            writes += [[line], {"moves_ignored": [["add", ids]]}]
        if writes:
            yield from client.call("model.sale.line.write", *writes)


def _no_invoice(client: Client, closing: _Closing) -> Ask[None]:
    sale, lines, wanted, key = closing.sale, closing.lines, closing.wanted, closing.key
    found = yield from client.search(INVOICE, [["reference", "=", key], ["type", "=", "out"]], _STATE)
    if not found:
        drafts, refused = yield from drafts_of(client, [sale])
        if refused:
            raise refused[sale["id"]]
        draft = drafts.get(sale["id"])
        if draft is None:
            return
        values: Row = {"reference": key}
        if wanted is not None:
            values |= yield from _only(client, draft["id"], lines, wanted)
            if not values.pop("some"):
                yield from client.call(f"model.{INVOICE}.delete", [draft["id"]])
                return
        yield from client.call(f"model.{INVOICE}.write", [draft["id"]], values)
        found = [{"id": draft["id"], "state": "draft"}]
    for invoice in found:
        if invoice["state"] != "cancelled":
            yield from client.call(f"model.{INVOICE}.cancel", [invoice["id"]])
        yield from client.call(
            f"model.{SALE}.write", [sale["id"]], {"invoices_ignored": [["add", [invoice["id"]]]]}
        )


def _only(client: Client, draft: int, lines: Sequence[Row], wanted: Mapping[str, float]) -> Ask[Row]:
    """What to change of a draft so that it holds the wanted quantities alone; `some` tells whether any is left."""
    held_lines = (yield from lines_of(client, [draft])).get(draft, [])
    notes = {line["id"]: line["note"] for line in lines}
    counted = frozenset(notes.values())
    have = {
        notes.get(int((line["origin"] or ",0").partition(",")[2] or 0), ""): line["quantity"]
        for line in held_lines
    }
    take = {note: min(quantity, have.get(note, 0.0)) for note, quantity in wanted.items() if have.get(note)}
    changes = cut(held_lines, notes, take, counted)
    return {"some": bool(take), **({"lines": changes} if changes else {})}


def _wanted(command: CancelSale) -> dict[str, float]:
    scales = {
        line.id: line.quantity_scale for line in (command.order.lines if command.order is not None else ())
    }
    wanted: dict[str, float] = {}
    for line in command.lines:
        wanted[line.line] = wanted.get(line.line, 0.0) + float(
            quantity_of(line.quantity, scales.get(line.line, 0))
        )
    return wanted
