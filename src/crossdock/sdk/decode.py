"""Reading what strangers send: strict JSON into typed structs, every mistake told by its place.

JSON lets through what no retailer means: a key that stands twice (each reader picks another one), a NUL inside a
text, half a surrogate pair, an integer of four hundred digits, a nesting that exhausts the stack. All of these, and
every value that is missing or of the wrong type, become a MappingError whose `field` is the path in the sender's own
words: `line_items[2].price`. Unknown fields are skipped.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, TypeVar

import msgspec

from crossdock.errors import CrossdockError, MappingError
from crossdock.sdk.decoders import decoder_of
from crossdock.sdk.saying import said

T = TypeVar("T")

BODY = "body"
"""The `field` of an error about the body as a whole."""

_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

_PATH = re.compile(r" - at (?:`key` in )?`\$([^`]*)`$")
_ESCAPED = re.compile(rb"\\u00(?:00|3[aA])")
_MISSING = re.compile(r"^Object missing required field `([^`]*)`$")


def decode(body: bytes, type_: type[T]) -> T:
    """Decode a JSON body into `type_`, or raise a MappingError that names the place."""
    require_plain_json(body)
    return decode_checked(body, type_)


def decode_checked(body: bytes, type_: type[T]) -> T:
    """Decode a body that `require_plain_json` has passed, or of which only a key is read; errors as `decode`."""
    try:
        return decoder_of(type_).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _raise_mapping_error(error, body, type_)


def require_plain_json(body: bytes) -> None:
    """Raise a MappingError for JSON that two readers may read differently, or that cannot be kept.

    The quick way, in C throughout, is to write the body again and count its colons: a key that stood twice is written
    once. Only where that leaves a suspicion is the body read slowly, which finds the exact place.
    """
    try:
        again = _encode(_decode_any(body))
    except (
        msgspec.DecodeError,
        msgspec.EncodeError,
        UnicodeDecodeError,
        OverflowError,
        RecursionError,
    ) as error:
        _inspect(body)
        _raise_mapping_error(error, body)
    if again.count(b":") != body.count(b":") or (b"\\u" in body and _ESCAPED.search(body)):
        _inspect(body)


def _raise_mapping_error(error: Exception, body: bytes, type_: Any = Any) -> NoReturn:
    if isinstance(error, RecursionError):
        raise MappingError("The body is nested too deeply. Flatten it at the source.", field=BODY) from error
    text = str(error)
    path = ""
    if at := _PATH.search(text):
        text = text[: at.start()]
        path = at.group(1).removeprefix(".")
    cause = error.__cause__
    if cause is None:
        text = said(text, path, body, type_)
    if missing := _MISSING.match(text):
        path = f"{path}.{missing.group(1)}" if path else missing.group(1)
        text = "it is missing"
    if isinstance(cause, CrossdockError) and cause.field:
        path = f"{path}.{cause.field}" if path else cause.field
    field = path or BODY
    raise MappingError(f"{field}: {text}. Correct it at the source.", field=field) from error


class _Object(list[tuple[str, Any]]):
    """A JSON object as it was written: its members in order, those that stand twice included."""


def _inspect(body: bytes) -> None:
    """Find the place of what makes a body impossible, if it is one of the hostile things; slow, and exact."""
    try:
        root = json.loads(body, object_pairs_hook=_Object, parse_int=_integer)
    except (ValueError, RecursionError):
        return  # not JSON at all; the reader's own error says where
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Object):
            _require_members_once(path, value)
            waiting.extend((f"{path}.{key}" if path else key, member) for key, member in value)
        elif isinstance(value, list):
            waiting.extend((f"{path}[{n}]", item) for n, item in enumerate(value))
        elif isinstance(value, str):
            _require_text(path or BODY, value)
        elif isinstance(value, int):
            _require(-(2**63) <= value < 2**64, path or BODY, "an integer of more than 64 bits")
        elif isinstance(value, float):
            _require(math.isfinite(value), path or BODY, "a number out of range, or none at all")


def _integer(digits: str) -> int:
    """Read an integer; one that is too long to be read stands for itself as one that is out of range."""
    return int(digits) if len(digits) < 30 else 2**64


def _require_members_once(path: str, members: _Object) -> None:
    seen: set[str] = set()
    for key, _ in members:
        _require_text(path or BODY, key)
        place = f"{path}.{key}" if path else key
        _require(key not in seen, place, "the key stands twice in its object")
        seen.add(key)


def _require_text(place: str, text: str) -> None:
    _require("\0" not in text, place, "a NUL character in a text")
    _require(not any("\ud800" <= char <= "\udfff" for char in text), place, "half a surrogate pair in a text")


def _require(condition: bool, place: str, problem: str) -> None:
    if not condition:
        place = place.encode("utf-8", "replace").decode().replace("\0", "\\0")
        raise MappingError(f"{place}: {problem}. Correct it at the source.", field=place)
