"""A connection to Tryton: which operation is done by which of the modules beside this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crossdock.connectors.tryton import adopting, closing, feeds, given_back, pages, sales, summed
from crossdock.connectors.tryton.deliveries import Part, deliver
from crossdock.connectors.tryton.invoices import invoice
from crossdock.connectors.tryton.options import read_options
from crossdock.connectors.tryton.rpc import Ask, Client, ServerRefusedError
from crossdock.connectors.tryton.spec import SPEC
from crossdock.connectors.tryton.steps import Outcomes, require_reference, told
from crossdock.errors import MappingError, SignatureError
from crossdock.model.commands import (
    AdoptSale,
    AmendSale,
    CancelSale,
    CreateCredit,
    CreateDelivery,
    CreateInvoice,
    CreateSale,
    CreditRefund,
    OrderCommand,
    Poll,
    PostDay,
    ReceiveReturn,
)
from crossdock.model.order import Order
from crossdock.model.reports import Report
from crossdock.sdk.calls import Calls, Done, Intent, Refused, Results
from crossdock.sdk.spec import Child, Gate, Translation


def build(settings: Mapping[str, str]) -> TrytonConnector:
    """Build the connector of one connection."""
    return TrytonConnector(settings)


class TrytonConnector:
    """An ERP that keeps no idempotency keys: every document has a reference of ours, by which it is found again."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.spec = SPEC
        self._options = read_options(settings)
        self._client = Client(settings.get("user", ""), settings.get("password", ""))

    def request_headers(self) -> Mapping[str, str]:
        """Nothing: each request carries its session."""
        return {}

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Tryton sends nothing by itself."""
        raise SignatureError("Tryton sends no webhooks. Poll its feeds.")

    def gate(self, headers: Mapping[str, str], body: bytes) -> Gate:
        """Tryton sends nothing by itself."""
        raise MappingError("Tryton sends no webhooks. Poll its feeds.", field="kind")

    def create_sale(self, commands: Sequence[CreateSale], intents: Sequence[Intent]) -> Calls:
        """Record orders as sales, confirmed and in process, under our order ids."""
        jobs = []
        outcomes: Outcomes = {}
        for command, intent in zip(commands, intents, strict=True):
            order = order_of(command)
            if order is None:
                outcomes[intent.key] = _NO_ORDER
            else:
                jobs.append(sales.Job(intent.key, order, intent.may_have_happened))
        outcomes |= yield from sales.create(self._client, self._options, jobs)
        return Results(by_key=outcomes)

    def adopt_sale(self, command: AdoptSale, intent: Intent) -> Calls:
        """Find the sale that somebody else has made of an order, and mark it as ours; make none."""
        order = order_of(command)
        if order is None:
            return _NO_ORDER
        return (yield from _told(adopting.adopt(self._client, self._options, order, command)))

    def create_delivery(self, commands: Sequence[CreateDelivery], intents: Sequence[Intent]) -> Calls:
        """Ship what left, under our order and shipment ids."""
        parts, outcomes = _parts(commands, intents)
        outcomes |= yield from deliver(self._client, self._options, parts)
        return Results(by_key=outcomes)

    def create_invoice(self, commands: Sequence[CreateInvoice], intents: Sequence[Intent]) -> Calls:
        """Invoice what was delivered, under our order and shipment ids."""
        parts, outcomes = _parts(commands, intents)
        outcomes |= yield from invoice(self._client, self._options, parts)
        return Results(by_key=outcomes)

    def cancel_sale(self, command: CancelSale, intent: Intent) -> Calls:
        """Take quantities off the sale, or all that is left of it."""
        order_id = command.order_id or (command.order.id if command.order is not None else "")
        return (yield from _told(closing.cancel(self._client, self._options, order_id, command, intent)))

    def amend_sale(self, command: AmendSale, intent: Intent) -> Calls:
        """Set the sale to what the order is now."""
        order = order_of(command)
        if order is None:
            return _NO_ORDER
        return (yield from _told(closing.amend(self._client, self._options, order, intent)))

    def post_day(self, command: PostDay, intent: Intent) -> Calls:
        """Book the tickets of a store's business day in sum."""
        return (yield from _told(summed.post_day(self._client, self._options, command, intent)))

    def create_credit(self, command: CreateCredit, intent: Intent) -> Calls:
        """Credit what a ticket took back of a sale that was booked in sum."""
        return (yield from _told(summed.create_credit(self._client, self._options, command, intent)))

    def credit_refund(self, command: CreditRefund, intent: Intent) -> Calls:
        """Credit what a channel gave back of an order that is invoiced."""
        return (yield from _told(given_back.credit_refund(self._client, self._options, command, intent)))

    def receive_return(self, command: ReceiveReturn, intent: Intent) -> Calls:
        """Receive what came back of an order."""
        return (yield from _told(given_back.receive_return(self._client, self._options, command, intent)))

    def poll(self, command: Poll, intent: Intent) -> Calls:
        """Read the next page of a feed."""
        return (yield from feeds.poll(self._client, self._options, command, intent.now))

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        """Cut a page into one child a row, so that a bad one parks alone."""
        return pages.children(kind, body, self._options.references)

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        """Turn one row of a page into a report."""
        return pages.reports(kind, body, context.connection, self._options.references)


_NO_ORDER = Refused(
    reason="It was to be sent without its order. Send the effect again with it.",
    code="mapping",
    field="order",
)


def _told(calls: Ask[Done | Refused]) -> Calls:
    """A request that Tryton refuses did nothing there: its words are the outcome. What else goes wrong is the engine's to judge."""
    try:
        return (yield from calls)
    except ServerRefusedError as error:
        return told(error)


def order_of(command: OrderCommand) -> Order | None:
    """The order of a command, where it came with one."""
    return command.order if command.order is not None and command.order.id else None


def _parts(
    commands: Sequence[CreateDelivery | CreateInvoice], intents: Sequence[Intent]
) -> tuple[list[Part], Outcomes]:
    parts: list[Part] = []
    outcomes: Outcomes = {}
    for command, intent in zip(commands, intents, strict=True):
        order, shipment = order_of(command), command.shipment
        if order is None:
            outcomes[intent.key] = _NO_ORDER
            continue
        try:
            reference = require_reference(order.id, shipment.id or shipment.external_id)
        except MappingError as error:
            outcomes[intent.key] = told(error)
            continue
        today = intent.now[:10]
        again = intent.may_have_happened
        parts.append(Part(intent.key, reference, order, shipment, again, today))
    return parts, outcomes
