"""The pipeline's loop over a writer that fails at the worst moment: what it had claimed ahead is neither lost nor early."""

import pytest

from crossdock.bootstrap.loops import PipelineLoop, Signals
from crossdock.bootstrap.writer import Ticket
from crossdock.errors import OverloadedError
from tests.engine.trade import Rig


class Hands:
    """The writer's work, done at once on this thread. `fails` says which calls come to nothing."""

    def __init__(self, store):
        self.store, self.calls, self.fails = store, 0, ()

    def submit(self, job):
        ticket = Ticket(job)
        self.calls += 1
        if self.calls in self.fails:
            ticket.finish(OverloadedError("The disk is full."))
        else:
            ticket.finish(self.store.group([job])[0])
        return ticket

    def call(self, job, wait_s=None):
        return self.submit(job).wait()

    def alone(self, job):
        return job()


class Deep(Rig):
    def __init__(self, store):
        super().__init__(store, batch_max=4)
        self.hands, self.signals = Hands(store), Signals()
        self.loop = PipelineLoop(self.pipeline, store, self.hands, lambda: self.now, self.signals)

    def run(self):
        """Turn until it is quiet, as the hub does: a turn that fails is followed by the next."""
        quiet = 0
        while quiet < 3:
            self.signals.messages.set()
            try:
                self.loop.turn()
            except OverloadedError:
                continue
            quiet = 0 if self.loop._claims or self.loop._writing else quiet + 1


@pytest.fixture
def deep(store):
    return Deep(store)


@pytest.mark.parametrize("call", range(1, 8))
def test_a_claim_or_a_write_that_fails_leaves_nothing_behind(deep, call):
    sent = [deep.send("1", f"w{n}") for n in range(20)]
    deep.hands.fails = (call,)
    deep.run()
    assert deep.words(sent[0]) == [f"w{n}" for n in range(20)]


def test_a_batch_that_cannot_be_decided_at_the_moment_is_not_overtaken_by_the_next(deep):
    sent = [deep.send("1", f"w{n}") for n in range(12)]
    load, asked = deep.store.load, []

    def busy(needs):
        asked.append(needs)
        if len(asked) == 1:
            raise OverloadedError("The disk does not read.")
        return load(needs)

    deep.store.load = busy
    deep.run()
    assert deep.words(sent[0]) == [f"w{n}" for n in range(12)]


def test_messages_that_are_freed_by_halving_come_before_the_batch_that_was_claimed_ahead(deep):
    head = deep.send("1", "head", mood="retry")
    deep.send("1", "b")
    deep.run()
    deep.trade.moods["head"] = ""
    for n in range(3):
        deep.send(f"x{n}", "x", early="needs" if n == 0 else "")
    for word in ("c", "d", "e", "f"):
        deep.send("1", word)
    deep.now += 60_000_000
    deep.store.wake(deep.now)
    deep.run()
    assert deep.words(head) == ["head", "b", "c", "d", "e", "f"]
