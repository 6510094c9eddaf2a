import json
import subprocess
import sys
from pathlib import Path

import pytest

from crossdock.stores.sqlite.database import Database

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


def test_orders_that_are_held_are_whole_orders(tmp_path: Path) -> None:
    from bench.held import hold_orders
    from bench.parts import reads_of
    from bench.world import new_world
    from crossdock.bootstrap.loops import clock_us
    from crossdock.bootstrap.proof import prove

    with new_world(tmp_path / "world") as world:
        hold_orders(world, 200, lambda _: None, template=50)
        with reads_of(world) as reads:
            wrong = [check for check in prove(reads, clock_us()) if not check.ok]
            count = reads.rows("order_count")[0][0]
    database = Database(world.config.hub.store, readonly=True)
    largest = database.connection.execute("select max(ref) from reference where kind = 'order'").get
    database.close()
    assert (wrong, count, len(largest)) == ([], 200, 13)
