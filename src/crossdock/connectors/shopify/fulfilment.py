"""Which of Shopify's fulfilment orders a shipment fulfils, and which of its fulfilments are it already."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.connectors.shopify.words import optional_id
from crossdock.model import LineId, Shipment
from crossdock.sdk.calls import Refused

_OPEN = ("OPEN", "IN_PROGRESS")
_GONE = ("CANCELLED", "ERROR", "FAILURE")


class Item(msgspec.Struct, frozen=True, gc=False):
    id: str


class Located(msgspec.Struct, frozen=True, gc=False):
    location: Item | None = None


class Open(msgspec.Struct, rename="camel", frozen=True, gc=False):
    id: str
    remaining_quantity: int
    line_item: Item


class OpenLines(msgspec.Struct, frozen=True, gc=False):
    nodes: list[Open] = []


class FulfilmentOrder(msgspec.Struct, rename="camel", frozen=True, gc=False):
    id: str
    status: str
    assigned_location: Located | None = None
    line_items: OpenLines = OpenLines()

    @property
    def place(self) -> str:
        """Shopify's id of the location that is to ship it."""
        at = self.assigned_location
        return "" if at is None or at.location is None else optional_id(at.location.id)


class FulfilmentOrders(msgspec.Struct, frozen=True, gc=False):
    nodes: list[FulfilmentOrder] = []


class Sent(msgspec.Struct, rename="camel", frozen=True, gc=False):
    quantity: int
    line_item: Item


class SentLines(msgspec.Struct, frozen=True, gc=False):
    nodes: list[Sent] = []


class Number(msgspec.Struct, frozen=True, gc=False):
    number: str | None = None


class Fulfilment(msgspec.Struct, rename="camel", frozen=True, gc=False):
    id: str
    status: str
    tracking_info: list[Number] = []
    fulfillment_line_items: SentLines = SentLines()

    def lines(self) -> dict[LineId, int]:
        """What it holds, per line."""
        found: dict[LineId, int] = {}
        for sent in self.fulfillment_line_items.nodes:
            line = LineId(optional_id(sent.line_item.id))
            found[line] = found.get(line, 0) + sent.quantity
        return found


class OrderFulfilments(msgspec.Struct, rename="camel", frozen=True, gc=False):
    id: str
    fulfillment_orders: FulfilmentOrders = FulfilmentOrders()
    fulfillments: list[Fulfilment] = []


class Fulfilments(msgspec.Struct, frozen=True, gc=False):
    order: OrderFulfilments | None = None


def missing(found: OrderFulfilments, shipment: Shipment) -> tuple[dict[LineId, int], str]:
    """What of a shipment is not fulfilled yet, and the id of the fulfilment that holds the rest of it.

    A fulfilment is ours by its tracking numbers. A shipment without any is known by its lines alone, so of two equal
    ones the second would be taken for the first: give every parcel a number.
    """
    wanted = {line.line: line.quantity for line in shipment.lines}
    numbers = {package.tracking_number for package in shipment.packages if package.tracking_number}
    reference = ""
    for fulfilment in found.fulfillments:
        held = fulfilment.lines()
        given = {info.number for info in fulfilment.tracking_info if info.number}
        if fulfilment.status in _GONE or given != numbers:
            continue
        if all(wanted.get(line, 0) >= quantity for line, quantity in held.items()):
            reference = reference or optional_id(fulfilment.id)
            wanted = {line: left for line, q in wanted.items() if (left := q - held.get(line, 0)) > 0}
    return wanted, reference


def allocate(
    found: OrderFulfilments, wanted: dict[LineId, int], place: str
) -> list[list[dict[str, Any]]] | Refused:
    """Spread quantities over the open fulfilment orders; one group per location, for one call may not mix them."""
    left = dict(wanted)
    groups: dict[str, list[dict[str, Any]]] = {}
    orders = [order for order in found.fulfillment_orders.nodes if order.status in _OPEN]
    orders.sort(key=lambda order: order.place != place)
    for order in orders:
        lines = []
        for item in order.line_items.nodes:
            line = LineId(optional_id(item.line_item.id))
            quantity = min(left.get(line, 0), item.remaining_quantity)
            if quantity > 0:
                left[line] -= quantity
                lines.append({"id": item.id, "quantity": quantity})
        if lines:
            groups.setdefault(order.place, []).append(
                {"fulfillmentOrderId": order.id, "fulfillmentOrderLineItems": lines}
            )
    short = [line for line, quantity in left.items() if quantity > 0]
    if short:
        held = any(order.status == "ON_HOLD" for order in found.fulfillment_orders.nodes)
        why = "they are on hold there" if held else "nothing open is left of them"
        return Refused(
            reason=f"Shopify cannot take the shipment of lines {', '.join(short[:5])}: {why}.",
            code="on_hold" if held else "not_open",
            field="lineItemsByFulfillmentOrder",
        )
    return list(groups.values())


def tracking(shipment: Shipment) -> dict[str, Any]:
    """The parcels of a shipment, as one fulfilment bears them."""
    packages = shipment.packages
    info: dict[str, Any] = {}
    if carrier := next((package.carrier for package in packages if package.carrier), ""):
        info["company"] = carrier
    numbers = list(dict.fromkeys(package.tracking_number for package in packages if package.tracking_number))
    if numbers:
        info["numbers"] = numbers
    if links := [package.tracking_url for package in packages if package.tracking_url]:
        info["urls"] = links
    return info
