"""Shopify's prices, taxes and discounts as components with net, tax and gross, exact to the minor unit.

An order is read in the currency that its buyer was charged in. Where that is not the shop's own, `charged` rewrites the
body once: every `x` that has an `x_set` takes the presentment amount from it, so that one mapping serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.connectors.shopify import wire
from crossdock.errors import MappingError
from crossdock.model import (
    INTEGER_MAX,
    Discount,
    DiscountAllocation,
    DiscountKind,
    ExchangeRate,
    Instant,
    Rate,
    TaxLine,
    exponent,
    minor_units,
)
from crossdock.model.base import shown

RATE_DECIMALS = 12
"""Decimals of a tax rate that are kept: Shopify writes quotients of doubles, 0.017665192468618723."""
EXCHANGE_DECIMALS = 10
_RATES_KEPT_MAX = 4096
_RATE_CHARS_MAX = 40
_AMOUNTS_KEPT_MAX = 65_536

Read = Callable[[str, str], int]
"""Reads decimal text as minor units; the second argument names the field for an error."""

_PRICED = ("line_items", "shipping_lines", "tax_lines")
_OF_THE_SHOP = ("current_total_price", "total_discounts", "total_tax")
"""Totals that are not known in the charged currency where they have no set."""

_DISCOUNT_KINDS: dict[str, DiscountKind] = {
    "discount_code": "coupon",
    "automatic": "promotion",
    "script": "promotion",
    "manual": "manual",
}
_rates: dict[bytes, Rate | None] = {}
_decode_rate = msgspec.json.Decoder(Decimal | None).decode
_readers: dict[str, Read] = {}


Parts = tuple[int, int, int]
"""Net, tax and gross of a component after its discounts."""


class Discounts:
    """The discounts of one order, frozen to its components while these are read."""

    def __init__(self, body: wire.OrderBody, read: Read) -> None:
        self._applications = body.discount_applications or ()
        self._codes = body.discount_codes or ()
        self._read = read
        self._amounts: dict[str, int] = {}
        self._targets: dict[str, set[str]] = {}

    @property
    def allocated(self) -> int:
        """What has been frozen so far, over all components."""
        return sum(self._amounts.values())

    def allocate(self, discount: str, amount: int, target: str) -> tuple[DiscountAllocation, ...]:
        """Freeze a part of a discount to one component; nothing where it is zero."""
        if not amount:
            return ()
        self._amounts[discount] = self._amounts.get(discount, 0) + amount
        self._targets.setdefault(discount, set()).add(target)
        return (DiscountAllocation(discount=discount, amount=amount),)

    def read(self, allocations: tuple[wire.Allocation, ...], target: str) -> tuple[DiscountAllocation, ...]:
        """Freeze what Shopify has allocated; one discount may stand twice on a component and is then summed."""
        amounts: dict[str, int] = {}
        for n, allocation in enumerate(allocations):
            discount = str(allocation.discount_application_index)
            amount = self._read(allocation.amount, f"discount_allocations[{n}].amount")
            amounts[discount] = amounts.get(discount, 0) + amount
        return tuple(part for key, amount in amounts.items() for part in self.allocate(key, amount, target))

    def frozen(self) -> tuple[Discount, ...]:
        """Every discount that took something off, with exactly what it took."""
        return tuple(self._discount(key, amount) for key, amount in self._amounts.items())

    def _discount(self, key: str, amount: int) -> Discount:
        targets = self._targets[key]
        index = int(key) if key.lstrip("-").isdigit() else -1
        known = self._applications[index] if 0 <= index < len(self._applications) else wire.Application()
        code = known.code or ""
        if not code and index < 0 and len(self._codes) == 1:
            code = self._codes[0].code or ""
        return Discount(
            id=key,
            amount=amount,
            kind=_DISCOUNT_KINDS.get(known.type or "", "coupon" if code else "other"),
            code=code,
            title=known.title or known.description or "",
            target="order" if len(targets) > 1 else "shipping" if "shipping" in targets else "lines",
        )


def reader(currency: str) -> Read:
    """Return how amounts of one currency are read: by `minor_units`, which need not read a price list twice."""
    found = _readers.get(currency)
    if found is not None:
        return found
    exponent(currency, field="currency")
    known: dict[str, int] = {}

    def read(text: str, field: str) -> int:
        amount = known.get(text)
        if amount is None:
            amount = minor_units(text, currency, field=field)
            if len(known) < _AMOUNTS_KEPT_MAX:
                known[text] = amount
        return amount

    _readers[currency] = read
    return read


def priced(
    price: int,
    discounts: tuple[DiscountAllocation, ...],
    taxes: tuple[TaxLine, ...],
    includes_tax: bool,
) -> Parts:
    """Take discounts off a price and find its net, tax and gross."""
    for allocation in discounts:
        price -= allocation.amount
    tax = 0
    for line in taxes:
        tax += line.amount
    if includes_tax:
        return price - tax, tax, price
    return price, tax, price + tax


def tax_lines(lines: tuple[wire.TaxLine, ...] | None, read: Read) -> tuple[TaxLine, ...]:
    """Read the taxes of a component; what its sales channel must remit, it also keeps."""
    if not lines:
        return ()
    taxes: list[TaxLine] = []
    for line in lines:
        try:
            amount = read(line.price, "price")
            rate = _rate(bytes(line.rate))
        except MappingError as error:
            raise nested(f"tax_lines[{len(taxes)}]", error) from error
        tax = TaxLine(amount=amount, name=line.title or "", rate=rate)
        taxes.append(_by_channel(tax) if line.channel_liable else tax)
    return tuple(taxes)


def _rate(digits: bytes) -> Rate | None:
    """Read a rate by its digits; the same few recur in every order, so they are kept."""
    if digits in _rates:
        return _rates[digits]
    rate = tax_rate(digits, "rate")
    if len(_rates) < _RATES_KEPT_MAX and len(digits) <= _RATE_CHARS_MAX:
        _rates[digits] = rate
    return rate


def _by_channel(tax: TaxLine) -> TaxLine:
    return msgspec.structs.replace(
        tax, collected_by="marketplace", remitted_by="marketplace", in_payout=False
    )


def tax_rate(digits: bytes, field: str) -> Rate | None:
    """Read a rate, None where there is none."""
    try:
        value = _decode_rate(digits)
    except msgspec.DecodeError as error:
        raise MappingError(f"{field}: it is no number. Correct it at the source.", field=field) from error
    if value is None:
        return None
    if not value.is_finite() or not -10 <= value <= 10:
        raise MappingError(
            f"{field}: {str(value)[:40]} is no tax rate; 0.19 is 19 %. Correct it at the source.", field=field
        )
    places = -int(value.as_tuple().exponent)
    return Rate.parse(
        round(value, RATE_DECIMALS).normalize() if places > RATE_DECIMALS else value, field=field
    )


def set_amount(given: wire.MoneySet | None, currency: str, field: str) -> int | None:
    """Read a set in this currency, whichever of its two it is; None where there is no set."""
    if given is None:
        return None
    money = given.presentment_money
    if money.currency_code != currency:
        money = given.shop_money
    if money.currency_code != currency:
        raise MappingError(
            f"{field}: it is in {money.currency_code[:10]}, but the rest is in {currency}. Ask for it again.",
            field=f"{field}.presentment_money.currency_code",
        )
    return minor_units(money.amount, currency, field=f"{field}.presentment_money.amount")


def charged(value: Any, currency: str, path: str = "") -> Any:
    """Return a decoded body with the amounts of `currency` where Shopify gives them beside the shop's own.

    A price that has no set beside it is in the shop's currency: it is refused, never taken for the other.
    """
    if isinstance(value, list):
        return [charged(item, currency, f"{path}[{n}]") for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "shop_money" in value:
        return {**value, "shop_money": _presentment(value, currency, path)}
    rest = {key: charged(item, currency, f"{path}.{key}" if path else key) for key, item in value.items()}
    for key in value:
        if f"{key}_set" in value and isinstance(rest[f"{key}_set"], dict):
            rest[key] = _presentment(value[f"{key}_set"], currency, f"{path}.{key}_set".lstrip("."))["amount"]
        elif key in _OF_THE_SHOP and not path:
            rest[key] = None
        elif key in ("price", "amount") and path.startswith(_PRICED) and f"{key}_set" not in value:
            field = f"{path}.{key}_set"
            raise MappingError(f"{field}: it is missing. Ask for the order again.", field=field)
    return rest


def _presentment(money_set: dict[str, Any], currency: str, path: str) -> dict[str, Any]:
    money = money_set.get("presentment_money")
    given = money.get("currency_code") if isinstance(money, dict) else None
    if not isinstance(money, dict) or given != currency or not isinstance(money.get("amount"), str):
        field = f"{path}.presentment_money".lstrip(".")
        raise MappingError(
            f"{field}: {shown(given, word=True)} is not the charged currency {currency}. Ask for the order again.",
            field=field,
        )
    return money


def exchange_rate(
    charged_total: int, currency: str, shop_total: int, shop_currency: str, as_of: Instant | None
) -> tuple[ExchangeRate, ...]:
    """Derive the rate stamped on a sale from its two totals: Shopify does not tell it."""
    if charged_total <= 0 or shop_total <= 0:
        return ()
    scaled = shop_total * 10 ** (EXCHANGE_DECIMALS + exponent(currency))
    unit = charged_total * 10 ** exponent(shop_currency)
    value = (2 * scaled + unit) // (2 * unit)
    if not 0 < value <= INTEGER_MAX:
        return ()
    rate = Rate(value=value, scale=EXCHANGE_DECIMALS)
    return (ExchangeRate(from_currency=currency, to_currency=shop_currency, rate=rate, as_of=as_of),)


def positive(amounts: Iterable[int]) -> list[int]:
    """Return weights for a split: what is not above zero bears nothing."""
    return [max(0, amount) for amount in amounts]


@contextmanager
def within(path: str) -> Iterator[None]:
    """Name the whole path of what goes wrong inside a part of the body."""
    try:
        yield
    except MappingError as error:
        raise nested(path, error) from error


def nested(path: str, error: MappingError) -> MappingError:
    """Return the error with its field, and its message, put under `path`."""
    field = f"{path}.{error.field}" if error.field else path
    message = error.message
    if error.field and message.startswith(error.field):
        message = field + message[len(error.field) :]
    else:
        message = f"{field}: {message}"
    return MappingError(message, field=field)
