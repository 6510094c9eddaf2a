"""Calls for what was given back and what came back of orders: a credit note per refund, a return per receipt."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from crossdock.connectors.erp.mapping import tax_body
from crossdock.connectors.erp.wire import TaxBody, Wire
from crossdock.errors import MappingError
from crossdock.model.commands import CreditPart, CreditRefund, ReceiveReturn
from crossdock.model.currency import exponent
from crossdock.model.order import Order
from crossdock.sdk.batches import REFUSALS, created
from crossdock.sdk.calls import Calls, Done, Intent, Response, get, post
from crossdock.sdk.plain import KEY, Created

Find = Callable[[Response, str], Created | None]


class CreditPartBody(Wire, frozen=True, kw_only=True):
    """What is credited of a line, of shipping, or of neither; quantities and money are negative."""

    kind: str
    net: int
    tax: int
    gross: int
    line_id: str = ""
    sku: str = ""
    quantity: int = 0
    shipping_id: str = ""
    taxes: tuple[TaxBody, ...] = ()


class CreditNoteBody(Wire, frozen=True, kw_only=True):
    """What POST /credit-notes carries."""

    reference: str
    order_reference: str
    channel: str
    channel_order: str
    refund: str
    currency: str
    exponent: int
    total: int
    parts: tuple[CreditPartBody, ...]
    sale: str = ""
    legal_entity: str = ""


class CameBackBody(Wire, frozen=True, kw_only=True):
    """So much of a line came back; `held` may not be sold."""

    line_id: str
    quantity: int
    sku: str = ""
    quantity_scale: int = 0
    held: bool = False


class ReturnBody(Wire, frozen=True, kw_only=True):
    """What POST /returns carries."""

    reference: str
    order_reference: str
    goods_return: str
    lines: tuple[CameBackBody, ...]
    sale: str = ""
    location: str = ""


def credit_refund(command: CreditRefund, intent: Intent, find: Find) -> Calls:
    """Credit a refund, once."""
    return (yield from _once("/credit-notes", _credit(command), intent, find))


def receive_return(command: ReceiveReturn, intent: Intent, find: Find) -> Calls:
    """Receive what came back, once."""
    return (yield from _once("/returns", _return(command), intent, find))


def _once(path: str, body: CreditNoteBody | ReturnBody, intent: Intent, find: Find) -> Calls:
    if intent.may_have_happened:
        asked = get(path, query={"reference": body.reference}, accept=REFUSALS)
        found = find((yield asked), body.reference)
        if found is not None:
            return Done(reference=found.id, total=found.total, booked_at=found.booked_at, already=True)
    return created((yield post(path, json=body, headers={KEY: intent.key})))


def _credit(command: CreditRefund) -> CreditNoteBody:
    order = _order(command.order)
    return CreditNoteBody(
        reference=command.reference,
        order_reference=command.order_id or order.id,
        channel=order.connection,
        channel_order=order.external_id,
        refund=command.refund,
        currency=command.currency,
        exponent=exponent(command.currency),
        total=-command.total,
        parts=tuple(_part(part) for part in command.parts),
        sale=command.sale_reference,
        legal_entity=order.legal_entity,
    )


def _part(part: CreditPart) -> CreditPartBody:
    taxes = (tax_body(tax) for tax in part.taxes)
    return CreditPartBody(
        kind=part.kind,
        net=-part.net,
        tax=-part.tax,
        gross=-part.gross,
        line_id=part.line,
        sku=part.sku,
        quantity=-part.quantity,
        shipping_id=part.shipping,
        taxes=tuple(msgspec.structs.replace(tax, amount=-tax.amount) for tax in taxes),
    )


def _return(command: ReceiveReturn) -> ReturnBody:
    order = _order(command.order)
    scales = {line.id: line.quantity_scale for line in order.lines}
    return ReturnBody(
        reference=command.reference,
        order_reference=command.order_id or order.id,
        goods_return=command.goods_return,
        lines=tuple(
            CameBackBody(
                line_id=line.line,
                sku=line.sku,
                quantity=line.quantity,
                quantity_scale=scales.get(line.line, 0),
                held=line.held,
            )
            for line in command.lines
        ),
        sale=command.sale_reference,
        location=command.location,
    )


def _order(order: Order | None) -> Order:
    if order is None or not order.id:
        raise MappingError(
            "What was given back was to be sent without its order. Send the effect again with it.",
            field="order",
        )
    return order
