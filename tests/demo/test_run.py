"""The demo for real: short, with every fault and the kill, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(180)]


def demo(tmp_path, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "crossdock", "demo", "--rate", "10", *options],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_short_run_with_every_fault_and_a_kill_balances(tmp_path):
    with demo(tmp_path, "--seconds", "8", "--json") as running:
        out, err = running.communicate()
    assert out, err
    report = json.loads(out)
    crosses = [found for found in report["findings"] + report["invariants"] if not found["ok"]]
    assert not crosses, err
    assert report["ok"]
    assert running.returncode == 0
    assert 0 < report["played"]["killed_at"] < report["played"]["back_at"]
    assert "the hub is killed (SIGKILL)" in err
    assert not list(tmp_path.iterdir())


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
