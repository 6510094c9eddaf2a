"""What keeps many processes apart, each of it alone: fences, the order of locks, and the time limits of the server."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from crossdock.engine.messages import Stage
from crossdock.errors import OverloadedError, RetryableError
from crossdock.stores.postgres import PostgresStore, open_store, session
from crossdock.stores.postgres.leases import LEASE_US
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival
from tests.bootstrap.waiting import eventually
from tests.servers import PostgresServer

case = StoreCase()
ORDERS = 200


@pytest.fixture
def stores(url: str) -> Iterator[Callable[[], PostgresStore]]:
    opened: list[PostgresStore] = []

    def another() -> PostgresStore:
        opened.append(open_store(url, Vault(b"k" * 32)))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


def missed(postgres: PostgresServer, store: PostgresStore, seconds: int = 60) -> None:
    """As if the process had not renewed its leases for long."""
    statement = f"update member set until = now() - interval '{seconds} s' where owner = '{store.owner}'"
    postgres.execute(store.url, statement)


def waiting(postgres: PostgresServer, url: str) -> Any:
    """How many wait for a lock."""
    return postgres.execute(
        url,
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    )[0][0]


@pytest.mark.fault(11)
def test_nobody_takes_over_what_is_just_being_written_whatever_its_lease_says(
    stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    slow, other = stores(), stores()
    case.take(slow, arrival())
    messages = case.claim(slow)
    missed(postgres, slow)
    written, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        written.set()
        assert go_on.wait(2.5)

    with ThreadPoolExecutor(1) as pool:
        commit = pool.submit(slow.group, [lambda: case.finish(slow, *messages), slowly])
        assert written.wait(20)
        taken = case.claim(other)
        go_on.set()
        assert commit.result(20) == [None, None]
    assert not taken
    assert not other.claim(10, NOW + SECOND).messages
    assert len(other._inbox.leases.parts) == 64


@pytest.mark.fault(11)
def test_every_new_owner_of_a_part_has_a_higher_number_than_all_before(
    stores: Callable[[], PostgresStore], postgres: PostgresServer, url: str
) -> None:
    numbers = []
    for n in range(3):
        store = stores()
        store.claim(0, NOW)
        numbers.append(dict(store._inbox.leases._fences))
        assert len(numbers[n]) == 64
        if n:
            store.rest()
        else:
            missed(postgres, store)
    assert all(a[part] < b[part] < c[part] for a, b, c in [numbers] for part in a)


@pytest.mark.fault(33)
def test_two_gateways_that_make_the_same_names_wait_for_each_other_in_no_circle(
    stores: Callable[[], PostgresStore], postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "TRIES_MAX", 1)
    first, second = stores(), stores()
    names = ["a", "m", "z"]
    with ThreadPoolExecutor(2) as pool, psycopg.connect(url) as holder:
        holder.execute(
            "insert into reference (connection, kind, ref, subject) values ('shop', 'order', 'm', 0)"
        )
        sent = [
            pool.submit(store.accept, [arrival(name) for name in each], NOW)
            for store, each in ((first, names), (second, names[::-1]))
        ]
        eventually(lambda: waiting(postgres, url) == 2)
        holder.rollback()
        told = [each.result(20) for each in sent]
    assert {r.subject for r in told[0]} == {r.subject for r in told[1]}


@pytest.mark.fault(9)
@pytest.mark.fault(14)
def test_a_process_that_hangs_in_the_middle_of_a_write_loses_it_and_its_locks_within_seconds(
    stores: Callable[[], PostgresStore],
) -> None:
    hung, other = stores(), stores()
    kept, go_on = threading.Event(), threading.Event()

    def hangs() -> None:
        kept.set()
        assert go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        write = pool.submit(hung.group, [lambda: hung.accept([arrival("1")], NOW), hangs])
        assert kept.wait(20)
        began = time.monotonic()
        (receipt,) = other.accept([arrival("1")], NOW)
        assert time.monotonic() - began < 4.5
        go_on.set()
        with pytest.raises(OverloadedError):
            write.result(20)
    assert [m.id for m in case.claim(other)] == [receipt.message]


@pytest.mark.fault(9)
def test_a_statement_that_waits_for_a_lock_or_takes_too_long_is_ended_by_the_server(
    stores: Callable[[], PostgresStore], url: str
) -> None:
    locked, slow = stores(), stores()

    def ended(work: Callable[[], Any]) -> float:
        began = time.monotonic()
        with pytest.raises(RetryableError, match="took too long"):
            work()
        return time.monotonic() - began

    with ThreadPoolExecutor(2) as pool, psycopg.connect(url) as holder:
        holder.execute("lock table inbox in access exclusive mode")
        waits = pool.submit(ended, lambda: locked.accept([arrival()], NOW))
        sleeps = pool.submit(
            ended, lambda: slow._db.read("sleeping", lambda s: s.raw.execute("select pg_sleep(30)"))
        )
        assert 4 < waits.result(30) < 8
        assert 9 < sleeps.result(30) < 14


@pytest.mark.fault(11)
def test_who_renews_in_time_keeps_what_it_has_for_longer_than_a_lease(
    stores: Callable[[], PostgresStore],
) -> None:
    first, second = stores(), stores()
    for turn in (0, 1, 2):
        for store in (first, second):
            store.claim(0, NOW + turn * SECOND)
    held = dict(first._inbox.leases._fences)
    assert len(held) == 32
    until = time.monotonic() + 1.3 * LEASE_US / SECOND
    now = NOW + 2 * SECOND
    while time.monotonic() < until:
        now += SECOND
        first.tend(now)
        second.tend(now)
        threading.Event().wait(0.3)
    assert first._inbox.leases._fences == held
    assert len(second._inbox.leases.parts) == 32


@pytest.mark.fault(12)
def test_what_a_dispatcher_had_claimed_is_taken_over_at_the_first_look_after_its_death(
    stores: Callable[[], PostgresStore], postgres: PostgresServer, url: str
) -> None:
    dispatcher, scheduler = stores(), stores()
    case.take(dispatcher, arrival())
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    case.finish(dispatcher, *case.claim(dispatcher), effects=[stage])
    assert len(case.effects(dispatcher)) == 1
    asked = "select state, unclear from outbox"
    for n in range(3):
        scheduler.wake(NOW + n * SECOND)
    assert postgres.execute(url, asked) == [(3, 0)]
    missed(postgres, dispatcher)
    scheduler.wake(NOW + 3 * SECOND)
    assert postgres.execute(url, asked) == [(1, 1)]


@pytest.mark.fault(14)
def test_an_effect_that_somebody_is_just_looking_at_is_left_and_the_others_are_claimed_at_once(
    stores: Callable[[], PostgresStore], url: str
) -> None:
    store = stores()
    case.take(store, arrival("1"), arrival("2"))
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    case.finish(store, *case.claim(store), effects=[stage])
    with psycopg.connect(url) as holder:
        row = holder.execute("select id from outbox order by turn limit 1 for update").fetchone()
        began = time.monotonic()
        claimed = [effect.id for effect in case.effects(store)]
        assert time.monotonic() - began < 3
        assert row is not None
        assert len(claimed) == 1
        assert row[0] not in claimed
    assert [effect.id for effect in case.effects(store, now=NOW + SECOND)] == [row[0]]


@pytest.mark.fault(9)
def test_workers_that_only_lose_their_way_for_a_while_have_not_died_of_what_they_were_at(
    stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    first, second = stores(), stores()
    case.take(first, arrival())
    assert first.claim(9, NOW).crashes == 0
    at, other = first, second
    for n in range(1, 5):
        missed(postgres, at, seconds=1)
        claim = other.claim(9, NOW + n * SECOND)
        assert (len(claim.messages), claim.crashes) == (1, 1)
        at.give_back(claim.messages)
        at, other = other, at


def test_a_message_that_two_workers_may_have_died_of_waits_with_its_partition_until_they_are_dead_for_certain(
    stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    first, second, third = stores(), stores(), stores()
    case.take(first, arrival())
    suspect = case.claim(first)
    missed(postgres, first, seconds=1)
    assert second.claim(9, NOW).crashes == 1
    missed(postgres, second, seconds=1)
    receipts = case.take(third, *[arrival(str(n)) for n in range(2, ORDERS)])
    others = third.claim(ORDERS, NOW)
    assert others.crashes == 0
    assert {message.id for message in others.messages}.isdisjoint(message.id for message in suspect)
    assert 0 < len(others.messages) < len(receipts)
    newcomer = stores()
    for n in range(1, 5):
        third.claim(0, NOW + n * SECOND)
        fair = newcomer.claim(ORDERS, NOW + n * SECOND)
        assert {message.id for message in fair.messages}.isdisjoint(message.id for message in suspect)
        newcomer.give_back(fair.messages)
        third.give_back(others.messages)
    missed(postgres, second)
    missed(postgres, first)
    claim = third.claim(9, NOW + 5 * SECOND)
    assert (claim.messages, claim.crashes) == (suspect, 2)
