"""What is read from Tryton: levels per warehouse, products, list prices, sales. First all of them, then what has changed.

Passes overlap (cursors.py); a row that is told again unchanged is a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossdock.connectors.tryton import cursors, told
from crossdock.connectors.tryton.books import Warehouse, load_warehouses
from crossdock.connectors.tryton.cursors import Cursor, earlier, latest
from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, moment, moment_of, number
from crossdock.errors import RejectedError
from crossdock.model.commands import Poll
from crossdock.sdk.calls import Page

_PRODUCT = (
    "code",
    "name",
    "type",
    "default_uom.symbol",
    "default_uom.digits",
    "active",
    "list_price_used",
    "identifiers.code",
    "write_date",
    "create_date",
    "template.write_date",
)
_MOVE = ("product", "from_location.warehouse", "to_location.warehouse", "write_date")
_encode = msgspec.json.Encoder().encode


def poll(client: Client, options: Options, command: Poll, now: str) -> Ask[Page]:
    """The next page of a feed."""
    cursor = msgspec.json.decode(command.cursor, type=Cursor) if command.cursor else Cursor()
    yield from client.open()
    if command.feed == "stock":
        rows, cursor, more = yield from _stock(client, options, cursor, now)
    elif command.feed in ("products", "prices"):
        rows, cursor, more = yield from _catalogue(client, options, cursor, command.feed)
    elif command.feed == "sales":
        rows, cursor, more = yield from told.read(client, options, cursor)
    else:
        raise RejectedError(f"Tryton has no feed {command.feed!r}.", field="feed")
    return Page(
        kind=f"page.{command.feed}", body=_encode({"rows": rows}), cursor=_encode(cursor).decode(), more=more
    )


def _stock(client: Client, options: Options, cursor: Cursor, now: str) -> Ask[tuple[list[Row], Cursor, bool]]:
    held = yield from load_warehouses(client)
    codes = list(options.warehouses.values()) or list(held)
    missing = [code for code in codes if code not in held]
    if missing:
        raise RejectedError(
            f"warehouses: Tryton has no warehouse of code {missing[0]!r}. Correct the setting.",
            field="warehouses",
        )
    places = {held[code].id: held[code] for code in codes}
    # Before the figures are read, and by Tryton's own clock: they hold every move up to then. What is booked in between
    # they hold too, and it counts as if they did not: better a unit too few than one that is sold twice.
    as_of = (yield from _latest_move(client)) or now
    if cursor.since:
        return (yield from _moved(client, options, cursor, places, as_of))
    seen = cursor.seen or as_of
    code = cursor.warehouse or codes[0]
    domain = [["id", ">", cursor.after], ["type", "!=", "service"], ["code", "!=", None]]
    found = yield from _quantities(client, domain, held[code], options.page_size)
    rows = [_level(row, options, code, as_of) for row in found]
    if len(found) == options.page_size:
        return rows, Cursor(after=found[-1]["id"], warehouse=code, seen=seen), True
    following = codes[codes.index(code) + 1 :]
    if following:
        return rows, Cursor(warehouse=following[0], seen=seen), True
    return rows, Cursor(since=earlier(seen, cursors.OVERLAP)), False


def _moved(
    client: Client, options: Options, cursor: Cursor, places: Mapping[int, Warehouse], as_of: str
) -> Ask[tuple[list[Row], Cursor, bool]]:
    """Levels of what has moved, product by product, in the warehouses that it moved in."""
    domain = [["state", "=", "done"], ["write_date", ">=", moment(cursor.since)], ["id", ">", cursor.after]]
    moves = yield from client.search(
        "stock.move", domain, _MOVE, limit=options.page_size, order=[["id", "ASC"]]
    )
    changed: dict[int, set[int]] = {}
    if not cursor.seen:
        cursor = Cursor(since=cursor.since, seen=as_of)
    for move in moves:
        for end in (move["from_location."], move["to_location."]):
            if end["warehouse"] in places:
                changed.setdefault(end["warehouse"], set()).add(move["product"])
    rows: list[Row] = []
    for place, products in changed.items():
        domain = [["id", "in", sorted(products)], ["code", "!=", None]]
        found = yield from _quantities(client, domain, places[place], None)
        rows += [_level(row, options, places[place].code, as_of) for row in found]
    if len(moves) == options.page_size:
        return rows, cursor.on(moves[-1]["id"]), True
    return rows, cursor.over(cursors.OVERLAP), False


def _quantities(client: Client, domain: Sequence[Any], place: Warehouse, limit: int | None) -> Ask[list[Row]]:
    """What a warehouse holds, product by product; `held` is what of it lies in its input and is not stored yet."""
    rows: list[Row] = yield from client.search(
        "product.product",
        domain,
        ("code", "quantity", "default_uom.symbol", "default_uom.digits"),
        limit=limit,
        order=[["id", "ASC"]],
        context={"locations": [place.id], "with_childs": True},
    )
    arrived: dict[int, Any] = {}
    if rows and place.input != place.storage:
        found = yield from client.search(
            "product.product",
            [["id", "in", [row["id"] for row in rows]]],
            ("quantity",),
            context={"locations": [place.input], "with_childs": True},
        )
        arrived = {row["id"]: row["quantity"] for row in found}
    for row in rows:
        row["held"] = max(0.0, float(arrived.get(row["id"], 0)))
    return rows


def _latest_move(client: Client) -> Ask[str]:
    order = [["write_date", "DESC NULLS LAST"]]
    rows = yield from client.search(
        "stock.move", [["state", "=", "done"]], ("write_date",), limit=1, order=order
    )
    return moment_of(rows[0]["write_date"]) if rows and rows[0]["write_date"] else ""


def _level(row: Row, options: Options, code: str, as_of: str) -> Row:
    """One level, as of the latest move of all."""
    ours = {theirs: ours for ours, theirs in options.warehouses.items()}
    unit = row["default_uom."]
    digits = int(unit["digits"] or 0)
    return {
        "kind": "stock.changed",
        "body": {
            "levels": [
                {
                    "sku": row["code"],
                    "on_hand": round(float(row["quantity"]) * 10**digits),
                    "quarantined": round(float(row["held"]) * 10**digits),
                    "unit": unit["symbol"] if digits else "ea",
                    "quantity_scale": digits,
                }
            ],
            "location": ours.get(code, code),
            "as_of": as_of,
        },
    }


def _catalogue(
    client: Client, options: Options, cursor: Cursor, feed: str
) -> Ask[tuple[list[Row], Cursor, bool]]:
    if not cursor.seen:
        seen = yield from latest(client, "product.product", "product.template")
        cursor = Cursor(since=cursor.since, seen=seen)
    domain: list[Any] = [["id", ">", cursor.after], ["code", "!=", None], ["active", "in", [True, False]]]
    if cursor.since:
        since = moment(cursor.since)
        times = ("write_date", "create_date", "template.write_date")
        domain.append(["OR", *([[name, ">=", since]] for name in times)])
    found = yield from client.search(
        "product.product", domain, _PRODUCT, limit=options.page_size, order=[["id", "ASC"]]
    )
    currency = yield from client.search("company.company", [["id", "=", client.company]], ("currency.code",))
    rows = [
        _product(row) if feed == "products" else _price(row, currency[0]["currency."]["code"])
        for row in found
    ]
    if len(found) == options.page_size:
        return rows, cursor.on(found[-1]["id"]), True
    return rows, cursor.over(cursors.OVERLAP), False


def _product(row: Row) -> Row:
    unit = row["default_uom."]
    digits = int(unit["digits"] or 0)
    body = {
        "code": row["code"],
        "id": row["id"],
        "name": row["name"],
        "type": row["type"],
        "unit": unit["symbol"] if digits else "ea",
        "scale": digits,
        "active": bool(row["active"]),  # SQLite tells 0 and 1
        "barcodes": [one["code"] for one in row["identifiers."]],
        "changed": _changed(row),
    }
    return {"kind": "product.changed", "body": body}


def _price(row: Row, currency: str) -> Row:
    price = row["list_price_used"]
    body = {
        "code": row["code"],
        "currency": currency,
        "price": None if price is None else number(price),
        "changed": _changed(row),
    }
    return {"kind": "price.changed", "body": body}


def _changed(row: Row) -> str:
    """When a product or its template was last written."""
    template = row["template."] or {}
    times = (row["write_date"], row["create_date"], template.get("write_date"))
    return max((moment_of(time) for time in times if time), default="")
