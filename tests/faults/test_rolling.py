"""The last release's roles, as they are in the history, and this one's side by side while the newest migration is applied."""

import signal

import psycopg
import pytest

from tests.bootstrap.waiting import eventually
from tests.faults.roles import Hubs, Shared, finish
from tests.releases import newest_migration, release_before
from tests.servers import PostgresServer

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(120)]

NEWEST = newest_migration()
NUMBER = int(NEWEST.name[:4])
OLD = {
    "gateway-0": "gateway",
    "worker-1": "worker",
    "dispatcher-3": "dispatcher",
    "scheduler-4": "scheduler",
}


class Mixed(Hubs):
    """Roles of two releases; each begins as one of the last, unless it is begun again."""

    def upgrade(self, name):
        """Stop one as an operator does, and begin it in this release."""
        role, child = self.parts[name]
        assert child.end(signal.SIGTERM) == 0, child.log.read_text()
        self.begin(name, role)


class Rolling(Shared):
    def __init__(self, folder, url, source):
        self._source = source
        super().__init__(folder, url)

    def start(self, crash_at=""):
        self.hub = Mixed(self)
        for name, role in OLD.items():
            self.hub.launch(name, role, PYTHONPATH=str(self._source))
            self.hub.up(name)

    def asked(self, question, *given):
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(question, given).fetchone()[0]

    def shares(self):
        """How many parts of the inbox each living worker holds."""
        question = """select coalesce(array_agg(held order by held), '{}') from (
          select count(lease.part) held from member left join lease
            on lease.kind = member.kind and lease.owner = member.owner
          where member.kind = 'inbox' and member.until > clock_timestamp() group by member.owner) shared"""
        return self.asked(question)

    def schema(self):
        return self.asked("select max(number) from migration")

    def goes_on(self, count=8):
        """Orders that are sent now are handled now, by whoever is there."""
        before = self.asked("select coalesce(sum(value), 0) from counter where name = 'processed'")
        self.send(count)
        question = "select coalesce(sum(value), 0) from counter where name = 'processed'"
        eventually(lambda: self.asked(question) >= before + count, 10)


@pytest.mark.fault(15)
def test_the_last_releases_roles_and_this_ones_share_the_work_while_the_newest_migration_is_applied(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "world").mkdir()
    source = release_before(NEWEST, tmp_path / "old")
    server = PostgresServer()
    server.start()
    made = None
    try:
        made = Rolling(tmp_path / "world", server.make_database("rolling"), source)
        made.start()
        made.stock()
        assert made.schema() == NUMBER - 1
        with made.sending(160, every_s=0.1):
            made.goes_on()
            made.hub.begin("worker-2", "worker")
            assert made.schema() == NUMBER
            eventually(lambda: made.shares() == [32, 32], 15, told=made.shares)
            assert made.hub.forget("worker-2").end(signal.SIGTERM) == 0
            eventually(lambda: made.shares() == [64], 15, told=made.shares)
            made.goes_on()
            made.hub.begin("worker-2", "worker")
            for name in ("gateway-0", "scheduler-4", "dispatcher-3"):
                made.hub.upgrade(name)
            eventually(lambda: made.shares() == [32, 32], 15, told=made.shares)
            made.goes_on()
            assert made.shares() == [32, 32]
            made.hub.upgrade("worker-1")
        finish(made)
        assert "Traceback" not in made.hub.read_text()
    finally:
        if made is not None:
            made.close()
        server.remove()
