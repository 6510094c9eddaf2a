"""Any history of messages, failures and operators, through the pipeline as the hub runs it: every promise of order holds."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.bootstrap.beside import Beside
from crossdock.engine.overlapping import Overlapping
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.bootstrap.conftest import KEY, Running
from tests.bootstrap.test_pipeline_loop import Looping

REFS = ("1", "1", "1", "2")
SOURCES = ("shop", "shop", "shop", "wms")
MOODS = ("", "", "", "", "retry", "retry", "retry", "mapping", "snooze", "defect", "poison")

sends = st.tuples(
    st.just("send"),
    st.sampled_from(REFS),
    st.sampled_from(SOURCES),
    st.sampled_from(MOODS),
    st.integers(0, 2),
)
steps = st.one_of(
    sends,
    sends,
    sends,
    sends,
    st.tuples(st.just("run")),
    st.tuples(st.just("turn"), st.integers(1, 3)),
    st.tuples(st.just("turn"), st.integers(1, 3)),
    st.tuples(st.just("later"), st.integers(1, 20)),
    st.tuples(st.just("hold"), st.sampled_from(["retry", "mapping", "poison"])),
    st.tuples(st.just("release"), st.sampled_from(["retry", "drop"])),
    st.tuples(st.just("mend"), st.integers(0, 50)),
    st.tuples(st.just("retry"), st.integers(0, 5)),
    st.tuples(st.just("drop"), st.integers(0, 5)),
)


class History:
    """Plays steps, and remembers what was sent and what may be missing or late."""

    def __init__(self, rig):
        self.rig = rig
        self.sent = {}
        self.free, self.dropped = set(), set()
        self.receipts = {}

    def play(self, step):
        getattr(self, step[0])(*step[1:])

    def send(self, ref, source, mood, take):
        text = f"{source}{len(self.receipts)}"
        poison = mood == "poison"
        receipt = self.rig.send(
            ref, text, source=source, mood="" if poison else mood, poison=poison, take=take
        )
        self.receipts[text] = (receipt, take)
        self.sent.setdefault((receipt.subject, source), []).append(text)
        if mood == "snooze":
            self.free.add(text)

    def run(self):
        self.rig.run()

    def turn(self, times):
        """So many batches."""
        for _ in range(times):
            self.rig.turn()

    def later(self, seconds):
        """Time passes; what is due then is due, and nobody has come to it yet."""
        self.rig.now += seconds * 1_000_000
        self.rig.writer.call(lambda: self.rig.store.wake(self.rig.now))

    def hold(self, mood):
        """A stream comes to wait behind its head."""
        self.send("1", "shop", mood, 0)
        self.send("1", "shop", "", 1)
        self.run()

    def release(self, action):
        """Every head may go on, and nobody has come to it yet."""
        self.heal()
        self._settle(action, 0)
        self.later(20)
        self.turn(1)

    def heal(self):
        """Whatever was wrong is mended."""
        self.rig.trade.mended.update(self.receipts)

    def mend(self, number):
        texts = list(self.receipts)
        if texts:
            self.rig.trade.mended.add(texts[number % len(texts)])

    def retry(self, number):
        self._settle("retry", number)

    def drop(self, number):
        self._settle("drop", number)

    def _settle(self, action, number):
        cases = self.rig.cases()
        if not cases:
            return
        case = cases[number % len(cases)]
        self.rig.act(action, case["id"], case["subject"])
        if action == "drop":
            self.dropped.add(case["message"])

    def end(self):
        """Everything is mended, every case is retried, until nothing is left."""
        self.heal()
        for _ in range(60):
            self.rig.run()
            for case in self.rig.cases():
                self.rig.act("retry", case["id"], case["subject"])
            self.later(20)
            self.rig.run()
            if not self.rig.ask("inbox_by_state") and not self.rig.cases():
                return
        raise AssertionError(self.rig.ask("inbox_by_state"))

    def check(self):
        stock = 0
        for (subject, source), texts in self.sent.items():
            told = self.rig.words(self.receipts[texts[0]][0])
            said = [word for word in told if word.startswith(source)]
            missing = set(texts) - set(said)
            assert {self.receipts[text][0].message for text in missing} <= self.dropped
            assert len(said) == len(set(said)), "nothing is said twice"
            in_order = [text for text in texts if text in said and text not in self.free]
            assert [word for word in said if word not in self.free] == in_order
            stock += sum(self.receipts[text][1] for text in said)
            assert not self.rig.store.holds([subject])
        levels = self.rig.ask("get_stock", "SKU")
        assert (levels[0][2] if levels else 0) == -stock
        assert not self.rig.ask("stock_differences")
        assert not any(self.rig.balance().values())


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(
    history=st.lists(steps, min_size=5, max_size=45),
    batch_max=st.integers(1, 4),
    under_way=st.sampled_from(["one batch", "two batches"]),
)
def test_streams_stay_in_order_nothing_is_lost_and_stock_adds_up(history, batch_max, under_way):
    beside = Beside()
    steps_of = {"one batch": lambda pipeline: pipeline, "two batches": lambda p: Overlapping(p, beside)}
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "x.db", Vault(KEY))
        running = Running(store)
        try:
            played = History(Looping(running, steps_of[under_way], batch_max=batch_max))
            for step in history:
                played.play(step)
            played.end()
            played.check()
        finally:
            running.stop()
            beside.close()
            store.close()
