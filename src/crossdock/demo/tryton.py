"""The real ERP of the demo: Tryton made and filled for this retailer, and its books read as an auditor would, by itself.

Money is cents, quantities are whole units by line of the order; nothing here knows what the connector does.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from crossdock.demo.days import Posted
from crossdock.demo.retailer import SHOP, Retailer
from crossdock.demo.stores import STORES, WEIGHED
from crossdock.errors import ConfigurationError
from crossdock.gateway.server import free_port
from crossdock.sdk.calls import Request
from crossdock.testing import tryton, tryton_seed
from crossdock.transport.http import HttpTransport

HOST = "127.0.0.1"
READ_S = 120.0
ANSWER_BYTES_MAX = 1 << 28
WAREHOUSE = "WH"
POSTED = ("posted", "paid")
COMPANY = {"company": 1}
_TICKETS = re.compile(r"\((\d+) tickets\)")


class Document(msgspec.Struct, kw_only=True):
    """A sale in Tryton under its reference, with what became of each line of ours."""

    id: str
    reference: str
    currency: str
    total: int
    text: str = ""
    lines: dict[str, int] = {}
    cancelled: dict[str, int] = {}
    delivered: dict[str, int] = {}
    invoiced: dict[str, int] = {}


def make_server(folder: Path, retailer: Retailer) -> tryton.Server:
    """Make a database of this retailer (about a minute) and a server on it, not started yet."""
    if not tryton.available():
        raise ConfigurationError(
            "Tryton is not installed. `make` installs it with the rest of what developers need."
        )
    stores = retailer.stores
    opening = stores.opening if stores is not None else {}
    on_hand: dict[str, dict[str, int]] = {sku: {WAREHOUSE: n} for sku, n in retailer.opening.items()}
    for store, stock in opening.items():
        for sku, quantity in stock.items():
            on_hand.setdefault(sku, {})[store] = quantity // 10 ** WEIGHED.get(sku, 0)
    wanted = tryton_seed.Retailer(
        key="k" * 32,
        products=tuple(
            tryton_seed.SeedProduct(sku=sku, on_hand=stock, unit="Kilogram" if sku in WEIGHED else "Unit")
            for sku, stock in on_hand.items()
        ),
        customers=(SHOP, STORES),
        warehouses=(WAREHOUSE, *opening),
    )
    seeded = tryton.seed(folder / "seed", wanted)
    return tryton.Server(seeded, folder / "run", free_port(HOST, 0))


class Auditor:
    """Reads Tryton's tables over JSON-RPC."""

    def __init__(self, url: str) -> None:
        address, _, self._database = url.rpartition("/")
        login = base64.b64encode(f"{tryton.USER}:{tryton.PASSWORD}".encode()).decode()
        headers = {"content-type": "application/json", "authorization": f"Basic {login}"}
        self._transport = HttpTransport(address, headers, response_bytes_max=ANSWER_BYTES_MAX)

    def close(self) -> None:
        """Give the connection back."""
        self._transport.close()

    def rows(self, model: str, domain: list[Any], *fields: str, **context: Any) -> list[dict[str, Any]]:
        """All rows of a table that are in a domain."""
        asked = [domain, 0, None, [["id", "ASC"]], list(fields), COMPANY | context]
        call = {"id": 1, "method": f"model.{model}.search_read", "params": asked}
        request = Request(method="POST", path=f"/{self._database}/rpc/", body=msgspec.json.encode(call))
        told = msgspec.json.decode(self._transport.send(request, READ_S).body)
        if "result" not in told:
            raise ConfigurationError(f"Tryton does not tell its {model}: {told}")
        rows: list[dict[str, Any]] = told["result"]
        return rows

    def documents(self) -> list[Document]:
        """Every sale, with what left, what was invoiced and what will not come."""
        sales = self.rows(
            "sale.sale",
            [["reference", "!=", None]],
            *("number", "reference", "state", "total_amount", "currency.code", "description"),
        )
        found = {
            sale["id"]: Document(
                id=sale["number"] or str(sale["id"]),
                reference=sale["reference"],
                currency=sale["currency."]["code"],
                total=_cents(sale["total_amount"]),
                text=sale["description"] or "",
            )
            for sale in sales
        }
        undone = {sale["id"] for sale in sales if sale["state"] == "cancelled"}
        lines: dict[int, tuple[Document, str]] = {}
        for line in self.rows("sale.line", [["product.type", "=", "goods"]], "sale", "note", "quantity"):
            document = found.get(line["sale"])
            if document is not None and line["note"]:
                lines[line["id"]] = (document, line["note"])
                document.lines[line["note"]] = int(line["quantity"])
                if line["sale"] in undone:
                    document.cancelled[line["note"]] = int(line["quantity"])
        moves = self.rows(
            "stock.move", [["to_location.type", "=", "customer"]], "origin", "state", "quantity"
        )
        for move in moves:
            if move["state"] in ("done", "cancelled"):
                _add(lines, move, "delivered" if move["state"] == "done" else "cancelled")
        invoiced = self.rows(
            "account.invoice.line", [["invoice.state", "in", list(POSTED)]], "origin", "quantity"
        )
        for line in invoiced:
            _add(lines, line, "invoiced")
        return list(found.values())

    def posted(
        self, stores: Mapping[str, str], documents: Iterable[Document]
    ) -> tuple[list[Posted], list[Posted]]:
        """Days and credits of stores: posted invoices whose reference is a day's or a ticket's, by `stores`."""
        tickets = {
            document.reference: int(found[1])
            for document in documents
            if (found := _TICKETS.search(document.text)) is not None
        }
        days: list[Posted] = []
        credits: list[Posted] = []
        rows = self.rows(
            "account.invoice", [["state", "in", list(POSTED)]], "number", "reference", "total_amount"
        )
        for row in rows:
            reference = str(row["reference"] or "")
            day, _, supplement = reference.partition("-")
            if day not in stores:
                continue
            made = Posted(
                id=str(row["number"]),
                store=stores[day],
                total=_cents(row["total_amount"]),
                tickets=tickets.get(reference, 0),
                supplements=day if supplement else "",
            )
            (days if reference in tickets else credits).append(made)
        return days, credits

    def stock(self) -> dict[str, dict[str, int]]:
        """On hand, by warehouse and SKU: pieces, and what is weighed in its scale."""
        found: dict[str, dict[str, int]] = {}
        for place in self.rows("stock.location", [["type", "=", "warehouse"]], "code"):
            rows = self.rows(
                "product.product",
                [["type", "=", "goods"]],
                "code",
                "quantity",
                locations=[place["id"]],
                with_childs=True,
            )
            found[place["code"]] = {
                row["code"]: round(row["quantity"] * 10 ** WEIGHED.get(row["code"], 0))
                for row in rows
                if row["code"]
            }
        return found


def _add(lines: Mapping[int, tuple[Document, str]], row: Mapping[str, Any], what: str) -> None:
    """Add a quantity to the line of a sale that it is of."""
    model, _, number = str(row["origin"] or "").partition(",")
    if model == "sale.line" and int(number) in lines:
        document, note = lines[int(number)]
        sums: dict[str, int] = getattr(document, what)
        sums[note] = sums.get(note, 0) + int(row["quantity"])


def _cents(amount: Any) -> int:
    value = amount["decimal"] if isinstance(amount, Mapping) else amount
    return int(Decimal(str(value or 0)) * 100)
