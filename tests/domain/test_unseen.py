from crossdock.domain.ledger import ON_HAND, Ledger
from crossdock.domain.state import Level, Unseen
from crossdock.domain.unseen import KEPT_US, UnseenBook

CELL = ("A", "berlin")
NOW = KEPT_US + 1_000


def row(quantity: int, token: str = "x", *, number: int = 0, seen_at: int = 0, master: str = "erp") -> Unseen:
    return Unseen(*CELL, seen_at, token, number, master, quantity)


# name, row, moment of the statement, what the statement does not hold
WAITS = [
    ("it was never told", row(-2), 10, -2),
    ("it was booked after the statement", row(-2, seen_at=11), 10, -2),
    ("it was booked at that very moment: the level changed by it", row(-2, seen_at=10), 10, 0),
    ("it was booked before", row(-2, seen_at=9), 10, 0),
    ("another master was to be told", row(-2, master="other"), 10, 0),
]


def test_a_statement_holds_what_was_booked_by_then():
    for name, held, at, waiting in WAITS:
        assert UnseenBook([held]).waiting(*CELL, "erp", at) == waiting, name


def test_what_one_message_raises_the_next_one_sees():
    book = UnseenBook([row(-1)])
    book.raises(row(-2, "y"), NOW)
    book.keep()
    assert book.waiting(*CELL, "erp", 10) == -3
    assert (book.changes.raised, book.changes.forget_before) == ([row(-2, "y")], NOW - KEPT_US)


def test_nothing_is_raised_by_what_does_not_move():
    book = UnseenBook()
    book.raises(row(0), NOW)
    assert book.changed() is None


def test_a_posting_tells_its_own_tickets_alone():
    book = UnseenBook([row(-n, "day", number=n) for n in (1, 2, 3)])
    book.raises(row(-4, "day", number=4), NOW)
    book.joins("day", (1, 3, 4), "posting")
    assert book.tells("posting", 20) == [(CELL, -1), (CELL, -3), (CELL, -4)]
    assert book.waiting(*CELL, "erp", 20) == -2
    assert book.tells("posting", 30) == []
    assert book.changes.joined == [("day", (1, 3, 4), "posting")]


def test_what_is_undone_has_never_been():
    book = UnseenBook([row(-1), row(-2, "day", number=2), row(-5, seen_at=3, token="old")])
    book.raises(row(-8, "kept"), NOW)
    book.keep()
    book.raises(row(-4, "y"), NOW)
    book.joins("day", (2,), "posting")
    book.tells("posting", 5)
    book.tells("x", 5)
    book.forgets(*CELL, 4)
    book.undo()
    assert book.waiting(*CELL, "erp", 10) == -11
    assert book.tells("day", 6) == [(CELL, -2)]
    changes = book.changes
    assert (changes.raised, changes.joined, changes.told, changes.forgotten) == (
        [row(-8, "kept")],
        [],
        [("day", 6)],
        [],
    )


def test_only_what_was_seen_is_forgotten():
    book = UnseenBook([row(-1), row(-2, seen_at=5, token="y")])
    book.forgets(*CELL, 4)
    assert book.changed() is None
    book.forgets(*CELL, 5)
    assert book.changes.forgotten == [(*CELL, 5)]


def test_a_level_that_was_loaded_for_a_statement_or_a_token_can_be_moved():
    ledger = Ledger({CELL: Level(*CELL, 5)}, (), (), (row(-1),))
    assert (ledger.at_hand(*CELL), ledger.at_hand("A", "madrid")) == (True, False)
    ledger.move(*CELL, ON_HAND, -1, "sale")
    ledger.move("A", "madrid", ON_HAND, -1, "sale")
    assert (ledger.bucket(*CELL, ON_HAND), len(ledger.owed), ledger.at("berlin")) == (4, 1, ["A"])
    ledger.unseen.tells("x", 7)
    ledger.undo()
    assert (ledger.bucket(*CELL, ON_HAND), ledger.unseen.changed()) == (5, None)
