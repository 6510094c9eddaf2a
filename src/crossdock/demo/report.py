"""The end: every question with its answer, a tick or a cross, and what to look at where it does not balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossdock.bootstrap.proof import Check
from crossdock.demo.balance import EXPLAINED
from crossdock.demo.books import Books
from crossdock.demo.findings import Finding
from crossdock.demo.last_units import Gone
from crossdock.demo.options import GONE_S_MAX, SECONDS_USUAL, Options
from crossdock.demo.play import Played
from crossdock.demo.view import brief_time, clock

MEMORY_MIB_MAX = 400.0
"""What the hub may take where a shop, an ERP and a warehouse are all."""
MEMORY_TILLS_MIB_MAX = 600.0
"""The same with the tills of stores."""
MEMORY_A_PROCESS_MIB_MAX = 150.0
"""Where the hub is a process a role."""
LAST_UNIT_MS = 1_000.0
"""How soon a last unit must leave the shop: half of them at least, for one may meet a shop that asks us to wait a second."""
WIDTH_MAX = 120


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the demo found. `captured_ms`: from webhook to the ERP's sale, p50 and p95 of the whole run."""

    options: Options
    played: Played
    findings: list[Finding]
    invariants: list[Finding]
    cases: dict[str, int]
    captured_ms: tuple[float, float] | None

    @property
    def ok(self) -> bool:
        """Whether everything balances."""
        return all(finding.ok for finding in (*self.findings, *self.invariants))


def make_report(
    options: Options,
    played: Played,
    *,
    found: Sequence[Finding],
    books: Books,
    checks: Sequence[Check],
    times: Sequence[int],
) -> Report:
    """Put the report together; `times` in microseconds, one an order."""
    cases: dict[str, int] = {}
    for case in books.cases:
        cases[case.reason] = cases.get(case.reason, 0) + 1
    return Report(
        options=options,
        played=played,
        findings=[*_of_the_run(played, options), *_last_units(played.last_units, options), *found],
        invariants=[
            Finding(name=check.letter, ok=check.ok, text=check.text, look=() if check.ok else (_PROOF,))
            for check in checks
        ],
        cases=dict(sorted(cases.items())),
        captured_ms=_percentiles(times),
    )


_PROOF = "`crossdock proof` says it again, `crossdock trace ORDER` tells the story of an order"


def _of_the_run(played: Played, options: Options) -> list[Finding]:
    rested = Finding(
        name="everything came to rest",
        ok=played.rested,
        text=f"{played.rested_at - played.sold_at:.0f} s after the last order",
        look=() if played.rested else ("what was under way then stands in the last picture above",),
    )
    limit = memory_mib_max(played.processes, tills=options.tills)
    whose = f"in {played.processes} processes" if played.processes > 1 else "without stores"
    if options.tills and played.processes == 1:
        whose = f"with the tills of {options.stores} stores"
    text = f"{played.memory_mib:.0f} MiB at most; it must stay under {limit:.0f} {whose}"
    memory = Finding(
        name="memory of the hub",
        ok=played.memory_mib < limit,
        text=text,
        look=() if played.memory_mib < limit else ("what grows with the orders",),
    )
    return [rested, memory]


def memory_mib_max(processes: int, *, tills: bool) -> float:
    """What the hub may take of memory, in MiB."""
    if processes > 1:
        return processes * MEMORY_A_PROCESS_MIB_MAX
    return MEMORY_TILLS_MIB_MAX if tills else MEMORY_MIB_MAX


def _last_units(gone: Sequence[Gone], options: Options) -> list[Finding]:
    """Each has left the shop, and the middle one in under a second; a run that sold none has shown nothing."""
    if not options.tills:
        return []
    name = "the last unit leaves the shop"
    took = sorted(
        ((unit.took_ms, unit) for unit in gone if unit.took_ms is not None), key=lambda pair: pair[0]
    )
    wrong = [f"{unit.sku} of {unit.store} is still listed" for unit in gone if unit.took_ms is None]
    if not took:
        wrong.append("why none was sold: the hub was never calm for long enough, or the stores had closed")
        return [Finding(name=name, ok=False, text=f"{len(gone)} sold in stores", look=tuple(wrong))]
    half_ms = took[(len(took) - 1) // 2][0]
    slowest_ms, slowest = took[-1]
    if half_ms >= LAST_UNIT_MS:
        wrong.append("what the shop's calls waited for, and how busy the machine was")
    text = (
        f"{len(gone)} sold in stores; half of them were listed no more after {brief_time(half_ms)}, the slowest, "
        f"{slowest.sku} of {slowest.store}, after {brief_time(slowest_ms)}; it must take half of them under a second"
    )
    return [Finding(name=name, ok=not wrong, text=text, look=tuple(wrong))]


def print_report(console: Console, report: Report) -> None:
    """For people."""
    console.print(
        Group(
            Text(),
            _story(report),
            Text(),
            Text("What the partners' own books say", "bold"),
            _table(report.findings),
            Text("What the hub's own books say", "bold"),
            _table(report.invariants),
            *_cases(report),
            _verdict(report),
        )
    )


def report_json(report: Report) -> dict[str, Any]:
    """For machines."""
    found: dict[str, Any] = msgspec.to_builtins(report)
    return {"ok": report.ok, **found}


def _story(report: Report) -> Text:
    options, played = report.options, report.played
    text = Text(f"{options.orders:,} orders in {clock(played.sold_at)}")
    if options.faults:
        text.append(f"; the warehouse was gone for {_gone(options)}")
    for death in played.deaths[:1] if len(played.deaths) == 1 else ():
        text.append(f"; {death.name} killed at {clock(death.killed_at)}, back at {clock(death.back_at)}")
    if len(played.deaths) > 1:
        gaps = [death.back_at - death.killed_at for death in played.deaths]
        text.append(f"; {len(gaps)} times a worker was killed, and was back after {max(gaps):.1f} s at most")
    if report.captured_ms is not None:
        p50, p95 = (brief_time(ms) for ms in report.captured_ms)
        text.append(f"; from the shop to the ERP {p50} (half of them), {p95} (95 of 100)")
    return text.append(".")


def _gone(options: Options) -> str:
    """How long the warehouse answered nobody, and how it comes that this was no minute."""
    start, end = options.gone
    if end - start >= GONE_S_MAX:
        return "a minute"
    return f"{end - start:.0f} s (a minute in a run of {SECONDS_USUAL:.0f} s or more)"


def _table(findings: Sequence[Finding]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark = Text("✓", "bold green") if finding.ok else Text("✗", "bold red")
        table.add_row(mark, Text(finding.name, "" if finding.ok else "bold red"), Text(finding.text, "dim"))
        for line in finding.look:
            table.add_row("", "", Text(f"look at {line}", "red"))
    return table


def _cases(report: Report) -> list[RenderableType]:
    if not report.cases:
        return []
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for reason, count in report.cases.items():
        table.add_row(f"{count:,}", reason, Text(EXPLAINED.get(reason, ""), "dim"))
    return [Text("What is left for people", "bold"), table]


def _verdict(report: Report) -> Text:
    if report.ok:
        return Text("\nEverything balances.", "bold green")
    wrong = sum(not finding.ok for finding in (*report.findings, *report.invariants))
    return Text(f"\nIt does not balance: {wrong} of the above.", "bold red")


def _percentiles(times: Sequence[int]) -> tuple[float, float] | None:
    if not times:
        return None
    ordered = sorted(times)
    middle, late = (ordered[min(len(ordered) - 1, len(ordered) * part // 100)] / 1000 for part in (50, 95))
    return round(middle, 1), round(late, 1)
