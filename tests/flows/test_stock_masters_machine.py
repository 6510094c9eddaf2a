"""Any history of counts, sales, late uploads, returns, shipments and bookings that lag, with the ERP as master of stock."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crossdock.engine.messages import Stage
from crossdock.model import LineId, OrderReported, Return, ReturnLine, ReturnReported, Sku
from tests.flows.facts import shipped
from tests.flows.hub import balance_of
from tests.flows.masters import SKU, Erp, MasterHub, master_plan
from tests.flows.stores import DAY, SECOND, line, ticket, z_report, z_till
from tests.model.builders import make_line, make_order


class Model:
    """What the hub may say: the last statement that it took, and every movement that this does not hold."""

    def __init__(self) -> None:
        self.stated, self.at = 0, 0
        self.moved: dict[str, int] = {}
        self.booked: dict[str, int] = {}

    def take(self, on_hand: int, at: int) -> None:
        if at > self.at:
            self.stated, self.at = on_hand, at

    def on_hand(self) -> int:
        waiting = (n for key, n in self.moved.items() if self.booked.get(key, self.at + 1) > self.at)
        return self.stated + sum(waiting)

    def doubtful(self, heard: set[str]) -> tuple[int, int]:
        """What the statement holds and the hub has not heard of: how much too low or too high it may say."""
        held = [n for key, n in self.moved.items() if self.booked.get(key, self.at + 1) <= self.at]
        unheard = [
            n
            for key, n in self.moved.items()
            if key not in heard and self.booked.get(key, self.at + 1) <= self.at
        ]
        assert len(unheard) <= len(held)
        return sum(n for n in unheard if n < 0), sum(n for n in unheard if n > 0)


class Masters(RuleBasedStateMachine):
    """One SKU at one store that also ships for the shop. `post` and the ERP's clock are drawn."""

    @initialize(
        on_hand=st.integers(0, 9), post=st.sampled_from(["each", "day"]), skew=st.sampled_from([-300, 0, 300])
    )
    def opens(self, on_hand, post, skew):
        self.hub = MasterHub(master_plan(post=post))
        self.skew = skew * SECOND
        self.erp = Erp(self.now)
        self.model = Model()
        self.replies: list[tuple[int, Stage, int]] = []
        self.statements: list[tuple[int, int]] = []
        self.heard: set[str] = set()
        self.tickets = self.orders = 0
        self.till: dict[int, int] = {}
        self.back: dict[int, int] = {}
        self.counts(on_hand)
        self.states()
        self.statement_comes(0)

    @property
    def now(self) -> int:
        return self.hub.now + self.skew

    def passes(self) -> None:
        """Time passes; what moves no stock is told and heard at once."""
        self.hub.advance(SECOND)
        while dull := [pair for pair in self.sendable() if not self._keys(*pair)]:
            for subject, stage in dull:
                self.hub.settle(stage.operation, subject=subject)

    @rule(on_hand=st.integers(0, 9))
    def counts(self, on_hand):
        """People count in the ERP, whatever it has booked."""
        self.passes()
        self.erp.count(on_hand, self.now)

    @rule(quantity=st.integers(1, 3), late=st.booleans())
    def sells(self, quantity, late):
        self._ticket(-quantity, "2026-03-28T08:00:00+01:00" if late else "2026-03-28T12:00:00+01:00")

    @rule(quantity=st.integers(1, 2))
    def takes_back(self, quantity):
        self._ticket(quantity, "2026-03-28T12:00:00+01:00")

    @rule(quantity=st.integers(1, 3))
    def ships(self, quantity):
        """The shop sells, the store ships, whatever is there."""
        self.passes()
        self.orders += 1
        subject = self.orders
        order = make_order(make_line("1", ordered=quantity), external_id=str(subject))
        self.hub.tell("shop", OrderReported(order=order), subject=subject)
        request = f"CD{subject:010d}-1"
        self.hub.tell("wms", shipped(f"S{subject}", request=request, l1=quantity), subject=subject)
        self.model.moved[f"delivery {subject}"] = -quantity

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), more=st.integers(1, 2))
    def comes_back(self, data, more):
        """A part of what an order shipped is there again, or more than that: it waits with what waits, or by itself."""
        self.passes()
        subject = data.draw(st.integers(1, self.orders))
        held = next(iter(self.hub.process(subject).returns), None)
        received = self.back[subject] = self.back.get(subject, 0) + more
        line = ReturnLine(
            line=LineId("1"), sku=Sku(SKU), quantity=9, received=received, disposition="restock"
        )
        told = {"external_id": "B", "version": str(received), "location": "berlin"}
        self.hub.tell("wms", ReturnReported(goods_return=Return(lines=(line,), **told)), subject=subject)
        key = f"return {subject} {held.receipts + 1 if held is not None else 1}"
        self.model.moved[key] = self.model.moved.get(key, 0) + more

    @precondition(lambda self: self.till and self.hub.plan.routes["pos"].post == "day")
    @rule()
    def closes(self):
        """The day closes, or closes again with what came since; its sum waits in the outbox."""
        cash = sum(self.till.values()) * -1000
        numbers = {"first": 1, "last": self.tickets}
        report = z_report(z_till(cash=cash, **numbers), version=str(self.hub.messages))
        self.hub.post("day.closed", report)
        self.hub.advance(10 * SECOND)

    @precondition(lambda self: self.sendable())
    @rule(data=st.data())
    def erp_books(self, data):
        self.passes()
        if waiting := self.sendable():
            self._book(*data.draw(st.sampled_from(waiting)))

    @precondition(lambda self: self.replies)
    @rule(data=st.data())
    def hub_hears(self, data):
        at = data.draw(st.integers(0, len(self.replies) - 1))
        self._hear(*self.replies.pop(at))

    @rule()
    def states(self):
        self.passes()
        self.statements.append(self.erp.state())

    @precondition(lambda self: self.statements)
    @rule(at=st.integers(0, 5))
    def statement_comes(self, at):
        """In any order, and more than once; one that is lost is one that never comes."""
        self.passes()
        statement = self.statements[at % len(self.statements)]
        self.hub.state(*statement)
        self.model.take(*statement)

    @rule()
    def feed_is_read(self):
        """The way of most statements: made and taken at once."""
        self.states()
        self.statement_comes(len(self.statements) - 1)

    @rule(on_hand=st.integers(0, 9))
    def page_takes_long(self, on_hand):
        """While a statement is on its way the ERP books, and the hub hears of it."""
        self.counts(on_hand)
        self.states()
        for subject, stage in self.sendable():
            self._book(subject, stage)
        while self.replies:
            self._hear(*self.replies.pop())
        self.statement_comes(len(self.statements) - 1)

    @rule()
    def everything_settles(self):
        while self.replies or self.sendable():
            for subject, stage in self.sendable():
                self._book(subject, stage)
            while self.replies:
                self._hear(*self.replies.pop())
        self.statements = [self.erp.state()]
        self.statement_comes(0)
        untold = sum(n for key, n in self.model.moved.items() if key not in self.model.booked)
        assert self.hub.on_hand() == self.erp.on_hand + untold

    @invariant()
    def the_hub_says_what_is_there_and_never_sells_a_unit_twice(self):
        if not hasattr(self, "hub"):
            return
        low, high = self.model.doubtful(self.heard)
        assert self.hub.on_hand() == self.model.on_hand() + low + high
        sums = balance_of(self.hub.movements).get((SKU, "berlin"), [0])
        assert sums[0] == self.hub.on_hand()

    def sendable(self) -> list[tuple[int, Stage]]:
        away = {subject for subject, _, _ in self.replies}
        return [pair for pair in self.hub.to_erp() if pair[0] not in away]

    def _ticket(self, quantity: int, at: str) -> None:
        self.passes()
        self.tickets += 1
        kind = "sale" if quantity < 0 else "return"
        body = ticket(self.tickets, line(quantity=-quantity), kind=kind, at=at, business_date=DAY)
        self.hub.post("ticket", body)
        self.till[self.tickets] = quantity
        self.model.moved[f"ticket {self.tickets}"] = quantity

    def _keys(self, subject: int, stage: Stage) -> list[str]:
        """The movements that an effect tells."""
        number = next(
            (n for n in self.till if self.hub.subjects["pos", "ticket", f"berlin/T1/{n}"] == subject), 0
        )
        told: list[str] = []
        if stage.operation == "create_delivery":
            told = [f"ticket {number}" if number else f"delivery {subject}"]
        elif stage.operation == "receive_return":
            told = [f"return {subject} {stage.intent.rpartition(':')[2]}"]
        elif stage.operation == "create_credit" or (
            stage.operation == "create_sale" and number and self.till[number] > 0
        ):
            told = [f"ticket {number}"]
        elif stage.operation == "post_day":
            posting = self.hub.process(subject).day.postings[int(stage.intent.partition(":")[2])]
            told = [f"ticket {n}" for n in self.till if self.till[n] < 0 and posting.holds("T1", n)]
        return told

    def _book(self, subject: int, stage: Stage) -> None:
        booked_at = 0
        for key in self._keys(subject, stage):
            self.erp.book(key, self.model.moved[key], self.now)
            self.model.booked[key] = booked_at = self.erp.booked[key]
        self.replies.append((subject, stage, booked_at or self.erp.tick(self.now)))

    def _hear(self, subject: int, stage: Stage, booked_at: int) -> None:
        self.heard.update(self._keys(subject, stage))
        self.hub.settle(stage.operation, subject=subject, booked_at=booked_at)


TestMasters = Masters.TestCase
TestMasters.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
