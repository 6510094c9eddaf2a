"""What a channel is told that it may sell."""

from __future__ import annotations

from collections.abc import Iterable

from crossdock.domain.policy import Plan
from crossdock.domain.state import Level
from crossdock.model.commands import SetQuantity

OPERATION = "set_quantities"


def published_quantity(plan: Plan, channel: str, sku: str, levels: Iterable[Level]) -> int | None:
    """Availability over the locations that serve the channel, less its buffer, never below zero.

    None is unknown: no level of any of them is known, or the channel is not published to. Then nothing is told: it is
    not zero, and not the last value either (RETAIL 25). levels: those of the SKU, others are passed over.
    """
    route = plan.routes.get(channel)
    if route is None or not route.publish:
        return None
    total: int | None = None
    for level in levels:
        if level.sku != sku or level.location not in route.locations:
            continue
        place = plan.places.get(level.location)
        safety = max(place.safety_stock if place is not None else 0, level.safety_stock)
        available = level.available + level.safety_stock - safety
        total = (total or 0) + max(0, available)
    return None if total is None else max(0, total - route.buffer)


def quantity_command(plan: Plan, channel: str, sku: str, levels: Iterable[Level]) -> SetQuantity | None:
    """The command of a mark on `set_quantities` by the levels as they are when it is sent; None sends nothing."""
    quantity = published_quantity(plan, channel, sku, levels)
    return None if quantity is None else SetQuantity(sku=sku, quantity=quantity)


def publishing_channels(plan: Plan) -> tuple[str, ...]:
    """The channels that are told quantities, in the order of the plan."""
    return tuple(
        channel
        for channel, route in plan.routes.items()
        if route.publish
        and OPERATION in plan.offers.get(channel, ())
        and plan.modes.get(channel) != "observe"
    )
