"""Levels below zero: a case of the level, that closes itself once it stands again, whatever put it right.

One that was never counted is unknown, not negative: its movements are kept, and its location is asked for. A store whose stock was
never loaded sells thousands of SKUs: one case of the store, not one of each.
"""

from __future__ import annotations

import msgspec

from crossdock.domain.ledger import ON_HAND
from crossdock.engine.messages import HUB, LANE_FREE, Arrival, subject_id
from crossdock.flows.desk import SECOND, Desk

UNCOUNTED = "location.uncounted"
TURNED = "level.turned"
UNKNOWN = "stock.unknown"
NEGATIVE = "stock.negative"
DAY = 86_400 * SECOND
_encode = msgspec.json.Encoder().encode


class Uncounted(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something left a location that nobody ever counted there; or, `counted`, it has been counted now."""

    location: str
    sku: str = ""
    counted: bool = False


class Turned(msgspec.Struct, kw_only=True):
    """A level fell below zero, or rose to zero or above: look how it stands now. by: the subject whose message did it."""

    sku: str
    location: str
    by: int


def turned(desk: Desk, sku: str, location: str) -> None:
    """More has left than there was, or it stands again: a word to the level; to its location, where it was never counted."""
    if desk.ledger.as_of(sku, location):
        word = Turned(sku=sku, location=location, by=desk.message.subject)
        _tell(desk, TURNED, word, ("level", f"{sku}@{location}"), f"{sku}@{location}/{desk.message.id}")
    elif desk.ledger.bucket(sku, location, ON_HAND) < 0:
        # Once a day: what its other SKUs would say is the same.
        _tell_location(desk, Uncounted(location=location, sku=sku), f"{location}/{desk.now // DAY}")


def take_turned(desk: Desk, report: Turned) -> str:
    """Open or close the case of a level, as it stands now: words of it may cross. Returns the outcome."""
    on_hand = desk.ledger.bucket(report.sku, report.location, ON_HAND)
    about = f"{report.sku}@{report.location}"
    if on_hand >= 0:
        desk.close(NEGATIVE, f"It stands at {on_hand} since {subject_id(report.by)}.", about=about)
    else:
        desk.case(
            NEGATIVE,
            f"{report.sku} at {report.location} stands at {on_hand} since {subject_id(report.by)}: more left than there "
            "was. Count it there; the next snapshot puts it right.",
            about=about,
        )
    desk.event("message.noted", {"kind": TURNED})
    return "processed"


def counted(desk: Desk, location: str) -> None:
    """What had moved there before it was ever counted is counted now."""
    _tell_location(desk, Uncounted(location=location, counted=True), f"{location}/{desk.message.id}")


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


def _tell_location(desk: Desk, word: Uncounted, delivery: str) -> None:
    _tell(desk, UNCOUNTED, word, ("location", word.location), delivery)


def _tell(desk: Desk, kind: str, word: Turned | Uncounted, to: tuple[str, str], delivery: str) -> None:
    """A message to the subject that the case belongs to, so that any message can close it. The same delivery is taken once."""
    children = desk.decision.children
    if any(child.kind == kind and child.delivery_id == delivery for child in children):
        return
    ref_kind, ref = to
    children.append(
        Arrival(
            source=HUB,
            kind=kind,
            body=_encode(word),
            ref_kind=ref_kind,
            ref=ref,
            delivery_id=delivery,
            lane=LANE_FREE,
            parent=desk.message.id,
            trace=desk.message.trace,
        )
    )
