"""Roles over one PostgreSQL: workers killed and frozen, the database stopped at once, all while orders come in."""

import os
import signal
import threading
import time

import pytest

from tests.bootstrap.waiting import eventually
from tests.faults.retailer import Child
from tests.faults.roles import Shared, finish
from tests.servers import PostgresServer

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(120)]

MOVES_ON_S = 5.0
ACCEPTS_AGAIN_S = 30.0


@pytest.fixture(scope="module")
def server():
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


@pytest.fixture
def retailer(server, tmp_path):
    made = Shared(tmp_path, server.database())
    made.start()
    made.stock()
    yield made
    made.close()


@pytest.mark.fault(11)
def test_a_worker_that_is_killed_gives_its_keys_to_the_others_within_seconds(retailer):
    with retailer.sending(200, every_s=0.12):
        threading.Event().wait(0.5)
        killed = time.monotonic()
        os.kill(retailer.hub.pid("worker-1"), signal.SIGKILL)
        threading.Event().wait(0.5)
        sent = time.time_ns() // 1_000
        assert retailer.unhandled(sent), "what the dead worker had is waited for"
        eventually(lambda: not retailer.unhandled(sent), MOVES_ON_S + 10)
        assert time.monotonic() - killed < MOVES_ON_S
        assert sum(map(len, retailer.accepted.values())) < 200, "orders come in all the while"
    retailer.hub.again("worker-1")
    finish(retailer)


def test_a_second_gateway_on_a_port_that_is_taken_says_so_and_ends(retailer):
    second = retailer.hub.launch("gateway-9", "gateway")
    assert second.process.wait(30) == 2
    said = second.log.read_text()
    assert f"port {retailer.port} cannot be listened on" in said
    assert "Traceback" not in said
    retailer.hub.forget("gateway-9").end()


@pytest.mark.fault(11)
def test_workers_dispatchers_and_the_scheduler_come_go_and_hang_and_nothing_is_lost_or_doubled(retailer):
    with retailer.sending(100, every_s=0.05):
        for name in ("worker-1", "dispatcher-3", "scheduler-4", "worker-2"):
            threading.Event().wait(0.5)
            retailer.hub.again(name)
        hung = retailer.hub.pid("worker-1")
        os.kill(hung, signal.SIGSTOP)
        threading.Event().wait(4.5)
        os.kill(hung, signal.SIGCONT)
    finish(retailer)


@pytest.mark.fault(6)
def test_the_database_is_stopped_at_once_and_comes_back(retailer, server):
    with retailer.sending(60, every_s=0.05):
        threading.Event().wait(0.7)
        server.stop(signal.SIGQUIT)
        threading.Event().wait(1.5)
        server.start()
        began = time.monotonic()
        retailer.send(1)
        assert time.monotonic() - began < ACCEPTS_AGAIN_S
    assert retailer.hub.alive
    finish(retailer)


def test_a_gateway_knows_why_a_partner_waits_and_whether_anybody_calls_it(retailer):
    retailer.send(2)
    retailer.settled(60)
    eventually(lambda: retailer.partner("erp_key")["state"] == "ok")
    retailer.partners.end()
    retailer.send(20)
    eventually(lambda: retailer.partner("erp_key")["state"] == "not_answering")
    retailer.hub.parts["dispatcher-3"][1].end()
    eventually(lambda: "no dispatcher runs" in retailer.partner("erp_key")["text"], 30)


def test_one_hub_without_roles_runs_on_it_too(server, tmp_path):
    made = Shared(tmp_path, server.database())
    try:
        made.hub = Child(tmp_path, "hub", "crossdock", "up", "--config", str(made.config))
        assert "is up" in made.hub.first_line, made.hub.log.read_text()
        made.stock()
        made.send(20)
        finish(made)
    finally:
        made.close()


@pytest.mark.fault(12)
def test_what_takes_long_is_nobody_elses_while_the_dispatcher_that_does_it_lives(server, tmp_path):
    slow = {"latency_s": 6.0}
    database = server.database()
    made = Shared(tmp_path, database, erp_key=slow, erp_lookup=slow)
    try:
        made.start()
        made.hub.begin("dispatcher-5", "dispatcher")
        made.stock()
        made.send(4)
        sold = "select count(*), max(attempts) from effect where operation = 'create_sale' and done_at > 0"
        eventually(lambda: server.execute(database, sold)[0][0] == 4, 30)
        assert server.execute(database, sold) == [(4, 1)]
    finally:
        made.close()
