import re
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from crossdock.bootstrap.proof import prove
from crossdock.errors import ConfigurationError, CrossdockError
from crossdock.stores.sqlite import SqliteStore, open_store
from crossdock.stores.sqlite.database import SCHEMA_VERSION, Database, create_schema, migrations
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import SECOND
from tests.stores.trading import Process, Retailer

VAULT = Vault(b"k" * 32)
FIRST_STORE = Path(__file__).parent / "store_v1.sql"
SCHEMA_TEXT = Path("src/crossdock/stores/sqlite/schema.sql")
GROWN = {"process", "case_file", "message", "event", "counter", "effect", "mark"}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A full store as the first release left it, closed cleanly."""
    path = tmp_path / "crossdock.db"
    database = Database(path)
    database.connection.execute(migrations()[0])
    database.connection.execute(FIRST_STORE.read_text("utf-8"))
    database.connection.pragma("user_version", 1)
    database.close()
    return path


def schema_of(database: Database) -> dict[str, str]:
    """Every table and index by name, its text without comments and spaces."""
    rows = database.connection.execute("select name, sql from sqlite_master where sql is not null").fetchall()
    return {name: re.sub(r"\s", "", re.sub(r"--.*", "", sql)).lower() for name, sql in rows}


def rows_of(path: Path) -> dict[str, list[Any]]:
    database = Database(path, readonly=True)
    tables = database.connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    rows = {name: database.connection.execute(f"select * from {name}").fetchall() for (name,) in tables}
    database.close()
    return rows


def test_the_migrations_together_make_the_full_schema(tmp_path: Path) -> None:
    migrated, full = Database(tmp_path / "migrated.db"), Database(tmp_path / "full.db")
    for text in migrations():
        migrated.connection.execute(text)
    full.connection.execute(SCHEMA_TEXT.read_text("utf-8"))
    assert schema_of(migrated) == schema_of(full)
    migrated.close()
    full.close()


def test_a_store_of_the_first_release_keeps_every_row(first: Path) -> None:
    before = rows_of(first)
    assert all(before[name] for name in ("inbox", "outbox", "hold", "attempt", "posting", *GROWN))
    open_store(first, VAULT).close()
    after = rows_of(first)
    assert {name: after[name] for name in before} == before
    assert {name for name in after if name not in before} == {"ticket", "pulse", "unseen"}


def test_a_store_of_the_first_release_has_the_present_schema(first: Path, tmp_path: Path) -> None:
    open_store(first, VAULT).close()
    open_store(tmp_path / "new.db", VAULT).close()
    opened, new = Database(first, readonly=True), Database(tmp_path / "new.db", readonly=True)
    assert schema_of(opened) == schema_of(new)
    assert opened.connection.pragma("user_version") == new.connection.pragma("user_version") == SCHEMA_VERSION
    opened.close()
    new.close()


@pytest.mark.fault(15)
def test_what_the_first_release_left_undone_is_done(first: Path, tmp_path: Path) -> None:
    retailer = Retailer(tmp_path, 0, 0)
    store = open_store(first, VAULT)
    reads = store.reads()
    retailer.now = reads.rows("inbox_by_state")[0][3] + 3_600 * SECOND
    process = Process(retailer, store)
    for _ in range(30):
        retailer.now += SECOND
        while process.pipeline.step(retailer.now) + process.dispatcher.step(retailer.now):
            store.wake(retailer.now)
        store.wake(retailer.now)
    states = {(source, state): count for source, state, count, _ in reads.rows("inbox_by_state")}
    orders = reads.rows("order_count")[0][0]
    done = _done(store)
    wrong = [check.text for check in prove(reads, retailer.now) if not check.ok]
    reads.close()
    store.close()
    assert states == {("shop", 3): 1}
    assert orders == 9
    assert (done["create_sale"], done["release"]) == (9, 9)
    assert done["acknowledge"] == 4  # before: the shop of this test does not know the orders of that one
    assert wrong == []


def _done(store: SqliteStore) -> dict[str, int]:
    database = Database(store.path, readonly=True)
    rows = database.connection.execute(
        "select operation, count(*) from effect where outcome = 'done' group by operation"
    ).fetchall()
    database.close()
    return dict(rows)


def test_a_migration_that_fails_leaves_the_store_as_it_was(first: Path, tmp_path: Path) -> None:
    copy = shutil.copy(first, tmp_path / "copy.db")
    broken = [
        *migrations(),
        "create table half (no integer); insert into half values (1); select nothing from nowhere;",
    ]
    database = Database(first)
    with pytest.raises(CrossdockError, match="bringing the schema up to date"):
        create_schema(database, broken)
    assert database.connection.pragma("user_version") == 1
    assert not database.connection.in_transaction
    database.close()
    assert rows_of(first) == rows_of(Path(copy))
    open_store(first, VAULT).close()


def test_opening_it_again_changes_nothing(first: Path) -> None:
    open_store(first, VAULT).close()
    database = Database(first)
    before = database.connection.pragma("schema_version")
    create_schema(database)
    assert database.connection.pragma("schema_version") == before
    database.close()


def test_a_store_that_a_later_release_has_migrated_is_refused(first: Path) -> None:
    database = Database(first)
    create_schema(database, [*migrations(), "create table later (no integer)"])
    database.close()
    with pytest.raises(ConfigurationError, match=f"schema version {SCHEMA_VERSION + 1}.*later"):
        open_store(first, VAULT)


def test_a_file_from_between_two_releases_is_brought_up_as_well(tmp_path: Path) -> None:
    path = tmp_path / "between.db"
    connection = apsw.Connection(str(path))
    connection.execute(SCHEMA_TEXT.read_text("utf-8"))
    connection.pragma("user_version", 1)
    connection.close()
    open_store(path, VAULT).close()
    database = Database(path, readonly=True)
    assert database.connection.pragma("user_version") == SCHEMA_VERSION
    database.close()
