"""Calls to the ERP: every POST has a key and a reference of ours, so that it can be made once and found again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from crossdock.connectors.erp import days, given_back, mapping, told, wire
from crossdock.connectors.erp.spec import spec_for
from crossdock.errors import ConflictError, MappingError, RejectedError
from crossdock.model.commands import (
    AdoptSale,
    AmendSale,
    CancelSale,
    CreateCredit,
    CreateDelivery,
    CreateInvoice,
    CreateSale,
    CreditRefund,
    Poll,
    PostDay,
    ReceiveReturn,
)
from crossdock.model.order import Order
from crossdock.model.reports import Report
from crossdock.sdk.batches import REFUSALS, Asked, Documents, batch_max, created
from crossdock.sdk.calls import Calls, Done, Intent, Page, Refused, Request, Response, get, post, refused
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import KEY, Created, PlainConnector, stock_reported
from crossdock.sdk.spec import Child, Translation

_FEEDS = {"stock": "/stock", "sales": "/sales/changes", "days": "/days/changes"}


def build(settings: Mapping[str, str]) -> ErpConnector:
    """Build the connector of one connection."""
    return ErpConnector(settings)


class ErpConnector(PlainConnector):
    """An ERP behind the contract of openapi.yaml.

    After an unclear reply every operation looks its document up before it is made again: with `lookup` because the ERP
    has no keys, with `key` because it may have forgotten them (FAULTS.md 37).
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(spec_for(settings.get("idempotency", "key"), batch_max(settings)), settings)
        self._customers = settings.get("customers") or "per_channel"
        self._page = settings.get("page_size") or "500"
        self._channels = told.channels(settings.get("channels", ""))
        self._sales = Documents("/sales", self._write_sale, _finding("/sales"))
        self._deliveries = Documents("/deliveries", mapping.delivery, _finding("/deliveries"))
        self._invoices = Documents("/invoices", mapping.invoice, _finding("/invoices"))

    def create_sale(
        self, command: CreateSale | Sequence[CreateSale], intent: Intent | Sequence[Intent]
    ) -> Calls:
        """Record the order as a sale, under our order id; with a `batch_max`, many orders in one request."""
        return self._sales.make(command, intent)

    def create_delivery(
        self, command: CreateDelivery | Sequence[CreateDelivery], intent: Intent | Sequence[Intent]
    ) -> Calls:
        """Post that a shipment left, under our order and shipment id, or that many did."""
        return self._deliveries.make(command, intent)

    def create_invoice(
        self, command: CreateInvoice | Sequence[CreateInvoice], intent: Intent | Sequence[Intent]
    ) -> Calls:
        """Invoice a shipment, under our order and shipment id, or many."""
        return self._invoices.make(command, intent)

    def cancel_sale(self, command: CancelSale, intent: Intent) -> Calls:
        """Take quantities off the sale, or all that is left of it."""
        sale = yield from _sale(command.order_id, command.order, command.sale_reference)
        if sale is None:
            return Done()  # it never came to a sale, so nothing stands against the cancellation
        body = mapping.cancellation(command, intent.key)
        return (yield from self._change(sale, "cancel", body, intent))

    def amend_sale(self, command: AmendSale, intent: Intent) -> Calls:
        """Set the sale to what the order is now."""
        order = _order(command.order)
        sale = yield from _sale(command.order_id, order, command.sale_reference)
        if sale is None:
            raise RejectedError(f"There is no sale of {order.id} to amend at the ERP. Create it first.")
        return (
            yield from self._change(
                sale, "amend", mapping.amendment(order, self._customers, intent.key), intent
            )
        )

    def adopt_sale(self, command: AdoptSale, intent: Intent) -> Calls:
        """Find the sale that somebody else has made of an order; make none."""
        channel = next((name for name, ours in self._channels.items() if ours == command.connection), "")
        query = {"channel": channel or command.connection, "channel_order": command.channel_order}
        found = _found((yield get("/sales", query=query, accept=REFUSALS)), command.channel_order)
        if found is None:
            return Refused(
                reason=f"There is no sale of order {command.number or command.channel_order}: nobody has made it.",
                code="not_there",
                field="channel_order",
            )
        return _already(found)

    def post_day(self, command: PostDay, intent: Intent) -> Calls:
        """Book the tickets of a store's business day in sum, under the day's id."""
        return days.post_day(command, intent, _found)

    def create_credit(self, command: CreateCredit, intent: Intent) -> Calls:
        """Credit what a ticket took back, under the ticket's id."""
        return days.create_credit(command, intent, _found)

    def credit_refund(self, command: CreditRefund, intent: Intent) -> Calls:
        """Credit what a channel gave back of an order, under our order id and the refund's name."""
        return given_back.credit_refund(command, intent, _found)

    def receive_return(self, command: ReceiveReturn, intent: Intent) -> Calls:
        """Receive what came back of an order, under our order id and the receipt's name."""
        return given_back.receive_return(command, intent, _found)

    def poll(self, command: Poll, intent: Intent) -> Calls:
        """Read the next page of levels, of sales, or of what is booked of days."""
        path = _FEEDS.get(command.feed)
        if path is None:
            raise RejectedError(
                f"The ERP contract has no feed {command.feed!r}; it has {', '.join(_FEEDS)}.", field="feed"
            )
        query = {"limit": self._page}
        if command.cursor:
            query["cursor"] = command.cursor
        reply = yield get(path, query=query)
        if reply.status >= 400:
            return refused(reply)
        page = reply.decode(wire.PageHead)
        if page.more and page.cursor == command.cursor:
            raise ConflictError(
                f"The feed {command.feed} says that there is more, but its cursor stays at {page.cursor!r}."
            )
        return Page(
            kind=f"page.{command.feed}", body=reply.body, cursor=page.cursor or command.cursor, more=page.more
        )

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        """Cut a page into one child a level or sale, so that a bad one parks alone. What is told again is a duplicate."""
        if kind == "page.sales":
            return told.split(body, self._channels)
        if kind == "page.days":
            return told.split_days(body, self._channels)
        if kind != "page.stock":
            return None
        page = decode(body, wire.PageBody)
        return [_child(page, bytes(level)) for level in page.levels]

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        """Turn a stock event, one level or sale of a page, or word of a posted document into a report."""
        if kind == told.SALE:
            return (told.sale(body, context.connection, self._channels),)
        if kind == told.DAY:
            return (told.day(body, context.connection, self._channels),)
        if kind == days.POSTED:
            return (days.posted(body, context.connection),)
        if kind != "stock.changed":
            raise MappingError(f"The ERP contract has no event {kind!r}. Compare its version.", field="kind")
        return (stock_reported(body, context.connection, complete=False),)

    def _write_sale(self, command: CreateSale) -> wire.SaleBody:
        return mapping.sale(_order(command.order), self._customers)

    def _change(self, sale: str, verb: str, body: Any, intent: Intent) -> Calls:
        path = f"/sales/{quote(sale, safe='')}"
        if intent.may_have_happened:
            reply = yield get(path)
            if reply.status >= 400:
                return refused(reply)
            held = reply.decode(wire.SaleState)
            if intent.key in held.changes:
                return Done(reference=sale, total=held.total, already=True)
        return created((yield _keyed(f"{path}/{verb}", body, intent)))


