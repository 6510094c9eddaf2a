"""While somebody keeps a transaction open nothing is cleaned up. What is read each moment must not grow with what has died."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from crossdock.engine.messages import Stage
from crossdock.engine.port import Batch, EffectResult, Finished
from crossdock.stores.postgres import PostgresStore, open_store, opening
from crossdock.stores.postgres.leases import LEASE_US
from crossdock.stores.postgres.opening import migrations
from crossdock.stores.postgres.session import QUERIES
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival
from tests.servers import PostgresServer

TURNS = 240
BLOCKS_MAX = 250
case = StoreCase()


@pytest.fixture
def stores(url: str) -> Iterator[Callable[[], PostgresStore]]:
    opened: list[PostgresStore] = []

    def another() -> PostgresStore:
        opened.append(open_store(url, Vault(b"k" * 32)))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


@contextmanager
def forgotten(url: str) -> Iterator[None]:
    """Somebody's transaction that has looked at the outbox, and stays open."""
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select count(*) from outbox").fetchone()
        yield


def blocks_of_check(url: str, owner: str) -> int:
    """How many blocks the check of all leases reads."""
    statement = QUERIES["check_leases"].decode()
    for name, value in (
        ("$1", "'inbox'"),
        ("$2", f"'{owner}'"),
        ("$3", "array(select n::text from generate_series(0, 63) n)"),
    ):
        statement = statement.replace(name, value)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set enable_seqscan = off")
        plan = connection.execute(f"explain (analyze, buffers, format json) {statement}").fetchone()
    assert plan is not None
    top = plan[0][0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def blocks_of_outbox(store: PostgresStore, postgres: PostgresServer, work: Callable[[], Any]) -> int:
    """How many blocks of the outbox the store reads for some work."""
    asked = "select heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read from pg_statio_user_tables where relname = 'outbox'"

    def read() -> int:
        store._db.read("counting", lambda session: session.raw.execute("select pg_stat_force_next_flush()"))
        return int(str(postgres.execute(store.url, asked)[0][0]))

    before = read()
    work()
    return read() - before


@pytest.mark.fault(14)
def test_the_check_of_leases_reads_no_more_after_minutes_of_renewing_them(
    url: str, stores: Callable[[], PostgresStore]
) -> None:
    store = stores()
    store.claim(0, NOW)
    with forgotten(url):
        early = blocks_of_check(url, store.owner)
        for second in range(1, TURNS):
            store.tend(NOW + second * SECOND)
        late = blocks_of_check(url, store.owner)
    assert late < BLOCKS_MAX
    assert late < early + 64


@pytest.mark.fault(14)
def test_a_wake_reads_no_more_of_the_outbox_after_thousands_of_effects(
    url: str, stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    store = stores()
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    store.wake(NOW)
    early = blocks_of_outbox(store, postgres, lambda: [store.wake(NOW + n * SECOND // 10) for n in range(20)])
    with forgotten(url):
        for second in range(40):
            now = NOW + second * SECOND
            store.accept([arrival(f"{second}-{n}") for n in range(100)], now)
            finished = [
                Finished(message=m, outcome="processed", effects=[stage])
                for m in store.claim(100, now).messages
            ]
            store.commit(Batch(finished=finished, now=now))
            want = case.want("erp", now)
            effects = [e for _ in range(10) for e in store.claim_effects([want], now)]
            assert len(effects) == 100
            store.settle([EffectResult(effect=e, state="done", reply=None) for e in effects], now)
        wakes = [NOW + 41 * SECOND + n * SECOND // 10 for n in range(20)]
        store.wake(wakes[0])
        blocks = blocks_of_outbox(store, postgres, lambda: [store.wake(now) for now in wakes])
    assert blocks < early + 50 * len(wakes)


@pytest.mark.fault(15)
def test_the_last_releases_worker_beside_this_one_takes_nothing_from_the_living(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.empty_database()
    monkeypatch.setattr(opening, "migrations", lambda: [step for step in migrations() if step.number < 6])
    open_store(url, Vault(b"k" * 32)).close()
    monkeypatch.undo()
    store = open_store(url, Vault(b"k" * 32))
    statement = "insert into member (kind, owner, until) values ('inbox', 'old', now() + interval '1 hour')"
    postgres.execute(url, statement)
    store.claim(0, NOW)
    assert len(store._inbox.leases.parts) == 32
    until = time.monotonic() + LEASE_US / SECOND + 0.5
    second = 0
    while time.monotonic() < until:
        second += 1
        store.tend(NOW + second * SECOND)
        threading.Event().wait(0.5)
    asked = f"select count(*) from lease where owner = '{store.owner}' and until < clock_timestamp()"
    assert postgres.execute(url, asked) == [(0,)]
    store.close()
