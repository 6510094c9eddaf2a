"""The pipeline as the writer's work: as fast as it is, it keeps every promise."""

import threading

import pytest

from crossdock.bootstrap import loops
from crossdock.bootstrap.beside import Beside
from crossdock.bootstrap.loops import PipelineWork, Signals
from crossdock.engine.overlapping import Overlapping
from crossdock.testing.store_case import NOW, arrival
from tests.bootstrap.waiting import eventually
from tests.engine.trade import Rig

PARKED, WAITING = 3, 2


class Looping(Rig):
    """A rig whose messages are handled on the writer's thread; tests say when, unless they let it go."""

    def __init__(self, running, steps, **settings):
        super().__init__(running.store, **settings)
        self.writer, self.signals = running.start(), Signals()
        self.work = PipelineWork(steps(self.pipeline), self.writer, lambda: self.now, self.signals)

    def send(self, *arguments, **named):
        return self.writer.call(lambda: super(Looping, self).send(*arguments, **named))

    def act(self, *arguments, **named):
        return self.writer.call(lambda: super(Looping, self).act(*arguments, **named))

    def turn(self):
        """One batch, or none."""
        return self.writer.alone(self.work)

    def run(self):
        """Turn until nothing is ready."""
        while self.ready():
            self.turn()

    def ready(self):
        return sum(count for _, state, count, _ in self.ask("inbox_by_state") if state == 0)


@pytest.fixture(params=["one batch", "two batches under way"])
def rig(running, request):
    beside = Beside()
    steps = {
        "one batch": lambda pipeline: pipeline,
        "two batches under way": lambda p: Overlapping(p, beside),
    }
    made = Looping(running, steps[request.param], batch_max=4)
    yield made
    beside.close()
    assert not any(made.balance().values())
    assert not made.ask("stock_differences")


def test_order_and_stock_hold_over_many_batches(rig):
    sent = [rig.send(str(n % 5), f"w{n}", take=1) for n in range(60)]
    rig.run()
    for n in range(5):
        assert rig.words(sent[n]) == [f"w{i}" for i in range(n, 60, 5)]
    assert rig.ask("get_stock", "SKU")[0][2] == -60


@pytest.mark.parametrize("position", [0, 3, 4, 9, 19])
def test_a_failing_write_is_halved_on_what_stands_and_loses_no_stock(rig, position):
    sent = [rig.send("1", f"w{n}", take=1) for n in range(20)]
    bad = rig.send("bad", "bad", poison=True)
    for n in range(20):
        rig.send(str(n % 3), f"x{n}", take=1, poison=n == position)
    rig.run()
    assert len(rig.cases()) == 2
    assert rig.words(bad) == []
    said = rig.words(sent[0])
    assert said[:20] == [f"w{n}" for n in range(20)]
    left = {case["message"] for case in rig.cases()} | {
        message
        for receipt in (sent[0], rig.send("0", "end"), rig.send("2", "end"))
        for message, state in rig.waiting(receipt).items()
        if state == WAITING
    }
    rig.run()
    assert rig.ask("get_stock", "SKU")[0][2] == -(40 + 1 - len(left))


def test_what_waited_behind_a_retry_comes_before_what_came_later(rig):
    head = rig.send("1", "head", mood="retry")
    rig.send("1", "b")
    rig.run()
    rig.trade.moods["head"] = ""
    for n in range(3):
        rig.send("2", f"o{n}")
    rig.now += 10_000_000
    rig.writer.call(lambda: rig.store.wake(rig.now))
    for n in range(9):
        rig.send("1", f"c{n}")
    rig.run()
    assert rig.words(head) == ["head", "b", *[f"c{n}" for n in range(9)]]


