"""What comes back: buyers send goods to the warehouses, and shops give money back; in parts, twice, and at times too much."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from crossdock.simulator.base import Event
from crossdock.simulator.plain import instant, signed
from crossdock.simulator.shopify_orders import Body, returned, stamp
from sim.faults import Faults
from sim.retailer import SECRET, SHOPS, WAREHOUSES, Partners
from sim.wire import Wire
from sim.world import HOUR, World

RETURNED, DECIDED_AT_ONCE, IN_PARTS, ELSEWHERE = 0.3, 0.5, 0.3, 0.2
"""Of shipments, those that come back; of these, those of which is said at once what becomes of them, and so on."""
GIVEN_BACK, AGAIN, PENDING = 0.15, 0.3, 0.2
BEYOND = 0.15
LAST = 12 * HOUR
"""How long after a shipment, or an order, something may come back."""
Quantities = dict[str, int]


class Parcel(msgspec.Struct):
    """What one buyer sends back: line -> quantity, and what it is of."""

    id: str
    order: str
    place: str
    lines: Quantities
    skus: Mapping[str, str]
    fate: str
    came: dict[str, int] = {}
    """When each line came."""
    decided_at: int = 0
    versions: int = 0


class Returns:
    """The buyers' and the warehouses' own books of it. back: order -> line -> what has come back, by everybody's count.

    held: (SKU, warehouse) -> what lies there and may not be sold.
    """

    def __init__(self, world: World, faults: Faults, partners: Partners, wires: Mapping[str, Wire]) -> None:
        self._world, self._faults, self._partners, self._wires = world, faults, partners, wires
        self._buyers, self._shops = world.dice_for(), world.dice_for()
        self._last = faults.until + LAST
        self._made = 0
        self.back: dict[str, Quantities] = {}
        self.held: dict[tuple[str, str], int] = {}
        for name in WAREHOUSES:
            wires[name].passes = partial(self._passes, name)

    # Goods

    def _passes(self, name: str, event: Event) -> Event:
        """A parcel leaves: some of it comes back."""
        headers, body = event
        if headers["x-crossdock-event"] == "shipment.created":
            rolled, delay = self._buyers.random(), self._buyers.uniform(0.2, 8)
            if rolled < RETURNED and self._world.now < self._faults.until:
                sent = msgspec.json.decode(body)
                self._world.after(int(delay * HOUR), partial(self._send_back, name, sent))
        return event

    def _send_back(self, name: str, sent: Mapping[str, Any]) -> None:
        """The whole, or a part, at once or in two; at times to another warehouse than it came from."""
        dice = self._buyers
        whole = {line["line_id"]: line["quantity"] for line in sent["lines"]}
        lines = (
            whole
            if dice.random() < 0.5
            else {line: dice.randint(1, n) for line, n in list(whole.items())[:1]}
        )
        others = [place for place in WAREHOUSES if place != name]
        self._made += 1
        parcel = Parcel(
            id=f"B{self._made}",
            order=sent["order_id"],
            place=dice.choice(others) if dice.random() < ELSEWHERE else name,
            lines=dict(lines),
            skus={line["line_id"]: line["sku"] for line in sent["lines"]},
            fate="restock" if dice.random() < DECIDED_AT_ONCE else "undecided",
        )
        if self._faults.strikes("beyond", BEYOND):
            first = next(iter(parcel.lines))
            parcel.lines[first] = whole[first] + 1
        later = {line: n for line, n in parcel.lines.items() if dice.random() < IN_PARTS}
        parcel.lines = {line: n for line, n in parcel.lines.items() if line not in later}
        if parcel.lines:
            self._arrive(parcel, parcel.lines)
        if later:
            self._world.after(int(dice.uniform(0.1, 2) * HOUR), partial(self._arrive, parcel, later))
        if parcel.fate == "undecided":
            self._world.after(int(dice.uniform(2.1, 5) * HOUR), partial(self._decide, parcel))

    def _arrive(self, parcel: Parcel, lines: Quantities) -> None:
        """It lies there, from now on."""
        parcel.lines = {**parcel.lines, **lines}
        parcel.came |= dict.fromkeys(lines, self._world.now)
        stock, back = self._partners.warehouses[parcel.place].stock, self.back.setdefault(parcel.order, {})
        for line, quantity in lines.items():
            stock[parcel.skus[line]] += quantity
            back[line] = back.get(line, 0) + quantity
        self._hold(parcel, lines, 1)
        self._tell(parcel)

    def _decide(self, parcel: Parcel) -> None:
        """Somebody has looked at it: it may be sold, or it may not."""
        self._hold(parcel, parcel.lines, -1)
        parcel.fate = "restock" if self._buyers.random() < 0.7 else "quarantine"
        self._hold(parcel, parcel.lines, 1)
        parcel.decided_at = self._world.now
        self._tell(parcel)

    def _hold(self, parcel: Parcel, lines: Quantities, sign: int) -> None:
        if parcel.fate == "restock":
            return
        for line, quantity in lines.items():
            key = (parcel.skus[line], parcel.place)
            self.held[key] = self.held.get(key, 0) + sign * quantity

    def _tell(self, parcel: Parcel) -> None:
        parcel.versions += 1
        body = {
            "id": parcel.id,
            "version": str(parcel.versions),
            "order_id": parcel.order,
            "location": WAREHOUSES[parcel.place],
            "received_at": instant(max(parcel.came.values())),
            "lines": [self._line(parcel, line, n) for line, n in parcel.lines.items()],
        }
        delivery = f"back-{parcel.id}-{parcel.versions}"
        event = signed(SECRET.encode(), "return.received", delivery, msgspec.json.encode(body))
        self._wires[parcel.place].post(event)

    @staticmethod
    def _line(parcel: Parcel, line: str, quantity: int) -> dict[str, Any]:
        came = instant(parcel.came[line])
        told = {"line_id": line, "sku": parcel.skus[line], "quantity": quantity, "disposition": parcel.fate}
        told["received_at"] = came
        if parcel.fate != "undecided":
            told["decided_at"] = instant(parcel.decided_at) if parcel.decided_at else came
        return told

    # Money

    def sold(self, shop: str, order_id: int) -> None:
        """An order was placed: of some, the shop gives money back."""
        rolled, delay = self._shops.random(), self._shops.uniform(0.5, 11)
        if rolled < GIVEN_BACK:
            self._world.after(int(delay * HOUR), partial(self._give_back, shop, order_id))

    def _give_back(self, shop: str, order_id: int) -> None:
        """A part of what was paid, for goods that came back or for nothing; at times twice, at times too much."""
        dice, simulator = self._shops, self._partners.shops[shop]
        order = simulator.order(order_id)
        if order is None or order["cancelled_at"] is not None or self._world.now > self._last:
            return
        if order["financial_status"] not in ("paid", "partially_refunded"):
            return
        left = _cents(order["total_price"]) - given_back(order, pending=True)
        amount = left if dice.random() < 0.2 else dice.randint(0, max(left, 0))
        if self._faults.strikes("beyond", BEYOND):
            amount = left + 100
        if amount > 0:
            self._refund(shop, order, amount)
        if dice.random() < AGAIN:
            self._world.after(int(dice.uniform(0, 2) * HOUR), partial(self._give_back, shop, order_id))

    def _refund(self, shop: str, order: Body, amount: int) -> None:
        """Told inside an order's next version, by a webhook of its own, by both, or by neither: then a poll finds it."""
        dice, simulator, now = self._shops, self._partners.shops[shop], self._world.now
        self._made += 1
        made = 700_000_000_000 + SHOPS.index(shop) * 1_000_000 + self._made
        goods = self._goods(shop, order)
        refund = _refund_body(made, order, amount, goods, now)
        pending = dice.random() < PENDING
        if pending:
            refund["transactions"][0]["status"] = "pending"

        def edit(body: Body, _: int) -> None:
            body["refunds"].append(refund)
            _settle(body)
            for item in body["line_items"]:
                item["current_quantity"] -= goods.get(str(item["id"]), 0)

        simulator.change(order["id"], now, edit)
        inside, alone = dice.random() < 0.7, dice.random() < 0.6
        if (
            inside or self._world.now > self._faults.until
        ):  # the story may be over before a poll would find it
            simulator.echo("orders/updated", lambda: simulator.orders.get(order["id"]), now)
        if alone:
            self._wires[shop].post(simulator.event("refunds/create", msgspec.json.encode(refund), now))
        if pending:
            self._world.after(
                int(dice.uniform(0.2, 2) * HOUR), partial(self._succeed, shop, order["id"], made)
            )
        self._wires[shop].plan()

    def _succeed(self, shop: str, order_id: int, made: int) -> None:
        """The money has moved, or it could not: which only the order tells."""
        simulator, failed = self._partners.shops[shop], self._shops.random() < 0.2

        def edit(body: Body, _: int) -> None:
            for refund in body["refunds"]:
                if refund["id"] == made:
                    refund["transactions"][0]["status"] = "failure" if failed else "success"
            _settle(body)

        simulator.change(order_id, self._world.now, edit)
        simulator.echo("orders/updated", lambda: simulator.orders.get(order_id), self._world.now)
        self._wires[shop].plan()

    def _goods(self, shop: str, order: Body) -> Quantities:
        """What the shop takes to have come back: of what it knows to have left."""
        back = returned(order)
        for line, quantity in self._partners.shops[shop].admin.fulfilled(order["id"]).items():
            may = quantity - back.get(line, 0)
            if may > 0 and self._shops.random() < 0.6:
                return {line: self._shops.randint(1, may)}
        return {}


