"""The trade, as the engine sees it: what arrives is understood by connectors, and decided on by flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from crossdock.domain.overlaying import Version, can_lie_over, laid_over
from crossdock.domain.policy import Plan
from crossdock.domain.process import TakenBack
from crossdock.domain.state import Changes, Needs, Snapshot
from crossdock.domain.tickets import moves_stock
from crossdock.engine.messages import (
    ASKED_AT,
    HUB,
    LANE_FREE,
    LANE_STREAM,
    OPERATOR,
    PAGE_PREFIX,
    SETTLED,
    TICK,
    UNREADABLE,
    Arrival,
    Message,
    OperatorAction,
    Settled,
    subject_id,
)
from crossdock.errors import ConfigurationError, MappingError
from crossdock.flows.announcing import REPLAY, Replay
from crossdock.flows.copying import COPIED, Copied
from crossdock.flows.day_book import TOUCHED, Touched, day_ref, store_place, ticket_date, told_store
from crossdock.flows.desk import SECOND, Again, moment
from crossdock.flows.facts import FACTS, fact_seen
from crossdock.flows.forgetting import FORGET, Forget
from crossdock.flows.operating import TIMERS
from crossdock.flows.polling import Tick
from crossdock.flows.scales import ROUNDED, Rounded
from crossdock.flows.stocking import placed, token_of
from crossdock.flows.store_days import COUNT, DAY_TIMERS
from crossdock.flows.taking import seen_kind
from crossdock.flows.taking_back import TAKEN_BACK, UNSOLD, till_of
from crossdock.flows.tills import ticket_kind
from crossdock.flows.uncounted import TURNED, UNCOUNTED, Turned, Uncounted
from crossdock.flows.watching import WATCH, following
from crossdock.flows.world import RetailWorld
from crossdock.model.order import Order
from crossdock.model.reports import (
    CancellationAnswered,
    InvoiceReported,
    OrderReported,
    PriceReported,
    ProductReported,
    StockReported,
    StoreDayReported,
    TicketReported,
)
from crossdock.model.versions import is_newer
from crossdock.sdk.spec import Connector, Inbound, Translation

API = "api"
CANONICAL = "order.canonical"
_OWN: dict[str, msgspec.json.Decoder[Any]] = {
    SETTLED: msgspec.json.Decoder(Settled),
    OPERATOR: msgspec.json.Decoder(OperatorAction),
    TICK: msgspec.json.Decoder(Tick),
    REPLAY: msgspec.json.Decoder(Replay),
    FORGET: msgspec.json.Decoder(Forget),
    UNCOUNTED: msgspec.json.Decoder(Uncounted),
    TURNED: msgspec.json.Decoder(Turned),
    COPIED: msgspec.json.Decoder(Copied),
    ROUNDED: msgspec.json.Decoder(Rounded),
    **{kind: msgspec.json.Decoder(Again) for kind in (*TIMERS, *DAY_TIMERS, UNSOLD)},
}
_TOLD: dict[str, msgspec.json.Decoder[Any]] = {
    TOUCHED: msgspec.json.Decoder(Touched),
    TAKEN_BACK: msgspec.json.Decoder(TakenBack),
}
"""What tickets tell their days and one another."""
_TOLD_INBOUND = {
    TOUCHED: Inbound(kind=TOUCHED, doc="A ticket came for a store day that is not open", overtakes=True),
    TAKEN_BACK: Inbound(kind=TAKEN_BACK, doc="A ticket took back what another sold", overtakes=True),
}
_order = msgspec.json.Decoder(Order)
_API_INBOUND = Inbound(
    kind=CANONICAL, doc="One version of an order, in the canonical model", whole_object=True
)
_UNREADABLE_INBOUND = Inbound(kind=UNREADABLE, doc="A delivery whose key could not be read")


class RetailHandler:
    """Implements `engine.handling.Handler` for a plan and its connections' connectors, by name of the connection."""

    read = ()
    """Nothing is read before its turn: see `bootstrap.reading`."""

    def __init__(self, plan: Plan, connectors: Mapping[str, Connector]) -> None:
        self._plan = plan
        self._connectors = connectors
        self._revisions = {name: connector.spec.mapping_revision for name, connector in connectors.items()}

    def inbound(self, source: str, kind: str) -> Inbound | None:
        """What is known of a kind of message; None keeps it unhandled."""
        if source == HUB:
            return Inbound(kind=kind, doc="A message of our own", overtakes=True) if kind in _OWN else None
        if source == API:
            return _API_INBOUND if kind == CANONICAL else None
        connector = self._connectors.get(source)
        if connector is None:
            return None
        if kind in _TOLD_INBOUND:
            return _TOLD_INBOUND[kind]
        return _UNREADABLE_INBOUND if kind == UNREADABLE else connector.spec.understands(kind)

    def split(self, message: Message) -> list[Arrival] | None:
        """The children of a page, file or upload, each a message of its own; None for a single message."""
        connector = self._connectors.get(message.source)
        if connector is None or message.kind in _TOLD:
            return None
        if message.kind == UNREADABLE:
            return [_gated(connector, message)]
        children = connector.split(message.kind, message.body)
        if children is None:
            return [] if message.kind.startswith(PAGE_PREFIX) else None
        arrivals = []
        asked = {ASKED_AT: at} if (at := message.headers.get(ASKED_AT, "")) else {}
        for n, child in enumerate(children):
            known = connector.spec.understands(child.kind)
            arrivals.append(
                Arrival(
                    source=message.source,
                    kind=child.kind,
                    body=child.body,
                    ref_kind=child.ref_kind,
                    ref=child.ref if child.ref_source in ("", *self._plan.routes) else "",
                    ref_source=child.ref_source,
                    delivery_id=child.delivery_id,
                    lane=LANE_FREE if known is not None and known.overtakes else LANE_STREAM,
                    received_at=message.received_at,
                    due_at=message.received_at + int(child.after_s * SECOND) if child.after_s else 0,
                    trace=message.trace,
                    parent=message.id,
                    position=n,
                    origin=message.origin,
                    headers=asked,
                )
            )
        return arrivals

    def translate(self, message: Message) -> tuple[Any, ...]:
        """Reports of a message; a MappingError names the field that cannot be understood."""
        if message.kind == UNREADABLE or message.kind.startswith(PAGE_PREFIX):
            return ()
        if message.source == HUB:
            return (_decode(_OWN[message.kind], message),)
        if message.source == API:
            return (OrderReported(order=_canonical(_decode(_order, message), message)),)
        connector = self._connectors.get(message.source)
        if connector is None:
            raise ConfigurationError(
                f"Message {message.id} came from {message.source}, which is no connection any more. Configure it, then retry."
            )
        if message.kind in _TOLD:
            return (_decode(_TOLD[message.kind], message),)
        context = Translation(
            connection=message.source,
            subject=message.subject_id,
            received_at=moment(message.received_at).isoformat(),
        )
        return connector.translate(message.kind, message.headers, message.body, context)

    def newer(self, reports: Sequence[Any], than: Sequence[Any]) -> bool:
        """True where both tell of an order, and the first of a newer version of it."""
        first, second = (
            next((r.order.version for r in told if isinstance(r, OrderReported)), "")
            for told in (reports, than)
        )
        return bool(first and second) and is_newer(first, second)

    def needs(self, batch: Sequence[tuple[Message, Any]]) -> Needs:
        """Orders, SKUs and versions that a batch touches, each once, in the order met."""
        wanted = _Wanted(self._plan)
        for message, reports in batch:
            for report in reports:
                wanted.add(report, message, self._revisions.get(message.source, 1))
        return Needs(
            orders=tuple(wanted.orders),
            skus=tuple(wanted.skus),
            seen=tuple(wanted.seen),
            cells=tuple(wanted.cells),
            cards=tuple(wanted.cards),
            days=tuple(wanted.days),
            tickets=tuple(wanted.tickets),
            runs=tuple(wanted.runs),
            firsts=tuple(wanted.firsts),
            pulses=tuple(wanted.pulses),
            places=tuple(wanted.places),
            unseen=tuple(wanted.unseen),
            tokens=tuple(wanted.tokens),
        )

    def world(self, needs: Needs, snapshot: Snapshot) -> RetailWorld:
        """A world over what was loaded."""
        return RetailWorld(self._plan, needs, snapshot, self._revisions)

    def laid_over(
        self,
        needs: Needs,
        load: Callable[[Needs], Snapshot],
        changes: Changes,
        seen: Mapping[Version, str],
    ) -> Snapshot | None:
        """What is loaded, with what a batch that is being written has decided; None where that must be waited for."""
        if not can_lie_over(needs, changes):
            return None
        return laid_over(needs, load(needs), changes, seen)