def _keyed(path: str, body: Any, intent: Intent) -> Request:
    return post(path, json=body, headers={KEY: intent.key})


def _by_reference(path: str, reference: str) -> Request:
    return get(path, query={"reference": reference}, accept=REFUSALS)


def _finding(path: str) -> Callable[[wire.SaleBody | wire.DocumentBody], Asked[Done | None]]:
    """How a document of this path is found again: by its reference."""

    def find(body: wire.SaleBody | wire.DocumentBody) -> Asked[Done | None]:
        found = _found((yield _by_reference(path, body.reference)), body.reference)
        return None if found is None else _already(found)

    return find


def _already(found: Created) -> Done:
    return Done(reference=found.id, total=found.total, booked_at=found.booked_at, already=True)


def _found(reply: Response, reference: str) -> Created | None:
    """The one document under a reference; None where there is none. Two are a conflict that a person must see."""
    if reply.status == 404:
        return None
    if reply.status >= 400:
        raise RejectedError(f"Looking up {reference} was answered with {reply.status}. Ask the ERP's keeper.")
    found = reply.decode(wire.Found).documents
    if len(found) > 1:
        ids = ", ".join(document.id for document in found[:5])
        raise ConflictError(
            f"The ERP holds {len(found)} documents for {reference}: {ids}. Cancel all but one there."
        )
    return found[0] if found else None


def _sale(order_id: str, order: Order | None, known: str) -> Generator[Request, Response, str | None]:
    """The ERP's id of the order's sale: as we hold it, else asked for by our reference."""
    if known:
        return known
    reference = order_id or (order.id if order is not None else "")
    found = _found((yield _by_reference("/sales", reference)), reference)
    return found.id if found is not None else None


def _order(order: Order | None) -> Order:
    if order is None or not order.id:
        raise RejectedError(
            "A sale was to be sent without its order. Send the effect again with it.", field="order"
        )
    return order


def _child(page: wire.PageBody, level: bytes) -> Child:
    head = msgspec.json.encode(wire.StockHead(page.location, page.as_of, page.includes_until))
    body = head[:-1] + (b"," if len(head) > 2 else b"") + b'"levels":[' + level + b"]}"
    return Child(kind="stock.changed", body=body, delivery_id=hashlib.sha256(body).hexdigest()[:32])
