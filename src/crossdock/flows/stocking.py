"""Stock as its master states it: the difference becomes movements, an older statement changes nothing (RETAIL 20).

A statement is rebased by what its master has not seen at its time (docs/adr/0009): what left a shelf stands among the
unseen from the transaction that moved it until the effect that tells the master has settled.
"""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.domain.ledger import ELSEWHERE, INCOMING, ON_HAND, QUARANTINED, SAFETY
from crossdock.domain.policy import Plan
from crossdock.domain.process import Parcel
from crossdock.domain.state import BUCKETS, Unseen
from crossdock.engine.messages import ASKED_AT, HUB, Settled
from crossdock.flows.desk import SECOND, Desk, micros
from crossdock.flows.places import our_place
from crossdock.flows.scales import level_in_stock
from crossdock.flows.uncounted import counted, turned
from crossdock.model.ids import LocationId, Sku
from crossdock.model.reports import StockReported
from crossdock.model.stock import StockLevel

Moved = tuple[str, str, int]
"""(SKU, location, change of on hand)"""
Told = tuple[int, str]
COUNTED = ""
"""The master's name where nobody is told, because whoever works at a location counts what is there."""
_SALE, _EACH_SALE = ("post_day", ""), ("create_delivery", "delivery:handed_over")
_RETURN = ("create_credit", "credit")
RECEIVE_RETURN = "receive_return"


def take_stock(desk: Desk, report: StockReported) -> str:
    """Correct the levels of locations whose stock the source is master of. Returns the outcome."""
    counts = {"processed": 0, "stale": 0, "unhandled": 0}
    unknown: dict[str, str] = {}
    named: dict[str, list[StockLevel]] = {}
    for n, (level, location) in enumerate(placed(desk.plan, report)):
        if not location:
            name = level.location or (level.location_ref.id if level.location_ref is not None else "")
            unknown.setdefault(name, f"levels[{n}].{'location' if level.location else 'location_ref'}")
            counts["unhandled"] += 1
            continue
        if not _is_master(desk.plan, desk.message.source, location):
            counts["unhandled"] += 1
            continue
        named.setdefault(location, []).append(level)
        if level.on_hand is None:
            counts["unhandled"] += 1
        else:
            counts[_correct(desk, level, location)] += 1
    if report.complete:
        for location, levels in named.items():
            for left_out in _left_out(desk, location, levels):
                counts[_correct(desk, left_out, location)] += 1
    for name, field in unknown.items():
        desk.case(
            "location.unknown",
            f"{desk.message.source} states stock of location {name or '(none)'}, which none of ours is. Give one of our "
            "locations that code, or ignore it.",
            about=name,
            field=field,
        )
    desk.event(
        "stock.reported",
        {
            "source": desk.message.source,
            "applied": counts["processed"],
            "older": counts["stale"],
            "ignored": counts["unhandled"],
        },
    )
    return next((outcome for outcome, count in counts.items() if count), "processed")


def placed(plan: Plan, report: StockReported) -> Iterator[tuple[StockLevel, str]]:
    """Every level with our location of it, "" where it is none of ours."""
    known: dict[tuple[str, str], str] = {}
    for level in report.levels:
        ref = level.location_ref
        name = (level.location, ref.id if ref is not None else "")
        if name not in known:
            known[name] = our_place(plan, level.location, ref)
        yield level, known[name]


def counts_itself(plan: Plan) -> bool:
    """Whether stock's master sees what leaves, because it works there; else it is told by us, and sees it then."""
    return plan.authority.stock == HUB


