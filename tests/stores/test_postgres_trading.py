import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossdock.bootstrap.proof import prove
from crossdock.errors import LeaseLostError, RacedError
from crossdock.stores.postgres import PostgresStore, open_store
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import SECOND
from tests.servers import PostgresServer
from tests.stores.trading import Process, Retailer

ORDERS = 24


class Trade:
    """Some processes over one database; one may die, and another takes its place."""

    def __init__(self, retailer: Retailer, url: str, server: PostgresServer) -> None:
        self.retailer, self.url, self._server = retailer, url, server
        self.opened: list[PostgresStore] = []
        self.processes: list[Process] = []
        self._gateways = itertools.count()

    def begin(self) -> Process:
        store = open_store(self.url, Vault(b"k" * 32))
        self.opened.append(store)
        self.processes.append(Process(self.retailer, store))
        return self.processes[-1]

    def dies(self, process: Process) -> None:
        """Without a word, and long enough ago."""
        self.processes.remove(process)
        for table in ("lease", "member"):
            statement = f"update {table} set until = now() - interval '1 minute' where owner = '{process.store.owner}'"
            self._server.execute(self.url, statement)

    def trade(self, seconds: int) -> None:
        """Let time pass; each moment everybody has turns until nobody has anything to do."""
        for _ in range(seconds):
            self.retailer.now += SECOND
            self.retailer.deliver(lambda: self.processes[next(self._gateways) % len(self.processes)].store)
            while sum(process.turn() for process in self.processes):
                pass

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        return self._server.execute(self.url, statement)

    def close(self) -> None:
        for store in self.opened:
            store.close()


@pytest.fixture
def begin(tmp_path: Path, url: str, postgres: PostgresServer) -> Iterator[Callable[[int], Trade]]:
    made: list[Trade] = []

    def begin(stock: int) -> Trade:
        made.append(Trade(Retailer(tmp_path, ORDERS, stock), url, postgres))
        return made[-1]

    yield begin
    for trade in made:
        trade.close()


def unproved(trade: Trade) -> list[str]:
    reads = trade.processes[0].store.reads()
    checks = prove(reads, trade.retailer.now)
    total, finished = reads.rows("order_count")[0]
    reads.close()
    assert total == ORDERS
    assert checks
    return [check.text for check in checks if not check.ok] + (
        [] if finished == total else [f"{finished} of {total}"]
    )


def test_two_processes_over_one_database_take_every_order_to_its_end_once(
    begin: Callable[[int], Trade],
) -> None:
    trade = begin(10_000)
    first, second = trade.begin(), trade.begin()
    trade.retailer.open_with_stock(first.store)
    trade.trade(60)
    assert not unproved(trade)
    erp, wms = trade.retailer.erp.state(), trade.retailer.wms.state()
    assert (erp["sales"], erp["doubles"], wms["doubles"]) == (ORDERS, {}, 0)
    assert wms["releases"] >= ORDERS
    assert all(sum(lane.done for lane in process.lanes.values()) for process in (first, second))


@pytest.mark.fault(39)
def test_the_last_units_are_sold_once_by_two_workers(begin: Callable[[int], Trade]) -> None:
    trade = begin(3)
    first, _ = trade.begin(), trade.begin()
    trade.retailer.open_with_stock(first.store)
    trade.trade(30)
    reads = first.store.reads()
    levels = list(reads.levels(trade.retailer.skus).values())
    cases = dict(reads.rows("open_case_count"))
    wrong = [check.text for check in prove(reads, trade.retailer.now) if not check.ok]
    reads.close()
    assert all(0 <= level.reserved + level.allocated <= max(level.on_hand, 0) for level in levels)
    assert any(level.on_hand < 3 for level in levels), "something was sold"
    assert sum(cases.values()) > 0, "who came too late is somebody's case"
    assert not wrong


def test_a_process_that_dies_in_the_middle_of_a_batch_is_followed_and_nothing_is_doubled(
    begin: Callable[[int], Trade],
) -> None:
    trade = begin(10_000)
    first, second = trade.begin(), trade.begin()
    trade.retailer.open_with_stock(first.store)
    trade.trade(4)
    for process in (first, second):
        process.pipeline.claim(trade.retailer.now)
        for call in process.dispatcher.take(trade.retailer.now):
            process.dispatcher.perform(call)  # it reached them, and nobody will ever write it down
    trade.dies(second)
    trade.begin()
    trade.dies(first)
    trade.trade(90)
    assert not unproved(trade)
    assert (trade.retailer.erp.state()["doubles"], trade.retailer.wms.state()["doubles"]) == ({}, 0)
    assert trade.retailer.erp.state()["sales"] == ORDERS


@pytest.mark.fault(43)
def test_refunds_that_come_at_once_to_two_workers_are_each_recorded_once_and_too_much_is_one_case(
    begin: Callable[[int], Trade],
) -> None:
    trade = begin(10_000)
    first, second = trade.begin(), trade.begin()
    trade.retailer.open_with_stock(first.store)
    trade.trade(40)
    assert not unproved(trade)
    now = trade.retailer.now
    sent = [refund_of(trade, order, n) for order in trade.retailer.shop.orders for n in (1, 2)]
    at_once = threading.Barrier(4)

    def takes_in(gateway: Process) -> None:
        at_once.wait()
        for arrival in sent:  # both tell all of them: a shop tells again what it is not sure of
            gateway.store.accept([arrival], now)

    def works(worker: Process) -> int:
        at_once.wait()
        until = time.monotonic() + 60
        handled = 0
        while time.monotonic() < until and inbox_of(worker):
            with contextlib.suppress(RacedError, LeaseLostError):
                handled += worker.pipeline.step(now)
        return handled

    first.store.accept(sent[:1], now)
    with ThreadPoolExecutor(4) as pool:
        gates = [pool.submit(takes_in, process) for process in (first, second)]
        workers = [pool.submit(works, process) for process in (first, second)]
        handled = [work.result(90) for work in workers]
        assert [gate.result() for gate in gates] == [None, None]
    trade.trade(30)
    assert all(handled), "both have had their part"
    reads = first.store.reads()
    assert dict(reads.rows("open_case_count")) == {"refund.beyond_captured": ORDERS}
    assert not [check.text for check in prove(reads, trade.retailer.now) if not check.ok]
    reads.close()
    recorded = "select distinct jsonb_array_length(value::jsonb->'refunds') from process"
    assert trade.execute(recorded) == [(2,)]
    given_back = (
        "select count(*), count(distinct (subject, message)) from posting where reason like 'refund%'"
    )
    assert trade.execute(given_back) == [(2 * ORDERS, 2 * ORDERS)]


def refund_of(trade: Trade, order: int, number: int) -> Any:
    """A webhook by which the shop gives all of an order back."""
    retailer = trade.retailer
    body = retailer.shop.order(order)
    assert body is not None
    money = {"id": order + number, "kind": "refund", "status": "success", "gateway": "shopify_payments"}
    money |= {"amount": body["total_price"], "currency": body["currency"], "created_at": body["created_at"]}
    refund = {"id": order * 10 + number, "order_id": order, "created_at": body["created_at"]}
    refund |= {"processed_at": body["created_at"], "refund_line_items": [], "transactions": [money]}
    headers, raw = retailer.shop.event("refunds/create", msgspec.json.encode(refund), retailer.now)
    return retailer.gate.arrival("shop", retailer.connectors["shop"], headers, raw)


def inbox_of(process: Process) -> int:
    """Messages that are due."""
    reads = process.store.reads()
    try:
        return sum(count for _, state, count, _ in reads.rows("inbox_by_state") if state == 0)
    finally:
        reads.close()
