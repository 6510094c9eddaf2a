"""What decisions are made on and what they leave behind: the rows that a store loads and writes for the trade.

A store treats `value` as text of its own to keep; everything that it must query stands in a column of its own. All
quantities are integers in the SKU's unit, all money is integer minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

BUCKETS = (
    "on_hand",
    "reserved",
    "allocated",
    "safety_stock",
    "quarantined",
    "committed_elsewhere",
    "incoming",
)


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch touches. orders are subjects; levels and products come for every SKU, at every location."""

    orders: tuple[int, ...] = ()
    skus: tuple[str, ...] = ()
    seen: tuple[tuple[int, str, str, str], ...] = ()
    """(subject, source, kind, version) to look up among the versions seen."""
    cells: tuple[tuple[str, str], ...] = ()
    """(sku, location) of single levels, where not all locations of a SKU are wanted: what a till sells."""
    cards: tuple[str, ...] = ()
    """SKUs of which the product is wanted, and no level besides those that are named."""
    days: tuple[tuple[str, str], ...] = ()
    """(connection, "store/date") of store days of which only the stage is wanted."""
    tickets: tuple[tuple[str, str, str], ...] = ()
    """(connection, store, date) of store days of which every ticket is wanted."""
    runs: tuple[tuple[str, str, str], ...] = ()
    """(connection, store, date) of store days of which it is wanted which numbers their tills had used before."""
    firsts: tuple[tuple[str, str, str], ...] = ()
    """(connection, store, till) of which the first number ever held is wanted."""
    pulses: tuple[str, ...] = ()
    """Connections of which it is wanted when each store was heard last."""
    places: tuple[str, ...] = ()
    """Locations of which every level is wanted: what a complete snapshot leaves out is not there."""
    unseen: tuple[tuple[str, str], ...] = ()
    """(sku, location) of which it is wanted what their master has not seen."""
    tokens: tuple[str, ...] = ()
    """Tokens of what is unseen: the rows that are not told yet, and their levels."""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A process as it is kept: `value` is its JSON."""

    subject: int
    version: int
    value: msgspec.Raw


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Stock of one SKU at one location, by bucket. It may be negative on hand: then a case is open."""

    sku: str
    location: str
    on_hand: int = 0
    reserved: int = 0
    allocated: int = 0
    safety_stock: int = 0
    quarantined: int = 0
    committed_elsewhere: int = 0
    incoming: int = 0
    as_of: int = 0
    """Microseconds UTC of the last snapshot applied; 0: only ever moved by us."""

    @property
    def available(self) -> int:
        """Available to sell, as DESIGN section 5 has it."""
        taken = self.reserved + self.allocated + self.safety_stock + self.quarantined
        return self.on_hand - taken - self.committed_elsewhere


class Unseen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A change of on hand that statements of the location's master do not hold, up to a moment (docs/adr/0009)."""

    sku: str
    location: str
    seen_at: int
    """Microseconds UTC from which on a statement holds it; 0: the master has not been told yet."""
    token: str
    """What tells the master: "CD0000000001 delivery:wms:S1"; before it is known, the store day of a ticket."""
    number: int
    """The ticket's subject within a store day; 0 for what is told by itself."""
    master: str
    """The connection that is told; "" where the master sees for itself, because it counts."""
    quantity: int


class TicketRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a till ticket adds to its store's day; `value` is JSON (domain/tickets.py). Written once, never changed.

    The sums of a day are derived from these rows, so that tickets of one day never wait for one another.
    """

    connection: str
    store: str
    day: str
    """The business date, "2026-03-29"."""
    till: str
    sequence: int
    subject: int
    at: int
    """When the ticket was received."""
    value: msgspec.Raw

    @property
    def key(self) -> tuple[str, str, str]:
        """The day that it belongs to."""
        return self.connection, self.store, self.day


class Run(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """The numbers that a till has used on a business day: the first and the last that are held."""

    day: str
    till: str
    first: int
    last: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the store found for some needs. A SKU that is absent from both maps is unknown."""

    orders: Mapping[int, Stored] = {}
    levels: Mapping[tuple[str, str], Level] = {}
    products: Mapping[str, bytes] = {}
    seen: Mapping[tuple[int, str, str, str], str] = {}
    days: Mapping[tuple[str, str], str] = {}
    """The stage of a store day by (connection, "store/date"); one that is absent is not known yet."""
    tickets: Mapping[tuple[str, str, str], tuple[TicketRow, ...]] = {}
    runs: Mapping[tuple[str, str, str], tuple[Run, ...]] = {}
    """Of a store day, the numbers of each till on the three days before it that have tickets."""
    firsts: Mapping[tuple[str, str, str], int] = {}
    """Of a till, the first number of the first day that is held; one of which nothing is held is absent."""
    pulses: Mapping[tuple[str, str], int] = {}
    """When a (connection, store) was heard last."""
    unseen: tuple[Unseen, ...] = ()


class ProcessRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order's process to write. `expected` is the version that it was loaded at; 0: it is new.

    The columns are what lists are filtered by. value is the process as JSON. total is in minor units of currency.
    """

    subject: int
    expected: int
    value: bytes
    connection: str
    external_id: str
    number: str
    commitment: str
    custody: str
    money: str
    stage: str
    finished: bool
    currency: str
    total: int
    placed_at: int


class DocumentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the canonical order, kept for ever. `party` is its personal part, encrypted by the store."""

    subject: int
    version: int
    value: bytes
    party: bytes


class Movement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A signed, immutable change of one bucket. `position` counts the movements of one message."""

    subject: int
    message: int
    position: int
    sku: str
    location: str
    bucket: str
    quantity: int
    reason: str
    at: int


class Posting(msgspec.Struct, frozen=True, array_like=True):
    """A journal posting: [account, minor units] pairs that add up to zero in `currency`; debits are positive."""

    subject: int
    message: int
    position: int
    currency: str
    reason: str
    entries: tuple[tuple[str, int], ...]
    at: int


class UnseenChanges(msgspec.Struct, kw_only=True):
    """What becomes of unseen movements; written in the order of these fields."""

    raised: list[Unseen] = []
    """Added; the quantities of one key add up."""
    forget_before: int = 0
    """What masters have seen before this moment goes from every cell in which something is raised."""
    joined: list[tuple[str, tuple[int, ...], str]] = []
    """(token, numbers, new token): these rows, not told yet, are told together from now on."""
    told: list[tuple[str, int]] = []
    """(token, seen at): the rows of a token that are not told yet are seen from this moment on."""
    forgotten: list[tuple[str, str, int]] = []
    """(sku, location, until): a statement of that moment was applied, so what was seen by then is never asked for again."""


class Changes(msgspec.Struct, kw_only=True):
    """All that a batch changed in the trade's own state; written in the batch's transaction."""

    processes: list[ProcessRow] = []
    documents: list[DocumentRow] = []
    levels: list[Level] = []
    """The levels as they are after the movements (absolute)."""
    bases: Mapping[tuple[str, str], Level] | None = None
    """The levels that were decided on: what another worker has moved since is kept. None: `levels` are written as they are."""
    movements: list[Movement] = []
    postings: list[Posting] = []
    products: list[tuple[str, bytes]] = []
    tickets: list[TicketRow] = []
    pulses: list[tuple[str, str, int]] = []
    """(connection, store, heard at); a store keeps the latest."""
    unseen: UnseenChanges | None = None


def runs_of(rows: Iterable[Sequence[Any]]) -> dict[tuple[str, str, str], tuple[Run, ...]]:
    """Rows of (connection, store, date wanted, day, till, first, last), by the store day that they were wanted for."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for connection, store, wanted, *run in rows:
        found.setdefault((connection, store, wanted), []).append(Run(*run))
    return {key: tuple(runs) for key, runs in found.items()}
