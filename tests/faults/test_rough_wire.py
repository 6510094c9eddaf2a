"""The wire to PostgreSQL cuts, delays, trickles and truncates, while all roles of a hub work over it."""

import threading
import time

import pytest

from tests import proxies
from tests.bootstrap.waiting import eventually
from tests.faults.roles import Shared, finish
from tests.servers import PostgresServer

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(120)]

EACH_S = 3.0
PIECES_MIN = 100
"""So many pieces at least pass while the wire is in one way bad, or nothing was shown of it."""
CUTS_MIN = 3


@pytest.fixture(scope="module")
def server():
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


@pytest.fixture
def shop(server, tmp_path):
    with proxies.RoughWire(server.folder) as wire:
        direct = server.database()
        made = Shared(tmp_path, direct.replace(str(server.folder), str(wire.folder)))
        made.database, made.wire = direct, wire
        try:
            made.start()
            made.stock()
            sent = time.time_ns() // 1_000
            eventually(lambda: not made.unhandled(sent))  # or orders that are quicker wait long for stock
            yield made
        finally:
            made.close()


@pytest.mark.fault(5)
@pytest.mark.fault(9)
@pytest.mark.fault(10)
def test_over_a_wire_that_cuts_delays_trickles_and_truncates_nothing_is_lost_or_doubled(shop):
    with shop.sending(160, every_s=0.3):
        for spoils, ends in (
            (proxies.cuts, True),
            (proxies.delays, False),
            (proxies.trickles, False),
            (proxies.truncates, True),
        ):
            carried, ended = shop.wire.carried, shop.wire.ended
            shop.wire.spoil = spoils()
            threading.Event().wait(EACH_S)
            shop.wire.spoil = proxies.whole
            assert shop.wire.carried - carried > PIECES_MIN, spoils.__name__
            assert (shop.wire.ended - ended >= CUTS_MIN) == ends, spoils.__name__
            threading.Event().wait(0.3)
        assert shop.hub.alive
    finish(shop)
