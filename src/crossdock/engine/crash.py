"""Named points at which a test may kill or freeze the process. Outside of tests, reaching one does nothing.

Each name stands where a crash would be worst: on either side of a commit, or of a partner's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

INTAKE_BEFORE_COMMIT: Final = "intake.before_commit"
INTAKE_COMMITTED: Final = "intake.committed"
BATCH_CLAIMED: Final = "batch.claimed"
BATCH_DECIDED: Final = "batch.decided"
BATCH_BEFORE_COMMIT: Final = "batch.before_commit"
BATCH_COMMITTED: Final = "batch.committed"
EFFECTS_CLAIMED: Final = "effects.claimed"
EFFECT_BEFORE_SEND: Final = "effect.before_send"
EFFECT_ANSWERED: Final = "effect.answered"
SETTLE_BEFORE_COMMIT: Final = "settle.before_commit"
SETTLED: Final = "settle.committed"
MARKS_CLAIMED: Final = "marks.claimed"
MARKS_ANSWERED: Final = "marks.answered"
CHECKPOINT: Final = "checkpoint"

POINTS: Final = (
    INTAKE_BEFORE_COMMIT,
    INTAKE_COMMITTED,
    BATCH_CLAIMED,
    BATCH_DECIDED,
    BATCH_BEFORE_COMMIT,
    BATCH_COMMITTED,
    EFFECTS_CLAIMED,
    EFFECT_BEFORE_SEND,
    EFFECT_ANSWERED,
    SETTLE_BEFORE_COMMIT,
    SETTLED,
    MARKS_CLAIMED,
    MARKS_ANSWERED,
    CHECKPOINT,
)

Reach = Callable[[str], None]


def nowhere(point: str) -> None:
    """What production does at a crash point."""
