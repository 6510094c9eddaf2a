"""Words about a subject without its persons: those of a partner as they come, those of a case once they are forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

ERASED = "What it said is forgotten with its person."
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)")
_SENTENCE = re.compile(r"(?<=[.?!])\s+")


VALUE_CHARS_MIN = 3
"""A shorter value, as a country's code, tells nothing of anybody, and would be found everywhere."""
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NO_PERSON = ("kind", "type", "language")


def without_persons(text: str, party: bytes) -> str:
    """The words of a partner without what they repeat of the persons that it was told: of `party`, JSON, every text.

    A refusal is worth reading and may quote an address; an error of ours never carries one.
    """
    text = _ADDRESS.sub("…", text)
    try:
        values = set(_texts(msgspec.json.decode(party))) if party else set()
    except msgspec.DecodeError:
        return text
    for value in sorted(values, key=lambda v: (-len(v), v)):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", text, flags=re.IGNORECASE)
    return text


def _texts(value: Any, name: str = "") -> Iterator[str]:
    """Every text that may be a person's; of a name each word too."""
    if isinstance(value, str):
        words = [value.strip(), *(value.split() if name == "name" else ())]
        yield from (word for word in words if len(word) >= VALUE_CHARS_MIN)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key not in _NO_PERSON:
                yield from _texts(member, key)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)


def masked(text: str) -> str:
    """The remedy of a case's text, which is its last sentence; of a single sentence nothing stays.

    Masking what is masked already changes nothing.
    """
    if not text:
        return ""
    *told, remedy = _SENTENCE.split(_QUOTED.sub("…", text.strip()))
    return f"{ERASED} {remedy}" if told else ERASED
