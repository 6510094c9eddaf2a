"""What a batch has decided, laid over what the store holds before it is written there."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossdock.domain.state import Changes, Needs, Snapshot, Stored

Version = tuple[int, str, str, str]
"""(subject, source, kind, version)"""


def can_lie_over(needs: Needs, changes: Changes) -> bool:
    """Whether these changes are enough to know, before they are written, what these needs will find.

    Orders, levels and versions are. Whoever needs more, or follows a batch that changed more, waits until it is written.
    """
    changed = changes.products or changes.tickets or changes.pulses or changes.unseen
    needed = (
        needs.days
        or needs.tickets
        or needs.runs
        or needs.firsts
        or needs.pulses
        or needs.places
        or needs.unseen
        or needs.tokens
    )
    return not (changed or needed)


def laid_over(needs: Needs, snapshot: Snapshot, changes: Changes, seen: Mapping[Version, str]) -> Snapshot:
    """The snapshot as it will be once the changes are written.

    It does not matter whether it was read before that, after it, or partly so: what they touch is as they leave it.
    """
    subjects, skus, cells = frozenset(needs.orders), frozenset(needs.skus), frozenset(needs.cells)
    orders = {
        row.subject: Stored(row.subject, row.expected + 1, msgspec.Raw(row.value))
        for row in changes.processes
        if row.subject in subjects
    }
    levels = {
        (level.sku, level.location): level
        for level in changes.levels
        if level.sku in skus or (level.sku, level.location) in cells
    }
    wanted = frozenset(needs.seen)
    versions = {version: digest for version, digest in seen.items() if version in wanted}
    return msgspec.structs.replace(
        snapshot,
        orders={**snapshot.orders, **orders},
        levels={**snapshot.levels, **levels},
        seen={**snapshot.seen, **versions},
    )
