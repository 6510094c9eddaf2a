"""What the shop sells, holds, where, and what it pays out."""

from __future__ import annotations

from datetime import UTC, datetime

from crossdock.connectors.shopify import wire_shop as wire
from crossdock.connectors.shopify.words import Shop, one_of, optional_id, reference, text_id, utc, version
from crossdock.errors import MappingError
from crossdock.model import (
    Address,
    ConnectionId,
    ExternalRef,
    Listing,
    ListingReported,
    Location,
    LocationReported,
    PaymentId,
    Payout,
    PayoutReported,
    Price,
    PriceReported,
    Product,
    ProductKind,
    ProductReported,
    Report,
    Settlement,
    SettlementId,
    SettlementKind,
    SettlementLine,
    SettlementReported,
    Sku,
    StockLevel,
    StockReported,
    UnitPrice,
    minor_units,
)

_PAYOUTS = {
    "scheduled": "scheduled",
    "in_transit": "sent",
    "paid": "paid",
    "failed": "failed",
    "canceled": "reversed",
    "cancelled": "reversed",
}
_BALANCE: dict[str, SettlementKind] = {
    "charge": "sale",
    "refund": "refund",
    "dispute": "chargeback",
    "reserve": "reserve",
    "payout": "transfer",
}


def product_reports(body: wire.ProductBody, connection: ConnectionId, shop: Shop) -> tuple[Report, ...]:
    """A product as a listing for each variant, and as a product and price of ours for each that has a SKU."""
    active = (body.status or "active") == "active"
    names = tuple(option.name or "" for option in body.options or ())
    reports: list[Report] = []
    for n, variant in enumerate(body.variants or ()):
        title = _title(body.title, variant.title)
        field = f"variants[{n}]"
        reports += _variant_reports(variant, connection, shop, title=title, active=active, path=field)
        if variant.sku:
            reports.append(_product(body, variant, connection, title=title, names=names, active=active))
    return tuple(reports)


def product_deleted(product_id: str, connection: ConnectionId) -> ProductReported:
    """A product that is gone; Shopify names only its id, so every SKU that came of it is meant."""
    ref = ExternalRef(connection=connection, kind="product", id=product_id)
    product = Product(sku=Sku(""), connection=connection, external_refs=(ref,), active=False)
    return ProductReported(product=product, deleted=True)


def variant_reports(body: wire.VariantBody, connection: ConnectionId, shop: Shop) -> tuple[Report, ...]:
    """A variant that comes without its product."""
    return tuple(_variant_reports(body, connection, shop, title=body.title or "", active=True, path=""))


def item_report(body: wire.ItemBody, connection: ConnectionId, deleted: bool) -> ProductReported:
    """An inventory item: what ties a SKU to the id under which Shopify counts its stock."""
    item_id = text_id(body.id)
    updated = utc(body.updated_at, "updated_at")
    product = Product(
        sku=Sku(body.sku or ""),
        connection=connection,
        version=version(updated, 0) if updated else "",
        kind="digital" if body.requires_shipping is False else "goods",
        origin_country=body.country_code_of_origin or "",
        customs_code=body.harmonized_system_code or "",
        active=not deleted,
        external_refs=(ExternalRef(connection=connection, kind="inventory_item", id=item_id),),
        channel_updated_at=updated,
    )
    return ProductReported(product=product, deleted=deleted)


def level_report(body: wire.LevelBody, connection: ConnectionId, shop: Shop) -> StockReported:
    """What the shop still sells of one inventory item at one location, net of its own open orders.

    Shopify names no SKU here. The item's id stands in its place as "inventory_item/ID" and is resolved by the product
    that bears it; `available` null is not known, which is not zero.
    """
    location_id = text_id(body.location_id, "location_id")
    updated = utc(body.updated_at, "updated_at")
    level = StockLevel(
        sku=Sku(f"inventory_item/{text_id(body.inventory_item_id, 'inventory_item_id')}"),
        location=shop.location(location_id),
        location_ref=ExternalRef(connection=connection, kind="location", id=location_id),
        connection=connection,
        on_hand=body.available,
        basis="net",
        net_of=("reserved", "safety_stock", "quarantined"),
        as_of=updated,
        version=version(updated, 0) if updated else "",
    )
    return StockReported(levels=(level,))


def location_report(
    body: wire.LocationBody, connection: ConnectionId, shop: Shop, deleted: bool
) -> LocationReported:
    """A place of the shop's; ours where it is mapped."""
    location_id = text_id(body.id)
    lines = tuple(line for line in (body.address1, body.address2) if line)
    address = Address(
        lines=lines,
        city=body.city or "",
        region=body.province_code or body.province or "",
        postal_code=body.zip or "",
        country=body.country_code or body.country or "",
        phone=body.phone or "",
    )
    return LocationReported(
        location=Location(
            id=shop.location(location_id),
            name=body.name or "",
            address=None if address == Address() else address,
            active=body.active is not False and not deleted,
            zone=shop.zone or "UTC",
            external_refs=(ExternalRef(connection=connection, kind="location", id=location_id),),
        ),
        deleted=deleted,
    )


