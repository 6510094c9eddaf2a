from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.errors import ConfigurationError
from crossdock.stores.sqlite import SqliteStore, open_store
from crossdock.stores.sqlite.cache import Recent
from crossdock.stores.sqlite.database import Database, check_durable
from crossdock.stores.vault import Vault
from crossdock.testing.outbox_suite import OutboxSuite
from crossdock.testing.store_case import NOW, arrival
from crossdock.testing.store_suite import InboxSuite
from crossdock.testing.till_suite import TillSuite
from crossdock.testing.unseen_suite import UnseenSuite

KEY = b"k" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(tmp_path / "crossdock.db", Vault(KEY))
    yield opened
    opened.close()


class TestInbox(InboxSuite):
    pass


class TestOutbox(OutboxSuite):
    pass


class TestTills(TillSuite):
    pass


class TestUnseen(UnseenSuite):
    pass


def test_a_second_process_is_refused(store: SqliteStore) -> None:
    with pytest.raises(ConfigurationError, match="Another process"):
        open_store(store.path, Vault(KEY))


@pytest.mark.fault(7)
def test_unsafe_durability_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    database.connection.pragma("synchronous", 1)
    with pytest.raises(ConfigurationError, match="power cut"):
        check_durable(database)
    database.close()


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    database.connection.pragma("user_version", 99)
    database.close()
    with pytest.raises(ConfigurationError, match="schema version 99"):
        open_store(tmp_path / "x.db", Vault(KEY))


def test_what_was_accepted_is_there_after_the_store_is_opened_again(tmp_path: Path) -> None:
    first = open_store(tmp_path / "x.db", Vault(KEY))
    (receipt,) = first.accept([arrival(body=b"kept")], NOW)
    first.close()
    second = open_store(tmp_path / "x.db", Vault(KEY))
    (message,) = second.claim(10, NOW).messages
    (later,) = second.accept([arrival("2")], NOW)
    second.close()
    assert (message.id, message.body) == (receipt.message, b"kept")
    assert later.message > receipt.message
    assert later.subject > receipt.subject


def test_bodies_do_not_open_under_another_key(tmp_path: Path) -> None:
    first = open_store(tmp_path / "x.db", Vault(KEY))
    first.accept([arrival()], NOW)
    first.close()
    second = open_store(tmp_path / "x.db", Vault(b"x" * 32))
    with pytest.raises(ConfigurationError, match="master key"):
        second.claim(10, NOW)
    second.close()


def test_no_body_stands_in_the_file_in_the_clear(tmp_path: Path) -> None:
    store = open_store(tmp_path / "x.db", Vault(KEY))
    store.accept([arrival(body=b"Jane Doe of Elm Street")], NOW)
    store.close()
    assert all(b"Elm Street" not in path.read_bytes() for path in tmp_path.iterdir())


def test_an_error_in_a_group_undoes_only_its_own_write(store: SqliteStore) -> None:
    def fails() -> None:
        store.accept([arrival("2")], NOW)
        raise ValueError("no")

    results = store.group([lambda: store.accept([arrival("1")], NOW), fails])
    assert len(results[0]) == 1
    assert isinstance(results[1], ValueError)


@pytest.mark.fault(16)
def test_a_batch_that_kills_the_process_is_retried_in_halves_and_then_alone(tmp_path: Path) -> None:
    first = open_store(tmp_path / "x.db", Vault(KEY))
    first.accept([arrival(str(n)) for n in range(8)], NOW)
    assert len(first.claim(8, NOW).messages) == 8
    first.close()
    sizes, crashes = [], []
    for _ in range(5):
        died = open_store(tmp_path / "x.db", Vault(KEY))
        claim = died.claim(8, NOW)
        sizes.append(len(claim.messages))
        crashes.append(claim.crashes)
        died.close()
    assert sizes == [4, 2, 1, 1, 1]
    assert crashes == [0, 0, 0, 1, 2]


def test_more_than_one_statement_can_carry_is_claimed_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.stores.sqlite.inbox.CLAIM_BYTES_MAX", 2_500)
    first = open_store(tmp_path / "x.db", Vault(KEY))
    receipts = [first.accept([arrival(body=b"x" * 1_000)], NOW)[0].message for _ in range(4)]
    receipts += [first.accept([arrival(body=b"x" * 9_000)], NOW)[0].message for _ in range(2)]
    first.close()
    store = open_store(tmp_path / "x.db", Vault(KEY))
    claims = [[message.id for message in store.claim(100, NOW).messages] for _ in range(6)]
    store.close()
    assert [len(claim) for claim in claims] == [2, 2, 1, 1, 0, 0]
    assert [number for claim in claims for number in claim] == receipts


def test_what_is_remembered_twice_is_counted_once() -> None:
    recent: Recent[int, str] = Recent(bytes_max=10)
    for _ in range(5):
        recent.add(1, "a", 6)
    assert recent.get(1) == "a"
    recent.add(2, "b", 4)
    assert (recent.get(1), recent.get(2)) == ("a", "b")
