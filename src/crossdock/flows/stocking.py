"""Stock as its master states it: the difference becomes movements, an older statement changes nothing (RETAIL 20)."""

from __future__ import annotations

from crossdock.domain.ledger import ELSEWHERE, INCOMING, ON_HAND, QUARANTINED, SAFETY
from crossdock.domain.policy import Plan
from crossdock.domain.state import BUCKETS
from crossdock.flows.desk import Desk, micros
from crossdock.model.reports import StockReported
from crossdock.model.stock import StockLevel


def take_stock(desk: Desk, report: StockReported) -> str:
    """Correct the levels of locations whose stock the source is master of. Returns the outcome."""
    counts = {"processed": 0, "stale": 0, "unhandled": 0}
    unknown: dict[str, None] = {}
    for level in report.levels:
        location = desk.place(level.location, level.location_ref)
        if not location:
            unknown[level.location or (level.location_ref.id if level.location_ref is not None else "")] = (
                None
            )
            counts["unhandled"] += 1
        elif level.on_hand is None or not _is_master(desk.plan, desk.message.source, location):
            counts["unhandled"] += 1
        else:
            counts[_correct(desk, level, location, level.on_hand)] += 1
    for name in unknown:
        desk.case(
            "location.unknown",
            f"{desk.message.source} states stock of location {name or '(none)'}, which none of ours is. Give one of our "
            "locations that code, or ignore it.",
            about=name,
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


def _is_master(plan: Plan, source: str, location: str) -> bool:
    """Of a location's stock the named authority is master; where it is the hub, whoever works there may count."""
    authority = plan.authority.stock
    if authority != "hub":
        return source == authority
    worker = plan.places[location].warehouse
    return source == worker or not worker


def _correct(desk: Desk, level: StockLevel, location: str, on_hand: int) -> str:
    ledger, sku = desk.ledger, level.sku
    as_of = micros(level.as_of) or desk.message.received_at
    known = ledger.known(sku, location)
    if known and as_of <= ledger.as_of(sku, location):
        return "stale"
    reason = "snapshot" if known else "opening"
    taken = sum(ledger.bucket(sku, location, BUCKETS.index(bucket)) for bucket in level.net_of)
    told = {
        ON_HAND: on_hand + taken,
        QUARANTINED: level.quarantined,
        ELSEWHERE: level.committed_elsewhere,
        INCOMING: level.incoming,
    }
    if level.safety_stock:
        told[SAFETY] = level.safety_stock
    for bucket, quantity in told.items():
        ledger.move(sku, location, bucket, quantity - ledger.bucket(sku, location, bucket), reason)
    ledger.stamp(sku, location, as_of)
    if not known:
        desk.publish[sku] = None
    return "processed"
