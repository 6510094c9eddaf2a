"""The check of what retention may not touch finds each body that is planted as gone and still needed."""

from importlib.resources import files

import apsw
import pytest

from sim.keeping import check_kept
from sim.world import Violation

PROCESS = "insert into process values (1, 1, '{{}}', 'shop', '1', '#1', '', '', '', '', {}, 'EUR', 0, 0, 0)"
CASE = "insert into case_file values (1, 1, 'odd', '', '', '', '', 0, 0, 0, {}, '', '')"
OUTBOX = "insert into outbox values (1, 'erp', 'x', 1, '1', 0, 0, 0, 0, 0, '', 0, '{}', 0, 0)"
INBOX = "insert into inbox values (8, 'shop', 'order', 1, 0, 3, 0, 1, 0, 0, 0, '')"
MESSAGE = "insert into message values (7, 'shop', 'order', 1, 0, 0, 'processed', '', 1, 0, 0, '')"


@pytest.fixture
def database():
    made = apsw.Connection(":memory:")
    made.execute(files("crossdock.stores.sqlite").joinpath("schema.sql").read_text("utf-8"))
    made.execute(MESSAGE)
    return made


def test_what_is_over_may_go(database):
    database.execute(PROCESS.format(1))
    database.execute(CASE.format(5))
    check_kept(database, [7])


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ((INBOX,), "still to be handled"),
        ((PROCESS.format(0),), "not finished"),
        ((PROCESS.format(1), CASE.format(0)), "somebody's case"),
        ((PROCESS.format(1), OUTBOX), "a call to be made"),
    ],
)
def test_what_is_still_needed_may_not(database, rows, why):
    for row in rows:
        database.execute(row)
    with pytest.raises(Violation, match=rf"^\(kept\).*{why}"):
        check_kept(database, [7])
