"""Levels below zero. One that was never counted is unknown, not negative: its movements are kept, and its location is asked for.

A store whose stock was never loaded sells thousands of SKUs: one case of the store, not one of each.
"""

from __future__ import annotations

import msgspec

from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.flows.desk import SECOND, Desk

UNCOUNTED = "location.uncounted"
UNKNOWN = "stock.unknown"
NEGATIVE = "stock.negative"
DAY = 86_400 * SECOND
_encode = msgspec.json.Encoder().encode


class Uncounted(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something left a location that nobody ever counted there; or, `counted`, it has been counted now."""

    location: str
    sku: str = ""
    counted: bool = False


def below_zero(desk: Desk, sku: str, location: str) -> None:
    """More has left than there was: of a level that was counted a case of its own, else a word to its location."""
    if desk.ledger.as_of(sku, location):
        desk.case(
            NEGATIVE,
            f"More of {sku} left {location} than it had. Count it there; the next snapshot puts it right.",
            about=f"{sku}@{location}",
        )
        return
    # Once a day: what its other SKUs would say is the same.
    _tell(desk, Uncounted(location=location, sku=sku), f"{location}/{desk.now // DAY}")


def counted(desk: Desk, location: str) -> None:
    """What had moved there before it was ever counted is counted now."""
    _tell(desk, Uncounted(location=location, counted=True), f"{location}/{desk.message.id}")


def take_uncounted(desk: Desk, report: Uncounted) -> str:
    """Open or close the case of a location. Returns the outcome."""
    location = report.location
    if report.counted:
        desk.close(UNKNOWN, "Its stock was told.", about=location)
    else:
        desk.case(
            UNKNOWN,
            f"The stock of {location} was never told, and {report.sku} left it: what it has is unknown. Load its stock; or, if "
            f"none is kept there, set stocked = false under [locations.{location}] and close this case.",
            about=location,
        )
    desk.event("message.noted", {"kind": UNCOUNTED})
    return "processed"


def _tell(desk: Desk, word: Uncounted, delivery: str) -> None:
    """A message to the location itself, whose subject its case belongs to. The same delivery is taken once."""
    children = desk.decision.children
    if any(child.kind == UNCOUNTED and child.delivery_id == delivery for child in children):
        return
    children.append(
        Arrival(
            source=HUB,
            kind=UNCOUNTED,
            body=_encode(word),
            ref_kind="location",
            ref=word.location,
            delivery_id=delivery,
            lane=LANE_FREE,
            parent=desk.message.id,
            trace=desk.message.trace,
        )
    )
