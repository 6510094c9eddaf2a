"""An ERP: sales, deliveries, invoices, a stock feed; as slow, forgetful or strict as its settings say.

Settings (all optional): `token`, `webhook_secret`; `idempotency` ("key", or "none": the header is ignored, so that only
a look-up prevents doubles); `latency_s`; `sales_per_s_max` (slower than that it answers later and later, and above
`queue_s_max` with 503); `rounding` (added to every total, in minor units); `stock` ({sku: on hand}), `location`;
`documents` (false for a bench: count and forget); `closed_until` (a date: nothing is booked to it or before).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, Event, SimRequest, SimResponse, json_response, problem
from crossdock.simulator.erp_days import Books
from crossdock.simulator.erp_given_back import GivenBack
from crossdock.simulator.erp_stock import Feeds, exact
from crossdock.simulator.plain import BatchResult, Keys, answer_batch, unauthorised


class _Amount(msgspec.Struct, gc=False):
    net: int
    tax: int
    gross: int


class _Line(_Amount, gc=False):
    line_id: str
    quantity: int
    sku: str = ""


class _SaleIn(msgspec.Struct, gc=False):
    reference: str
    currency: str
    exponent: int
    total: int
    lines: list[_Line]
    channel: str = ""
    channel_order: str = ""
    number: str = ""
    amendment: str = ""
    shipping: list[_Amount] = []
    charges: list[_Amount] = []
    test: bool = False


class _Item(msgspec.Struct, gc=False):
    line_id: str
    quantity: int
    sku: str = ""


class _DocumentIn(msgspec.Struct, gc=False):
    reference: str
    order_reference: str
    shipment_id: str
    lines: list[_Item]


class _CancelIn(msgspec.Struct):
    cancellation: str
    lines: list[_Item] = []
    reason: str = ""


class _Named(msgspec.Struct, gc=False):
    reference: str
    total: int = 0


class _NamedItem(msgspec.Struct, gc=False):
    key: str
    body: _Named


class _NamedBatch(msgspec.Struct, gc=False):
    items: list[_NamedItem]


class Sale(msgspec.Struct):
    """A sale as the ERP holds it, with what was cancelled, delivered and invoiced of each line."""

    id: str
    reference: str
    channel: str
    channel_order: str
    number: str
    made_at: str
    currency: str
    total: int
    test: bool
    lines: dict[str, int]
    skus: dict[str, str]
    gross: dict[str, int]
    cancelled: dict[str, int] = {}
    delivered: dict[str, int] = {}
    invoiced: dict[str, int] = {}
    changes: list[str] = []


_BATCHES = {f"/{kind}/batch": kind for kind in ("sales", "deliveries", "invoices")}


class ErpSimulator:
    """See the module. It never dedupes by reference: two POSTs without a key make two documents, and it counts them."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self._authorization = f"Bearer {settings.get('token', '')}"
        self._latency_s = float(settings.get("latency_s", 0))
        self._rate = float(settings.get("sales_per_s_max", 0))
        self._queue_s = float(settings.get("queue_s_max", 20))
        self._rounding = int(settings.get("rounding", 0))
        self._brief = settings.get("documents", True) is False
        self._keys = Keys() if settings.get("idempotency", "key") == "key" else None
        self._noted: dict[str, BatchResult] = {}
        self._references: dict[str, int] = {}
        self._free_at = 0
        self._counts = {"sales": 0, "deliveries": 0, "invoices": 0, "amendments": 0, "cancellations": 0}
        self.books = Books(settings)
        self.given_back = GivenBack()
        self._peek = msgspec.json.Decoder(_Named).decode
        self._peek_batch = msgspec.json.Decoder(_NamedBatch).decode
        self._decode = msgspec.json.Decoder(_SaleIn).decode
        self.sales: dict[str, Sale] = {}
        self._by_reference: dict[str, list[dict[str, Any]]] = {}
        self.feeds = Feeds(settings)

    def handle(self, request: SimRequest, now: int) -> SimResponse:
        """Answer the contract's requests."""
        if request.headers.get("authorization") != self._authorization:
            return unauthorised()
        if request.method == "POST":
            return self._post(request, now)
        if request.path == "/stock":
            return self.feeds.levels(request)
        if request.path in ("/sales/changes", "/days/changes"):
            return self.feeds.documents(request.path.split("/")[1], request)
        if request.path == "/sales" and (order := request.query.get("channel_order")):
            held = (sale for sale in self.sales.values() if sale.channel_order == order)
            found = [sale for sale in held if sale.channel == request.query.get("channel", "")]
            return json_response({"documents": [{"id": sale.id, "total": sale.total} for sale in found]})
        parts = request.path.split("/")
        if len(parts) == 2 and parts[1] in Books.KINDS:
            return json_response(
                {"documents": self.books.named(parts[1], request.query.get("reference", ""))}
            )
        if len(parts) == 2 and parts[1] in GivenBack.KINDS:
            named = self.given_back.named(parts[1], request.query.get("reference", ""))
            return json_response({"documents": named})
        if len(parts) == 2 and parts[1] in ("sales", "deliveries", "invoices"):
            return json_response({"documents": self._named(parts[1], request.query.get("reference", ""))})
        if len(parts) == 3 and parts[1] == "sales":
            sale = self.sales.get(parts[2])
            return problem(404, "no such sale") if sale is None else json_response(_shown(sale))
        return problem(404, f"there is no {request.path} here")

    def due_events(self, now: int) -> list[Event]:
        """This ERP tells nothing by itself; its stock is polled."""
        return []

    def next_due(self) -> int | None:
        """Nothing is ever due."""
        return None

    def state(self, *, documents: bool = True) -> dict[str, Any]:
        """Counts, references with more than one document, and every sale."""
        counts: dict[str, Any] = {
            **self._counts,
            **self.books.counts(),
            **self.given_back.counts(),
            "doubles": {
                **{name: count for name, count in self._references.items() if count > 1},
                **self.books.doubles(),
                **self.given_back.doubles(),
            },
        }
        if documents:
            counts["books"] = self.books.shown()
            counts["stock"] = self.feeds.on_hand
            counts["stock_at"] = self.feeds.on_hand_at
            counts["documents"] = [_shown(sale) for sale in self.sales.values()]
        return counts

    def _post(self, request: SimRequest, now: int) -> SimResponse:
        if self._brief and request.path[1:] not in Books.KINDS:
            return self._brief_answer(request)
        if request.path in _BATCHES:
            return answer_batch(request, lambda single: self._post(single, now))
        key = request.headers.get("idempotency-key", "")
        if self._keys is not None and key and (known := self._keys.answer(key, request.body)) is not None:
            return known
        delay_s = self._latency_s
        if self._rate and request.path == "/sales":
            wait_s = max(0, self._free_at - now) / SECOND
            if wait_s > self._queue_s:
                return msgspec.structs.replace(problem(503, "too busy"), headers={"retry-after": "1"})
            self._free_at = max(self._free_at, now) + int(SECOND / self._rate)
            delay_s += wait_s
        try:
            answer = self._made(request, now)
        except msgspec.DecodeError as error:
            answer = problem(422, str(error))
        if self._keys is not None and answer.status < 400:
            self._keys.keep(key, request.body, answer)
        return msgspec.structs.replace(answer, delay_s=delay_s) if delay_s else answer

    def _brief_answer(self, request: SimRequest) -> SimResponse:
        """Count documents and keep no more than their answers: as little as a partner can do that still shows doubles."""
        kind = _BATCHES.get(request.path)
        if kind is not None:
            results = [self._note(kind, item.key, item.body) for item in self._peek_batch(request.body).items]
            return json_response({"results": results})
        kind = request.path[1:]
        if kind not in self._counts:
            return problem(404, f"there is no {request.path} here")
        key = request.headers.get("idempotency-key", "")
        made = self._note(kind, key, self._peek(request.body))
        total = b"null" if made.total is None else b"%d" % made.total
        return SimResponse(status=201, body=b'{"id":"%b","total":%b}' % (made.id.encode(), total))

    def _note(self, kind: str, key: str, wanted: _Named) -> BatchResult:
        name = f"{kind}:{wanted.reference}"
        known = self._noted.get(name)
        if known is not None:
            if self._keys is not None and known.key == key:
                return known
            self._references[name] = self._references.get(name, 1) + 1
        self._counts[kind] += 1
        made = self._noted[name] = BatchResult(
            key, 201, str(self._counts[kind]), wanted.total if kind == "sales" else None
        )
        return made

    def _made(self, request: SimRequest, now: int) -> SimResponse:
        parts = request.path.split("/")
        if request.path[1:] in Books.KINDS:
            return self._book(request.path[1:], request.body, self.feeds.moment(now))
        if request.path[1:] in GivenBack.KINDS:
            return self._give_back(request.path[1:], request.body, self.feeds.moment(now))
        if request.path == "/sales":
            return self._sell(self._decode(request.body), now)
        if len(parts) == 2 and parts[1] in ("deliveries", "invoices"):
            return self._document(parts[1], msgspec.json.decode(request.body, type=_DocumentIn), now)
        if len(parts) == 4 and parts[1] == "sales" and (sale := self.sales.get(parts[2])) is not None:
            if parts[3] == "cancel":
                return self._cancel(sale, msgspec.json.decode(request.body, type=_CancelIn))
            if parts[3] == "amend":
                return self._amend(sale, self._decode(request.body))
        return problem(404, f"there is no {request.path} here")

    def _book(self, kind: str, body: bytes, at: int) -> SimResponse:
        answer = self.books.post(kind, body, self._rounding, booked_at=exact(at))
        if answer.status < 400:
            (self.feeds.day if kind == "days" else self.feeds.credit)(body, at)
            self.feeds.tell("days", self.books.told(kind))
        return answer

    def _give_back(self, kind: str, body: bytes, at: int) -> SimResponse:
        order = self.given_back.order(body)
        sale = next((self.sales[found["id"]] for found in self._named("sales", order)), None)
        if sale is None:
            return problem(422, f"there is no sale {order}", "order_reference")
        if kind == "returns":
            return self.given_back.receive(body, sale.skus, self.feeds, at)
        if not sale.invoiced:
            return problem(409, f"{sale.id} is not invoiced", "order_reference")
        return self.given_back.credit(body, self._rounding, booked_at=exact(at))

    def _sell(self, wanted: _SaleIn, now: int) -> SimResponse:
        if refusal := _adds_up(wanted):
            return refusal
        self._counts["sales"] += 1
        sale = Sale(
            id=f"S{self._counts['sales']}",
            reference=wanted.reference,
            channel=wanted.channel,
            channel_order=wanted.channel_order,
            number=wanted.number,
            made_at=exact(now),
            currency=wanted.currency,
            total=wanted.total + self._rounding,
            test=wanted.test,
            lines={},
            skus={},
            gross={},
        )
        _fill(sale, wanted)
        self.sales[sale.id] = sale
        self._tell(sale)
        return self._keep("sales", wanted.reference, {"id": sale.id, "total": sale.total})

    def _amend(self, sale: Sale, wanted: _SaleIn) -> SimResponse:
        if sale.delivered:
            return problem(409, f"{sale.id} is delivered in part and cannot be amended")
        if refusal := _adds_up(wanted):
            return refusal
        self._counts["amendments"] += 1
        _fill(sale, wanted)
        sale.currency = wanted.currency
        sale.total = wanted.total + self._rounding
        sale.changes.append(wanted.amendment)
        self._tell(sale)
        return json_response({"id": sale.id, "total": sale.total})

    def _cancel(self, sale: Sale, wanted: _CancelIn) -> SimResponse:
        left = {
            line: n - sale.cancelled.get(line, 0) - sale.delivered.get(line, 0)
            for line, n in sale.lines.items()
        }
        asked = {item.line_id: item.quantity for item in wanted.lines} or {
            k: n for k, n in left.items() if n > 0
        }
        for line, quantity in asked.items():
            if quantity > left.get(line, 0):
                return problem(422, f"only {left.get(line, 0)} of line {line} are left", "lines")
        self._counts["cancellations"] += 1
        for line, quantity in asked.items():
            sale.cancelled[line] = sale.cancelled.get(line, 0) + quantity
        sale.changes.append(wanted.cancellation)
        self._tell(sale)
        return json_response({"id": sale.id, "total": sale.total})

    def _tell(self, sale: Sale) -> None:
        names = ("id", "reference", "channel", "channel_order", "number", "currency", "total", "made_at")
        gone = all(sale.cancelled.get(line, 0) >= quantity for line, quantity in sale.lines.items())
        told = {name: getattr(sale, name) for name in names}
        self.feeds.tell("sales", told | {"state": "cancelled" if gone and sale.cancelled else "open"})

    def _document(self, kind: str, wanted: _DocumentIn, now: int) -> SimResponse:
        found = self._named("sales", wanted.order_reference)
        if not found:
            return problem(422, f"there is no sale {wanted.order_reference}", "order_reference")
        sale = self.sales[found[0]["id"]]
        done = sale.delivered if kind == "deliveries" else sale.invoiced
        at = self.feeds.moment(now)
        self._counts[kind] += 1
        total = 0 if sale.invoiced else sale.total - sum(sale.gross.values())
        for item in wanted.lines:
            before = done.get(item.line_id, 0)
            done[item.line_id] = before + item.quantity
            total += _share(sale, item.line_id, before + item.quantity) - _share(sale, item.line_id, before)
            if kind == "deliveries":
                self.feeds.move(sale.skus.get(item.line_id, ""), -item.quantity, at)
        document = {
            "id": f"{kind[0].upper()}{self._counts[kind]}",
            "total": total if kind == "invoices" else None,
            "booked_at": exact(at),
        }
        return self._keep(kind, wanted.reference, document)

    def _keep(self, kind: str, reference: str, document: dict[str, Any]) -> SimResponse:
        name = f"{kind}:{reference}"
        self._references[name] = self._references.get(name, 0) + 1
        self._by_reference.setdefault(name, []).append(document)
        return json_response(document, 201)

    def _named(self, kind: str, reference: str) -> list[dict[str, Any]]:
        if noted := self._noted.get(f"{kind}:{reference}"):
            return [{"id": noted.id, "total": noted.total}]
        return self._by_reference.get(f"{kind}:{reference}", [])


def _adds_up(wanted: _SaleIn) -> SimResponse | None:
    """Refuse a sale whose parts are not its total: an ERP that books what it is told would be off for ever."""
    parts = [*wanted.lines, *wanted.shipping, *wanted.charges]
    for part in parts:
        if part.net + part.tax != part.gross:
            return problem(422, f"net {part.net} + tax {part.tax} is not gross {part.gross}", "gross")
    total = sum(part.gross for part in parts)
    if total != wanted.total:
        return problem(422, f"the parts make {total}, the total says {wanted.total}", "total")
    return None


def _fill(sale: Sale, wanted: _SaleIn) -> None:
    sale.lines = {line.line_id: line.quantity for line in wanted.lines}
    sale.skus = {line.line_id: line.sku for line in wanted.lines}
    sale.gross = {line.line_id: line.gross for line in wanted.lines}


def _share(sale: Sale, line: str, quantity: int) -> int:
    """The gross of the first `quantity` of a line; shares of parts always add up to the line."""
    ordered = sale.lines.get(line, 0)
    return sale.gross.get(line, 0) * quantity // ordered if ordered else 0


def _shown(sale: Sale) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(sale)
    return shown
