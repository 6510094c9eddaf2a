"""Reports to test with, as connectors would make them."""

from __future__ import annotations

from typing import Any

from crossdock.model import (
    CancellationAnswered,
    CancellationRequested,
    ConnectionId,
    ExternalRef,
    FulfilmentRequestId,
    LineId,
    LineQuantity,
    Order,
    OrderId,
    OrderReported,
    Package,
    Refund,
    RefundLine,
    RefundReported,
    Shipment,
    ShipmentReported,
    ShortPickReported,
    Sku,
    Tender,
)
from tests.model.builders import NOON, make_line, make_order

REF = ExternalRef(connection=ConnectionId("shop"), kind="order", id="450789469")


def quantities(**lines: int) -> tuple[LineQuantity, ...]:
    """l1=2 is two of line 1, which sells SKU-1."""
    return tuple(
        LineQuantity(line=LineId(name[1:]), quantity=quantity, sku=Sku(f"SKU-{name[1:]}"))
        for name, quantity in lines.items()
    )


def order(version: int = 1, *, cancelled: bool = False, **fields: Any) -> Order:
    """Two of SKU-1 at 10.00 and one of SKU-2 at 5.00, paid by card."""
    lines = fields.pop("lines", None) or (
        make_line("1", ordered=2, price=1000, percent=19, **({"current": 0} if cancelled else {})),
        make_line("2", ordered=1, price=500, percent=7, **({"current": 0} if cancelled else {})),
    )
    total = sum(line.gross for line in lines)
    defaults: dict[str, Any] = {
        "version": str(version),
        "number": "#1001",
        "tenders": (Tender(kind="card", amount=total),),
        "cancelled_at": NOON if cancelled else None,
    }
    return make_order(*lines, **(defaults | fields))


def told(version: int = 1, **fields: Any) -> OrderReported:
    return OrderReported(order=order(version, **fields))


def shipped(
    name: str = "S1",
    *,
    request: str = "CD0000000001-1",
    connection: str = "wms",
    version: str = "1",
    **lines: int,
) -> ShipmentReported:
    return ShipmentReported(
        shipment=Shipment(
            connection=ConnectionId(connection),
            external_id=name,
            version=version,
            order=OrderId(request[:12]),
            order_ref=REF,
            request=FulfilmentRequestId(request),
            lines=quantities(**lines),
            packages=(Package(tracking_number=f"T-{name}"),),
        )
    )


def short(request: str = "CD0000000001-1", **lines: int) -> ShortPickReported:
    return ShortPickReported(
        request=FulfilmentRequestId(request), lines=quantities(**lines), refused=not lines
    )


def cancel(**lines: int) -> CancellationRequested:
    return CancellationRequested(order_ref=REF, lines=quantities(**lines), by="buyer")


def answered(outcome: str, request: str = "CD0000000001-1", **fields: Any) -> CancellationAnswered:
    return CancellationAnswered(request=FulfilmentRequestId(request), outcome=outcome, **fields)  # type: ignore[arg-type]


def refunded(
    name: str = "R1", total: int = 500, *, restock: str = "no_restock", **fields: Any
) -> RefundReported:
    line = RefundLine(line=LineId("2"), quantity=1, net=total, tax=0, gross=total, restock=restock)  # type: ignore[arg-type]
    return RefundReported(
        refund=Refund(
            currency="EUR",
            total=total,
            connection=ConnectionId("shop"),
            external_id=name,
            version="1",
            order_ref=REF,
            lines=(line,),
            **fields,
        )
    )
