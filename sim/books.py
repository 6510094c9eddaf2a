"""The end of the day: everybody's books are laid side by side, and every order is asked what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from crossdock.bootstrap.proof import prove
from crossdock.domain.process import OrderProcess, decode_process
from crossdock.domain.state import Level
from crossdock.engine.sweeping import TOLD_AGAIN_US
from crossdock.flows.quantities import published_quantity
from crossdock.flows.watching import WATCH
from crossdock.simulator.shopify_orders import returned
from sim.hub import SimHub
from sim.invariants import Invariants
from sim.people import People
from sim.retailer import SHOPS, TILLS, WAREHOUSES, Partners
from sim.returns import given_back, given_back_unsent
from sim.world import HOUR, SECOND, Violation, World

Quantities = dict[str, int]
TOO_LATE = {
    "order.cancelled_and_shipped",
    "cancellation.too_late",
    "cancellation.refused",
    "cancellation.unanswered",
    "sale.amended_late",
    "sale.wanted_again",
    "effect.refused",
}
"""Once such a case was opened, the partners' books may differ: a person has settled the difference outside."""
READY, DELAYED, WAITING, PARKED = range(4)


def check_store(hub: SimHub, known: Invariants, now: int, *, starting: bool = False) -> None:
    """What the store says of itself, and what was committed: at each crash, and at the end.

    starting: what was due while nobody ran is late (i), and nobody could tell yet; once an hour `check_alerts` asks for it.
    """
    for check in prove(hub.reader, now):
        if not check.ok and not (starting and check.letter == "i"):
            raise Violation(check.letter, check.text)
    versions = dict(hub.ask("select subject, version from process"))
    if versions != known.versions:
        wrong = sorted(set(versions.items()) ^ set(known.versions.items()))[:3]
        raise Violation("h", f"The store's versions are not those that were committed: {wrong}.")


PARKED_MESSAGES = """
select id, kind from inbox i where state = 3
and not exists (select 1 from case_file c where c.message = i.id and c.closed_at = 0) limit 1"""
PARKED_EFFECTS = """
select id, connection || ' ' || operation from outbox o where state in (4, 5) and operation <> 'poll'
and not exists (select 1 from case_file c where c.effect = o.id and c.closed_at = 0) limit 1"""


def check_cases(hub: SimHub) -> None:
    """b: whatever is parked is somebody's case. Once everything else has come to rest."""
    for what, sql in (("Message", PARKED_MESSAGES), ("Effect", PARKED_EFFECTS)):
        for number, name in hub.ask(sql):
            raise Violation("b", f"{what} {number} ({name}) is parked, and is nobody's case.")


def check_alerts(hub: SimHub) -> None:
    """i: what is not delivered long after its time is somebody's case. Once an hour, of a hub that has been awake."""
    world, policy = hub.world, hub.config.plan.policy
    if not hub.alive or world.now - hub.awake_since < HOUR or world.now < hub.frozen_until:
        return
    late = world.clock() - (policy.grace_s + policy.late_s) * SECOND - HOUR
    count, first = hub.reader.rows("overdue_effects", late, world.clock() - TOLD_AGAIN_US)[0]
    if count:
        raise Violation("i", f"{count} effects are late and nobody is told; the first is {first}.")


def unrest(hub: SimHub) -> str:
    """What is still under way; "" where everything has come to rest."""
    for name, wire in hub.wires.items():
        if wire.undelivered:
            return f"{wire.undelivered} deliveries of {name}"
        if wire.simulator.next_due() is not None:
            return f"{name} has something to tell"
    if not hub.alive:
        return "the hub is down"
    rows = hub.ask(
        "select source, kind, state, count(*) from inbox where state in (0, 2) "
        "or (state = 1 and due_at < ? and kind <> ?) group by 1, 2, 3",
        hub.world.clock() + HOUR,
        WATCH,  # who watches a store does so for days
    )
    for source, kind, state, count in rows:
        if state == WAITING and _parked_ahead(hub):
            continue
        return f"{count} messages {source} {kind} in state {state}"
    for name, operation, state, count, _ in hub.reader.rows("outbox_by_state"):
        if operation != "poll" and state in (0, 1, 2, 3) and not _held(hub, name):
            return f"{count} effects {name} {operation} in state {state}"
    for name, state, count in hub.reader.rows("marks_by_state"):
        if state != 4:
            return f"{count} values for {name} in state {state}"
    return ""


