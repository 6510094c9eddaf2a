import pytest

from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.engine.trade import Rig

KEY = b"k" * 32


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "crossdock.db", Vault(KEY))
    yield opened
    opened.close()


@pytest.fixture
def rig(store):
    made = Rig(store)
    yield made
    assert not any(made.balance().values()), made.balance()
