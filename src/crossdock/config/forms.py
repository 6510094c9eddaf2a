"""Every section of `crossdock.toml` and every key in it: what is checked, and what the documentation says.

The keys of `[policies]`, `[limits]` and the like are the fields of the structs that they fill; a test holds the two
together. What a connection needs besides stands in the spec of its connector.
"""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.config.model import LimitsConfig
from crossdock.config.values import Field
from crossdock.domain.policy import Authority, Policy, Route
from crossdock.engine.recovery import RetryPolicy

YEAR_S = 366 * 86_400


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the file. `named`: there are several, each under a name of its own: `[routes.shop]`."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    named: str = ""


def _defaults(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in msgspec.structs.fields(struct)
    }


_ROUTE = _defaults(Route)
_POLICY = _defaults(Policy)
_AUTHORITY = _defaults(Authority)
_RETRY = _defaults(RetryPolicy)
_LIMITS = _defaults(LimitsConfig)


def _field(defaults: dict[str, Any], name: str, doc: str, kind: Any, **more: Any) -> Field:
    return Field(name=name, doc=doc, kind=kind, default=defaults[name], **more)


def _seconds(defaults: dict[str, Any], name: str, doc: str, low: float = 0) -> Field:
    return _field(defaults, name, doc, "whole", low=low, high=YEAR_S)


HUB = Section(
    name="hub",
    doc="The hub itself: its name, where it keeps what it holds, where it listens.",
    fields=(
        Field(name="name", default="crossdock", doc="What this hub is called in events, metrics and logs."),
        Field(
            name="data",
            default="data",
            doc="Folder of the database, the key and the tokens; relative to this file. On a local disk.",
        ),
        Field(
            name="database",
            default="",
            doc="Where several processes keep what they share: postgresql://user@host:5432/name, its password only as "
            "${ENV}. Empty is a file in `data`, for one hub on one machine.",
        ),
        Field(name="host", default="127.0.0.1", doc="Address to listen on."),
        Field(name="port", kind="whole", default=8080, low=1, high=65_535, doc="Port to listen on."),
        Field(
            name="public_url",
            kind="url",
            default="",
            doc="How partners and people reach the hub, through a proxy for example; else the address it listens on.",
        ),
        Field(
            name="allow_remote",
            kind="flag",
            default=False,
            doc="Must be true where `host` is not this machine alone. The hub speaks HTTP: put TLS in front of it.",
        ),
    ),
)

CONNECTION = Section(
    name="connections",
    named="NAME",
    doc="One account of one partner: a shop, a warehouse, an ERP. Its webhooks come in at `/in/NAME`. Besides these keys "
    "it takes the settings of its connector.",
    fields=(
        Field(
            name="connector",
            required=True,
            doc="Which connector speaks to it; `crossdock connectors` lists them.",
        ),
        Field(
            name="mode",
            default="live",
            choices=("observe", "adopt", "live"),
            doc="observe: decide, send nothing, compare. adopt: what is older than `since` (or all) is taken over, held "
            "until released; the rest is live. live: what is older is only observed.",
        ),
        Field(
            name="since",
            kind="since",
            doc="Date (midnight UTC), or time with its offset, from which it is live. What is older is observed or taken over. "
            "Tills in sum: whole store days (see `till`).",
        ),
        Field(
            name="requests_per_s",
            kind="number",
            low=0,
            high=100_000,
            doc="Requests a second that the partner bears; 0 for no limit. Else what its connector knows.",
        ),
        Field(
            name="burst", kind="whole", low=1, high=100_000, doc="Requests that may go at once after a pause."
        ),
        Field(
            name="concurrency_max", kind="whole", low=1, high=256, doc="Requests under way at the same time."
        ),
        Field(
            name="poll_every_s",
            kind="number",
            default=0.0,
            low=0,
            high=86_400,
            doc="Seconds between two readings of its feeds; 0 for never. Polling repairs webhooks that were lost.",
        ),
        Field(
            name="feeds",
            kind="names",
            default=(),
            doc="Feeds that are read so; the connector's page names them.",
        ),
    ),
)

