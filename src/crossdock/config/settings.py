"""One setting of a connection, checked as the spec of its connector says, whoever wrote the connector."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from crossdock.config.lines import KeyPath
from crossdock.config.reading import Reading
from crossdock.config.values import Field, Kind, Wrong, did_you_mean, is_loopback, kind_of, read
from crossdock.model.currency import EXPONENTS
from crossdock.sdk.spec import Setting

_SECTIONS = {"location": "locations", "connection": "connections"}
_SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z`])")
_AS_READ: dict[str, Kind] = {"whole": "whole", "number": "number"}


def checked(reading: Reading, place: KeyPath, setting: Setting, text: str) -> str:
    """The text of a setting as its connector takes it; raise Wrong with what is wrong, and what to write instead."""
    if setting.secret:
        if any(ord(char) < 33 or ord(char) == 127 for char in text):
            raise Wrong("the secret holds a space or a line break.", "Set the variable to the bare secret.")
        return text
    if setting.required and not text:
        raise Wrong("it is empty.", f"{setting.doc}.")
    if not text:
        return text
    if setting.kind in _AS_READ:
        _number(setting, text)
        return text.strip()
    field = Field(name=setting.name, doc="", kind=_kind(setting), choices=setting.choices)
    value: str = read(field, text)
    if _kind(setting) == "url" and value.startswith("http://") and not is_loopback(_host(value)):
        reading.warn(place, "secrets and buyers' addresses travel unencrypted.", "Use https://.")
    _BY_KIND.get(setting.kind, _pattern)(setting, value)
    _names(reading, setting, value)
    return value


def as_text(value: Any) -> str:
    """Connectors take text. Lists become `a,b`, tables `k=v,l=w`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return ",".join(_part(item) for item in value)
    if isinstance(value, dict):
        return ",".join(f"{_part(key)}={_part(item)}" for key, item in value.items())
    raise Wrong(f"it must be a text, and is {kind_of(value)}.", "Put it in quotes.")


def advice(message: str, otherwise: str) -> tuple[str, str]:
    """What an error says: what is wrong, and what to do, which is its other sentences, or what is said `otherwise`."""
    first, *others = _SENTENCE.split(message, maxsplit=1)
    return first, others[0] if others else otherwise


def _part(value: Any) -> str:
    text = as_text(value) if isinstance(value, str | int | float) else ""
    if not text or "," in text or "=" in text:
        raise Wrong(
            "it holds an item with a comma, an '=' or nothing in it.", "Write one plain text per item."
        )
    return text


def _number(setting: Setting, text: str) -> None:
    field = Field(name=setting.name, doc="", kind=_AS_READ[setting.kind], low=setting.low, high=setting.high)
    try:
        read(field, text.strip(), from_environment=True)
    except Wrong as wrong:
        kind = "a whole number" if setting.kind == "whole" else "a number"
        told = wrong.message if "than" in wrong.message else f"{text!r} is not {kind}."
        raise Wrong(told, wrong.remedy if "than" in wrong.message else f"{setting.doc}.") from wrong


def _currency(_: Setting, text: str) -> None:
    if text not in EXPONENTS:
        near = did_you_mean(text.upper(), EXPONENTS)
        raise Wrong(f"{text!r} is no currency.", near or "Write its ISO 4217 code, such as EUR.")


def _time(_: Setting, text: str) -> None:
    try:
        known = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        known = False
    if not known:
        raise Wrong(
            f"{text!r} is no time with its offset from UTC.", "Write one like 2026-03-01T06:00:00+01:00."
        )


def _pattern(setting: Setting, text: str) -> None:
    if setting.pattern and not re.fullmatch(setting.pattern, text):
        raise Wrong(f"{text!r} cannot be it.", f"{setting.doc}.")


def _map(setting: Setting, text: str) -> None:
    for key in pairs_of(text):
        _pattern(setting, key)


def pairs_of(text: str) -> Mapping[str, str]:
    """`k=v, l=w` as a mapping; raise Wrong where it is written in another way."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if not (key and sign and value):
            raise Wrong(f"{part!r} is not written as theirs=ours.", 'Write { theirs = "ours" }.')
        if key in found:
            raise Wrong(f"{key!r} stands in it twice.", "Take one of the two out.")
        found[key] = value
    return found


def _names(reading: Reading, setting: Setting, text: str) -> None:
    """What a setting says of our own names has a section here."""
    if not setting.names:
        return
    known = list(reading.table((_SECTIONS[setting.names],)))
    values = pairs_of(text).values() if setting.kind == "map" else [text]
    for value in values:
        if known and value not in known:
            remedy = (
                did_you_mean(value, known) or f"Add [{_SECTIONS[setting.names]}.{value}], or take it out."
            )
            raise Wrong(f"there is no {setting.names} {value!r}.", remedy)


def _kind(setting: Setting) -> Kind:
    """Addresses and zones are told by their names."""
    last = setting.name.rpartition("_")[2]
    return "url" if last == "url" else "zone" if last == "zone" else "text"


def _host(url: str) -> str:
    return re.sub(r":[0-9]*$", "", url.partition("://")[2].partition("/")[0])


_BY_KIND: dict[str, Callable[[Setting, str], None]] = {"currency": _currency, "time": _time, "map": _map}
