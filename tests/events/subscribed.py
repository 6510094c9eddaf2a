"""The retailer of the fault tests with subscribers: as many simulated ones, and brokers, as a test names."""

import base64
import re
import sqlite3
from contextlib import closing, contextmanager

import msgspec

from tests.faults.here import RetailerHere
from tests.faults.retailer import SECRETS, Retailer

WHSEC = "whsec_" + base64.b64encode(b"s" * 32).decode()
SECRETS["WHSEC"] = WHSEC


class WithSubscribers:
    """To be put before a retailer. subscribers: name to the settings of its simulator; `lines`: name to more lines of its connection."""

    def __init__(
        self, folder, *, subscribers=("audit",), lines=None, brokers="", retries="", faults=None, **settings
    ):
        self._subscribers = {name: {"secrets": [WHSEC]} for name in subscribers}
        self._faults = faults or {}
        super().__init__(folder, **settings)
        text = self.config.read_text()
        if retries:
            key = retries.partition(" ")[0]
            text = re.sub(rf"(?m)^{key} = .*\n", "", text).replace("base_s =", f"{retries}\nbase_s =")
        for name in self._subscribers:
            text += (
                f'[connections.{name}]\nconnector = "subscriber"\nurl = "{self.at}/{name}"\n'
                f'secret = "${{WHSEC}}"\n{(lines or {}).get(name, "")}\n'
            )
        self.config.write_text(text + brokers)

    def start_partners(self, plan):
        plan["simulators"] += [
            {"name": name, "kind": "subscriber", "settings": settings, "faults": self._faults}
            for name, settings in self._subscribers.items()
        ]
        return super().start_partners(plan)


class Subscribed(WithSubscribers, RetailerHere):
    """In the test's own process."""

    def subscriber(self, name="audit"):
        """The simulator itself, without its faults."""
        found = self.partners.app._simulators[name]
        return getattr(found, "_inner", found)

    def events(self):
        """Every event in the hub's books, as (subject, message, position): (type, data, at)."""
        connection = self.hub.store._reader.connection
        found = connection.execute("select subject, message, position, type, data, at from event")
        return {row[:3]: (row[3], msgspec.json.decode(row[4]), row[5]) for row in found}

    def waiting(self, name="audit"):
        """Tellings in the outbox."""
        return sum(row[3] for row in self.rows("outbox_by_state") if row[0] == name)

    def effects_of(self, name="audit"):
        connection = self.hub.store._reader.connection
        return connection.execute(
            "select subject, intent, outcome, attempts from effect where connection = ?", (name,)
        ).fetchall()


class SubscribedProcess(WithSubscribers, Retailer):
    """In processes of its own, to be killed."""

    def told(self, name="audit"):
        """The ids that a subscriber has, and what came late."""
        state = self.state(name)
        return {event[0] for event in state["events"]}, state["late"]

    def left(self):
        """How many messages and tellings wait in the hub's books."""
        with self._books() as books:
            tellings = books.execute("select count(*) from outbox where operation = 'tell'").fetchone()[0]
            return tellings + books.execute("select count(*) from inbox where due_at = 0").fetchone()[0]

    def books(self):
        """Every event in the hub's books, as `Subscribed.events`, and what is left."""
        with self._books() as books:
            found = books.execute("select subject, message, position, type, data, at from event").fetchall()
        return {row[:3]: (row[3], msgspec.json.decode(row[4]), row[5]) for row in found}, self.left()

    def _books(self):
        path = self.folder / "data" / "crossdock.db"
        return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


@contextmanager
def subscribed(folder, **settings):
    """A retailer that is running and has stock."""
    made = Subscribed(folder, **settings)
    try:
        made.start()
        made.stock()
        yield made
    finally:
        made.close()
