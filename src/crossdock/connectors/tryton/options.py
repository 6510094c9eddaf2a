"""The settings of a connection, read once: every mistake is told with the setting's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from crossdock.connectors.tryton.spec import SPEC
from crossdock.errors import ConfigurationError

_CONVENTION = re.compile(r"([^{}]*)\{([^{}]*?)(number|order)([^{}]*)\}([^{}]*?)(?: of (.+))?")


class Convention(msgspec.Struct, frozen=True, kw_only=True):
    """How the reference of a sale names its order, where another integration has made it.

    pattern: what all of the reference matches, its first group the name; kind: `number` or `order` (the channel's id);
    party: the code of the party that it must be sold to, "" for any.
    """

    pattern: str
    kind: str
    connection: str
    party: str = ""

    def name_in(self, reference: str, party: str) -> str:
        """The name of the order in a reference; "" where it is none of these."""
        found = re.fullmatch(self.pattern, reference) if self.party in ("", party) else None
        return found[1].strip() if found is not None else ""


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
    references: tuple[Convention, ...] = ()
    sales_since: str = ""


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
        references=_conventions(given["references"]),
        sales_since=_since(given["sales_since"]),
    )


def _conventions(text: str) -> tuple[Convention, ...]:
    """`{#number}=shop, M-{order} of MARKET=market`, in the order given: the first that fits decides."""
    found = []
    for told, connection in _pairs("references", text.replace(",", ";"), alone=False).items():
        parts = _CONVENTION.fullmatch(told)
        if parts is None:
            raise ConfigurationError(
                f"references: {told!r} does not say in braces what is the number or order.",
                field="references",
            )
        before, pre, kind, post, behind, party = (part or "" for part in parts.groups())
        name = f"({re.escape(pre)}.+{re.escape(post)})"
        found.append(
            Convention(
                pattern=f"{re.escape(before)}{name}{re.escape(behind)}",
                kind=kind,
                connection=connection,
                party=party,
            )
        )
    return tuple(found)


def _since(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat() if text else ""
    except ValueError as error:
        raise ConfigurationError(
            f"sales_since: {text!r} is no time. Write one like 2026-03-01T06:00:00+01:00.",
            field="sales_since",
        ) from error


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
