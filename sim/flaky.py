"""Flows that fail in the middle of deciding: now and then an error to retry, now and then a defect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossdock.domain.policy import Plan
from crossdock.domain.state import Needs, Snapshot
from crossdock.errors import RetryableError
from crossdock.flows.desk import Desk
from crossdock.flows.handler import RetailHandler
from crossdock.flows.world import RetailWorld
from crossdock.sdk.spec import Connector
from sim.faults import Faults

RATE = 0.02


class FlakyHandler(RetailHandler):
    """The real flows. When one strikes, everything was decided and changed already: all of it must be as it was before."""

    def __init__(self, plan: Plan, connectors: Mapping[str, Connector], faults: Faults) -> None:
        super().__init__(plan, connectors)
        self._faults = faults

    def world(self, needs: Needs, snapshot: Snapshot) -> RetailWorld:
        """A world whose decisions fail now and then."""
        world: Any = super().world(needs, snapshot)
        decide = world._decide

        def flaky(desk: Desk, reports: Sequence[Any], *, known: bool) -> Any:
            outcome = decide(desk, reports, known=known)
            if self._faults.strikes("defect", RATE):
                if self._faults.dice("defect").random() < 0.6:
                    raise RetryableError("Something is not there at the moment (simulated).")
                raise RuntimeError("A defect (simulated).")
            return outcome

        world._decide = flaky
        made: RetailWorld = world
        return made
