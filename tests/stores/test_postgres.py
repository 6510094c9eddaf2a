from collections.abc import Iterator

import pytest

from crossdock.stores.postgres import PostgresStore, open_store
from crossdock.stores.vault import Vault
from crossdock.testing.outbox_suite import OutboxSuite
from crossdock.testing.store_suite import InboxSuite
from crossdock.testing.till_suite import TillSuite
from crossdock.testing.unseen_suite import UnseenSuite

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
