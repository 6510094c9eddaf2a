"""Stock while a batch is decided on: what one message takes, the next one sees; what a message did can be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crossdock.domain.state import BUCKETS, Level, Unseen
from crossdock.domain.unseen import UnseenBook

ON_HAND, RESERVED, ALLOCATED, SAFETY, QUARANTINED, ELSEWHERE, INCOMING = range(len(BUCKETS))
AS_OF = len(BUCKETS)

Move = tuple[str, str, int, int, str]
"""(sku, location, bucket, quantity, reason)"""
Key = tuple[str, str]


class Ledger:
    """Levels under change. A level that is absent stands at zero.

    What is moved of a SKU that was not loaded is owed: its order keeps it, and the next message that has the level pays it.
    skus: loaded at every location. cells: loaded one by one, so that a till's sale need not read every store's level.
    """

    __slots__ = ("_base", "_cells", "_loaded", "_reserved", "_single", "_stamps", "moves", "owed", "unseen")

    def __init__(
        self,
        levels: Mapping[Key, Level],
        skus: Iterable[str],
        cells: Iterable[Key] = (),
        unseen: Iterable[Unseen] = (),
    ) -> None:
        self._base = levels
        self._loaded = frozenset(skus)
        self._single = frozenset(cells)
        self._cells: dict[Key, list[int]] = {}
        self._stamps: list[tuple[Key, int]] = []
        self._reserved: dict[Key, int] = {}
        self.moves: list[Move] = []
        """The movements of the message at hand, in order."""
        self.owed: list[Move] = []
        """Movements that could not be made, for whoever keeps them."""
        self.unseen = UnseenBook(unseen)
        """What the master of a location has not seen of its movements."""

    def loaded(self, sku: str) -> bool:
        """Whether the levels of a SKU are at hand."""
        return sku in self._loaded

    def at_hand(self, sku: str, location: str) -> bool:
        """Whether one level is at hand."""
        return sku in self._loaded or (sku, location) in self._single or (sku, location) in self._base

    def at(self, location: str) -> list[str]:
        """The SKUs of a location whose levels are at hand."""
        changed = [sku for sku, place in self._cells if place == location and (sku, place) not in self._base]
        return [sku for sku, place in self._base if place == location] + changed

    def known(self, sku: str, location: str) -> bool:
        """Whether there is a level: an absent one is not zero, but unknown."""
        cell = self._cells.get((sku, location))
        return (cell is not None and any(cell)) or (sku, location) in self._base

    def counted(self, sku: str) -> bool:
        """Whether any location has a level of a SKU that is loaded."""
        levels = [*self._cells, *self._base]
        return any(known == sku and self.known(known, location) for known, location in levels)

    def free(self, sku: str, location: str) -> int:
        """What a sale that is made may take: safety stock is there for it, what is claimed or quarantined is not."""
        cell = self._cells.get((sku, location))
        if cell is not None:
            return cell[ON_HAND] - cell[RESERVED] - cell[ALLOCATED] - cell[QUARANTINED] - cell[ELSEWHERE]
        level = self._base.get((sku, location))
        if level is None:
            return 0
        return (
            level.on_hand - level.reserved - level.allocated - level.quarantined - level.committed_elsewhere
        )

    def bucket(self, sku: str, location: str, bucket: int) -> int:
        """One bucket of a level."""
        return self._cell((sku, location))[bucket]

    def as_of(self, sku: str, location: str) -> int:
        """The moment of the last snapshot applied; 0 for none."""
        return self._cell((sku, location))[AS_OF]

    def move(self, sku: str, location: str, bucket: int, quantity: int, reason: str) -> None:
        """Change one bucket, or owe it; a quantity of zero moves nothing."""
        if not quantity:
            return
        if self.at_hand(sku, location):
            self._cell((sku, location))[bucket] += quantity
            self.moves.append((sku, location, bucket, quantity, reason))
        else:
            self.owed.append((sku, location, bucket, quantity, reason))

    def reserve(self, sku: str, location: str, quantity: int) -> None:
        """Claim a quantity of a SKU that is loaded."""
        self._reserved[sku, location] = len(self.moves)
        self._cell((sku, location))[RESERVED] += quantity
        self.moves.append((sku, location, RESERVED, quantity, "reserve"))

    def has(self, location: str, wanted: Mapping[str, int]) -> bool:
        """Whether a location can give all of these quantities by SKU."""
        cells, base = self._cells, self._base
        for sku, quantity in wanted.items():
            key = (sku, location)
            if key not in cells:
                if key not in base:
                    return False
                self._cell(key)
            cell = cells[key]
            if (
                cell[ON_HAND] - cell[RESERVED] - cell[ALLOCATED] - cell[QUARANTINED] - cell[ELSEWHERE]
                < quantity
            ):
                return False
        return True

    def allocate(self, sku: str, location: str, quantity: int) -> None:
        """Bind a reservation to its location for good: it replaces the reservation, and never adds to it.

        A reservation of the same message is replaced on the spot, so that what was never seen is not recorded.
        """
        at = self._reserved.pop((sku, location), None)
        if at is not None and self.moves[at][3] == quantity:
            cell = self._cells[sku, location]
            cell[RESERVED] -= quantity
            cell[ALLOCATED] += quantity
            self.moves[at] = (sku, location, ALLOCATED, quantity, "allocate")
            return
        self.move(sku, location, RESERVED, -quantity, "allocate")
        self.move(sku, location, ALLOCATED, quantity, "allocate")

    def pay(self, owed: list[Move]) -> list[Move]:
        """Make what was owed and can be made now; returns the rest."""
        left, self.owed = self.owed, []
        for move in owed:
            self.move(*move)
        rest, self.owed = self.owed, left
        return rest

    def take_owed(self) -> list[Move]:
        """Hand over what could not be made."""
        owed, self.owed = self.owed, []
        return owed

    def stamp(self, sku: str, location: str, as_of: int) -> None:
        """Remember the moment of a snapshot."""
        key = (sku, location)
        cell = self._cell(key)
        self._stamps.append((key, cell[AS_OF]))
        cell[AS_OF] = as_of

    def keep(self) -> list[Move]:
        """End a message: what it moved stays. Returns its movements."""
        moves, self.moves = self.moves, []
        self._reserved, self._stamps = {}, []
        self.unseen.keep()
        return moves

    def undo(self) -> None:
        """End a message as if it had never been."""
        for sku, location, bucket, quantity, _ in self.moves:
            self._cells[sku, location][bucket] -= quantity
        for key, as_of in reversed(self._stamps):
            self._cells[key][AS_OF] = as_of
        self.moves, self.owed, self._stamps, self._reserved = [], [], [], {}
        self.unseen.undo()

    def levels(self) -> list[Level]:
        """Every level that was changed, as it is now, in the order first touched."""
        changed = []
        for (sku, location), cell in self._cells.items():
            base = self._base.get((sku, location))
            level = Level(sku, location, *cell)
            if level != base and (base is not None or any(cell)):
                changed.append(level)
        return changed

    def _cell(self, key: Key) -> list[int]:
        cell = self._cells.get(key)
        if cell is None:
            level = self._base.get(key)
            if level is None:
                cell = [0, 0, 0, 0, 0, 0, 0, 0]
            else:
                cell = [
                    level.on_hand,
                    level.reserved,
                    level.allocated,
                    level.safety_stock,
                    level.quarantined,
                    level.committed_elsewhere,
                    level.incoming,
                    level.as_of,
                ]
            self._cells[key] = cell
        return cell
