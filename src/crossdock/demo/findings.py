"""A question and its answer: whether it is as it must be, the numbers, and what to look at."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

LOOK_MAX = 5


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One question: whether the answer is as it must be, the numbers, and where it is not, what to look at."""

    name: str
    ok: bool
    text: str
    look: tuple[str, ...] = ()


def finding(name: str, text: str, wrong: Iterable[str]) -> Finding:
    """The answer to a question: well where nothing is wrong; the first few of what is."""
    found = list(wrong)
    look = found[:LOOK_MAX]
    if len(found) > LOOK_MAX:
        look.append(f"... and {len(found) - LOOK_MAX} more")
    return Finding(name=name, ok=not found, text=text, look=tuple(look))


def money(cents: int) -> str:
    """Cents as euros: 1,234.50."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def n(count: int) -> str:
    """A count: 1,234."""
    return f"{count:,}"


def orders(count: int) -> str:
    """So many orders."""
    return f"{count:,} order{'s' * (count != 1)}"
