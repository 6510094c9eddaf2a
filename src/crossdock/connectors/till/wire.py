"""The bodies of openapi.yaml, as they are read. Money in minor units, quantities in 10 ** -quantity_scale of `unit`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from crossdock.model.base import Amount, Instant, Units
from crossdock.model.lines import LineKind
from crossdock.model.pricing import ChargeKind, TenderKind
from crossdock.model.quantity import SCALE_MAX
from crossdock.model.tills import TicketKind

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._-]+\Z")]
"""A store or a till: it stands in references, between slashes."""
Number = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=255)]


class Wire(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A body; unknown fields are passed over."""


class NameBody(Wire, frozen=True, kw_only=True):
    """What names a ticket, for ever: a till never uses a number twice."""

    store: Name
    till: Name
    sequence: Number


class TaxBody(Wire, frozen=True, kw_only=True):
    """One tax of a line: its rate as a factor in text ("0.19")."""

    amount: Amount
    rate: Text = ""
    name: Text = ""
    jurisdiction: Text = ""
    category: Text = ""


class LineBody(Wire, frozen=True, kw_only=True):
    """One line. A negative quantity is taken back, and its money is negative too. `gross` is after its discount.

    parent: the id of the bundle's line that this is a component of.
    """

    quantity: Units
    gross: Amount
    tax: Amount = 0
    sku: Text = ""
    id: Text = ""
    parent: Text = ""
    title: Text = ""
    category: Text = ""
    kind: LineKind = "goods"
    unit: Text = "ea"
    quantity_scale: Annotated[int, msgspec.Meta(ge=0, le=SCALE_MAX)] = 0
    unit_price: Text = ""
    discount: Amount = 0
    discount_reason: Text = ""
    taxes: tuple[TaxBody, ...] = ()
    restock: bool = True
    serials: tuple[Text, ...] = ()


class ChargeBody(Wire, frozen=True, kw_only=True):
    """What is neither goods nor rounding: a tip, a fee, a wrapping."""

    kind: ChargeKind
    gross: Amount
    tax: Amount = 0
    title: Text = ""
    taxes: tuple[TaxBody, ...] = ()


class TenderBody(Wire, frozen=True, kw_only=True):
    """One means of payment; negative where money is handed back. Change is not in it: the amount is what stays."""

    kind: TenderKind
    amount: Amount
    reference: Text = ""
    provider: Text = ""
    foreign_currency: Text = ""
    foreign_amount: Amount | None = None


class TicketBody(NameBody, frozen=True, kw_only=True):
    """One ticket. `rounding` is what a cash total was rounded by; `amount` is that of a paid in, paid out or float."""

    at: Instant
    currency: Text = ""
    kind: TicketKind = "sale"
    business_date: date | None = None
    lines: tuple[LineBody, ...] = ()
    charges: tuple[ChargeBody, ...] = ()
    tenders: tuple[TenderBody, ...] = ()
    total: Amount = 0
    rounding: Amount = 0
    tip: Amount = 0
    amount: Amount = 0
    prices_include_tax: bool = True
    cashier: Text = ""
    reason: Text = ""
    training: bool = False
    original: NameBody | None = None


class ZTenderBody(Wire, frozen=True, kw_only=True):
    """What a Z report says of one tender: taken less given back, and counted (less float, paid in and out)."""

    kind: TenderKind
    expected: Amount
    counted: Amount | None = None


class ZTillBody(Wire, frozen=True, kw_only=True):
    """The Z report of one till. `tickets` counts the numbers that it used, voids and cash movements too."""

    till: Name
    tickets: Number = 0
    first: Number | None = None
    last: Number | None = None
    tenders: tuple[ZTenderBody, ...] = ()


class DayBody(Wire, frozen=True, kw_only=True):
    """The opening or the close of a store's business day. A close that is corrected has a higher `version`."""

    store: Name
    business_date: date
    at: Instant
    currency: Annotated[str, msgspec.Meta(min_length=3, max_length=3)]
    version: Text = "1"
    tills: tuple[ZTillBody, ...] = ()
    tenders: tuple[ZTenderBody, ...] = ()
    sales_gross: Amount = 0
    returns_gross: Amount = 0
    tax: Amount = 0
    paid_in: Amount = 0
    paid_out: Amount = 0
    float_opening: Amount = 0
    float_closing: Amount = 0


class DayHead(Wire, frozen=True, kw_only=True):
    """What the gate reads of an opening or close."""

    store: Name
    business_date: date


class ControlBody(Wire, frozen=True, kw_only=True):
    """What an upload states that it holds: how many tickets, and the sum of their totals."""

    tickets: Number | None = None
    total: Amount | None = None


class UploadBody(Wire, frozen=True, kw_only=True):
    """Many tickets, each unread: a bad one is to park alone."""

    tickets: tuple[msgspec.Raw, ...]
    upload: Text = ""
    store: Text = ""
    control: ControlBody | None = None


class SumBody(Wire, frozen=True, kw_only=True):
    """What is read of a ticket to add an upload up."""

    total: int = 0


class FoundBody(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """An upload's head with what was found in it; the hub makes it of the upload."""

    upload: str
    store: str
    tickets: int
    total: int
    control: ControlBody
