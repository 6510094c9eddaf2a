from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crossdock.stores import postgres as postgresql
from crossdock.stores import sqlite
from crossdock.stores.vault import Vault
from crossdock.testing.keeping_suite import KeepingSuite
from crossdock.testing.store_case import NOW
from tests.servers import PostgresServer

VAULT = Vault(b"k" * 32)
EDITS = "select count(*) from body_before_edit"


class TestSqlite(KeepingSuite):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[list[sqlite.SqliteStore]]:
        opened = [sqlite.open_store(tmp_path / "crossdock.db", VAULT)]
        yield opened
        opened[-1].close()

    @pytest.fixture
    def store(self, opened: list[sqlite.SqliteStore]) -> sqlite.SqliteStore:
        return opened[0]

    @pytest.fixture
    def edits(self, store: sqlite.SqliteStore) -> Callable[[], int]:
        return lambda: int(store._db.connection.execute(EDITS).get)

    @pytest.fixture
    def opened_again(self, opened: list[sqlite.SqliteStore]) -> Callable[[], sqlite.SqliteStore]:
        def again() -> sqlite.SqliteStore:
            opened[0].close()
            opened.append(sqlite.open_store(opened[0].path, VAULT))
            return opened[1]

        return again


class TestPostgres(KeepingSuite):
    @pytest.fixture
    def store(self, url: str) -> Iterator[postgresql.PostgresStore]:
        opened = postgresql.open_store(url, VAULT)
        yield opened
        opened.close()

    @pytest.fixture
    def edits(self, url: str, postgres: PostgresServer) -> Callable[[], int]:
        return lambda: int(str(postgres.execute(url, EDITS)[0][0]))

    @pytest.fixture
    def other(self, url: str) -> Iterator[postgresql.PostgresStore]:
        opened = postgresql.open_store(url, VAULT)
        yield opened
        opened.close()

    @pytest.fixture
    def opened_again(self, other: postgresql.PostgresStore) -> Callable[[], postgresql.PostgresStore]:
        return lambda: other

    def test_another_process_than_the_one_that_has_the_schedule_drops_nothing(
        self, store: Any, other: Any
    ) -> None:
        _, message = self.order(store)
        store.wake(NOW)
        assert self.all(other).bodies == []
        assert self.all(store).bodies == [message]