def left(desk: Desk) -> None:
    """What parcels moved is unseen from now on; once each, and only when its levels were moved."""
    process = desk.process
    for parcel in process.shipments:
        if parcel.unseen or not parcel.booked:
            continue
        entries = [entry for entry in parcel.booked if entry.sku and entry.location]
        if not all(desk.ledger.at_hand(entry.sku, entry.location) for entry in entries):
            continue  # owed: the message that pays it comes here again
        parcel.unseen = True
        moved_at = micros(parcel.shipment.shipped_at)
        for entry in entries:
            _raise(
                desk,
                (entry.sku, entry.location, -entry.quantity),
                ("create_delivery", f"delivery:{parcel.key}") if parcel.lines else ("", ""),
                moved_at,
            )


def come_back(desk: Desk, parcel: Parcel) -> None:
    """A parcel is about to be taken back: unless the master is told of it already, it has never moved."""
    if not parcel.unseen or "create_delivery" in parcel.told:
        return
    parcel.unseen = False
    moved_at = micros(parcel.shipment.shipped_at)
    for entry in parcel.booked:
        if entry.sku and entry.location:
            _raise(
                desk,
                (entry.sku, entry.location, entry.quantity),
                ("create_delivery", f"delivery:{parcel.key}"),
                moved_at,
            )


def handed_over(desk: Desk, moved: Moved, moved_at: int, day: str) -> None:
    """A till has sold goods (negative) or taken them back, as a ticket of a store day; their level is at hand.

    A count that was made after it, and came before it, holds it already: the movement is put right (RETAIL 20).
    """
    (sku, location, quantity), route = moved, desk.route
    if counts_itself(desk.plan):
        if moved_at and desk.ledger.as_of(sku, location) > moved_at:
            desk.ledger.move(sku, location, ON_HAND, -quantity, "correction")
            return
        how = ("", "")
    elif quantity > 0:
        how = _RETURN
    else:
        how = _EACH_SALE if route is not None and route.post == "each" else _SALE
    _raise(desk, moved, how, moved_at, day)


def came_back(desk: Desk, moved: Moved, came_at: int, told: Told) -> bool:
    """Goods of an order came back to where they are counted: a count of later holds them, one of before does not.

    Where another system is master of the stock and learns of them by us, they are unseen until it has.
    told: how much of the movement that is, and the intent that tells it.
    Returns whether a count has held them already, so that the movement was put right.
    """
    sku, location, quantity = moved
    if not desk.ledger.at_hand(sku, location):
        return False
    if not counts_itself(desk.plan):
        waiting, intent = told
        _raise(desk, (sku, location, waiting), (RECEIVE_RETURN, intent), came_at)
        return False
    if came_at and desk.ledger.as_of(sku, location) >= came_at:
        desk.ledger.move(sku, location, ON_HAND, -quantity, "correction")
        return True
    _raise(desk, moved, ("", ""), came_at)
    return False


def told_together(desk: Desk, day: str, tickets: tuple[int, ...], intent: str) -> None:
    """Tickets (their subjects) of a store day are told by one posting of it."""
    if not counts_itself(desk.plan):
        token = _day_token(desk.process.connection, day)
        desk.ledger.unseen.joins(token, tickets, token_of(desk.process.order, intent))


def told(desk: Desk, settled: Settled) -> None:
    """An effect on the stock's master is over: its statements hold what it told, from when it was booked on.

    Where the master says when that was, a statement that came before its answer is put right: it held it already. Where
    it does not, a statement of that moment counts as one that does not, so that no unit is sold twice.
    """
    authority = desk.plan.authority
    if settled.connection != authority.stock:
        return
    if settled.outcome != "done" and settled.code != "dropped":
        return
    lag = int(authority.stock_lag_s * SECOND)
    sure = settled.booked_at if settled.outcome == "done" else desk.now
    seen_at = (sure or desk.now + int(authority.stock_clock_s * SECOND)) + lag
    for (sku, location), quantity in desk.ledger.unseen.tells(
        token_of(desk.process.order, settled.intent), seen_at
    ):
        if sure and desk.ledger.as_of(sku, location) >= seen_at:
            desk.ledger.move(sku, location, ON_HAND, -quantity, "correction")


