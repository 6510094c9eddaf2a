"""The proof that a running hub makes by itself, minute after minute."""

import logging

import apsw
import pytest

from crossdock.bootstrap import auditing, hub, proving
from crossdock.bootstrap.auditing import RULES, TOTALS, VERSIONS
from crossdock.bootstrap.proof import CLOSING, kept_proof
from tests.bootstrap.waiting import eventually
from tests.faults.here import retailer

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setattr(proving, "EVERY_S", 1.0)
    monkeypatch.setattr(hub, "PROOF_CLOSES_S", 0.0)
    with retailer(tmp_path) as made:
        yield made


def kept(shop):
    with shop.hub.reads() as reads:
        return kept_proof(reads)


def broken(shop):
    found = kept(shop)
    return [] if found is None else [check.name for check in found.checks if not check.ok]


def write(shop, statement):
    connection = apsw.Connection(str(shop.folder / "data" / "crossdock.db"))
    connection.set_busy_timeout(5_000)
    try:
        connection.execute(statement)
    finally:
        connection.close()


def invariants(shop):
    return [case for case in shop.cases() if case["reason"] == "invariant"]


def counted(shop, rule):
    found = kept(shop)
    return found and next((check.count for check in found.checks if check.name == rule), 0)


def test_a_hub_proves_itself_without_being_asked(shop):
    shop.send(6)
    shop.settled()
    eventually(lambda: counted(shop, TOTALS) >= 6)
    found = kept(shop)
    assert [check.text for check in found.checks if not check.ok] == []
    assert {check.name for check in found.checks} >= {*RULES, *CLOSING}
    assert found.whole_at > 0
    assert all(check.whole for check in found.checks)


def test_orders_are_read_round_after_round_before_the_whole_store_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(proving, "EVERY_S", 1.0)
    with retailer(tmp_path) as shop:
        for sent in (3, 6):
            shop.send(3)
            shop.settled()
            eventually(lambda sent=sent: counted(shop, TOTALS) >= sent)
        found = kept(shop)
    assert found.whole_at == 0
    assert {check.name for check in found.checks}.isdisjoint(CLOSING)


def test_a_breach_is_an_error_in_the_log_and_one_case_until_it_is_mended(shop, caplog):
    caplog.set_level(logging.WARNING, logger="crossdock")
    shop.send(4)
    shop.settled()
    eventually(lambda: kept(shop))
    write(shop, "update process set version = version + 1000")
    write(shop, "update process set version = 1")
    (case,) = eventually(lambda: invariants(shop))
    assert (case["about"], case["subject"] > 0) == (f"h {VERSIONS}", True)
    assert VERSIONS in case["text"]
    since = kept(shop).at
    eventually(lambda: kept(shop).at > since + 2_000_000)
    assert len(invariants(shop)) == 1
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "invariant h is broken" in errors[0].getMessage()
    write(shop, "update process set version = version + 1000")
    eventually(lambda: not broken(shop))
    eventually(lambda: any("holds again" in message for message in caplog.messages))


def test_a_round_goes_on_after_a_restart_where_it_was(shop, monkeypatch):
    monkeypatch.setattr(auditing, "PAGE", 1)
    monkeypatch.setattr(proving, "READING_S", 0.0001)
    shop.send(6)
    shop.settled()
    eventually(lambda: "read in this round" in next(c.text for c in kept(shop).checks if c.name == TOTALS))
    assert not next(check.whole for check in kept(shop).checks if check.name == TOTALS)
    shop.stop()
    with_store = apsw.Connection(str(shop.folder / "data" / "crossdock.db"))
    before = with_store.execute("select value->>'after' from cursor where feed = 'audit'").get
    with_store.close()
    assert before > 0
    shop.start()
    eventually(lambda: kept(shop).whole_at > 0)
