import pytest

from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from crossdock.testing.sweep_suite import SweepSuite


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "crossdock.db", Vault(b"k" * 32))
    yield opened
    opened.close()


class TestSqlite(SweepSuite):
    pass
