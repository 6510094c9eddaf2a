"""A retailer whose hub is roles in processes of their own over one PostgreSQL, each of which may be killed alone."""

import json
import signal
import time

import psycopg

from crossdock.config import keys
from crossdock.sdk.calls import get
from crossdock.stores.opening import open_reads
from crossdock.stores.vault import Vault
from tests.bootstrap.waiting import eventually
from tests.faults.retailer import Child, Retailer

SAID_MAX = 3_000
"""So much of what each process said last is told where it does not come to rest."""

ROLES = ("gateway", "worker", "worker", "dispatcher", "scheduler")

STANDS = {
    "inbox": "select id, source, kind, part, turn, state, attempt, (due_at - :now) / 1000000, (:now - received_at) / 1000000 "
    "from inbox order by id limit 10",
    "outbox": "select id, connection, operation, state, attempt, unclear, (due_at - :now) / 1000000, "
    "(lease_until - :now) / 1000000, owner from outbox order by id limit 10",
    "member": "select kind, owner, until > clock_timestamp(), first, size, crashes from member",
    "lease": "select kind, owner, count(*) from lease group by kind, owner",
    "cases": "select reason, text from case_file where closed_at = 0 limit 5",
}


class Hubs:
    """All roles as one, for the retailer; each may be killed alone."""

    def __init__(self, retailer):
        self._retailer = retailer
        self.parts = {}

    def begin_all(self, roles):
        """Start these, and wait until all are up."""
        for n, role in enumerate(roles):
            self.launch(f"{role}-{n}", role)
        self.up()

    def begin(self, name, role):
        """Start one, and wait until it is up."""
        self.launch(name, role)
        self.up(name)

    def launch(self, name, role, **environ):
        """Start one; returns the process at once."""
        child = Child(self._retailer.folder, name, *self._command(role), **environ)
        self.parts[name] = (role, child)
        return child

    def up(self, *names):
        """Wait until these, or all, are up."""
        for name in names or self.parts:
            assert "is up" in self.parts[name][1].first_line, self.parts[name][1].log.read_text()

    def forget(self, name):
        """One has ended as it should, and is spoken of no more."""
        return self.parts.pop(name)[1]

    def _command(self, role):
        return ("crossdock", "up", "--role", role, "--config", str(self._retailer.config))

    def again(self, name):
        """End one at once and start it anew."""
        role, child = self.parts[name]
        child.end(signal.SIGKILL)
        self.begin(name, role)

    def pid(self, name):
        return self.parts[name][1].process.pid

    @property
    def alive(self):
        return all(child.alive for _, child in self.parts.values())

    def end(self, number=signal.SIGKILL):
        """Send all of them a signal; 0 where all ended well."""
        for _, child in self.parts.values():
            if child.alive:
                child.process.send_signal(number)
        return max(abs(child.end(number)) for _, child in self.parts.values())

    @property
    def log(self):
        return self

    def read_text(self):
        """What all of them have said."""
        return "\n".join(f"{name}: {child.log.read_text()}" for name, (_, child) in self.parts.items())


class QuickHubs(Hubs):
    """Their partners' contracts allow two seconds a call; each may be killed or frozen at a named point."""

    def _command(self, role):
        return ("tests.faults.hub_process", str(self._retailer.config), role)


class Shared(Retailer):
    """A retailer whose hub is `roles`, each a process."""

    hubs, roles = Hubs, ROLES

    def __init__(self, folder, url, **settings):
        self.database = url
        super().__init__(folder, hub_more=f'database = "{url}"', **settings)

    def start(self, crash_at=""):
        self.hub = self.hubs(self)
        self.hub.begin_all(self.roles)

    def settled(self, within_s=60.0):
        """As for any retailer; where it is not reached, what stands in the inbox and the outbox, and what all said last, is told too."""
        eventually(lambda: not self.missing(), within_s, 0.1, self._told)

    def _told(self):
        said = {name: child.log.read_text()[-SAID_MAX:] for name, (_, child) in self.hub.parts.items()}
        return f"{self.missing()}\n{self.stands()}\n" + "\n".join(
            f"{name}: {text}" for name, text in said.items()
        )

    def stands(self):
        """What is not done with, and who holds what."""
        now = time.time_ns() // 1000
        told = {}
        with psycopg.connect(self.database, autocommit=True) as connection:
            for name, question in STANDS.items():
                told[name] = connection.execute(question.replace(":now", str(now))).fetchall()
        return told

    def reads(self):
        return open_reads(self.database, Vault(keys.read_key(self.folder / "data" / "key")))

    def partner(self, name):
        """How a partner is, as the gateway tells."""
        asked = get("/v1/overview", headers={"authorization": f"Bearer {self.token}"})
        told = json.loads(self._gate.send(asked, 10).body)
        return next(each for each in told["connections"] if each["name"] == name)

    def unhandled(self, before):
        """Messages that came before a moment, are due and not handled."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            asked = "select count(*) from inbox where state = 0 and received_at <= %s"
            return connection.execute(asked, (before,)).fetchone()[0]


def finish(retailer):
    retailer.settled()
    retailer.stop()
    retailer.check_partners()
    retailer.check_hub()
