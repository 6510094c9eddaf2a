"""The structs of the ERP contract (openapi.yaml): what we write, and what we read of replies."""

from __future__ import annotations

import msgspec

from crossdock.model.base import Amount, Instant
from crossdock.model.party import Address, TaxId
from crossdock.sdk.plain import Created, Item


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The base of what we write: small on the wire."""


class TaxBody(Wire, frozen=True, kw_only=True):
    amount: int
    name: str = ""
    rate: str = ""
    jurisdiction: str = ""
    category: str = ""
    registration: str = ""
    collected_by: str = "seller"
    remitted_by: str = "seller"


class LineBody(Wire, frozen=True, kw_only=True):
    line_id: str
    quantity: int
    net: int
    tax: int
    gross: int
    sku: str = ""
    title: str = ""
    category: str = ""
    kind: str = "goods"
    unit: str = "ea"
    quantity_scale: int = 0
    current: int | None = None
    unit_price: str = ""
    price_includes_tax: bool = False
    discount: int = 0
    taxes: tuple[TaxBody, ...] = ()
    fulfilled_by: str = "us"
    parent_line_id: str = ""
    returns_line_id: str = ""
    location: str = ""


class ChargeBody(Wire, frozen=True, kw_only=True):
    """Shipping, or another charge."""

    kind: str
    net: int
    tax: int
    gross: int
    id: str = ""
    title: str = ""
    price_includes_tax: bool = False
    discount: int = 0
    taxes: tuple[TaxBody, ...] = ()
    line_id: str = ""


class DiscountBody(Wire, frozen=True, kw_only=True):
    """A discount that lines and charges already bear: for information, never to be subtracted again."""

    amount: int
    kind: str
    code: str = ""
    title: str = ""
    target: str = "lines"
    funded_by: str = "seller"


class PaymentBody(Wire, frozen=True, kw_only=True):
    kind: str
    amount: int
    state: str
    provider: str = ""
    reference: str = ""


class CustomerBody(Wire, frozen=True, kw_only=True):
    """Whom the sale is booked to; the person only where customers are per buyer."""

    account: str
    kind: str = ""
    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    language: str = ""
    tax_ids: tuple[TaxId, ...] = ()


class SaleBody(Wire, frozen=True, kw_only=True):
    """What POST /sales and, with `amendment`, POST /sales/{id}/amend carry."""

    reference: str
    version: str
    channel: str
    channel_order: str
    currency: str
    exponent: int
    total: int
    customer: CustomerBody
    lines: tuple[LineBody, ...]
    amendment: str = ""
    number: str = ""
    origin: str = ""
    channel_kind: str = "shop"
    test: bool = False
    legal_entity: str = ""
    location: str = ""
    sold_by: str = "seller"
    bill_to: str = "buyer"
    receivable: int | None = None
    shipping: tuple[ChargeBody, ...] = ()
    charges: tuple[ChargeBody, ...] = ()
    discounts: tuple[DiscountBody, ...] = ()
    payments: tuple[PaymentBody, ...] = ()
    ship_to: Address | None = None
    billing_address: Address | None = None
    purchase_order: str = ""
    payment_terms: str = ""
    note: str = ""
    ordered_at: Instant | None = None


class CancellationBody(Wire, frozen=True, kw_only=True):
    """What POST /sales/{id}/cancel carries; without lines it takes all that is left."""

    cancellation: str
    lines: tuple[Item, ...] = ()
    reason: str = ""


class DocumentBody(Wire, frozen=True, kw_only=True):
    """What POST /deliveries and POST /invoices carry."""

    reference: str
    order_reference: str
    shipment_id: str
    lines: tuple[Item, ...]
    sale: str = ""
    number: str = ""
    location: str = ""
    shipped_at: Instant | None = None
    tracking_numbers: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a look-up by reference answers."""

    documents: tuple[Created, ...]


class SaleState(msgspec.Struct, frozen=True, kw_only=True):
    """What GET /sales/{id} answers; `changes` names every amendment and cancellation that it has taken."""

    id: str
    total: Amount | None = None
    changes: tuple[str, ...] = ()


class PageHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page of the stock feed ends."""

    cursor: str = ""
    more: bool = False


class PageBody(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the stock feed, its levels unread: each is read as a message of its own."""

    levels: tuple[msgspec.Raw, ...]
    location: str = ""
    as_of: str = ""
    includes_until: str = ""


class StockHead(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a level of a page takes over from it."""

    location: str = ""
    as_of: str = ""
    includes_until: str = ""
