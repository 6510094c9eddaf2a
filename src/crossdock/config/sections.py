"""What a section of the file is made of, and fields whose defaults are those of the structs that they fill."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.config.values import Field

YEAR_S = 366 * 86_400
CENTURY_DAYS = 36_525


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the file. `named`: there are several, each under a name of its own: `[routes.shop]`."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    named: str = ""


def defaults_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """What the fields of a struct are where nothing is said."""
    return {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in msgspec.structs.fields(struct)
    }


def field_of(defaults: dict[str, Any], name: str, doc: str, kind: Any, **more: Any) -> Field:
    """A key that fills the field of its name."""
    return Field(name=name, doc=doc, kind=kind, default=defaults[name], **more)


def seconds_of(defaults: dict[str, Any], name: str, doc: str, low: float = 0) -> Field:
    """A time, of a year at most."""
    return field_of(defaults, name, doc, "whole", low=low, high=YEAR_S)


def days(name: str, doc: str, default: int | None) -> Field:
    """A time in days, 0 for ever."""
    return Field(name=name, doc=doc, kind="whole", default=default, low=0, high=CENTURY_DAYS)
