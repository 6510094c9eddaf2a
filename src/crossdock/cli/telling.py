"""An order's story and a case, as a tired operator reads them: what waits first, then what happened, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from crossdock.cli.output import clean, console, say, table, utc, when

if TYPE_CHECKING:
    from crossdock.console.acting import CaseView
    from crossdock.console.story import Step, Timeline
    from crossdock.console.waits import Wait

STYLES = {
    "case": "red",
    "attempt": "yellow",
    "effect": "cyan",
    "message": "bold",
    "event": "",
    "movement": "dim",
}


def print_timeline(story: Timeline, *, everything: bool) -> None:
    """The whole story. Times are UTC."""
    from crossdock.console import words

    name = " ".join(
        part
        for part in (story.id, story.number, f"of {story.connection}" if story.connection else "")
        if part
    )
    say(f"{name}: {words.stage(story.stage)}", "bold")
    facts = [
        ("goods", words.plain(story.custody)),
        ("money", words.plain(story.money)),
        ("trace", story.correlation_id),
    ]
    say("  ".join(f"{label} {value}" for label, value in facts if value), "dim")
    if story.waits:
        say("")
        say("What it waits for", "bold")
        for wait in story.waits:
            _print_wait(wait)
    say("")
    steps = [step for step in story.steps if everything or not step.quiet]
    rows = [[when(step.at), _what(step), step.by, step.outcome, _detail(step)] for step in steps]
    table("What happened", ["time (UTC)", "what", "by", "outcome", ""], rows)
    left_out = len(story.steps) - len(steps)
    if left_out:
        say(f"Left out what repeats this ({left_out}); --all shows it.", "dim")
    if not story.complete:
        say("There is more than can be shown at once.", "yellow")


def _what(step: Step) -> Text:
    return Text(clean(step.what), STYLES.get(step.kind, ""))


def _detail(step: Step) -> str:
    names = [
        f"{kind} {number}" for kind, number in (("message", step.message), ("case", step.case)) if number
    ]
    return f"{step.detail} ({', '.join(names)})" if step.detail and names else step.detail or ", ".join(names)


def _print_wait(wait: Wait) -> None:
    until = f", until {utc(wait.until)}" if wait.until is not None else ""
    line = Text("  ")
    line.append(clean(wait.what), "yellow")
    line.append(clean(f": {wait.why} (since {utc(wait.since)}{until})"))
    console().print(line, soft_wrap=True)
    if wait.remedy:
        case = f" `crossdock cases show {wait.case}`" if wait.case else ""
        say(f"    {wait.remedy}{case}", "green")


def print_case(case: CaseView) -> None:
    """One case, and what may be done about it. Of the message only where to find it: it holds persons."""
    from datetime import datetime

    closed = utc(datetime.fromisoformat(case.closed_at)) if case.closed_at else ""
    say(f"case {case.id}: {case.title}", "bold red" if not closed else "bold")
    say(case.text)
    facts = [
        ("order", case.order),
        ("field", case.field),
        ("about", case.about),
        ("from", case.source),
        ("opened", utc(datetime.fromisoformat(case.opened_at))),
        ("waiting behind it", str(case.waiting) if case.waiting else ""),
        ("closed", f"{closed} by {case.owner or 'the hub'}: {case.resolution}" if closed else ""),
    ]
    table("", ["", ""], [fact for fact in facts if fact[1]])
    if case.message or case.effect:
        say(f"  crossdock cases show {case.id} --raw", "green")
    for action in case.actions:
        extra = {"edit": " --file FILE", "done": " --reference THEIR_ID"}.get(action, "")
        say(f"  crossdock cases {action} {case.id}{extra} --reason WHY", "green")
