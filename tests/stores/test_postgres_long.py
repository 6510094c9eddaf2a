"""What PostgreSQL will never keep is the data's fault: it is told from a database that is away, and stops nobody else."""

from collections.abc import Iterator

import pytest

from crossdock.engine.messages import Mark
from crossdock.engine.port import Batch, Finished
from crossdock.errors import RejectedError, RetryableError
from crossdock.stores.postgres import PostgresStore, open_store
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW, StoreCase, arrival, long_text
from tests.engine.trade import Rig

case = StoreCase()


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    opened = open_store(url, Vault(b"k" * 32))
    yield opened
    opened.close()


@pytest.mark.fault(9)
def test_a_value_beyond_a_limit_of_the_database_is_rejected_and_the_connection_is_well(
    store: PostgresStore,
) -> None:
    case.take(store, arrival())
    messages = case.claim(store)
    mark = Mark(connection="partner", operation="set", key=long_text(9_000, 1))
    batch = Batch(finished=[Finished(message=messages[0], outcome="processed", marks=[mark])], now=NOW)
    with pytest.raises(RejectedError, match=r"larger than the store can keep.*Shorten it") as refused:
        store.commit(batch)
    assert not isinstance(refused.value, RetryableError)
    case.finish(store, *messages)


@pytest.mark.fault(9)
def test_one_message_that_cannot_be_written_parks_alone_and_the_rest_of_the_batch_goes_on(
    store: PostgresStore,
) -> None:
    rig = Rig(store)
    store.claim(0, NOW)
    sent = [rig.send(str(n), f"w{n}", marks=(long_text(9_000, n) if n == 5 else "SKU",)) for n in range(12)]
    rig.run()
    assert [rig.words(receipt) for receipt in sent] == [[f"w{n}"] if n != 5 else [] for n in range(12)]
    (found,) = rig.cases()
    assert (found["reason"], found["subject"]) == ("rejected", sent[5].subject)
    after = rig.send("20", "after")
    rig.run()
    assert rig.words(after) == ["after"]
