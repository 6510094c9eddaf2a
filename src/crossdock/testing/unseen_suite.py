"""The conformance suite of the store port for movements that a master has not seen (docs/adr/0009).

Subclass it in a test module and give it a `store` fixture that opens an empty store.
"""

from __future__ import annotations

from typing import Any

from crossdock.domain.state import Changes, Level, Needs, Snapshot, Unseen, UnseenChanges
from crossdock.testing.store_case import NOW, StoreCase, arrival

CELL = ("A", "berlin")
DAY = "pos berlin/2026-03-29"


def unseen(quantity: int, token: str, *, number: int = 0, seen_at: int = 0, cell: Any = CELL) -> Unseen:
    """A movement of A in Berlin that the ERP has not seen."""
    sku, location = cell
    return Unseen(sku, location, seen_at, token, number, "erp", quantity)


class UnseenSuite(StoreCase):
    """Raised, joined, told, forgotten."""

    def write(self, store: Any, ref: str, **fields: Any) -> None:
        self.take(store, arrival(ref))
        self.finish(store, *self.claim(store), changes=Changes(unseen=UnseenChanges(**fields)))

    def held(self, store: Any, **needs: Any) -> list[tuple[int, str, int, int]]:
        loaded: Snapshot = store.load(Needs(**(needs or {"unseen": (CELL,)})))
        return sorted((row.seen_at, row.token, row.number, row.quantity) for row in loaded.unseen)

    def test_what_is_raised_is_loaded_by_its_cell(self, store: Any) -> None:
        other = unseen(-9, "x", cell=("A", "madrid"))
        self.write(store, "1", raised=[unseen(-2, "x"), unseen(-1, "y"), unseen(-1, "x"), other])
        assert self.held(store) == [(0, "x", 0, -3), (0, "y", 0, -1)]

    def test_what_is_told_is_seen_from_then_on_and_only_once(self, store: Any) -> None:
        self.write(store, "1", raised=[unseen(-2, "x"), unseen(-1, "y")])
        self.write(store, "2", told=[("x", NOW + 5)])
        self.write(store, "3", told=[("x", NOW + 9)])
        assert self.held(store) == [(0, "y", 0, -1), (NOW + 5, "x", 0, -2)]

    def test_tickets_of_a_day_are_joined_to_the_posting_that_sums_them(self, store: Any) -> None:
        self.write(store, "1", raised=[unseen(-n, DAY, number=n) for n in (1, 2, 3)])
        self.write(store, "2", joined=[(DAY, (1, 3), "CD1 day:0")])
        assert self.held(store) == [(0, "CD1 day:0", 1, -1), (0, "CD1 day:0", 3, -3), (0, DAY, 2, -2)]
        self.write(store, "3", told=[("CD1 day:0", NOW)])
        assert self.held(store)[0] == (0, DAY, 2, -2)

    def test_what_is_not_told_is_loaded_by_its_token_with_its_levels(self, store: Any) -> None:
        self.take(store, arrival("1"))
        changes = Changes(
            levels=[Level(*CELL, 5), Level("A", "madrid", 7), Level("B", "berlin", 9)],
            unseen=UnseenChanges(raised=[unseen(-2, "x"), unseen(-1, "x", seen_at=NOW)]),
        )
        self.finish(store, *self.claim(store), changes=changes)
        assert self.held(store, tokens=("x",)) == [(0, "x", 0, -2)]
        assert store.load(Needs(tokens=("x",))).levels == {CELL: Level(*CELL, 5)}

    def test_a_place_is_loaded_whole(self, store: Any) -> None:
        self.take(store, arrival("1"))
        changes = Changes(
            levels=[Level(*CELL, 5), Level("A", "madrid", 7), Level("B", "berlin", 9)],
            unseen=UnseenChanges(raised=[unseen(-2, "x"), unseen(-1, "x", cell=("A", "madrid"))]),
        )
        self.finish(store, *self.claim(store), changes=changes)
        loaded: Snapshot = store.load(Needs(places=("berlin",)))
        assert sorted(loaded.levels) == [CELL, ("B", "berlin")]
        assert self.held(store, places=("berlin",)) == [(0, "x", 0, -2)]

    def test_what_a_statement_holds_is_forgotten_and_nothing_else(self, store: Any) -> None:
        rows = [unseen(-1, "a", seen_at=NOW), unseen(-2, "b", seen_at=NOW + 1), unseen(-3, "c")]
        self.write(store, "1", raised=[*rows, unseen(-4, "d", seen_at=NOW, cell=("B", "berlin"))])
        self.write(store, "2", forgotten=[(*CELL, NOW)])
        assert self.held(store) == [(0, "c", 0, -3), (NOW + 1, "b", 0, -2)]
        assert self.held(store, unseen=(("B", "berlin"),)) == [(NOW, "d", 0, -4)]

    def test_what_was_seen_long_ago_goes_when_its_cell_moves_again(self, store: Any) -> None:
        self.write(store, "1", raised=[unseen(-1, "a", seen_at=NOW), unseen(-2, "b", seen_at=NOW + 1)])
        self.write(store, "2", raised=[unseen(-3, "c")], forget_before=NOW + 1)
        assert self.held(store) == [(0, "c", 0, -3), (NOW + 1, "b", 0, -2)]

    def test_what_a_master_was_not_told_is_read_by_location(self, store: Any) -> None:
        rows = [unseen(-2, "x"), unseen(-1, "y"), unseen(-4, "z", seen_at=NOW)]
        self.write(store, "1", raised=[*rows, unseen(-9, "x", cell=("A", "madrid"))])
        reads = store.reads()
        assert reads.rows("untold_of", "A") == [("berlin", -3), ("madrid", -9)]
        reads.close()
