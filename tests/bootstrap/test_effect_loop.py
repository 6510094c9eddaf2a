"""The loop that performs effects: no more at once than a partner bears, and no answer is lost, whatever the disk does."""

import asyncio
import threading

import pytest

from crossdock.bootstrap import loops
from crossdock.bootstrap.hands import Hands, HandsThread
from crossdock.bootstrap.loops import EffectLoop, Signals, forever
from crossdock.engine.pace import Breaker
from crossdock.errors import OverloadedError, UnclearError
from tests.bootstrap.waiting import eventually
from tests.engine.partner import Outbound

CLAIMED, IN_DOUBT = 3, 5


class Gate:
    """A transport that lets calls through when it is opened, and counts how many wait at once."""

    def __init__(self, wire):
        self.wire, self.inside, self.most = wire, 0, 0
        self.open = threading.Event()

    async def send(self, request, timeout_s, traceparent="", tracestate=""):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            while not self.open.is_set():
                await asyncio.sleep(0.001)
            return self.wire.send(request, timeout_s, traceparent, tracestate)
        finally:
            self.inside -= 1

    async def close(self):
        self.open.set()


class Effects(Outbound):
    """A rig whose effects are performed by the loop on a thread of its own."""

    def __init__(self, running, **lane):
        super().__init__(running.store, names=("partner", "other"), **lane)
        self.writer, self.signals = running.start(), Signals()
        self.gates = {name: Gate(wire) for name, wire in self.wires.items()}
        self.gates["other"].open.set()
        places = {name: lane.concurrency_max for name, lane in self.lanes.items()}
        self.hands = HandsThread(Hands(self.performer, self.gates, places, self.signals.stopping))
        self.loop = EffectLoop(self.dispatcher, self.hands, self.writer, lambda: self.now, self.signals)
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        self.hands.start(self.loop.done)
        forever(self.signals, "effects", self.loop.turn)
        self.loop.end()

    @property
    def gate(self):
        return self.gates["partner"]

    def stage(self, count, *effects):
        """So many orders with these effects each."""
        return [self.writer.call(lambda n=n: self.effect(*effects, ref=str(n))) for n in range(count)]

    def start(self):
        self._thread.start()

    def stop(self):
        self.signals.stopping.set()
        self.gate.open.set()
        if self._thread.ident is not None:
            self._thread.join(20)
            assert not self._thread.is_alive()

    def unfinished(self):
        return sum(row[3] for row in self.ask("outbox_by_state"))

    def through(self):
        eventually(lambda: self.unfinished() == 0)


@pytest.fixture
def rig(running, monkeypatch):
    monkeypatch.setattr(loops, "AFTER_ERROR_S", 0.02)
    made = Effects(running, concurrency_max=3)
    yield made
    made.stop()


def test_no_more_calls_are_under_way_than_the_partner_bears(rig):
    rig.stage(20, "by_key")
    rig.start()
    eventually(lambda: rig.gate.inside == 3)
    rig.gate.open.set()
    rig.through()
    assert rig.gate.most == 3
    assert rig.wire.count("/by_key") == 20
    assert rig.lanes["partner"].in_flight == 0


@pytest.mark.fault(9)
def test_a_partner_that_does_not_answer_holds_no_other_back(rig):
    rig.stage(20, "by_key", "other:by_key")
    rig.start()
    eventually(lambda: rig.wires["other"].count("/by_key") == 20)
    assert rig.wire.count("/by_key") == 0


@pytest.mark.fault(8)
def test_what_was_answered_while_the_store_could_not_write_is_recorded_later_and_not_done_again(rig):
    settle, times = rig.store.settle, []

    def full_at_first(results, now):
        times.append(now)
        if len(times) <= 1:
            raise OverloadedError("The disk is full.")
        settle(results, now)

    rig.store.settle = full_at_first
    rig.stage(5, "by_none")
    rig.gate.open.set()
    rig.start()
    rig.through()
    assert rig.wire.count("/by_none") == 5
    assert rig.lanes["partner"].in_flight == 0


def test_a_claim_that_could_not_be_written_takes_no_place(rig):
    group, times = rig.store.group, []

    def fails_when_it_has_claimed(jobs):
        results = group([*jobs, lambda: times.append(1)])[:-1]
        if any(result for result in results) and len(times) < 4:
            rig.store._db.connection.execute("update outbox set state = 0 where state = 3")
            raise OverloadedError("The disk is full.")
        return results

    rig.stage(20, "by_key")
    rig.store.group = fails_when_it_has_claimed
    rig.gate.open.set()
    rig.start()
    rig.through()
    assert rig.lanes["partner"].in_flight == 0


def test_one_result_that_cannot_be_written_parks_and_holds_up_no_other(rig):
    settle = rig.store.settle

    def picky(results, now):
        if any(result.state == "done" and result.effect.operation == "by_lookup" for result in results):
            raise ValueError("no such text")
        settle(results, now)

    rig.store.settle = picky
    (odd, *_) = rig.stage(1, "by_lookup")
    rig.writer.call(lambda: [rig.effect("by_key", ref=f"x{n}") for n in range(4)])
    rig.gate.open.set()
    rig.start()
    eventually(lambda: rig.unfinished() == 1)
    rig.writer.call(rig.run)
    assert rig.outbox(odd)[0][:2] == ("by_lookup", 4)
    assert len(rig.cases()) == 1


@pytest.mark.parametrize("trouble", [UnclearError("x"), RuntimeError("a defect of the transport")])
def test_a_call_that_breaks_is_always_settled(rig, trouble):
    (receipt,) = rig.stage(1, "by_none")
    rig.wire.will("/by_none", trouble)
    rig.gate.open.set()
    rig.start()
    eventually(lambda: rig.outbox(receipt)[0][1] == IN_DOUBT)


def test_when_it_stops_what_is_under_way_is_finished_and_recorded_and_nothing_is_begun(rig):
    receipts = rig.stage(10, "by_none")
    rig.start()
    eventually(lambda: rig.gate.inside == 3)
    rig.stop()
    assert rig.wire.count("/by_none") == 3
    left = [rig.outbox(receipt) for receipt in receipts]
    assert left.count([]) == 3
    assert left.count([("by_none", 0, 0)]) == 7


def test_the_log_says_once_that_a_partner_is_away_and_once_that_it_is_back(rig, caplog):
    lane = rig.lanes["partner"]
    well = lane.breaker
    for breaker in (well, Breaker(trips=1, until=1), Breaker(trips=2, until=2), well, well):
        lane.breaker = breaker
        rig.loop._say()
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "partner does not answer",
        "partner answers again",
    ]
