"""What a single value must be, by its kind, and what to do where it is not that."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import msgspec

Kind = Literal["text", "whole", "money", "number", "flag", "names", "map", "rates", "url", "zone", "since"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
NAME_RULE = "letters, digits, '.', '_' and '-', at most 40, the first a letter or digit"


NUMBER_MAX = 1e300
NEAR = 0.6
"""How like the option a word must be to be taken for it, from 0 to 1."""

_NUMBER = re.compile(r"[0-9]+")
_RATE = re.compile(r"0\.[0-9]{1,6}")


class Wrong(Exception):
    """A value that cannot be taken: what is wrong with it, and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a section: the validation and the documentation of it. low and high bound a number."""

    name: str
    doc: str
    kind: Kind = "text"
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def read(field: Field, value: Any, *, from_environment: bool = False) -> Any:
    """The value as the hub takes it; raise Wrong with what is wrong. Text from the environment may be a number."""
    if from_environment and isinstance(value, str) and field.kind in _FROM_TEXT:
        value = _FROM_TEXT[field.kind](value)
    value = _READERS[field.kind](value)
    if field.choices and value not in field.choices:
        options = ", ".join(field.choices)
        raise Wrong(
            f"{value!r} is not one of {options}.",
            did_you_mean(value, field.choices) or f"Write one of {options}.",
        )
    if field.low is not None and value < field.low:
        raise Wrong(f"{value} is less than {_plain(field.low)}.", f"Give at least {_plain(field.low)}.")
    if field.high is not None and value > field.high:
        raise Wrong(f"{value} is more than {_plain(field.high)}.", f"Give at most {_plain(field.high)}.")
    return value


def nearest(word: str, options: Iterable[str]) -> str:
    """The option that was probably meant; "" where none is near, or several are as near.

    Numbers count by their value: `store-1` is `store-01`, and as near to `store-31` as to any other store. Letters that
    have changed places are nearer than other letters.
    """
    ranks = {option: _likeness(_folded(word), _folded(option)) for option in options}
    best = max(ranks.values(), default=(False, False, 0.0))
    found = [option for option, rank in ranks.items() if rank == best]
    return found[0] if len(found) == 1 and best[-1] >= NEAR else ""


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A sentence that offers the option that was probably meant, or ""."""
    near = nearest(word, options)
    return f"Did you mean {near!r}?" if near else ""


def kind_of(value: Any) -> str:
    """What a TOML value is, in words."""
    for type_, words in _WORDS:
        if isinstance(value, type_):
            return words
    return "a date or time"


