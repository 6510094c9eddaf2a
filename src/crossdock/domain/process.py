"""What is remembered of one order between messages: quantities and facts, small, and never a person.

Statuses are not in it: `domain.status` derives them. The order itself, as the channel told it, is a document of its own;
here stand only the numbers that decisions need. Quantities are in the unit and scale of their line (a piece: of its
SKU), money in minor units of the order's currency, times in microseconds UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from crossdock.domain.comparing import BookedSale
from crossdock.domain.ledger import Move
from crossdock.domain.policy import Mode
from crossdock.domain.store_day import DayState
from crossdock.model.commands import CreditPart
from crossdock.model.fulfilment import Shipment, ShipmentState
from crossdock.model.lines import Delivery
from crossdock.model.order import Commitment
from crossdock.model.reports import Report

Who = Literal["us", "else", "done", "none"]
"""Who brings a line to the buyer: we, somebody else (we only hear of it), it is done already, nobody needs to."""

EARLY_MAX = 100
DOCUMENTS_MAX = 1000
"""Versions kept of one order; the store numbers them within 1024."""
PRICE, ADOPTED, SENT_AGAIN, ERASURE = "price", "adopted", "shipment", "erasure"
SALE_UNSEEN = "sale_unseen"
OUR_HOLDS = frozenset({PRICE, ADOPTED, SENT_AGAIN, ERASURE, SALE_UNSEEN})
"""Holds that we put on an order, by code: a version of the channel's does not end them. The price is not that agreed; it was
taken over from another system; a shipment was changed after it left; its person is to be forgotten; nobody has seen its sale in the ERP.
"""


class Line(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One line: what was ordered, what is lost of it, what happened to the rest.

    Three voices may take quantity away: the channel's own version (`removed`), a request that began at the channel
    (`asked`), and we (`cancelled`). They overlap rather than add up, because each learns of the others' later.
    """

    id: str
    sku: str = ""
    ordered: int = 0
    scale: int = 0
    """The decimals of the quantities of a till's line."""
    net: int = 0
    gross: int = 0
    discount: int = 0
    withheld: int = 0
    """The part of its tax that the channel keeps and remits itself."""
    who: Who = "us"
    delivery: Delivery = "ship"
    removed: int = 0
    asked: int = 0
    cancelled: int = 0
    shipped: int = 0
    delivered: int = 0
    returned: int = 0
    taken_back: bool = False
    """A till took it back, and it is on hand again."""
    told_channel: int = 0
    told_erp: int = 0

    @property
    def lost(self) -> int:
        """What will not be fulfilled, if those who are to stop it can still stop it."""
        return max(self.removed, self.asked, self.cancelled)

    @property
    def target(self) -> int:
        """What should reach the buyer in the end."""
        lost = max(self.removed, self.asked, self.cancelled)
        return self.ordered - lost if self.ordered > lost else 0


