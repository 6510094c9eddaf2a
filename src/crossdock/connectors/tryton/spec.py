"""What the Tryton connector is and bears."""

from __future__ import annotations

from crossdock.sdk.spec import ConnectorSpec, Inbound, Limits, Operation, Setting

BATCH_MAX = 30
"""A batch is one transaction there: longer ones are hardly faster, and hold the others up."""
INVOICES_MAX = 10
"""Posting takes most of the time of an invoice, and is not faster for many."""
CONVENTION = r"[^{}]*\{[^{}]*(number|order)[^{}]*\}[^{}]*"
"""In braces what of the reference is the order's number or id; the party's code behind ` of ` where that decides."""
_SLOW_S = 120.0
_SETTLE_S = 30.0


def _once(name: str, doc: str, batch_max: int = 1) -> Operation:
    return Operation(
        name=name, doc=doc, doubles="lookup", batch_max=batch_max, deadline_s=_SLOW_S, settle_s=_SETTLE_S
    )


def _optional(name: str, doc: str, default: str = "", choices: tuple[str, ...] = ()) -> Setting:
    return Setting(name=name, doc=doc, required=False, default=default, choices=choices)


def _whole(name: str, doc: str, default: str, low: int, high: int) -> Setting:
    return Setting(name=name, doc=doc, required=False, default=default, kind="whole", low=low, high=high)


SPEC = ConnectorSpec(
    name="tryton",
    title="Tryton 8.0",
    roles=("erp",),
    settings=(
        Setting(name="url", doc="Where Tryton serves the database, e.g. https://erp.example/retail"),
        Setting(name="user", doc="Login of the hub's own user there"),
        Setting(name="password", doc="Password of that user", secret=True),
        _optional("customers", "Whom a sale is booked to", "channel", ("buyer", "channel", "store")),
        _optional(
            "warehouses",
            "Warehouses by code, the usual one first; `our location=code` where the two differ; all of them where empty",
        ),
        _optional(
            "taxes",
            "Which tax there stands for which of ours: `0.19=VAT 19%; US-NY 0.04=NY State`; by rate where empty",
        ),
        _optional("shipping_product", "Code of the service that shipping is sold as", "SHIPPING"),
        _optional(
            "charge_product", "Code of the service that charges and lines without SKU are sold as", "CHARGE"
        ),
        _optional("rounding_product", "Code of the service that rounding lines are sold as", "ROUNDING"),
        _optional(
            "payment_method",
            "Name of the invoice payment method that books what was captured; empty: nobody pays",
        ),
        _whole("price_decimals", "Decimals of a unit price in Tryton (its `price_decimal`)", "4", 0, 8),
        _whole("page_size", "Products or sales per page of a feed", "500", 1, 1000),
        Setting(
            name="references",
            doc="Of which channel a sale of others is, by its reference: `{#number}=shop, M-{order}=market`",
            required=False,
            kind="map",
            pattern=CONVENTION,
            names="connection",
        ),
        Setting(
            name="sales_since",
            doc="From when on sales are read: a time with its offset from UTC; all of them where empty",
            required=False,
            kind="time",
        ),
    ),
    operations=(
        _once("create_sale", "Record orders as sales, confirmed and in process", BATCH_MAX),
        _once(
            "adopt_sale", "Find the sale that another integration has made of an order, and mark it as ours"
        ),
        _once("create_delivery", "Ship what left, per shipment", BATCH_MAX),
        _once("create_invoice", "Invoice what was delivered, post it, book the payment", INVOICES_MAX),
        _once("cancel_sale", "Take quantities off a sale"),
        _once("amend_sale", "Set a sale to what the order is now"),
        _once("post_day", "Book the tickets of a store's business day in sum"),
        _once("create_credit", "Credit what a till took back of a sale that was booked in sum"),
        _once("credit_refund", "Credit what a channel gave back of an order, post it, book the payment"),
        _once("receive_return", "Receive what came back of an order"),
        Operation(name="poll", doc="Read the feeds", kind="poll", deadline_s=_SLOW_S),
    ),
    inbound=(
        Inbound(kind="page.stock", doc="A page of levels"),
        Inbound(kind="page.products", doc="A page of products"),
        Inbound(kind="page.prices", doc="A page of prices"),
        Inbound(kind="document.posted", doc="The date that a store day was booked to", overtakes=True),
        Inbound(kind="page.sales", doc="A page of sales"),
        Inbound(kind="sale.told", doc="A sale that it holds, whoever made it", overtakes=True),
        Inbound(kind="stock.changed", doc="Some levels, absolute"),
        Inbound(kind="product.changed", doc="A product"),
        Inbound(kind="price.changed", doc="A list price"),
    ),
    feeds=("stock", "products", "prices", "sales"),
    limits=Limits(requests_per_s=0.0, burst=10, concurrency_max=1, page_max=1000),
)
