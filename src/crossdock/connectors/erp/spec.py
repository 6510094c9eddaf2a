"""What the plain ERP contract is and bears."""

from typing import Literal

import msgspec

from crossdock.sdk import batches
from crossdock.sdk.spec import ConnectorSpec, Inbound, Limits, Operation, Setting

SPEC = ConnectorSpec(
    name="erp",
    title="ERP over plain REST",
    roles=("erp",),
    settings=(
        Setting(name="url", doc="Where the ERP serves the contract, e.g. https://erp.example/api"),
        Setting(name="token", doc="Bearer token that we send with every request", secret=True),
        Setting(
            name="idempotency",
            doc="How the ERP avoids doubles: it honours Idempotency-Key, or we look up before a second try",
            required=False,
            default="key",
            choices=("key", "lookup"),
        ),
        Setting(
            name="customers",
            doc="Whom a sale is booked to: the buyer, or one account per channel or per store",
            required=False,
            default="per_channel",
            choices=("per_buyer", "per_channel", "per_store"),
        ),
        Setting(
            name="webhook_secret",
            doc="Key of the HMAC under which the ERP signs its stock events, where it sends any",
            secret=True,
            required=False,
        ),
        Setting(
            name="channels",
            doc="What it calls our channels, where that is not their connections' names: Web DE=shop, Amazon=market",
            required=False,
            kind="map",
            names="connection",
        ),
        Setting(
            name="page_size",
            doc="Levels or documents per page of its feeds",
            required=False,
            default="500",
            kind="whole",
            low=1,
            high=10_000,
        ),
        batches.SETTING,
    ),
    operations=(
        Operation(name="create_sale", doc="Record an order as a sale"),
        Operation(name="create_delivery", doc="Post that goods left, per shipment"),
        Operation(name="create_invoice", doc="Invoice what was delivered, per shipment"),
        Operation(name="cancel_sale", doc="Take quantities off a sale"),
        Operation(name="amend_sale", doc="Set a sale to what the order is now"),
        Operation(name="post_day", doc="Book the tickets of a store's business day in sum"),
        Operation(name="create_credit", doc="Credit what a till took back"),
        Operation(name="credit_refund", doc="Credit what a channel gave back of an order"),
        Operation(name="receive_return", doc="Receive what came back of an order"),
        Operation(name="adopt_sale", doc="Find the sale that another integration has made of an order"),
        Operation(
            name="poll",
            doc="Read the feeds `stock` (levels), `sales` and `days` (documents) that changed",
            kind="poll",
        ),
    ),
    inbound=(
        Inbound(kind="page.stock", doc="A page of the stock feed"),
        Inbound(kind="page.sales", doc="A page of the feed of sales"),
        Inbound(kind="sale.told", doc="A sale that it holds, whoever made it", overtakes=True),
        Inbound(kind="page.days", doc="A page of the feed of what is booked of stores' days"),
        Inbound(kind="day.told", doc="What it holds of a store's day, whoever booked it", overtakes=True),
        Inbound(kind="stock.changed", doc="Some levels, absolute"),
        Inbound(
            kind="document.posted", doc="The date that a store day's document was posted to", overtakes=True
        ),
    ),
    feeds=("stock", "sales", "days"),
    limits=Limits(requests_per_s=0.0, burst=20, concurrency_max=8, page_max=1000),
)


BATCHED = ("create_sale", "create_delivery", "create_invoice")
"""Operations of which one request may carry many, where the ERP offers that."""


def spec_for(idempotency: str, batch_max: int = 1) -> ConnectorSpec:
    """The spec of a connection whose ERP avoids doubles in this way and takes so many documents in one request."""
    doubles: Literal["key", "lookup"] = "lookup" if idempotency == "lookup" else "key"
    operations = tuple(
        operation
        if operation.kind == "poll"
        else msgspec.structs.replace(
            operation, doubles=doubles, batch_max=batch_max if operation.name in BATCHED else 1
        )
        for operation in SPEC.operations
    )
    return msgspec.structs.replace(SPEC, operations=operations)
