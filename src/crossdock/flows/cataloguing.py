"""Products and prices as their master tells them: kept, and asked when an order comes."""

from __future__ import annotations

from crossdock.domain.products import with_price, with_product
from crossdock.domain.scales import stock_scale
from crossdock.flows.desk import Desk
from crossdock.model.reports import PriceReported, ProductReported


def take_product(desk: Desk, report: ProductReported) -> str:
    """Keep a product, unless what we hold is as new. Returns the outcome."""
    product = report.product
    held = desk.catalogue.card(product.sku)
    card = with_product(held, product, deleted=report.deleted)
    if card is None:
        desk.event("product.stale_ignored", {"sku": product.sku, "version": product.version})
        return "stale"
    before = stock_scale(held)
    desk.catalogue.put(product.sku, card)
    if (before or 0) != stock_scale(card) and desk.ledger.counted(product.sku):
        desk.catalogue.count_in(product.sku, before or 0)  # what stands is counted so
    desk.event("product.kept", {"sku": product.sku, "version": product.version, "deleted": report.deleted})
    return "processed"


def take_price(desk: Desk, report: PriceReported) -> str:
    """Keep a price. Returns the outcome."""
    price = report.price
    desk.catalogue.put(price.sku, with_price(desk.catalogue.card(price.sku), price))
    desk.event(
        "price.kept", {"sku": price.sku, "currency": price.currency, "unit_price": str(price.unit_price)}
    )
    return "processed"
