"""The settings of a connection, read once: every mistake is told with the setting's name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crossdock.connectors.tryton.spec import SPEC
from crossdock.errors import ConfigurationError


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection was told.

    warehouses: our location -> code there, in the order given. taxes: "rate" or "jurisdiction rate" -> name there.
    """

    customers: str = "channel"
    warehouses: Mapping[str, str] = {}
    taxes: Mapping[str, str] = {}
    shipping: str = "SHIPPING"
    charge: str = "CHARGE"
    rounding: str = "ROUNDING"
    payment_method: str = ""
    price_decimals: int = 4
    page_size: int = 500


def read_options(settings: Mapping[str, str]) -> Options:
    """The options that settings say, with the defaults of the spec."""
    given = {setting.name: settings.get(setting.name) or setting.default for setting in SPEC.settings}
    return Options(
        customers=given["customers"],
        warehouses=_pairs("warehouses", given["warehouses"].replace(",", ";"), alone=True),
        taxes=_pairs("taxes", given["taxes"], alone=False),
        shipping=given["shipping_product"],
        charge=given["charge_product"],
        rounding=given["rounding_product"],
        payment_method=given["payment_method"],
        price_decimals=_number("price_decimals", given["price_decimals"], 0, 8),
        page_size=_number("page_size", given["page_size"], 1, SPEC.limits.page_max),
    )


def _pairs(name: str, text: str, *, alone: bool) -> dict[str, str]:
    """`ours=theirs; ours=theirs`; where `alone`, one that stands alone is both."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        ours, sign, theirs = (piece.strip() for piece in part.partition("="))
        if not ours or (sign and not theirs) or (not sign and not alone):
            raise ConfigurationError(f"{name}: {part!r} is not written as ours=theirs.", field=name)
        if ours in pairs:
            raise ConfigurationError(f"{name}: {ours!r} stands there twice.", field=name)
        pairs[ours] = theirs or ours
    return pairs


def _number(name: str, text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ConfigurationError(f"{name} is a number from {least} to {most}.", field=name)
    return int(text)
