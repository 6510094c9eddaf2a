"""Copies: a tool copies the orders of one channel into another. Where both are connected only the one that was sold is sent.

The copy is kept, and tells the order that was sold of itself; it leads to nothing (RETAIL 5).
"""

from __future__ import annotations

import msgspec

from crossdock.domain.policy import Route
from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.flows.desk import SECOND, Again, Desk
from crossdock.model.order import Order

COPIED = "order.copied"
ALONE_S = 86_400
"""How long an order that was sold may be missing, of which a copy is here, before a person is told."""
AWAITED = "order.copy_awaited"
_encode = msgspec.json.Encoder().encode


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy tells the order that it is a copy of."""

    origin: str
    """The channel where it was sold."""
    channel: str
    reference: str
    number: str = ""


def copied_from(order: Order, route: Route) -> str:
    """What a first version is a copy of, as the process keeps it; "" where it is none that we know."""
    channel = route.copies.get(order.origin) if order.origin else None
    return f"{channel}:{order.origin_ref}" if channel else ""


def keep_copy(desk: Desk, order: Order, *, first: bool) -> None:
    """Tell the order that was sold of its copy; a copy that does not say which one it is of is a person's."""
    process, message = desk.process, desk.message
    channel, _, reference = process.copy_of.partition(":")
    desk.event("order.copy_kept", {"channel": channel, "reference": reference})
    if not first:
        return
    if not reference:
        desk.case(
            "order.copy_unnamed",
            f"Order {order.number or order.external_id} of {order.connection} is a copy of one of {channel} and does not say of "
            f"which. It is not sent. See that {channel} has told us of it, then resolve this.",
            field="origin_ref",
        )
        return
    told = Copied(origin=channel, channel=order.connection, reference=order.external_id, number=order.number)
    desk.decision.children.append(
        Arrival(
            source=HUB,
            kind=COPIED,
            body=_encode(told),
            ref_kind="order",
            ref=reference,
            ref_source=channel,
            lane=LANE_FREE,
            parent=message.id,
            trace=message.trace,
        )
    )


def take_copied(desk: Desk, copied: Copied) -> str:
    """Note a copy on the order that was sold, whether that has come or is still to come. Returns the outcome."""
    process = desk.process
    name = f"{copied.channel}:{copied.reference}"
    if name in process.copies:
        desk.event("order.copy_linked", {"channel": copied.channel, "reference": copied.reference})
        return "duplicate"
    process.copies.append(name)
    process.connection = process.connection or copied.origin
    desk.event("order.copy_linked", {"channel": copied.channel, "reference": copied.reference})
    if not process.known:
        desk.timer(AWAITED, desk.now + ALONE_S * SECOND, Again())
    return "processed"


def still_alone(desk: Desk) -> str:
    """A day after its copy an order has come, or a person is told. Returns the outcome."""
    process = desk.process
    if process.known:
        desk.event("order.came_in_time", {})
        return "stale"
    copies = ", ".join(process.copies)
    desk.event("order.missing", {"reports": len(process.copies)})
    desk.case(
        "order.copy_alone",
        f"{copies} is a copy of an order of {process.connection}, which has not come: nobody ships it. See why "
        f"{process.connection} does not tell us of it; it is sent as soon as it does.",
    )
    return "processed"
