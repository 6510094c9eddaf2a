"""Shipments: what left becomes a shipment of its own, done at once, with moves that come from the sale's lines.

Stock that Tryton does not believe in is assigned by force: the goods have left, whatever it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from crossdock.connectors.tryton.books import Books, Warehouse, load_warehouses
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, day, moment_of
from crossdock.connectors.tryton.sales import FIELDS, SALE
from crossdock.connectors.tryton.steps import (
    Outcomes,
    Steps,
    advance,
    created,
    held,
    known,
    name_of,
    only,
    quantity_of,
    told,
)
from crossdock.errors import CrossdockError, MappingError
from crossdock.model.fulfilment import Shipment
from crossdock.model.order import Order
from crossdock.sdk.calls import Done

SHIPMENT = "stock.shipment.out"
STEPS = (
    ("draft", "wait"),
    ("waiting", "assign_force"),
    ("assigned", "pick"),
    ("picked", "pack"),
    ("packed", "do"),
)
_FIELDS = ("number", "state", "outgoing_moves")
_PLANNED = ("draft", "waiting", "assigned", "picked", "packed")
_NO_ORIGIN = ".done"
ASKED_MAX = 4
LINE = (
    "sale",
    "note",
    "product",
    "product.type",
    "unit",
    "unit_price",
    "to_location",
    "quantity",
    "quantity_to_ship",
    "quantity_to_invoice",
)


class Part(msgspec.Struct, frozen=True):
    """One shipment of one order: what is to be shipped or invoiced of it. today: the day of this attempt, ISO 8601."""

    key: str
    reference: str
    order: Order
    shipment: Shipment
    again: bool
    today: str


def deliver(client: Client, options: Options, parts: Sequence[Part]) -> Ask[Outcomes]:
    """Make shipments and do them, together; each that cannot be is refused by itself."""
    outcomes: Outcomes = {}
    asked = {part.key: part.reference for part in parts if part.again}
    rows = yield from held(client, SHIPMENT, asked.values(), _FIELDS)
    ours = known(rows, asked, "shipments", outcomes)
    already = frozenset(ours)
    fresh = [part for part in parts if part.key not in ours and part.key not in outcomes]
    if fresh:
        values = yield from _shipments(client, options, fresh, outcomes)
        made = yield from client.create(SHIPMENT, list(values.values()))
        ours |= created(dict(zip(values, made, strict=True)), outcomes)
    keys = {id_: key for key, id_ in ours.items()}
    done, refused = yield from advance(client, SHIPMENT, keys, STEPS, _FIELDS)
    for id_, error in refused.items():
        outcomes[keys[id_]] = error.as_refused(f"Shipment id {id_} of Tryton stays unfinished")
    times = yield from booked_at(client, done, "outgoing_moves")
    for row in done:
        if row["state"] == "done":
            key = keys[row["id"]]
            at = times.get(row["id"])
            outcomes[key] = Done(reference=name_of(row), booked_at=at, already=key in already)
    return outcomes


def give_way(client: Client, sales: Sequence[Row]) -> Ask[bool]:
    """Cancel what Tryton itself has planned to ship of sales that the hub ships or takes back. Returns whether it had.

    Sales of ours plan nothing; one that was taken over may have. Its plan bears no reference. What was planned is to be
    shipped as before, which happens when the hub tells of it. A shipment that is planned for other sales too is left alone.
    """
    going = [row["id"] for row in sales if row["shipment_state"] != "none"]
    if not going:
        return False
    domain = [["moves.origin.sale", "in", going, "sale.line"], ["state", "in", list(_PLANNED)]]
    planned = yield from client.search(SHIPMENT, [*domain, ["reference", "=", None]], ())
    ids = [shipment["id"] for shipment in planned]
    others = [["id", "in", ids], ["moves.origin.sale", "not in", going, "sale.line"]]
    shared = {row["id"] for row in ((yield from client.search(SHIPMENT, others, ())) if ids else ())}
    for shipment in planned:
        if shipment["id"] in shared:
            continue
        yield from client.call(f"model.{SHIPMENT}.cancel", [shipment["id"]])
    # Looked for by themselves, so that a call that was broken off in between is made good by the next.
    moves = yield from client.search("stock.move", _given_up(going), ("origin",))
    by_line: dict[int, list[int]] = {}
    for move in moves:
        by_line.setdefault(int(move["origin"].partition(",")[2]), []).append(move["id"])
    settled = ("moves_ignored", "moves_recreated")
    rows = (yield from client.search("sale.line", [["id", "in", list(by_line)]], settled)) if by_line else []
    writes: list[object] = []
    for row in rows:
        done = {move for name in settled for move in row[name]}
        again = [move for move in by_line[row["id"]] if move not in done]
        if again:
            writes += [[row["id"]], {"moves_recreated": [["add", again]]}]
    if writes:
        yield from client.call("model.sale.line.write", *writes)
        yield from client.call(f"model.{SALE}.process", going)
    return bool(writes)


def _given_up(sales: Sequence[int]) -> list[object]:
    """Moves of Tryton's own plans that were cancelled, by whomever."""
    return [
        ["origin.sale", "in", sales, "sale.line"],
        ["state", "=", "cancelled"],
        ["shipment.reference", "=", None, SHIPMENT],
    ]


