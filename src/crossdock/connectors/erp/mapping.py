"""Canonical orders and shipments to the ERP contract's own words. Pure."""

from __future__ import annotations

from typing import Any

from crossdock.connectors.erp.wire import (
    CancellationBody,
    ChargeBody,
    CustomerBody,
    DiscountBody,
    DocumentBody,
    LineBody,
    PaymentBody,
    SaleBody,
    TaxBody,
)
from crossdock.errors import MappingError
from crossdock.model.commands import CancelSale, CreateDelivery, CreateInvoice
from crossdock.model.currency import exponent
from crossdock.model.fulfilment import Shipment
from crossdock.model.lines import OrderLine
from crossdock.model.order import Order
from crossdock.model.pricing import Charge, Discount, ShippingCharge, TaxLine, Tender
from crossdock.sdk.plain import items


def sale(order: Order, customers: str) -> SaleBody:
    """Write an order as a sale."""
    return SaleBody(**_sale_fields(order, customers))


def amendment(order: Order, customers: str, key: str) -> SaleBody:
    """Write the order as it is now; `key` names the amendment, so that it can be found again."""
    return SaleBody(amendment=key, **_sale_fields(order, customers))


def cancellation(command: CancelSale, key: str) -> CancellationBody:
    """Write what is cancelled; `key` names the cancellation, so that it can be found again."""
    return CancellationBody(cancellation=key, lines=items(command.lines), reason=command.reason)


def delivery(command: CreateDelivery) -> DocumentBody:
    """Write a shipment as a delivery."""
    shipment = command.shipment
    tracking = tuple(p.tracking_number for p in shipment.packages if p.tracking_number)
    return _document(command, shipment, tracking)


def invoice(command: CreateInvoice) -> DocumentBody:
    """Write a shipment as an invoice: the ERP takes the prices from its sale."""
    return _document(command, command.shipment, ())


def _sale_fields(order: Order, customers: str) -> dict[str, Any]:
    if order.buyer_total is None:
        raise MappingError(
            f"Order {order.id} has no total yet: a tentative order makes no document. Wait until it is committed.",
            field="buyer_total",
        )
    return {
        "reference": order.id,
        "version": order.version,
        "channel": order.connection,
        "channel_order": order.external_id,
        "currency": order.currency,
        "exponent": exponent(order.currency),
        "total": order.buyer_total,
        "customer": _customer(order, customers),
        "lines": tuple(line_body(line) for line in order.lines),
        "number": order.number,
        "origin": order.origin,
        "channel_kind": order.channel,
        "test": order.test,
        "legal_entity": order.legal_entity,
        "location": order.location,
        "sold_by": order.sold_by,
        "bill_to": order.bill_to,
        "receivable": order.channel_receivable,
        "shipping": tuple(_shipping(charge) for charge in order.shipping),
        "charges": tuple(charge_body(charge) for charge in order.charges),
        "discounts": tuple(_discount(discount) for discount in order.discounts),
        "payments": tuple(_payment(tender) for tender in order.tenders),
        "ship_to": order.ship_to,
        "billing_address": order.billing_address,
        "purchase_order": order.purchase_order,
        "payment_terms": order.payment_terms,
        "note": order.note,
        "ordered_at": order.occurred_at,
    }


def _customer(order: Order, customers: str) -> CustomerBody:
    if customers == "per_store":
        return CustomerBody(account=f"store:{order.location or order.connection}")
    buyer = order.buyer
    if customers != "per_buyer" or buyer is None:
        return CustomerBody(account=f"channel:{order.connection}")
    return CustomerBody(
        account=f"buyer:{order.connection}:{buyer.external_id}" if buyer.external_id else f"order:{order.id}",
        kind=buyer.kind,
        name=buyer.name,
        company=buyer.company,
        email=buyer.email,
        phone=buyer.phone,
        language=buyer.language,
        tax_ids=buyer.tax_ids,
    )


def line_body(line: OrderLine) -> LineBody:
    """Write a line."""
    return LineBody(
        line_id=line.id,
        quantity=line.ordered,
        net=line.net,
        tax=line.tax,
        gross=line.gross,
        sku=line.sku,
        title=line.title,
        category=line.category,
        kind=line.kind,
        unit=line.unit,
        quantity_scale=line.quantity_scale,
        current=None if line.current == line.ordered else line.current,
        unit_price="" if line.unit_price is None else str(line.unit_price),
        price_includes_tax=line.price_includes_tax,
        discount=sum(part.amount for part in line.discounts),
        taxes=tuple(map(tax_body, line.taxes)),
        fulfilled_by=line.fulfilled_by,
        parent_line_id=line.parent_line,
        returns_line_id=line.returns_line,
        location=line.location,
    )


def tax_body(tax: TaxLine) -> TaxBody:
    """Write a tax."""
    return TaxBody(
        amount=tax.amount,
        name=tax.name,
        rate="" if tax.rate is None else str(tax.rate),
        jurisdiction=tax.jurisdiction,
        category=tax.category,
        registration=tax.registration,
        collected_by=tax.collected_by,
        remitted_by=tax.remitted_by,
    )


def _shipping(charge: ShippingCharge) -> ChargeBody:
    return ChargeBody(
        kind="shipping",
        net=charge.net,
        tax=charge.tax,
        gross=charge.gross,
        id=charge.id,
        title=charge.title,
        price_includes_tax=charge.price_includes_tax,
        discount=sum(part.amount for part in charge.discounts),
        taxes=tuple(map(tax_body, charge.taxes)),
    )


def charge_body(charge: Charge) -> ChargeBody:
    """Write a charge."""
    return ChargeBody(
        kind=charge.kind,
        net=charge.net,
        tax=charge.tax,
        gross=charge.gross,
        id=charge.id,
        title=charge.title,
        price_includes_tax=charge.price_includes_tax,
        discount=sum(part.amount for part in charge.discounts),
        taxes=tuple(map(tax_body, charge.taxes)),
        line_id=charge.line,
    )


def _discount(discount: Discount) -> DiscountBody:
    return DiscountBody(
        amount=discount.amount,
        kind=discount.kind,
        code=discount.code,
        title=discount.title,
        target=discount.target,
        funded_by=discount.funded_by,
    )


def _payment(tender: Tender) -> PaymentBody:
    return PaymentBody(
        kind=tender.kind,
        amount=tender.amount,
        state=tender.state,
        provider=tender.provider,
        reference=tender.reference,
    )


def _document(
    command: CreateDelivery | CreateInvoice, shipment: Shipment, tracking: tuple[str, ...]
) -> DocumentBody:
    order = command.order_id or shipment.order or (command.order.id if command.order is not None else "")
    shipment_id = shipment.id or shipment.external_id
    if not order or not shipment_id:
        raise MappingError(
            "shipment.id: a document needs our order id and a shipment id to be found again. Give both.",
            field="shipment.id",
        )
    return DocumentBody(
        reference=f"{order}/{shipment_id}",
        order_reference=order,
        shipment_id=shipment_id,
        lines=items(shipment.lines),
        sale=command.sale_reference,
        number=shipment.number,
        location=shipment.location,
        shipped_at=shipment.shipped_at,
        tracking_numbers=tracking,
    )
