"""What the master of a stock has not seen yet, while a batch is decided on (RETAIL 20, docs/adr/0009). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from crossdock.domain.state import Unseen, UnseenChanges

KEPT_US = 6 * 3600 * 1_000_000
"""A statement older than this when it arrives may find gone what its master saw since."""

Cell = tuple[str, str]


class _Entry:
    """A row under change."""

    __slots__ = ("cell", "master", "number", "quantity", "seen_at", "token")

    def __init__(self, row: Unseen) -> None:
        self.cell = (row.sku, row.location)
        self.seen_at, self.token, self.number = row.seen_at, row.token, row.number
        self.master, self.quantity = row.master, row.quantity


class UnseenBook:
    """Rows under change: raised with a movement, joined, told, and set against statements. One message can be undone."""

    def __init__(self, rows: Iterable[Unseen] = ()) -> None:
        self._cells: dict[Cell, list[_Entry]] = {}
        self._tokens: dict[str, list[_Entry]] = {}
        self._log: list[tuple[_Entry, str, int, int]] = []
        self.changes = UnseenChanges()
        """What is to be written."""
        self._kept = (0, 0, 0, 0)
        for row in rows:
            self._add(_Entry(row))

    def waiting(self, sku: str, location: str, master: str, at: int) -> int:
        """What a statement of `at` does not hold: not told yet, or seen only later."""
        return sum(
            entry.quantity
            for entry in self._cells.get((sku, location), ())
            if entry.master == master and (not entry.seen_at or entry.seen_at > at)
        )

    def raises(self, row: Unseen, now: int) -> None:
        """Add what has moved; a quantity of zero moves nothing."""
        if not row.quantity:
            return
        entry = _Entry(row)
        self._add(entry)
        self._log.append((entry, entry.token, entry.seen_at, 0))
        self.changes.raised.append(row)
        self.changes.forget_before = max(self.changes.forget_before, now - KEPT_US)

    def joins(self, token: str, numbers: tuple[int, ...], joined: str) -> None:
        """Of what waits under a token, tell these numbers under another one, together."""
        if not numbers:
            return
        wanted = frozenset(numbers)
        for entry in list(self._tokens.get(token, ())):
            if entry.token == token and not entry.seen_at and entry.number in wanted:
                self._log.append((entry, token, 0, entry.quantity))
                entry.token = joined
                self._tokens.setdefault(joined, []).append(entry)
        self.changes.joined.append((token, numbers, joined))

    def tells(self, token: str, seen_at: int) -> list[tuple[Cell, int]]:
        """The master holds what waits under a token, which is loaded, from a moment on.

        Returns ((sku, location), quantity) of each.
        """
        found = []
        for entry in self._tokens.get(token, ()):
            if entry.token == token and not entry.seen_at and entry.quantity:
                self._log.append((entry, token, 0, entry.quantity))
                entry.seen_at = seen_at
                found.append((entry.cell, entry.quantity))
        if found:
            self.changes.told.append((token, seen_at))
        return found

    def forgets(self, sku: str, location: str, until: int) -> None:
        """A statement of a moment was applied: none from before it ever will be, so what was seen by then may go."""
        if any(0 < entry.seen_at <= until for entry in self._cells.get((sku, location), ())):
            self.changes.forgotten.append((sku, location, until))

    def keep(self) -> None:
        """End a message: what it did stays."""
        self._log = []
        self._kept = self._sizes()

    def undo(self) -> None:
        """End a message as if it had never been."""
        for entry, token, seen_at, quantity in reversed(self._log):
            entry.token, entry.seen_at, entry.quantity = token, seen_at, quantity
        self._log = []
        changes = self.changes
        raised, joined, told, forgotten = self._kept
        del changes.raised[raised:], changes.joined[joined:], changes.told[told:]
        del changes.forgotten[forgotten:]

    def changed(self) -> UnseenChanges | None:
        """What is to be written; None where nothing is."""
        return self.changes if any(self._sizes()) else None

    def _sizes(self) -> tuple[int, int, int, int]:
        changes = self.changes
        return len(changes.raised), len(changes.joined), len(changes.told), len(changes.forgotten)

    def _add(self, entry: _Entry) -> None:
        self._cells.setdefault(entry.cell, []).append(entry)
        self._tokens.setdefault(entry.token, []).append(entry)
