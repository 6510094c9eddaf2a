"""Two batches under way: while one is being written, the next is decided on top of it (docs/adr/0011).

Only where there is a backlog, and only where what the first changed is known without reading it back. Whatever goes
wrong, the second is decided anew, on what then stands in the store.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import msgspec

from crossdock.engine.pipeline import Pipeline, Translated, only_finished
from crossdock.engine.port import Batch, Claim

Job = Callable[[], None]
Beside = Callable[[Job], Job]
"""Begins a job beside the caller; what it returns waits for the end of it, and raises what it raised."""


class Held(msgspec.Struct):
    """A batch that is decided and not written."""

    ready: list[Translated]
    batch: Batch
    now: int


class Overlapping:
    """Steps a pipeline. Between two steps one batch may be decided and not written: `let_go` gives it back.

    beside: who writes. Between two steps it does nothing.
    """

    def __init__(self, pipeline: Pipeline, beside: Beside) -> None:
        self._pipeline, self._beside = pipeline, beside
        self._held: Held | None = None

    @property
    def batch_max(self) -> int:
        """How many messages a batch takes at most."""
        return self._pipeline.batch_max

    @batch_max.setter
    def batch_max(self, most: int) -> None:
        self._pipeline.batch_max = most

    def step(self, now: int) -> int:
        """Claim and decide the next batch, and write the one before; returns how many messages were at hand."""
        claim = self._pipeline.claim(now)
        held, self._held = self._held, None
        if not claim.messages:
            if held is not None:
                self._write(held)
            return len(held.ready) if held is not None else 0
        if held is not None:
            decided = self._decide_beside(held, claim, now)
        else:
            decided = self._decide(self._pipeline.translate(claim), now)
        if decided is None:
            return len(claim.messages)
        full = len(claim.messages) >= self._pipeline.batch_max and not claim.crashes
        if full and only_finished(decided.batch):
            self._held = decided
        else:
            self._write(decided)
        return len(claim.messages)

    def let_go(self) -> None:
        """Forget what is decided and not written; its messages are due again."""
        held, self._held = self._held, None
        if held is not None:
            self._pipeline.give_back(held.ready)

    def _decide_beside(self, held: Held, claim: Claim, now: int) -> Held | None:
        """Decide what is claimed while the batch before it is being written."""
        pipeline = self._pipeline
        written = self._begin_to_write(held)
        batch = None
        try:
            ready = pipeline.translate(claim)
            with suppress(Exception):  # it comes again below, where something is done about it
                batch = pipeline.decide_over(ready, now, held.batch)
        finally:
            error = _error_of(written)
        if error is not None:
            try:
                pipeline.again(held.ready, error, now)
            except Exception:
                pipeline.give_back(ready)
                raise
        if batch is None or error is not None:
            return self._decide(ready, now)
        return Held(ready, batch, now)

    def _begin_to_write(self, held: Held) -> Job:
        try:
            return self._beside(self._pipeline.writing(held.batch))
        except Exception as error:
            return partial(_raise, error)

    def _decide(self, ready: list[Translated], now: int) -> Held | None:
        """Decide on what stands in the store; None where all of it is done already, in pieces."""
        pipeline = self._pipeline
        pipeline.breathe()
        try:
            batch = pipeline.decide(ready, now)
        except Exception as error:
            pipeline.again(ready, error, now)
            return None
        pipeline.breathe()
        return Held(ready, batch, now)

    def _write(self, held: Held) -> None:
        try:
            self._pipeline.write(held.batch)
        except Exception as error:
            self._pipeline.again(held.ready, error, held.now)


def _raise(error: Exception) -> None:
    raise error


def _error_of(written: Job) -> Exception | None:
    try:
        written()
    except Exception as error:
        return error
    return None
