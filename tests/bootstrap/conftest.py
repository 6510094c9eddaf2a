import threading

import pytest

from crossdock.bootstrap.writer import Writer
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW

KEY = b"k" * 32


class Running:
    """A writer whose thread is started when the test says so, and the points that it reached."""

    def __init__(self, store):
        self.store, self.points = store, []
        self.writer = Writer(store, lambda: NOW, self.points.append)
        self._thread = threading.Thread(target=self.writer.run)

    def start(self):
        self._thread.start()
        return self.writer

    def stop(self):
        self.writer.stop()
        if self._thread.ident is not None:
            self._thread.join(20)
            assert not self._thread.is_alive()


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "crossdock.db", Vault(KEY))
    yield opened
    opened.close()


@pytest.fixture
def running(store):
    made = Running(store)
    yield made
    made.stop()
