from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.stores import postgres, sqlite
from crossdock.stores.vault import Vault
from crossdock.testing.sweep_suite import SweepSuite

VAULT = Vault(b"k" * 32)


class TestSqlite(SweepSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[sqlite.SqliteStore]:
        opened = sqlite.open_store(tmp_path / "crossdock.db", VAULT)
        yield opened
        opened.close()


class TestPostgres(SweepSuite):
    @pytest.fixture
    def store(self, url: str) -> Iterator[postgres.PostgresStore]:
        opened = postgres.open_store(url, VAULT)
        yield opened
        opened.close()
