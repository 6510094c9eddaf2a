import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from crossdock.bootstrap import proof
from crossdock.engine.messages import Stage
from crossdock.engine.port import Batch, ClaimedEffect, EffectResult, Finished
from crossdock.errors import OverloadedError, RetryableError
from crossdock.stores.postgres import PostgresStore, open_store, opening
from crossdock.stores.postgres.session import QUERIES
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, SECOND, StoreCase, arrival
from tests.proxies import CuttingProxy
from tests.servers import PostgresServer

VAULT = Vault(b"k" * 32)
case = StoreCase()


@pytest.fixture
def stores(url: str) -> Iterator[Callable[[], PostgresStore]]:
    opened: list[PostgresStore] = []

    def another() -> PostgresStore:
        opened.append(open_store(url, VAULT))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


def finished(*messages: Any, **more: Any) -> Batch:
    return Batch(finished=[Finished(message=m, outcome="processed", **more) for m in messages], now=NOW)


def counters_of(store: PostgresStore) -> dict[str, int]:
    reads = store.reads()
    found = {name: value for source, name, value in reads.rows("counters") if source == "shop"}
    reads.close()
    return found


@pytest.mark.fault(33)
def test_a_thousand_copies_from_eight_gateways_at_once_are_one_message(
    stores: Callable[[], PostgresStore],
) -> None:
    gateways = [stores() for _ in range(8)]
    begin = threading.Barrier(8)

    def sends(gateway: PostgresStore) -> list[Any]:
        begin.wait()
        return [r for _ in range(25) for r in gateway.accept([arrival(delivery_id="d1")] * 5, NOW)]

    with ThreadPoolExecutor(8) as pool:
        receipts = [receipt for told in pool.map(sends, gateways) for receipt in told]
    assert len(receipts) == 1_000
    assert sum(not receipt.duplicate for receipt in receipts) == 1
    assert len({receipt.message for receipt in receipts}) == len({r.subject for r in receipts}) == 1
    assert len(case.claim(gateways[0])) == 1
    assert counters_of(gateways[0]) == {"accepted": 1, "repeated": 999}


@pytest.mark.fault(33)
def test_gateways_that_take_the_same_orders_in_any_sequence_wait_for_nobody_in_a_circle(
    stores: Callable[[], PostgresStore],
) -> None:
    gateways = [stores() for _ in range(4)]
    begin = threading.Barrier(4)

    def sends(number: int) -> list[Any]:
        begin.wait()
        refs = [str(n) for n in range(100)][:: -1 if number % 2 else 1]
        return gateways[number].accept([arrival(ref, delivery_id=f"d{ref}") for ref in refs], NOW)

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(sends, range(4)))
    assert sum(not receipt.duplicate for receipts in told for receipt in receipts) == 100
    assert len({receipt.subject for receipts in told for receipt in receipts}) == 100


@pytest.mark.fault(13)
def test_an_effect_with_a_lower_number_that_is_committed_later_is_delivered(
    stores: Callable[[], PostgresStore],
) -> None:
    first, second, dispatcher = stores(), stores(), stores()
    for now in (NOW, NOW + SECOND, NOW + 2 * SECOND):
        first.claim(0, now)
        second.claim(0, now)
    case.take(first, *[arrival(str(n)) for n in range(100)])
    lower, higher = case.claim(first)[0], case.claim(second)[-1]
    assert lower.id < higher.id
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    staged, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        staged.set()
        assert go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(first.group, [lambda: first.commit(finished(lower, effects=[stage])), slowly])
        assert staged.wait(20)
        second.commit(finished(higher, effects=[stage]))
        assert [e.subject for e in case.effects(dispatcher)] == [higher.subject]
        assert not case.effects(dispatcher)
        go_on.set()
        assert not any(isinstance(result, Exception) for result in slow.result(20))
    assert [e.subject for e in case.effects(dispatcher, now=NOW + SECOND)] == [lower.subject]


@pytest.mark.fault(13)
def test_a_message_with_a_lower_number_that_is_accepted_later_is_handled(
    stores: Callable[[], PostgresStore],
) -> None:
    gateway, worker = stores(), stores()
    kept, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        kept.set()
        assert go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(gateway.group, [lambda: gateway.accept([arrival("1")], NOW), slowly])
        assert kept.wait(20)
        for second in range(10):
            worker.accept([arrival(f"2-{second}")], NOW)
            messages = worker.claim(100, NOW + second * SECOND).messages
            assert len(messages) == 1
            worker.commit(finished(*messages))
        go_on.set()
        slow.result(20)
    assert len(worker.claim(100, NOW + 10 * SECOND).messages) == 1


