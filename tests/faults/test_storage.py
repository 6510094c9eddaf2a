"""When the disk is full, unsafe or slow to say so, and when a message kills the process that handles it."""

import contextlib
import resource
import signal
import subprocess
import sys
import threading

import pytest

from crossdock.config import keys, load_config
from crossdock.errors import ConfigurationError, OverloadedError
from crossdock.sdk.calls import Request, get
from crossdock.stores.sqlite import open_store, store
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, arrival
from tests.bootstrap.test_pipeline_loop import limit_pages
from tests.bootstrap.waiting import eventually
from tests.engine.trade import Rig
from tests.faults.deadly_process import KEY
from tests.faults.here import RetailerHere, retailer
from tests.faults.retailer import ROOT, SECRETS, Retailer

pytestmark = pytest.mark.slow

ENDLESS = 2**30


def post_once(shop):
    """One order, posted once: the answer."""
    channel, order, headers, body = shop.order()
    reply = shop._gate.send(Request(method="POST", path=f"/in/{channel}", headers=headers, body=body), 10)
    if reply.status == 200:
        shop.accepted[channel].append(order)
    return reply


@pytest.mark.fault(8)
def test_a_full_disk_is_a_503_nothing_is_half_accepted_and_work_goes_on_by_itself(tmp_path):
    with retailer(tmp_path) as shop:
        shop.send(10)
        shop.hub.writer.alone(lambda: limit_pages(shop.hub.store, 0))
        refused = eventually(lambda: next((r for r in [post_once(shop)] if r.status != 200), None))
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert shop._gate.send(get("/healthz"), 5).status == 200
        counted = {source: n for source, name, n in shop.rows("counters") if name == "accepted"}
        assert {name: counted[name] for name in shop.accepted} == {
            name: len(orders) for name, orders in shop.accepted.items()
        }
        with shop.sending(12):
            eventually(lambda: sum(post_once(shop).status == 503 for _ in range(5)) == 5)
            shop.hub.writer.alone(lambda: limit_pages(shop.hub.store, ENDLESS))
        shop.settled()
        assert shop.cases() == []
        shop.stop()
        shop.check_partners()
        shop.check_hub()


@pytest.mark.serial
@pytest.mark.fault(8)
def test_a_disk_that_takes_no_byte_for_a_while_loses_nothing(tmp_path):
    shop = Retailer(tmp_path)
    try:
        shop.start()
        shop.stock()
        hub = shop.hub.process.pid
        for _ in range(3):
            shop.send(10)
            resource.prlimit(hub, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            with shop.sending(12):
                eventually(lambda: sum(post_once(shop).status == 503 for _ in range(10)) == 10)
                resource.prlimit(hub, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            shop.settled()
        shop.stop()
        shop.check_partners()
        shop.check_hub()
    finally:
        shop.close()


@pytest.mark.fault(8)
def test_a_group_of_writes_that_does_not_fit_leaves_no_trace_and_no_claim(tmp_path):
    opened = open_store(tmp_path / "x.db", Vault(KEY))
    opened.accept([arrival(str(n)) for n in range(5)], NOW)
    limit_pages(opened, 0)
    jobs = [
        lambda: opened.claim(10, NOW),
        lambda: opened.accept([arrival("big", body=b"x" * 1_000_000)], NOW),
        lambda: opened.claim(10, NOW),
    ]
    results = []
    with contextlib.suppress(OverloadedError):
        results = opened.group(jobs)
    assert not results or isinstance(results[1], OverloadedError)
    told = [message for n in (0, 2) if results for message in results[n].messages]
    limit_pages(opened, ENDLESS)
    assert len(told) + len(opened.claim(10, NOW).messages) == 5
    reads = opened.reads()
    assert reads.rows("counters") == [("shop", "accepted", 5)]
    reads.close()
    opened.close()


@pytest.mark.fault(8)
def test_a_claim_that_could_not_be_written_claims_nothing(tmp_path):
    opened = open_store(tmp_path / "x.db", Vault(KEY))
    opened.accept([arrival(str(n)) for n in range(5)], NOW)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
        with pytest.raises(OverloadedError):
            opened.claim(10, NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(opened.claim(10, NOW).messages) == 5
    opened.close()


@pytest.mark.fault(7)
def test_a_store_that_could_lose_what_it_accepted_is_refused_before_anything_is_served(tmp_path, monkeypatch):
    opening = store.Database

    def unsafe(path, *, readonly=False):
        database = opening(path, readonly=readonly)
        if not readonly:
            database.connection.pragma("synchronous", 1)
        return database

    monkeypatch.setattr(store, "Database", unsafe)
    made = RetailerHere(tmp_path)
    try:
        with pytest.raises(ConfigurationError, match="power cut"):
            made.start()
        assert made.hub is None
    finally:
        made.close()


@pytest.mark.fault(7)
def test_a_key_that_is_not_the_stores_is_refused_and_nothing_is_taken(tmp_path):
    with retailer(tmp_path) as shop:
        shop.send(2)
        shop.settled()
        shop.stop()
        (tmp_path / "data" / "key").unlink()
        keys.make_key(tmp_path / "data" / "key")
        config = load_config(shop.config, SECRETS)
        opened = open_store(config.hub.store, Vault(keys.read_key(config.hub.key)))
        reads = opened.reads()
        with pytest.raises(ConfigurationError, match="master key"):
            list(reads.documents())
        reads.close()
        opened.close()


@pytest.mark.serial
@pytest.mark.fault(16)
def test_a_message_that_kills_the_process_is_quarantined_after_two_attempts_of_its_own(tmp_path):
    path = tmp_path / "x.db"
    opened = open_store(path, Vault(KEY))
    rig = Rig(opened)
    sent = [rig.send(str(n), "deadly" if n == 5 else f"w{n}") for n in range(12)]
    behind = rig.send("5", "behind")
    opened.close()
    codes = []
    while not codes or codes[-1]:
        assert len(codes) < 20
        command = [sys.executable, "-m", "tests.faults.deadly_process", str(path)]
        codes.append(subprocess.run(command, cwd=ROOT, check=False, timeout=30).returncode)
    assert set(codes[:-1]) == {-signal.SIGKILL}
    opened = open_store(path, Vault(KEY))
    rig = Rig(opened)
    (case,) = rig.cases()
    assert (case["reason"], case["message"]) == ("crash", sent[5].message)
    assert [bool(rig.words(receipt)) for receipt in sent] == [n != 5 for n in range(12)]
    assert rig.waiting(behind) == {sent[5].message: 3, behind.message: 2}
    assert not any(rig.balance().values())
    opened.close()


def test_readers_are_not_in_the_way_of_the_writer(tmp_path):
    with retailer(tmp_path) as shop:
        stop = threading.Event()

        def read():
            while not stop.is_set():
                with shop.hub.reads() as reads:
                    list(reads.documents())
                    reads.rows("source_balance")

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        shop.send(20)
        shop.settled()
        stop.set()
        for thread in threads:
            thread.join()
        assert shop.cases() == []
