"""What is done for every message finds its rows: nothing that grows is ever scanned."""

import apsw
import pytest

from crossdock.stores.sql import named_queries
from crossdock.stores.sqlite import open_store
from crossdock.stores.sqlite.database import OPERATIONS, RUN
from crossdock.stores.vault import Vault

SELDOM = {
    "due_schedules",
    "drop_schedules",
    "unfinished_since",
    "late_calls",
    "recover_keyed",
    "own_bodies",
    *(f"erase_{name}" for name in ("bodies", "bodies_before_edit", "attempts")),
}
"""Once a minute, at a start, or when a person asks for it."""


@pytest.fixture
def database(tmp_path):
    opened = open_store(tmp_path / "x.db", Vault(b"k" * 32))
    yield opened._db.connection
    opened.close()


def scans(database, statement, bindings):
    """What its plan walks through from one end to the other, but for the rows that it was given."""
    plan = [row[3] for row in database.execute(f"explain query plan {statement}", (None,) * bindings)]
    return [
        line
        for line in plan
        if "SCAN" in line and not any(word in line for word in ("VIRTUAL", "(subquery", "CONSTANT"))
    ]


def test_no_write_scans_a_table(database):
    database.config(apsw.SQLITE_DBCONFIG_TRIGGER_EQP, 1)
    bindings = (None,) * (len(OPERATIONS) + 1)
    assert len(list(database.execute(f"explain query plan {RUN}", bindings))) > len(OPERATIONS)
    assert scans(database, RUN, len(bindings)) == []


def test_no_question_of_the_engine_scans_a_table(database):
    queries = named_queries("crossdock.stores.sqlite", "queries.sql")
    found = {
        name: scans(database, text, max((n for n in range(1, 9) if f"?{n}" in text), default=0))
        for name, text in queries.items()
    }
    assert {name: lines for name, lines in found.items() if lines and name not in SELDOM} == {}
