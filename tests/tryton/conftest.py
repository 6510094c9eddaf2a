"""A Tryton to test against: seeded once for all workers of a run, copied and started anew for each module."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.testing import tryton
from crossdock.testing.tryton_seed import Retailer, SeedProduct
from crossdock.transport.http import HttpTransport
from tests.tryton.erp import Erp

STOCK = {"WH": 1000, "madrid": 50}
RETAILER = Retailer(
    key="k" * 32,
    products=(
        *(SeedProduct(sku=f"SKU-{n}", name=f"Mug {n}", price="16.72", on_hand=STOCK) for n in range(1, 10)),
        SeedProduct(sku="BOOK", name="Book", tax="0.07", on_hand=STOCK),
        SeedProduct(sku="CARD", name="Gift card", kind="service", tax=""),
        SeedProduct(sku="CHEESE", name="Cheese", unit="Kilogram", on_hand=STOCK),
    ),
    customers=("shop", "market", "store-7"),
    warehouses=("WH", "madrid"),
    rates=("0.19", "0.07", "0.0825"),
)
SEED_S = 300


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a seeded database. Whoever of several workers comes first makes it, the others wait.

    CROSSDOCK_TRYTON_SEED names one that was kept from an earlier run, to spare its minute.
    """
    if not tryton.available():
        pytest.skip("Tryton is not installed: pip install -e .[dev]")
    if kept := os.environ.get("CROSSDOCK_TRYTON_SEED"):
        return Path(kept)
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tryton"
    done, failed = shared / "done", shared / "failed"
    try:
        shared.mkdir()
    except FileExistsError:
        until = time.monotonic() + SEED_S
        while not done.exists():
            if failed.exists() or time.monotonic() > until:
                pytest.fail("Another worker could not seed Tryton; see its error.")
            time.sleep(0.2)
        return Path(done.read_text())
    try:
        made = tryton.seed(shared / "seed", RETAILER)
    except BaseException:
        failed.touch()
        raise
    partial = shared / "done.partial"
    partial.write_text(str(made))
    partial.rename(done)
    return made


@pytest.fixture(scope="module")
def erp(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    """A running Tryton that the tests of a module share; each uses orders of its own."""
    yield from running(seeded, tmp_path_factory.mktemp("tryton-run"))


@pytest.fixture
def fresh(seeded: Path, tmp_path: Path) -> Iterator[Erp]:
    """A running Tryton of one test alone: its stock, its stops and starts."""
    yield from running(seeded, tmp_path / "tryton-run")


def running(seeded: Path, folder: Path) -> Iterator[Erp]:
    server = tryton.Server(seeded, folder, free_port())
    server.start()
    transport = HttpTransport(server.url)
    try:
        yield Erp(server, transport)
    finally:
        transport.close()
        server.stop()
