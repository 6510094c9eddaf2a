"""The state that a batch touches: each message decides on what those before it left, and one that fails leaves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossdock.domain.ledger import ALLOCATED, ELSEWHERE, ON_HAND, QUARANTINED, RESERVED, SAFETY, Ledger
from crossdock.domain.policy import Plan
from crossdock.domain.process import OrderProcess, TakenBack, decode_process, encode_process
from crossdock.domain.products import Catalogue
from crossdock.domain.state import (
    BUCKETS,
    Changes,
    DocumentRow,
    Movement,
    Needs,
    Posting,
    ProcessRow,
    Snapshot,
)
from crossdock.domain.status import status
from crossdock.engine.messages import (
    PAGE_PREFIX,
    Decision,
    Mark,
    Message,
    OperatorAction,
    Settled,
    subject_id,
)
from crossdock.errors import RejectedError
from crossdock.flows.announcing import Replay, take_replay
from crossdock.flows.cataloguing import take_price, take_product
from crossdock.flows.comparing import ADOPT_SALE, take_told_sale
from crossdock.flows.consequences import follow
from crossdock.flows.copying import Copied, take_copied
from crossdock.flows.day_book import DayBook, Touched
from crossdock.flows.desk import Again, Desk
from crossdock.flows.facts import FACTS, take_fact
from crossdock.flows.forgetting import (
    Forget,
    take_channel_erasure,
    take_data_request,
    take_erasure,
    take_forget,
)
from crossdock.flows.operating import take_action, take_timer
from crossdock.flows.polling import Tick, take_page, take_tick
from crossdock.flows.posting_sales import take_document, take_posted
from crossdock.flows.quantities import OPERATION, publishing_channels
from crossdock.flows.scales import Rounded, take_rounded
from crossdock.flows.settled import take_settled, tell_person
from crossdock.flows.stocking import take_stock
from crossdock.flows.store_days import DAY_TIMERS, take_day, take_day_timer, take_touched
from crossdock.flows.taking import take_order
from crossdock.flows.taking_back import UNSOLD, take_taken_back, take_unsold
from crossdock.flows.tills import take_ticket, take_upload
from crossdock.flows.uncounted import Turned, Uncounted, take_turned, take_uncounted, turned
from crossdock.model.finance import Posting as Told
from crossdock.model.reports import (
    ChannelErasureRequested,
    InvoiceReported,
    OrderReported,
    PersonDataRequested,
    PersonErasureRequested,
    PriceReported,
    ProductReported,
    StockReported,
    StoreDayReported,
    TicketReported,
    UploadReported,
)
from crossdock.sdk.telling import TELL

_AVAILABLE = {ON_HAND: 1, RESERVED: -1, ALLOCATED: -1, SAFETY: -1, QUARANTINED: -1, ELSEWHERE: -1}
_TILLS = (TicketReported, StoreDayReported, Touched, TakenBack, InvoiceReported)
_ORDERS = frozenset((OrderReported, Settled, OperatorAction, Again, Copied, Forget, *_TILLS, *FACTS))
_RANK = {"processed": 3, "stale": 2, "duplicate": 1, "unhandled": 0}


class RetailWorld:
    """Implements `engine.handling.World` over a snapshot."""

    def __init__(self, plan: Plan, needs: Needs, snapshot: Snapshot, revisions: Mapping[str, int]) -> None:
        self._plan = plan
        self._revisions = revisions
        self._stored = snapshot.orders
        self._seen = dict(snapshot.seen)
        self._levels = snapshot.levels
        self._ledger = Ledger(snapshot.levels, needs.skus, needs.cells, snapshot.unseen)
        self._book = DayBook(snapshot)
        self._catalogue = Catalogue(snapshot.products)
        self._processes: dict[int, OrderProcess] = {}
        self._documents: list[DocumentRow] = []
        self._movements: list[Movement] = []
        self._postings: list[Posting] = []
        self._channels = publishing_channels(plan)
        self._marks: dict[tuple[str, str], Mark] = {}
        self._serving: dict[str, tuple[str, ...]] = {}

    def handle(self, message: Message, reports: Any, now: int) -> Decision:
        """Decide on one message; the world is as before if it raises."""
        subject = message.subject
        held = self._processes.get(subject)
        before = encode_process(held) if held is not None else None
        about_order = False
        for report in reports:
            about_order = about_order or type(report) in _ORDERS
        process = held or (self._load(subject) if about_order else None)
        desk = Desk(
            message,
            now,
            process or OrderProcess(order=subject_id(subject)),
            plan=self._plan,
            ledger=self._ledger,
            catalogue=self._catalogue,
            book=self._book,
            kept_seen=self._seen,
            revision=self._revisions.get(message.source, 1),
        )
        try:
            outcome = self._decide(desk, reports, known=process is not None)
        except BaseException:
            self._ledger.undo()
            self._catalogue.undo()
            self._book.undo()
            if before is not None:
                self._processes[subject] = decode_process(before)
            raise
        desk.decision.outcome = outcome
        self._keep(desk, about_order=about_order and (process is not None or outcome == "processed"))
        return desk.decision

    def changes(self) -> Changes:
        """All that the handled messages changed."""
        return Changes(
            processes=[self._row(subject, process) for subject, process in self._processes.items()],
            documents=self._documents,
            levels=self._ledger.levels(),
            bases=self._levels,
            movements=self._movements,
            postings=self._postings,
            products=self._catalogue.changes(),
            tickets=self._book.rows,
            pulses=self._book.pulses(),
            unseen=self._ledger.unseen.changed(),
        )

    def _decide(self, desk: Desk, reports: Sequence[Any], *, known: bool) -> Any:
        if desk.message.kind.startswith(PAGE_PREFIX):
            return take_page(desk)
        if not reports:  # understood, and nothing follows from it: a warehouse that has a release in hand
            desk.event("message.noted", {"kind": desk.message.kind})
            return "processed"
        outcome = "unhandled"
        for report in reports:
            found = self._take(desk, report, known=known)
            if _RANK[found] > _RANK[outcome]:
                outcome = found
        if not desk.decision.events:
            desk.event("message.unhandled", {"kind": desk.message.kind})
        return outcome

    def _take(self, desk: Desk, report: Any, *, known: bool) -> str:
        if isinstance(report, OrderReported):
            return take_order(desk, report)
        if isinstance(report, TicketReported):
            return take_ticket(desk, report)
        if isinstance(report, FACTS):
            outcome = take_fact(desk, report)
            if outcome == "processed":
                follow(desk, str(report.__struct_config__.tag))
            return outcome
        if isinstance(report, Settled):
            return self._take_settled(desk, report, known=known)
        if isinstance(report, OperatorAction | Again):
            return self._take_own(desk, report, known=known)
        if isinstance(report, StockReported):
            return take_stock(desk, report)
        if isinstance(report, ProductReported):
            return take_product(desk, report)
        if isinstance(report, PriceReported):
            return take_price(desk, report)
        if isinstance(report, Replay):
            return take_replay(desk, report)
        if isinstance(report, Tick):
            return take_tick(desk, report)
        if isinstance(report, Uncounted):
            return take_uncounted(desk, report)
        if isinstance(report, Turned):
            return take_turned(desk, report)
        if isinstance(report, Copied):
            return take_copied(desk, report)
        if isinstance(report, Rounded):
            return take_rounded(desk, report)
        return self._take_persons(desk, report) or self._take_store(desk, report)

    @staticmethod
    def _take_persons(desk: Desk, report: Any) -> str:
        """What persons ask about themselves; "" where it is nothing of theirs."""
        if isinstance(report, Forget):
            outcome = take_forget(desk, report)
            follow(desk, "erasure")
            return outcome
        if isinstance(report, PersonErasureRequested):
            return take_erasure(desk, report)
        if isinstance(report, PersonDataRequested):
            return take_data_request(desk, report)
        return take_channel_erasure(desk, report) if isinstance(report, ChannelErasureRequested) else ""

    def _take_store(self, desk: Desk, report: Any) -> str:
        """What a store tells besides its tickets, and what an ERP tells of a posting."""
        if isinstance(report, StoreDayReported):
            return take_day(desk, report)
        if isinstance(report, Touched):
            return take_touched(desk, report)
        if isinstance(report, TakenBack):
            return take_taken_back(desk, report)
        if isinstance(report, UploadReported):
            return take_upload(desk, report)
        if isinstance(report, InvoiceReported):
            told = report.posting
            theirs = told.kind == "sale" or told.order_ref is not None
            return self._take_theirs(desk, told) if theirs else take_document(desk, report)
        return "unhandled"

    @staticmethod
    def _take_theirs(desk: Desk, told: Told) -> str:
        """What an ERP holds, whoever made it; it may be the sale that an order waits for."""
        before = desk.process.sale
        outcome = take_told_sale(desk, told)
        if desk.process.sale is not before:
            follow(desk, "effect")
        return outcome

    def _take_settled(self, desk: Desk, settled: Settled, *, known: bool) -> str:
        if known and settled.operation != TELL:
            outcome = take_settled(desk, settled)
            take_posted(desk, settled)
            follows = settled.operation in ("create_sale", "post_day", ADOPT_SALE) or desk.process.forget
            if settled.outcome != "done" or follows:
                follow(desk, "effect")  # of the others that are done nothing follows
            return outcome
        desk.event(f"effect.{settled.outcome}", {"operation": settled.operation, "intent": settled.intent})
        if settled.outcome != "done" and settled.code != "dropped":
            tell_person(desk, settled)
        return "unhandled"

    def _take_own(self, desk: Desk, report: OperatorAction | Again, *, known: bool) -> str:
        if not known:
            raise RejectedError(f"There is no order {desk.process.order}. See whether its message is parked.")
        day = desk.process.day
        if isinstance(report, Again) and desk.message.kind in DAY_TIMERS:
            return take_day_timer(desk, desk.message.kind, day) if day is not None else "unhandled"
        if isinstance(report, Again) and desk.message.kind == UNSOLD:
            return take_unsold(desk, report)
        if isinstance(report, Again):
            outcome = take_timer(desk, desk.message.kind, report)
        else:
            outcome = take_action(desk, report)
        follow(desk, "cancellation")
        return outcome

    def _keep(self, desk: Desk, *, about_order: bool) -> None:
        """Make the message's changes part of the world."""
        message, subject = desk.message, desk.message.subject
        if about_order:
            self._processes[subject] = desk.process
        for seen in desk.decision.seen:
            self._seen[subject, seen.source, seen.kind, seen.version] = seen.hash
        self._documents += desk.documents
        moves = self._ledger.keep()
        self._catalogue.keep()
        self._book.keep()
        self._look_at_zero(desk, moves)
        if self._channels and (moves or desk.publish):
            self._publish(desk, moves)
        now, number = desk.now, message.id
        self._movements += [
            Movement(subject, number, n, sku, location, BUCKETS[bucket], quantity, reason, now)
            for n, (sku, location, bucket, quantity, reason) in enumerate(moves)
        ]
        for n, (reason, entries) in enumerate(desk.postings):
            self._postings.append(Posting(subject, number, n, desk.process.currency, reason, entries, now))

    def _look_at_zero(self, desk: Desk, moves: Sequence[tuple[str, str, int, int, str]]) -> None:
        """Tell of a level that falls below zero, or stands again."""
        left: dict[tuple[str, str], int] = {}
        for sku, location, bucket, quantity, _ in moves:
            if bucket == ON_HAND:
                left[sku, location] = left.get((sku, location), 0) + quantity
        for (sku, location), quantity in left.items():
            now = self._ledger.bucket(sku, location, ON_HAND)
            if (now < 0) != (now - quantity < 0):  # once: every further sale would say the same
                turned(desk, sku, location)

    def _publish(self, desk: Desk, moves: Sequence[tuple[str, str, int, int, str]]) -> None:
        """Mark every SKU whose availability changed."""
        changed: dict[tuple[str, str], int] = {}
        for sku, location, bucket, quantity, _ in moves:
            cell = (sku, location)
            changed[cell] = changed.get(cell, 0) + _AVAILABLE.get(bucket, 0) * quantity
        news: dict[str, dict[str, None]] = {sku: dict.fromkeys(self._channels) for sku in desk.publish}
        for (sku, location), difference in changed.items():
            if difference and (channels := self._served_by(location)):
                news.setdefault(sku, {}).update(dict.fromkeys(channels))
        marks = desk.decision.marks
        for sku, told in news.items():
            marks += [self._mark(channel, sku) for channel in told]

    def _served_by(self, location: str) -> tuple[str, ...]:
        """The channels that are told quantities of this location: a till's sale is no news to those of other stores."""
        found = self._serving.get(location)
        if found is None:
            routes = self._plan.routes
            found = tuple(channel for channel in self._channels if location in routes[channel].locations)
            self._serving[location] = found
        return found

    def _mark(self, channel: str, sku: str) -> Mark:
        mark = self._marks.get((channel, sku))
        if mark is None:
            mark = self._marks[channel, sku] = Mark(connection=channel, operation=OPERATION, key=sku)
        return mark

    def _load(self, subject: int) -> OrderProcess | None:
        stored = self._stored.get(subject)
        return decode_process(stored.value) if stored is not None else None

    def _row(self, subject: int, process: OrderProcess) -> ProcessRow:
        stored = self._stored.get(subject)
        now = status(process)
        return ProcessRow(
            subject=subject,
            expected=stored.version if stored is not None else 0,
            value=encode_process(process),
            connection=process.connection,
            external_id=process.external_id,
            number=process.number,
            commitment=process.commitment,
            custody=now.custody,
            money=now.money,
            stage=now.stage,
            finished=now.finished,
            currency=process.currency,
            total=process.total,
            placed_at=process.placed_at,
        )
