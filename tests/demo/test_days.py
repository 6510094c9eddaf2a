"""The books of the stores: what balances balances, and each thing that is wrong is found and named."""

import msgspec
import pytest

from crossdock.demo.balance import compare
from crossdock.demo.books import Case
from crossdock.demo.days import DIFFERENCE, SILENT, DayCase, Posted, StoreBook, StoreBooks, compare_stores
from tests.demo.books import balanced

TEXT = (
    "store-2, till T1, cash of 2026-03-28: the Z report states 12.01 EUR, the tickets held come to 12.00 EUR, a difference "
    "of -0.01 EUR. Ask the store."
)


def store_books():
    """Store 1 sells and takes back, store 2 states a cent too much, store 3 uploads late and by a supplement."""
    return StoreBooks(
        silent="store-3",
        cent_off="store-2",
        is_missed=True,
        opening={"store-1": {"A": 10}, "store-2": {"A": 10}, "store-3": {"A": 10}},
        stores={
            "store-1": StoreBook(zone="a", tickets=3, total=1500, back=-500, stated=1500, closed=True),
            "store-2": StoreBook(zone="b", tickets=2, total=1200, stated=1201, closed=True),
            "store-3": StoreBook(zone="b", tickets=4, total=900, stated=900, closed=True, late=3),
        },
        sold={"A": 9},
        repeated=1,
        days=[
            Posted(id="Z1", store="store-1", total=2000, tickets=3),
            Posted(id="Z2", store="store-3", total=600, tickets=3),
            Posted(id="Z3", store="store-3", total=300, tickets=1, supplements="CD9"),
        ],
        credits=[Posted(id="C1", store="store-1", total=-500)],
        erp_stock={"store-1": {"A": 7}, "store-2": {"A": 10}, "store-3": {"A": 6}},
        held={"store-1": 3, "store-2": 2, "store-3": 4},
        levels={"store-1": {"A": 7}, "store-2": {"A": 8}, "store-3": {"A": 6}},
        cases=[
            DayCase(store="store-2", reason=DIFFERENCE, text=TEXT),
            DayCase(store="store-3", reason=SILENT, open=False),
        ],
    )


def test_books_that_balance_are_told_with_the_cent_and_the_late_store():
    found = {finding.name: finding for finding in compare_stores(store_books())}
    assert all(finding.ok for finding in found.values()), found
    days = found["each store's day in the ERP"].text
    assert (
        days
        == "3 days of 2 time zones: 24.00 EUR taken, 24.00 EUR booked, 1 of them supplements; 12.00 EUR of store-2 wait for a person"
    )
    cent = found["the cent is found"].text
    assert all(word in cent for word in ("store-2", "till T1", "cash", "-0.01 EUR"))
    assert found["the late store"].text == "store-3 uploaded 3 tickets late; the hub had told it was silent"
    assert found["stock of the stores"].text == "30 units - 9 sold = 21 on hand; the ERP the same"


def test_what_is_sold_by_weight_is_told_in_its_scale_and_not_among_the_units():
    books = store_books()
    books.weighed = {"CHEESE": 3}
    books.opening["store-1"]["CHEESE"] = 300_000
    books.sold["CHEESE"] = 1_250
    books.levels["store-1"]["CHEESE"] = books.erp_stock["store-1"]["CHEESE"] = 298_750
    (found,) = [each for each in compare_stores(books) if each.name == "stock of the stores"]
    assert found.ok
    assert found.text == (
        "30 units - 9 sold = 21 on hand; CHEESE: 300.000 kg - 1.250 kg = 298.750 kg; the ERP the same"
    )
    books.levels["store-1"]["CHEESE"] -= 1
    (found,) = [each for each in compare_stores(books) if each.name == "stock of the stores"]
    assert not found.ok


def test_a_day_of_voids_alone_has_no_document():
    books = store_books()
    books.stores["store-4"] = StoreBook(tickets=1, closed=True)
    books.held["store-4"] = 1
    assert all(finding.ok for finding in compare_stores(books))


def wrong(finding, change):
    books = store_books()
    change(books)
    return [found.name for found in compare_stores(books) if not found.ok], finding


@pytest.mark.parametrize(
    ("finding", "change"),
    [
        ("every ticket once in the hub", lambda b: b.held.update({"store-1": 4})),
        ("every ticket once in the hub", lambda b: setattr(b.days[1], "tickets", 2)),
        ("each store's day in the ERP", lambda b: setattr(b.days[0], "total", 2001)),
        ("each store's day in the ERP", lambda b: b.credits.clear()),
        (
            "each store's day in the ERP",
            lambda b: b.days.append(Posted(id="Z4", store="store-2", total=1200)),
        ),
        ("each store's day in the ERP", lambda b: setattr(b.stores["store-1"], "closed", False)),
        ("the cent is found", lambda b: b.cases.pop(0)),
        ("the cent is found", lambda b: setattr(b.cases[0], "text", "something differs")),
        ("the cent is found", lambda b: b.cases.append(DayCase(store="store-1", reason=DIFFERENCE))),
        ("the late store", lambda b: b.cases.pop(1)),
        ("the late store", lambda b: setattr(b.cases[1], "open", True)),
        ("the late store", lambda b: setattr(b.stores["store-3"], "late", 0)),
        ("stock of the stores", lambda b: b.levels["store-1"].update(A=8)),
        ("stock of the stores", lambda b: b.erp_stock["store-3"].update(A=5)),
        ("stock of the stores", lambda b: b.sold.update(A=8)),
    ],
)
def test_what_is_wrong_is_found_by_its_question_alone(finding, change):
    names, wanted = wrong(finding, change)
    assert names == [wanted]


@pytest.mark.parametrize(("store", "ok"), [("store-2", True), ("store-1", False)])
def test_only_the_store_that_is_a_cent_off_may_leave_a_case(store, ok):
    books = balanced()
    books.stores = store_books()
    books.cases.append(Case(order="CD8", reason=DIFFERENCE, store=store))
    assert compare(books)[-1].ok is ok


def test_without_stores_nothing_is_asked_of_them():
    assert compare_stores(None) == []
    names = {finding.name for finding in compare(balanced())}
    assert names.isdisjoint(finding.name for finding in compare_stores(store_books()))


def test_without_faults_no_cent_is_off_and_nobody_is_silent():
    books = msgspec.structs.replace(store_books(), silent="", cent_off="", is_missed=False)
    names = [finding.name for finding in compare_stores(books)]
    assert "Z reports equal the tickets" in names
    assert "no store was silent" in names
