"""A worker that has lost its work and does not know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.errors import CrossdockError
from sim.world import Violation

if TYPE_CHECKING:
    from sim.hub import SimHub


def rise(hub: SimHub) -> None:
    """An old worker decides, sleeps, and writes when another one has done the same work."""
    now = hub.world.clock()
    hub.steps.let_go()
    claim = hub.pipeline.claim(now)
    if not claim.messages:
        return
    ready = hub.pipeline.translate(claim)
    batch = hub.pipeline.decide(ready, now)
    hub.store.give_back(claim.messages)
    hub.pipeline.step(now)
    changed = batch.changes.processes
    moved_on = all(hub.known.versions.get(row.subject, 0) > row.expected for row in changed)
    if not changed or not moved_on or batch.parked or batch.delayed or batch.waiting:
        return
    hub.faults.zombies.pop(0)
    hub.faults.count("zombie")
    try:
        hub.store.inner.commit(batch)
    except CrossdockError as error:
        hub.world.tell("zombie refused", error.kind)
        return
    raise Violation(
        "h", f"A worker that had lost its messages wrote order {changed[0].subject} all the same."
    )
