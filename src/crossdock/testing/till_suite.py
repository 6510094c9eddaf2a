"""The conformance suite of the store port for tills: tickets by day, pulses of stores, single levels.

Subclass it in a test module and give it a `store` fixture that opens an empty store.
"""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.domain.state import Changes, Level, Needs, Run, Snapshot, TicketRow
from crossdock.testing.store_case import NOW, StoreCase, arrival, process

DAY = ("pos", "berlin", "2026-03-29")


def ticket(sequence: int, subject: int = 1, *, day: str = DAY[2], till: str = "T1") -> TicketRow:
    """What one ticket adds to a day of the store in Berlin."""
    value = msgspec.Raw(b'{"tenders":[["cash",%d]]}' % sequence)
    return TicketRow("pos", "berlin", day, till, sequence, subject, NOW, value)


class TillSuite(StoreCase):
    """Rows that tickets leave for their store's day."""

    def write(self, store: Any, changes: Changes, ref: str = "1") -> None:
        self.take(store, arrival(ref))
        self.finish(store, *self.claim(store), changes=changes)

    def test_the_tickets_of_a_day_are_loaded_by_it(self, store: Any) -> None:
        rows = [ticket(1), ticket(2), ticket(1, till="T2"), ticket(3, day="2026-03-30")]
        self.write(store, Changes(tickets=rows))
        loaded: Snapshot = store.load(Needs(tickets=(DAY, ("pos", "berlin", "2026-03-31"))))
        assert sorted((row.till, row.sequence) for row in loaded.tickets[DAY]) == [
            ("T1", 1),
            ("T1", 2),
            ("T2", 1),
        ]
        assert {row.sequence: msgspec.json.decode(row.value) for row in loaded.tickets[DAY]}[2] == {
            "tenders": [["cash", 2]]
        }
        assert len(loaded.tickets) == 1

    def test_the_numbers_of_the_three_days_before_are_loaded_by_till(self, store: Any) -> None:
        rows = [
            ticket(n, day=f"2026-03-{day}")
            for day in (20, 24, 25, 28, 29, 30)
            for n in (day * 10, day * 10 + 5)
        ]
        self.write(store, Changes(tickets=[*rows, ticket(7, day="2026-03-28", till="T2")]))
        loaded: Snapshot = store.load(Needs(runs=(DAY, ("pos", "madrid", DAY[2]))))
        assert sorted(loaded.runs[DAY]) == [
            Run("2026-03-24", "T1", 240, 245),
            Run("2026-03-25", "T1", 250, 255),
            Run("2026-03-28", "T1", 280, 285),
            Run("2026-03-28", "T2", 7, 7),
        ]
        assert list(loaded.runs) == [DAY]

    def test_the_first_number_of_a_till_is_that_of_its_first_day(self, store: Any) -> None:
        self.write(store, Changes(tickets=[ticket(9, day="2026-03-01"), ticket(3), ticket(1, till="T2")]))
        wanted = (("pos", "berlin", "T1"), ("pos", "berlin", "T2"), ("pos", "berlin", "T3"))
        assert store.load(Needs(firsts=wanted)).firsts == {wanted[0]: 9, wanted[1]: 1}

    def test_a_ticket_that_is_written_again_stays_as_it_was(self, store: Any) -> None:
        self.write(store, Changes(tickets=[ticket(1, subject=7)]))
        self.write(store, Changes(tickets=[ticket(1, subject=8)]), ref="2")
        loaded: Snapshot = store.load(Needs(tickets=(DAY,)))
        assert [row.subject for row in loaded.tickets[DAY]] == [7]

    def test_a_store_is_heard_at_its_latest_time(self, store: Any) -> None:
        self.write(store, Changes(pulses=[("pos", "berlin", NOW + 5), ("pos", "madrid", NOW)]))
        self.write(store, Changes(pulses=[("pos", "berlin", NOW + 1), ("kiosk", "berlin", NOW)]), ref="2")
        loaded: Snapshot = store.load(Needs(pulses=("pos",)))
        assert loaded.pulses == {("pos", "berlin"): NOW + 5, ("pos", "madrid"): NOW}

    def test_the_stage_of_a_day_is_found_by_its_reference(self, store: Any) -> None:
        ref = f"{DAY[1]}/{DAY[2]}"
        (receipt,) = self.take(store, arrival(ref, source="pos", ref_kind="store_day"))
        row = process(receipt.subject, connection="pos", external_id=ref, stage="day_open")
        self.finish(store, *self.claim(store), changes=Changes(processes=[row]))
        loaded: Snapshot = store.load(Needs(days=(("pos", ref), ("pos", "berlin/2026-03-30"))))
        assert loaded.days == {("pos", ref): "day_open"}

    def test_single_levels_are_loaded_without_those_of_other_places(self, store: Any) -> None:
        levels = [Level("sku", "berlin", 5), Level("sku", "madrid", 6), Level("other", "berlin", 7)]
        self.write(store, Changes(levels=levels))
        loaded: Snapshot = store.load(Needs(cells=(("sku", "berlin"), ("sku", "lisbon"))))
        assert loaded.levels == {("sku", "berlin"): Level("sku", "berlin", 5)}

    def test_nothing_is_loaded_where_nothing_is_needed(self, store: Any) -> None:
        self.write(store, Changes(tickets=[ticket(1)], pulses=[("pos", "berlin", NOW)]))
        loaded: Snapshot = store.load(Needs())
        assert (loaded.tickets, loaded.pulses, loaded.days) == ({}, {}, {})
