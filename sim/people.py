"""People: buyers who change their minds, warehouses that count, operators who settle what the hub asks of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from crossdock.console.acting import act, act_on_case
from crossdock.console.replaying import replay_since
from crossdock.console.story import moment
from crossdock.domain.process import OrderProcess, decode_process
from crossdock.errors import CrossdockError
from crossdock.simulator.base import Event
from crossdock.simulator.plain import instant, signed
from crossdock.simulator.shopify_orders import Body
from sim.faults import Faults
from sim.hub import SimHub
from sim.retailer import ERP, SECRET, SHOPS, TILLS, WAREHOUSES, Partners
from sim.returns import Returns
from sim.wire import Wire
from sim.world import DAY, HOUR, MINUTE, START, Violation, World

ROUND = 20 * MINUTE
FACTS = (
    "cancellation.too_late",
    "cancellation.unanswered",
    "cancellation.by_hand",
    "order.cancelled_and_shipped",
    "order.missing",
    "sale.amended_late",
    "sale.total_differs",
    "request.unknown",
    "shipment.unknown_line",
    "credentials",
    "refused",
)
"""Cases that a person settles outside of the hub, and then resolves."""
PASSING = ("effect.in_doubt", "effect.exhausted")
TRIES_MAX = 3
MADE = (
    "create_delivery",
    "create_invoice",
    "post_day",
    "create_credit",
    "credit_refund",
    "receive_return",
)
"""Operations of the ERP of which each makes a document."""


class People:
    """Everybody who is no machine."""

    def __init__(
        self, world: World, faults: Faults, hub: SimHub, partners: Partners, wires: dict[str, Wire], days: int
    ) -> None:
        self._world, self._faults, self._hub = world, faults, hub
        self._partners, self._wires = partners, wires
        self._buyers, self._operators, self._counting = (world.dice_for() for _ in range(3))
        self._tries: dict[int, int] = {}
        self.dropped: dict[int, list[str]] = {}
        """Subject -> what an operator gave up of it: `connection operation`, or `message`."""
        self.mended: dict[tuple[str, str], bytes] = {}
        self._counts = 0
        self._counted: dict[str, int] = {}
        self.returns = Returns(world, faults, partners, wires)
        self._end = START + days * DAY
        for name in WAREHOUSES:
            self.count(name)
            for _ in range(2 * days):
                world.at(START + self._counting.randrange(days * DAY), partial(self.count, name))
        world.at(self._end, self._restock)
        world.after(ROUND, self._round)
        for at in faults.replays:
            world.at(at, self._replay)

    # Warehouses

    def count(self, name: str, *, audit: bool = True) -> None:
        """A warehouse counts everything, and says so."""
        if audit:
            self._audit(name)
        self._counts += 1
        now, code = self._world.now, WAREHOUSES[name]
        stock = self._partners.warehouses[name].stock
        held = self.returns.held
        levels = [
            {"sku": sku, "on_hand": quantity, "quarantined": held.get((sku, name), 0)}
            for sku, quantity in stock.items()
        ]
        body = msgspec.json.encode({"location": code, "as_of": instant(now), "levels": levels})
        self._counted[name] = now
        self._wires[name].undelivered += 1
        self._wires[name].attempt(signed(SECRET.encode(), "stock.snapshot", f"count-{self._counts}", body))

    def _audit(self, name: str) -> None:
        """f: what the hub believes just before a count, with no news on its way, is what is there."""
        clock = self._world.clock()
        if (
            not self._up()
            or self._wires[name].undelivered
            or self._world.now < self._hub.awake_since + MINUTE
        ):
            return
        if self._hub.ask("select 1 from inbox where source = ? limit 1", name):
            return
        stock = self._partners.warehouses[name].stock
        for (sku, place), level in self._hub.reader.levels(list(stock)).items():
            doubtful = (sku, name) in self._hub.known.doubtful or level.as_of > clock
            if place == name and not doubtful and level.on_hand != stock[sku]:
                raise Violation(
                    "f", f"{sku} at {name}: {stock[sku]} are there, the hub believes {level.on_hand}."
                )

    def _restock(self) -> None:
        """At the end of the day the lorry comes: there is enough of everything. Every eight hours shelves are counted."""
        for name, warehouse in self._partners.warehouses.items():
            self._audit(name)
            if self._world.now < self._end + HOUR:
                for sku in warehouse.stock:
                    warehouse.stock[sku] += 60
            self.count(name, audit=False)
        self._world.after(8 * HOUR, self._restock)

    # Shops

    def sold(self, shop: str, event: Event) -> Event:
        """An order was placed: some will be changed. A few come as nobody can understand them."""
        headers, body = event
        if headers["x-shopify-topic"] != "orders/create":
            return event
        order_id = int(msgspec.json.decode(body)["id"])
        for rate, change in ((0.08, self._move), (0.08, self._take_off), (0.03, self._cancel_here)):
            rolled, delay = self._buyers.random(), self._buyers.uniform(0.02, 4)
            if rolled < rate:
                self._world.after(int(delay * HOUR), partial(change, shop, order_id))
        self.returns.sold(shop, order_id)
        if self._faults.strikes("poison", 0.04):
            spoiled = body.replace(b'"total_price":"', b'"total_price":"about ', 1)
            event = self._partners.shops[shop].event("orders/create", spoiled, self._world.now)
            self.mended[shop, event[0]["x-shopify-webhook-id"]] = body
        return event

    def _move(self, shop: str, order_id: int) -> None:
        """The buyer has moved house."""

        def edit(body: Body, now: int) -> None:
            body["shipping_address"] = {**body["shipping_address"], "address1": f"Neue Str. {now % 97}"}

        simulator = self._partners.shops[shop]
        order = simulator.order(order_id)
        if order is not None and order["cancelled_at"] is None:
            simulator.change(order_id, self._world.now, edit)
            simulator.echo("orders/updated", lambda: simulator.orders.get(order_id), self._world.now)
            self._wires[shop].plan()

    def _take_off(self, shop: str, order_id: int) -> None:
        """The shop's people take a unit off an order, by another app."""
        order = self._partners.shops[shop].order(order_id)
        if order is None or order["cancelled_at"] is not None:
            return
        line = order["line_items"][-1]
        refund = {
            "orderId": f"gid://shopify/Order/{order_id}",
            "note": "by hand",
            "refundLineItems": [{"lineItemId": f"gid://shopify/LineItem/{line['id']}", "quantity": 1}],
        }
        body = {"operationName": "remove", "variables": {"input": refund}}
        self._wires[shop].ask("POST", "/admin/api/graphql.json", msgspec.json.encode(body))
        if self._buyers.random() < 0.5:
            self._world.after(HOUR, partial(self._take_off, shop, order_id))

    def _cancel_here(self, shop: str, order_id: int) -> None:
        """An operator of the hub cancels an order."""
        subject = self._subject(shop, order_id) if self._up() else 0
        if subject:
            hub: Any = self._hub
            self._act(lambda: act(hub, subject, "cancel_order", actor="Kim", reason="asked by telephone"))

    def _subject(self, shop: str, order_id: int) -> int:
        for subject, value in self._hub.reader.processes():
            process = decode_process(value)
            if process.connection == shop and process.external_id == str(order_id):
                return subject
        return 0

    # Operators

    def _round(self) -> None:
        """Somebody looks at the open cases."""
        self._world.after(ROUND, self._round)
        if not self._up():
            return
        now = self._world.clock()
        for row in self._hub.reader.cases(after=0, state="open", limit=1000):
            if self._up() and now - row["opened_at"] > 5 * MINUTE and self._operators.random() < 0.7:
                self._act(partial(self._settle, row))

    def _up(self) -> bool:
        return self._hub.alive and self._world.now >= self._hub.frozen_until

    def _act(self, what: Any) -> None:
        try:
            what()
        except CrossdockError as error:
            self._world.tell("operator failed", error.kind)

    def _settle(self, row: dict[str, Any]) -> None:
        number, reason = row["id"], row["reason"]
        if row["effect"]:
            self._settle_effect(row)
        elif row["about"] == f"message {row['message']}":
            self._settle_message(row)
        elif reason == "cancellation.refused":
            self._look_there(row)
            self._do(number, "resolve", reason="the warehouse was asked")
        elif reason in FACTS or reason.startswith(("shipment.", "order.cancelled", "return.", "refund.")):
            if reason != "credentials" or not self._faults.within(self._faults.revoked, row["about"]):
                self._do(number, "resolve", reason="settled outside")
        elif reason == "late":
            sql = "select 1 from outbox where connection || ' ' || operation = ? and state in (0, 1, 2, 3)"
            if not self._hub.ask(sql, row["about"]):
                self._do(number, "resolve", reason="they have gone out")
        elif reason == "stock.negative":
            self._below_zero(number, *row["about"].split("@"))
        elif reason == "sale.wanted_again":
            self._do(number, "resolve", reason="raised by hand")

    def _below_zero(self, case: int, sku: str, place: str) -> None:
        """Somebody counts there, until the level is what it can be."""
        if self._hub.reader.levels([sku])[sku, place].on_hand < 0:
            self.count(place)
        else:
            self._do(case, "resolve", reason="counted")

    def _look_there(self, row: dict[str, Any]) -> None:
        """Where it stands cancelled all the same, the warehouse says so again: it was asked twice, and its keys were forgotten."""
        request = self._process(row["subject"]).request(row["about"])
        for name, warehouse in self._partners.warehouses.items():
            release = warehouse.releases.get(row["about"])
            if release is None or request is None:
                continue
            known: dict[str, int] = {}
            for item in request.items:
                known[item.line] = known.get(item.line, 0) + item.stopped
            missed = {line: n - known.get(line, 0) for line, n in release.cancelled.items()}
            lines = [{"line_id": line, "quantity": n} for line, n in missed.items() if n > 0]
            if lines:
                about = {"order_id": release.order_id, "request_id": release.request_id}
                body = {
                    **about,
                    "occurred_at": instant(self._world.now),
                    "outcome": "accepted",
                    "accepted": lines,
                }
                event = signed(
                    SECRET.encode(), "release.cancelled", f"again-{row['id']}", msgspec.json.encode(body)
                )
                self._wires[name].undelivered += 1
                self._wires[name].attempt(event)

    def _process(self, subject: int) -> OrderProcess:
        ((value,),) = self._hub.ask("select value from process where subject = ?", subject)
        return decode_process(value)

    def _settle_effect(self, row: dict[str, Any]) -> None:
        found = self._hub.reader.rows("get_call", row["effect"])
        if not found:
            return
        connection, operation, intent, _, _, _ = found[0]
        self._hub.known.asks(row["id"], row["effect"], connection, row["subject"])
        if row["reason"] == "effect.in_doubt" and connection == ERP:
            reference = self._look(operation, row["subject"], intent)
            if reference:
                self._do(row["id"], "done", reason="it stands in the ERP", reference=reference)
            elif reference is not None:
                self._do(row["id"], "retry", reason="it does not stand in the ERP")
            return
        tries = self._tries[row["effect"]] = self._tries.get(row["effect"], 0) + 1
        if row["reason"] in PASSING or tries < TRIES_MAX:
            self._do(row["id"], "retry", reason="once more")
            return
        self.dropped.setdefault(row["subject"], []).append(f"{connection} {operation}")
        self._do(row["id"], "resolve", reason="given up")

    def _look(self, operation: str, subject: int, intent: str) -> str | None:
        """Whether something stands in the ERP: its id, "" where it does not, None while it cannot be known yet."""
        erp = self._partners.erp
        order = f"CD{subject:010d}"
        for sale in erp.sales.values():
            if sale.reference == order:
                if operation == "create_sale":
                    return str(sale.id)
                if operation in ("cancel_sale", "amend_sale"):
                    return sale.id if any(key.endswith(f":{intent}") for key in sale.changes) else ""
        if operation not in MADE:
            return ""
        key = f"{ERP}:{operation}:{subject}:{intent}"
        return self._hub.known.documents.get((ERP, key), "")

    def _settle_message(self, row: dict[str, Any]) -> None:
        raw = self._hub.reader.raw(row["message"], row["subject"])
        if raw is None:
            return
        whole = self.mended.get((raw["source"], raw["headers"].get("x-shopify-webhook-id", "")))
        tries = self._tries[-row["message"]] = self._tries.get(-row["message"], 0) + 1
        if whole is not None:
            self._do(row["id"], "edit", reason="mended", body=whole)
        elif tries < TRIES_MAX:
            self._do(row["id"], "retry", reason="once more")
        else:
            self.dropped.setdefault(row["subject"], []).append(f"message {raw['source']} {raw['kind']}")
            self._do(row["id"], "resolve", reason="given up")

    def _do(self, case: int, action: str, *, reason: str, body: bytes = b"", reference: str = "") -> None:
        self._world.tell("person", action, case)
        hub: Any = self._hub
        once = f"{action}-{case}-{self._world.steps}"
        for _ in range(2 if self._operators.random() < 0.1 else 1):  # some click twice
            act_on_case(
                hub, case, action, actor="Kim", reason=reason, body=body, reference=reference, once=once
            )

    def _replay(self) -> None:
        """Everything that the shops sent in the last hours comes again, twice: somebody clicked twice."""
        if not self._up():
            return
        hub: Any = self._hub
        since = moment(max(0, self._world.clock() - 6 * HOUR))
        for _ in range(2):
            for name in (*SHOPS, *WAREHOUSES, TILLS):
                self._faults.count("replay")
                self._act(
                    lambda name=name: replay_since(
                        hub, name, since, after=0, limit=200, actor="Kim", reason="mapping was wrong"
                    )
                )
