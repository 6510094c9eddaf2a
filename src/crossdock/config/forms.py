"""Every section of `crossdock.toml` and every key in it: what is checked, and what the documentation says.

The keys of `[policies]`, `[limits]` and the like are the fields of the structs that they fill; a test holds the two
together. What a connection needs besides stands in the spec of its connector.
"""

from __future__ import annotations

from crossdock.config.policies import LIMITS, POLICIES, RETRIES
from crossdock.config.sections import Section, days, defaults_of, field_of
from crossdock.config.values import Field
from crossdock.domain.policy import Authority, Route

__all__ = [
    "AUTHORITY",
    "CONNECTION",
    "HUB",
    "LIMITS",
    "LOCATION",
    "POLICIES",
    "RETRIES",
    "ROUTE",
    "SECTIONS",
    "TOP_LEVEL",
    "Section",
]

_ROUTE = defaults_of(Route)
_AUTHORITY = defaults_of(Authority)


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
        days("bodies_days", "Days for which its raw bodies are kept; else what `[policies]` says.", None),
        days(
            "deliveries_days",
            "Days for which ids of its deliveries are kept; else what `[policies]` says.",
            None,
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
        field_of(
            _ROUTE,
            "buffer",
            "Units kept back from the quantity published to it.",
            "whole",
            low=0,
            high=1_000_000,
        ),
        field_of(
            _ROUTE,
            "acknowledge",
            "Tell the channel that an order is ours, once what we fulfil of it is reserved.",
            "flag",
        ),
        field_of(_ROUTE, "acknowledge_unreserved", "Tell it while some of it still waits for stock.", "flag"),
        field_of(
            _ROUTE,
            "acknowledge_within_s",
            "How soon after an order was placed the channel wants that word; a person is told when three quarters of it are "
            "over. 0: it sets no limit.",
            "whole",
            low=0,
        ),
        field_of(_ROUTE, "publish", "Tell the channel what is available.", "flag"),
        field_of(
            _ROUTE,
            "post",
            "How the ERP is told of till tickets: `each` by itself, or summed per store and business `day`.",
            "text",
            choices=("each", "day"),
        ),
        field_of(
            _ROUTE,
            "copies",
            'Orders that a tool copies into it from a connection of yours, by their origin: `{ amazon-us = "market" }`. '
            "A copy is linked to the order that was sold, and leads to nothing itself.",
            "map",
        ),
        Field(name="legal_entity", default="", doc="The company of yours that sells there."),
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
        Field(
            name="tax_rates",
            kind="rates",
            default=(),
            doc='Rates of tax that its tills charge, as factors (`["0.19", "0.07"]`), where they tell a tax without its rate.',
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
        field_of(
            _AUTHORITY,
            "stock_lag_s",
            "Seconds after its answer in which the master's figures may still be without what it was told: it books later.",
            "number",
            low=0,
            high=86_400,
        ),
        field_of(
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
            doc="Read, and nothing acts on it yet: the channel's prices stand as it tells them.",
        ),
        field_of(
            _AUTHORITY,
            "cancellation",
            "Read, and nothing acts on `hub` yet: the warehouse is asked, and has the last word on stopping goods.",
            "text",
            choices=("warehouse", "hub"),
        ),
    ),
)

SECTIONS = (HUB, CONNECTION, ROUTE, LOCATION, AUTHORITY, POLICIES, RETRIES, LIMITS)
TOP_LEVEL = ("hub", "connections", "routes", "locations", "authority", "policies", "limits")
