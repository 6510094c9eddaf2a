import msgspec
import pytest

from crossdock.domain.comparing import OF_DAY, BookedSale
from crossdock.domain.comparing_days import WantedDay, compare_days

HOUR = 3_600_000_000
CLOSED = 100 * HOUR
DAY = WantedDay(
    order="CD0000000001",
    connection="tills",
    name="berlin/2026-03-28",
    erp="erp",
    currency="EUR",
    total=1785,
    closed_at=CLOSED,
)


def document(total, id_="Z1", **fields):
    given = {"connection": "erp", "document": id_, "currency": "EUR", "total": total, "channel": "tills"}
    return BookedSale(**{**given, "kind": OF_DAY, "ref": DAY.name, "made_at": CLOSED + 1, **fields})


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([], [("missing", 1785)]),
        ([document(1785)], []),
        ([document(1000), document(785, "Z2")], []),
        ([document(2000), document(-215, "C1")], []),
        ([document(1785), document(1785, "Z2")], [("doubled", 1785)]),
        ([document(1000), document(785, "Z2"), document(785, "Z3")], [("doubled", 785)]),
        ([document(1785), document(1785, "Z2", cancelled=True)], []),
        ([document(1785, connection="other")], [("missing", 1785)]),
        ([document(1784)], [("total", -1)]),
        ([document(1785), document(3, "Z2")], [("total", 3)]),
        ([document(1785, currency="USD")], [("currency", 1785)]),
        ([document(1785, made_at=CLOSED + 2 * HOUR)], [("late", 1785)]),
        ([document(1785), document(9, "Z9", ref="berlin/2026-03-29")], [("unknown", 9)]),
        ([document(1785), document(9, "Z9", ref="berlin/2026-03-27")], []),
        ([document(1785), document(9, "Z9", channel="nobody", ref="berlin/2026-03-29")], []),
        ([document(1785), document(1785)], []),
    ],
)
def test_what_is_held_of_a_day_is_set_against_what_it_sold(documents, expected):
    found = compare_days([DAY], documents, read_until={"erp": CLOSED + 9 * HOUR}, late_us=HOUR)
    assert [(f.kind, f.amount) for f in found.findings] == expected
    assert found.agree == (not [f for f in found.findings if f.kind != "unknown"])


@pytest.mark.parametrize(
    ("changes", "read_until", "expected"),
    [
        ({}, CLOSED + HOUR - 1, (1, [])),
        ({"closed_at": 0}, CLOSED + 9 * HOUR, (1, [])),
        ({"total": 0}, CLOSED + 9 * HOUR, (0, [])),
        ({"expected": False}, CLOSED + 9 * HOUR, (0, [])),
    ],
)
def test_what_may_still_come_is_not_missing(changes, read_until, expected):
    day = msgspec.structs.replace(DAY, **changes)
    found = compare_days([day], [], read_until={"erp": read_until}, late_us=HOUR)
    assert (found.early, list(found.findings)) == expected
