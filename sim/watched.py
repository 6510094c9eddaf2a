"""The hub's store as the simulation sees it: what is committed is told to the invariants, and any write may be the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from crossdock.errors import OverloadedError
from crossdock.stores.sqlite import SqliteStore
from sim.faults import Faults
from sim.invariants import Invariants
from sim.keeping import check_kept
from sim.world import Killed, World

DISK_RATE = 0.01


class WatchedStore:
    """A `SqliteStore` that tells what it has committed. Crashes come before a write, within its commit, or after it."""

    def __init__(
        self, store: SqliteStore, world: World, faults: Faults, known: Invariants, life: int
    ) -> None:
        self.inner = store
        self._world, self._faults, self._known, self._life = world, faults, known, life
        self._depth = 0
        self._told: list[Callable[[], None]] = []
        self.crash_kind = ""
        self.claimed = 0
        self.staged = self.marked = self.later = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    # Writes

    def group(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        results: list[Any] = self._do(lambda: self.inner.group([self._job(job) for job in jobs]), None)
        return results

    def accept(self, arrivals: Any, now: int) -> Any:
        return self._do(
            lambda: self.inner.accept(arrivals, now), lambda got: self._known.accepted(arrivals, got)
        )

    def claim(self, limit: int, now: int, read: Any = ()) -> Any:
        claim = self._do(lambda: self.inner.claim(limit, now), None)
        self.claimed += len(claim.messages)
        return claim

    def commit(self, batch: Any) -> None:
        self._do(lambda: self.inner.commit(batch), lambda _: self._committed(batch))

    def prepared(self, batch: Any) -> Any:
        write = self.inner.prepared(batch)
        return lambda: self._do(write, lambda _: self._committed(batch))

    def claim_effects(self, wants: Any, now: int) -> Any:
        return self._do(
            lambda: self.inner.claim_effects(wants, now), lambda got: self._known.claimed(got, now)
        )

    def settle(self, results: Any, now: int) -> None:
        self.later = self.later or any(result.due_at for result in results)
        self._do(lambda: self.inner.settle(results, now), lambda _: self._known.settled(results))

    def claim_marks(self, wants: Any, now: int) -> Any:
        return self._do(lambda: self.inner.claim_marks(wants, now), None)

    def settle_marks(self, results: Any, now: int) -> None:
        self.later = self.later or any(result.due_at for result in results)
        self._do(lambda: self.inner.settle_marks(results, now), lambda _: self._known.marks_settled(results))

    def wake(self, now: int) -> Any:
        return self._do(lambda: self.inner.wake(now), None)

    def expire(self, terms: Any, now: int, limit: int) -> Any:
        return self._do(lambda: self.inner.expire(terms, now, limit), lambda got: self._expired(got.bodies))

    def _expired(self, messages: Sequence[int]) -> None:
        self._world.tell("expired", *messages)
        check_kept(self.inner._db.connection, messages)

    def abandon(self) -> None:
        """What a killed process leaves: files as they are, no lock, nothing cleaned up."""
        import os

        import apsw

        for database in (self.inner._db, self.inner._reader, self.inner._checkpointer):
            database.connection.set_commit_hook(None)
            database.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            database.connection.close(True)
        os.close(self.inner._lock)

    # How

    def _do(self, call: Callable[[], Any], observe: Callable[[Any], None] | None) -> Any:
        outermost = self._depth == 0
        if outermost:
            self._told.clear()
            self._may_fail()
            self._arm()
        self._depth += 1
        try:
            result = call()
        finally:
            self._depth -= 1
        if observe is not None:
            self._told.append(lambda: observe(result))
        if outermost:
            told, self._told = self._told, []
            for tell in told:
                tell()
            if self.crash_kind == "after":
                raise Killed(self._life)
        return result

    def _job(self, job: Callable[[], Any]) -> Callable[[], Any]:
        """A write of a group: where it fails, or is undone, nothing of it is told."""

        def run() -> Any:
            told = len(self._told)
            try:
                result = job()
                if self._faults.within(self._faults.disk) and self._faults.strikes("disk", 0.2):
                    raise OverloadedError("The disk did not take it (simulated).", retry_after=5)
            except Exception:
                del self._told[told:]
                raise
            return result

        return run

    def _may_fail(self) -> None:
        if self._faults.within(self._faults.disk) and self._faults.strikes("disk", 0.5):
            raise OverloadedError("The disk is full (simulated).", retry_after=5)

    def _arm(self) -> None:
        if self.crash_kind == "before":
            raise Killed(self._life)
        if self.crash_kind == "within":

            def hook() -> bool:
                raise Killed(self._life)

            self.inner._db.connection.set_commit_hook(hook)

    def _committed(self, batch: Any) -> None:
        for finished in batch.finished:
            self.staged = self.staged or bool(finished.effects)
            self.marked = self.marked or bool(finished.marks)
            self.later = self.later or any(child.due_at for child in finished.children)
        self.later = self.later or bool(batch.delayed)
        self.staged = self.staged or bool(batch.unparked)
        self._known.committed(batch)
