"""How the buyer pays: tenders of an order, and payments as Shopify's transactions tell them.

A transaction is one movement of money and becomes one payment under its own id: payouts name that id. `authorised`,
`captured` and `refunded` say what this movement did; a refund is negative.
"""

from __future__ import annotations

from datetime import datetime

from crossdock.connectors.shopify import wire
from crossdock.connectors.shopify.money import nested
from crossdock.connectors.shopify.words import (
    TENDER_STATE,
    one_of,
    optional_id,
    reference,
    tender_kind,
    text_id,
    utc,
    version,
)
from crossdock.errors import MappingError
from crossdock.model import (
    ConnectionId,
    ExternalRef,
    Payment,
    PaymentState,
    Tender,
    TenderState,
    minor_units,
)

_STATES: dict[str, PaymentState] = {
    "authorization": "authorised",
    "sale": "captured",
    "capture": "captured",
    "void": "voided",
    "refund": "captured",
    "change": "captured",
    "emv_authorization": "authorised",
}
_TENDER_STATES: dict[str, TenderState] = {
    "authorization": "authorised",
    "emv_authorization": "authorised",
    "sale": "captured",
    "capture": "captured",
    "change": "captured",
}
_OUTCOMES = {"success": 0, "pending": 1, "failure": 2, "error": 2, "awaiting_response": 1, "unknown": 1}
_SUCCESS, _PENDING, _FAILED = 0, 1, 2
_DISPUTES: dict[str, PaymentState] = {
    "needs_response": "disputed",
    "under_review": "disputed",
    "charge_refunded": "disputed",
    "accepted": "disputed",
    "lost": "disputed",
    "won": "captured",
}


def tenders(body: wire.OrderBody, currency: str, total: int, at: datetime) -> tuple[Tender, ...]:
    """The means of an order: from its transactions where it carries them, else from its only gateway.

    With two gateways and no transactions nothing is said: the order does not tell who paid how much.
    """
    if body.transactions:
        return _from_transactions(body.transactions, currency)
    names = body.payment_gateway_names or ((body.gateway,) if body.gateway else ())
    if len(names) != 1 or not body.financial_status:
        return ()
    amount = total
    if body.financial_status == "partially_paid":
        open_ = minor_units(body.total_outstanding or "0", body.currency, field="total_outstanding")
        if currency != body.currency:
            return ()
        amount = total - open_
    return (
        Tender(
            kind=tender_kind(names[0]),
            amount=amount,
            state=one_of(TENDER_STATE, body.financial_status, "financial_status"),
            provider=names[0],
        ),
    )


def payment(
    body: wire.Transaction, connection: ConnectionId, order: ExternalRef | None, path: str, currency: str = ""
) -> Payment:
    """One transaction of an order."""
    try:
        return _payment(body, connection, order, currency)
    except MappingError as error:
        raise nested(path, error) if path else error from error


def dispute(body: wire.Dispute, connection: ConnectionId) -> Payment:
    """A chargeback or inquiry: money of an order that the buyer's bank holds back until it is decided."""
    amount = minor_units(body.amount, body.currency, field="amount")
    state = one_of(_DISPUTES, body.status or "needs_response", "status")
    lost = body.status in ("lost", "accepted", "charge_refunded")
    began = utc(body.initiated_at, "initiated_at")
    return Payment(
        currency=body.currency,
        amount=amount,
        connection=connection,
        external_id=f"dispute/{text_id(body.id)}",
        version=version(began, list(_DISPUTES).index(body.status or "needs_response")) if began else "",
        order_ref=reference(connection, "order", body.order_id),
        state=state,
        refunded=amount if lost else 0,
        failure=f"{body.type or 'dispute'}: {body.reason or 'unknown'}",
        occurred_at=began,
    )


def tender_payment(body: wire.TenderTransaction, connection: ConnectionId) -> Payment:
    """Money as it reached the till or bank. It is what a transaction told already, under another id."""
    amount = minor_units(body.amount, body.currency, field="amount")
    at = utc(body.processed_at, "processed_at")
    return Payment(
        currency=body.currency,
        amount=amount,
        connection=connection,
        external_id=f"tender/{text_id(body.id)}",
        version=version(at, 0) if at else "",
        order_ref=reference(connection, "order", body.order_id),
        kind=tender_kind(body.payment_method),
        provider=body.payment_method or "",
        state="captured",
        captured=max(0, amount),
        refunded=max(0, -amount),
        test=bool(body.test),
        occurred_at=at,
    )


def _payment(
    body: wire.Transaction, connection: ConnectionId, order: ExternalRef | None, currency: str
) -> Payment:
    currency = body.currency or currency
    if not currency:
        raise MappingError("currency: it is missing. Set `currency` of the connection.", field="currency")
    amount = minor_units(body.amount, currency, field="amount")
    outcome = one_of(_OUTCOMES, body.status or "success", "status")
    state = one_of(_STATES, body.kind, "kind")
    if outcome != _SUCCESS:
        state = "failed" if outcome == _FAILED else "pending"
    done = amount if outcome == _SUCCESS else 0
    back = body.kind in ("refund", "change")
    at = utc(body.processed_at or body.created_at, "processed_at")
    return Payment(
        currency=currency,
        amount=-amount if back else amount,
        connection=connection,
        external_id=text_id(body.id),
        version=version(at, 2 - outcome) if at else "",
        order_ref=order or reference(connection, "order", body.order_id),
        kind=tender_kind(body.gateway),
        provider=body.gateway or "",
        state=state,
        authorised=done if state == "authorised" else 0,
        captured=done if state == "captured" and not back else 0,
        refunded=done if back else 0,
        authorised_until=utc(body.authorization_expires_at, "authorization_expires_at"),
        failure=(body.message or "failed") if state == "failed" else "",
        test=bool(body.test),
        occurred_at=at,
    )


def _from_transactions(found: tuple[wire.Transaction, ...], currency: str) -> tuple[Tender, ...]:
    """Money that came or is promised; an authorisation that was captured or voided is not counted again."""
    settled = {
        optional_id(item.parent_id)
        for item in found
        if item.kind in ("capture", "void") and item.status == "success"
    }
    result = []
    for n, item in enumerate(found):
        state = _TENDER_STATES.get(item.kind)
        if state is None or item.status not in ("success", "pending") or optional_id(item.id) in settled:
            continue
        if item.currency and item.currency != currency:
            field = f"transactions[{n}].currency"
            raise MappingError(
                f"{field}: {item.currency[:10]} is not the charged currency {currency}.", field=field
            )
        amount = minor_units(item.amount, currency, field=f"transactions[{n}].amount")
        result.append(
            Tender(
                kind=tender_kind(item.gateway),
                amount=-amount if item.kind == "change" else amount,
                state="pending" if item.status == "pending" else state,
                id=optional_id(item.id),
                provider=item.gateway or "",
                reference=item.authorization or "",
                authorised_until=utc(
                    item.authorization_expires_at, f"transactions[{n}].authorization_expires_at"
                ),
                occurred_at=utc(item.processed_at or item.created_at, f"transactions[{n}].processed_at"),
            )
        )
    return tuple(result)