def token_of(order: str, intent: str) -> str:
    """The name, among the unseen, of what one effect tells."""
    return f"{order} {intent}"


def _day_token(connection: str, day: str) -> str:
    return f"{connection} {day}"


def _raise(desk: Desk, moved: Moved, how: tuple[str, str], moved_at: int, day: str = "") -> None:
    """how: operation and intent that tell the master; a posting of a day has no intent yet, so its day names it."""
    (sku, location, quantity), (operation, intent) = moved, how
    process, plan, now = desk.process, desk.plan, desk.now
    if counts_itself(plan):
        seen_at = moved_at or desk.message.received_at
        if seen_at > desk.ledger.as_of(sku, location):
            token = token_of(process.order, str(desk.message.id))
            desk.ledger.unseen.raises(Unseen(sku, location, seen_at, token, 0, COUNTED, quantity), now)
        return
    master, route = plan.authority.stock, desk.route
    if not operation or route is None or route.erp != master or not desk.may(master, operation):
        return  # others tell it, so its statements stand as they are
    if intent:
        row = Unseen(sku, location, 0, token_of(process.order, intent), 0, master, quantity)
    else:
        number = desk.message.subject
        row = Unseen(sku, location, 0, _day_token(process.connection, day), number, master, quantity)
    desk.ledger.unseen.raises(row, now)


def _is_master(plan: Plan, source: str, location: str) -> bool:
    """Of a location's stock the named authority is master; where it is the hub, whoever works there may count."""
    authority = plan.authority.stock
    if authority != HUB:
        return source == authority
    worker = plan.places[location].warehouse
    return source == worker or not worker


def _left_out(desk: Desk, location: str, levels: list[StockLevel]) -> list[StockLevel]:
    """A complete snapshot says of what it does not name that none is there, as of its earliest level."""
    named = {level.sku for level in levels}
    moment = min((level.as_of for level in levels if level.as_of is not None), default=None)
    return [
        StockLevel(sku=Sku(sku), location=LocationId(location), on_hand=0, as_of=moment)
        for sku in desk.ledger.at(location)
        if sku not in named and desk.ledger.known(sku, location)
    ]


def _stated_at(desk: Desk, level: StockLevel) -> int:
    """The moment of a statement: its own, else when it was asked for, else when it came."""
    if level.as_of is not None:
        return micros(level.as_of)
    asked = desk.message.headers.get(ASKED_AT, "")
    return int(asked) if asked.isascii() and asked.isdigit() else desk.message.received_at


def _correct(desk: Desk, level: StockLevel, location: str) -> str:
    ledger, sku = desk.ledger, level.sku
    as_of = _stated_at(desk, level)
    known = ledger.known(sku, location)
    if known and as_of <= ledger.as_of(sku, location):
        return "stale"
    level = level_in_stock(desk, level)
    on_hand = level.on_hand or 0
    reason = "snapshot" if known else "opening"
    taken = sum(ledger.bucket(sku, location, BUCKETS.index(bucket)) for bucket in level.net_of)
    master = COUNTED if counts_itself(desk.plan) else desk.plan.authority.stock
    told = {
        ON_HAND: on_hand + taken + ledger.unseen.waiting(sku, location, master, as_of),
        QUARANTINED: level.quarantined,
        ELSEWHERE: level.committed_elsewhere,
        INCOMING: level.incoming,
    }
    if level.safety_stock:
        told[SAFETY] = level.safety_stock
    for bucket, quantity in told.items():
        ledger.move(sku, location, bucket, quantity - ledger.bucket(sku, location, bucket), reason)
    unknown = known and not ledger.as_of(sku, location)
    ledger.stamp(sku, location, as_of)
    ledger.unseen.forgets(sku, location, as_of)
    if unknown:
        counted(desk, location)
        if ledger.bucket(sku, location, ON_HAND) < 0:
            turned(desk, sku, location)
    if not known:
        desk.publish[sku] = None
    return "processed"
