"""Quantities in the scale in which the hub counts their SKU. What cannot be said in it is rounded, under a case of the SKU.

A fact is recorded in either way: its document keeps what was told, and an ERP is told that. A scale that does not fit is
wrong for each ticket alike: one case of the SKU, not one of each.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from crossdock.domain.scales import rescaled, stock_scale
from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.flows.desk import SECOND, Desk
from crossdock.model.quantity import SCALE_MAX
from crossdock.model.stock import StockLevel

ROUNDED = "stock.rounded"
SCALE = "stock.scale"
DAY = 86_400 * SECOND
_STATED = ("reserved", "allocated", "safety_stock", "quarantined", "committed_elsewhere", "incoming")
_encode = msgspec.json.Encoder().encode


class Rounded(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity of a SKU was told more exactly than its stock is counted: by whom, on what, how much."""

    sku: str
    told_by: str
    number: str
    quantity: int
    scale: int
    counted: int


def in_stock(desk: Desk, sku: str, quantity: int, scale: int, number: str) -> int:
    """A quantity in the scale of the SKU's stock. number: what told it, for the person who is asked."""
    ours = stock_scale(desk.catalogue.card(sku)) or 0
    found, exact = rescaled(quantity, scale, ours)
    if not exact:
        told = Rounded(
            sku=sku,
            told_by=desk.message.source,
            number=number,
            quantity=quantity,
            scale=scale,
            counted=ours,
        )
        _tell(desk, told)
    return found


def level_in_stock(desk: Desk, level: StockLevel) -> StockLevel:
    """A stated level in the scale of the SKU's stock; the first that is stated says which that is."""
    sku, scale, card = level.sku, level.quantity_scale, desk.catalogue.card(level.sku)
    ours = stock_scale(card)
    told = card is not None and card.stock_scale is not None
    if not ours and not told and 0 < scale <= SCALE_MAX:  # a product of a shop says nothing of scales
        desk.catalogue.count_in(sku, scale)
        ours = scale
    if scale == (ours or 0):
        return level
    names = _STATED if level.on_hand is None else ("on_hand", *_STATED)
    stated = {name: in_stock(desk, sku, getattr(level, name), scale, "its stock") for name in names}
    return msgspec.structs.replace(level, quantity_scale=ours or 0, **stated)


def take_rounded(desk: Desk, report: Rounded) -> str:
    """Open the case of a SKU. Returns the outcome."""
    told = Decimal(report.quantity).scaleb(-report.scale)
    desk.case(
        SCALE,
        f"{report.told_by} tells {told} of {report.sku} ({report.number}), with {report.scale} decimals, and its stock is "
        f"counted with {report.counted}: on hand was moved by the nearest. Have both count it with as many decimals "
        "(quantity_scale), count it, then close this case.",
        about=report.sku,
        field="quantity_scale",
    )
    desk.event("message.noted", {"kind": ROUNDED})
    return "processed"


def _tell(desk: Desk, told: Rounded) -> None:
    """A message to the SKU itself, whose subject its case belongs to; once a day, what others would say is the same."""
    children, delivery = desk.decision.children, f"{told.sku}/{told.scale}/{desk.now // DAY}"
    if any(child.kind == ROUNDED and child.delivery_id == delivery for child in children):
        return
    children.append(
        Arrival(
            source=HUB,
            kind=ROUNDED,
            body=_encode(told),
            ref_kind="sku",
            ref=told.sku,
            delivery_id=delivery,
            lane=LANE_FREE,
            parent=desk.message.id,
            trace=desk.message.trace,
        )
    )
