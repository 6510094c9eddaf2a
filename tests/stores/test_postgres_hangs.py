"""A database that is there and does not answer: nobody waits for it without end, nothing is lost or doubled, work goes on."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from crossdock.bootstrap import gathering
from crossdock.engine.messages import Stage
from crossdock.engine.port import Batch, Finished
from crossdock.errors import OverloadedError, RetryableError
from crossdock.gateway import orders
from crossdock.stores.postgres import PostgresStore, open_store, session
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, StoreCase, arrival
from tests.gateway.serving import Api, order, served
from tests.proxies import CuttingProxy
from tests.servers import PostgresServer

VAULT = Vault(b"k" * 32)
PATIENCE_S = 1.0
BOUND_S = 6.0
"""Of one write: its patience, then a connection made anew."""
case = StoreCase()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(session, "READING_PATIENCE_S", PATIENCE_S)


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    opened = open_store(url, VAULT)
    yield opened
    opened.close()


@contextmanager
def frozen(postgres: PostgresServer, url: str) -> Iterator[list[int]]:
    """Every process of the server that serves us stands still; those of new connections do not."""
    asked = "select pid from pg_stat_activity where application_name = 'crossdock' and datname = current_database()"
    pids = [int(str(row[0])) for row in postgres.execute(url, asked)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def in_time(work: Callable[[], Any]) -> Any:
    """What comes of it, which must not take long; a test that waits without end says nothing."""
    told: list[Any] = []

    def does() -> None:
        try:
            told.append(work())
        except Exception as error:
            told.append(error)

    doing = threading.Thread(target=does, daemon=True)
    doing.start()
    doing.join(BOUND_S)
    assert told, "it waits, and waits"
    if isinstance(told[0], Exception):
        raise told[0]
    return told[0]


@pytest.mark.fault(9)
def test_a_server_that_stands_still_is_hung_up_on_and_the_next_connection_serves(
    store: PostgresStore, postgres: PostgresServer, url: str
) -> None:
    reads = store.reads()
    receipts = case.take(store, *[arrival(str(n), delivery_id=str(n)) for n in range(3)])
    messages = case.claim(store)
    assert {row[1]: row[2] for row in reads.rows("counters")} == {"accepted": 3}
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    batch = Batch(
        finished=[Finished(message=m, outcome="processed", effects=[stage]) for m in messages], now=NOW
    )
    with frozen(postgres, url):
        with pytest.raises(OverloadedError):
            in_time(lambda: store.commit(batch))
        with pytest.raises(OverloadedError):
            in_time(lambda: reads.rows("counters"))
        more = in_time(lambda: case.take(store, arrival("x", delivery_id="x")))
        store.give_back(messages)
        assert [m.id for m in case.claim(store)] == [r.message for r in (*receipts, *more)]
        store.commit(batch)
    (again,) = case.take(store, arrival("x", delivery_id="x"))
    assert again.duplicate
    assert len(case.effects(store)) == 3
    assert {row[1]: row[2] for row in reads.rows("counters")} == {
        "accepted": 4,
        "processed": 3,
        "repeated": 1,
    }
    reads.close()


@pytest.mark.fault(9)
@pytest.mark.parametrize("words", [b"COMMIT", b"insert into seen"], ids=["commit", "statement"])
def test_a_wire_that_carries_nothing_more_is_hung_up_on_and_what_was_sent_is_sent_again(
    postgres: PostgresServer, url: str, words: bytes
) -> None:
    with CuttingProxy(postgres.folder) as wire:
        store = open_store(url.replace(str(postgres.folder), str(wire.folder)), VAULT)
        store.accept([arrival("before")], NOW)
        wire.stall_after(words)
        sent = arrival("1", delivery_id="d1")
        with pytest.raises(OverloadedError):
            in_time(lambda: store.accept([sent], NOW))
        assert wire.stalls == 1
        # The server does not know, and keeps the rows of the delivery until it ends the transaction itself.
        for _ in range(5):
            try:
                (receipt,) = store.accept([sent], NOW)
                break
            except RetryableError:
                continue
        assert [m.id for m in case.claim(store)][1:] == [receipt.message]
        assert store.accept([sent], NOW)[0].duplicate
        store.close()


@pytest.mark.fault(9)
def test_while_the_database_stands_still_senders_are_told_to_try_again_and_what_they_send_again_is_kept_once(
    postgres: PostgresServer, url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "ANSWER_S", 0.5)
    monkeypatch.setattr(orders, "ANSWER_S", 0.5)
    with served(tmp_path, database=url) as hub:
        hub.order("before", external_id="before")
        with frozen(postgres, url):
            statuses = {in_time(lambda: told(hub)), in_time(lambda: posted(hub).status)}
            assert statuses <= {200, 202, 503}
            assert 503 in statuses
            assert hub.get("/healthz").status == 200
        hub.until(lambda: posted(hub).status == 202)
        hub.until(lambda: told(hub) == 200)
        listed = hub.until(lambda: [o for o in hub.get("/v1/orders").json["orders"] if o["number"] == "#1"])
        assert len(listed) == 1
        with hub.hub.reads() as reads:
            kept = {name: value for source, name, value in reads.rows("counters") if source == "api"}
        assert kept["accepted"] == 2


def posted(hub: Api) -> Any:
    """How the hub answers to one order, always the same."""
    return hub.post("/v1/orders", order(external_id="during", number="#1"), idempotency_key="during")


def told(hub: Api) -> int:
    """How the hub answers to a warehouse that tells its stock."""
    level = {"sku": "MUG", "on_hand": 5}
    status: int = hub.deliver(
        "warehouse", "stock.changed", {"location": "MAIN", "as_of": "2026-03-28T12:00:00Z", "levels": [level]}
    ).status
    return status
