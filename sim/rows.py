"""What the invariants read of an order and of its effects."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct):
    id: str
    ordered: int = 0
    shipped: int = 0
    returned: int = 0


class Refund(msgspec.Struct):
    done: bool = False
    total: int = 0


class Order(msgspec.Struct):
    version: str = ""
    known: bool = False
    cancelled: bool = False
    captured: int = 0
    total: int = 0
    lines: list[Line] = []
    refunds: list[Refund] = []
    cases: list[str] = []


def stands(order: Order, reason: str, about: str) -> bool:
    """Whether somebody is asked about it."""
    return f"{reason}|{about}" in order.cases


decode_order = msgspec.json.Decoder(Order).decode


class Staged(msgspec.Struct):
    id: int
    key: str
    command: bytes
    document: int
