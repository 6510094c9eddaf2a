"""The data of events about tills, store days and their postings, as subscribers are told it."""

from __future__ import annotations

from crossdock.model.event_orders import Data


class TicketRecorded(Data, frozen=True, kw_only=True):
    """A till's ticket was taken, with what it comes to; `date` is the business date."""

    store: str
    till: str
    sequence: int
    date: str
    kind: str
    currency: str
    total: int


class TicketNamed(Data, frozen=True, kw_only=True):
    """The ticket as its store names it."""

    ticket: str


class UploadRecorded(Data, frozen=True, kw_only=True):
    """A store's upload was taken apart: how many tickets it held, and what they come to in minor units."""

    upload: str
    store: str
    tickets: int
    total: int


class DayNamed(Data, frozen=True, kw_only=True):
    """A store's business day."""

    store: str
    date: str


class DayClosed(DayNamed, frozen=True, kw_only=True):
    """A store has closed its day, with so many tickets by its own count."""

    tickets: int


class DayCounted(DayNamed, frozen=True, kw_only=True):
    """What a day's tickets come to, how many figures of its close differ, how many numbers are missing, not posted."""

    tickets: int
    total: int
    differences: int
    missing: int
    left: int


class DayPosting(DayNamed, frozen=True, kw_only=True):
    """A day's sum goes to the ERP under `reference`; `supplement` counts from 1 what comes after the first."""

    reference: str
    supplement: int
    tickets: int
    currency: str
    total: int


class DayDated(DayNamed, frozen=True, kw_only=True):
    """The date that the ERP posted a day's document to: not the business date where its period was closed."""

    document: str
    posted_on: str


class StoreSilent(DayNamed, frozen=True, kw_only=True):
    """A store has sent nothing for so long, in its open day or before its next, while others of its connection sell."""

    minutes: int


class PostingMade(Data, frozen=True, kw_only=True):
    """An ERP has made a document of what we posted: our total and its own, in minor units."""

    connection: str
    kind: str
    document: str
    currency: str
    total: int
    erp_total: int | None
