"""What became of each line: ordered, current, fulfilled, cancelled, returned, out of Shopify's several counts.

Shopify's `current_quantity` falls by edits, cancellations and returns alike; ours only by the first two.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import msgspec

from crossdock.connectors.shopify import wire
from crossdock.connectors.shopify.words import one_of, optional_id, utc
from crossdock.errors import MappingError
from crossdock.model import (
    DiscountAllocation,
    LineId,
    Refund,
    RefundAdjustment,
    RefundLine,
    Restock,
    Shipment,
    TaxLine,
)

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
    had_left: list[int] = []
    """Of what each refund of the order calls returned, so much had left by then; empty where none does."""
    unsent: dict[Restock, int] = {}
    """Of what was refunded under another name than "cancelled", so much never left."""
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
        unsent = min(returned - sum(self.had_left), never_left)
        self.unsent = {"returned": unsent, "no_restock": min(kept, never_left - unsent)}
        returned -= unsent
        cancelled += sum(self.unsent.values())
        if order_is_cancelled:
            cancelled = max(cancelled, ordered - removed - self.fulfilled)
        self.cancelled = min(cancelled, ordered - removed)
        self.returned = returned
        self.current = ordered - removed - self.cancelled

    def take_unsent(self, position: int, line: RefundLine) -> int:
        """How much of this line of a refund never left; what had left when it was made stays with that refund."""
        had_left = 0
        if line.restock == "returned":
            had_left = min(line.quantity, self.had_left[position])
            self.had_left[position] -= had_left
        unsent = min(line.quantity - had_left, self.unsent.get(line.restock, 0))
        if unsent:
            self.unsent[line.restock] -= unsent
        return unsent


def settle_quantities(body: wire.OrderBody, shipments: Sequence[Shipment]) -> list[Draft]:
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
        if "returned" in refunded.get(draft.id, {}):
            draft.had_left = _had_left(draft.id, body, shipments)
        now = draft.item.current_quantity
        if cancelled or refunded or (now is not None and now != draft.item.quantity):
            draft.settle(refunded.get(draft.id, {}), cancelled)
    return drafts


def _had_left(line: LineId, body: wire.OrderBody, shipments: Iterable[Shipment]) -> list[int]:
    """How much of what each refund calls returned had left when it was made; what leaves later is something else."""
    left = [
        (shipment.shipped_at, item.quantity)
        for shipment in shipments
        if shipment.state in ("shipped", "delivered")
        for item in shipment.lines
        if item.line == line
    ]
    found: list[int] = []
    for n, refund in enumerate(body.refunds or ()):
        made = utc(refund.created_at or refund.processed_at, f"refunds[{n}].created_at")
        by_then = sum(quantity for at, quantity in left if made is None or at is None or at <= made)
        asked = sum(
            item.quantity
            for item in refund.refund_line_items or ()
            if optional_id(item.line_item_id) == line and RESTOCK.get(item.restock_type or "") == "returned"
        )
        found.append(min(asked, max(0, by_then - sum(found))))
    return found


def as_it_left(refund: Refund, position: int, drafts: Iterable[Draft], sold: Container[LineId]) -> Refund:
    """A refund of the order, its lines told by what left: Shopify calls `no_restock` what it cancels, too.

    What it takes of a draft's `unsent` is taken for the refunds that follow, so these are asked oldest first. position: its
    own among them. sold: the order's lines; a tip is none of them, and given back as the charge that it is.
    """
    held = {draft.id: draft for draft in drafts}
    lines: list[RefundLine] = []
    tips: list[RefundAdjustment] = []
    for line in refund.lines:
        draft = held.get(line.line)
        if draft is not None and line.line not in sold:
            tips.append(RefundAdjustment(kind="tip", net=line.net, tax=line.tax, gross=line.gross))
            continue
        lines += line.never_left(0 if draft is None else draft.take_unsent(position, line))
    adjustments = (*tips, *refund.adjustments)
    return msgspec.structs.replace(refund, lines=tuple(lines), adjustments=adjustments)


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