def is_loopback(host: str) -> bool:
    """True where only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(f"it must be a text, and is {kind_of(value)}.", "Put it in quotes.")
    if any(ord(char) < 32 for char in value):
        raise Wrong("it holds a control character, such as a line break.", "Write it on one line.")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, float):
        raise Wrong(f"it must be a whole number, and is {value}.", "Write it without a decimal point.")
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong(f"it must be a whole number, and is {kind_of(value)}.", "Write digits without quotes.")
    return value


def _money(value: Any) -> int:
    """An amount counts minor units, so that 0.01 is never a rate, nor a euro and a cent one."""
    if isinstance(value, bool) or not isinstance(value, int):
        given = value if isinstance(value, float) else kind_of(value)
        raise Wrong(
            f"it must be an amount in minor units of the currency (cents), a whole number, and is {given}.",
            "Write 1 for a cent, 100 for a euro.",
        )
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(f"it must be a number, and is {kind_of(value)}.", "Write digits without quotes.")
    if not -NUMBER_MAX <= value <= NUMBER_MAX:
        raise Wrong(f"{value} is no number to count with.", "Write digits.")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(
            f"it must be true or false, and is {kind_of(value)}.", "Write true or false without quotes."
        )
    return value


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise Wrong("it must be a list, and is a text.", f"Write [{value!r}].".replace("'", '"'))
    if not isinstance(value, list):
        raise Wrong(f"it must be a list of texts, and is {kind_of(value)}.", 'Write ["one", "two"].')
    for item in value:
        if not isinstance(item, str) or not item:
            raise Wrong(f"it must hold texts only, and holds {kind_of(item)}.", "Put every item in quotes.")
    twice = sorted({item for item in value if value.count(item) > 1})
    if twice:
        raise Wrong(f"{twice[0]!r} stands in it twice.", "Take one of the two out.")
    return tuple(value)


def _map(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Wrong(f"it must be a table of texts, and is {kind_of(value)}.", 'Write { "one" = "other" }.')
    for key, item in value.items():
        if not isinstance(item, str) or not item:
            raise Wrong(f"{key!r} must be a text, and is {kind_of(item)}.", "Put every value in quotes.")
    return dict(value)


def _rates(value: Any) -> tuple[str, ...]:
    names = _names(value)
    for rate in names:
        if _RATE.fullmatch(rate) is None:
            raise Wrong(f"{rate!r} is no rate of tax.", 'Write it as a factor below 1: "0.19" for 19 %.')
    return names


def _url(value: Any) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        port_is_one = parts.port != 0
    except ValueError:
        parts, port_is_one = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_one or " " in text:
        raise Wrong(f"{text!r} is no http(s) address.", "Write one like https://partner.example/api.")
    if parts.username is not None or parts.password is not None:
        raise Wrong("the address holds credentials.", "Take them out; secrets are settings of their own.")
    if parts.query or parts.fragment:
        raise Wrong(
            "the address has a '?' or '#' part.", "Leave it out: requests add their own paths and queries."
        )
    return text.rstrip("/")


def _zone(value: Any) -> str:
    text = _text(value)
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError) as error:
        zones = sorted(available_timezones())
        by_city = [
            zone for zone in zones if _folded(zone.rpartition("/")[2]) == _folded(text.rpartition("/")[2])
        ]
        near = f"Did you mean {by_city[0]!r}?" if by_city else did_you_mean(text, zones)
        raise Wrong(
            f"{text!r} is no time zone.", near or "Write an IANA name, such as Europe/Berlin."
        ) from error
    return text


def _since(value: Any) -> datetime:
    """A date begins at midnight UTC; a time says its offset."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError as error:
            raise Wrong(f"{value!r} is no date.", "Write one like 2026-03-01.") from error
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Wrong(
                "the time does not say its offset from UTC.", "Write one like 2026-03-01T06:00:00+01:00."
            )
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise Wrong(f"it must be a date, and is {kind_of(value)}.", "Write one like 2026-03-01, without quotes.")


def _whole_of_text(text: str) -> Any:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _number_of_text(text: str) -> Any:
    return float(text) if re.fullmatch(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?", text) else text


def _flag_of_text(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _likeness(word: str, option: str) -> tuple[bool, bool, float]:
    """How like two folded names are: nothing is liker than what has the same numbers. (False, False, 0.0): not at all."""
    numbers = _NUMBER.findall(word) == _NUMBER.findall(option)
    if not numbers:
        word, option = _NUMBER.sub("0", word), _NUMBER.sub("0", option)
    ratio = difflib.SequenceMatcher(a=option, b=word, autojunk=False).ratio()
    return (numbers, sorted(word) == sorted(option), ratio) if ratio >= NEAR else (False, False, 0.0)


def _folded(word: str) -> str:
    folded = word.lower().replace("-", "_").replace(" ", "_")
    return _NUMBER.sub(lambda number: number.group().lstrip("0") or "0", folded)


_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "a text"),
    (int, "a whole number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a table"),
)
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "whole": _whole_of_text,
    "money": _whole_of_text,
    "number": _number_of_text,
    "flag": _flag_of_text,
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "whole": _whole,
    "money": _money,
    "number": _number,
    "flag": _flag,
    "names": _names,
    "map": _map,
    "rates": _rates,
    "url": _url,
    "zone": _zone,
    "since": _since,
}
