"""The proof of a hub that runs: each minute what is under way, and as many orders as fit into a second or two, round after round.

What it has found is kept in the store, where every face reads it: whichever process runs this, and after a restart. A breach is
logged as an error, and is one case that names the invariant.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec

from crossdock.bootstrap.auditing import Audit, begin, go_on
from crossdock.bootstrap.front import Front
from crossdock.bootstrap.proof import (
    CLOSING,
    KEPT,
    Check,
    Kept,
    audited,
    closing,
    deadlines_of,
    ordered,
    standing,
)
from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.engine.operations import INVARIANT_BROKEN
from crossdock.engine.port import Broken
from crossdock.engine.sweeping import AGAIN_US
from crossdock.stores.opening import HubStore
from crossdock.stores.reads import Reads

log = logging.getLogger("crossdock")
EVERY_S = 60.0
LEADS_S = 5.0
"""How often a process looks whether it is its turn."""
READING_S = 2.0
"""How much of a minute goes into reading orders one by one: 5,000 of them."""
REST = 4
"""For each moment of reading so many of rest: nobody waits for it, and it shares a core with those for whom people wait."""
EFFORT_MAX = 20
"""What concerns all orders at once takes at most one twentieth of the time."""
AUDIT = "audit"


class Prover:
    """One turn a minute. Of several processes over one store only the one that keeps the schedule proves.

    closes_each_s: how often at most what concerns all orders and levels at once is asked for, the first time after so long:
    of millions of levels it takes seconds and memory, and whoever starts a hub has other worries.
    """

    def __init__(
        self, hub: Front, store: HubStore, clock: Callable[[], int], *, closes_each_s: float = 0.0
    ) -> None:
        self._store, self._reads, self._accept = store, hub.reads, hub.accept
        self._deadlines = deadlines_of(hub.config.plan.policy)
        self._clock, self._stopping = clock, hub.stopping
        self._audit = Audit()
        self._closed: list[Check] = []
        self._kept: Kept | None = None
        self._closes_each_s = closes_each_s
        self._closes_from = time.monotonic() + closes_each_s
        self._known: frozenset[str] = frozenset()

    def turn(self) -> None:
        """Look, keep what was found, tell what is wrong, and wait for the next minute."""
        began, every_s = time.monotonic(), LEADS_S
        try:
            if self._store.leads():
                every_s = EVERY_S
                kept = self.look()
                self._keep(kept)
                self._tell(kept)
            else:
                self._kept = None  # another one goes on with it meanwhile
        finally:
            self._stopping.wait(max(1.0, every_s - (time.monotonic() - began)))

    def look(self) -> Kept:
        """What is under way, and the next orders of the round."""
        now = self._clock()
        with self._reads() as reads:
            kept = self._kept = self._kept or self._take_up(reads)
            kept.at, kept.deadlines = now, self._deadlines
            checks = standing(reads, now, self._deadlines)
            self._read_on(reads)
            found = audited(self._audit)
            if self._audit.done and time.monotonic() >= self._closes_from:
                self._close(reads, kept)
        kept.checks = ordered([*checks, *(self._so_far(check) for check in found), *self._closed])
        return kept

    def _take_up(self, reads: Reads) -> Kept:
        """Where this hub, or another process of it, has left off."""
        known, audit = reads.rows("kept_proof", KEPT), reads.rows("kept_proof", AUDIT)
        if not known or not audit:
            return Kept(at=0)
        try:
            self._audit = msgspec.json.decode(audit[0][0], type=Audit)
            kept = msgspec.json.decode(known[0][0], type=Kept)
        except msgspec.DecodeError:  # of another release: begin anew
            return Kept(at=0)
        self._closed = [check for check in kept.checks if check.name in CLOSING]
        return kept

    def _read_on(self, reads: Reads) -> None:
        self._audit.again(reads)
        if self._audit.done:
            known, self._audit = self._audit.found, begin(reads, self._clock())
            self._audit.found = known
        spent, last = 0.0, time.monotonic()

        def more() -> bool:
            nonlocal spent, last
            page = time.monotonic() - last
            spent += page
            self._stopping.wait(REST * page)
            last = time.monotonic()
            return spent < READING_S and not self._stopping.is_set()

        go_on(reads, self._audit, more)

    def _close(self, reads: Reads, kept: Kept) -> None:
        began = time.monotonic()
        self._closed = closing(reads, self._audit)
        took = time.monotonic() - began
        self._closes_from = time.monotonic() + max(took * EFFORT_MAX, self._closes_each_s)
        kept.whole_at = self._clock()

    def _so_far(self, check: Check) -> Check:
        if self._audit.done:
            return check
        text = f"{check.text}; {self._audit.after} of {self._audit.until} read in this round"
        return msgspec.structs.replace(check, text=text, whole=False)

    def _keep(self, kept: Kept) -> None:
        told = {
            name: msgspec.json.encode(value).decode() for name, value in ((KEPT, kept), (AUDIT, self._audit))
        }
        self._store.keep_proof(told, kept.at)

    def _tell(self, kept: Kept) -> None:
        """A breach: in the log once, and as a case, that is opened again within the hour while it lasts."""
        broken = {check.name: check for check in kept.checks if not check.ok}
        for name in sorted(broken.keys() - self._known):
            log.error("invariant %s is broken: %s: %s", broken[name].letter, name, broken[name].text)
        for name in sorted(self._known - broken.keys()):
            log.warning("invariant holds again: %s", name)
        self._known = frozenset(broken)
        if broken:
            self._accept([_word_of(check, kept.at) for check in broken.values()])


def _word_of(check: Check, now: int) -> Arrival:
    """Word that an invariant does not hold: told again under the same case, but not twice within the hour."""
    return Arrival(
        source=HUB,
        kind=INVARIANT_BROKEN,
        body=msgspec.json.encode(Broken(letter=check.letter, name=check.name, text=check.text)),
        ref_kind="proof",
        ref="proof",
        delivery_id=f"broken {check.letter} {check.name} {now // AGAIN_US}",
        strict=True,
        lane=LANE_FREE,
    )
