from collections.abc import Callable, Iterator

import pytest

from crossdock.stores.postgres import PostgresStore, open_store
from crossdock.stores.vault import Vault
from crossdock.testing.outbox_suite import OutboxSuite
from crossdock.testing.store_shared import SharedSuite
from crossdock.testing.store_suite import InboxSuite
from crossdock.testing.till_suite import TillSuite
from crossdock.testing.unseen_suite import UnseenSuite
from tests.servers import PostgresServer

KEY = b"k" * 32


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    opened = open_store(url, Vault(KEY))
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


class TestShared(SharedSuite):
    @pytest.fixture
    def stores(self, url: str) -> Iterator[Callable[[], PostgresStore]]:
        opened: list[PostgresStore] = []

        def another() -> PostgresStore:
            opened.append(open_store(url, Vault(KEY)))
            return opened[-1]

        yield another
        for store in opened:
            store.close()

    @pytest.fixture
    def dies(self, postgres: PostgresServer) -> Callable[[PostgresStore], None]:
        def dies(store: PostgresStore) -> None:
            for table in ("lease", "member"):
                statement = (
                    f"update {table} set until = now() - interval '1 minute' where owner = '{store.owner}'"
                )
                postgres.execute(store.url, statement)

        return dies