class Piece(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What moves for a line: itself, or one component of a bundle, `per` of it for one of the line.

    claims: what is reserved, by location. tried: locations that fell short, and when. at: the one location it must
    come from. moves: False where no stock is kept of it. again: the request that fell short of it.
    """

    line: str
    sku: str = ""
    per: int = 1
    at: str = ""
    moves: bool = True
    dropped: bool = False
    claims: dict[str, int] = {}
    shipped: int = 0
    tried: dict[str, int] = {}
    again: str = ""


class Item(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One piece within a request: of `quantity`, so much was shipped, was missing, was stopped; the rest is out.

    kept: what the warehouse refused to stop, so that it is not asked again.
    """

    line: str
    sku: str
    quantity: int
    moves: bool = True
    shipped: int = 0
    short: int = 0
    stopped: int = 0
    kept: int = 0

    @property
    def out(self) -> int:
        """What the warehouse still has to do."""
        return self.quantity - self.shipped - self.short - self.stopped


class Stop(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One question to a warehouse that is not answered yet: stop these (line, sku, quantity)."""

    intent: str
    lines: list[tuple[str, str, int]]


class Request(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A fulfilment request: what one location was asked for. warehouse: the connection that was told, "" for nobody."""

    id: str
    location: str
    items: list[Item]
    warehouse: str = ""
    attempt: int = 1
    replaces: str = ""
    stops: list[Stop] = []
    stops_made: int = 0
    stale: bool = False
    """The address has changed since: it must be stopped and made anew."""


class Booked(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What a shipment did: so much of a piece left this location."""

    line: str
    sku: str
    quantity: int
    location: str = ""


class Invoice(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The invoice of a shipment in the ERP: its lines, the ERP's name of it, and its total where that is told."""

    state: Literal["staged", "done", "refused", "in_doubt", "exhausted"] = "staged"
    connection: str = ""
    reference: str = ""
    total: int | None = None
    lines: list[tuple[str, int]] = []


class Parcel(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A shipment as we recorded it, and who was told.

    booked: what it moved, piece by piece. lines: what that makes in lines of the order; a bundle counts with the shipment
    that completes it. told: the operations that were staged for it.
    """

    key: str
    shipment: Shipment
    booked: list[Booked] = []
    from_channel: bool = False
    channel_ref: str = ""
    lines: list[tuple[str, int]] = []
    told: list[str] = []
    invoice: Invoice | None = None
    unseen: bool = False
    """What it moved stands among what the stock's master has not seen."""

    @property
    def state(self) -> ShipmentState:
        return self.shipment.state


class Returned(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A return as it stands: (line, sku, received), and (line, sku, quantity) of what of it may not be sold.

    told: what of it the ERP was told, in `receipts` receipts; None where it came before the ERP was told of any. place:
    where it lies, ours.
    """

    key: str
    version: str = ""
    lines: list[tuple[str, str, int]] = []
    quarantined: list[tuple[str, str, int]] = []
    place: str = ""
    told: list[tuple[str, str, int]] | None = None
    receipts: int = 0

    def told_of(self, line: str, sku: str) -> int:
        """What the ERP was told of a line."""
        return sum(n for id_, code, n in self.told or () if (id_, code) == (line, sku))


class TakenBack(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one ticket took back `of` another: (line, sku, quantity, its scale)."""

    of: str
    ticket: str
    lines: list[tuple[str, str, int, int]]


class Sale(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The order's sale in the ERP. document and expected: the version, and its total, that the ERP was told last.

    connection: the ERP; erp_total: what it made of it, where it said so.
    """

    state: Literal["", "staged", "done", "refused", "in_doubt", "exhausted"] = ""
    reference: str = ""
    document: int = 0
    expected: int = 0
    amended: bool = False
    connection: str = ""
    erp_total: int | None = None


class Refunded(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A refund as it stands. entries: what it posts once it is done, account by account. unsent: (line, quantity, gross) of
    goods that never left; extras: (net, tax) of what it gives back beside goods. alone: no version of the order has told it yet.

    parts: what of it is to be credited; None where it was done before the ERP was told of any. credit: its credit in the
    ERP, negative; without a state where a person is to make it. tax: that of the credit.
    """

    key: str
    version: str = ""
    done: bool = False
    total: int = 0
    entries: dict[str, int] = {}
    unsent: list[tuple[str, int, int]] = []
    extras: list[tuple[int, int]] = []
    alone: bool = False
    parts: list[CreditPart] | None = None
    credit: Sale | None = None
    tax: int = 0

    @property
    def owed(self) -> tuple[int, int]:
        """(total, tax) of the credit that should stand in the ERP by now: not positive."""
        parts = self.parts if self.done and self.parts is not None else ()
        return -sum(part.gross for part in parts), -sum(part.tax for part in parts)


class OrderProcess(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One order. known: a version of it has come; before, only `early` reports about it have.

    holds: code -> reason of those in force; lifted: codes that a person has released, for ever. pending: effects that are
    not done, key -> state. cases: "reason|about" of the cases that stand because of the facts here.
    """

    order: str
    connection: str = ""
    external_id: str = ""
    number: str = ""
    channel: str = "shop"
    currency: str = ""
    mode: Mode = "live"
    known: bool = False
    test: bool = False
    copy_of: str = ""
    """Set where a tool has copied the order from another channel: "market:302-1234567", or "market:" without its id there."""
    copies: list[str] = []
    """Copies of it that other channels hold: "shop:450789469"."""
    commitment: Commitment = "tentative"
    version: str = ""
    document: int = 0
    placed_at: int = 0
    total: int = 0
    due: int = 0
    address: str = ""
    cancelled: bool = False
    authorised: int = 0
    captured: int = 0
    extras: dict[str, int] = {}
    posted: dict[str, int] = {}
    lines: list[Line] = []
    pieces: list[Piece] = []
    requests: list[Request] = []
    shipments: list[Parcel] = []
    refunds: list[Refunded] = []
    returns: list[Returned] = []
    holds: dict[str, str] = {}
    lifted: list[str] = []
    pending: dict[str, str] = {}
    sale: Sale | None = None
    acknowledged: bool = False
    release_at: int = 0
    gate: Literal["", "time", "erp"] = ""
    """What a release that could be made waits for."""
    expired: bool = False
    waiting: bool = False
    """Something that should be reserved is not."""
    source_at: int = 0
    cancels_channel: int = 0
    cancels_erp: int = 0
    owed: list[Move] = []
    """Movements decided while the level was not at hand; made by the next message that has it."""
    cases: list[str] = []
    early: list[Report] = []
    day: DayState | None = None
    """Set where the subject is a store's day and no order."""
    ticket: str = ""
    """Set where the subject is a till ticket: the reference of its store day, "store/date"."""
    booked: list[BookedSale] = []
    """Sales of it that an ERP holds, as its feed tells: also those that another integration has made."""
    legal_entity: str = ""
    """The company of ours whose sale it is: what the order says, else its channel or store when it came first."""
    forget: bool = False
    """Its persons are to be forgotten as soon as nothing needs its address any more."""
    credit: Sale | None = None
    """The credit in the ERP for what a ticket took back."""
    taken: list[TakenBack] = []
    """What other tickets took back of this one; it may not have come yet."""

    def line(self, id_: str) -> Line | None:
        """The line of that id."""
        for line in self.lines:
            if line.id == id_:
                return line
        return None

    def piece(self, line: str, sku: str) -> Piece | None:
        """The piece that a partner means by a line, a SKU, or both."""
        for piece in self.pieces:
            if piece.line == line and (piece.sku == sku or not sku) and not piece.dropped:
                return piece
        if line and not sku:
            return None
        for piece in self.pieces:
            if piece.sku == sku and (not line or self.line(line) is None) and not piece.dropped:
                return piece
        return None

    def request(self, id_: str) -> Request | None:
        """The request of that id."""
        for request in self.requests:
            if request.id == id_:
                return request
        return None

    def skus(self) -> list[str]:
        """Every SKU that it may move, in the order of its pieces."""
        return list(dict.fromkeys([p.sku for p in self.pieces if p.moves] + [move[0] for move in self.owed]))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(OrderProcess)


def encode_process(process: OrderProcess) -> bytes:
    """The process as JSON."""
    return _encoder.encode(process)


def decode_process(value: bytes | msgspec.Raw) -> OrderProcess:
    """The process of its JSON."""
    return _decoder.decode(value)
