import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench import shared
from bench.held import hold_orders
from bench.parts import reads_of
from bench.world import new_world, order_ref
from crossdock.bootstrap.loops import clock_us
from crossdock.bootstrap.proof import prove
from tests.servers import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.serial, pytest.mark.slow]


def run(folder: Path, *arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "bench", "--json", *arguments]
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    left = json.loads((folder / "build" / "bench.json").read_text("utf-8"))
    assert json.loads(done.stdout) == left
    return dict(left)


def test_the_bench_measures_orders_from_end_to_end_and_leaves_its_figures(tmp_path: Path) -> None:
    """So many that a backlog of orders and of replies is read ahead by the edge."""
    figures = run(tmp_path, "--part", "end_to_end", "--orders", "3000")["end_to_end"]
    assert isinstance(figures, dict)
    assert figures["orders_per_s"] > 0
    assert figures["proof"] == "balanced"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where several processes share the store; "" is a file."""
    if request.param == "sqlite":
        yield ""
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.database()
    finally:
        server.remove()


def test_orders_that_are_held_are_whole_orders(tmp_path: Path, database: str) -> None:
    with new_world(tmp_path / "world", database) as world:
        hold_orders(world, 200, lambda _: None, template=50)
        with reads_of(world) as reads:
            wrong = [check for check in prove(reads, clock_us()) if not check.ok]
            count = reads.rows("order_count")[0][0]
        hub = world.hub()
        arrival = shared.arrivals(1, 5_000_000)[0]
        (receipt,) = hub.store.accept([arrival], clock_us())
        known = hub.store.accept(
            [msgspec.structs.replace(arrival, ref=str(order_ref(199)), delivery_id="")], clock_us()
        )
        hub.store.close()
    assert (wrong, count) == ([], 200)
    assert known[0].subject < receipt.subject, (
        "an order that is held is known by its id, a new one gets a number of its own"
    )
