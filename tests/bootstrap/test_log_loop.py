"""The log of a store on a file stays short while somebody writes all the time."""

import time

import pytest

from crossdock.bootstrap import loops
from crossdock.bootstrap.loops import LogLoop, Signals
from crossdock.engine import crash
from crossdock.testing.store_case import NOW, arrival

PAGE = 4_096


@pytest.fixture
def writing(running, monkeypatch):
    monkeypatch.setattr(loops, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(loops, "LOG_PAGES", 32)
    return running.start(), running.store


def write(writer, store, first):
    """About 200 kB."""
    arrivals = [arrival(f"{first}-{n}", body=b"x" * 2_000) for n in range(100)]
    writer.call(lambda: store.accept(arrivals, NOW))


def test_a_log_that_has_grown_begins_anew_in_the_file_that_it_has(writing):
    writer, store = writing
    cut = []
    store.truncate_log = lambda **how: cut.append(how)
    loop = LogLoop(store, writer, 1 << 30, crash.nowhere, Signals())
    sizes = []
    for n in range(30):
        write(writer, store, n)
        loop.turn()
        sizes.append(store.wal_bytes())
    assert max(sizes[5:]) <= sizes[4]
    assert not cut
    assert sum(count for *_, count, _ in store.reads().rows("inbox_by_state")) == 3_000


def test_a_log_that_a_reader_lets_grow_is_cut_once_it_may_be(writing):
    writer, store = writing
    loop = LogLoop(store, writer, 100 * PAGE, crash.nowhere, Signals())
    reader = store.reads()._db.connection
    reader.execute("begin")
    reader.execute("select count(*) from inbox").fetchall()
    for n in range(3):
        write(writer, store, n)
    grown = store.wal_bytes()
    assert grown > 100 * PAGE
    began = time.monotonic()
    loop.turn()
    assert time.monotonic() - began < 2, "a reader is not waited for: the writer would stand still"
    assert store.wal_bytes() == grown
    reader.execute("commit")
    loop.turn()
    assert store.wal_bytes() == 0


def test_while_it_is_short_it_is_left_alone(writing, monkeypatch):
    monkeypatch.setattr(loops, "LOG_PAGES", 10_000)
    (writer, store), asked = writing, []
    store.restart_log = lambda: asked.append(1)
    LogLoop(store, writer, 1 << 30, crash.nowhere, Signals()).turn()
    assert not asked
