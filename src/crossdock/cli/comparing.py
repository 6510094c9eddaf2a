"""`compare`: what the hub would have booked, and what the ERP holds; for going live beside another integration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from crossdock.cli.context import DEFAULT_CONFIG, ConfigOption, JsonOption, configured, opened
from crossdock.cli.output import emit_json, say, table
from crossdock.errors import ConfigurationError

if TYPE_CHECKING:
    from crossdock.domain.comparing import Compared, Finding, Kind

WORDS: dict[Kind, str] = {
    "missing": "not in the ERP",
    "doubled": "in the ERP more than once",
    "total": "another total",
    "currency": "another currency",
    "late": "late",
    "unknown": "in the ERP, and nothing of ours",
}
SHOWN_MAX = 200


def compare(
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="TIME", help="Orders placed, days opened since: a date (UTC), or a time."
        ),
    ] = "",
    late_after: Annotated[
        float, typer.Option("--late-after", min=0, metavar="SECONDS", help="From when on a sale is late.")
    ] = 3600.0,
) -> None:
    """Compare our orders and stores' days with what the ERP holds, whoever booked it; ends with 1 where they differ."""
    from crossdock.bootstrap.compared import compared

    checked, from_ = configured(config), _micros(since)
    with opened(checked.hub) as reads:
        found = compared(reads, checked.plan, since=from_, late_s=late_after)
    if json:
        sums = [
            {"kind": kind, "currency": currency, "findings": count, "amount": amount}
            for kind, currency, count, amount in found.sums()
        ]
        emit_json({**_counts(found), "sums": sums, "findings": found.findings})
    else:
        _print(found)
    if found.findings:
        raise typer.Exit(1)


def _counts(found: Compared) -> dict[str, int]:
    names = ("orders", "agree", "early", "days", "days_agree", "days_early", "unread")
    return {name: getattr(found, name) for name in names}


def _print(found: Compared) -> None:
    from crossdock.model.money import decimal_text

    say(f"{found.orders} orders: {found.agree} agree, {found.early} are too young to say.")
    if found.days:
        say(f"{found.days} store days: {found.days_agree} agree, {found.days_early} are too young to say.")
    if found.unread:
        say(
            f"{found.unread} orders, tickets or store days are not compared: their ERP's feed was never read (`days` where tills "
            "are booked in sum, else `sales`).",
            "yellow",
        )
    table(
        "",
        ["", "findings", "in sum", "currency"],
        [
            [WORDS[kind], count, decimal_text(amount, currency), currency]
            for kind, currency, count, amount in found.sums()
        ],
        ["findings", "in sum"],
    )
    table(
        "",
        ["order or day", "channel", "", "amount", "ours", "theirs", "currency", "documents"],
        [_row(finding) for finding in found.findings[:SHOWN_MAX]],
        ["amount", "ours", "theirs"],
    )
    left = len(found.findings) - SHOWN_MAX
    if left > 0:
        say(f"And {left} more; --json shows all.", "dim")
    if not found.findings:
        say("The ERP holds what we would have booked.", "green")


def _row(finding: Finding) -> list[str]:
    from crossdock.model.money import decimal_text

    ours, theirs, amount = (
        "" if value is None else decimal_text(value, finding.currency)
        for value in (finding.ours, finding.theirs, finding.amount)
    )
    what = WORDS[finding.kind] + (f" by {_span(finding.late_s)}" if finding.late_s else "")
    documents = ", ".join(finding.documents)
    return [finding.number, finding.connection, what, amount, ours, theirs, finding.currency, documents]


def _span(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _micros(text: str) -> int:
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--since {text[:40]!r} is no time. Write 2026-03-01, or 2026-03-01T06:00:00+01:00."
        ) from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000
