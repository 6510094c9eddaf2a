"""The simulated shop's Admin API: the documents that our connector sends, answered by their operation name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from crossdock.simulator.base import SimRequest, SimResponse, json_response
from crossdock.simulator.shopify_orders import (
    ITEM_ID,
    LINES_MAX,
    ORDER_ID,
    Body,
    Catalogue,
    Change,
    cancel,
    line_id,
    returned,
    stamp,
)

BELIEVED_LINES = 4
BELIEVED_QUANTITY = 1_000


class Shop(Protocol):
    """What the Admin API stands on."""

    catalogue: Catalogue
    listed: tuple[str, ...]
    orders: dict[int, bytes]

    def order(self, order_id: int) -> Body | None:
        """The order as it is."""
        ...

    def change(self, order_id: int, now: int, edit: Change) -> None:
        """Change an order."""
        ...

    def echo(self, topic: str, body: Callable[[], bytes | None], now: int) -> None:
        """Plan a webhook."""
        ...


class Fulfillment(msgspec.Struct, gc=False):
    """A fulfilment as the shop holds it."""

    id: int
    order_id: int
    lines: dict[str, int]
    numbers: tuple[str, ...]
    company: str
    created_at: str


class Request(msgspec.Struct, gc=False):
    """A GraphQL request."""

    operationName: str
    variables: dict[str, Any] = {}


_decode = msgspec.json.Decoder(Request).decode
_encode = msgspec.json.Encoder().encode


class Admin:
    """State of what was asked. `shown`: each SKU's quantity, and since when (microseconds). `believe`: every order exists, with lines enough, and nothing is kept of it."""

    def __init__(self, shop: Shop, location: str, *, believe: bool) -> None:
        self._shop = shop
        self._location = location
        self._believe = believe
        self._items = {sku: n for n, sku in enumerate(shop.listed)}
        self.fulfillments: dict[int, list[Fulfillment]] = {}
        self.quantities: dict[str, int] = {}
        self.shown: dict[str, tuple[int, int]] = {}
        self.counts = dict.fromkeys(
            ("tags", "tags_again", "fulfillments", "cancellations", "removals", "quantities", "refused"), 0
        )
        self._made = 0
        self._answers: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "tag": self._tag,
            "tags": self._tag_many,
            "fulfilments": self._fulfilments,
            "fulfil": self._fulfil,
            "cancel": self._cancel,
            "cancelled": self._cancelled,
            "remove": self._remove,
            "items": self._find_items,
            "setQuantities": self._set_quantities,
        }

    def answer(self, body: bytes, now: int) -> SimResponse:
        """Answer one document; an unknown one is an error in a 200, as Shopify has it."""
        try:
            request = _decode(body)
        except msgspec.DecodeError as error:
            return json_response({"errors": {"query": str(error)}}, 400)
        answer = self._answers.get(request.operationName)
        if answer is None:
            return json_response({"errors": [{"message": f"No operation named {request.operationName!r}"}]})
        return json_response({"data": answer(request.variables, now)})

    def fulfilled(self, order_id: int) -> dict[str, int]:
        """What was fulfilled of an order, per line."""
        found: dict[str, int] = {}
        for fulfillment in self.fulfillments.get(order_id, ()):
            for line, quantity in fulfillment.lines.items():
                found[line] = found.get(line, 0) + quantity
        return found

    def _change(self, order_id: int, topic: str, now: int, edit: Change) -> None:
        """Change an order; its webhook follows with what it is by then."""
        self._shop.change(order_id, now, edit)
        self._shop.echo(topic, lambda: self._shop.orders.get(order_id), now)

    def _tag(self, variables: dict[str, Any], now: int) -> Any:
        return {"tagsAdd": self._tagged(variables["id"], variables["tags"], now)}

    def _tag_many(self, variables: dict[str, Any], now: int) -> Any:
        """Each order under its alias: `$i0` is answered as `a0`."""
        tags = variables.pop("tags")
        return {f"a{name[1:]}": self._tagged(order, tags, now) for name, order in variables.items()}

    def _tagged(self, gid_: str, wanted: list[str], now: int) -> Body:
        order_id = _number(gid_)
        self.counts["tags"] += 1
        if self._believe:
            return {"node": {"id": gid_}, "userErrors": []}
        order = self._shop.order(order_id)
        if order is None:
            return {"node": None, "userErrors": self._error(["id"], "Order does not exist")}
        tags = [tag for tag in order["tags"].split(", ") if tag]
        new = [tag for tag in wanted if tag not in tags]
        if new:

            def edit(body: Body, _: int) -> None:
                body["tags"] = ", ".join(tags + new)

            self._change(order_id, "orders/updated", now, edit)
        else:
            self.counts["tags_again"] += 1
        return {"node": {"id": gid_}, "userErrors": []}

    def _fulfilments(self, variables: dict[str, Any], now: int) -> Any:
        order_id = _number(variables["id"])
        lines = self._open_lines(order_id)
        if lines is None:
            return {"order": None}
        nodes = [
            {
                "id": gid("FulfillmentOrderLineItem", line),
                "remainingQuantity": left,
                "lineItem": {"id": gid("LineItem", line)},
            }
            for line, left in lines.items()
        ]
        opened = {
            "id": gid("FulfillmentOrder", order_id),
            "status": "OPEN" if any(lines.values()) else "CLOSED",
            "assignedLocation": {"location": {"id": gid("Location", self._location)}},
            "lineItems": {"nodes": nodes},
        }
        made = [
            {
                "id": gid("Fulfillment", item.id),
                "status": "SUCCESS",
                "trackingInfo": [{"number": number} for number in item.numbers],
                "fulfillmentLineItems": {
                    "nodes": [
                        {"quantity": quantity, "lineItem": {"id": gid("LineItem", line)}}
                        for line, quantity in item.lines.items()
                    ]
                },
            }
            for item in self.fulfillments.get(order_id, ())
        ]
        return {
            "order": {"id": variables["id"], "fulfillmentOrders": {"nodes": [opened]}, "fulfillments": made}
        }

    def _open_lines(self, order_id: int) -> dict[str, int] | None:
        """What is still to be fulfilled per line; None where there is no such order."""
        if self._believe:
            first = order_id - ORDER_ID
            return {str(line_id(first, n)): BELIEVED_QUANTITY for n in range(BELIEVED_LINES)}
        order = self._shop.order(order_id)
        if order is None:
            return None
        sent, back = self.fulfilled(order_id), returned(order)
        held = {str(item["id"]): item["current_quantity"] for item in order["line_items"]}
        return {line: max(0, n + back.get(line, 0) - sent.get(line, 0)) for line, n in held.items()}

    def _fulfil(self, variables: dict[str, Any], now: int) -> Any:
        wanted = variables["fulfillment"]
        order_id, lines = 0, dict[str, int]()
        for group in wanted["lineItemsByFulfillmentOrder"]:
            order_id = _number(group["fulfillmentOrderId"])
            for item in group["fulfillmentOrderLineItems"]:
                line = str(_number(item["id"]))
                lines[line] = lines.get(line, 0) + item["quantity"]
        left = self._open_lines(order_id) or {}
        if any(quantity > left.get(line, 0) for line, quantity in lines.items()):
            error = self._error(["fulfillment"], "Invalid fulfillment order line item quantity requested.")
            return {"fulfillmentCreate": {"fulfillment": None, "userErrors": error}}
        self._made += 1
        self.counts["fulfillments"] += 1
        made = 4_400_000_000_000 + self._made
        if not self._believe:
            tracking = wanted.get("trackingInfo") or {}
            numbers = tuple(tracking.get("numbers", ()))
            found = Fulfillment(made, order_id, lines, numbers, tracking.get("company", ""), stamp(now))
            self._keep(found, now)
        fulfillment = {"id": gid("Fulfillment", made), "status": "SUCCESS"}
        return {"fulfillmentCreate": {"fulfillment": fulfillment, "userErrors": []}}

    def _keep(self, found: Fulfillment, now: int) -> None:
        order_id = found.order_id
        self.fulfillments.setdefault(order_id, []).append(found)
        shown = _shown(found, self._location)
        done = not any((self._open_lines(order_id) or {}).values())

        def edit(body: Body, _: int) -> None:
            body["fulfillments"].append(shown)
            body["fulfillment_status"] = "fulfilled" if done else "partial"

        self._shop.echo("fulfillments/create", lambda: _encode(shown), now)
        topic = "orders/fulfilled" if done else "orders/partially_fulfilled"
        self._change(order_id, topic, now, edit)

    def _cancel(self, variables: dict[str, Any], now: int) -> Any:
        order_id = _number(variables["id"])
        order = self._shop.order(order_id)
        if not self._believe and (order is None or order["cancelled_at"] is not None):
            error = self._error(["orderId"], "Order cannot be cancelled", code="INVALID")
            return {"orderCancel": {"job": None, "orderCancelUserErrors": error}}
        self.counts["cancellations"] += 1
        reason = variables["reason"].lower()

        def edit(body: Body, at: int) -> None:
            body["cancel_reason"] = reason
            cancel(body, at)

        self._change(order_id, "orders/cancelled", now, edit)
        job = {"id": gid("Job", order_id), "done": self._believe}
        return {"orderCancel": {"job": job, "orderCancelUserErrors": []}}

    def _cancelled(self, variables: dict[str, Any], now: int) -> Any:
        order = self._shop.order(_number(variables["id"]))
        if order is None:
            return {"order": None}
        refunds = [{"id": gid("Refund", item["id"]), "note": item["note"]} for item in order["refunds"]]
        return {"order": {"id": variables["id"], "cancelledAt": order["cancelled_at"], "refunds": refunds}}

    def _remove(self, variables: dict[str, Any], now: int) -> Any:
        wanted = variables["input"]
        order_id = _number(wanted["orderId"])
        lines = {str(_number(item["lineItemId"])): item["quantity"] for item in wanted["refundLineItems"]}
        left = self._open_lines(order_id)
        if left is None or any(quantity > left.get(line, 0) for line, quantity in lines.items()):
            error = self._error(
                ["refundLineItems", "0", "quantity"], "Quantity cannot refund more items than were purchased"
            )
            return {"refundCreate": {"refund": None, "userErrors": error}}
        self.counts["removals"] += 1
        self._made += 1
        made = 900_000_000_000 + self._made

        def edit(body: Body, at: int) -> None:
            items = []
            for n, (line, quantity) in enumerate(lines.items()):
                for item in body["line_items"]:
                    if str(item["id"]) == line:
                        item["current_quantity"] -= quantity
                items.append(
                    {
                        "id": made + n,
                        "line_item_id": int(line),
                        "quantity": quantity,
                        "restock_type": "no_restock",
                    }
                )
            refund = {"id": made, "note": wanted["note"], "created_at": stamp(at), "transactions": []}
            body["refunds"].append({**refund, "refund_line_items": items})

        self._change(order_id, "orders/updated", now, edit)
        return {"refundCreate": {"refund": {"id": gid("Refund", made)}, "userErrors": []}}

    def _find_items(self, variables: dict[str, Any], now: int) -> Any:
        """Search as Shopify does: by words, so that more may be found than was meant."""
        wanted = [part.removeprefix('sku:"').removesuffix('"') for part in variables["query"].split(" OR ")]
        nodes = [
            {"id": gid("InventoryItem", ITEM_ID + self._items[sku]), "sku": sku}
            for sku in wanted
            if sku in self._items
        ]
        return {"inventoryItems": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}}

    def _set_quantities(self, variables: dict[str, Any], now: int) -> Any:
        lines = variables["input"]["quantities"]
        errors = [
            {
                "field": ["input", "quantities", str(n), "quantity"],
                "message": "must not be negative",
                "code": "INVALID",
            }
            for n, line in enumerate(lines)
            if line["quantity"] < 0
        ]
        if errors:
            self.counts["refused"] += 1
        else:
            self.counts["quantities"] += len(lines)
            for line in lines:
                sku = self._shop.listed[_number(line["inventoryItemId"]) - ITEM_ID]
                if self.quantities.get(sku) != line["quantity"]:
                    self.shown[sku] = (line["quantity"], now)
                self.quantities[sku] = line["quantity"]
        return {"inventorySetQuantities": {"userErrors": errors}}

    def _error(self, field: list[str], message: str, code: str | None = None) -> list[Body]:
        self.counts["refused"] += 1
        return [{"field": field, "message": message, "code": code}]


