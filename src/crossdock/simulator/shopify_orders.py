"""Orders as a Shopify shop would have them, out of seeded dice: prices, taxes and discounts that add up to the cent.

Ids only grow and are made of the order's number, so that an order can be known by its id alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND

Body = dict[str, Any]
Change = Callable[[Body, int], None]

ORDER_ID = 5_600_000_000_000
LINE_ID = 14_000_000_000_000
VARIANT_ID = 44_000_000_000_000
ITEM_ID = 46_000_000_000_000
LINES_MAX = 10

_ZONE = timezone(timedelta(hours=-5))
_NAMES = ("Ada Byron", "Jean Bart", "Mette Olsen", "Rosa Klee", "Tom Sawyer", "Yuki Abe", "Zoë Åberg")
_PLACES = (
    ("Lindenstr. 4", "Köln", "50674", "DE", "Germany"),
    ("12 Rue de Lille", "Paris", "75007", "FR", "France"),
    ("Keizersgracht 8", "Amsterdam", "1015 CS", "NL", "Netherlands"),
    ("Via Roma 31", "Torino", "10123", "IT", "Italy"),
)
_GOODS = ("Shirt", "Jacket", "Mug", "Lamp", "Notebook", "Scarf", "Bag", "Clock", "Poster", "Candle")
_encode = msgspec.json.Encoder().encode


class Catalogue(msgspec.Struct, frozen=True):
    """What the shop sells; the price of a SKU is the same for every seed."""

    skus: tuple[str, ...]

    @classmethod
    def of(cls, given: Sequence[str] | int) -> Catalogue:
        """These SKUs, or as many as SKU-0001, SKU-0002 ..."""
        return cls(
            tuple(f"SKU-{n + 1:04d}" for n in range(given)) if isinstance(given, int) else tuple(given)
        )

    def price(self, index: int) -> int:
        """Price of one, in cents: 4.95 to 149.95."""
        return 495 + 1000 * (index * 7 % 15) + 500 * (index % 2)


def order_id(number: int) -> int:
    """The id of the order with this number, counted from 0."""
    return ORDER_ID + number


def line_id(number: int, position: int) -> int:
    """The id of one of its lines."""
    return LINE_ID + number * LINES_MAX + position


def stamp(now: int) -> str:
    """A time as Shopify writes it: whole seconds, in the shop's zone."""
    return datetime.fromtimestamp(now // SECOND, tz=_ZONE).isoformat()


def triggered(now: int) -> str:
    """The time of a delivery's cause, which Shopify writes to the nanosecond."""
    moment = datetime.fromtimestamp(now // SECOND, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now % SECOND * 1000:09d}Z"


def make_order(
    number: int, now: int, dice: random.Random, catalogue: Catalogue, *, lines: int = 0, currency: str = "EUR"
) -> Body:
    """One new order of 1 to 4 lines (or of `lines`), whose parts add up."""
    included = dice.random() < 0.6
    count = lines or dice.choice((1, 1, 2, 2, 3, 4))
    chosen = dice.sample(range(len(catalogue.skus)), min(count, len(catalogue.skus)))
    items = [_line(number, n, index, dice, catalogue) for n, index in enumerate(chosen)]
    code = dice.random() < 0.2
    discounts = [item["_cents"] // 10 if code else 0 for item in items]
    shipping = dice.choice((0, 490, 490, 790))
    taxes = 0
    for item, discount in zip(items, discounts, strict=True):
        cents = item.pop("_cents") - discount
        tax = _tax(cents, included)
        taxes += tax
        item["tax_lines"] = [_tax_line(tax)]
        if discount:
            item["discount_allocations"] = [{"amount": _text(discount), "discount_application_index": 0}]
        item["_net"] = cents
    subtotal = sum(item.pop("_net") for item in items)
    shipping_tax = _tax(shipping, included)
    taxes += shipping_tax
    total = subtotal + shipping + (0 if included else taxes)
    at = stamp(now)
    name = dice.choice(_NAMES)
    body = _head(number, at, name, currency, dice)
    body.update(
        total_price=_text(total),
        current_total_price=_text(total),
        subtotal_price=_text(subtotal),
        total_line_items_price=_text(subtotal + sum(discounts)),
        total_discounts=_text(sum(discounts)),
        total_tax=_text(taxes),
        taxes_included=included,
        line_items=items,
        shipping_lines=[_shipping_line(number, shipping, shipping_tax)],
        discount_applications=[_application()] if code else [],
    )
    return body


def quick_orders(first: int, count: int, now: int, seed: int, catalogue: Catalogue) -> Iterator[bytes]:
    """Bodies of 2 to 3 kB with three lines each, made from a few templates: ids grow, everything else repeats."""
    dice = random.Random(seed)
    templates = [_template(make_order(0, now, dice, catalogue, lines=3)) for _ in range(64)]
    for number in range(first, first + count):
        parts = templates[number % len(templates)]
        order = b"%d" % order_id(number)
        line = b"%d" % (line_id(number, 0) // LINES_MAX)
        name = b"#%d" % (number + 1001)
        yield order.join(line.join(name.join(piece) for piece in pieces) for pieces in parts)


def returned(body: Body) -> dict[str, int]:
    """What a shop has taken back of an order's lines, as its refunds say."""
    found: dict[str, int] = {}
    for refund in body["refunds"]:
        for item in refund["refund_line_items"]:
            if item["restock_type"] == "return":
                line = str(item["line_item_id"])
                found[line] = found.get(line, 0) + item["quantity"]
    return found


def cancel(body: Body, now: int) -> None:
    """Cancel an order: the shop gives back at once what is left of the money, and restocks."""
    if body["cancelled_at"] is not None:
        return
    body["cancelled_at"] = stamp(now)
    body["cancel_reason"] = body.get("cancel_reason") or "customer"
    was_paid = body["financial_status"] in ("paid", "partially_refunded")
    body["financial_status"] = "refunded" if was_paid else "voided"
    lines = [
        {
            "id": item["id"] + 1,
            "line_item_id": item["id"],
            "quantity": item["current_quantity"],
            "restock_type": "cancel",
            "location_id": None,
            "subtotal": 0,
            "total_tax": 0,
        }
        for item in body["line_items"]
        if item["current_quantity"]
    ]
    money = {
        "id": body["id"] + 900_000_000_000,
        "kind": "refund",
        "status": "success",
        "gateway": "shopify_payments",
        "amount": _text(_left(body)),
        "currency": body["currency"],
        "created_at": stamp(now),
    }
    body["refunds"].append(
        {
            "id": body["id"] + 800_000_000_000,
            "order_id": body["id"],
            "created_at": stamp(now),
            "processed_at": stamp(now),
            "note": None,
            "refund_line_items": lines,
            "transactions": [money] if was_paid and _left(body) else [],
            "order_adjustments": [],
        }
    )
    for item in body["line_items"]:
        item["current_quantity"] = 0
    body["current_total_price"] = "0.00"


def _left(body: Body) -> int:
    """What was paid and is not given back, nor about to be, in cents."""
    gone = sum(
        round(float(money["amount"]) * 100)
        for refund in body["refunds"]
        for money in refund["transactions"]
        if money["status"] in ("success", "pending")
    )
    return max(0, round(float(body["total_price"]) * 100) - gone)


def _template(body: Mapping[str, Any]) -> list[list[list[bytes]]]:
    """Cut an order where its ids and name stand: by order id, within that by line ids, within these by name."""
    raw = _encode(body)
    order, line, name = b"%d" % order_id(0), b"%d" % (line_id(0, 0) // LINES_MAX), b"#1001"
    return [[piece.split(name) for piece in part.split(line)] for part in raw.split(order)]


def _head(number: int, at: str, name: str, currency: str, dice: random.Random) -> Body:
    first, _, last = name.partition(" ")
    street, city, zip_code, country_code, country = dice.choice(_PLACES)
    address = {
        "first_name": first,
        "last_name": last,
        "name": name,
        "address1": street,
        "city": city,
        "zip": zip_code,
        "country": country,
        "country_code": country_code,
    }
    email = f"buyer{number % 997}@example.com"
    return {
        "id": order_id(number),
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id(number)}",
        "name": f"#{number + 1001}",
        "order_number": number + 1001,
        "currency": currency,
        "presentment_currency": currency,
        "financial_status": "paid",
        "fulfillment_status": None,
        "confirmed": True,
        "test": False,
        "source_name": "web",
        "location_id": None,
        "created_at": at,
        "processed_at": at,
        "updated_at": at,
        "cancelled_at": None,
        "email": email,
        "contact_email": email,
        "customer_locale": "en-DE",
        "note": None,
        "tags": "",
        "payment_gateway_names": ["shopify_payments"],
        "billing_address": address,
        "shipping_address": address,
        "customer": {
            "id": 7_000_000_000_000 + number % 997,
            "email": email,
            "first_name": first,
            "last_name": last,
        },
        "fulfillments": [],
        "refunds": [],
        "payment_terms": None,
    }


def _line(number: int, position: int, index: int, dice: random.Random, catalogue: Catalogue) -> Body:
    quantity = dice.choice((1, 1, 1, 2, 3))
    price = catalogue.price(index)
    sku = catalogue.skus[index]
    title = f"{_GOODS[index % len(_GOODS)]} {index + 1}"
    return {
        "id": line_id(number, position),
        "variant_id": VARIANT_ID + index,
        "product_id": VARIANT_ID - 1_000_000 + index,
        "sku": sku,
        "title": title,
        "name": title,
        "quantity": quantity,
        "current_quantity": quantity,
        "fulfillment_service": "manual",
        "gift_card": False,
        "requires_shipping": True,
        "taxable": True,
        "price": _text(price),
        "discount_allocations": [],
        "_cents": price * quantity,
    }


def _shipping_line(number: int, price: int, tax: int) -> Body:
    return {
        "id": line_id(number, LINES_MAX - 1),
        "title": "Standard",
        "code": "Standard",
        "source": "shopify",
        "price": _text(price),
        "discounted_price": _text(price),
        "tax_lines": [_tax_line(tax)] if price else [],
        "discount_allocations": [],
    }


def _application() -> Body:
    return {
        "type": "discount_code",
        "code": "WELCOME10",
        "value": "10.0",
        "value_type": "percentage",
        "target_type": "line_item",
        "target_selection": "all",
        "allocation_method": "across",
    }


def _tax_line(amount: int) -> Body:
    return {"title": "VAT", "rate": 0.19, "price": _text(amount), "channel_liable": False}


def _tax(cents: int, included: bool) -> int:
    """Nineteen per cent of, or within, an amount; half a cent goes up."""
    return (cents * 38 + 119) // 238 if included else (cents * 38 + 100) // 200


def _text(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
