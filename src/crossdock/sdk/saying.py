"""What the parser objects to, in words for whoever sends it: what must stand there, and what came.

Only numbers, dates and single words where one of a list is wanted are repeated: any other value might be a person's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from crossdock.model.base import shown

TIME = "a time such as 2026-03-01T09:30:00+01:00"
OPTIONS_MAX = 30
TEXT_MAX = 40

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]+|\.\.\.)\]")
_HARMLESS = re.compile(r"[-+0-9.,:/TZ ]*[0-9][-+0-9.,:/TZ ]*")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": 'a decimal number such as "19.99"',
    "str": "a text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
    "datetime": TIME,
    "date": "a date such as 2026-03-01",
    "time": "a time of day such as 09:30:00",
}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_NOWHERE = object()


def said(text: str, path: str, body: bytes, type_: Any) -> str:
    """The parser's text as a sentence without its end; as it is where it is of no kind that is known here."""
    for pattern, words in _KINDS:
        if match := pattern.fullmatch(text):
            return words(match, path, body, type_)
    return text


def _wrong_type(match: re.Match[str], path: str, body: bytes, _: Any) -> str:
    wanted = [word for word in match.group(1).split(" | ") if word != "null"]
    expected = " or ".join(_WORDS.get(word, word) for word in wanted)
    value = _value(body, path)
    if match.group(2) == "float" and "int" in wanted:
        expected += " (money in minor units: 1999 cents for 19.99)"
    return f"it must be {expected}, and is {_what(value, match.group(2), counted='str' not in wanted)}"


def _too_much(match: re.Match[str], path: str, body: bytes, _: Any) -> str:
    kind, sign, bound = match.groups()
    value = _value(body, path)
    came = f", and is {value}" if isinstance(value, int | float) else ""
    return f"it must be {_WORDS.get(kind, kind)} of {_BOUNDS[sign]} {bound}{came}"


def _too_long(match: re.Match[str], path: str, body: bytes, _: Any) -> str:
    kind, sign, bound = match.groups()
    value = _value(body, path)
    what = ("character" if kind == "str" else "item") + "s" * (bound != "1")
    came = f", and has {len(value)}" if isinstance(value, str | list | dict) else ""
    if came.endswith(" 0"):
        came = ", and is empty"
    limit = f"{_BOUNDS[sign]} {bound}" if sign else bound
    return f"it must be {_WORDS.get(kind, kind)} of {limit} {what}{came}"


def _no_option(match: re.Match[str], path: str, _: bytes, type_: Any) -> str:
    options = _options(type_, path)
    if not options:
        return f"{_word(match.group(1))} is none of the values that it may have"
    left = f" and {len(options) - OPTIONS_MAX} more" if len(options) > OPTIONS_MAX else ""
    listed = ", ".join(str(option) for option in options[:OPTIONS_MAX])
    return f"{_word(match.group(1))} is not one of {listed}{left}"


def _no_date(match: re.Match[str], path: str, body: bytes, _: Any) -> str:
    return f"it must be {_WORDS[match.group(1)]}, and is {_what(_value(body, path), 'str')}"


def _no_json(match: re.Match[str], _: str, body: bytes, __: Any) -> str:
    if not body.strip():
        return "it is empty, and no JSON"
    return f"it is no JSON: {match.group(1)}" if match.lastindex else "it is no JSON: it ends too early"


_KINDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str, bytes, Any], str]], ...] = (
    (re.compile(r"Expected `([^`]*)`, got `([^`]*)`"), _wrong_type),
    (re.compile(r"Expected `([^`]*)` (>=|<=|>|<) (\S+)"), _too_much),
    (re.compile(r"Expected `(str|array|object)` of length (?:(>=|<=) )?(\S+)"), _too_long),
    (re.compile(r"Invalid (?:enum )?value (.*)", re.DOTALL), _no_option),
    (re.compile(r"Invalid RFC3339 encoded (datetime|date|time)"), _no_date),
    (
        re.compile(r"Expected `(\w+)`"),
        lambda match, *_: f"it must be {_WORDS.get(match.group(1), match.group(1))}",
    ),
    (
        re.compile(r"Expected `str` matching regex (.*)"),
        lambda match, *_: f"it must be a text of the form {match.group(1)}",
    ),
    (
        re.compile(r"Expected `datetime` with a timezone component"),
        lambda *_: f"the time does not say its offset from UTC; write {TIME}",
    ),
    (re.compile(r"Invalid (decimal) string"), _no_date),
    (re.compile(r"JSON is malformed: (.*)"), _no_json),
    (re.compile(r"Input data was truncated"), _no_json),
)


def _what(value: Any, kind: str, *, counted: bool = True) -> str:
    """What came: a number or a date itself where one was wanted, of all else only its kind."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if counted and isinstance(value, int | float):
        return _short(str(value))
    if counted and isinstance(value, str) and _HARMLESS.fullmatch(value):
        return f"the text {_short(repr(value))}"
    return _WORDS.get(kind, kind)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}..."


def _word(text: str) -> str:
    """A value that should be one of a list, as the parser quotes it: itself where it is one plain word."""
    return shown(text[1:-1], word=True) if text[:1] == "'" else _short(text)


def _steps(path: str) -> Iterator[str | int | None]:
    """A path in steps: the name of a member, the number of an item, None for some member of a map."""
    for match in _STEP.finditer(path):
        name, number = match.groups()
        yield name if name is not None else None if number == "..." else int(number)


def _value(body: bytes, path: str) -> Any:
    """What stands at the path; `_NOWHERE` where that cannot be told."""
    try:
        value = msgspec.json.decode(body)
        for step in _steps(path):
            value = value[step]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return _NOWHERE
    return value


def _options(type_: Any, path: str) -> list[Any]:
    """The values that may stand at a path of the type, where it is one of a list."""
    nodes, step = list(_flat([_info(type_)])), None
    before = nodes
    for step in _steps(path):
        before, nodes = nodes, list(_flat(_below(nodes, step)))
    found: list[Any] = []
    for node in nodes:
        if isinstance(node, inspect.LiteralType):
            found += node.values
        elif isinstance(node, inspect.EnumType):
            found += (member.value for member in node.cls)
    tags = (n.tag for n in before if isinstance(n, inspect.StructType) and n.tag_field == step)
    return list(dict.fromkeys(found or tags))


def _below(nodes: Iterable[inspect.Type], step: str | int | None) -> Iterator[inspect.Type]:
    for node in nodes:
        if isinstance(node, inspect.StructType):
            yield from (field.type for field in node.fields if field.encode_name == step)
        elif isinstance(node, inspect.DictType):
            yield node.value_type
        elif isinstance(node, inspect.TupleType) and isinstance(step, int):
            yield from node.item_types[step : step + 1]
        elif isinstance(node, inspect.ListType | inspect.VarTupleType | inspect.SetType):
            yield node.item_type


def _flat(nodes: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    """Types without what is around them: each of a union by itself."""
    for node in nodes:
        if isinstance(node, inspect.UnionType):
            yield from _flat(node.types)
        elif isinstance(node, inspect.Metadata):
            yield from _flat([node.type])
        else:
            yield node


@functools.lru_cache(maxsize=256)
def _info(type_: Any) -> inspect.Type:
    return inspect.type_info(type_)
