import msgspec
import pytest

from crossdock.domain.comparing import BookedSale, Wanted, compare

HOUR = 3600 * 1_000_000
ORDER = Wanted(
    order="CD1",
    connection="shop",
    external_id="1",
    number="#1",
    erp="erp",
    currency="EUR",
    total=1000,
    placed_at=HOUR,
)
SALE = BookedSale(
    connection="erp", document="S1", currency="EUR", total=1000, channel="shop", ref="1", made_at=HOUR + 5
)


def sale(**changes: object) -> BookedSale:
    return msgspec.structs.replace(SALE, **changes)


# name, sales of the order, findings
TABLE = [
    ("one document that agrees", [SALE], []),
    ("the same document told twice", [SALE, SALE], []),
    ("none", [], [("missing", 1000)]),
    ("a cancelled one is none", [sale(cancelled=True)], [("missing", 1000)]),
    ("of another ERP", [sale(connection="old")], [("missing", 1000)]),
    ("two", [SALE, sale(document="S2")], [("doubled", 1000)]),
    (
        "three, of which one agrees",
        [sale(document="S0", total=1), SALE, sale(document="S3", total=9)],
        [("doubled", 10)],
    ),
    ("a cent more", [sale(total=1001)], [("total", 1)]),
    ("two, both off", [sale(total=900), sale(document="S2", total=990)], [("doubled", 900), ("total", -10)]),
    ("another currency", [sale(currency="USD")], [("currency", 1000)]),
    ("just in time", [sale(made_at=2 * HOUR)], []),
    ("late", [sale(made_at=2 * HOUR + 1)], [("late", 1000)]),
    ("the first of two counts", [sale(made_at=9 * HOUR), sale(document="S2")], [("doubled", 1000)]),
    ("by number", [sale(kind="number", ref="#1")], []),
    ("by number where the id is not known", [sale(ref="77", number="#1")], []),
    ("of no order of ours", [SALE, sale(document="S2", ref="2", total=5)], [("unknown", 5)]),
    ("of a channel that is not compared", [SALE, sale(document="S2", ref="2", channel="fax")], []),
    ("from before we looked", [SALE, sale(document="S2", ref="2", made_at=HOUR - 1)], []),
]


@pytest.mark.parametrize(("sales", "findings"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_otherwise_there(sales, findings):
    found = compare([ORDER], sales, read_until={"erp": 9 * HOUR}, late_us=HOUR)
    assert [(finding.kind, finding.amount) for finding in found.findings] == findings


def test_what_was_placed_shortly_before_the_feed_was_read_may_still_come():
    found = compare([ORDER], [], read_until={"erp": 2 * HOUR - 1}, late_us=HOUR)
    assert (found.early, found.agree, found.findings) == (1, 0, ())
    assert compare([ORDER], [], read_until={}, late_us=0).early == 1


def test_an_order_that_is_not_expected_is_known_and_not_judged():
    gone = msgspec.structs.replace(ORDER, expected=False)
    found = compare([gone], [sale(total=1)], read_until={"erp": 9 * HOUR}, late_us=HOUR)
    assert (found.orders, found.findings) == (0, ())


def test_sums_are_per_kind_and_currency_without_sign():
    orders = [
        msgspec.structs.replace(ORDER, order=f"CD{n}", external_id=f"{n}", number=f"#{n}") for n in (1, 2, 3)
    ]
    sales = [sale(total=990), sale(document="S2", ref="2", total=1005)]
    found = compare(orders, sales, read_until={"erp": 9 * HOUR}, late_us=HOUR)
    assert found.sums() == [("missing", "EUR", 1, 1000), ("total", "EUR", 2, 15)]
