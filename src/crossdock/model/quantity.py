"""Quantities: integers of 10**-scale of a unit, so that 0.350 kg of cheese is 350 and never a float."""

from crossdock.model.base import Model, Units, require, require_short
from crossdock.model.ids import LineId, Sku

SCALE_MAX = 6
"""Decimals that a quantity may have: a milligram of a kilogram."""


class Quantity(Model, frozen=True, kw_only=True):
    """Hold a quantity that stands alone: value * 10**-scale of `unit`. Pieces have scale 0, grams of a kg scale 3."""

    value: Units
    scale: int = 0
    unit: str = "ea"

    def __post_init__(self) -> None:
        require(0 <= self.scale <= SCALE_MAX, "scale", f"a quantity has 0 to {SCALE_MAX} decimals")


class LineQuantity(Model, frozen=True, kw_only=True):
    """Name how much of one order line: in the unit and scale of that line.

    `sku` repeats the line's SKU for partners who know no line ids, and names the component where the line is a bundle.
    """

    line: LineId
    quantity: Units
    sku: Sku = Sku("")
    reason: str = ""

    def __post_init__(self) -> None:
        require_short(self, "line", "line", "sku")
