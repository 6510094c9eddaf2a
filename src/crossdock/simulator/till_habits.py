"""What a day at a till has besides pieces that are paid at once: each at its own rate, and at none where nothing is said."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import msgspec

NAMES = (
    "discount",
    "weighed",
    "deposit",
    "gift_card_sold",
    "gift_card_paid",
    "split",
    "tip",
    "rounding",
    "cash_moved",
    "over_short",
)
CARD_CENTS, DEPOSIT_CENTS, COIN_CENTS = 2500, 25, 5
WEIGHED = ("CHEESE", 1990)
"""What is sold by weight where nothing is said, and its price a kilogram."""


class Paid(msgspec.Struct, frozen=True):
    """How a ticket is paid: its tenders come to its lines, the tip and what cash was rounded by."""

    tenders: list[dict[str, Any]]
    tip: int = 0
    rounding: int = 0


class Habits:
    """Dice of its own, so that what a till sells is the same with habits and without."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self._rates = {name: float(settings.get(f"{name}_rate", 0)) for name in NAMES}
        self._dice = random.Random(f"habits of {seed}")
        self._by_weight = list(dict(settings.get("weighed_skus") or dict([WEIGHED])).items())

    def fill(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The lines of a sale, with a discount and with what else is on them."""
        found = list(lines)
        if self.chance("discount"):
            found[0] = _discounted(found[0])
        if self.chance("weighed"):
            found.append(self._weighed())
        if self.chance("deposit"):
            found.append({"title": "Bottle", "category": "deposits"} | _untaxed("deposit", DEPOSIT_CENTS))
        if self.chance("gift_card_sold"):
            found.append({"title": "Gift card", "category": "cards"} | _untaxed("gift_card", CARD_CENTS))
        return found

    def pay(self, total: int, tender: str) -> Paid:
        """Pay a total above zero: a gift card first, the rest by one tender or by two."""
        tip = rounding = 0
        card = min(total, CARD_CENTS) if self.chance("gift_card_paid") else 0
        rest = total - card
        if rest and tender == "card" and self.chance("tip"):
            tip = 100 * self._dice.choice((1, 2, 3))
        if rest and tender == "cash" and self.chance("rounding"):
            rounding = COIN_CENTS * ((rest + COIN_CENTS // 2) // COIN_CENTS) - rest
        rest += tip + rounding
        parts = {"gift_card": card, tender: rest}
        if not tip and not rounding and rest > 1 and self.chance("split"):
            parts = {"gift_card": card, "cash": rest // 2, "card": rest - rest // 2}
        tenders = [{"kind": kind, "amount": amount} for kind, amount in parts.items() if amount]
        return Paid(tenders, tip, rounding)

    def cash_moved(self) -> tuple[str, int] | None:
        """Money that goes into a drawer or out of it, and is no sale."""
        if not self.chance("cash_moved"):
            return None
        return self._dice.choice(("paid_in", "paid_out")), 500 * self._dice.choice((1, 2, 4))

    def counted(self, kind: str, expected: int) -> dict[str, int]:
        """What people count of a tender at the close, where they do: cash, and it may be over or short."""
        if kind != "cash" or not self.chance("over_short"):
            return {}
        return {"counted": expected + self._dice.choice((-200, -5, 5, 100))}

    def chance(self, name: str) -> bool:
        """Throw the dice for one habit; a rate of zero throws none."""
        rate = self._rates[name]
        return rate > 0 and self._dice.random() < rate

    def _weighed(self) -> dict[str, Any]:
        sku, price = self._dice.choice(self._by_weight)
        grams = self._dice.randrange(80, 2000)
        gross = price * grams // 1000
        tax = gross * 7 // 107
        return {
            "sku": sku,
            "quantity": grams,
            "quantity_scale": 3,
            "unit": "kg",
            "gross": gross,
            "tax": tax,
            "taxes": [{"rate": "0.07", "name": "VAT", "amount": tax}],
            "category": "food",
        }


def _discounted(line: dict[str, Any]) -> dict[str, Any]:
    """A tenth less, and the tax of what is left."""
    off = line["gross"] // 10
    gross = line["gross"] - off
    tax = gross * 19 // 119
    taxes = [{**line["taxes"][0], "amount": tax}]
    return line | {"gross": gross, "tax": tax, "taxes": taxes, "discount": off, "discount_reason": "offer"}


def _untaxed(kind: str, gross: int) -> dict[str, Any]:
    return {"kind": kind, "quantity": 1, "gross": gross, "tax": 0}
