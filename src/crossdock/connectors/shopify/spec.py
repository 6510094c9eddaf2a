"""What the Shopify connector is, needs and understands."""

from __future__ import annotations

from crossdock.sdk.spec import ConnectorSpec, Inbound, Limits, Operation, Setting

BATCH_MAX = 250
"""Quantities in one inventorySetQuantities."""

TAGS_MAX = 25
"""Orders tagged in one document: 250 of the 1,000 points that one may cost."""

_ORDER = "The whole order, with its shipments, refunds and cancellation"

SPEC = ConnectorSpec(
    name="shopify",
    title="Shopify",
    roles=("channel",),
    settings=(
        Setting(name="url", doc="The shop's own address, e.g. https://my-shop.myshopify.com"),
        Setting(name="access_token", doc="Access token of the app (X-Shopify-Access-Token)", secret=True),
        Setting(
            name="webhook_secret", doc="Secret of the app: Shopify signs every delivery with it", secret=True
        ),
        Setting(
            name="api_version",
            doc="Version of the Admin API that we call, year and month such as 2025-07",
            required=False,
            default="2025-07",
            pattern="20[0-9]{2}-(01|04|07|10)|unstable",
        ),
        Setting(
            name="locations",
            doc="Shopify's location ids and ours: `65616216276=berlin, 24826418=nyc`",
            required=False,
            kind="map",
            pattern="[0-9]+",
            names="location",
        ),
        Setting(
            name="location_id",
            doc="Shopify's id of the location whose quantities are set where no other is named, digits",
            required=False,
            pattern="[0-9]+",
        ),
        Setting(
            name="own_services",
            doc="Fulfilment services that are us; what is assigned to another is shipped by a supplier",
            required=False,
            default="manual,gift_card",
        ),
        Setting(
            name="pickup_codes",
            doc="Codes or titles of shipping lines that are a pickup: Shopify does not say so itself",
            required=False,
        ),
        Setting(
            name="commit_unpaid",
            doc="Gateways whose orders are a sale although nothing was paid yet",
            required=False,
            default="Cash on Delivery (COD)",
        ),
        Setting(
            name="acknowledge_tag",
            doc="Tag that an order gets when we have taken it",
            required=False,
            default="crossdock",
        ),
        Setting(
            name="notify_customer",
            doc="Whether Shopify mails the buyer about shipments and cancellations",
            required=False,
            default="true",
            choices=("true", "false"),
        ),
        Setting(
            name="refund_on_cancel",
            doc="Whether a cancellation of ours gives the buyer's money back at once",
            required=False,
            default="true",
            choices=("true", "false"),
        ),
        Setting(
            name="restock_on_cancel",
            doc="Whether Shopify counts cancelled goods as sellable again; no where we publish quantities",
            required=False,
            default="false",
            choices=("true", "false"),
        ),
        Setting(
            name="currency",
            doc="The shop's currency, for prices of products",
            required=False,
            kind="currency",
        ),
        Setting(
            name="taxes_included",
            doc="Whether the shop's prices include tax: refunds that come alone do not say",
            required=False,
            choices=("true", "false"),
        ),
        Setting(name="zone", doc="The shop's IANA time zone, for sales by the wall clock", required=False),
        Setting(
            name="poll_since",
            doc="ISO 8601 time from which the first poll reads; else only what changes from then on",
            required=False,
            kind="time",
        ),
    ),
    operations=(
        Operation(
            name="acknowledge",
            doc="Tag the order. A tag that is there already is not added again, so a repetition does no harm",
            doubles="key",
            batch_max=TAGS_MAX,
        ),
        Operation(
            name="confirm_shipment",
            doc="Fulfil quantities with their tracking numbers; looked up by these before a second try",
            doubles="lookup",
        ),
        Operation(
            name="cancel_order",
            doc="Cancel the order, or take lines off it; looked up by its state before a second try",
            doubles="lookup",
            deadline_s=45.0,
        ),
        Operation(
            name="set_quantities",
            doc="Set what is available of SKUs at a location, absolute",
            kind="latest",
            doubles="key",
            batch_max=BATCH_MAX,
        ),
        Operation(
            name="poll",
            doc="Read the feeds `orders` (changed since), `payouts` and `balance` (Shopify Payments)",
            kind="poll",
        ),
    ),
    inbound=(
        Inbound(kind="orders/create", doc=_ORDER, whole_object=True),
        Inbound(kind="orders/updated", doc=_ORDER, whole_object=True),
        Inbound(kind="orders/paid", doc=_ORDER, whole_object=True),
        Inbound(kind="orders/fulfilled", doc=_ORDER, whole_object=True),
        Inbound(kind="orders/partially_fulfilled", doc=_ORDER, whole_object=True),
        Inbound(kind="orders/cancelled", doc=_ORDER, whole_object=True, overtakes=True),
        Inbound(
            kind="orders/delete", doc="The order is gone: what is left of it is to be stopped", overtakes=True
        ),
        Inbound(kind="fulfillments/create", doc="A shipment of an order"),
        Inbound(kind="fulfillments/update", doc="A shipment of an order, changed"),
        Inbound(kind="refunds/create", doc="Money or goods given back"),
        Inbound(kind="order_transactions/create", doc="A movement of a buyer's money"),
        Inbound(kind="tender_transactions/create", doc="The same money as it reached the till or bank"),
        Inbound(kind="disputes/create", doc="A chargeback or inquiry"),
        Inbound(kind="disputes/update", doc="A chargeback or inquiry, further on"),
        Inbound(kind="returns/request", doc="A buyer wants to return goods"),
        Inbound(kind="returns/approve", doc="A return was approved"),
        Inbound(kind="returns/update", doc="A return changed"),
        Inbound(kind="returns/decline", doc="A return was refused"),
        Inbound(kind="returns/cancel", doc="A return was called off"),
        Inbound(kind="returns/close", doc="A return is done"),
        Inbound(kind="returns/reopen", doc="A return is open again"),
        Inbound(kind="products/create", doc="A product with its variants"),
        Inbound(kind="products/update", doc="A product with its variants"),
        Inbound(kind="products/delete", doc="A product is gone"),
        Inbound(kind="variants/in_stock", doc="A variant can be sold again"),
        Inbound(kind="variants/out_of_stock", doc="A variant is sold out"),
        Inbound(kind="variants/update", doc="A variant, from its feed"),
        Inbound(kind="inventory_items/create", doc="A SKU and the item that its stock is counted under"),
        Inbound(kind="inventory_items/update", doc="A SKU and the item that its stock is counted under"),
        Inbound(kind="inventory_items/delete", doc="An inventory item is gone"),
        Inbound(kind="inventory_levels/connect", doc="What is available of an item at a location"),
        Inbound(kind="inventory_levels/update", doc="What is available of an item at a location"),
        Inbound(kind="locations/create", doc="A location"),
        Inbound(kind="locations/update", doc="A location"),
        Inbound(kind="locations/activate", doc="A location is open"),
        Inbound(kind="locations/deactivate", doc="A location is closed"),
        Inbound(kind="locations/delete", doc="A location is gone"),
        Inbound(kind="customers/redact", doc="A person wants to be forgotten"),
        Inbound(kind="customers/data_request", doc="A person wants to know what is held of them"),
        Inbound(kind="shop/redact", doc="The shop has taken the app out and wants its data gone"),
        Inbound(kind="payouts/update", doc="A transfer of Shopify Payments, from its feed"),
        Inbound(kind="balance_transactions/create", doc="A line of a payout's statement, from its feed"),
        Inbound(kind="page.orders", doc="A page of orders"),
        Inbound(kind="page.fulfillments", doc="A page of shipments"),
        Inbound(kind="page.refunds", doc="A page of refunds"),
        Inbound(kind="page.transactions", doc="A page of an order's transactions"),
        Inbound(kind="page.products", doc="A page of products"),
        Inbound(kind="page.variants", doc="A page of variants"),
        Inbound(kind="page.inventory_items", doc="A page of inventory items"),
        Inbound(kind="page.inventory_levels", doc="A page of stock levels"),
        Inbound(kind="page.locations", doc="A page of locations"),
        Inbound(kind="page.disputes", doc="A page of disputes"),
        Inbound(kind="page.payouts", doc="A page of payouts"),
        Inbound(kind="page.balance", doc="A page of balance transactions"),
    ),
    feeds=("orders", "payouts", "balance"),
    mapping_revision=3,
    limits=Limits(requests_per_s=2.0, burst=40, concurrency_max=4, page_max=250),
)
