"""Who takes part: two shops, an ERP and two warehouses, and the hub's configuration. All of it by the seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crossdock.config import Config, load_config
from crossdock.config.registry import Registry
from crossdock.sdk.spec import Connector
from crossdock.simulator.erp import ErpSimulator
from crossdock.simulator.shopify import ShopifySimulator
from crossdock.simulator.till import TillSimulator
from crossdock.simulator.wms import WmsSimulator
from sim.faults import Faults

SHOPS = ("shop", "market")
ERP = "erp"
WAREHOUSES = {"north": "NRD", "south": "SUD"}
"""Location of ours -> the warehouse's own code. The connection is named as the location is."""
TILLS = "tills"
STORES = {"s1": "Europe/Berlin", "s2": "Europe/Lisbon", "s3": "America/New_York"}
"""Location of ours -> its zone. Nobody counts there: what its tills say is all that is known of its stock."""
PARTNERS = (*SHOPS, ERP, *WAREHOUSES, TILLS)
SKUS = 20
SECRET = "only-for-the-simulation"
MASTER_KEY = b"crossdock-simulation-master-key!"
PLACE = "70000000001"

TOML = """
[hub]
name = "simulation"
data = "data"

[connections.shop]
connector = "shopify"
url = "http://shop.example"
access_token = "${{SIM_SECRET}}"
webhook_secret = "${{SIM_SECRET}}"
location_id = "{place}"
feeds = ["orders"]
poll_every_s = {poll_s}

[connections.market]
connector = "shopify"
url = "http://market.example"
access_token = "${{SIM_SECRET}}"
webhook_secret = "${{SIM_SECRET}}"
location_id = "{place}"
feeds = ["orders"]
poll_every_s = {poll_s}
requests_per_s = 0.05
burst = 3

[connections.erp]
connector = "erp"
url = "http://erp.example"
token = "${{SIM_SECRET}}"
idempotency = "{idempotency}"
batch_max = {documents}

[connections.north]
connector = "wms"
url = "http://north.example"
batch_max = {documents}
token = "${{SIM_SECRET}}"
webhook_secret = "${{SIM_SECRET}}"

[connections.south]
connector = "wms"
url = "http://south.example"
token = "${{SIM_SECRET}}"
webhook_secret = "${{SIM_SECRET}}"
concurrency_max = 2

[locations.north]
warehouse = "north"
partner_code = "NRD"

[locations.south]
warehouse = "south"
partner_code = "SUD"

[connections.tills]
connector = "till"
webhook_secret = "${{SIM_SECRET}}"

{stores}
[routes.tills]
erp = "erp"
post = "day"

[routes.shop]
erp = "erp"
locations = ["north", "south"]

[routes.market]
erp = "erp"
locations = ["south", "north"]
buffer = {buffer}

[authority]
stock = "hub"

[policies]
grace_s = {grace_s}
erp_gates_release = {gated}
source_retry_s = 1800

[limits]
batch_messages_max = {batch_max}
"""


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What this seed's retailer is like. erp: how it avoids doubles.
    documents: how many go in one request, where they may. kept_h: how long bodies are kept, in hours."""

    erp: str
    batch_max: int
    grace_s: int
    gated: bool
    buffer: int
    documents: int
    kept_h: int


def traits_of(dice: random.Random, faults: Faults) -> Traits:
    """Roll for them; every roll is made whatever the faults are."""
    erp = ("key", "lookup", "lookup", "none")[dice.getrandbits(16) % 4]
    return Traits(
        erp="lookup" if erp == "none" and not faults.has("no_keys") else erp,
        batch_max=dice.choice((2, 5, 40)),
        grace_s=dice.choice((0, 0, 600)),
        gated=dice.random() < 0.3,
        buffer=dice.choice((0, 0, 1)),
        documents=dice.choice((1, 3, 8)),
        kept_h=dice.choice((1, 3, 8)),
    )


def configure(folder: Path, traits: Traits) -> Config:
    """The hub's configuration, read as a user's is."""
    (folder / "data").mkdir(mode=0o700)
    file = folder / "crossdock.toml"
    text = TOML.format(
        place=PLACE,
        stores="".join(f'[locations.{store}]\nzone = "{zone}"\n\n' for store, zone in STORES.items()),
        poll_s=3600,
        idempotency="key" if traits.erp == "none" else traits.erp,
        buffer=traits.buffer,
        documents=1 if traits.erp == "none" else traits.documents,
        grace_s=traits.grace_s,
        gated=str(traits.gated).lower(),
        batch_max=traits.batch_max,
    )
    file.write_text(text, "utf-8")
    return load_config(file, {"SIM_SECRET": SECRET})


def connectors(config: Config, traits: Traits) -> dict[str, Connector]:
    """The real connectors; an ERP that has no way to avoid doubles says so in its spec."""
    registry = Registry()
    found = {name: registry.get(c.connector).build(c.settings) for name, c in config.connections.items()}
    if traits.erp == "none":
        erp = found[ERP]
        operations = tuple(
            o if o.kind == "poll" else msgspec.structs.replace(o, doubles="none") for o in erp.spec.operations
        )
        erp.spec = msgspec.structs.replace(erp.spec, operations=operations)
    return found


class Partners:
    """The partners' simulators, and the stock that they begin with."""

    def __init__(
        self, dice: random.Random, traits: Traits, faults: Faults, orders: int, days: int, skus: int = SKUS
    ) -> None:
        self.opening = {place: _opening(dice, faults, orders, skus) for place in WAREHOUSES}
        self.shops: dict[str, ShopifySimulator] = {}
        shares = dict(zip(SHOPS, (orders - orders // 3, orders // 3), strict=True))
        for name in SHOPS:
            self.shops[name] = ShopifySimulator(_shop(name, shares[name], days, skus), dice.getrandbits(32))
        keys = "key" if traits.erp == "key" else "none"
        self.erp = ErpSimulator({"token": SECRET, "idempotency": keys}, dice.getrandbits(32))
        self.warehouses = {
            name: WmsSimulator(_warehouse(dice, code, self.opening[name]), dice.getrandbits(32))
            for name, code in WAREHOUSES.items()
        }

        settings = {"webhook_secret": SECRET, "stores": STORES, "skus": dict.fromkeys(_skus(skus), 1_190)}
        self.tills = TillSimulator(settings, dice.getrandbits(32))

    def all(self) -> Mapping[str, Any]:
        """Every simulator by the name of its connection."""
        return {**self.shops, ERP: self.erp, **self.warehouses, TILLS: self.tills}


def _skus(count: int) -> list[str]:
    return [f"SKU-{n + 1:04d}" for n in range(count)]


def _opening(dice: random.Random, faults: Faults, orders: int, skus: int) -> dict[str, int]:
    """Plenty, or, of a quarter of the SKUs, too little."""
    stock = {}
    for sku in _skus(skus):
        little, rolled = dice.randrange(0, 4), dice.random()
        scarce = faults.has("scarce") and rolled < 0.25
        stock[sku] = little if scarce else 40 + orders
    return stock


def _shop(name: str, orders: int, days: int, skus: int) -> dict[str, Any]:
    return {
        "access_token": SECRET,
        "webhook_secret": SECRET,
        "shop_domain": f"{name}.myshopify.com",
        "rate": orders / (days * 80_000) if orders else 0,
        "orders_max": orders,
        "opens_when_stocked": True,
        "skus": skus,
        "location": PLACE,
        "unpaid_rate": 0.1,
        "paid_after_s": 1_800,
        "cancel_rate": 0.08,
        "cancel_after_s": 6 * 3600,
        "change_rate": 0.1,
        "echo_s": 2.0,
    }


def _warehouse(dice: random.Random, code: str, stock: Mapping[str, int]) -> dict[str, Any]:
    return {
        "token": SECRET,
        "webhook_secret": SECRET,
        "location": code,
        "stock": dict(stock),
        "accept_after_s": 30.0,
        "ship_after_s": dice.choice((600.0, 3_600.0, 7_200.0)),
        "short_rate": 0.06,
        "refuse_rate": 0.03,
        "part_rate": 0.12,
        "two_packages_rate": 0.2,
        "cancel_answer": dice.choice(("now", "later")),
        "cancel_after_s": 300.0,
    }
