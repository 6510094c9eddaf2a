"""The hub's second process, which listens and calls, is killed and frozen while orders come in. Nothing is lost or doubled."""

import os
import signal
import threading

import psutil
import pytest

from crossdock.bootstrap import edge
from tests.bootstrap.waiting import eventually
from tests.faults.retailer import Retailer

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def retailer(tmp_path_factory):
    made = Retailer(tmp_path_factory.mktemp("edge"))
    made.start()
    made.stock()
    yield made
    made.close()


def edge_of(retailer):
    """The second process, as soon as there is one."""
    found = []

    def look():
        found[:] = psutil.Process(retailer.hub.process.pid).children()
        return found

    eventually(look)
    return found[0].pid


@pytest.mark.fault(3)
def test_killed_at_random_moments_it_comes_back_by_itself(retailer):
    pause = threading.Event()
    with retailer.sending(80, every_s=0.03):
        for wait_s in (0.3, 0.9):
            pause.wait(wait_s)
            os.kill(edge_of(retailer), signal.SIGKILL)
            eventually(lambda: edge_of(retailer))
    retailer.settled()
    retailer.check_partners()
    assert retailer.hub.alive


@pytest.mark.fault(11)
def test_frozen_beyond_its_leases_it_is_ended_and_another_takes_over(retailer):
    frozen = edge_of(retailer)
    threading.Timer(0.3, os.kill, (frozen, signal.SIGSTOP)).start()
    with retailer.sending(40, every_s=0.02):
        eventually(lambda: not psutil.pid_exists(frozen), within_s=edge.HANGS_S + 30)
    retailer.settled(40)
    retailer.check_partners()


def test_without_its_core_it_ends_and_leaves_its_port(retailer):
    orphan = edge_of(retailer)
    retailer.hub.end(signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(orphan))
    retailer.start()
    retailer.send(2)
    retailer.settled()
    retailer.stop()
    retailer.check_hub()
