"""The retailer of the demo: stores, one shop, one ERP, one warehouse, and the hub between them. Writes files, starts nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crossdock.config.keys import add_token, make_key
from crossdock.demo import stores as stores_
from crossdock.demo.options import Options
from crossdock.demo.stores import STORES, Stores, stores_of
from crossdock.simulator.serve import Config, Served
from crossdock.testing.tryton import PASSWORD as TRYTON_PASSWORD
from crossdock.testing.tryton import USER as TRYTON_USER

SHOP, ERP, WAREHOUSE = "shop", "erp", "warehouse"
PARTNERS = (SHOP, ERP, WAREHOUSE)
SKUS = 120
SCARCE = ("SKU-0007", "SKU-0042")
"""What there is too little of, so that somebody's order has to wait for stock."""
UNITS_PER_ORDER = 3.6
SOURCE_RETRY_S = 2
POLL_EVERY_S, HOUR_S = 10, 3600
LOCATION = "70000000001"
SECRETS = ("SHOP_TOKEN", "SHOP_SECRET", "ERP_TOKEN", "WAREHOUSE_TOKEN", "WAREHOUSE_SECRET", "STORES_SECRET")

_HUB = """\
# The demo's retailer. Every order goes shop -> hub -> ERP and warehouse -> hub -> shop.
[hub]
name = "demo"
data = "data"
port = {port}
{database}
[connections.shop]
connector = "shopify"
url = "{partners}/shop"
access_token = "${{DEMO_SHOP_TOKEN}}"
webhook_secret = "${{DEMO_SHOP_SECRET}}"
currency = "EUR"
location_id = "{location}"
requests_per_s = 0

{erp}[connections.warehouse]
connector = "wms"
url = "{partners}/warehouse"
token = "${{DEMO_WAREHOUSE_TOKEN}}"
webhook_secret = "${{DEMO_WAREHOUSE_SECRET}}"
batch_max = "20"

[routes.shop]
erp = "erp"
locations = [{locations}]

[locations.main]
warehouse = "warehouse"
zone = "Europe/Berlin"
partner_code = "MAIN"

[authority]
stock = "erp"

# A day in a minute: less patience than in earnest.
[policies]
source_retry_s = {source_retry}
{policies}
[policies.retries]
attempts_max = 12
base_s = 0.2
cap_s = 5.0
{stores}"""

_ERP = """\
# An ERP without idempotency keys: after an unclear reply the hub looks before it books again. Between two readings of its
# stock the hub counts what moves; its sales are read for `crossdock compare --late-after 60`.
[connections.erp]
connector = "erp"
url = "{partners}/erp"
token = "${{DEMO_ERP_TOKEN}}"
idempotency = "lookup"
batch_max = "20"
feeds = ["stock", "sales"]
poll_every_s = {poll_every_s}
"""
_TRYTON = """\
# A real Tryton. It is slow, so calls go in batches, and what it has not taken yet waits in the hub. One call at a time:
# on SQLite it gives two invoices that are posted at once the same number.
[connections.erp]
connector = "tryton"
url = "{url}"
user = "{user}"
password = "${{DEMO_TRYTON_PASSWORD}}"
warehouses = "{warehouses}"
payment_method = "Clearing"
concurrency_max = 1
feeds = ["stock"]
poll_every_s = 3600
"""


