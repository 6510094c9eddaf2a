"""Money: integers in minor units, scaled decimals for prices and rates, and exact ways in and out of text.

No float ever enters: 19.9 is not a price, and a rounding that nobody chose is a cent that nobody finds.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Self

from crossdock.model.base import INTEGER_MAX, Amount, Instant, Model, require, shown
from crossdock.model.currency import exponent

_DIGITS_MAX = 18
_PLAIN_MAX = 15  # characters that cannot exceed INTEGER_MAX
_POWERS: tuple[int, ...] = tuple(10**n for n in range(_DIGITS_MAX + 1))


class Money(Model, frozen=True, kw_only=True):
    """Hold an amount that stands alone: minor units of an ISO 4217 currency. Inside an order amounts are plain ints."""

    amount: Amount
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)


class Amounts(Model, frozen=True, kw_only=True):
    """Hold net, tax and gross in minor units; net + tax == gross always holds."""

    net: Amount = 0
    tax: Amount = 0
    gross: Amount = 0

    def __post_init__(self) -> None:
        require_gross(self.net, self.tax, self.gross)

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(net=self.net + other.net, tax=self.tax + other.tax, gross=self.gross + other.gross)

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(net=self.net - other.net, tax=self.tax - other.tax, gross=self.gross - other.gross)


class Scaled(Model, frozen=True, kw_only=True):
    """Hold the exact decimal value * 10**-scale: 19.90 is value 1990, scale 2. Trailing zeros are kept."""

    value: int
    scale: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.scale <= _DIGITS_MAX:
            require(False, "scale", f"must be 0 to {_DIGITS_MAX} decimals")

    @classmethod
    def parse(cls, text: str | int | Decimal, *, field: str = "decimal") -> Self:
        """Read decimal text exactly. A float, an exponent or anything else is an ImpossibleError naming `field`."""
        value, scale = _digits(text, field)
        return cls(value=value, scale=scale)

    def __str__(self) -> str:
        return _text(self.value, self.scale)


class UnitPrice(Scaled, frozen=True, kw_only=True):
    """Hold the price of one unit in major units of the order's currency, to as many decimals as its source has."""


class Rate(Scaled, frozen=True, kw_only=True):
    """Hold a rate as a factor, never as a percentage: 19 % is 0.19, value 19, scale 2."""


class ExchangeRate(Model, frozen=True, kw_only=True):
    """Hold the rate stamped on a sale: one major unit of `from_currency` is `rate` major units of `to_currency`."""

    from_currency: str
    to_currency: str
    rate: Rate
    as_of: Instant | None = None

    def __post_init__(self) -> None:
        exponent(self.from_currency)
        exponent(self.to_currency)
        require(self.rate.value > 0, "rate", "an exchange rate is above zero")


def require_gross(net: int, tax: int, gross: int) -> None:
    """Refuse a component whose net and tax are not its gross: the mapping computes one from the other two."""
    if net + tax != gross:
        require(False, "gross", f"net {net} + tax {tax} is not gross {gross}; compute one from the other two")


def minor_units(value: str | int | Decimal, currency: str, *, field: str = "amount") -> int:
    """Read a decimal of major units as minor units of `currency`, exactly: "19.90" EUR is 1990, "20.00" VND is 20.

    An int is a whole number of major units. More decimals than the currency has are an ImpossibleError naming
    `field`, unless they are zeros; so are floats, exponents, blanks, NaN, an unknown currency and what is above
    INTEGER_MAX.
    """
    digits, scale = _digits(value, field)
    return _rescale(
        digits, scale, exponent(currency), field, f"decimals than {currency} has; round it at the source"
    )


def scaled_units(value: str | int | Decimal, scale: int, *, field: str = "quantity") -> int:
    """Read a decimal as an integer of 10**-scale, exactly: "0.35" at scale 3 is 350. Errors as `minor_units`."""
    digits, given = _digits(value, field)
    return _rescale(
        digits, given, scale, field, f"than {scale} decimals; raise the scale of the product's unit"
    )


def decimal_text(amount: int, currency: str) -> str:
    """Write minor units as decimal text with exactly the decimals of the currency: 1990 EUR is "19.90"."""
    return _text(amount, exponent(currency))


def split_exact(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `total` in proportion to `weights`, so that the parts always sum to it.

    Largest remainder; of equal remainders the earlier part wins, so the residue falls the same way each time. A
    negative total is split as its positive and negated. Weights are not negative; if all are zero the parts are even.
    """
    require(bool(weights), "weights", "at least one part is needed")
    require(
        min(weights) >= 0,
        "weights",
        "must not be negative; split refunds by the positive amounts they refund",
    )
    base = sum(weights)
    shares = weights if base else [1] * len(weights)
    base = base or len(weights)
    size = abs(total)
    parts = [size * weight // base for weight in shares]
    left = size - sum(parts)
    by_remainder = sorted(range(len(shares)), key=lambda n: (-(size * shares[n] % base), n))
    for n in by_remainder[:left]:
        parts[n] += 1
    return tuple(parts) if total >= 0 else tuple(-part for part in parts)


def _digits(value: str | int | Decimal, field: str) -> tuple[int, int]:
    """Return (digits, scale) of an exact decimal."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value, 0
    text = value if isinstance(value, str) else _plain(value, field)
    whole, _, places = text.partition(".")
    unsigned = whole[1:] if whole[:1] in ("-", "+") else whole
    digits = unsigned + places
    if not (digits.isascii() and digits.isdigit()) or not unsigned or len(digits) > _DIGITS_MAX:
        require(
            False, field, f"{shown(text)} is no decimal number of at most {_DIGITS_MAX} digits and a point"
        )
    return int(whole + places), len(places)


def _plain(value: object, field: str) -> str:
    """Write a Decimal without exponent; one whose zeros would fill the memory is refused before it is written."""
    if not isinstance(value, Decimal):
        require(False, field, f"{type(value).__name__} is not exact; decode decimals as text or Decimal")
    elif value.is_finite() and abs(value.adjusted()) <= _DIGITS_MAX:
        return format(value, "f")
    return str(value)


def _rescale(digits: int, scale: int, wanted: int, field: str, remedy: str) -> int:
    """Return digits * 10**-scale as an integer of 10**-wanted, refusing to lose a digit."""
    if scale <= wanted:
        value = digits * _POWERS[wanted - scale]
    else:
        value, rest = divmod(digits, _POWERS[scale - wanted])
        if rest:
            require(False, field, f"{_text(digits, scale)} has more {remedy}")
    if not -INTEGER_MAX <= value <= INTEGER_MAX:
        require(False, field, f"{str(value)[:20]}... is out of range; correct it at the source")
    return value


def _text(value: int, scale: int) -> str:
    if scale == 0:
        return str(value)
    digits = str(abs(value)).rjust(scale + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"
