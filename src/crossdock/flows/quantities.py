"""What a channel is told that it may sell."""

from __future__ import annotations

from collections.abc import Iterable

from crossdock.domain.policy import Plan
from crossdock.domain.state import Level
from crossdock.model.commands import SetQuantity

OPERATION = "set_quantities"


class Offer:
    """What one channel is told, worked out from its locations once: a SKU may lie in hundreds of them."""

    __slots__ = ("_buffer", "_floors")

    def __init__(self, plan: Plan, channel: str) -> None:
        route = plan.routes.get(channel)
        served = route.locations if route is not None and route.publish else ()
        self._buffer = route.buffer if route is not None else 0
        # Safety stock of each location that serves the channel.
        self._floors = {
            name: place.safety_stock if (place := plan.places.get(name)) else 0 for name in served
        }

    def quantity(self, sku: str, levels: Iterable[Level]) -> int | None:
        """Availability over the locations that serve the channel, less its buffer, never below zero.

        None is unknown: no level of any of them is known, or the channel is not published to. Then nothing is told: it is
        not zero, and not the last value either (RETAIL 25). levels: those of the SKU, others are passed over.
        """
        floors, known, total = self._floors, False, 0
        for level in levels:
            floor = floors.get(level.location)
            if floor is None or level.sku != sku:
                continue
            known = True
            free = level.available
            if floor > level.safety_stock:
                free -= floor - level.safety_stock
            if free > 0:
                total += free
        return max(0, total - self._buffer) if known else None

    def command(self, sku: str, levels: Iterable[Level]) -> SetQuantity | None:
        """The command of a mark on `set_quantities` by the levels as they are when it is sent; None sends nothing."""
        quantity = self.quantity(sku, levels)
        return None if quantity is None else SetQuantity(sku=sku, quantity=quantity)

    def commands(self, skus: Iterable[str], levels: Iterable[Level]) -> dict[str, tuple[str, SetQuantity]]:
        """(value, command) of each SKU that something is known of, as a publisher takes them."""
        by_sku: dict[str, list[Level]] = {}
        for level in levels:
            by_sku.setdefault(level.sku, []).append(level)
        found: dict[str, tuple[str, SetQuantity]] = {}
        for sku in skus:
            command = self.command(sku, by_sku.get(sku, ()))
            if command is not None:
                found[sku] = (str(command.quantity), command)
        return found


def published_quantity(plan: Plan, channel: str, sku: str, levels: Iterable[Level]) -> int | None:
    """What a channel is told of one SKU; see `Offer.quantity`."""
    return Offer(plan, channel).quantity(sku, levels)


def publishing_channels(plan: Plan) -> tuple[str, ...]:
    """The channels that are told quantities, in the order of the plan."""
    return tuple(
        channel
        for channel, route in plan.routes.items()
        if route.publish
        and OPERATION in plan.offers.get(channel, ())
        and plan.modes.get(channel) != "observe"
    )