class _Wanted:
    """What reports need, each once, in the order met."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.orders: dict[int, None] = {}
        self.skus: dict[str, None] = {}
        self.seen: dict[tuple[int, str, str, str], None] = {}
        self.cells: dict[tuple[str, str], None] = {}
        self.cards: dict[str, None] = {}
        self.days: dict[tuple[str, str], None] = {}
        self.tickets: dict[tuple[str, str, str], None] = {}
        self.runs: dict[tuple[str, str, str], None] = {}
        self.firsts: dict[tuple[str, str, str], None] = {}
        self.pulses: dict[str, None] = {}
        self.places: dict[str, None] = {}
        self.unseen: dict[tuple[str, str], None] = {}
        self.tokens: dict[str, None] = {}

    def add(self, report: Any, message: Message, revision: int) -> None:
        if isinstance(report, OrderReported):
            self.orders[message.subject] = None
            self.seen[message.subject, message.source, seen_kind(revision), report.order.version] = None
            self._lines(report.order.lines)
            for shipment in report.shipments:
                self._lines(shipment.lines)
        elif isinstance(report, TicketReported):
            self._ticket(report, message, revision)
        elif isinstance(report, FACTS):
            self.orders[message.subject] = None
            kind, version, _ = fact_seen(report)
            if version:
                self.seen[message.subject, message.source, kind, version] = None
            for name in ("shipment", "refund", "goods_return"):
                self._lines(getattr(getattr(report, name, None), "lines", ()))
            self._lines(getattr(report, "lines", ()))
            if isinstance(report, CancellationAnswered):
                self._lines(report.accepted)
                self._lines(report.refused)
        elif isinstance(report, Settled | OperatorAction | InvoiceReported | TakenBack | Forget):
            self.orders[message.subject] = None
            if isinstance(report, Settled) and report.connection == self._plan.authority.stock:
                self.tokens[token_of(message.subject_id, report.intent)] = None
        elif isinstance(report, Copied):
            self.orders[message.subject] = None
        elif isinstance(report, Again):
            self.orders[message.subject] = None
            self.skus.update(dict.fromkeys(report.skus))
            self._day_timer(report, message.kind)
        elif isinstance(report, StoreDayReported):
            self.orders[message.subject] = None
            version = report.store_day.version or "1"
            self.seen[message.subject, message.source, "store_day", version] = None
        elif isinstance(report, Touched):
            self.orders[message.subject] = None
            self._day(message.source, report.store, report.date.isoformat())
        elif isinstance(report, StockReported):
            self._levels(report)
        elif isinstance(report, Turned):
            self.cells[report.sku, report.location] = None
        elif isinstance(report, ProductReported):
            self.skus[report.product.sku] = None
        elif isinstance(report, PriceReported):
            self.skus[report.price.sku] = None

    def _ticket(self, report: TicketReported, message: Message, revision: int) -> None:
        """A ticket's day, and the levels of its own store alone: those of hundreds of others are nothing to it."""
        ticket, plan = report.ticket, self._plan
        self.orders[message.subject] = None
        self.seen[message.subject, message.source, ticket_kind(revision), ticket.version or "1"] = None
        store = told_store(ticket.location, ticket.location_ref)
        place = store_place(plan, store)
        date = ticket_date(plan, ticket, place) if place is not None else None
        if place is None or date is None:
            return
        self.days[message.source, day_ref(store, date.isoformat())] = None
        if ticket.sale is not None and not ticket.training:
            for line in ticket.sale.lines:
                if moves_stock(line):
                    self.cells[line.sku, place.id] = None
                    self.cards[line.sku] = None

    def _day(self, *day: str) -> None:
        """Every ticket of a day (connection, store, date), and which numbers its tills had used before."""
        connection, store, date_ = day
        self.tickets[connection, store, date_] = self.runs[connection, store, date_] = None

    def _levels(self, report: StockReported) -> None:
        """The levels that a statement is about, and what its master has not seen of them; of a complete one, all."""
        for level, place in placed(self._plan, report):
            if place:
                self.cells[level.sku, place] = None
                self.cards[level.sku] = None
                self.unseen[level.sku, place] = None
                if report.complete:
                    self.places[place] = None

    def _day_timer(self, again: Again, kind: str) -> None:
        if kind == COUNT:
            store, _, day = again.intent.rpartition("/")
            self._day(again.request, store, day)
        elif kind == UNSOLD:
            store, till, _ = till_of(again.intent)
            self.firsts[again.request, store, till] = None
        elif kind == WATCH:
            self.pulses[again.request] = None
            store, _, day = again.intent.rpartition("/")
            for later in following(date.fromisoformat(day)):
                self.days[again.request, day_ref(store, later)] = None

    def _lines(self, lines: Sequence[Any]) -> None:
        skus = self.skus
        for line in lines:
            if line.sku:
                skus[line.sku] = None