def payout_report(body: wire.PayoutBody, connection: ConnectionId) -> PayoutReported:
    """A transfer to the bank; its own statement has its id. Shopify gives a day, which is told as its midnight UTC."""
    payout_id = text_id(body.id)
    day = datetime(body.date.year, body.date.month, body.date.day, tzinfo=UTC)
    state = one_of(_PAYOUTS, body.status, "status")
    payout = Payout(
        connection=connection,
        external_id=payout_id,
        currency=body.currency,
        amount=minor_units(body.amount, body.currency, field="amount"),
        version=version(day, list(_PAYOUTS).index(body.status)),
        settlements=(ExternalRef(connection=connection, kind="settlement", id=payout_id),),
        state=state,  # type: ignore[arg-type]
        sent_at=day if state in ("sent", "paid") else None,
        paid_at=day if state == "paid" else None,
    )
    return PayoutReported(payout=payout)


def balance_report(body: wire.BalanceBody, connection: ConnectionId) -> SettlementReported:
    """One line of the statement that a payout pays; what waits for its payout stands in an open statement."""
    currency = body.currency
    gross, fees, net = (
        minor_units(amount, currency, field=field)
        for amount, field in ((body.amount, "amount"), (body.fee, "fee"), (body.net, "net"))
    )
    if gross - fees != net:
        raise MappingError(
            f"net: amount {body.amount} less fee {body.fee} is not {body.net}. Ask for the transaction again.",
            field="net",
        )
    payout_id = optional_id(body.payout_id, "payout_id")
    statement = SettlementId(payout_id or "open")
    settlement = Settlement(
        connection=connection,
        external_id=statement,
        currency=currency,
        state="closed" if payout_id else "open",
    )
    order_id = optional_id(body.source_order_id)
    line = SettlementLine(
        settlement=statement,
        kind=_BALANCE.get(body.type, "adjustment"),
        gross=gross,
        fees=fees,
        tax_withheld=0,
        net=net,
        currency=currency,
        external_id=text_id(body.id),
        external_kind=f"{body.type}/{body.source_type or ''}",
        order_ref=reference(connection, "order", order_id) if order_id not in ("", "0") else None,
        payment=PaymentId(_not_zero(optional_id(body.source_order_transaction_id))),
    )
    return SettlementReported(settlement=settlement, lines=(line,))


def _variant_reports(
    body: wire.VariantBody, connection: ConnectionId, shop: Shop, *, title: str, active: bool, path: str
) -> list[Report]:
    prefix = f"{path}." if path else ""
    updated = utc(body.updated_at, f"{prefix}updated_at")
    at_version = version(updated, 0) if updated else ""
    listing = Listing(
        connection=connection,
        external_id=text_id(body.id, f"{prefix}id"),
        sku=Sku(body.sku or ""),
        external_sku=body.sku or "",
        stock_ref=optional_id(body.inventory_item_id, f"{prefix}inventory_item_id"),
        title=title,
        version=at_version,
        active=active,
        channel_updated_at=updated,
    )
    reports: list[Report] = [ListingReported(listing=listing)]
    if body.sku and body.price is not None and shop.currency:
        price = Price(
            sku=Sku(body.sku),
            currency=shop.currency,
            unit_price=UnitPrice.parse(body.price, field=f"{prefix}price"),
            includes_tax=shop.taxes_included == "true",
            connection=connection,
            version=at_version,
        )
        reports.append(PriceReported(price=price))
    return reports


def _product(
    body: wire.ProductBody,
    variant: wire.VariantBody,
    connection: ConnectionId,
    *,
    title: str,
    names: tuple[str, ...],
    active: bool,
) -> ProductReported:
    kind: ProductKind = "digital" if variant.requires_shipping is False else "goods"
    if (body.product_type or "").lower() == "gift card":
        kind = "gift_card"
    refs = (
        reference(connection, "product", body.id),
        reference(connection, "listing", variant.id),
        reference(connection, "inventory_item", variant.inventory_item_id),
    )
    values = (variant.option1, variant.option2, variant.option3)
    options = ((names[n] if n < len(names) else "", value) for n, value in enumerate(values))
    updated = utc(variant.updated_at or body.updated_at, "updated_at")
    product = Product(
        sku=Sku(variant.sku or ""),
        name=title,
        connection=connection,
        external_id=optional_id(variant.id),
        version=version(updated, 0) if updated else "",
        kind=kind,
        barcodes=(variant.barcode,) if variant.barcode else (),
        options=tuple((name, value) for name, value in options if value),
        brand=body.vendor or "",
        weight_grams=None if variant.grams is None else round(variant.grams),
        active=active,
        external_refs=tuple(ref for ref in refs if ref is not None),
        channel_updated_at=updated,
    )
    return ProductReported(product=product)


def _title(product: str | None, variant: str | None) -> str:
    """The product's title and the variant's, which is "Default Title" where there is only one."""
    if not variant or variant == "Default Title":
        return product or ""
    return f"{product or ''} - {variant}".strip(" -")


def _not_zero(value: str) -> str:
    """Shopify writes 0 for an id that there is not."""
    return "" if value == "0" else value
