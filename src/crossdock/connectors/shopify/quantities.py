"""What became of each line: ordered, current, fulfilled, cancelled, returned, out of Shopify's several counts.

Shopify's `current_quantity` falls by edits, cancellations and returns alike; ours only by the first two.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from crossdock.connectors.shopify import wire
from crossdock.connectors.shopify.words import one_of, optional_id
from crossdock.errors import MappingError
from crossdock.model import DiscountAllocation, LineId, Restock, Shipment, TaxLine

RESTOCK: dict[str, Restock] = {
    "no_restock": "no_restock",
    "cancel": "cancelled",
    "return": "returned",
    "legacy_restock": "returned",
}


class Draft(msgspec.Struct, gc=False):
    """A line while it is read: its quantities first, then its prices."""

    position: int
    item: wire.LineItem
    id: LineId
    current: int
    fulfilled: int = 0
    cancelled: int = 0
    returned: int = 0
    extended: int = 0
    unit_price: int = 0
    discounts: tuple[DiscountAllocation, ...] = ()
    taxes: tuple[TaxLine, ...] = ()

    @property
    def reduced(self) -> int:
        """The extended price less its discounts."""
        return self.extended - sum(allocation.amount for allocation in self.discounts)

    def settle(self, refunded: dict[Restock, int], order_is_cancelled: bool) -> None:
        """Tell apart what was returned, cancelled and edited away."""
        ordered = self.item.quantity
        returned, kept = refunded.get("returned", 0), refunded.get("no_restock", 0)
        cancelled = refunded.get("cancelled", 0)
        now = self.item.current_quantity
        removed = 0 if now is None else max(0, ordered - now - returned - kept - cancelled)
        # What is refunded before it left will not leave any more, whatever Shopify says of its restocking.
        never_left = max(0, ordered - removed - self.fulfilled - cancelled)
        cancelled += min(kept, never_left)
        if returned > self.fulfilled:
            unsent = min(returned - self.fulfilled, max(0, ordered - removed - self.fulfilled - cancelled))
            cancelled, returned = cancelled + unsent, returned - unsent
        if order_is_cancelled:
            cancelled = max(cancelled, ordered - removed - self.fulfilled)
        self.cancelled = min(cancelled, ordered - removed)
        self.returned = returned
        self.current = ordered - removed - self.cancelled


def settle_quantities(body: wire.OrderBody, shipments: Iterable[Shipment]) -> list[Draft]:
    """Read the quantities of every line of an order."""
    drafts = [
        Draft(n, item, LineId(optional_id(item.id, "line_items.id") or str(n + 1)), item.quantity)
        for n, item in enumerate(body.line_items)
    ]
    if len({draft.id for draft in drafts}) != len(drafts):
        _refuse_twins(drafts)
    for shipment in shipments:
        if shipment.state in ("shipped", "delivered"):
            for line in shipment.lines:
                for draft in drafts:
                    if draft.id == line.line:
                        draft.fulfilled += line.quantity
    refunded = _refunded(body)
    cancelled = body.cancelled_at is not None
    for draft in drafts:
        now = draft.item.current_quantity
        if cancelled or refunded or (now is not None and now != draft.item.quantity):
            draft.settle(refunded.get(draft.id, {}), cancelled)
    return drafts


def _refuse_twins(drafts: list[Draft]) -> None:
    seen: set[LineId] = set()
    for draft in drafts:
        if draft.id in seen:
            field = f"line_items[{draft.position}].id"
            raise MappingError(f"{field}: {draft.id} stands twice. Ask for the order again.", field=field)
        seen.add(draft.id)


def _refunded(body: wire.OrderBody) -> dict[LineId, dict[Restock, int]]:
    found: dict[LineId, dict[Restock, int]] = {}
    for m, refund in enumerate(body.refunds or ()):
        for n, item in enumerate(refund.refund_line_items or ()):
            field = f"refunds[{m}].refund_line_items[{n}].restock_type"
            restock = one_of(RESTOCK, item.restock_type or "no_restock", field)
            counts = found.setdefault(LineId(optional_id(item.line_item_id)), {})
            counts[restock] = counts.get(restock, 0) + item.quantity
    return found
