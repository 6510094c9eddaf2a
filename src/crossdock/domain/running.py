"""Numbers of tills from one business day to the next: a till that counts on leaves a gap where tickets went missing at night.

Not every till counts on: one that puts the date into its numbers jumps each night, and misses nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from crossdock.domain.state import Run
from crossdock.model.tills import SequenceRange

LOST_MAX = 10
"""A till of which no more than so many numbers were missing in an earlier night counts on."""
UNSEEN_MAX = 100
"""So many may be missing where there is no earlier night to tell."""


def unfollowed(
    numbers: Mapping[str, Sequence[int]], stated: Iterable[SequenceRange], before: Iterable[Run]
) -> dict[str, tuple[str, int, int]]:
    """Per till: the day that it was used last, and what is missing between its last number of that and its first of this.

    numbers: those held of this day, sorted. stated: what its close says of them. before: the days before it.
    """
    firsts = {till: held[0] for till, held in numbers.items() if held}
    for each in stated:
        firsts[each.register] = min(each.first, firsts.get(each.register, each.first))
    earlier: dict[str, list[Run]] = {}
    for run in sorted(before, reverse=True):
        earlier.setdefault(run.till, []).append(run)
    found: dict[str, tuple[str, int, int]] = {}
    for till, first in sorted(firsts.items()):
        runs = earlier.get(till, [])
        if not runs or first <= runs[0].last + 1:
            continue
        missing = first - runs[0].last - 1
        nights = [newer.first - older.last - 1 for newer, older in pairwise(runs)]
        if min(nights) <= LOST_MAX if nights else missing <= UNSEEN_MAX:
            found[till] = (runs[0].day, runs[0].last + 1, first - 1)
    return found
