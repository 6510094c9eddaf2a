"""How a view looks: a picture of 80 by 24 that is drawn anew twice a second, or a line now and then where nobody looks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import IO, Protocol

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crossdock.demo.options import Options
from crossdock.demo.view import PartnerRow, View, brief_time, clock

WIDTH_MAX = 100
STORY_LINES = 4
ROWS = 6
PLAIN_EVERY_S = 5.0
PLAIN_HEALTH = {"ok": "", "behind": " (behind)", "ill": " ({})"}
HEALTH = {"ok": "green", "behind": "yellow", "ill": "bold red"}


class Screen(Protocol):
    """Where the demo shows itself."""

    def show(self, view: View) -> None:
        """Show how things are."""
        ...

    def tell(self, at_s: float, text: str) -> None:
        """Say that something happened."""
        ...

    def close(self) -> None:
        """End the picture; what was told stays."""
        ...


class LiveScreen:
    """For a terminal."""

    def __init__(self, console: Console, options: Options, page: str) -> None:
        self._options, self._page = options, page
        self._story: deque[Text] = deque(maxlen=STORY_LINES)
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def show(self, view: View) -> None:
        """Draw the picture anew."""
        self._live.update(drawn(view, self._options, self._story, self._page), refresh=True)

    def tell(self, at_s: float, text: str) -> None:
        """It stands in the picture from the next drawing on."""
        self._story.append(Text.assemble((clock(at_s), "cyan"), "  ", text))

    def close(self) -> None:
        """Leave the last picture where it is."""
        self._live.stop()


class PlainScreen:
    """For a file or a CI: what happened when it happens, and a line of numbers every few seconds."""

    def __init__(self, stream: IO[str], options: Options) -> None:
        self._stream = stream
        self._every_s = min(PLAIN_EVERY_S, max(1.0, options.seconds / 6))
        self._next_s = 0.0

    def show(self, view: View) -> None:
        """Print a line where it is time for one."""
        if view.at_s >= self._next_s:
            self._next_s = view.at_s + self._every_s
            self._print(f"{clock(view.at_s)}  {plain(view)}")

    def tell(self, at_s: float, text: str) -> None:
        """Print it at once."""
        self._print(f"{clock(at_s)}  * {text}")

    def close(self) -> None:
        """Nothing to put away."""

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def plain(view: View) -> str:
    """A view as one line."""
    times = "-"
    if view.captured is not None:
        times = " / ".join(brief_time(ms) for ms in view.captured)
    waiting = ", ".join(f"{p.name} {p.waiting}{PLAIN_HEALTH[p.health].format(p.text)}" for p in view.partners)
    hub = "THE HUB IS DOWN; " if not view.hub_up else f"{view.dead.upper()} IS DOWN; " if view.dead else ""
    tills = f"\n       stores: {view.tills}" if view.tills else ""
    return (
        f"{hub}sold {view.sold}, finished {view.finished}, under way {view.under_way}, cases {view.open_cases}; "
        f"to the ERP p50/p95 {times}; calls waiting: {waiting or '-'}{tills}"
    )


def drawn(view: View, options: Options, story: Iterable[Text], page: str) -> RenderableType:
    """A view as a picture of at most 24 lines."""
    grid = Table.grid(expand=True)
    grid.add_column(max_width=WIDTH_MAX)
    parts = (
        _header(view, options),
        Bar(view.sold, view.target),
        _numbers(view),
        Text.assemble(("stores ", "dim"), view.tills, overflow="ellipsis", no_wrap=True)
        if view.tills
        else Text(),
        _partners(view.partners),
        Text(),
        _lists(view),
        *story,
        Text(),
        Text(f"Page  {page}", no_wrap=True),
    )
    for part in parts:
        grid.add_row(part)
    return grid


class Bar:
    """How much of it is done, as wide as there is room."""

    def __init__(self, done: int, total: int) -> None:
        self._share = min(1.0, done / total) if total else 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        full = round(options.max_width * self._share)
        yield Text.assemble(("━" * full, "green"), ("┈" * (options.max_width - full), "dim"))


def _header(view: View, options: Options) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    hub = ("the hub is up", "green")
    if not view.hub_up:
        hub = ("THE HUB IS DOWN", "bold red")
    elif view.dead:
        hub = (f"{view.dead.upper()} IS DOWN", "bold yellow")
    left = Text.assemble(("Crossdock", "bold"), f"  {view.phase}, ", hub)
    if view.memory_mib:
        left.append(f"  {view.memory_mib:.0f} MiB", "dim")
    grid.add_row(left, Text(f"{clock(view.at_s)} of {clock(options.seconds)}", "cyan"))
    return grid


def _numbers(view: View) -> RenderableType:
    p50, p95 = view.captured or (None, None)
    facts = (
        ("orders sold", f"{view.sold:,} of {view.target:,}", ""),
        ("webhooks in", f"{view.taken:,}", ""),
        ("repeats", f"{view.repeated:,}", ""),
        ("finished", f"{view.finished:,}", "green"),
        ("under way", f"{view.under_way:,}", "yellow" if view.under_way else ""),
        ("shop to ERP p50/p95", f"{brief_time(p50)} / {brief_time(p95)}", ""),
    )
    grid = Table.grid(expand=True, padding=(0, 1))
    for _ in facts:
        grid.add_column(no_wrap=True)
    grid.add_row(*(Text(value, f"bold {style}".strip()) for _, value, style in facts))
    grid.add_row(*(Text(name, "dim") for name, _, _ in facts))
    return grid


def _partners(rows: Iterable[PartnerRow]) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(no_wrap=True, min_width=9)
    for width in (13, 8, 7, 7):
        grid.add_column(justify="right", no_wrap=True, min_width=width)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_row(*(Text(name, "dim") for name in ("partner", "calls waiting", "oldest", "p50", "p95", "")))
    for row in rows:
        grid.add_row(
            row.name,
            Text(f"{row.waiting:,}", "yellow" if row.waiting else ""),
            brief_time(row.oldest_s * 1000) if row.waiting else "",
            brief_time(row.p50_ms),
            brief_time(row.p95_ms),
            Text(row.text, HEALTH[row.health]),
        )
    return grid


def _lists(view: View) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    for _ in range(3):
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        _list("orders under way", view.stages),
        _list("what goes wrong", view.faults),
        _list("cases for a person", view.cases),
    )
    for row in zip(*columns, strict=True):
        grid.add_row(*row)
    return grid


def _list(title: str, rows: Iterable[tuple[str, int]]) -> list[Text]:
    """A title and as many lines as there are in every list."""
    shown = [Text.assemble((f"{count:>5,} ", "bold"), text) for text, count in rows][:ROWS]
    return [Text(f"      {title}", "dim"), *shown, *(Text() for _ in range(ROWS - len(shown)))]
