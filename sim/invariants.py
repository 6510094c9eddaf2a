"""The invariants, kept at every step: from what the store has committed and what partners have really carried out.

This is a memory of its own, outside of the hub: it lives through every crash, and is compared with the store after each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from crossdock.domain.totals import check_totals
from crossdock.engine.lanes import Lane
from crossdock.engine.messages import LANE_STREAM, Arrival, Receipt
from crossdock.engine.performing import Attempted, Call
from crossdock.engine.port import Batch, ClaimedEffect, EffectResult, MarkResult
from crossdock.flows.documents import join_document
from crossdock.model.versions import is_newer
from crossdock.sdk.calls import Request
from crossdock.stores.reads import Reads
from sim.rows import Order, Staged, decode_order, stands
from sim.witness import Witness
from sim.world import SECOND, Violation, World

COUNTED = ("stock.snapshot", "shipment.created", "return.received")
TAKES = {"reserve", "allocate"}
LOOKED_UP = (
    "create_sale",
    "create_delivery",
    "create_invoice",
    "cancel_sale",
    "amend_sale",
    "release",
    "post_day",
    "create_credit",
    "credit_refund",
    "receive_return",
)


class Invariants(Witness):
    """Everything that must hold; each check raises Violation with its letter."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._reads: Reads | None = None
        self.versions: dict[int, int] = {}
        self.orders: dict[int, Order] = {}
        self.handled: dict[tuple[int, str], int] = {}
        self.stock: dict[tuple[str, str, str], int] = {}
        self.staged: dict[str, Staged] = {}
        self.queue: dict[tuple[str, int], list[int]] = {}
        self.keys: dict[int, str] = {}
        self.left: dict[int, str] = {}
        self.flying: dict[int, ClaimedEffect] = {}
        self.looked: set[int] = set()
        self.paused: dict[str, int] = {}
        self.told_of: dict[int, tuple[int, str, int]] = {}
        self.hopeless: set[tuple[str, str]] = set()
        """(connection, operation) that nobody can be asked about."""
        self.tokens: dict[str, tuple[float, int, int]] = {}
        """Calls that may go, and when that was so: by the hub's clock, which may jump, and in truth."""
        self.called: dict[int, int] = {}
        self.limits: dict[str, tuple[float, float]] = {}
        self.accepted_ids: dict[tuple[int, str, str], int] = {}
        self.shipped_at: dict[tuple[str, str], str] = {}
        self.doubtful: set[tuple[str, str]] = set()
        """Levels (SKU, warehouse) of a count that came after a later shipment was known: the next one is believed."""
        self.counted_at: dict[tuple[str, str], str] = {}
        self.decided_at: dict[tuple[str, str], str] = {}
        self.undecided: set[tuple[str, str]] = set()
        """Levels of a count that came after news of a later decision about goods that came back: the next one is believed."""
        self.peace: Callable[[str], int] = lambda name: 0
        """For how long a partner wants to be left alone, in microseconds from now."""
        self.strike: Callable[[str], None] = lambda name: None

    # The hub's lives

    def connect(self, reads: Reads) -> None:
        """A new life: a new reader."""
        self._reads = reads

    def begins(self, lanes: Mapping[str, Lane], now: int) -> None:
        """What the process knew by heart it has forgotten: pauses, paces, calls under way."""
        self.limits = {name: (lane.pace.rate, lane.pace.burst) for name, lane in lanes.items()}
        self.tokens = {name: (burst, now, self._world.now) for name, (_, burst) in self.limits.items()}
        self.hopeless = {
            (name, operation.name)
            for name, lane in lanes.items()
            for operation in lane.connector.spec.operations
            if operation.doubles == "none"
        }
        self.paused = {}
        self.flying, self.looked = {}, set()

    def crashed(self) -> None:
        """The process is gone."""
        self._reads = None

    # Messages

    def accepted(self, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """a, and one message per delivery id."""
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            word = "again" if receipt.duplicate else "in"
            self._world.tell(
                word, arrival.source, arrival.kind, arrival.ref, receipt.message, receipt.subject
            )
            if arrival.delivery_id and not receipt.conflict:
                key = (receipt.subject, arrival.source, arrival.delivery_id)
                known = self.accepted_ids.setdefault(key, receipt.message)
                if known != receipt.message:
                    raise Violation(
                        "a", f"Delivery {key} was kept twice: messages {known} and {receipt.message}."
                    )
        self._balance()

    def committed(self, batch: Batch) -> None:
        """A batch is written."""
        for f in batch.finished:
            m = f.message
            self._world.tell("done", m.id, m.source, m.kind, m.subject, f.outcome)
            self._in_order(f)
            self._counted(m, f.outcome)
            if any(case.reason == "stock.short" for case in f.cases):
                self.strike("scarce")
            if m.origin.startswith("replay") and not (" by " in m.origin and ": " in m.origin):
                raise Violation("j", f"Message {m.id} is a replay that names nobody: {m.origin!r}.")
            for stage in f.effects:
                self._stage(m.id, m.subject, f.effects.index(stage), stage)
        for d in batch.delayed:
            self._world.tell("later", d.message.id, d.kind, d.due_at - batch.now, d.holds)
        for p in batch.parked:
            self._world.tell("parked", p.message.id, p.message.kind, p.case.reason)
        for w in batch.waiting:
            self._world.tell("waits", w.id)
        for u in batch.unparked:
            self._world.tell("operator", u.action, u.case)
            if u.action in ("done", "drop") and u.case in self.told_of:
                self._leave(*self.told_of[u.case], "by hand")
        if batch.changes is not None:
            self._changes(batch.changes)
        self._balance()

    def _in_order(self, finished: Any) -> None:
        message = finished.message
        if message.lane != LANE_STREAM or finished.outcome != "processed":
            return
        stream = (message.subject, message.source)
        before = self.handled.get(stream, 0)
        if message.id <= before:
            raise Violation("order", f"Message {message.id} of stream {stream} was handled after {before}.")
        self.handled[stream] = message.id

    def _counted(self, message: Any, outcome: str) -> None:
        """A count that comes after news of a later shipment brings back what has left, until the next one."""
        if outcome != "processed" or message.kind not in COUNTED:
            return
        told = msgspec.json.decode(message.body)
        if message.kind == "return.received":
            for line in told["lines"]:
                key = (line["sku"], message.source)
                at = line.get("decided_at", line["received_at"])
                self.decided_at[key] = max(self.decided_at.get(key, ""), at)
            return
        if message.kind == "shipment.created":
            for line in told["lines"]:
                key = (line["sku"], message.source)
                self.shipped_at[key] = max(self.shipped_at.get(key, ""), told["shipped_at"])
            return
        for level in told["levels"]:
            key = (level["sku"], message.source)
            late = self.shipped_at.get(key, "") > told["as_of"]
            self.doubtful.add(key) if late else self.doubtful.discard(key)
            if told["as_of"] > self.counted_at.get(key, ""):
                self.counted_at[key] = told["as_of"]
                undecided = self.decided_at.get(key, "") > told["as_of"]
                self.undecided.add(key) if undecided else self.undecided.discard(key)

    def _changes(self, changes: Any) -> None:
        for row in changes.processes:
            self._version(row)
        self._move(changes)
        for posting in changes.postings:
            if sum(amount for _, amount in posting.entries):
                raise Violation("e", f"Posting {posting.reason} of {posting.subject} does not balance.")
        for document in changes.documents:
            order = join_document(document.value, b"")
            if order.commitment == "committed" and (wrong := check_totals(order)):
                raise Violation("d", f"Document {document.version} of {document.subject}: {wrong[0]}.")

    def _version(self, row: Any) -> None:
        """h: versions never go back, nor does what has left; g: nothing goes beyond what was there unseen."""
        if row.expected != self.versions.get(row.subject, 0):
            raise Violation(
                "h", f"Order {row.subject} was written over version {self.versions.get(row.subject)}."
            )
        self.versions[row.subject] = row.expected + 1
        now, before = decode_order(row.value), self.orders.get(row.subject)
        self.orders[row.subject] = now
        if before is not None:
            if before.version and now.version and is_newer(before.version, now.version):
                raise Violation("h", f"Order {row.subject} went from {before.version} back to {now.version}.")
            if before.cancelled and not now.cancelled:
                raise Violation("h", f"Order {row.subject} is not cancelled any more.")
            shipped = {line.id: line.shipped for line in now.lines}
            for line in before.lines:
                if line.shipped > shipped.get(line.id, 0):
                    raise Violation("h", f"Line {line.id} of order {row.subject} was un-shipped.")
        self._beyond(row.subject, now)

    def _beyond(self, subject: int, order: Order) -> None:
        """g: refunded <= captured, returned <= shipped <= ordered; what others did beyond that stands in a case."""
        for line in order.lines:
            sold = line.ordered > 0
            if sold and line.shipped > line.ordered and not stands(order, "shipment.beyond_order", line.id):
                raise Violation(
                    "g",
                    f"Of line {line.id} of order {subject} {line.shipped} left, {line.ordered} were ordered.",
                )
            if sold and line.returned > line.shipped and not stands(order, "return.beyond_shipped", line.id):
                raise Violation("g", f"Line {line.id} of order {subject} came back more often than it left.")
        refunded = sum(refund.total for refund in order.refunds if refund.done)
        paid = max(0, order.captured or order.total)
        if order.known and refunded > paid and not stands(order, "refund.beyond_captured", ""):
            raise Violation("g", f"Of order {subject} {refunded} were given back, and {paid} paid.")

    def _move(self, changes: Any) -> None:
        """f: a level is the sum of its movements; what we reserve is there."""
        stock = self.stock
        freed: tuple[str, str, int] | None = None
        for m in changes.movements:
            key = (m.sku, m.location, m.bucket)
            stock[key] = stock.get(key, 0) + m.quantity
            if m.reason in TAKES and m.quantity > 0 and freed != (m.sku, m.location, m.quantity):
                self._covers(m.sku, m.location)
            replaced = m.reason == "allocate" and m.bucket == "reserved"
            freed = (m.sku, m.location, -m.quantity) if replaced else None
        for level in changes.levels:
            for bucket in ("on_hand", "reserved", "allocated"):
                wanted = stock.get((level.sku, level.location, bucket), 0)
                if getattr(level, bucket) != wanted:
                    raise Violation(
                        "f",
                        f"{bucket} of {level.sku} at {level.location} is {getattr(level, bucket)}, moved {wanted}.",
                    )

    def _covers(self, sku: str, place: str) -> None:
        held = [self.stock.get((sku, place, bucket), 0) for bucket in ("on_hand", "reserved", "allocated")]
        if held[0] - held[1] - held[2] < 0:
            raise Violation(
                "f", f"{sku} at {place} was promised twice: on hand, reserved, allocated are {held}."
            )

    def _balance(self) -> None:
        """a: accepted = processed + unhandled + parked + in flight."""
        if self._reads is None:
            return
        for source, accepted, processed, unhandled, _, parked, flying in self._reads.rows("source_balance"):
            if accepted != processed + unhandled + parked + flying:
                raise Violation(
                    "a",
                    f"{source}: {accepted} accepted, {processed} processed, {unhandled} unhandled, {parked} parked, "
                    f"{flying} in flight.",
                )

    # Effects

    def _stage(self, message: int, subject: int, position: int, stage: Any) -> None:
        """c: a key names one command for ever."""
        key = f"{stage.connection}:{stage.operation}:{subject}:{stage.intent}"
        number = message * 1024 + position
        known = self.staged.get(key)
        if known is not None:
            if known.command != stage.command:
                raise Violation("c", f"{key} was staged for two different commands.")
            return
        self.staged[key] = Staged(number, key, stage.command, stage.document)
        self.queue.setdefault((stage.connection, subject), []).append(number)
        self._world.tell("stage", number, key)

    def claimed(self, effects: Sequence[ClaimedEffect], now: int) -> None:
        """Effects go one at a time, in the order staged, at their partner's pace."""
        for effect in effects:
            self._world.tell("claim", effect.id, effect.key, effect.attempt, effect.unclear)
            if effect.id in self.flying:
                raise Violation("c", f"{effect.key} was taken while it was under way.")
            if effect.id in self.left:
                raise Violation("c", f"{effect.key} was taken when it was over: {self.left[effect.id]}.")
            others = self.queue.get((effect.connection, effect.subject), [])
            if others and others[0] != effect.id:
                raise Violation("order", f"{effect.key} overtook {self._key_of(others[0])}.")
            self.flying[effect.id] = effect
            until = self.paused.get(effect.connection, 0)
            if now < until:
                raise Violation(
                    "pace", f"{effect.connection} asked for {(until - now) // SECOND} s of peace."
                )

    def _take_token(self, name: str, now: int) -> None:
        rate, burst = self.limits[name]
        if rate <= 0:
            return
        tokens, at, truly_at = self.tokens[name]
        passed = max(now - at, self._world.now - truly_at)
        tokens = min(burst, tokens + passed * rate / SECOND) - 1
        if tokens < -0.01:
            raise Violation("pace", f"More calls went to {name} than {rate:g} a second.")
        self.tokens[name] = (tokens, now, self._world.now)

    def _count_call(self, call: Call, now: int) -> None:
        """A call counts with its first request, however many effects it carries."""
        first = call.effects[0]
        if self.called.get(first.id) != first.attempt:
            self.called[first.id] = first.attempt
            self._take_token(call.connection, now)

    def _key_of(self, number: int) -> str:
        return next((s.key for s in self.staged.values() if s.id == number), str(number))

    def sending(self, call: Call, request: Request, now: int) -> None:
        """Nothing is sent after the lease; the key is the same each time; what is unclear is asked first."""
        self._count_call(call, now)
        for effect in call.effects:
            if now >= effect.lease_until:
                raise Violation("c", f"{effect.key} was sent {now - effect.lease_until} us after its lease.")
            if effect.unclear and (effect.connection, effect.operation) in self.hopeless:
                raise Violation("c", f"{effect.key} is in doubt, and was sent again.")
            if request.method == "GET":
                self.looked.add(effect.id)
                continue
            unclear = effect.unclear and effect.operation in LOOKED_UP
            if unclear and effect.id not in self.looked:
                raise Violation("c", f"{effect.key} may have happened, and was sent again unasked.")
        key = request.headers.get("idempotency-key", "")
        if key and all(key != effect.key for effect in call.effects):
            raise Violation("c", f"{call.effects[0].key} was sent under another key: {key}.")

    def learnt(self, attempt: Attempted, now: int) -> None:
        """A call is over; a partner that asked for peace is left in peace."""
        name, failure = attempt.connection, attempt.failure
        if failure is None:
            return
        if failure.kind == "throttled":
            until = now + min(self.peace(name), 3600 * SECOND)
            self.paused[name] = max(self.paused.get(name, 0), until)
        elif failure.kind == "credentials":
            self.paused[name] = now + 299 * SECOND

    def settled(self, results: Sequence[EffectResult]) -> None:
        """What became of attempts is written."""
        for result in results:
            effect = result.effect
            self._world.tell("settle", effect.id, effect.key, result.state, result.kind, result.unclear)
            self.flying.pop(effect.id, None)
            if result.state == "in_doubt":
                self.strike("no_keys")
            self.looked.discard(effect.id)
            if result.state == "done":
                self._leave(effect.id, effect.connection, effect.subject, "done")
            if result.state in ("done", "parked", "in_doubt") and result.reply is None:
                raise Violation("b", f"Nobody is told what became of {effect.key}.")
            done = effect.unclear or (effect.connection, effect.key) in self.documents
            if result.state in ("retry", "parked") and done and not result.unclear:
                raise Violation("c", f"{effect.key} may have happened; that was forgotten.")
        self._balance()

    def _leave(self, number: int, connection: str, subject: int, how: str) -> None:
        self.left[number] = how
        others = self.queue.get((connection, subject), [])
        if number in others:
            others.remove(number)

    def marks_settled(self, results: Sequence[MarkResult]) -> None:
        """Latest values are told."""
        for result in results:
            self._world.tell("told", result.mark.connection, result.mark.key, result.sent, result.kind)

    def asks(self, case: int, effect: int, connection: str, subject: int) -> None:
        """A person is about to say what became of the effect that a case is about."""
        self.told_of[case] = (effect, connection, subject)