def page_of(bodies: Iterable[bytes], request: SimRequest) -> SimResponse:
    """One page of orders by the time of their last change, with a Link to the next one."""
    query: Mapping[str, str] = request.query
    limit = min(250, int(query.get("limit", "50")))
    mark = query.get("page_info", "")
    if mark:
        since, after, query = *mark.split("|")[:2], {"updated_at_max": mark.split("|")[2]}
    else:
        since, after = query.get("updated_at_min", ""), "0"
    until = _comparable(query.get("updated_at_max", "")) or "~"
    found = []
    for raw in bodies:
        head = _head(raw)
        if (_comparable(since), int(after)) < (head.updated_at, head.id) and head.updated_at <= until:
            found.append((head.updated_at, head.id, raw))
    found.sort()
    page = found[:limit]
    headers = {"content-type": "application/json"}
    if len(found) > limit:
        following = quote(f"{page[-1][0]}|{page[-1][1]}|{query.get('updated_at_max', '')}", safe="")
        headers["link"] = f'<https://simulated{request.path}?limit={limit}&page_info={following}>; rel="next"'
    body = b'{"orders":[' + b",".join(raw for _, _, raw in page) + b"]}"
    return SimResponse(headers=headers, body=body)


class _Head(msgspec.Struct, gc=False):
    id: int
    updated_at: str


_head = msgspec.json.Decoder(_Head).decode


def _comparable(since: str) -> str:
    """A time as this shop writes it, so that text order is time order."""
    if not since:
        return ""
    return stamp(int(datetime.fromisoformat(since.replace("Z", "+00:00")).timestamp() * 1_000_000))


def gid(kind: str, number: object) -> str:
    """A GraphQL id."""
    return f"gid://shopify/{kind}/{number}"


def _number(value: str) -> int:
    return int(value.rsplit("/", 1)[-1])


def _shown(item: Fulfillment, location: str) -> Body:
    lines = [{"id": int(line), "quantity": quantity, "sku": None} for line, quantity in item.lines.items()]
    return {
        "id": item.id,
        "order_id": item.order_id,
        "status": "success",
        "created_at": item.created_at,
        "updated_at": item.created_at,
        "service": "manual",
        "location_id": int(location),
        "shipment_status": None,
        "tracking_company": item.company or None,
        "tracking_numbers": list(item.numbers),
        "tracking_urls": [],
        "line_items": lines,
        "name": f"#{item.order_id - ORDER_ID + 1001}.{item.id % LINES_MAX}",
    }
