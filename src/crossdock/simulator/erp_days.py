"""The ERP's books of stores: days in sum and credits, each posted to a date whose period is open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

import msgspec

from crossdock.simulator.base import SimResponse, json_response, problem


class _Amount(msgspec.Struct, gc=False):
    net: int
    tax: int
    gross: int


class _Tender(msgspec.Struct, gc=False):
    kind: str
    amount: int


class _In(msgspec.Struct, gc=False):
    reference: str
    store: str
    business_date: date
    posting_date: date
    currency: str
    total: int
    lines: list[_Amount]
    tenders: list[_Tender] = []
    charges: list[_Amount] = []
    credited: int = 0
    supplement: int = 0
    supplements: str = ""
    document: str = ""
    tickets: int = 0
    original: str = ""
    ticket: str = ""
    channel: str = ""


class Booked(msgspec.Struct, omit_defaults=True):
    """A document as these books hold it."""

    id: str
    reference: str
    store: str
    business_date: date
    posting_date: date
    currency: str
    total: int
    tenders: dict[str, int] = {}
    credited: int = 0
    supplements: str = ""
    tickets: int = 0
    original: str = ""
    booked_at: str = ""
    channel: str = ""


class Books:
    """It never dedupes by reference: two POSTs without a key make two documents, and it counts them."""

    KINDS: ClassVar[tuple[str, ...]] = ("days", "credits")

    def __init__(self, settings: Mapping[str, Any]) -> None:
        closed = settings.get("closed_until")
        self.closed_until = date.fromisoformat(str(closed)) if closed else date.min
        self.documents: dict[str, list[Booked]] = {kind: [] for kind in self.KINDS}

    def post(self, kind: str, body: bytes, rounding: int = 0, *, booked_at: str = "") -> SimResponse:
        """Book a day or a credit; refuse what does not add up, and what goes into a closed period."""
        wanted = msgspec.json.decode(body, type=_In)
        if wanted.posting_date <= self.closed_until:
            answer = problem(
                409, f"the books are closed until {self.closed_until.isoformat()}", "posting_date"
            )
            return msgspec.structs.replace(answer, body=_coded(answer.body, "period_closed"))
        parts = [*wanted.lines, *wanted.charges]
        for part in parts:
            if part.net + part.tax != part.gross:
                return problem(422, f"net {part.net} + tax {part.tax} is not gross {part.gross}", "gross")
        total = sum(part.gross for part in parts)
        if total != wanted.total:
            return problem(422, f"the parts make {total}, the total says {wanted.total}", "total")
        if wanted.supplement and not self.named("days", wanted.supplements):
            return problem(422, f"there is no day {wanted.supplements} to supplement", "supplements")
        held = self.documents[kind]
        booked = Booked(
            id=f"{'Z' if kind == 'days' else 'C'}{len(held) + 1}",
            reference=wanted.reference,
            store=wanted.store,
            business_date=wanted.business_date,
            posting_date=wanted.posting_date,
            currency=wanted.currency,
            total=wanted.total + rounding,
            tenders={tender.kind: tender.amount for tender in wanted.tenders},
            credited=wanted.credited,
            supplements=wanted.supplements,
            tickets=wanted.tickets,
            original=wanted.original,
            booked_at=booked_at,
            channel=wanted.channel,
        )
        held.append(booked)
        return json_response({**_told(booked), "posting_date": booked.posting_date}, 201)

    def named(self, kind: str, reference: str) -> list[dict[str, Any]]:
        """The documents under a reference."""
        return [_told(booked) for booked in self.documents[kind] if booked.reference == reference]

    def told(self, kind: str) -> dict[str, Any]:
        """The latest document of a kind, as the feed of days tells it."""
        booked = self.documents[kind][-1]
        names = ("id", "channel", "store", "business_date", "currency", "total")
        made = {"made_at": booked.booked_at} if booked.booked_at else {}
        return {name: msgspec.to_builtins(getattr(booked, name)) for name in names} | made

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {kind: len(held) for kind, held in self.documents.items()}

    def doubles(self) -> dict[str, int]:
        """References with more than one document."""
        sums: dict[str, int] = {}
        for kind, held in self.documents.items():
            for booked in held:
                name = f"{kind}:{booked.reference}"
                sums[name] = sums.get(name, 0) + 1
        return {name: count for name, count in sums.items() if count > 1}

    def shown(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            kind: [msgspec.to_builtins(booked) for booked in held] for kind, held in self.documents.items()
        }


def _told(booked: Booked) -> dict[str, Any]:
    """When it was booked is told whoever asks: who got no reply must know it, too."""
    when = {"booked_at": booked.booked_at} if booked.booked_at else {}
    return {"id": booked.id, "total": booked.total, **when}


def _coded(body: bytes, code: str) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(body), "code": code})
