"""Stores: the ticket of a till, and the day of a store with its control totals."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

from crossdock.model.base import Amount, Instant, Model, require, require_short
from crossdock.model.currency import exponent
from crossdock.model.ids import ConnectionId, ExternalRef, LegalEntityId, LocationId, StoreDayId, TicketId
from crossdock.model.order import Order
from crossdock.model.pricing import TenderKind

TicketKind = Literal["sale", "return", "mixed", "void", "no_sale", "paid_in", "paid_out", "float"]
StoreDayState = Literal["open", "closed", "posted", "supplemented"]


class TillTicket(Model, frozen=True, kw_only=True):
    """Hold one ticket of one till: its place in the store's day, and the sale as an order of channel "till".

    `sequence` counts per register and leaves no gap unless one is reported. `business_date` is the store's, not the
    calendar's; None where the till does not say: then the store's zone and its day-end hour tell. A void or no-sale
    ticket has no `sale` but still uses its number. `amount` is that of a paid in, paid out or float, in minor units of
    `currency`. `original` names the ticket that a return takes back, where the buyer had it.
    """

    register: str
    sequence: int
    business_date: date | None = None
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    kind: TicketKind = "sale"
    sale: Order | None = None
    amount: Amount = 0
    currency: str = ""
    id: TicketId = TicketId("")
    store_day: StoreDayId = StoreDayId("")
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    version: str = ""
    cashier: str = ""
    original: ExternalRef | None = None
    training: bool = False
    reason: str = ""
    occurred_at: Instant | None = None
    store_local: str = ""

    def __post_init__(self) -> None:
        require_short(self, "ticket", "register", "external_id", "version")


class SequenceRange(Model, frozen=True, kw_only=True):
    """Hold the ticket numbers of one register on one day, both ends included, and those that are missing."""

    register: str
    first: int
    last: int
    missing: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require(self.first <= self.last, "sequence", "the first number of a range is not above its last")


class TenderControl(Model, frozen=True, kw_only=True):
    """Hold what a store's close says of one tender, in minor units: `expected` by its tills, `counted` by its people.

    `register` is the till that says it, "" where it is said of the whole store. `expected` is what the tickets took less
    what they gave back; `counted` is the drawer less its float, paid in and paid out, so that both are comparable.
    """

    kind: TenderKind
    expected: Amount
    counted: Amount | None = None
    register: str = ""
    tickets: int = 0

    @property
    def over_short(self) -> int:
        """Counted less expected; zero where nobody counted."""
        return 0 if self.counted is None else self.counted - self.expected


def over_short(tenders: Iterable[TenderControl]) -> int:
    """What a close counted less what it expected, each kind once: of its tills, or of the whole store where they do not say.

    Tills say what a kind came to where each that names it was counted; else the store's count stands for all of them.
    """
    kinds: dict[str, tuple[list[TenderControl], list[TenderControl]]] = {}
    for tender in tenders:
        kinds.setdefault(tender.kind, ([], []))[0 if tender.register else 1].append(tender)
    found = 0
    for tills, store in kinds.values():
        tills_say = bool(tills) and all(tender.counted is not None for tender in tills)
        store_says = any(tender.counted is not None for tender in store)
        found += sum(tender.over_short for tender in (store if store_says and not tills_say else tills))
    return found


class StoreDay(Model, frozen=True, kw_only=True):
    """Hold one business day of one store: what its close states, to which the summed posting must be equal.

    A late ticket of a posted day makes a supplement (`supplement` counts from 1), never an edit.
    """

    business_date: date
    currency: str
    location: LocationId = LocationId("")
    location_ref: ExternalRef | None = None
    id: StoreDayId = StoreDayId("")
    connection: ConnectionId = ConnectionId("")
    external_id: str = ""
    version: str = ""
    state: StoreDayState = "open"
    sequences: tuple[SequenceRange, ...] = ()
    tenders: tuple[TenderControl, ...] = ()
    tickets: int = 0
    sales_gross: Amount = 0
    returns_gross: Amount = 0
    tax: Amount = 0
    paid_in: Amount = 0
    paid_out: Amount = 0
    over_short: Amount = 0
    float_opening: Amount = 0
    float_closing: Amount = 0
    supplement: int = 0
    supplements: StoreDayId = StoreDayId("")
    legal_entity: LegalEntityId = LegalEntityId("")
    zone: str = ""
    opened_at: Instant | None = None
    closed_at: Instant | None = None

    def __post_init__(self) -> None:
        require_short(self, "store day", "external_id", "version")
        exponent(self.currency)
