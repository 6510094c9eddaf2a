"""A bulk replay at the peak: live orders go first, and whoever clicks twice runs it once."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crossdock.bootstrap.proof import prove
from crossdock.console import replaying
from crossdock.sdk.calls import post
from tests.bootstrap.waiting import eventually
from tests.faults.here import retailer

pytestmark = pytest.mark.slow

LONG_AGO = "2020-01-01T00:00:00Z"
ASKED = {"connection": "shop", "since": LONG_AGO, "actor": "ann", "reason": "another mapping"}


def replay(shop, key, **more):
    headers = {"authorization": f"Bearer {shop.token}"} | ({"idempotency-key": key} if key else {})
    reply = shop._gate.send(post("/v1/replays", json=ASKED | more, headers=headers), 20)
    assert reply.status == 202, reply.body
    return reply.decode(dict)


def delayed(shop):
    """Messages of the shop that are due later."""
    return sum(row[2] for row in shop.rows("inbox_by_state") if row[:2] == ("shop", 1))


@pytest.mark.fault(56)
def test_live_orders_go_before_a_bulk_replay_and_a_double_click_runs_it_once(tmp_path, monkeypatch):
    monkeypatch.setattr(replaying, "REPLAYS_PER_S_MAX", 10)
    with retailer(tmp_path) as shop:
        shop.send(60)
        shop.settled()
        with ThreadPoolExecutor(2) as pool:
            clicks = [pool.submit(replay, shop, "once") for _ in range(2)]
            answers = [click.result() for click in clicks]
        assert sorted((a["accepted"], a["repeated"]) for a in answers) == [(0, 30), (30, 0)]
        began = time.monotonic()
        shop.send(4)
        shop.settled()
        assert delayed(shop) > 10, f"live orders waited for {time.monotonic() - began:.1f} s behind a replay"
        eventually(lambda: delayed(shop) == 0)
        eventually(lambda: not shop.rows("inbox_by_state"))
        for order in shop.accepted["shop"][:5]:
            assert [m["outcome"] for m in shop.timeline(order)["messages"] if m["origin"]] == ["duplicate"]
        with shop.hub.reads() as reads:
            assert [check.text for check in prove(reads, time.time_ns() // 1000) if not check.ok] == []
        shop.stop()
        shop.check_partners()


@pytest.mark.fault(56)
def test_a_replay_begins_where_another_ends_and_comes_in_parts_under_one_key(tmp_path, monkeypatch):
    monkeypatch.setattr(replaying, "REPLAYS_PER_S_MAX", 5)
    with retailer(tmp_path) as shop:
        shop.send(20)
        shop.settled()
        first = replay(shop, "k", limit=6)
        second = replay(shop, "k", limit=6, after=first["next"])
        assert (first["accepted"], second["accepted"], second["next"]) == (6, 4, "")
        assert replay(shop, "k", limit=6)["repeated"] == 6
        assert replay(shop, "another")["accepted"] == 10
        until = shop.rows("replays_until")[0][0] / 1e6 - time.time()
        assert until > 1.5
        shop.stop()
