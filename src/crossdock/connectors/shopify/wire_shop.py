"""Shopify's bodies that are not about an order: products, stock, places and payouts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec

from crossdock.connectors.shopify.wire import QUANTITY_MAX, Body, Id, Text
from crossdock.model.base import Instant

Level = Annotated[int, msgspec.Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]


class Option(Body):
    name: Text = None


class VariantBody(Body):
    id: Id
    product_id: Id = None
    sku: Text = None
    title: Text = None
    price: Text = None
    compare_at_price: Text = None
    barcode: Text = None
    grams: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    option1: Text = None
    option2: Text = None
    option3: Text = None
    inventory_item_id: Id = None
    requires_shipping: bool | None = None
    updated_at: Instant | None = None


class ProductBody(Body):
    id: Id
    title: Text = None
    vendor: Text = None
    product_type: Text = None
    status: Text = None
    published_at: Instant | None = None
    updated_at: Instant | None = None
    options: tuple[Option, ...] | None = None
    variants: tuple[VariantBody, ...] | None = None


class ItemBody(Body):
    id: Id
    sku: Text = None
    country_code_of_origin: Text = None
    harmonized_system_code: Text = None
    requires_shipping: bool | None = None
    updated_at: Instant | None = None


class LevelBody(Body):
    inventory_item_id: Id
    location_id: Id
    available: Level | None = None
    updated_at: Instant | None = None


class LocationBody(Body):
    id: Id
    name: Text = None
    active: bool | None = None
    address1: Text = None
    address2: Text = None
    city: Text = None
    zip: Text = None
    province: Text = None
    province_code: Text = None
    country: Text = None
    country_code: Text = None
    phone: Text = None


class PayoutBody(Body):
    id: Id
    status: str
    currency: str
    amount: Decimal
    date: date


class BalanceBody(Body):
    id: Id
    type: str
    currency: str
    amount: Decimal
    fee: Decimal
    net: Decimal
    payout_id: Id = None
    source_type: Text = None
    source_order_id: Id = None
    source_order_transaction_id: Id = None
    test: bool | None = None
    processed_at: Text = None
