"""Shopify's bodies, as far as they mean anything to us; unknown fields are skipped.

Ids are JSON numbers above what a double holds, so they are read as integers (or text) and become text at once. Money
is text; where Shopify sends a JSON number it is read as Decimal, from its digits. Everything may be null.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from crossdock.model.base import Instant

QUANTITY_MAX = 10_000_000

NO_RATE = msgspec.Raw(b"null")
"""Rates are few and recur: they are kept as their digits and read once."""

Id = int | str | None
Text = str | None
Count = Annotated[int, msgspec.Meta(ge=0, le=QUANTITY_MAX)]


class Body(msgspec.Struct, gc=False):
    """The base of what we read."""


class MoneyOf(Body):
    amount: str
    currency_code: str


class MoneySet(Body):
    """One amount in the shop's currency and in the buyer's."""

    shop_money: MoneyOf
    presentment_money: MoneyOf


class TaxLine(Body):
    price: str
    title: Text = None
    rate: msgspec.Raw = NO_RATE
    channel_liable: bool | None = None


class Allocation(Body):
    amount: str
    discount_application_index: int = -1


class Application(Body):
    type: Text = None
    title: Text = None
    code: Text = None
    description: Text = None


class DiscountCode(Body):
    code: Text = None


class Property(Body):
    name: Text = None
    value: Any = None


class Duty(Body):
    shop_money: MoneyOf
    id: Id = None
    harmonized_system_code: Text = None
    tax_lines: tuple[TaxLine, ...] | None = None


class LineItem(Body):
    price: str
    quantity: Count
    id: Id = None
    sku: Text = None
    name: Text = None
    title: Text = None
    variant_id: Id = None
    product_id: Id = None
    current_quantity: Count | None = None
    fulfillment_service: Text = None
    gift_card: bool | None = None
    requires_shipping: bool | None = None
    taxable: bool | None = None
    product_exists: bool | None = None
    total_discount: Text = None
    tip_payment_gateway: str | msgspec.UnsetType | None = msgspec.UNSET
    tax_lines: tuple[TaxLine, ...] | None = None
    discount_allocations: tuple[Allocation, ...] | None = None
    duties: tuple[Duty, ...] | None = None
    properties: tuple[Property, ...] | None = None


class ShippingLine(Body):
    price: str
    id: Id = None
    title: Text = None
    code: Text = None
    carrier_identifier: Text = None
    delivery_category: Text = None
    discounted_price: Text = None
    is_removed: bool | None = None
    tax_lines: tuple[TaxLine, ...] | None = None
    discount_allocations: tuple[Allocation, ...] | None = None


class AddressBody(Body):
    first_name: Text = None
    last_name: Text = None
    name: Text = None
    company: Text = None
    address1: Text = None
    address2: Text = None
    city: Text = None
    zip: Text = None
    province: Text = None
    province_code: Text = None
    country: Text = None
    country_code: Text = None
    phone: Text = None


class Customer(Body):
    id: Id = None
    email: Text = None
    phone: Text = None
    first_name: Text = None
    last_name: Text = None


class Company(Body):
    id: Id = None
    location_id: Id = None
    name: Text = None


class PaymentTerms(Body):
    payment_terms_name: Text = None


class FulfilledLine(Body):
    quantity: Count
    id: Id = None
    sku: Text = None


class FulfillmentBody(Body):
    id: Id
    order_id: Id = None
    status: Text = None
    name: Text = None
    service: Text = None
    location_id: Id = None
    shipment_status: Text = None
    tracking_company: Text = None
    tracking_number: Text = None
    tracking_numbers: tuple[str, ...] | None = None
    tracking_url: Text = None
    tracking_urls: tuple[str, ...] | None = None
    line_items: tuple[FulfilledLine, ...] | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None


class Transaction(Body):
    amount: Decimal
    kind: str
    id: Id = None
    order_id: Id = None
    status: Text = None
    gateway: Text = None
    currency: Text = None
    parent_id: Id = None
    authorization: Text = None
    authorization_expires_at: Instant | None = None
    message: Text = None
    test: bool | None = None
    created_at: Instant | None = None
    processed_at: Instant | None = None


class SkuOf(Body):
    sku: Text = None


class RefundLineItem(Body):
    line_item_id: Id
    quantity: Count
    subtotal: Decimal | None = None
    total_tax: Decimal | None = None
    subtotal_set: MoneySet | None = None
    total_tax_set: MoneySet | None = None
    restock_type: Text = None
    location_id: Id = None
    line_item: SkuOf | None = None


class Adjustment(Body):
    amount: Decimal
    tax_amount: Decimal | None = None
    amount_set: MoneySet | None = None
    tax_amount_set: MoneySet | None = None
    kind: Text = None
    reason: Text = None


class RefundShippingLine(Body):
    subtotal_amount_set: MoneySet | None = None
    tax_amount_set: MoneySet | None = None
    shipping_line: Customer | None = None


class RefundDuty(Body):
    amount_set: MoneySet | None = None


class RefundBody(Body):
    id: Id = None
    order_id: Id = None
    note: Text = None
    created_at: Instant | None = None
    processed_at: Instant | None = None
    refund_line_items: tuple[RefundLineItem, ...] | None = None
    transactions: tuple[Transaction, ...] | None = None
    order_adjustments: tuple[Adjustment, ...] | None = None
    refund_shipping_lines: tuple[RefundShippingLine, ...] | None = None
    duties: tuple[RefundDuty, ...] | None = None


class OrderBody(Body):
    id: Id
    currency: str
    total_price: str
    line_items: tuple[LineItem, ...]
    name: Text = None
    presentment_currency: Text = None
    financial_status: Text = None
    taxes_included: bool | None = None
    duties_included: bool | None = None
    test: bool | None = None
    source_name: Text = None
    source_identifier: Text = None
    merchant_of_record_app_id: Id = None
    location_id: Id = None
    total_price_set: MoneySet | None = None
    current_total_price: Text = None
    total_discounts: Text = None
    total_tax: Text = None
    total_outstanding: Text = None
    total_tip_received: Text = None
    original_total_additional_fees_set: MoneySet | None = None
    original_total_duties_set: MoneySet | None = None
    total_cash_rounding_payment_adjustment_set: MoneySet | None = None
    cancelled_at: Instant | None = None
    cancel_reason: Text = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    processed_at: Instant | None = None
    note: Text = None
    tags: Text = None
    po_number: Text = None
    email: Text = None
    contact_email: Text = None
    phone: Text = None
    customer_locale: Text = None
    company: Company | None = None
    customer: Customer | None = None
    billing_address: AddressBody | None = None
    shipping_address: AddressBody | None = None
    payment_terms: PaymentTerms | None = None
    payment_gateway_names: tuple[str, ...] | None = None
    gateway: Text = None
    discount_codes: tuple[DiscountCode, ...] | None = None
    discount_applications: tuple[Application, ...] | None = None
    tax_lines: tuple[TaxLine, ...] | None = None
    shipping_lines: tuple[ShippingLine, ...] | None = None
    fulfillments: tuple[FulfillmentBody, ...] | None = None
    refunds: tuple[RefundBody, ...] | None = None
    transactions: tuple[Transaction, ...] | None = None


class OrderKey(Body):
    id: Id = None


class KeyBody(Body):
    """What the gate reads: which order, or which other thing, a delivery is about."""

    id: Id = None
    order_id: Id = None
    product_id: Id = None
    inventory_item_id: Id = None
    order: OrderKey | None = None


class ReturnLineBody(Body):
    quantity: Count
    fulfillment_line_item: ReturnedFrom | None = None
    return_reason: Text = None
    return_reason_note: Text = None
    customer_note: Text = None


class ReturnedFrom(Body):
    line_item: OrderKey | None = None


class Decline(Body):
    reason: Text = None
    note: Text = None


class ReturnBody(Body):
    id: Id
    status: Text = None
    name: Text = None
    order_id: Id = None
    order: OrderKey | None = None
    decline: Decline | None = None
    return_line_items: tuple[ReturnLineBody, ...] | None = None


class Dispute(Body):
    id: Id
    amount: Decimal
    currency: str
    order_id: Id = None
    type: Text = None
    reason: Text = None
    status: Text = None
    initiated_at: Instant | None = None
    finalized_on: Text = None


class Redact(Body):
    customer: OrderKey | None = None
    orders_to_redact: tuple[int | str, ...] | None = None


class DataRequest(Body):
    customer: OrderKey | None = None
    orders_requested: tuple[int | str, ...] | None = None


class ShopRedact(Body):
    shop_id: Id = None
    shop_domain: Text = None


class TenderTransaction(Body):
    id: Id
    amount: Decimal
    currency: str
    order_id: Id = None
    payment_method: Text = None
    remote_reference: Text = None
    test: bool | None = None
    processed_at: Instant | None = None
