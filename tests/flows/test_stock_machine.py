"""Any history of orders, counts, shipments and cancellations: stock is what its movements say, and claims are owned."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crossdock.domain.policy import Policy
from crossdock.model import CancellationAnswered, FulfilmentRequestId, OrderReported
from tests.flows.facts import shipped, short
from tests.flows.hub import Hub, balance_of, make_plan
from tests.model.builders import make_line, make_order

SKUS = ("SKU-1", "SKU-2")


class Model:
    """What a shelf is: a count, less what left since."""

    def __init__(self) -> None:
        self.on_hand = dict.fromkeys(SKUS, 0)

    def count(self, sku: str, quantity: int) -> None:
        self.on_hand[sku] = quantity

    def leave(self, sku: str, quantity: int) -> None:
        self.on_hand[sku] -= quantity


class Stock(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub(make_plan(policy=Policy(source_retry_s=60, reservation_s=300), routes=_one_place()))
        self.model = Model()
        self.wanted: dict[int, tuple[int, int]] = {}
        self.versions: dict[int, int] = {}
        self.parcels = 0
        self.counted: list[tuple[str, int, int]] = []

    @initialize(one=st.integers(0, 6), two=st.integers(0, 6))
    def opens(self, one, two):
        self.counts(0, one)
        self.counts(1, two)

    @rule(which=st.integers(0, 1), quantity=st.integers(0, 9))
    def counts(self, which, quantity):
        self.hub.stock(**{SKUS[which].replace("-", "_"): quantity})
        self.model.count(SKUS[which], quantity)

    @rule(which=st.integers(0, 1))
    def is_counted(self, which):
        """People write down what is on the shelf; the figure comes later."""
        self.hub.advance(1)
        sku = SKUS[which]
        self.counted.append((sku, self.model.on_hand[sku], self.hub.now))
        self.hub.advance(1)

    @precondition(lambda self: self.counted)
    @rule(at=st.integers(0, 3))
    def count_comes(self, at):
        """Whatever has left since, and however many counts have come in between, it changes nothing that is so."""
        sku, on_hand, counted_at = self.counted[at % len(self.counted)]
        now, self.hub.now = self.hub.now, counted_at
        level = self.hub.statement(sku, on_hand)
        self.hub.now = now + 1
        self.hub.tell("wms", level, subject=900)

    @rule(one=st.integers(1, 4), two=st.integers(1, 4), committed=st.booleans())
    def orders(self, one, two, committed):
        subject = len(self.wanted) + 1
        self.wanted[subject] = (one, two)
        self.versions[subject] = 0
        self._tell(subject, one, two, "committed" if committed else "tentative")

    @precondition(lambda self: self.wanted)
    @rule(
        data=st.data(),
        one=st.integers(0, 4),
        two=st.integers(0, 4),
        commitment=st.sampled_from(["committed", "void"]),
    )
    def changes(self, data, one, two, commitment):
        subject = data.draw(st.sampled_from(sorted(self.wanted)))
        self._tell(subject, one, two, commitment)

    @precondition(lambda self: self.wanted)
    @rule(data=st.data(), one=st.integers(0, 3), two=st.integers(0, 3))
    def ships(self, data, one, two):
        subject = data.draw(st.sampled_from(sorted(self.wanted)))
        lines = {name: quantity for name, quantity in (("l1", one), ("l2", two)) if quantity}
        if lines:
            self.parcels += 1
            self.hub.advance(1)
            self.hub.tell(
                "wms", shipped(f"S{self.parcels}", request=f"CD{subject:010d}-1", **lines), subject=subject
            )
            self.model.leave("SKU-1", one)
            self.model.leave("SKU-2", two)

    @precondition(lambda self: self.wanted)
    @rule(data=st.data(), quantity=st.integers(1, 3))
    def picks_short(self, data, quantity):
        subject = data.draw(st.sampled_from(sorted(self.wanted)))
        self.hub.tell("wms", short(f"CD{subject:010d}-1", l1=quantity), subject=subject)

    @rule(yes=st.booleans())
    def partners_answer(self, yes):
        while self.hub.waiting:
            subject = self.hub.waiting[0][0]
            settled = self.hub.settle(self.hub.waiting[0][1].operation)
            if settled.operation == "cancel_release":
                request = FulfilmentRequestId(settled.intent.rpartition(":")[0])
                outcome = "accepted" if yes else "refused"
                self.hub.tell("wms", CancellationAnswered(request=request, outcome=outcome), subject=subject)

    @rule(seconds=st.integers(1, 400))
    def time_passes(self, seconds):
        self.hub.advance(seconds * 1_000_000)

    @invariant()
    def stock_is_what_its_movements_say(self):
        sums = balance_of(self.hub.movements)
        for (sku, location), level in self.hub.levels.items():
            assert sums.get((sku, location), [0, 0, 0])[:3] == [
                level.on_hand,
                level.reserved,
                level.allocated,
            ]
            assert level.on_hand == self.model.on_hand[sku]

    @invariant()
    def every_claim_is_owned_by_an_order(self):
        for sku in SKUS:
            reserved = allocated = 0
            for subject in self.hub.orders:
                process = self.hub.process(subject)
                assert process.owed == []
                reserved += sum(sum(p.claims.values()) for p in process.pieces if p.sku == sku)
                allocated += sum(item.out for r in process.requests for item in r.items if item.sku == sku)
            level = self.hub.level(sku)
            assert (level.reserved, level.allocated) == (reserved, allocated)

    @invariant()
    def nothing_more_is_claimed_than_an_order_wants(self):
        for subject in self.hub.orders:
            process = self.hub.process(subject)
            for piece in process.pieces:
                line = process.line(piece.line)
                assert line is not None
                assert sum(piece.claims.values()) <= max(0, line.target - piece.shipped)

    def _tell(self, subject: int, one: int, two: int, commitment: str) -> None:
        first = self.wanted[subject]
        self.versions[subject] += 1
        lines = (
            make_line("1", ordered=first[0], current=min(one, first[0])),
            make_line("2", ordered=first[1], current=min(two, first[1])),
        )
        version = str(self.versions[subject])
        order = make_order(*lines, version=version, external_id=str(subject), commitment=commitment)
        self.hub.tell("shop", OrderReported(order=order), subject=subject)


def _one_place() -> dict:
    plan = make_plan()
    from msgspec.structs import replace

    return {name: replace(route, locations=("berlin",)) for name, route in plan.routes.items()}


TestStock = Stock.TestCase
TestStock.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
