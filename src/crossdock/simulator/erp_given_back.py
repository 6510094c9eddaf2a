"""The ERP's books of what came back of orders: credit notes of refunds, and goods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from crossdock.simulator.base import SimResponse, json_response, problem
from crossdock.simulator.erp_stock import Feeds, exact


class _Part(msgspec.Struct, gc=False):
    kind: str
    net: int
    tax: int
    gross: int


class _CreditIn(msgspec.Struct, gc=False):
    reference: str
    order_reference: str
    refund: str
    total: int
    parts: list[_Part]


class _Line(msgspec.Struct, gc=False):
    line_id: str
    quantity: int
    sku: str = ""
    quantity_scale: int = 0
    held: bool = False


class _ReturnIn(msgspec.Struct, gc=False):
    reference: str
    order_reference: str
    goods_return: str
    lines: list[_Line]
    location: str = ""


class _Of(msgspec.Struct, gc=False):
    order_reference: str


class CreditNote(msgspec.Struct):
    """What was credited of an order; the total is negative."""

    id: str
    reference: str
    order: str
    refund: str
    total: int
    booked_at: str


class Receipt(msgspec.Struct):
    """What came back of an order at once, line by line."""

    id: str
    reference: str
    order: str
    lines: dict[str, int]
    booked_at: str
    total: int | None = None


class GivenBack:
    """It never dedupes by reference: two POSTs without a key make two documents, and it counts them."""

    KINDS: ClassVar[tuple[str, ...]] = ("credit-notes", "returns")

    def __init__(self) -> None:
        self.credits: list[CreditNote] = []
        self.receipts: list[Receipt] = []

    def order(self, body: bytes) -> str:
        """Our order that a document is about."""
        return msgspec.json.decode(body, type=_Of).order_reference

    def credit(self, body: bytes, rounding: int, *, booked_at: str) -> SimResponse:
        """Book a credit note; refuse what does not add up, and what gives nothing back."""
        wanted = msgspec.json.decode(body, type=_CreditIn)
        for part in wanted.parts:
            if part.net + part.tax != part.gross:
                return problem(422, f"net {part.net} + tax {part.tax} is not gross {part.gross}", "gross")
        total = sum(part.gross for part in wanted.parts)
        if total != wanted.total or total >= 0:
            return problem(422, f"the parts make {total}, the total says {wanted.total}", "total")
        note = CreditNote(
            id=f"N{len(self.credits) + 1}",
            reference=wanted.reference,
            order=wanted.order_reference,
            refund=wanted.refund,
            total=total + rounding,
            booked_at=booked_at,
        )
        self.credits.append(note)
        return json_response(_told(note), 201)

    def receive(self, body: bytes, skus: Mapping[str, str], feeds: Feeds, at: int) -> SimResponse:
        """Book what came back, and have it on hand."""
        wanted = msgspec.json.decode(body, type=_ReturnIn)
        lines: dict[str, int] = {}
        for line in wanted.lines:
            lines[line.line_id] = lines.get(line.line_id, 0) + line.quantity
            sku = line.sku or skus.get(line.line_id, "")
            feeds.come_back(sku, line.quantity, at, wanted.location, held=line.held)
        receipt = Receipt(
            id=f"R{len(self.receipts) + 1}",
            reference=wanted.reference,
            order=wanted.order_reference,
            lines=lines,
            booked_at=exact(at),
        )
        self.receipts.append(receipt)
        return json_response(_told(receipt), 201)

    def named(self, kind: str, reference: str) -> list[dict[str, Any]]:
        """The documents under a reference."""
        return [_told(document) for document in self._held()[kind] if document.reference == reference]

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {kind.replace("-", "_"): len(held) for kind, held in self._held().items()}

    def doubles(self) -> dict[str, int]:
        """References with more than one document."""
        sums: dict[str, int] = {}
        for kind, held in self._held().items():
            for document in held:
                name = f"{kind}:{document.reference}"
                sums[name] = sums.get(name, 0) + 1
        return {name: count for name, count in sums.items() if count > 1}

    def _held(self) -> dict[str, list[CreditNote] | list[Receipt]]:
        return dict(zip(self.KINDS, (self.credits, self.receipts), strict=True))


def _told(document: CreditNote | Receipt) -> dict[str, Any]:
    return {"id": document.id, "total": document.total, "booked_at": document.booked_at}
