"""While somebody keeps a transaction open nothing is cleaned up. What is read each moment must not grow with what has died."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from crossdock.engine.messages import Mark, Stage
from crossdock.engine.port import Batch, ClaimedEffect, ClaimedMark, EffectResult, Finished, MarkResult
from crossdock.stores.postgres import PostgresStore, open_store, opening
from crossdock.stores.postgres.leases import LEASE_US
from crossdock.stores.postgres.opening import migrations
from crossdock.stores.postgres.session import QUERIES
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival
from tests.servers import PostgresServer

TURNS = 240
WAKES = 20
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


def blocks_of(table: str, store: PostgresStore, work: Sequence[Callable[[], Any]]) -> dict[str, int]:
    """How many blocks of a table and of its indexes the store reads for some work.

    Counted by its own connection, in one transaction: what a vacuum reads meanwhile, or was read before and is told late,
    is not among them.
    """
    asked = (
        "select c.relname::text, pg_stat_get_xact_blocks_fetched(c.oid) from pg_class c "
        f"left join pg_index i on i.indexrelid = c.oid where '{table}'::regclass in (c.oid, i.indrelid)"
    ).encode()

    def read() -> Any:
        return dict(store._db.read("counting", lambda session: session.raw.execute(asked).fetchall()))

    before, *done, after = store.group([read, *work, read])
    assert not [each for each in done if isinstance(each, Exception)]
    return {name: int(after[name] - before[name]) for name in after}


def staged_and_claimed(store: PostgresStore, count: int, now: int) -> list[ClaimedEffect]:
    """So many effects of new orders, claimed."""
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    store.accept([arrival(f"{now}-{n}") for n in range(count)], now)
    messages = store.claim(count, now).messages
    finished = [Finished(message=m, outcome="processed", effects=[stage]) for m in messages]
    store.commit(Batch(finished=finished, now=now))
    want = case.want("erp", now)
    effects = [e for _ in range(10) for e in store.claim_effects([want], now)]
    assert len(effects) == count
    return effects


def put_values(store: PostgresStore, batch: int, count: int) -> None:
    """So many values are to be sent."""
    marks = [
        Mark(connection="shop", operation="set_quantities", key=f"SKU-{batch}-{n}") for n in range(count)
    ]
    store.accept([arrival(f"values-{batch}-{count}")], NOW)
    messages = store.claim(1, NOW).messages
    finished = [Finished(message=m, outcome="processed", marks=marks) for m in messages]
    store.commit(Batch(finished=finished, now=NOW))


def wakes_of(store: PostgresStore, begin: int) -> list[Callable[[], Any]]:
    """Twenty wakes within two seconds, by a store that is known to live: of the dead all is read, which is not meant here."""

    def wake(now: int) -> None:
        store.tend(now)
        store.wake(now)

    return [partial(wake, begin + n * SECOND // 10) for n in range(WAKES)]


@pytest.mark.fault(14)
def test_the_check_of_leases_reads_no_more_after_minutes_of_renewing_them(
    url: str, stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    store = stores()
    store.claim(0, NOW)
    postgres.execute(
        url, "vacuum (analyze) lease"
    )  # or autovacuum does in between, and another plan is measured
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
    postgres.execute(url, "vacuum (analyze)")
    store = stores()
    store.wake(NOW)
    early = blocks_of("outbox", store, wakes_of(store, NOW))
    with forgotten(url):
        for second in range(40):
            now = NOW + second * SECOND
            effects = staged_and_claimed(store, 100, now)
            store.settle([EffectResult(effect=e, state="done", reply=None) for e in effects], now)
        wakes = wakes_of(store, NOW + 41 * SECOND)
        wakes[0]()
        blocks = blocks_of("outbox", store, wakes)
    assert 0 < sum(blocks.values()) < sum(early.values()) + 50 * WAKES, blocks


@pytest.mark.fault(14)
def test_taking_over_what_the_dead_had_claimed_looks_up_its_own_alone(
    url: str, stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    postgres.execute(url, "vacuum (analyze)")
    store = stores()
    take_over = partial(store.recover, NOW, SECOND, ["erp create_sale"])
    for _ in range(WAKES):
        assert take_over()["effects"] == 0, "or plans are made later, for a table that is not empty"
    with forgotten(url):
        for second in range(40):
            effects = staged_and_claimed(store, 100, NOW + second * SECOND)
            store.settle([EffectResult(effect=e, state="done", reply=None) for e in effects], NOW)
        early = sum(blocks_of("outbox", store, [take_over])["outbox_pkey"] for _ in range(WAKES))
        late = 0
        for second in range(WAKES):
            assert len(staged_and_claimed(store, 1, NOW + (60 + second) * SECOND)) == 1
            late += blocks_of("outbox", store, [take_over])["outbox_pkey"]
            (again,) = store.claim_effects([case.want("erp", NOW)], NOW)
            assert again.unclear
            store.settle([EffectResult(effect=again, state="done", reply=None)], NOW)
    assert early < 5 * WAKES
    assert 0 < late < 15 * WAKES


@pytest.mark.fault(14)
def test_values_are_claimed_settled_and_woken_by_plans_made_before_there_were_any(
    url: str, stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    postgres.execute(url, "vacuum (analyze)")
    store = stores()
    want = case.want("shop", NOW)

    def turn(second: int) -> dict[str, int]:
        """One batch of values is claimed, and comes to nothing; then a wake, and what the dead had is looked for."""
        claimed: list[ClaimedMark] = []

        def settle() -> None:
            store.settle_marks([MarkResult(mark=mark, sent=None, due_at=NOW) for mark in claimed], NOW)

        def claim() -> None:
            claimed.extend(store.claim_marks([want], NOW))

        wake = partial(store.wake, NOW + second * SECOND)
        return blocks_of("mark", store, [claim, settle, wake, partial(store.recover, NOW, SECOND)])

    for second in range(WAKES):
        turn(second)
    for n in range(20):
        put_values(store, n, 200)
    read = turn(WAKES)
    assert 0 < sum(read.values()) < 100 * want.limit, read


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