def test_what_waited_behind_a_dropped_message_comes_before_what_came_later(rig):
    head = rig.send("1", "head", mood="mapping")
    rig.send("1", "b")
    rig.run()
    rig.act("drop", rig.cases()[0]["id"], head.subject)
    for n in range(9):
        rig.send("1", f"c{n}")
    rig.run()
    assert rig.words(head) == ["b", *[f"c{n}" for n in range(9)]]


def test_a_message_that_parks_in_a_full_batch_holds_back_the_batch_behind_it(rig):
    for n in range(3):
        rig.send("2", f"o{n}")
    head = rig.send("1", "head", mood="mapping")
    behind = [rig.send("1", f"b{n}") for n in range(6)]
    rig.run()
    assert rig.words(head) == []
    assert rig.waiting(head) == {head.message: PARKED, **{r.message: WAITING for r in behind}}


@pytest.mark.parametrize("early", ["translate", "needs"])
def test_a_defect_parks_alone(rig, early):
    sent = [rig.send(str(n), f"w{n}", early=early if n == 6 else "") for n in range(12)]
    rig.run()
    assert [bool(rig.words(receipt)) for receipt in sent] == [n != 6 for n in range(12)]
    assert [case["reason"] for case in rig.cases()] == ["internal"]


@pytest.mark.fault(16)
def test_a_message_that_killed_is_quarantined_by_the_writer(rig):
    sent = rig.send("1", "w")
    rig.writer.call(lambda: rig.store.claim(1, NOW))
    rig.store._inbox._claimed.clear()
    rig.store._inbox._crashed = (1, 2)
    rig.run()
    assert rig.waiting(sent) == {sent.message: PARKED}
    assert [case["reason"] for case in rig.cases()] == ["crash"]


@pytest.mark.fault(8)
def test_a_full_disk_loses_nothing_and_work_goes_on_by_itself(rig, monkeypatch):
    monkeypatch.setattr(loops, "AFTER_ERROR_S", 0.0)
    sent = [rig.send(str(n % 3), f"w{n}" * 1_000, take=1) for n in range(20)]
    rig.writer.call(lambda: limit_pages(rig.store, 0))
    assert False in [rig.turn() for _ in range(6)]
    assert rig.ready() == 20
    assert not rig.cases()
    rig.writer.alone(lambda: limit_pages(rig.store, 2**30))
    rig.run()
    assert [len(rig.words(receipt)) for receipt in sent[:3]] == [7, 7, 6]
    assert not rig.cases()
    assert not any(row["attempts"] > 1 for row in rig.story(sent[0])["messages"])


def limit_pages(store, free):
    """Let the file grow by so many pages and no more."""
    connection = store._db.connection
    connection.pragma("max_page_count", connection.pragma("page_count") + free)


def test_intake_goes_on_while_batches_are_handled(rig):
    stop = threading.Event()
    receipts = []

    def pour():
        while not stop.is_set() and len(receipts) < 400:
            receipts.append(rig.send(str(len(receipts) % 7), f"w{len(receipts)}"))

    thread = threading.Thread(target=pour)
    thread.start()
    eventually(lambda: len(receipts) > 20)
    rig.writer.work = rig.work
    thread.join()
    eventually(lambda: not rig.ready())
    rig.writer.work = lambda: False
    for n in range(7):
        assert rig.words(receipts[n]) == [f"w{i}" for i in range(n, len(receipts), 7)]


def test_arrivals_go_between_the_parts_of_a_batch(running):
    rig = Looping(running, lambda pipeline: pipeline, batch_max=8)
    receipts = [rig.send(str(n), f"w{n}") for n in range(8)]
    kept = []
    rig.pipeline.breathe = rig.writer.breathe
    decide = rig.pipeline.decide

    def slow(ready, now):
        rig.writer.take_in([arrival("9")], kept.append)
        return decide(ready, now)

    rig.pipeline.decide = slow
    rig.pipeline.write = lambda batch: kept.append("written")
    rig.turn()
    assert len(receipts) == 8
    assert kept[1:] == ["written"]
    assert not isinstance(kept[0], Exception)
