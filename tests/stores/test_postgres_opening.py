import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from crossdock.engine.messages import Stage
from crossdock.engine.port import Batch, Finished
from crossdock.errors import ConfigurationError, OverloadedError
from crossdock.stores.postgres import open_store, opening
from crossdock.stores.postgres.opening import Migration, migrations, prepare
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, StoreCase, arrival
from tests.servers import PostgresServer

VAULT = Vault(b"k" * 32)
case = StoreCase()
SCHEMA = """
select 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
from information_schema.columns where table_schema = 'public'
union all select 'index', tablename, indexname, indexdef from pg_indexes where schemaname = 'public'
union all select 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) from pg_constraint
  where connamespace = 'public'::regnamespace
union all select 'options', relname, relkind::text, coalesce(reloptions::text, '') from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'S')
order by 1, 2, 3, 4
"""
LATER = """-- statements of: 1
alter table inbox add column region text not null default 'eu';
alter table outbox add column region text;
alter table process add column priority integer not null default 0;
alter table level add column reserved_online bigint not null default 0;
create table later (no bigint primary key);
create index later_event on event (type);
"""


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
@pytest.mark.fault(7)
def test_unsafe_durability_is_refused_by_its_name(name: str) -> None:
    server = PostgresServer()
    try:
        server.start(**{name: "off"})
        with pytest.raises(ConfigurationError, match=f"{name} = off.*Set {name} = on"):
            open_store(server.url("postgres"), VAULT)
    finally:
        server.remove()


@pytest.mark.fault(7)
def test_a_role_that_commits_without_waiting_is_refused(postgres: PostgresServer) -> None:
    url = postgres.empty_database()
    postgres.execute(url, f"alter database {url.split('/')[3].split('?')[0]} set synchronous_commit = off")
    with pytest.raises(ConfigurationError, match="ALTER DATABASE"):
        open_store(url, VAULT)


def test_a_database_that_cannot_hold_every_name_is_refused(postgres: PostgresServer) -> None:
    url = postgres.empty_database("encoding 'SQL_ASCII' template template0")
    with pytest.raises(ConfigurationError, match=r"SQL_ASCII.*UTF8"):
        open_store(url, VAULT)


def test_a_database_that_takes_no_writes_is_refused(postgres: PostgresServer) -> None:
    url = postgres.empty_database()
    postgres.execute(
        url, f"alter database {url.split('/')[3].split('?')[0]} set default_transaction_read_only = on"
    )
    with pytest.raises(ConfigurationError, match="takes no writes"):
        open_store(url, VAULT)


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(OverloadedError):
        open_store(f"postgresql://postgres@/x?host={tmp_path}", VAULT)


def test_an_address_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_store("postgresql://user:secret@host:port:1/x?y", VAULT)
    assert "secret" not in str(refused.value)


def test_the_migrations_together_make_the_full_schema(postgres: PostgresServer) -> None:
    migrated, full = postgres.empty_database(), postgres.empty_database()
    prepare(migrated)
    with psycopg.connect(full, autocommit=True) as connection:
        connection.execute(Path("src/crossdock/stores/postgres/schema.sql").read_bytes())
        prepare(full, [Migration(0, "none", 0, "select 1")])
    assert postgres.execute(migrated, SCHEMA) == postgres.execute(full, SCHEMA)


def test_migrating_twice_changes_nothing(postgres: PostgresServer) -> None:
    url = postgres.empty_database()
    prepare(url)
    before = postgres.execute(url, SCHEMA)
    prepare(url)
    assert postgres.execute(url, SCHEMA) == before
    assert len(postgres.execute(url, "select number from migration")) == len(migrations())


def test_a_migration_that_fails_leaves_the_store_as_it_was(postgres: PostgresServer) -> None:
    url = postgres.empty_database()
    prepare(url)
    broken = Migration(99, "broken", 1, "create table half (no bigint); select 1 / 0")
    with pytest.raises(Exception, match="division by zero"):
        prepare(url, [*migrations(), broken])
    assert not postgres.execute(url, "select 1 from pg_tables where tablename = 'half'")
    prepare(url)


@pytest.mark.fault(15)
def test_this_release_works_on_while_the_next_one_has_migrated(postgres: PostgresServer) -> None:
    url = postgres.empty_database()
    store = open_store(url, VAULT)
    (receipt,) = store.accept([arrival(body=b"before")], NOW)
    store.claim(0, NOW)
    prepare(url, [*migrations(), Migration(99, "later", 1, LATER)])
    (message,) = store.claim(10, NOW).messages
    store.accept([arrival("2")], NOW)
    store.rest()
    store.close()
    started_again = open_store(url, VAULT)
    claimed = started_again.claim(10, NOW).messages
    started_again.close()
    assert message.id == receipt.message
    assert len(claimed) == 2
    assert claimed[0] == message


@pytest.mark.fault(14)
@pytest.mark.fault(15)
@pytest.mark.parametrize(
    "more", [[], [Migration(99, "later", 1, LATER)]], ids=["our own", "one that needs the table"]
)
def test_while_a_migration_waits_for_an_open_transaction_the_last_releases_worker_works_on(
    postgres: PostgresServer, more: list[Migration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PAUSE_S", 0.2)
    url = postgres.empty_database()
    monkeypatch.setattr(opening, "migrations", lambda: [step for step in migrations() if step.number != 5])
    store = open_store(url, VAULT)
    store.claim(0, NOW)
    stage = Stage(connection="erp", operation="create_sale", intent="sale")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url) as forgotten:
        forgotten.execute("select count(*) from outbox").fetchone()
        migrating = pool.submit(prepare, url, [*migrations(), *more])
        until = time.monotonic() + 3
        for n in itertools.count():
            began = time.monotonic()
            store.accept([arrival(str(n))], NOW)
            messages = store.claim(10, NOW).messages
            finished = [Finished(message=m, outcome="processed", effects=[stage]) for m in messages]
            store.commit(Batch(finished=finished, now=NOW))
            assert time.monotonic() - began < 2
            if began > until:
                break
        assert not migrating.done()
        forgotten.rollback()
        migrating.result(30)
    assert len(case.effects(store)) == 10
    store.close()
    assert len(postgres.execute(url, "select number from migration")) == len([*migrations(), *more])
    assert not postgres.execute(url, "select 1 from pg_index where not indisvalid")


@pytest.mark.fault(14)
def test_a_migration_that_waits_in_vain_says_for_what_and_has_changed_nothing(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PAUSE_S", 0.1)
    monkeypatch.setattr(opening, "WAIT_S_MAX", 1.0)
    url = postgres.empty_database()
    prepare(url)
    before = postgres.execute(url, SCHEMA)
    with psycopg.connect(url) as forgotten:
        forgotten.execute("select count(*) from outbox").fetchone()
        with pytest.raises(OverloadedError, match=r"transaction that stays open.*pg_stat_activity"):
            prepare(url, [*migrations(), Migration(99, "later", 1, LATER)])
    assert postgres.execute(url, SCHEMA) == before
    prepare(url, [*migrations(), Migration(99, "later", 1, LATER)])


def test_a_release_that_is_too_old_for_the_store_is_refused(postgres: PostgresServer) -> None:
    url = postgres.empty_database()
    prepare(url, [*migrations(), Migration(99, "renaming", 99, "select 1")])
    with pytest.raises(ConfigurationError, match="later release"):
        open_store(url, VAULT)