ROUTE = Section(
    name="routes",
    named="CHANNEL",
    doc="Where the orders of a channel go. CHANNEL is a connection that is a channel or a till, or `api` for orders "
    "that are posted to the hub's own API.",
    fields=(
        Field(
            name="erp",
            default=_ROUTE["erp"],
            doc="The ERP connection that books its sales; none: nobody books them.",
        ),
        Field(
            name="locations",
            kind="names",
            default=_ROUTE["locations"],
            doc="Locations that serve it, tried in this order.",
        ),
        _field(
            _ROUTE, "buffer", "Units kept back from the quantity published to it.", "whole", low=0, high=10**6
        ),
        _field(_ROUTE, "acknowledge", "Tell the channel once an order is ours.", "flag"),
        _field(_ROUTE, "publish", "Tell the channel what is available.", "flag"),
        _field(
            _ROUTE,
            "post",
            "How the ERP is told of till tickets: `each` by itself, or summed per store and business `day`.",
            "text",
            choices=("each", "day"),
        ),
        _field(
            _ROUTE,
            "copies",
            'Orders that a tool copies into it from a connection of yours, by their origin: `{ amazon-us = "market" }`. '
            "A copy is linked to the order that was sold, and leads to nothing itself.",
            "map",
        ),
    ),
)

LOCATION = Section(
    name="locations",
    named="NAME",
    doc="A place of yours that holds stock: a warehouse, a store.",
    fields=(
        Field(
            name="warehouse",
            default="",
            doc="The wms connection that works there; none: nobody is told to ship.",
        ),
        Field(name="zone", kind="zone", default="UTC", doc="Its IANA time zone, for business dates."),
        Field(
            name="safety_stock",
            kind="whole",
            default=0,
            low=0,
            high=1_000_000,
            doc="Units of every SKU that are never sold from there.",
        ),
        Field(
            name="partner_code",
            default="",
            doc="What its warehouse system calls it, where not by the same name.",
        ),
        Field(name="legal_entity", default="", doc="The company that owns its stock."),
        Field(
            name="stocked",
            kind="flag",
            default=True,
            doc="Keep its stock; where not, what its tills sell moves none.",
        ),
    ),
)

AUTHORITY = Section(
    name="authority",
    doc="Who is master of what.",
    fields=(
        Field(
            name="stock",
            default=_AUTHORITY["stock"],
            doc="Whose count of stock rules: a connection, or `hub`, which counts movements from its partners' snapshots.",
        ),
        _field(
            _AUTHORITY,
            "stock_lag_s",
            "Seconds after its answer in which the master's figures may still be without what it was told: it books later.",
            "number",
            low=0,
            high=86_400,
        ),
        _field(
            _AUTHORITY,
            "stock_clock_s",
            "Seconds that its clock and the hub's may be apart. It counts where the master does not say when it booked.",
            "number",
            low=0,
            high=3_600,
        ),
        Field(
            name="price",
            default=_AUTHORITY["price"],
            doc="The connection whose prices rule; none: the channel's do.",
        ),
        _field(
            _AUTHORITY,
            "cancellation",
            "Who has the last word on stopping goods: the warehouse is asked, or the hub decides.",
            "text",
            choices=("warehouse", "hub"),
        ),
    ),
)