def killed(postgres: PostgresServer, store: PostgresStore) -> None:
    """Whoever is in the middle of a transaction."""
    others = "pid <> pg_backend_pid() and datname = current_database() and state like 'idle in transaction%'"
    postgres.execute(store.url, f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")


@pytest.mark.fault(5)
def test_a_connection_that_is_killed_before_the_commit_leaves_nothing_and_the_message_is_due_again(
    stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    store = stores()
    case.take(store, arrival())
    messages = case.claim(store)

    with pytest.raises(OverloadedError):
        store.group([lambda: store.commit(finished(*messages)), lambda: killed(postgres, store)])
    store.give_back(messages)
    assert case.claim(store) == messages
    store.commit(finished(*messages))
    assert counters_of(store) == {"accepted": 1, "processed": 1}


@pytest.mark.fault(5)
def test_a_connection_that_is_killed_while_a_dispatcher_joins_in_leaves_its_partners_with_somebody(
    stores: Callable[[], PostgresStore], postgres: PostgresServer
) -> None:
    store = stores()
    case.take(store, arrival())
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    store.commit(finished(*case.claim(store), effects=[stage]))
    with pytest.raises(OverloadedError):
        store.group([lambda: case.effects(store), lambda: killed(postgres, store)])
    assert [effect.operation for effect in case.effects(store)] == ["create_sale"]


@pytest.mark.fault(5)
def test_a_commit_whose_reply_is_lost_is_read_again_and_nothing_is_doubled(
    postgres: PostgresServer, url: str
) -> None:
    with CuttingProxy(postgres.folder) as wire:
        store = open_store(url.replace(str(postgres.folder), str(wire.folder)), VAULT)
        wire.cut_after(b"COMMIT")
        with pytest.raises(OverloadedError):
            store.accept([arrival(delivery_id="d1")], NOW)
        (receipt,) = store.accept([arrival(delivery_id="d1")], NOW)
        assert receipt.duplicate
        messages = case.claim(store)
        stage = Stage(connection="erp", operation="create_sale", intent="sale")
        wire.cut_after(b"COMMIT")
        with pytest.raises(OverloadedError):
            store.commit(finished(*messages, effects=[stage]))
        store.give_back(messages)
        assert not case.claim(store)
        with pytest.raises(RetryableError):
            store.commit(finished(*messages, effects=[stage]))
        assert len(case.effects(store)) == 1
        assert counters_of(store) == {"accepted": 1, "processed": 1, "repeated": 1}
        assert wire.cuts == 2
        store.close()


@pytest.mark.fault(5)
@pytest.mark.parametrize("grouped", [False, True])
def test_a_claim_whose_reply_is_lost_is_claimed_again_and_what_is_under_way_is_not(
    postgres: PostgresServer, url: str, grouped: bool
) -> None:
    with CuttingProxy(postgres.folder) as wire:
        store = open_store(url.replace(str(postgres.folder), str(wire.folder)), VAULT)
        want = [case.want("erp")]
        stage = Stage(connection="erp", operation="create_sale", intent="sale")
        case.staged(store, stage, ref="1")
        (under_way,) = store.claim_effects(want, NOW)
        case.staged(store, stage, ref="2")
        done = EffectResult(effect=under_way, state="done")

        def turn() -> list[ClaimedEffect]:
            store.settle([done], NOW)
            return store.claim_effects(want, NOW)

        def claim() -> list[ClaimedEffect]:
            found: list[ClaimedEffect] = store.group([turn])[0] if grouped else store.claim_effects(want, NOW)
            return found

        wire.cut_after(b"COMMIT")
        with pytest.raises(OverloadedError):
            claim()
        (lost,) = claim()
        assert (lost.id > under_way.id, lost.attempt, lost.unclear) == (True, 1, False)
        assert not claim()
        store.settle([done], NOW)
        assert store._outbox.at() == {lost.id: "erp"}
        store.close()


@pytest.mark.fault(6)
@pytest.mark.fault(10)
def test_a_server_that_is_stopped_at_once_and_comes_back_is_worked_with_again() -> None:
    server = PostgresServer()
    try:
        server.start()
        store = open_store(server.database(), VAULT)
        reads = store.reads()
        receipts = store.accept([arrival(str(n), delivery_id=str(n)) for n in range(50)], NOW)
        messages = case.claim(store, 20)
        store.commit(finished(*messages[:10]))
        server.stop()
        for write in (
            lambda: store.accept([arrival("x")], NOW),
            lambda: store.commit(finished(*messages[10:])),
            lambda: store.tend(NOW),
            lambda: reads.rows("counters"),
        ):
            with pytest.raises(RetryableError):
                write()
        store.give_back(messages[10:])
        server.start()
        assert len(store.accept([arrival("x")], NOW)) == 1
        left = [m.id for m in case.claim(store)]
        assert left[:40] == [receipt.message for receipt in receipts[10:]]
        assert len(left) == 41
        assert {row[1]: row[2] for row in reads.rows("counters")} == {"accepted": 51, "processed": 10}
        reads.close()
        store.close()
    finally:
        server.remove()


@pytest.mark.fault(9)
def test_while_every_connection_is_taken_new_ones_are_turned_away_at_once_and_who_has_one_works_on() -> None:
    server = PostgresServer()
    server.start(max_connections="20")
    taken: list[psycopg.Connection[Any]] = []
    try:
        url = server.database()
        store = open_store(url, VAULT)
        store.accept([arrival("before")], NOW)
        with contextlib.suppress(psycopg.OperationalError):
            while len(taken) < 20:
                taken.append(psycopg.connect(url))
        assert 0 < len(taken) < 20
        for asks in (lambda: store.reads().rows("counters"), lambda: open_store(url, VAULT)):
            with pytest.raises(OverloadedError):
                asks()
        store.accept([arrival("meanwhile")], NOW)
        assert len(store.claim(10, NOW).messages) == 2
        for connection in taken:
            connection.close()
        assert counters_of(store) == {"accepted": 2}
        store.close()
    finally:
        server.remove()


def open_transactions(reads: Any) -> Any:
    (found,) = [check for check in proof.prove(reads, NOW) if check.name == "no transaction stays open"]
    return found


@pytest.fixture
def plain(postgres: PostgresServer, url: str) -> Iterator[str]:
    """The same database, as a role that may do no more than it must."""
    for statement in (
        "create role plain login",
        "grant all on schema public to plain",
        "grant all on all tables in schema public to plain",
        "grant all on all sequences in schema public to plain",
    ):
        postgres.execute(url, statement)
    yield url.replace("postgres@", "plain@")
    postgres.execute(url, "drop owned by plain")
    postgres.execute(url, "drop role plain")


@pytest.mark.fault(14)
def test_the_proof_names_who_leaves_a_transaction_open(
    url: str, stores: Callable[[], PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "TRANSACTION_S_MAX", 1)
    reads = stores().reads()
    with psycopg.connect(url, application_name="a report") as forgotten:
        forgotten.execute("select 1")
        threading.Event().wait(2.1)
        found = open_transactions(reads)
        assert not found.ok
        assert f"pid {forgotten.info.backend_pid}, user postgres, application a report" in found.text
        assert "pg_stat_activity" in found.text
    reads.close()


@pytest.mark.fault(14)
def test_a_plain_role_says_what_it_cannot_see_and_sees_it_once_it_may(
    url: str,
    plain: str,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(proof, "TRANSACTION_S_MAX", 1)
    store = open_store(plain, VAULT)
    assert "grant pg_read_all_stats" in caplog.text
    assert opening.blind(plain)
    reads = store.reads()
    assert "nobody keeps" in open_transactions(reads).text
    with psycopg.connect(url) as forgotten:
        forgotten.execute("select 1")
        threading.Event().wait(2.1)
        found = open_transactions(reads)
        assert "cannot be seen" in found.text
        assert "pg_read_all_stats" in found.text
        postgres.execute(url, "grant pg_read_all_stats to plain")
        assert not open_transactions(reads).ok
    assert not opening.blind(plain)
    reads.close()
    store.close()


@pytest.mark.fault(14)
def test_claims_stay_quick_while_a_transaction_is_left_open(
    url: str, stores: Callable[[], PostgresStore]
) -> None:
    store = stores()
    with psycopg.connect(url) as forgotten:
        forgotten.execute("set transaction isolation level repeatable read")
        forgotten.execute("select count(*) from inbox").fetchone()
        for second in range(40):
            now = NOW + second * SECOND
            store.accept([arrival(f"{second}-{n}") for n in range(100)], now)
            messages = store.claim(100, now).messages
            assert len(messages) == 100
            store.commit(finished(*messages))
        now = NOW + 41 * SECOND
        assert not store.claim(100, now).messages
        floor = store._inbox._floors.floor(now)
        quick, slow = blocks_of_claim(url, floor), blocks_of_claim(url, 0)
    assert slow > 4_000, "the dead rows are there"
    assert quick < slow / 5


def blocks_of_claim(url: str, floor: int) -> int:
    """How many blocks a claim looks at that begins at a turn."""
    statement = QUERIES["due_messages"].decode()
    given = {
        "$1": f"'{{{','.join(map(str, range(64)))}}}'",
        "$2": str(floor),
        "$3": "100",
        "$4": "100",
        "$5": "'{0}'",
    }
    for name, value in given.items():
        statement = statement.replace(name, value)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set enable_seqscan = off")
        plan = connection.execute(f"explain (analyze, buffers, format json) {statement}").fetchone()
    assert plan is not None
    top = plan[0][0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
