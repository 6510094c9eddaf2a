"""The pipeline: claims messages in the order accepted, has them decided on, writes a batch at a time.

A batch is a chain of overlays: what one message changed, the next one sees. A message that fails drops its own
overlay and holds back its stream, and no other. A batch whose write fails is done again in halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from crossdock.engine import crash
from crossdock.engine.handling import Handler, World
from crossdock.engine.messages import (
    HUB,
    LANE_FREE,
    LANE_STREAM,
    OPERATOR,
    PAGE_PREFIX,
    Arrival,
    Event,
    Message,
    OpenCase,
    OperatorAction,
    Stage,
    Timer,
)
from crossdock.engine.operations import ENGINE_KINDS, decide_engine_kind, unpark_of
from crossdock.engine.port import Batch, Claim, Delayed, Finished, Hold, Parked, Store
from crossdock.engine.recovery import Park, RetryPolicy, after_message_failure
from crossdock.errors import CrossdockError, MappingError, RacedError, RetryableError

BATCH_MAX = 200
BREATH = 25
"""Messages that are handled without a breath."""
CRASHES_MAX = 2
RACES_MAX = 5
"""How often in a row others may be quicker before a batch is done in halves, and a message is left for a moment."""
NOTE_CHARS_MAX = 500
Announce = Callable[[Message, Sequence[Event], int], list[Stage]]
"""Makes the effects that tell others what happened, staged with the decision that made it happen. Never raises."""
FREED = Hold(message=0, kind="", parked=False)
"""A stream whose head got through in this batch: those that waited come first, so the rest of the batch waits too."""


class KilledError(CrossdockError):
    """Handling a message has killed the process, again and again."""

    kind = "crash"

    def __init__(self, times: int) -> None:
        super().__init__(
            f"Handling this message killed the worker {times} times. It stays here with its raw bytes; nothing behind it "
            "is lost. Report it with the message id, then retry or drop it."
        )


class Translated(msgspec.Struct):
    """A claimed message and what the pure part made of it, or the error that it raised."""

    message: Message
    reports: Any = None
    children: list[Arrival] | None = None
    error: Exception | None = None
    unhandled: bool = False


class Pipeline:
    """One worker's pipeline. `step(now)` handles one batch; everything random and timely is injected.

    breathe: called every few messages, and between the parts of a batch, for those who cannot wait for all of it.
    erased: called after a batch was written that forgets somebody: what is remembered of them outside the store must go too.
    """

    def __init__(
        self,
        store: Store,
        handler: Handler,
        *,
        policy: RetryPolicy | None = None,
        jitter: Callable[[], float] = lambda: 0.5,
        reach: crash.Reach = crash.nowhere,
        batch_max: int = BATCH_MAX,
        breathe: Callable[[], None] = lambda: None,
        announce: Announce | None = None,
        erased: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._handler = store, handler
        self._policy = policy or RetryPolicy()
        self._jitter, self._reach, self.batch_max = jitter, reach, batch_max
        self.breathe = breathe
        self._announce = announce
        self._erased = erased

    def step(self, now: int) -> int:
        """Claim, handle and write the next batch; returns how many messages were claimed (0: nothing was due)."""
        claim = self.claim(now)
        if claim.messages:
            ready = self.translate(claim)
            self.breathe()
            self._decide_and_write(ready, now)
        return len(claim.messages)

    def claim(self, now: int) -> Claim:
        """The next batch of messages."""
        claim = self._store.claim(self.batch_max, now, self._handler.read)
        if claim.messages:
            self._reach(crash.BATCH_CLAIMED)
        return claim

    def translate(self, claim: Claim) -> list[Translated]:
        """The pure part of a claimed batch."""
        if claim.crashes >= CRASHES_MAX:
            return [Translated(message, error=KilledError(claim.crashes)) for message in claim.messages]
        ready: list[Translated] = []
        for message in claim.messages:
            if len(ready) % BREATH == BREATH - 1:
                self.breathe()
            ready.append(self._translate(message))
        return ready

    def write(self, batch: Batch) -> None:
        """Write what a batch leads to."""
        self.writing(batch)()

    def writing(self, batch: Batch) -> Callable[[], None]:
        """What writes a batch; made ready now, so that little is left to do but to wait for the disk."""
        commit = self._store.prepared(batch)

        def write() -> None:
            self._reach(crash.BATCH_BEFORE_COMMIT)
            commit()
            self._reach(crash.BATCH_COMMITTED)
            if batch.erased():
                self._erased()

        return write

    def again(self, ready: list[Translated], error: Exception, now: int) -> None:
        """After a batch could not be decided or written: do it in halves, until the message that cannot be is alone.

        Each half is written before the next is decided. Where it is the store that cannot write at the moment, the
        messages are given back, and the error is raised. Where another worker was only quicker, all is decided on again.
        """
        for _ in range(RACES_MAX):
            if not isinstance(error, RacedError):
                break
            try:
                self.write(self.decide(ready, now))
                return
            except Exception as other:
                error = other
        if isinstance(error, RetryableError) or (len(ready) == 1 and isinstance(error, RacedError)):
            self.give_back(ready)
            raise error
        if len(ready) == 1:
            ready[0].error = error
            self.write(self.decide(ready, now))
            return
        middle = len(ready) // 2
        try:
            self._decide_and_write(ready[:middle], now)
            self._decide_and_write(ready[middle:], now)
        except (RetryableError, RacedError):
            self.give_back(ready)
            raise

    def give_back(self, ready: list[Translated]) -> None:
        """Undo the claim of a batch that came to nothing; its messages are due again."""
        self._store.give_back([translated.message for translated in ready])

    def _decide_and_write(self, ready: list[Translated], now: int) -> None:
        try:
            batch = self.decide(ready, now)
            self.breathe()
            self.write(batch)
        except Exception as error:
            self.again(ready, error, now)

    def _translate(self, message: Message) -> Translated:
        if _is_ours(message):
            return Translated(message)
        inbound = self._handler.inbound(message.source, message.kind)
        if inbound is None:
            return Translated(message, unhandled=True)
        try:
            children = self._handler.split(message)
            return Translated(message, self._handler.translate(message), children)
        except Exception as error:
            return Translated(message, error=_bare(error))

    # One batch

    def decide(self, ready: list[Translated], now: int) -> Batch:
        """What the batch leads to; nothing is written yet."""
        needs = self._needs(ready)
        return self._decide(ready, now, needs, self._store.load(needs))

    def decide_over(self, ready: list[Translated], now: int, under: Batch) -> Batch | None:
        """As `decide`, over a batch that is decided and is being written; None where that must be waited for."""
        if not only_finished(under):
            return None
        needs = self._needs(ready)
        seen = {
            (done.message.subject, told.source, told.kind, told.version): told.hash
            for done in under.finished
            for told in done.seen
        }
        snapshot = self._handler.laid_over(needs, self._store.load, under.changes, seen)
        return None if snapshot is None else self._decide(ready, now, needs, snapshot)

    def _needs(self, ready: list[Translated]) -> Any:
        good = [(t.message, t.reports) for t in ready if t.error is None and not t.unhandled]
        return self._handler.needs([pair for pair in good if not _is_ours(pair[0])])

    def _decide(self, ready: list[Translated], now: int, needs: Any, snapshot: Any) -> Batch:
        holds = self._store.holds([t.message.subject for t in ready])
        world = self._handler.world(needs, snapshot)
        batch = Batch(now=now)
        for position, translated in enumerate(ready, 1):
            if position % BREATH == 0:
                self.breathe()
            self._one(translated, world, holds, batch)
        batch.changes = world.changes()
        self._reach(crash.BATCH_DECIDED)
        return batch

    def _one(
        self, translated: Translated, world: World, holds: dict[tuple[int, str], Hold], batch: Batch
    ) -> None:
        message = translated.message
        stream = (message.subject, message.source)
        hold = holds.get(stream) if message.lane == LANE_STREAM else None
        if hold is not None and hold.message != message.id and not self._may_supersede(translated, hold):
            batch.waiting.append(message)
            return
        if translated.error is not None:
            self._failed(message, translated.error, hold, holds, batch)
            return
        try:
            finished = self._handle(translated, world, batch)
        except Exception as error:
            self._failed(message, error, hold, holds, batch)
            return
        if self._announce is not None and finished.events:
            told = self._announce(message, finished.events, batch.now)
            finished = msgspec.structs.replace(finished, effects=[*finished.effects, *told])
        batch.finished.append(finished)
        if hold is None:
            return
        if hold.message == message.id:
            batch.freed.append(stream)
        elif finished.outcome == "processed":
            batch.superseded.append((*stream, hold.message))
        else:
            return
        holds[stream] = FREED

    def _may_supersede(self, translated: Translated, hold: Hold) -> bool:
        """A whole object may, unless what is parked can be read and is the newer version: it only came earlier."""
        message = translated.message
        if not hold.parked or translated.error is not None:
            return False
        newer = self._handler.inbound(message.source, message.kind)
        older = self._handler.inbound(message.source, hold.kind)
        if not (newer and older and newer.whole_object and older.whole_object):
            return False
        parked = self._store.message(hold.message)
        if parked is None:
            return True
        try:
            return not self._handler.newer(self._handler.translate(parked), translated.reports)
        except Exception:
            return True  # it cannot be read, so nothing can be taken from it either

    def _handle(self, translated: Translated, world: World, batch: Batch) -> Finished:
        message = translated.message
        if translated.unhandled:
            return Finished(message=message, outcome="unhandled", note=f"no flow for {message.kind}")
        if _is_ours(message):
            return decide_engine_kind(message)
        if message.kind == OPERATOR:
            action = _operator_action(message)
            unpark = unpark_of(action)
            if unpark is not None:
                batch.unparked.append(unpark)
                return Finished(
                    message=message, outcome="processed", note=f"{action.action} by {action.actor}"
                )
        children = translated.children or []
        if translated.children is not None and not message.kind.startswith(PAGE_PREFIX):
            return Finished(
                message=message, outcome="split", note=f"{len(children)} children", children=children
            )
        decision = world.handle(message, translated.reports, batch.now)
        return Finished(
            message=message,
            outcome=decision.outcome,
            note=decision.note[:NOTE_CHARS_MAX],
            events=decision.events,
            effects=decision.effects,
            marks=decision.marks,
            cases=decision.cases,
            closed=decision.closed,
            references=decision.references,
            seen=decision.seen,
            children=[*children, *decision.children, *(_timer(message, t) for t in decision.timers)],
            cursor=decision.cursor,
            erase=decision.erase,
        )

    def _failed(
        self,
        message: Message,
        error: Exception,
        hold: Hold | None,
        holds: dict[tuple[int, str], Hold],
        batch: Batch,
    ) -> None:
        if hold is not None and hold.message != message.id:
            batch.waiting.append(message)
            return
        recovery = after_message_failure(error, message.attempt + 1, self._policy, batch.now, self._jitter())
        stream = (message.subject, message.source)
        text = str(error) or type(error).__name__
        if not isinstance(error, CrossdockError):
            text = f"A defect: {type(error).__name__}: {text}. The message is kept; report it with its id."
        field = error.field or "" if isinstance(error, CrossdockError) else ""
        if isinstance(recovery, Park):
            case = OpenCase(reason=recovery.reason, text=text, field=field)
            batch.parked.append(Parked(message=message, case=case))
            held = True
        else:
            held = recovery.spent and message.lane == LANE_STREAM
            kind = getattr(error, "kind", "internal")
            batch.delayed.append(
                Delayed(
                    message=message,
                    due_at=recovery.due_at,
                    spent=recovery.spent,
                    holds=held,
                    kind=kind,
                    text=text,
                )
            )
        if message.lane != LANE_STREAM:
            return
        if held:
            holds[stream] = Hold(message=message.id, kind=message.kind, parked=isinstance(recovery, Park))
        elif stream in holds:
            batch.freed.append(stream)
            holds[stream] = FREED


def only_finished(batch: Batch) -> bool:
    """Whether no stream waits for another reason than before the batch, and nothing that is remembered of one must go."""
    stopped = batch.delayed or batch.parked or batch.waiting
    return not (stopped or batch.superseded or batch.freed or batch.unparked or batch.erased())


def _bare(error: Exception) -> Exception:
    """An error that is kept, without the frames that it passed: they hold bodies, and hold it, until garbage is collected."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if (
            each is not None and id(each) not in seen
        ):  # causes and contexts may lead back to where they came from
            seen.add(id(each))
            each.__traceback__ = None
            waiting += [each.__cause__, each.__context__]
    return error


def _is_ours(message: Message) -> bool:
    """Whether the engine decides on it: nobody else's message is one of ours, whatever kind its sender gave it."""
    return message.source == HUB and message.kind in ENGINE_KINDS


def _operator_action(message: Message) -> OperatorAction:
    try:
        return msgspec.json.decode(message.body, type=OperatorAction)
    except msgspec.DecodeError as error:
        raise MappingError(f"An operator's action cannot be read: {error}.", field="action") from error


def _timer(message: Message, timer: Timer) -> Arrival:
    return Arrival(
        source=HUB,
        kind=timer.kind,
        body=timer.data,
        subject=message.subject,
        lane=LANE_FREE,
        due_at=timer.due_at,
        parent=message.id,
        trace=message.trace,
    )
