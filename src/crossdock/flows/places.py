"""Which of our locations a partner means."""

from __future__ import annotations

from crossdock.domain.policy import Plan
from crossdock.model.ids import ExternalRef


def our_place(plan: Plan, location: str, ref: ExternalRef | None) -> str:
    """Our id of a location: as named by us, else by the code of the partner who works there, else by the code alone."""
    if location in plan.places:
        return location
    if ref is None:
        return ""
    for place in plan.places.values():
        if place.warehouse == ref.connection and ref.id == place.partner_code:
            return place.id
    if ref.id in plan.places:
        return ref.id
    return next((place.id for place in plan.places.values() if ref.id == place.partner_code), "")