class Retailer(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything is. `environ` holds the secrets that the hub's configuration asks for; `token` opens its API."""

    folder: Path
    port: int
    token: str
    environ: Mapping[str, str]
    opening: Mapping[str, int]
    options: Options
    database: str = ""
    """The address of the database where processes share one; else the store is a file of the hub's."""

    @property
    def config(self) -> Path:
        """The hub's configuration."""
        return self.folder / "crossdock.toml"

    @property
    def partners(self) -> Path:
        """The simulators' configuration."""
        return self.folder / "partners.json"

    @property
    def data(self) -> Path:
        """The hub's data folder."""
        return self.folder / "data"

    @property
    def simulated(self) -> tuple[str, ...]:
        """The partners that are simulated."""
        partners = [name for name in PARTNERS if name != ERP or self.options.erp == "simulated"]
        return (*partners, STORES) if self.stores is not None else tuple(partners)

    @property
    def stores(self) -> Stores | None:
        """Its stores; None where there are no tills."""
        return stores_of(self.options)

    @property
    def store(self) -> Path | str:
        """Where the hub keeps everything."""
        return self.database or self.data / "crossdock.db"

    @property
    def url(self) -> str:
        """The hub's address."""
        return f"http://127.0.0.1:{self.port}"


def found_retailer(folder: Path, port: int, options: Options, database: str = "") -> Retailer:
    """Make keys, secrets and the partners' configuration in an empty folder. database: its address, where one is shared."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    make_key(data / "key")
    token = add_token(data / "tokens", "demo")
    environ = {f"DEMO_{name}": secrets.token_hex(16) for name in SECRETS}
    environ["DEMO_TRYTON_PASSWORD"] = TRYTON_PASSWORD
    opening = opening_stock(options)
    retailer = Retailer(
        folder=folder,
        port=port,
        token=token,
        environ=environ,
        opening=opening,
        options=options,
        database=database,
    )
    retailer.partners.write_bytes(msgspec.json.encode(partners(retailer, options)))
    return retailer


def connect(retailer: Retailer, partners_url: str, tryton_url: str = "") -> None:
    """Write the hub's configuration, now that it is known where the partners are."""
    options, stores = retailer.options, retailer.stores
    locations = ["main", *(unit.store for unit in stores.last)] if stores is not None else ["main"]
    # Two workers of a PostgreSQL may leave a level too low until the next statement (STATUS.md): there it is read once.
    erp = _ERP.format(partners=partners_url, poll_every_s=HOUR_S if retailer.database else POLL_EVERY_S)
    if tryton_url:
        codes = ["main=WH", *(stores.zones if stores is not None else ())]
        erp = _TRYTON.format(url=tryton_url, user=TRYTON_USER, warehouses="; ".join(codes))
    text = _HUB.format(
        erp=erp + "\n",
        locations=", ".join(f'"{name}"' for name in locations),
        policies=stores_.policies(options) if stores is not None else "",
        stores=stores_.configuration(options, stores) if stores is not None else "",
        port=retailer.port,
        partners=partners_url,
        location=LOCATION,
        source_retry=SOURCE_RETRY_S,
        database=f'database = "{retailer.database}"\n' if retailer.database else "",
    )
    retailer.config.write_text(text, "utf-8")


def opening_stock(options: Options) -> dict[str, int]:
    """Plenty of everything but the scarce: of these a quarter of what will be wanted."""
    wanted = options.orders * UNITS_PER_ORDER / SKUS
    plenty = 100 + round(8 * wanted)
    stock = dict.fromkeys((f"SKU-{n + 1:04d}" for n in range(SKUS)), plenty)
    return stock | dict.fromkeys(SCARCE, max(1, round(wanted / 4)))


def partners(retailer: Retailer, options: Options) -> Config:
    """The simulators, their habits and their faults."""
    faults = faults_of(options) if options.faults else {}
    settings = _settings(retailer, options)
    kinds = {SHOP: "shopify", ERP: "erp", WAREHOUSE: "wms"}
    if options.erp == "tryton":
        del kinds[ERP]
    if STORES in settings:
        kinds[STORES] = "till"
    return Config(
        hub=retailer.url,
        seed=options.seed,
        simulators=tuple(
            Served(name=name, kind=kind, settings=settings[name], faults=faults.get(name, {}))
            for name, kind in kinds.items()
        ),
    )


def faults_of(options: Options) -> dict[str, dict[str, Any]]:
    """What goes wrong at whom. A 429 stops all calls to that partner for a while, so it comes by time, not by call."""
    calls_per_s = 3 * options.rate
    replies = {
        "throttled_rate": min(0.02, 0.2 / calls_per_s),
        "retry_after_s": 1.0,
        "error_rate": 0.01,
        "lost_reply_rate": 0.02,
        "lost_request_rate": 0.005,
        "cut_body_rate": 0.005,
        "slow_rate": 0.01,
        "slow_s": 0.5,
    }
    deliveries = {"duplicate_rate": 0.05, "reorder_rate": 0.1, "reorder_s": 0.7}
    return {
        SHOP: {**replies, **deliveries},
        ERP: replies,
        STORES: deliveries,
        WAREHOUSE: {**replies, **deliveries, "gone": [list(options.gone)]},
    }


def _settings(retailer: Retailer, options: Options) -> dict[str, dict[str, Any]]:
    secret = {name: retailer.environ[f"DEMO_{name}"] for name in SECRETS}
    pick_s = min(3.0, options.seconds / 10)
    troubles = {"short_rate": 0.01, "refuse_rate": 0.002} if options.faults else {}
    stores = retailer.stores
    tills, display, stock_at = {}, [], {}
    if stores is not None:
        tills = {STORES: stores_.settings(options, stores, secret["STORES_SECRET"])}
        display, stock_at = [unit.sku for unit in stores.last], stores.opening
    return {
        **tills,
        SHOP: {
            "access_token": secret["SHOP_TOKEN"],
            "webhook_secret": secret["SHOP_SECRET"],
            "location": LOCATION,
            "rate": options.rate,
            "orders_max": options.orders,
            "waits": True,
            "opens_when_stocked": True,
            "skus": SKUS,
            "display": display,
            "unpaid_rate": 0.05,
            "cancel_rate": 0.05,
            "cancel_after_s": 0.9 * pick_s,
            "change_rate": 0.15,
        },
        ERP: {
            "token": secret["ERP_TOKEN"],
            "idempotency": "none",
            "latency_s": 0.02,
            "sales_per_s_max": options.sales_per_s,
            "stock": dict(retailer.opening),
            "stock_at": stock_at,
            "quantity_scales": stores_.WEIGHED,
        },
        WAREHOUSE: {
            "token": secret["WAREHOUSE_TOKEN"],
            "webhook_secret": secret["WAREHOUSE_SECRET"],
            "accept_after_s": 0.3,
            "ship_after_s": pick_s,
            "two_packages_rate": 0.2,
            "part_rate": 0.15,
            "cancel_answer": "later",
            "cancel_after_s": 0.3,
            "stock": dict(retailer.opening),
            **troubles,
        },
    }