def booked_at(client: Client, shipments: Sequence[Row], field: str) -> Ask[dict[int, datetime]]:
    """When the moves of shipments were done, by Tryton's clock, as its statements of stock go by."""
    owner = {move: row["id"] for row in shipments for move in row[field]}
    if not owner:
        return {}
    rows = yield from client.search(
        "stock.move", [["id", "in", sorted(owner)], ["state", "=", "done"]], ("write_date",)
    )
    times: dict[int, datetime] = {}
    for row in rows:
        at = datetime.fromisoformat(moment_of(row["write_date"]))
        times[owner[row["id"]]] = max(at, times.get(owner[row["id"]], at))
    return times


def carry_out(client: Client, model: str, id_: int, steps: Steps, fields: Sequence[str]) -> Ask[list[Row]]:
    """Take one document through its steps though its moves come from no sale's line, or raise what Tryton says against it."""
    done, refused = yield from advance(client, model, [id_], steps, fields)
    error = refused.get(id_)
    for _ in range(ASKED_MAX):
        if error is None or not error.warning.endswith(_NO_ORIGIN):
            break
        # Tryton asks whether that is meant, at more than one step.
        answer = {"user": client.user_id, "name": error.warning, "always": False}
        yield from client.create("res.user.warning", [answer])
        done, refused = yield from advance(client, model, [id_], steps, fields)
        error = refused.get(id_)
    if error is not None:
        raise error
    return done


def sales_of(client: Client, orders: Sequence[str]) -> Ask[tuple[dict[str, list[Row]], dict[int, list[Row]]]]:
    """The sales of orders, and the lines of each sale by its id."""
    sales = yield from held(client, SALE, orders, FIELDS)
    ids = [row["id"] for rows in sales.values() for row in rows]
    found = (
        (yield from client.search("sale.line", [["sale", "in", ids], ["type", "=", "line"]], LINE))
        if ids
        else []
    )
    lines: dict[int, list[Row]] = {}
    for row in found:
        lines.setdefault(row["sale"], []).append(row)
    return sales, lines


def the_sale(sales: Mapping[str, Sequence[Row]], order: str) -> Row:
    """The one sale of an order, which is confirmed there."""
    sale = only(sales.get(order, ()), order, "sales")
    if sale is None:
        raise MappingError(f"order: Tryton has no sale of {order}. Create it first.", field="order")
    if sale["state"] not in ("processing", "done"):
        raise MappingError(
            f"order: sale {name_of(sale)} of {order} is still {sale['state']} in Tryton. Confirm it there, then retry.",
            field="order",
        )
    return sale


def wanted_of(part: Part) -> dict[str, float]:
    """Quantities of a shipment by our line id, in whole units."""
    scales = {line.id: line.quantity_scale for line in part.order.lines}
    wanted: dict[str, float] = {}
    for n, line in enumerate(part.shipment.lines):
        if line.line not in scales:
            field = f"shipment.lines[{n}].line"
            raise MappingError(f"{field}: order {part.order.id} has no line {line.line}.", field=field)
        wanted[line.line] = wanted.get(line.line, 0.0) + float(quantity_of(line.quantity, scales[line.line]))
    return wanted


def shipment_values(
    client: Client,
    sale: Row,
    lines: Sequence[Row],
    wanted: Mapping[str, float],
    *,
    reference: str,
    place: Warehouse,
) -> Row | None:
    """A shipment of these quantities as it is created; None where none of them is a thing that moves."""
    moves = []
    for line in lines:
        quantity = wanted.get(line["note"], 0.0)
        if quantity <= 0 or (line["product."] or {}).get("type") in (None, "service"):
            continue
        moves.append(
            {
                "company": client.company,
                "product": line["product"],
                "unit": line["unit"],
                "quantity": quantity,
                "from_location": place.output,
                "to_location": line["to_location"],
                "origin": f"sale.line,{line['id']}",
                "unit_price": line["unit_price"],
                "currency": sale["currency."]["id"],
            }
        )
    if not moves:
        return None
    return {
        "company": client.company,
        "reference": reference,
        "customer": sale["party"],
        "delivery_address": sale["shipment_address"],
        "warehouse": place.id,
        "warehouse_output": place.output,
        "warehouse_storage": place.storage,
        "outgoing_moves": [["create", moves]],
    }


def _shipments(
    client: Client, options: Options, parts: Sequence[Part], outcomes: Outcomes
) -> Ask[dict[str, Row]]:
    """Shipments as they are created, by key. What has nothing that moves is done without one."""
    places = Books(warehouses=(yield from load_warehouses(client)))
    sales, lines = yield from sales_of(client, [part.order.id for part in parts])
    yield from give_way(client, [row for rows in sales.values() for row in rows])
    values: dict[str, Row] = {}
    for part in parts:
        try:
            sale = the_sale(sales, part.order.id)
            place = places.warehouse(_left_from(part.shipment), options, "shipment.location")
            made = shipment_values(
                client,
                sale,
                lines.get(sale["id"], ()),
                wanted_of(part),
                reference=part.reference,
                place=place,
            )
        except CrossdockError as error:
            outcomes[part.key] = told(error)
            continue
        if made is None:
            outcomes[part.key] = Done()
            continue
        left = part.shipment.shipped_at.isoformat()[:10] if part.shipment.shipped_at is not None else ""
        if left and left <= part.today:
            made["effective_date"] = day(left)
        values[part.key] = made
    return values


def _left_from(shipment: Shipment) -> tuple[str, ...]:
    ref = shipment.location_ref
    return (shipment.location, ref.id if ref is not None else "")
