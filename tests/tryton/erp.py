"""A running Tryton as tests use it: our connector on one side, a reader that knows nothing of it on the other."""

import base64
import json
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from crossdock.connectors.tryton import TrytonConnector, build
from crossdock.errors import UnclearError
from crossdock.sdk.calls import Intent, Outcome, Request, Response
from crossdock.testing import tryton
from crossdock.testing.tryton import Server
from crossdock.transport.http import HttpTransport
from tests.connectors.driving import drive

SETTINGS = {"user": tryton.USER, "password": tryton.PASSWORD, "warehouses": "berlin=WH; madrid"}
TIMEOUT_S = 60.0


class Erp:
    """One server. `requests` holds the methods that the connector called, oldest first."""

    def __init__(self, server: Server, transport: HttpTransport) -> None:
        self.server, self.transport = server, transport
        self.requests: list[str] = []
        self._connectors: dict[tuple[tuple[str, str], ...], TrytonConnector] = {}
        self.read = Reader(server.url)

    def connector(self, **settings: str) -> TrytonConnector:
        """The connector of these settings; what it remembers is its session."""
        key = tuple(sorted(settings.items()))
        if key not in self._connectors:
            self._connectors[key] = build({**SETTINGS, "url": self.server.url, **settings})
        return self._connectors[key]

    def answer(self, request: Request) -> Response:
        self.requests.append(method_of(request))
        return self.transport.send(request, TIMEOUT_S)

    def losing(self, method: str, *, sent: bool = True) -> Callable[[Request], Response]:
        """A wire on which the reply to a method is lost, or the request itself."""

        def answer(request: Request) -> Response:
            if method_of(request).endswith(method):
                if sent:
                    self.answer(request)
                raise UnclearError(f"{method} got no reply")
            return self.answer(request)

        return answer

    def do(self, calls: Any, answer: Callable[[Request], Response] | None = None) -> Outcome:
        """Run a call to its outcome."""
        return drive(calls, answer or self.answer)

    def one(
        self, operation: Any, command: Any, *, key: str = "", again: bool = False, wire: Any = None
    ) -> Any:
        """One effect alone through an operation that takes many."""
        intent = Intent(key=key or f"{command.order_id}/{operation.__name__}", may_have_happened=again)
        outcome = self.do(operation((command,), (intent,)), wire)
        return outcome.by_key[intent.key]


def method_of(request: Request) -> str:
    return str(json.loads(request.body)["method"])


class Reader:
    """Reads Tryton's tables over JSON-RPC, with basic authentication, as an auditor would."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/rpc/"
        credentials = base64.b64encode(f"{tryton.USER}:{tryton.PASSWORD}".encode()).decode()
        self._headers = {"content-type": "application/json", "authorization": f"Basic {credentials}"}
        self._context: dict[str, Any] = {}

    def call(self, method: str, *params: Any) -> Any:
        if not self._context:
            self._context = {"company": 1}
        body = json.dumps({"id": 1, "method": method, "params": [*params, self._context]}).encode()
        request = urllib.request.Request(self._url, body, self._headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            told = json.loads(reply.read(), object_hook=_plain)
        assert "error" not in told, told
        return told["result"]

    def rows(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        return self.call(f"model.{model}.search_read", domain, 0, None, [["id", "ASC"]], list(fields))

    def sales(self, reference: str) -> list[dict[str, Any]]:
        fields = (
            "number",
            "state",
            "total_amount",
            "tax_amount",
            "untaxed_amount",
            "shipment_state",
            "invoice_state",
            "lines",
            "party",
        )
        return self.rows("sale.sale", [["reference", "=", reference]], *fields)

    def sale(self, reference: str) -> dict[str, Any]:
        (sale,) = self.sales(reference)
        return sale

    def lines(self, reference: str) -> list[dict[str, Any]]:
        fields = ("note", "quantity", "unit_price", "amount", "taxes", "product.code", "description")
        return self.rows("sale.line", [["sale.reference", "=", reference]], *fields)

    def shipments(self, reference: str) -> list[dict[str, Any]]:
        return self.rows(
            "stock.shipment.out",
            [["reference", "like", f"{reference}%"]],
            "reference",
            "state",
            "number",
            "outgoing_moves",
        )

    def invoices(self, reference: str) -> list[dict[str, Any]]:
        fields = ("reference", "state", "number", "total_amount", "tax_amount", "untaxed_amount")
        return self.rows("account.invoice", [["reference", "like", f"{reference}%"]], *fields)

    def on_hand(self, sku: str, warehouse: str) -> float:
        return self.levels(warehouse)[sku]

    def levels(self, warehouse: str) -> dict[str, float]:
        """What a warehouse holds of every product, by SKU."""
        (place,) = self.rows("stock.location", [["code", "=", warehouse], ["type", "=", "warehouse"]])
        self._context |= {"locations": [place["id"]], "with_childs": True}
        try:
            rows = self.rows("product.product", [], "code", "quantity")
        finally:
            self._context = {"company": 1}
        return {row["code"]: float(row["quantity"]) for row in rows}


def _plain(value: dict[str, Any]) -> Any:
    return Decimal(value["decimal"]) if value.get("__class__") == "Decimal" else value
