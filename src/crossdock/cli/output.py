"""What commands print: tables for people on stdout, JSON for machines on stdout, everything else on stderr.

What partners and buyers wrote is printed as text: neither as markup, nor with control characters that a terminal obeys.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crossdock.errors import ConfigurationError, CrossdockError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPED_COLUMNS = 160
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, stderr: bool = False) -> Console:
    """Where people read. Piped, it is wide and plain."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_COLUMNS
    return Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)


def say(text: str, style: str = "") -> None:
    """A line for people, on stdout."""
    console().print(clean(text), style=style or None, soft_wrap=True)


def note(text: str, style: str = "") -> None:
    """A line that is no result, on stderr."""
    console(stderr=True).print(clean(text), style=style or None, soft_wrap=True)


def print_error(error: Exception) -> None:
    """One red line with what to do. A list of mistakes is a line each."""
    if isinstance(error, CrossdockError):
        note(f"error: {_place(error)}{error.message}", "red")
    elif isinstance(error, OSError) and error.filename:
        note(f"error: {error.filename}: {error.strerror}. Look at the path and its permissions.", "red")
    else:
        note(f"error: {error}", "red")


def _place(error: CrossdockError) -> str:
    """The line, where the message does not list its own."""
    if isinstance(error, ConfigurationError) and error.line and "\n" not in error.message:
        return f"line {error.line}: "
    return ""


def emit_json(value: Any) -> None:
    """One line of JSON on stdout."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = ()
) -> None:
    """A table; the columns in `numbers` stand to the right. Nothing is printed where there are no rows."""
    from rich.text import Text

    found = list(rows)
    if not found:
        return
    made = _empty_table(title, headed=any(columns))
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in found:
        made.add_row(*(cell if isinstance(cell, Text) else Text(clean(str(cell))) for cell in row))
    console().print(made)


def _empty_table(title: str, *, headed: bool) -> Table:
    from rich import box
    from rich.table import Table

    shape = box.SIMPLE_HEAD if headed else None
    return Table(title=title or None, title_justify="left", box=shape, pad_edge=False, show_header=headed)


def clean(text: str) -> str:
    """Text without what would move the cursor or change the colours of the terminal."""
    return _CONTROL.sub("\ufffd", text)


def utc(moment: datetime) -> str:
    """A time in UTC, as the console, the API and the logs have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def moment_of(microseconds: int) -> datetime | None:
    """A time of the store; None for never."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC) if microseconds else None


def when(moment: datetime | None) -> str:
    """A time, or nothing, for a column that says that it is UTC."""
    return utc(moment).removesuffix(" UTC") if moment is not None else ""


def not_kept(gone: int) -> str:
    """Of messages that cannot be run again, why."""
    return f"{gone} more cannot be run again: their raw bytes are not kept any more (bodies_days, or an erasure)."
