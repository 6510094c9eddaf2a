"""Stock, written last: rows locked in sorted order, and only ever moved by differences."""

from __future__ import annotations

from collections.abc import Mapping

from crossdock.domain.state import Changes, Level
from crossdock.errors import RacedError
from crossdock.stores.postgres.session import Session

Key = tuple[str, str]


def write_levels(session: Session, changes: Changes) -> None:
    """Bring the levels to where the decisions have them, beside what other workers have moved meanwhile.

    Raises RacedError where a decision does not hold any more; nothing is to be kept of the transaction then.
    """
    levels = sorted(changes.levels, key=lambda level: (level.sku, level.location))
    if not levels:
        return
    if changes.bases is None:
        session.run("put_levels", *_columns(levels))
        return
    bases = dict(changes.bases)
    new = [level for level in levels if (level.sku, level.location) not in bases]
    added: set[Key] = set(session.run("add_levels", *_columns(new))) if new else set()
    moved = [level for level in levels if (level.sku, level.location) not in added]
    if moved:
        _move(session, moved, bases)


def _move(session: Session, levels: list[Level], bases: Mapping[Key, Level]) -> None:
    skus, locations = [level.sku for level in levels], [level.location for level in levels]
    session.run("lock_levels", skus, locations)
    pairs = [(level, bases.get((level.sku, level.location)) or Level("", "")) for level in levels]
    differences = [
        [after - before for after, before in zip(_buckets(a), _buckets(b), strict=True)] for a, b in pairs
    ]
    columns = [list(column) for column in zip(*differences, strict=True)]
    as_of, seen = [level.as_of for level, _ in pairs], [base.as_of for _, base in pairs]
    free = [_free(level) for level in levels]
    on_hand = [level.on_hand for level in levels]
    if session.change("move_levels", skus, locations, *columns, as_of, seen, free, on_hand) < len(levels):
        raise RacedError(
            "Stock that was decided on has been taken by another worker; the batch is decided on again."
        )


def _columns(levels: list[Level]) -> list[list[object]]:
    rows = [(level.sku, level.location, *_buckets(level), level.as_of) for level in levels]
    return [list(column) for column in zip(*rows, strict=True)]


def _buckets(level: Level) -> tuple[int, ...]:
    return (
        level.on_hand,
        level.reserved,
        level.allocated,
        level.safety_stock,
        level.quarantined,
        level.committed_elsewhere,
        level.incoming,
    )


def _free(level: Level) -> int:
    """What a sale that is made may take, as the ledger has it."""
    taken = level.reserved + level.allocated + level.quarantined + level.committed_elsewhere
    return level.on_hand - taken