def _parked_ahead(hub: SimHub) -> bool:
    return bool(hub.ask("select 1 from inbox where state = 3 limit 1"))


def _held(hub: SimHub, name: str) -> bool:
    sql = "select 1 from outbox where connection = ? and state in (4, 5, 6) limit 1"
    return bool(hub.ask(sql, name))


class Books:
    """Everything that is known of every order, by its process."""

    def __init__(self, world: World, hub: SimHub, partners: Partners, people: People) -> None:
        self._world, self._hub, self._partners, self._people = world, hub, partners, people
        every = {subject: decode_process(value) for subject, value in hub.reader.processes()}
        self.processes: dict[int, OrderProcess] = {s: p for s, p in every.items() if p.connection != TILLS}
        self.stores = {s: p for s, p in every.items() if p.connection == TILLS}
        self.cases: dict[int, set[str]] = {}
        self.open: dict[int, list[str]] = {}
        for row in hub.reader.cases(after=0, state="all", limit=100_000):
            self.cases.setdefault(row["subject"], set()).add(row["reason"])
            if not row["closed_at"]:
                self.open.setdefault(row["subject"], []).append(row["reason"])
        self.finished = {
            int(subject): bool(done) for subject, done in hub.ask("select subject, finished from process")
        }

    def check(self) -> None:
        """Every question that the end of the day has to answer."""
        self._nothing_forgotten()
        for subject, process in self.processes.items():
            self._once_in_the_erp(subject, process)
            self._told_of_what_left(subject, process)
            self._what_came_back(subject, process)
            self._credited(subject, process)
            self._owned(subject, process)
        self._stock()
        self._claims()
        self._offers()

    def _name(self, subject: int) -> str:
        return f"{self.processes[subject].order} ({self.processes[subject].connection})"

    def _excused(self, subject: int, connection: str = "") -> bool:
        given_up = self._people.dropped.get(subject, ())
        late = not TOO_LATE.isdisjoint(self.cases.get(subject, ()))
        return late or any(not connection or what.startswith((connection, "message")) for what in given_up)

    def _nothing_forgotten(self) -> None:
        """b: every order that a shop holds is an order of the hub's."""
        have = {(p.connection, p.external_id): subject for subject, p in self.processes.items() if p.known}
        for name in SHOPS:
            for order_id in self._partners.shops[name].orders:
                if (name, str(order_id)) not in have:
                    raise Violation("b", f"Order {order_id} of {name} never became an order of the hub.")

    def _once_in_the_erp(self, subject: int, process: OrderProcess) -> None:
        sales = [sale for sale in self._partners.erp.sales.values() if sale.reference == process.order]
        if len(sales) > 1:
            raise Violation("c", f"{self._name(subject)} stands {len(sales)} times in the ERP.")
        if process.commitment == "committed" and not sales and not self._excused(subject, "erp"):
            if not self.open.get(subject):
                raise Violation("b", f"{self._name(subject)} is committed, and not in the ERP.")
            return
        body = self._partners.shops[process.connection].order(int(process.external_id or 0))
        if sales and body is not None and not self._excused(subject):
            cents = round(float(body["total_price"]) * 100)
            if sales[0].total != cents:
                raise Violation(
                    "d", f"{self._name(subject)}: {cents} in the shop, {sales[0].total} in the ERP."
                )

    def _told_of_what_left(self, subject: int, process: OrderProcess) -> None:
        left: Quantities = {}
        for warehouse in self._partners.warehouses.values():
            for release in warehouse.releases.values():
                if release.order_id == process.order:
                    for id_, quantity in release.shipped.items():
                        left[id_] = left.get(id_, 0) + quantity
        ours = {line.id: line.shipped for line in process.lines if line.shipped}
        if ours != left:
            raise Violation("g", f"{self._name(subject)}: {left} left, the hub knows of {ours}.")
        for line in process.lines:
            if left.get(line.id, 0) > line.ordered:
                raise Violation("g", f"{self._name(subject)}: {left[line.id]} of line {line.id} left.")
        if self.open.get(subject):
            return
        told: dict[str, Mapping[str, int]] = {}
        if not self._excused(subject, process.connection):
            shop = self._partners.shops[process.connection]
            told["the shop"] = shop.admin.fulfilled(int(process.external_id or 0))
        if not self._excused(subject, "erp"):
            for sale in self._partners.erp.sales.values():
                if sale.reference == process.order:
                    told["the ERP's delivery"], told["the ERP's invoice"] = sale.delivered, sale.invoiced
        for who, quantities in told.items():
            if dict(quantities) != left:
                raise Violation("b", f"{self._name(subject)}: {left} left, {who} has {dict(quantities)}.")

    def _what_came_back(self, subject: int, process: OrderProcess) -> None:
        """g: goods and money came back as warehouses and shops have it; beyond what there was, it is a case."""
        if not process.known or any(
            what.startswith("message") for what in self._people.dropped.get(subject, ())
        ):
            return
        name, cases = self._name(subject), self.cases.get(subject, set())
        came = {line: n for line, n in self._people.returns.back.get(process.order, {}).items() if n}
        ours = {line.id: line.returned for line in process.lines if line.returned}
        if ours != came:
            raise Violation("g", f"{name}: {came} came back, the hub knows of {ours}.")
        for line in process.lines:
            if line.returned > line.shipped and "return.beyond_shipped" not in cases:
                raise Violation("g", f"{name}: {line.returned} of {line.id} came back, nobody's case.")
        body = self._partners.shops[process.connection].order(int(process.external_id or 0))
        if body is None:
            return
        given, known = given_back(body), sum(refund.total for refund in process.refunds if refund.done)
        if given != known:
            raise Violation("g", f"{name}: {given} cents were given back, the hub knows of {known}.")
        if given > (process.captured or process.total) and "refund.beyond_captured" not in cases:
            raise Violation("g", f"{name}: {given} cents were given back, and that is nobody's case.")

    def _credited(self, subject: int, process: OrderProcess) -> None:
        """c, g: the ERP credited what the shop gave back of what it invoiced, and received what came back; each once."""
        name, erp = self._name(subject), self._partners.erp
        notes = [note for note in erp.given_back.credits if note.order == process.order]
        receipts = [receipt for receipt in erp.given_back.receipts if receipt.order == process.order]
        made = [document.reference for document in (*notes, *receipts)]
        if len(set(made)) != len(made):
            raise Violation("c", f"{name}: the ERP made a credit or a receipt twice: {sorted(made)}.")
        settled = {"refund.credit_by_hand", "refund.credit_differs", "return.received_less"}
        if (
            self.open.get(subject)
            or self._excused(subject, "erp")
            or self.cases.get(subject, set()) & settled
        ):
            return
        sale = next((sale for sale in erp.sales.values() if sale.reference == process.order), None)
        body = self._partners.shops[process.connection].order(int(process.external_id or 0))
        if sale is None or body is None or not process.known:
            return
        wanted = given_back(body) - given_back_unsent(body) if sale.invoiced else 0
        credited = -sum(note.total for note in notes)
        if credited != wanted:
            raise Violation(
                "g", f"{name}: {wanted} cents were given back of it, the ERP credited {credited}."
            )
        came = {line: n for line, n in self._people.returns.back.get(process.order, {}).items() if n}
        received: Quantities = {}
        for receipt in receipts:
            for line, quantity in receipt.lines.items():
                received[line] = received.get(line, 0) + quantity
        if sale.delivered and received != came:
            raise Violation("g", f"{name}: {came} came back, the ERP received {received}.")

    def _owned(self, subject: int, process: OrderProcess) -> None:
        """b: finished, or somebody's case; and cancelled where it was cancelled."""
        if not process.known:
            if not self.open.get(subject) and not self._waits(subject):
                raise Violation("b", f"{self._name(subject)} has reports and no order, and is nobody's case.")
            return
        unheard = any(
            what.startswith("message hub effect.settled") for what in self._people.dropped.get(subject, ())
        )  # whoever drops what became of a call keeps its order waiting for it: until its deadline it is nobody's case
        if not (self.finished[subject] or self.open.get(subject) or self._waits(subject) or unheard):
            raise Violation("b", f"{self._name(subject)} is not finished, and is nobody's case.")
        body = self._partners.shops[process.connection].order(int(process.external_id or 0))
        if body is None or self.open.get(subject) or self._excused(subject):
            return
        gone = body["cancelled_at"] is not None
        back = returned(body)
        wanted = {
            str(i["id"]): i["quantity"]
            if gone
            else i["quantity"] - i["current_quantity"] - back.get(str(i["id"]), 0)
            for i in body["line_items"]
        }
        lost = {line.id: line.lost for line in process.lines}
        if wanted != lost:
            raise Violation("b", f"{self._name(subject)}: the shop cancelled {wanted}, the hub {lost}.")
        for sale in self._partners.erp.sales.values():
            if sale.reference == process.order:
                left = {i: sale.lines.get(i, 0) - sale.cancelled.get(i, 0) for i in wanted}
                kept = {line.id: line.ordered - line.lost for line in process.lines}
                if any(left.get(i, 0) != n for i, n in kept.items()):
                    raise Violation("b", f"{self._name(subject)}: {kept} is wanted, the ERP has {left}.")

    def _waits(self, subject: int) -> bool:
        sql = "select 1 from inbox where subject = ? union all select 1 from outbox where subject = ?"
        return bool(self._hub.ask(sql, subject, subject))

    def _stock(self) -> None:
        """f: what the hub believes to be there is there."""
        for place in WAREHOUSES:
            stock = self._partners.warehouses[place].stock
            levels = self._hub.reader.levels(list(stock))
            for sku, quantity in stock.items():
                level = levels.get((sku, place), Level(sku, place))
                if level.on_hand != quantity:
                    raise Violation(
                        "f", f"{sku} at {place}: {quantity} are there, the hub believes {level.on_hand}."
                    )
                kept = self._people.returns.held.get((sku, place), 0)
                if level.quarantined != kept:
                    raise Violation(
                        "f",
                        f"{sku} at {place}: {kept} may not be sold, the hub believes {level.quarantined}.",
                    )
                if quantity < 0:
                    raise Violation("f", f"{sku} at {place}: more left than there was.")

    def _claims(self) -> None:
        """f: what is reserved or allocated is some order's."""
        owned: dict[tuple[str, str, str], int] = {}
        for process in self.processes.values():
            for piece in process.pieces:
                for place, quantity in piece.claims.items():
                    key = (piece.sku, place, "reserved")
                    owned[key] = owned.get(key, 0) + quantity
            for request in process.requests:
                for item in request.items:
                    key = (item.sku, request.location, "allocated")
                    owned[key] = owned.get(key, 0) + item.out
        for (sku, place, bucket), held in self._hub.known.stock.items():
            if bucket in ("reserved", "allocated") and held != owned.get((sku, place, bucket), 0):
                raise Violation(
                    "f",
                    f"{sku} at {place}: {held} {bucket}, of which orders own {owned.get((sku, place, bucket), 0)}.",
                )

    def _offers(self) -> None:
        """Every shop offers what there is for it."""
        plan = self._hub.config.plan
        for name in SHOPS:
            offered = self._partners.shops[name].admin.quantities
            skus = self._partners.shops[name].catalogue.skus
            levels = self._hub.reader.levels(list(skus))
            for sku in skus:
                mine = [level for (key, _), level in levels.items() if key == sku]
                wanted = published_quantity(plan, name, sku, mine)
                if offered.get(sku) != wanted:
                    raise Violation(
                        "f", f"{sku}: {wanted} may be sold in {name}, it offers {offered.get(sku)}."
                    )
