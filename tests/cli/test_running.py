"""`crossdock up` for real: a process, a port, and every command that speaks to it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.hub import CONFIG, SECRETS, delivery, order

pytestmark = pytest.mark.serial
COMMAND = [sys.executable, "-c", "from crossdock.cli import main; main()", "up"]


@pytest.fixture
def up(cli):
    """A hub that runs, whose partners do not answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (cli.folder / "crossdock.toml").write_text(CONFIG.replace("port = 9\n", f"port = {port}\n"))
    token = cli("init").stdout.strip().removeprefix("CROSSDOCK_TOKEN=")
    cli.env |= {**SECRETS, "CROSSDOCK_TOKEN": token}
    process = subprocess.Popen(
        COMMAND, env={**os.environ, **cli.env}, cwd=cli.folder, stdout=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 30
        while not answers(cli):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield cli
        for _ in range(50):  # somebody is impatient
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 0
        assert f"http://127.0.0.1:{port}" in process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def answers(cli):
    """Whether the hub runs and answers; before it does, there may be no store yet."""
    result = cli("status", "--json")
    assert result.exit_code == 0 or "There is no store" in result.stderr
    return result.exit_code == 0 and json.loads(result.stdout)["hub"]["answers"]


def eventually(question):
    until = time.monotonic() + 20
    while not (found := question()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_metrics_tell_of_both_processes_of_a_hub(up):
    url = up.json("status")["hub"]["url"]
    asked = urllib.request.Request(f"{url}/metrics")
    asked.add_header("authorization", f"Bearer {up.env['CROSSDOCK_TOKEN']}")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        text = answer.read().decode()
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total"):
        found = {family.name: family for family in text_string_to_metric_families(text)}
        samples = found[name.removesuffix("_total")].samples
        assert {s.labels["part"] for s in samples if s.value > 0} == {"core", "edge"}, name
        if name.endswith("bytes"):  # hundredths of a second may well be the same
            assert len({s.value for s in samples}) == 2


def test_deliveries_are_fed_parked_corrected_and_replayed(up):
    folder = up.folder / "recorded"
    folder.mkdir()
    wrong = order(1002, total="99.00")
    for name, value in {"1": order(1001), "2": wrong, "3": order(1003)}.items():
        (folder / f"{name}.json").write_text(json.dumps(delivery(value, name=f"d{name}")))
    fed = up.json("feed", "--connection", "shop", "--times", "2", "--shuffle", folder)
    assert (fed["accepted"], fed["repeated"], fed["refused"], fed["failed"]) == (3, 3, 0, 0)

    case = eventually(lambda: next((c for c in up.json("cases") if c["field"] == "total_price"), None))
    raw = up("cases", "show", case["id"], "--raw").stdout
    (up.folder / "body.json").write_text(raw.replace("99.00", "20.00"))
    edited = up(
        "cases", "edit", case["id"], "--file", up.folder / "body.json", "-r", "typo", "--actor", "anna"
    )
    assert edited.exit_code == 0, edited.output
    eventually(lambda: len(up.json("orders")) == 3)
    story = up.json("trace", "#1002")
    assert any(step["by"] == "anna" and "typo" in step["detail"] for step in story["steps"])

    assert up.json("replay", "#1001", "-r", "trial", "--actor", "anna")["accepted"] == 1
    eventually(lambda: "replay by anna: trial" in json.dumps(up.json("trace", "#1001")))
    late = up("cases", "retry", case["id"], "-r", "again", "--actor", "anna")
    assert (late.exit_code, late.stdout) == (2, "")
    assert f"Case {case['id']} is closed" in late.stderr
    assert up.json("proof")["ok"] is True


def test_a_second_hub_on_the_same_store_is_refused(up):
    other = up.folder / "crossdock.toml"
    other.write_text(re.sub(r"port = \d+", "port = 1", other.read_text(), count=1))
    second = subprocess.run(
        COMMAND, check=False, env={**os.environ, **up.env}, capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 2
    assert second.stderr.startswith("error: Another process works on")
    assert second.stderr.count("\n") == 1


def test_a_wrong_token_is_told(up):
    result = up("cases", "retry", "1", "-r", "x", env={"CROSSDOCK_TOKEN": "cdk_wrong"})
    assert result.exit_code == 2
    assert "does not know the token" in result.stderr


def test_the_vendors_samples_are_taken_twice_and_in_any_order(up, shared):
    samples = shared / "specs" / "shopify" / "webhooks_hookdeck"
    fed = up.json("feed", "--connection", "shop", "--times", "2", "--shuffle", samples)
    assert (fed["refused"], fed["failed"]) == (0, 0)
    assert fed["accepted"] + fed["repeated"] == 2 * len(list(samples.rglob("*.json")))
    eventually(lambda: source(up)["in_flight"] == 0)
    assert source(up)["accepted"] == fed["accepted"]
    assert up.json("proof")["ok"] is True
    assert all(case["text"] for case in up.json("cases", "--limit", "1000"))


def source(up):
    return next(found for found in up.json("status")["sources"] if found["source"] == "shop")
