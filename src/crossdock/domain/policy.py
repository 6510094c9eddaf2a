"""What the retailer has decided beforehand: routes, authority, policies. Built from `crossdock.toml`, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

Mode = Literal["observe", "adopt", "live"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A location of ours and who works it. `partner_code` is what its warehouse system calls it."""

    id: str
    warehouse: str = ""
    """The wms connection that it is released to; "" where nobody is told."""
    zone: str = "UTC"
    safety_stock: int = 0
    partner_code: str = ""
    legal_entity: str = ""
    stocked: bool = True
    """False: no stock is kept of it, and what its tills sell moves none."""
    tax_rates: tuple[str, ...] = ()
    """Factors of the taxes that its tills charge, for lines whose rate they do not tell."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where the orders of a channel go. Locations are tried in this order."""

    channel: str
    erp: str = ""
    locations: tuple[str, ...] = ()
    buffer: int = 0
    """Units kept back from the published quantity of this channel."""
    acknowledge: bool = True
    acknowledge_unreserved: bool = False
    """Acknowledge an order while some of it waits for stock: for a channel whose deadline does not wait for goods."""
    acknowledge_within_s: int = 0
    """How soon after it was placed the channel wants our word on an order; 0: it sets no limit."""
    publish: bool = True
    post: Literal["each", "day"] = "day"
    """How the ERP is told of till tickets: one by one, or summed per store and business day."""
    copies: Mapping[str, str] = {}
    """Origin, in the words of the channel -> the channel where those orders are sold: they come here as copies."""
    legal_entity: str = ""
    """The company of ours that sells there: its orders, sales and postings are of it."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Tolerances, holds and times. Money in minor units, times in seconds."""

    unknown_sku: Literal["park", "accept"] = "park"
    """A SKU of which we hold neither product nor stock: park the order's message, or take it."""
    out_of_stock: Literal["backorder", "cancel"] = "backorder"
    """What we do with what cannot be reserved: wait for stock under a case, or ask the channel to cancel."""
    price_tolerance: int = 0
    erp_total_tolerance: int = 1
    grace_s: int = 0
    """Time between commitment and release in which a buyer may still change their mind."""
    reservation_s: int = 3600
    """How long the reservation of a tentative order lives."""
    hold_tags: tuple[str, ...] = ()
    """Orders with one of these tags are held until a person releases them."""
    erp_gates_release: bool = False
    """Release only after the ERP has the sale (B2B credit)."""
    post_test_orders: bool = False
    fulfilment_deadline_s: int = 7 * 86_400
    late_s: int = 3 * 3600
    """How long a call may wait for its partner before a person is told (marketplaces want their word within four hours)."""
    source_retry_s: int = 900
    """How often stock is looked for again for an order that waits for it."""
    answer_s: int = 4 * 3600
    """How long a warehouse may take to answer a cancellation before a person is asked to call it."""
    day_ends_hour: int = 4
    """Hour of the next calendar day, by the store's wall clock, until which a till ticket belongs to the day before."""
    day_settle_s: int = 300
    """How long after its close a store's day waits for tickets that are still on their way, before it is counted."""
    day_late_s: int = 6 * 3600
    """How long after its end a store's day may stay open before a person is told."""
    silence_s: int = 3600
    """How long a store may be silent while others of its connection sell: its day is open, or its next is due by its own clock."""
    closed_period: Literal["next_month", "today"] = "next_month"
    """Where a day goes whose period is closed in the ERP: the first open month after it, or the day of posting."""
    bodies_days: int = 90
    """How long raw bodies are kept after their order is finished; 0 is for ever."""
    deliveries_days: int = 90
    """How long the ids of deliveries are kept; 0 is for ever."""


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """Who is master of what, as connection names or "hub"."""

    stock: str = "hub"
    stock_lag_s: float = 0.0
    """How long after its answer the master's books may still be without what it was told."""
    stock_clock_s: float = 5.0
    """How far apart its clock and ours may be, where it does not say when it booked."""
    price: str = ""
    cancellation: Literal["warehouse", "hub"] = "warehouse"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All of it together, as flows are given it."""

    routes: Mapping[str, Route]
    places: Mapping[str, Place]
    policy: Policy = Policy()
    authority: Authority = Authority()
    modes: Mapping[str, Mode] = {}
    since: Mapping[str, datetime] = {}
    """Nothing that was sold before goes live on that connection: it is taken over (`adopt`), or only observed."""
    roles: Mapping[str, tuple[str, ...]] = {}
    """Roles of every connection, by its name."""
    offers: Mapping[str, frozenset[str]] = {}
    """Names of the operations that each connection offers."""

    def mode_at(self, connection: str, sold_at: datetime | None) -> Mode:
        """The mode of an order of this connection.

        `live`: what was sold before the start date is only observed. `adopt`: that is taken over, what is sold since is live.
        """
        mode, since = self.modes.get(connection, "live"), self.since.get(connection)
        if mode == "observe" or since is None:
            return mode
        before = sold_at is not None and sold_at < since
        if mode == "adopt":
            return "adopt" if before else "live"
        return "observe" if before else "live"