POLICIES = Section(
    name="policies",
    doc="What is decided beforehand. Money is in minor units of the order's currency (cents), times in seconds.",
    fields=(
        _field(
            _POLICY,
            "unknown_sku",
            "A SKU of which the hub holds neither product nor stock: `park` the order for a person, or `accept` it.",
            "text",
            choices=("park", "accept"),
        ),
        _field(
            _POLICY,
            "out_of_stock",
            "What cannot be reserved: wait for stock under a case, or ask the channel to cancel it.",
            "text",
            choices=("backorder", "cancel"),
        ),
        _field(_POLICY, "price_tolerance", "How far a price may be off ours without a word.", "money", low=0),
        _field(
            _POLICY,
            "erp_total_tolerance",
            "How far the ERP's total may be off the order's: within, it is rounding; above, a case.",
            "money",
            low=0,
        ),
        _seconds(
            _POLICY, "grace_s", "Between commitment and release: the buyer may still change their mind."
        ),
        _seconds(_POLICY, "reservation_s", "How long a tentative order keeps its reservation.", low=1),
        _field(
            _POLICY, "hold_tags", "Orders with one of these tags wait until a person releases them.", "names"
        ),
        _field(_POLICY, "erp_gates_release", "Release only after the ERP has the sale (B2B credit).", "flag"),
        _field(_POLICY, "post_test_orders", "Treat test orders like real ones. For trials only.", "flag"),
        _seconds(
            _POLICY, "fulfilment_deadline_s", "After this an order that is not shipped becomes a case.", low=1
        ),
        _seconds(
            _POLICY,
            "late_s",
            "A call that waits so long for its partner becomes a case of that partner.",
            low=1,
        ),
        _seconds(
            _POLICY, "source_retry_s", "How often stock is looked for again for an order that waits.", low=1
        ),
        _seconds(_POLICY, "answer_s", "How long a warehouse may take to answer a cancellation.", low=1),
        _field(
            _POLICY,
            "day_ends_hour",
            "Hour of the next calendar day, in the store's zone, until which a till's ticket belongs to the day before.",
            "whole",
            low=0,
            high=23,
        ),
        _seconds(
            _POLICY,
            "day_settle_s",
            "After its close a store's day waits so long for tickets on their way; what comes later is counted in turns of half of it.",
        ),
        _seconds(_POLICY, "day_late_s", "After its end a store's day that is still open becomes a case."),
        _seconds(
            _POLICY,
            "silence_s",
            "An open store may be silent so long while others of its connection sell.",
            low=1,
        ),
        _field(
            _POLICY,
            "closed_period",
            "Where a store's day goes whose period the ERP has closed: the first open month after it, or the day of "
            "posting.",
            "text",
            choices=("next_month", "today"),
        ),
    ),
)

RETRIES = Section(
    name="policies.retries",
    doc="How patient the hub is with partners. The pause before each retry is a random part of `base_s` doubled each "
    "time, up to `cap_s`.",
    fields=(
        _field(_RETRY, "attempts_max", "Attempts before a person decides.", "whole", low=1, high=1000),
        _field(_RETRY, "base_s", "The first pause.", "number", low=0.001, high=3600),
        _field(_RETRY, "cap_s", "The longest pause.", "number", low=0.001, high=86_400),
        _field(
            _RETRY,
            "retry_after_max_s",
            "The longest `Retry-After` of a partner that is obeyed.",
            "number",
            low=1,
        ),
        _field(
            _RETRY,
            "paused_s",
            "How long a connection whose credentials are refused is left alone.",
            "number",
            low=1,
        ),
    ),
)

LIMITS = Section(
    name="limits",
    doc="How much of anything the hub bears.",
    fields=(
        _field(
            _LIMITS,
            "body_bytes_max",
            "The largest delivery or request that is taken: 20,000 till tickets of 800 bytes unless told otherwise.",
            "whole",
            low=1024,
        ),
        _field(
            _LIMITS, "response_bytes_max", "The largest reply of a partner that is read.", "whole", low=1024
        ),
        _field(
            _LIMITS,
            "intake_waiting_max",
            "Deliveries that may wait to be written; above, 503.",
            "whole",
            low=1,
        ),
        _field(
            _LIMITS,
            "batch_messages_max",
            "Messages decided on in one transaction.",
            "whole",
            low=1,
            high=10_000,
        ),
        _field(
            _LIMITS,
            "wal_bytes_max",
            "Size of SQLite's log above which it is truncated.",
            "whole",
            low=1024 * 1024,
        ),
    ),
)

SECTIONS = (HUB, CONNECTION, ROUTE, LOCATION, AUTHORITY, POLICIES, RETRIES, LIMITS)
TOP_LEVEL = ("hub", "connections", "routes", "locations", "authority", "policies", "limits")
