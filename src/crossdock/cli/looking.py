"""`orders`, `trace`, `cases` and `proof`: read beside a running hub, or where none runs."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from crossdock.cli.context import DEFAULT_CONFIG, ConfigOption, JsonOption, hub_of, opened, subject_of
from crossdock.cli.output import emit_json, say, table, when
from crossdock.errors import NotFoundError

NEWEST = 2**62
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many at most.")]


def orders(
    stage: Annotated[
        str, typer.Option(help="Only those at this stage: waiting_stock, held, at_warehouse ...")
    ] = "",
    connection: Annotated[str, typer.Option(help="Only those of this channel.")] = "",
    limit: LimitOption = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """List orders, newest first."""
    from crossdock.console import words
    from crossdock.console.orders import summaries
    from crossdock.model.money import decimal_text

    _require_stage(stage)
    with opened(hub_of(config)) as reads:
        rows = reads.orders(before=NEWEST, limit=limit, connection=connection, stage=stage)
        found = summaries(reads, rows)
    if json:
        emit_json(found)
        return
    listed = []
    for order in found:
        total = f"{decimal_text(order.total, order.currency)} {order.currency}" if order.currency else ""
        told = [words.plain(code) for code in (order.custody, order.money)]
        listed.append(
            [order.id, order.connection, order.number, order.text, *told, total, when(order.placed_at)]
        )
    columns = ["order", "channel", "number", "stage", "goods", "money", "total", "placed (UTC)"]
    table("", columns, listed, ["total"])
    if not listed:
        say("No such order." if stage or connection else "There are no orders yet.")


def _require_stage(stage: str) -> None:
    from typing import get_args

    from crossdock.config.values import did_you_mean
    from crossdock.domain.status import Stage

    stages = get_args(Stage)
    if stage and stage not in stages:
        hint = did_you_mean(stage, stages) or f"There are {', '.join(stages)}."
        raise NotFoundError(f"There is no stage {stage!r}. {hint}")


def trace(
    order: Annotated[str, typer.Argument(help="Its id here, or the channel's id or number of it.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Also what repeats what another step says.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Tell the story of an order: what happened, by whom, with what outcome; what waits behind what, and why."""
    from crossdock.cli.telling import print_timeline
    from crossdock.console.story import timeline

    with opened(hub_of(config)) as reads:
        story = timeline(reads, subject_of(reads, order), lambda _: "")
    if json:
        emit_json(story)
    else:
        print_timeline(story, everything=everything)


def cases(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    limit: LimitOption = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """List the cases, oldest first. Each says what was tried, on what, and what to do."""
    from crossdock.console.acting import case_view

    if context.invoked_subcommand is not None:
        return
    if state not in ("open", "closed", "all"):
        raise NotFoundError(f"There is no state {state!r}. Write open, closed or all.")
    with opened(hub_of(config)) as reads:
        found = [case_view(reads, row) for row in reads.cases(after=0, state=state, limit=limit)]
    if json:
        emit_json(found)
        return
    rows = [
        [
            case.id,
            case.order,
            case.title,
            case.field,
            when(moment_from(case.opened_at)),
            case.waiting,
            case.text,
        ]
        for case in found
    ]
    table(
        "",
        ["case", "order", "what", "field", "since (UTC)", "behind it", "what to do"],
        rows,
        ["case", "behind it"],
    )
    if not found:
        say("No case." if state == "all" else f"No {state} case.")


def moment_from(text: str) -> Any:
    """A time as the console writes it."""
    from datetime import datetime

    return datetime.fromisoformat(text) if text else None


def show_case(
    number: Annotated[int, typer.Argument(metavar="N", help="The case's number.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the message or call that it is about, nothing else.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show one case; with --raw the bytes that it is about, to be corrected and handed back with `cases edit`."""
    import base64

    from crossdock.cli.telling import print_case
    from crossdock.console.acting import case_view, raw_of

    with opened(hub_of(config)) as reads:
        row = reads.case(number)
        if row is None:
            raise NotFoundError(f"There is no case {number}. `crossdock cases` lists them.")
        about, view = raw_of(reads, row) if raw else None, case_view(reads, row)
    if raw and (about is None or not about.body_base64):
        raise NotFoundError(f"What case {number} is about is not kept any more.")
    if json:
        emit_json({"case": view} | ({"raw": about} if raw else {}))
    elif about is not None:
        sys.stdout.buffer.write(base64.b64decode(about.body_base64))
    else:
        print_case(view)


def proof(
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Read every order there is; of a million that is minutes. Else the newest 5,000."
        ),
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Check every invariant of the store and print its counts; ends with 1 where one does not hold.

    What is under way is checked altogether. Of a large store only the newest orders are read one by one, and each line says so; a
    running hub reads them all, some each minute, and what it has found stands here too.
    """
    from rich.text import Text

    from crossdock.bootstrap.proof import prove

    with opened(hub_of(config)) as reads:
        checks = prove(reads, time.time_ns() // 1000, full=full)
    ok = all(check.ok for check in checks)
    if json:
        emit_json({"ok": ok, "checks": checks})
    else:
        rows = [
            [
                check.letter,
                check.name,
                Text("holds", "green") if check.ok else Text("BROKEN", "bold red"),
                check.text,
            ]
            for check in checks
        ]
        table("", ["", "invariant", "", "counted"], rows)
        say("Everything balances." if ok else "It does not balance.", "green" if ok else "bold red")
    if not ok:
        raise typer.Exit(1)
