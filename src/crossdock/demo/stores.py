"""The stores of the demo: which there are, what befalls them, and when. Pure.

A business day takes as long as the shop sells. Store 214 loses its line soon and has it back near the end; one Z report is
a cent off; three stores sell nothing but the last unit of an article that the shop lists.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from crossdock.demo.options import STORES_USUAL, Options
from crossdock.simulator.till import ZONES

STORES = "stores"
"""The connection of all tills."""
SILENT, CENT_OFF, LAST_SOLD = 214, 133, (42, 117, 256)
SKUS = {f"SKU-{n:04d}": 500 + 100 * n for n in range(51, 59)}
WEIGHED = {"CHEESE": 3}
"""What is sold by weight, with the decimals of its kilograms."""
OPENING = 300
"""Pieces of each article in each store; kilograms of what is weighed."""
OFTEN = 30
"""How often store 214 sells while each of the others sells once: it is large, and its upload is worth the name."""
LAST_AT = (0.30, 0.37, 0.44)
"""Before the hub is killed, and so late that nobody calls a store silent which sells nothing else."""
CLOSES_AT, ZONES_APART = 0.75, 0.03
SILENT_FROM, SILENT_UNTIL = 0.10, 0.85
SETTLE_S_MAX = 3
HABITS = {
    "discount_rate": 0.1,
    "weighed_rate": 0.1,
    "deposit_rate": 0.1,
    "gift_card_sold_rate": 0.03,
    "gift_card_paid_rate": 0.05,
    "split_rate": 0.05,
    "tip_rate": 0.05,
    "rounding_rate": 0.3,
    "cash_moved_rate": 0.02,
    "over_short_rate": 0.5,
}
"""What tills do besides selling pieces, for the simulator."""


class LastUnit(msgspec.Struct, frozen=True, kw_only=True):
    """The only unit of an article, in one store; sold there `at` seconds from the opening."""

    sku: str
    store: str
    at: float


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """The stores by code with their zones, and the few that something befalls."""

    zones: dict[str, str]
    silent: str
    cent_off: str
    last: tuple[LastUnit, ...]

    @property
    def opening(self) -> dict[str, dict[str, int]]:
        """Stock of each store before the first ticket: pieces, and what is weighed in its scale."""
        quiet = {unit.store: {unit.sku: 1} for unit in self.last}
        usual = dict.fromkeys(SKUS, OPENING) | {sku: OPENING * 10**scale for sku, scale in WEIGHED.items()}
        return {code: quiet.get(code) or dict(usual) for code in self.zones}


def stores_of(options: Options) -> Stores | None:
    """The stores, named by their numbers among 300; None where there are no tills."""
    if not options.tills:
        return None

    def code(number: int) -> str:
        return f"store-{max(1, number * options.stores // STORES_USUAL):03d}"

    return Stores(
        zones={f"store-{n + 1:03d}": ZONES[n % len(ZONES)] for n in range(options.stores)},
        silent=code(SILENT),
        cent_off=code(CENT_OFF),
        last=tuple(
            LastUnit(sku=f"LAST-{n}", store=code(number), at=at * options.seconds)
            for n, (number, at) in enumerate(zip(LAST_SOLD, LAST_AT, strict=True), start=1)
        ),
    )


def silence_s(options: Options) -> int:
    """How long a store may be silent: longer than a turn of all of them, and shorter than store 214 is."""
    turn_s = (options.stores + OFTEN) / options.tickets
    return max(1, math.ceil(1.4 * turn_s), round(0.5 * options.seconds))


def is_missed(options: Options) -> bool:
    """Whether store 214 is silent for so long that the hub must say so."""
    unheard_s = (SILENT_UNTIL - SILENT_FROM) * options.seconds
    return options.faults and silence_s(options) * 1.25 + 2 < unheard_s


def settings(options: Options, stores: Stores, secret: str) -> dict[str, Any]:
    """What the simulated stores are told."""
    told: dict[str, Any] = {
        "webhook_secret": secret,
        "stores": stores.zones,
        "skus": SKUS,
        "tickets_per_s": options.tickets,
        "waits": True,
        "in_turn": True,
        "quiet": [unit.store for unit in stores.last],
        "close_after_s": CLOSES_AT * options.seconds,
        "zones_apart_s": ZONES_APART * options.seconds,
        **HABITS,
    }
    if options.faults:
        told |= {
            "often": {stores.cent_off: 3, stores.silent: min(OFTEN, options.stores)},
            "silent": {stores.silent: [SILENT_FROM * options.seconds, SILENT_UNTIL * options.seconds]},
            "cent_off": [stores.cent_off],
            "repeat_rate": 0.02,
        }
    return told


def configuration(options: Options, stores: Stores) -> str:
    """The stores' part of the hub's configuration."""
    places = "\n".join(f'[locations.{code}]\nzone = "{zone}"\n' for code, zone in stores.zones.items())
    return f"""
# {len(stores.zones)} stores, all through one connection; each day is one document in the ERP.
[connections.{STORES}]
connector = "till"
webhook_secret = "${{DEMO_STORES_SECRET}}"

[routes.{STORES}]
erp = "erp"
post = "day"

{places}"""


def policies(options: Options) -> str:
    """What is decided beforehand about days that take a minute."""
    settle_s = min(SETTLE_S_MAX, max(1, round(0.05 * options.seconds)))
    return f"silence_s = {silence_s(options)}\nday_settle_s = {settle_s}\n"
