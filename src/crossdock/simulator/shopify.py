"""A Shopify shop: it sells at a rate, tells by signed webhooks, and does what its Admin API is asked.

Settings (all optional): `access_token`, `webhook_secret`, `shop_domain`; `rate` (orders a second; 0: it sells nothing
by itself), `orders_max`, `waits` (it sells nothing before `POST /-/open`), `opens_when_stocked` (it sells nothing before it was told a quantity of every SKU), `skus` (a
number, or the SKUs themselves), `display` (SKUs that it lists and nobody buys), `currency`; `unpaid_rate`, `paid_after_s`, `cancel_rate`, `cancel_after_s`, `change_rate`
(a note is added); `echo_s` (how soon our own writes come back as webhooks; negative: never); `latency_s`; `location`
(Shopify's id of it); `throttle_rate` (a GraphQL answer is a 200 that says THROTTLED); `documents` (false for a bench:
count, believe every order to exist, and forget).
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from crossdock.simulator.base import SECOND, Event, SimRequest, SimResponse, json_response
from crossdock.simulator.shopify_admin import Admin, page_of
from crossdock.simulator.shopify_orders import Body, Catalogue, Change, cancel, make_order, stamp, triggered

Step = Callable[[int], list[Event]]
"""Something to do when its time has come, and the webhooks that tell it."""

_encode = msgspec.json.Encoder().encode


class ShopifySimulator:
    """See the module. An order is kept as its latest body; what was done to it is counted, doubles as well."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self._token = str(settings.get("access_token", ""))
        self._secret = str(settings.get("webhook_secret", "")).encode()
        self._domain = str(settings.get("shop_domain", "simulated.myshopify.com"))
        self._currency = str(settings.get("currency", "EUR"))
        self._rate = float(settings.get("rate", 0))
        self._orders_max = int(settings.get("orders_max", 0))
        self._opens_when_stocked = bool(settings.get("opens_when_stocked", False))
        self._waits = bool(settings.get("waits", False))
        self._rates = {
            name: float(settings.get(f"{name}_rate", 0)) for name in ("unpaid", "cancel", "change")
        }
        self._throttle = float(settings.get("throttle_rate", 0))
        self._paid_after = int(float(settings.get("paid_after_s", 2)) * SECOND)
        self._cancel_after = int(float(settings.get("cancel_after_s", 3)) * SECOND)
        self._echo_s = float(settings.get("echo_s", 0.2))
        self._latency_s = float(settings.get("latency_s", 0))
        self._documents = settings.get("documents", True) is not False
        self.catalogue = Catalogue.of(settings.get("skus", 200))
        self.listed = (*self.catalogue.skus, *(str(sku) for sku in settings.get("display", ())))
        self._display = self.listed[len(self.catalogue.skus) :]
        self._dice = random.Random(seed)
        self._heap: list[tuple[int, int, Step]] = []
        self._planned = 0
        self._next_sale: int | None = None
        self._sold = 0
        self._told = 0
        self.orders: dict[int, bytes] = {}
        self.admin = Admin(self, str(settings.get("location", "70000000001")), believe=not self._documents)

    def handle(self, request: SimRequest, now: int) -> SimResponse:
        """Answer the Admin API: GraphQL, and the lists of REST."""
        if request.headers.get("x-shopify-access-token") != self._token:
            return json_response({"errors": "[API] Invalid API key or access token"}, 401)
        if request.path == "/-/open":
            self._waits = False
            return json_response({"open": self._is_open()})
        if request.path.endswith("/graphql.json"):
            if self._throttle and self._dice.random() < self._throttle:
                return json_response(_THROTTLED)
            answer = self.admin.answer(request.body, now)
            return msgspec.structs.replace(answer, delay_s=self._latency_s)
        if request.path.endswith("/orders.json"):
            return page_of(self.orders.values(), request)
        if request.path.endswith(("/payouts.json", "/transactions.json")):
            name = request.path.rsplit("/", 1)[-1].removesuffix(".json")
            return json_response({name: []})
        return json_response({"errors": "Not Found"}, 404)

    def due_events(self, now: int) -> list[Event]:
        """Sell what is due, change what is due, and return the webhooks of both."""
        events: list[Event] = []
        if self._next_sale is None and self._rate > 0 and self._is_open():
            self._next_sale = now
        while True:
            sale = self._next_sale if self._may_sell() else None
            change = self._heap[0][0] if self._heap else None
            if sale is not None and sale <= now and (change is None or sale <= change):
                events.append(self._sell(sale))
            elif change is not None and change <= now:
                at, _, step = heapq.heappop(self._heap)
                events.extend(step(at))
            else:
                return events

    def next_due(self) -> int | None:
        """When the next sale or change is due; a shop that has not begun to sell is due at once."""
        due = [self._heap[0][0]] if self._heap else []
        if self._may_sell() and self._rate > 0:
            due.append(self._next_sale or 0)
        return min(due) if due else None

    def state(self, *, documents: bool = True) -> dict[str, Any]:
        """Counts, and of each order what the shop believes of it."""
        counts = {"orders": self._sold, "events": self._told, **self.admin.counts}
        if not documents:
            shown = {sku: self.admin.shown[sku] for sku in self._display if sku in self.admin.shown}
            return {
                "counts": counts,
                "open": self._is_open(),
                "stocked": self._is_stocked(),
                "display": shown,
            }
        found: dict[str, Any] = {}
        for order_id, raw in self.orders.items():
            body = msgspec.json.decode(raw)
            found[str(order_id)] = {
                "number": body["name"],
                "total": body["total_price"],
                "currency": body["currency"],
                "money": body["financial_status"],
                "cancelled": body["cancelled_at"] is not None,
                "acknowledged": bool(body["tags"]),
                "fulfilled": self.admin.fulfilled(order_id),
            }
        return {"counts": counts, "orders": found, "quantities": dict(self.admin.quantities)}

    def event(self, topic: str, body: bytes, now: int) -> Event:
        """A delivery as Shopify signs it: over the raw bytes, under the secret of the app."""
        self._told += 1
        name = f"{topic}|{self._told}".encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "Shopify-Captain-Hook",
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": self._domain,
            "x-shopify-api-version": "2025-07",
            "x-shopify-webhook-id": hashlib.blake2b(name, key=self._secret[:64], digest_size=16).hexdigest(),
            "x-shopify-triggered-at": triggered(now),
            "x-shopify-hmac-sha256": base64.b64encode(hmac.digest(self._secret, body, "sha256")).decode(),
        }
        return headers, body

    def change(self, order_id: int, now: int, edit: Change) -> None:
        """Change an order now."""
        body = self.order(order_id)
        if body is not None:
            edit(body, now)
            body["updated_at"] = stamp(now)
            self.orders[order_id] = _encode(body)

    def echo(self, topic: str, body: Callable[[], bytes | None], now: int) -> None:
        """Plan the webhook by which our own write comes back; `body` is made when it is sent."""
        if self._echo_s >= 0:
            self._plan(now + int(self._echo_s * SECOND), lambda at: self._tell(topic, body(), at))

    def order(self, order_id: int) -> Body | None:
        """The order as it is, None where the shop has none of this id."""
        raw = self.orders.get(order_id)
        return None if raw is None else msgspec.json.decode(raw)

    def _may_sell(self) -> bool:
        return self._is_open() and (not self._orders_max or self._sold < self._orders_max)

    def _is_open(self) -> bool:
        return not self._waits and self._is_stocked()

    def _is_stocked(self) -> bool:
        return not self._opens_when_stocked or len(self.admin.quantities) >= len(self.listed)

    def _sell(self, now: int) -> Event:
        number, dice = self._sold, self._dice
        body = make_order(number, now, dice, self.catalogue, currency=self._currency)
        order_id = int(body["id"])
        self._sold += 1
        self._next_sale = now + int(dice.expovariate(self._rate) * SECOND)
        if dice.random() < self._rates["unpaid"]:
            body["financial_status"] = "pending"
            self._later(now + self._paid_after, "orders/paid", order_id, _pay)
        if dice.random() < self._rates["change"]:
            self._later(now + int(dice.uniform(0.1, 2) * SECOND), "orders/updated", order_id, _note)
        if dice.random() < self._rates["cancel"]:
            due = now + int(dice.uniform(0.2, 1) * self._cancel_after)
            self._later(due, "orders/cancelled", order_id, cancel)
        raw = _encode(body)
        if self._documents:
            self.orders[order_id] = raw
        return self.event("orders/create", raw, now)

    def _later(self, due: int, topic: str, order_id: int, edit: Change) -> None:
        """Plan a change of an order that the shop's own people or buyers make."""

        def step(now: int) -> list[Event]:
            if edit is cancel and self.admin.fulfilled(order_id):
                return []
            self.change(order_id, now, edit)
            return self._tell(topic, self.orders.get(order_id), now)

        self._plan(due, step)

    def _tell(self, topic: str, body: bytes | None, now: int) -> list[Event]:
        return [] if body is None else [self.event(topic, body, now)]

    def _plan(self, due: int, step: Step) -> None:
        self._planned += 1
        heapq.heappush(self._heap, (due, self._planned, step))


def _pay(body: Body, now: int) -> None:
    if body["cancelled_at"] is None:
        body["financial_status"] = "paid"


def _note(body: Body, now: int) -> None:
    body["note"] = f"Please ring twice ({now // SECOND % 100})"


_THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 52,
            "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 2, "restoreRate": 100.0},
        }
    },
}
