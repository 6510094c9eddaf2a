"""Any history of tickets, uploads hours late, returns, parcels and counts, with the hub itself as master of stock."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crossdock.model import OrderReported, as_utc
from tests.flows.facts import shipped
from tests.flows.hub import balance_of
from tests.flows.masters import SKU, master_plan
from tests.flows.stores import DAY, SECOND, StoreHub, line, ticket
from tests.model.builders import make_line, make_order


class Model:
    """A shelf, and what may be said of it: the newest count that came, and what left or came back after it and was told."""

    def __init__(self) -> None:
        self.shelf = 0
        self.counted, self.counted_at = 0, 0
        self.told: list[tuple[int, int]] = []

    def count(self, on_hand: int, at: int) -> None:
        if at > self.counted_at:
            self.counted, self.counted_at = on_hand, at

    def tell(self, quantity: int, at: int) -> None:
        self.told.append((at, quantity))

    def on_hand(self) -> int:
        return self.counted + sum(quantity for at, quantity in self.told if at > self.counted_at)


class Counted(RuleBasedStateMachine):
    """One SKU at one store, whose own people count it, which sells at its till and ships for the shop.

    What happens at the shelf happens at once; what is told of it waits, and comes in any order.
    """

    @initialize(on_hand=st.integers(0, 9), post=st.sampled_from(["each", "day"]))
    def opens(self, on_hand, post):
        plan = master_plan(post=post)
        self.hub = StoreHub(msgspec.structs.replace(plan, authority=type(plan.authority)()))
        self.model = Model()
        self.tickets = self.orders = 0
        self.counts: list[tuple[int, int]] = []
        self.unsent: list[tuple[dict, int, int]] = []
        self.parcels: list[tuple[int, int, int]] = []
        self.model.shelf = on_hand
        self.is_counted()
        self.count_comes(0)

    def passes(self, seconds: int = 1) -> int:
        """Time passes, so that no two things happen at one moment. Returns the moment."""
        self.hub.advance(seconds * SECOND)
        return self.hub.now

    @rule(seconds=st.integers(1, 300))
    def time_passes(self, seconds):
        self.passes(seconds)

    @rule(quantity=st.integers(1, 3), online=st.booleans())
    def sells(self, quantity, online):
        self._ticket(-quantity, online=online)

    @rule(quantity=st.integers(1, 2), online=st.booleans())
    def takes_back(self, quantity, online):
        self._ticket(quantity, online=online)

    @precondition(lambda self: self.unsent)
    @rule(data=st.data())
    def uploads_late(self, data):
        """The line is there again: some of the tickets come, in one upload and in any order."""
        self.passes()
        sent = data.draw(st.lists(st.sampled_from(range(len(self.unsent))), min_size=1, unique=True))
        chosen = [self.unsent[n] for n in sent]
        self.unsent = [held for n, held in enumerate(self.unsent) if n not in sent]
        self._upload(chosen)

    @rule(quantity=st.integers(1, 3))
    def packs(self, quantity):
        """The shop has sold, the store hands a parcel to the carrier; its word on that comes later."""
        at = self.passes()
        self.orders += 1
        order = make_order(make_line("1", ordered=quantity), external_id=str(self.orders))
        self.hub.tell("shop", OrderReported(order=order), subject=self.orders)
        self.model.shelf -= quantity
        self.parcels.append((self.orders, quantity, at))

    @precondition(lambda self: self.parcels)
    @rule(at=st.integers(0, 5))
    def parcel_is_told(self, at):
        self.passes()
        subject, quantity, left_at = self.parcels.pop(at % len(self.parcels))
        report = shipped(f"S{subject}", request=f"CD{subject:010d}-1", l1=quantity)
        when = as_utc(datetime.fromtimestamp(left_at / SECOND, UTC))
        shipment = msgspec.structs.replace(report.shipment, shipped_at=when)
        self.hub.tell("wms", msgspec.structs.replace(report, shipment=shipment), subject=subject)
        self.model.tell(-quantity, left_at)

    @rule(quantity=st.integers(1, 5))
    def goods_arrive(self, quantity):
        """Nobody tells the hub; the next count holds them."""
        self.passes()
        self.model.shelf += quantity

    @rule()
    def is_counted(self):
        """People write down what is on the shelf; the figure comes later, more than once, or never."""
        at = self.passes()
        self.counts.append((self.model.shelf, at))

    @precondition(lambda self: self.counts)
    @rule(at=st.integers(0, 5))
    def count_comes(self, at):
        """The newest, or an older one: in any order, and more than once."""
        on_hand, counted_at = self.counts[-1 - at % len(self.counts)]
        now, self.hub.now = self.hub.now, counted_at
        level = self.hub.statement(SKU, on_hand)
        self.hub.now = now
        self.passes()
        self.hub.tell("wms", level, subject=900)
        self.model.count(on_hand, counted_at)

    @precondition(lambda self: self.unsent)
    @rule()
    def upload_overtakes_a_count(self):
        """The shelf is counted, and before that is told comes everything that was sold before it."""
        self.is_counted()
        self.passes()
        self._upload(self.unsent)
        self.unsent = []
        self.count_comes(0)

    @rule()
    def everything_is_told(self):
        """Whatever came in whatever order: in the end the hub says what is on the shelf."""
        while self.unsent:
            self._upload([self.unsent.pop()])
        while self.parcels:
            self.parcel_is_told(0)
        self.is_counted()
        self.count_comes(0)
        assert self.hub.level(SKU).on_hand == self.model.shelf

    @invariant()
    def the_hub_says_what_was_counted_less_what_has_left_since(self):
        if not hasattr(self, "hub"):
            return
        level = self.hub.level(SKU)
        assert level.on_hand == self.model.on_hand()
        assert balance_of(self.hub.movements).get((SKU, "berlin"), [0])[0] == level.on_hand

    def _upload(self, tickets: list[tuple[dict, int, int]]) -> None:
        self.hub.upload(*(body for body, _, _ in tickets))
        for _, quantity, at in tickets:
            self.model.tell(quantity, at)

    def _ticket(self, quantity: int, *, online: bool) -> None:
        at = self.passes()
        self.tickets += 1
        self.model.shelf += quantity
        body = ticket(
            self.tickets,
            line(quantity=-quantity),
            kind="sale" if quantity < 0 else "return",
            at=datetime.fromtimestamp(at / SECOND, UTC).isoformat(),
            business_date=DAY,
        )
        if online:
            self.hub.post("ticket", body)
            self.model.tell(quantity, at)
        else:
            self.unsent.append((body, quantity, at))


TestCounted = Counted.TestCase
TestCounted.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
