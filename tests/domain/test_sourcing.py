"""Reserve, then consume, release or expire: every row is what is done to one order, and the level that it leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crossdock.domain.custody import (
    ask_to_stop,
    asked_to_stop,
    keep,
    make_requests,
    ship,
    shorten,
    stop,
    unship,
)
from crossdock.domain.ledger import Ledger
from crossdock.domain.process import Line, OrderProcess, Piece
from crossdock.domain.sourcing import release_claims, reserve, surplus, wants
from crossdock.domain.state import Level

PLACES = ("berlin", "madrid")


class Case:
    """One order of one line over five in Berlin and five in Madrid."""

    def __init__(self, ordered: int) -> None:
        self.ledger = Ledger({("A", place): Level("A", place, 5) for place in PLACES}, ["A"])
        self.process = OrderProcess(order="O", known=True, commitment="committed")
        self.process.lines.append(Line(id="1", sku="A", ordered=ordered))
        self.process.pieces.append(Piece(line="1", sku="A"))
        self.short = 0

    def want(self, quantity: int) -> None:
        self.process.lines[0].removed = self.process.lines[0].ordered - quantity

    def reserve(self) -> None:
        more = wants(self.process, self.ledger, "release")
        short, _ = reserve(more, self.ledger, PLACES)
        self.short = sum(quantity for _, quantity in short)

    def expire(self) -> None:
        piece = self.process.pieces[0]
        release_claims(piece, sum(piece.claims.values()), self.ledger, "expire")

    def release(self) -> None:
        make_requests(self.process, self.ledger, lambda _: "wms")

    def ship(self, quantity: int, place: str = "", request: str = "O-1") -> None:
        self.booked, _ = ship(
            self.process, self.ledger, [("1", "A", quantity)], request_id=request, location=place
        )

    def unship(self) -> None:
        unship(self.process, self.ledger, self.booked)

    def lack(self, quantity: int) -> None:
        shorten(self.process, self.ledger, self.process.requests[0], [("1", "A", quantity)], 1)

    def stop(self, quantity: int) -> None:
        stop(self.ledger, self.process.requests[0], [("1", "A", quantity)])

    def level(self, place: str) -> tuple[int, int, int]:
        level = next((x for x in self.ledger.levels() if x.location == place), Level("A", place, 5))
        return level.on_hand, level.reserved, level.allocated


Step = Callable[[Case], None]
R: Step = Case.reserve
GO: Step = Case.release
X: Step = Case.expire


def want(n: int) -> Step:
    return lambda case: case.want(n)


def ships(n: int, place: str = "", request: str = "O-1") -> Step:
    return lambda case: case.ship(n, place, request)


def lacks(n: int) -> Step:
    return lambda case: case.lack(n)


def stops(n: int) -> Step:
    return lambda case: case.stop(n)


# name, ordered, steps, (on hand, reserved, allocated) in Berlin and in Madrid, short
ROWS: list[tuple[str, int, list[Step], tuple[int, int, int], tuple[int, int, int], int]] = [
    ("reserve", 3, [R], (5, 3, 0), (5, 0, 0), 0),
    ("reserve twice is once", 3, [R, R], (5, 3, 0), (5, 0, 0), 0),
    ("reserve all of it", 5, [R], (5, 5, 0), (5, 0, 0), 0),
    ("reserve more than one place has", 7, [R], (5, 5, 0), (5, 2, 0), 0),
    ("reserve more than there is", 12, [R], (5, 5, 0), (5, 5, 0), 2),
    ("release a part of what is wanted no more", 3, [R, want(1), R], (5, 1, 0), (5, 0, 0), 0),
    ("release all", 3, [R, want(0), R], (5, 0, 0), (5, 0, 0), 0),
    ("release the last place first", 7, [R, want(5), R], (5, 5, 0), (5, 0, 0), 0),
    ("want more again", 3, [R, want(1), R, want(3), R], (5, 3, 0), (5, 0, 0), 0),
    ("expire", 3, [R, X], (5, 0, 0), (5, 0, 0), 0),
    ("expire twice is once", 3, [R, X, X], (5, 0, 0), (5, 0, 0), 0),
    ("allocation replaces the reservation", 3, [R, GO], (5, 0, 3), (5, 0, 0), 0),
    ("allocate twice is once", 3, [R, GO, GO], (5, 0, 3), (5, 0, 0), 0),
    ("what is asked for is not reserved again", 3, [R, GO, R], (5, 0, 3), (5, 0, 0), 0),
    ("consume a part", 3, [R, GO, ships(2)], (3, 0, 1), (5, 0, 0), 0),
    ("consume all", 3, [R, GO, ships(3)], (2, 0, 0), (5, 0, 0), 0),
    ("consume and want nothing more", 3, [R, GO, ships(3), R], (2, 0, 0), (5, 0, 0), 0),
    ("consume more than was allocated", 3, [R, GO, ships(4)], (1, 0, 0), (5, 0, 0), 0),
    ("consume what was only reserved", 3, [R, ships(2)], (3, 1, 0), (5, 0, 0), 0),
    ("ship what nobody reserved", 3, [ships(2, "madrid"), R], (5, 1, 0), (3, 0, 0), 0),
    ("ship from another place than asked", 3, [R, GO, ships(3, "madrid")], (5, 0, 0), (2, 0, 0), 0),
    ("ship below zero is recorded", 9, [ships(9, "berlin", "")], (-4, 0, 0), (5, 0, 0), 0),
    ("take a shipment back", 3, [R, GO, ships(3), Case.unship], (5, 0, 0), (5, 0, 0), 0),
    ("a short pick goes elsewhere", 3, [R, GO, lacks(1), R], (5, 0, 2), (5, 1, 0), 0),
    ("a refusal goes elsewhere", 3, [R, GO, lacks(3), R, GO], (5, 0, 0), (5, 0, 3), 0),
    ("more short than was out is what was out", 3, [R, GO, ships(1), lacks(9), R], (4, 0, 0), (5, 2, 0), 0),
    ("stopped at the warehouse", 3, [R, GO, want(0), stops(3), R], (5, 0, 0), (5, 0, 0), 0),
    ("stopped in part", 3, [R, GO, want(1), stops(2), R], (5, 0, 1), (5, 0, 0), 0),
    ("stopped but wanted is reserved again", 3, [R, GO, stops(3), R], (5, 3, 0), (5, 0, 0), 0),
    ("stopped after it was shipped", 3, [R, GO, ships(3), stops(3), R], (2, 0, 0), (5, 0, 0), 0),
]


@pytest.mark.parametrize(
    ("ordered", "steps", "berlin", "madrid", "short"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_reserve_then_consume_release_or_expire(ordered, steps, berlin, madrid, short):
    case = Case(ordered)
    for step in steps:
        step(case)
    assert (case.level("berlin"), case.level("madrid"), case.short) == (berlin, madrid, short)
    case.ledger.undo()
    assert case.ledger.levels() == []


def test_what_is_surplus_is_asked_for_once():
    case = Case(3)
    for step in (R, GO, want(1)):
        step(case)
    ((request, item, quantity),) = surplus(case.process)
    assert (request.id, item.line, quantity) == ("O-1", "1", 2)
    ask_to_stop(request, [("1", "A", 2)])
    assert surplus(case.process) == []
    assert asked_to_stop(request) == [("1", "A", 2)]
    keep(request, [("1", "A", 2)])
    assert surplus(case.process) == []
    case.want(0)
    ((_, _, quantity),) = surplus(case.process)
    assert quantity == 1


def test_the_youngest_request_is_stopped_first():
    case = Case(7)
    for step in (R, GO, want(4)):
        step(case)
    assert [(request.location, quantity) for request, _, quantity in surplus(case.process)] == [
        ("madrid", 2),
        ("berlin", 1),
    ]


def test_safety_stock_is_there_for_a_sale_that_was_made():
    ledger = Ledger({("A", "berlin"): Level("A", "berlin", 2, safety_stock=2)}, ["A"])
    assert Level("A", "berlin", 2, safety_stock=2).available == 0
    assert ledger.free("A", "berlin") == 2


def test_what_was_not_loaded_is_owed_and_paid_when_it_is():
    ledger = Ledger({}, [])
    ledger.move("A", "berlin", 1, -2, "release")
    assert ledger.levels() == []
    owed = ledger.take_owed()
    later = Ledger({("A", "berlin"): Level("A", "berlin", 5, 2)}, ["A"])
    assert later.pay([*owed, ("B", "berlin", 0, 1, "return")]) == [("B", "berlin", 0, 1, "return")]
    assert later.levels() == [Level("A", "berlin", 5, 0)]


def test_undo_takes_back_what_a_message_moved_and_nothing_before_it():
    ledger = Ledger({("A", "berlin"): Level("A", "berlin", 5, as_of=3)}, ["A"])
    ledger.reserve("A", "berlin", 2)
    assert ledger.keep() == [("A", "berlin", 1, 2, "reserve")]
    ledger.allocate("A", "berlin", 1)
    ledger.stamp("A", "berlin", 9)
    ledger.undo()
    assert ledger.levels() == [Level("A", "berlin", 5, 2, as_of=3)]
