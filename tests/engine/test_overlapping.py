"""Two batches under way: what is decided while the one before is written, and what becomes of it when something goes wrong."""

import msgspec
import pytest

from crossdock.engine import crash
from crossdock.engine.overlapping import Overlapping
from crossdock.errors import OverloadedError
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.engine.conftest import KEY
from tests.engine.test_pipeline_failures import PARKED, WAITING, Full, handle_all
from tests.engine.trade import Rig, Word


class Two(Rig):
    """A rig with two batches under way. What is written beside is written when it is waited for, or `at_once`."""

    def __init__(self, store, **settings):
        super().__init__(store, **settings)
        self.at_once, self.over = False, []
        self.steps = Overlapping(self.pipeline, self.beside)
        decide_over = self.pipeline.decide_over
        self.pipeline.decide_over = lambda *given: self.noted(decide_over(*given))

    def noted(self, batch):
        self.over.append(batch is not None)
        return batch

    def beside(self, write):
        if not self.at_once:
            return write
        write()
        return lambda: None

    def step(self):
        return self.steps.step(self.now)

    def run(self):
        while self.step():
            pass


@pytest.fixture
def rig(store):
    made = Two(store, batch_max=4)
    yield made
    assert not any(made.balance().values()), made.balance()


@pytest.mark.parametrize("at_once", [False, True])
def test_the_second_batch_sees_what_the_first_decided_wherever_its_writing_has_got_to(rig, at_once):
    rig.at_once = at_once
    sent = [rig.send(str(n % 3), f"w{n}", take=1) for n in range(22)]
    rig.run()
    assert [rig.words(sent[n]) for n in range(3)] == [[f"w{i}" for i in range(n, 22, 3)] for n in range(3)]
    assert rig.ask("get_stock", "SKU")[0][2] == -22
    assert rig.over == [True] * 5


def test_the_last_batch_is_written_when_nothing_more_comes(rig):
    sent = [rig.send("1", f"w{n}") for n in range(4)]
    assert rig.step() == 4
    assert rig.words(sent[0]) == []
    assert rig.step() == 4
    assert rig.words(sent[0]) == ["w0", "w1", "w2", "w3"]
    assert rig.step() == 0


def test_a_batch_that_is_not_full_is_written_at_once(rig):
    sent = [rig.send("1", f"w{n}") for n in range(3)]
    assert rig.step() == 3
    assert rig.words(sent[0]) == ["w0", "w1", "w2"]


def test_what_follows_a_parked_message_is_decided_when_that_is_written(rig):
    head = rig.send("1", "head", mood="mapping")
    behind = [rig.send("1", f"b{n}") for n in range(9)]
    other = rig.send("2", "other")
    rig.run()
    assert rig.waiting(head) == {head.message: PARKED, **{r.message: WAITING for r in behind}}
    assert rig.words(other) == ["other"]
    assert not any(rig.over)


@pytest.mark.parametrize("mood", ["mapping", "retry"])
def test_what_follows_the_last_of_a_batch_waits_where_that_one_has_failed(rig, mood):
    """Nothing of its own batch waits for it: only what is written tells that its stream stands."""
    others = [rig.send(str(n), "other") for n in range(2, 5)]
    head = rig.send("1", "head", mood=mood)
    behind = [rig.send("1", f"b{n}") for n in range(4)]
    rig.step()
    rig.step()
    rig.step()
    assert rig.words(head) == []
    assert all(rig.words(other) == ["other"] for other in others)
    rig.trade.mended.add("head")
    if mood == "mapping":
        (case,) = rig.cases()
        rig.act("retry", case["id"], head.subject)
    rig.now += 3600 * 1_000_000
    rig.store.wake(rig.now)
    rig.run()
    assert rig.words(head) == ["head", *(f"b{n}" for n in range(len(behind)))]


def test_where_the_first_cannot_be_written_the_second_is_decided_anew(rig):
    sent = [rig.send("1", f"w{n}", take=1, poison=n == 2) for n in range(8)]
    other = [rig.send("2", f"x{n}", take=1) for n in range(8)]
    rig.run()
    assert rig.words(sent[0]) == ["w0", "w1"]
    assert rig.words(other[0]) == [f"x{n}" for n in range(8)]
    assert rig.ask("get_stock", "SKU")[0][2] == -10
    assert [case["message"] for case in rig.cases()] == [sent[2].message]


@pytest.mark.fault(8)
def test_where_the_store_cannot_write_both_are_due_again(rig):
    full = Full(rig.store, times=1)
    sent = [rig.send("1", f"w{n}") for n in range(8)]
    rig.step()
    with pytest.raises(OverloadedError):
        rig.step()
    rig.run()
    assert full.tried == 3
    assert rig.words(sent[0]) == [f"w{n}" for n in range(8)]
    assert not rig.cases()


def test_what_is_let_go_is_due_again_and_was_never_written(rig):
    sent = [rig.send("1", f"w{n}") for n in range(4)]
    rig.step()
    rig.steps.let_go()
    assert rig.words(sent[0]) == []
    rig.run()
    assert rig.words(sent[0]) == ["w0", "w1", "w2", "w3"]


@pytest.mark.fault(16)
def test_a_crash_is_counted_though_the_batch_before_was_written_meanwhile(tmp_path):
    """The batch that killed was claimed before the one before it was written."""
    path = tmp_path / "crossdock.db"
    rig = Two(open_store(path, Vault(KEY)), batch_max=1)
    first, second = rig.send("1", "w"), rig.send("2", "deadly")
    rig.step()
    rig.at_once = True
    translate = rig.trade.translate

    def die(message):
        if message.id == second.message:
            raise KeyboardInterrupt
        return translate(message)

    rig.trade.translate = die
    with pytest.raises(KeyboardInterrupt):
        rig.step()
    assert rig.words(first) == ["w"]
    rig.store.close()
    again = Two(open_store(path, Vault(KEY)), batch_max=4)
    claim = again.store.claim(4, again.now)
    assert ([m.id for m in claim.messages], claim.crashes) == ([second.message], 1)
    again.store.close()


def test_the_crash_points_of_two_batches_are_all_reached(store):
    points = []
    rig = Two(store, batch_max=1, reach=points.append)
    rig.send("1", "v")
    rig.send("1", "w")
    rig.run()
    assert points == [
        *2 * [crash.BATCH_CLAIMED, crash.BATCH_DECIDED],
        *2 * [crash.BATCH_BEFORE_COMMIT, crash.BATCH_COMMITTED],
    ]


@pytest.mark.fault(16)
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("place", [0, 3, 7, 12])
def test_a_message_that_kills_is_quarantined_alone(tmp_path, place, at_once):
    path = tmp_path / "x.db"
    first = Rig(open_store(path, Vault(KEY)))
    sent = [first.send(str(n % 5), f"w{n}") for n in range(14)]
    first.store.close()

    def make(store):
        rig = Two(store, batch_max=3)
        rig.at_once = at_once
        return rig

    rig, processes = handle_all(path, {msgspec.json.encode(Word(text=f"w{place}"))}, make)
    (case,) = rig.cases()
    assert (case["reason"], case["message"]) == ("crash", sent[place].message)
    assert processes <= 16
    rig.act("retry", case["id"], sent[place].subject)
    rig.trade.translate = type(rig.trade).translate.__get__(rig.trade)
    rig.run()
    assert [rig.words(sent[n]) for n in range(5)] == [[f"w{i}" for i in range(n, 14, 5)] for n in range(5)]
    rig.store.close()
