"""The hub is killed, again and again, while it tells: every event reaches the subscriber, under one id each."""

import asyncio
import json
import threading

import pytest

from crossdock.engine import crash
from tests.bootstrap.waiting import eventually
from tests.events.subscribed import SubscribedProcess
from tests.events.test_brokers_told import NATS
from tests.events.test_telling import ids
from tests.transport.nats_here import NatsHere
from tests.transport.test_brokers import stored

pytestmark = [pytest.mark.slow, pytest.mark.serial]


@pytest.fixture
def shop(tmp_path):
    made = SubscribedProcess(tmp_path)
    try:
        made.start()
        made.stock()
        yield made
    finally:
        made.close()


def all_told(shop):
    """Nothing waits to be told; the subscriber's books are the hub's."""
    eventually(lambda: shop.left() == 0, 40, 0.1, lambda: f"{shop.left()} wait")
    shop.stop()
    events, left = shop.books()
    told, late = shop.told()
    assert left == 0
    assert told == ids(events)
    assert late == []


@pytest.mark.fault(3)
def test_a_hub_that_is_killed_under_load_loses_no_event(shop):
    pause = threading.Event()
    with shop.sending(40, every_s=0.05):
        for _ in range(3):
            pause.wait(0.6)
            shop.hub.end()
            shop.start()
    shop.settled()
    all_told(shop)
    shop.check_partners()


POINTS = [crash.EFFECT_ANSWERED, crash.SETTLE_BEFORE_COMMIT]
"""On either side of the subscriber's receipt; the other points are those of every effect (tests/faults/test_kill.py)."""


@pytest.mark.fault(3)
@pytest.mark.parametrize("point", POINTS)
def test_a_hub_that_dies_while_it_tells_tells_again_under_the_same_id(shop, point):
    shop.stop()
    shop.start(f"{point}:{12 if point == crash.EFFECT_ANSWERED else 3}")
    with shop.sending(16):
        eventually(lambda: not shop.hub.alive, told=lambda: f"{point} was never reached")
        shop.hub.end()
        shop.start()
    shop.settled()
    all_told(shop)


def test_a_hub_that_is_killed_under_load_doubles_nothing_in_the_stream(tmp_path):
    server = NatsHere(tmp_path).start()
    shop = SubscribedProcess(tmp_path, subscribers=(), brokers=NATS.format(url=server.url))
    try:
        shop.start()
        shop.stock()
        pause = threading.Event()
        with shop.sending(40, every_s=0.05):
            for _ in range(3):
                pause.wait(0.6)
                shop.hub.end()
                shop.start()
        shop.settled()
        eventually(lambda: shop.left() == 0, 40, 0.1, lambda: f"{shop.left()} wait")
        shop.stop()
        events, _ = shop.books()
        found = [json.loads(message.data)["id"] for message in asyncio.run(stored(server.url, "CROSSDOCK"))]
        assert len(found) == len(set(found))
        assert set(found) == ids(events)
    finally:
        shop.close()
        server.kill()