def _canonical(order: Order, message: Message) -> Order:
    if order.id and order.id != subject_id(message.subject):
        raise MappingError(
            f"The order names {order.id} as its id, but stands under {message.subject_id}. Leave the id out.",
            field="id",
        )
    return order


def _gated(connector: Connector, message: Message) -> Arrival:
    """The delivery that the gate could not read, by its key; the MappingError again while it cannot be read."""
    gate = connector.gate(message.headers, message.body)
    known = connector.spec.understands(gate.kind)
    return Arrival(
        source=message.source,
        kind=gate.kind,
        body=message.body,
        headers=message.headers,
        ref_kind=gate.ref_kind,
        ref=gate.ref,
        delivery_id=gate.delivery_id,
        lane=LANE_FREE if known is not None and known.overtakes else LANE_STREAM,
        received_at=message.received_at,
        trace=message.trace,
        parent=message.id,
        origin=message.origin,
    )


def _decode(decoder: msgspec.json.Decoder[Any], message: Message) -> Any:
    try:
        return decoder.decode(message.body)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        place = str(error).rpartition("at `$")[2].rstrip("`").lstrip(".")
        raise MappingError(
            f"{message.kind} cannot be read: {error}. Correct the body.", field=place
        ) from error
    except msgspec.DecodeError as error:
        raise MappingError(f"{message.kind} is not JSON: {error}. Correct the body.", field="") from error