def given_back(order: Body, *, pending: bool = False) -> int:
    """What a shop has given back of an order, in cents; or what it has begun to."""
    wanted = ("success", "pending") if pending else ("success",)
    return sum(
        _cents(money["amount"])
        for refund in order["refunds"]
        for money in refund["transactions"]
        if money["status"] in wanted
    )


def given_back_unsent(order: Body) -> int:
    """What of it was for goods that never left, in cents: the sale in the ERP was cancelled by that."""
    return sum(
        _cents(item["subtotal"]) + _cents(item["total_tax"])
        for refund in order["refunds"]
        if any(money["status"] == "success" for money in refund["transactions"])
        for item in refund["refund_line_items"]
        if item["restock_type"] == "cancel"
    )


def _settle(body: Body) -> None:
    if body["cancelled_at"] is not None:
        return
    done, total = given_back(body), _cents(body["total_price"])
    body["financial_status"] = "paid" if not done else "refunded" if done >= total else "partially_refunded"


def _refund_body(made: int, order: Body, amount: int, goods: Quantities, now: int) -> Body:
    items = [
        {
            "id": made + n,
            "line_item_id": int(line),
            "quantity": quantity,
            "restock_type": "return",
            "subtotal": "1.00",
            "total_tax": "0.00",
        }
        for n, (line, quantity) in enumerate(goods.items())
    ]
    money = {
        "id": made,
        "kind": "refund",
        "status": "success",
        "gateway": "shopify_payments",
        "amount": f"{amount // 100}.{amount % 100:02d}",
        "currency": order["currency"],
        "created_at": stamp(now),
    }
    return {
        "id": made,
        "order_id": order["id"],
        "created_at": stamp(now),
        "processed_at": stamp(now),
        "note": None,
        "refund_line_items": items,
        "transactions": [money],
        "order_adjustments": [],
    }


def _cents(text: str) -> int:
    return round(float(text) * 100)
