"""Real processes are frozen with SIGSTOP and wake after their leases, or are killed while they start, stop or sleep."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from tests.bootstrap.waiting import eventually
from tests.faults.hub_process import DEADLINE_S
from tests.faults.proxy import honest, proxy, request_lost
from tests.faults.retailer import ROOT, SECRETS, Retailer

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(90)]

SALE = "POST /erp_lookup/sales"
LOOK_UP = "GET /erp_lookup/sales"
PAST_THE_LEASE_S = DEADLINE_S + 1.0


def send_all(hub, number):
    """A signal to the hub, core and edge: a machine that sleeps sleeps as a whole."""
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended
        core = psutil.Process(hub.process.pid)
        for process in (core, *core.children()):
            process.send_signal(number)


def wait(seconds):
    threading.Event().wait(seconds)


@pytest.fixture
def retailer(tmp_path):
    made = Retailer(tmp_path)
    try:
        made.start()
        made.stock()
        yield made
    finally:
        send_all(made.hub, signal.SIGCONT)
        made.close()


def finished(shop):
    """All is settled, the books balance, and nobody is needed."""
    shop.settled()
    shop.stop()
    shop.check_partners()
    shop.check_hub()


def frozen(process, seconds):
    """Freeze a process for so long."""
    process.send_signal(signal.SIGSTOP)
    wait(seconds)
    process.send_signal(signal.SIGCONT)


@pytest.mark.fault(11)
def test_frozen_between_look_up_and_post_the_hub_wakes_after_its_lease_and_asks_again_before_it_posts(
    tmp_path,
):
    looked = threading.Event()

    def fault(number, exchange):
        line = exchange.line.split("?")[0]
        if line == SALE and middle.seen.count(exchange.line) == 1:
            return request_lost
        if line == LOOK_UP and not looked.is_set():
            return answered_while_it_sleeps
        return honest

    def answered_while_it_sleeps(exchange):
        send_all(shop.hub, signal.SIGSTOP)
        exchange.answer(exchange.forward())
        wait(PAST_THE_LEASE_S)
        woken.append(len(middle.seen))
        looked.set()
        send_all(shop.hub, signal.SIGCONT)
        return True

    woken = []
    with proxy(fault) as middle:
        shop = Retailer(tmp_path, via={"erp_lookup": middle})
        try:
            shop.start()
            shop.stock()
            shop.send(2)
            eventually(looked.is_set)
            finished(shop)
            after = [line.split("?")[0] for line in middle.seen[woken[0] :]]
            assert after[0] == LOOK_UP
            assert after.index(SALE) > after.index(LOOK_UP)
            assert shop.state("erp_lookup")["sales"] == 1
        finally:
            send_all(shop.hub, signal.SIGCONT)
            shop.close()


@pytest.mark.fault(11)
@pytest.mark.parametrize("seed", [1, 2])
def test_frozen_at_random_moments_for_longer_than_any_lease_it_does_nothing_twice(retailer, seed):
    dice = random.Random(seed)
    with retailer.sending(48, every_s=0.02):
        for _ in range(3):
            wait(dice.uniform(0.05, 0.4))
            frozen(retailer.hub.process, dice.choice([0.3, PAST_THE_LEASE_S]))
    finished(retailer)


@pytest.mark.fault(19)
def test_partners_that_freeze_are_waited_for_and_nothing_is_done_twice(retailer):
    with retailer.sending(24, every_s=0.02):
        wait(0.1)
        frozen(retailer.partners.process, PAST_THE_LEASE_S)
    finished(retailer)


@pytest.mark.fault(3)
def test_killed_in_its_sleep_what_it_was_at_is_asked_about(retailer):
    with retailer.sending(24, every_s=0.01):
        wait(0.2)
        send_all(retailer.hub, signal.SIGSTOP)
        wait(0.2)
        assert retailer.hub.end(signal.SIGKILL) == -signal.SIGKILL
        retailer.start()
    finished(retailer)


@pytest.mark.fault(1)
@pytest.mark.fault(2)
def test_killed_again_and_again_while_it_starts_it_comes_up_in_the_end_with_everything(retailer):
    dice = random.Random(3)
    command = [sys.executable, "-m", "tests.faults.hub_process", str(retailer.config)]
    with retailer.sending(24, every_s=0.02):
        wait(0.2)
        retailer.hub.end(signal.SIGKILL)
        for _ in range(5):
            starting = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **SECRETS},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait(dice.uniform(0.7, 1.3))
            starting.kill()
            starting.wait(10)
        retailer.start()
    finished(retailer)


@pytest.mark.fault(1)
@pytest.mark.fault(3)
def test_killed_while_it_stops_it_has_lost_nothing(retailer):
    with retailer.sending(24, every_s=0.02):
        for after in (0.0, 0.05, 0.2):
            wait(0.2)
            retailer.hub.process.send_signal(signal.SIGTERM)
            wait(after)
            retailer.hub.end(signal.SIGKILL)
            retailer.start()
    finished(retailer)
