"""What people do: settle cases and replay, over the API of the running hub, each with an actor and a reason."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from crossdock.cli.context import (
    DEFAULT_CONFIG,
    ActorOption,
    ConfigOption,
    JsonOption,
    ReasonOption,
    UrlOption,
    actor_or_self,
    api,
)
from crossdock.cli.output import emit_json, not_kept, say
from crossdock.errors import ConfigurationError

DONE = {
    "retry": "What case {number} is about is tried again",
    "edit": "What case {number} is about is tried again with the corrected body",
    "resolve": "Case {number} is resolved",
    "release": "The hold of case {number} is released",
    "done": "What case {number} is about is marked as done",
}
NumberArgument = Annotated[int, typer.Argument(metavar="N", min=1, help="The case's number.")]


def retry(
    number: NumberArgument,
    *,
    reason: ReasonOption,
    actor: ActorOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Try the message or the call of a case again; what waits behind it follows in order."""
    _settle(number, "retry", {"reason": reason, "actor": actor}, config=config, url=url, json=json)


def edit(
    number: NumberArgument,
    *,
    file: Annotated[
        Path, typer.Option("--file", "-f", exists=True, dir_okay=False, help="The corrected body.")
    ],
    reason: ReasonOption,
    actor: ActorOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Put a corrected body in the place of a parked message's, and try it again. The old bytes are kept."""
    body = base64.b64encode(file.read_bytes()).decode()
    _settle(
        number,
        "edit",
        {"reason": reason, "actor": actor, "body_base64": body},
        config=config,
        url=url,
        json=json,
    )


def resolve(
    number: NumberArgument,
    *,
    reason: ReasonOption,
    actor: ActorOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Close a case. Its message is dropped unhandled, or its call given up; what waits behind it follows."""
    _settle(number, "resolve", {"reason": reason, "actor": actor}, config=config, url=url, json=json)


def release(
    number: NumberArgument,
    *,
    reason: ReasonOption,
    actor: ActorOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Release the hold that a case is about: the order goes on, or the store's day is posted with its difference."""
    _settle(number, "release", {"reason": reason, "actor": actor}, config=config, url=url, json=json)


def done(
    number: NumberArgument,
    *,
    reference: Annotated[str, typer.Option("--reference", help="The partner's id of what it did.")],
    reason: ReasonOption,
    actor: ActorOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Say that a call in doubt did reach the partner, and under which id it stands there."""
    _settle(
        number,
        "done",
        {"reason": reason, "actor": actor, "reference": reference},
        config=config,
        url=url,
        json=json,
    )


def _settle(number: int, action: str, body: dict[str, str], *, config: Path, url: str, json: bool) -> None:
    body = body | {"actor": actor_or_self(body["actor"])}
    with api(config, url) as hub:
        answer = hub.post(f"/v1/cases/{number}/{action}", body)
    if json:
        emit_json(answer)
    else:
        said = f"{DONE[action].format(number=number)}, in the name of {body['actor']}."
        say(f"{said} Its order's timeline shows what comes of it.", "green")


def replay(
    order: Annotated[str, typer.Argument(help="Its id here, or the channel's id or number of it.")] = "",
    *,
    since: Annotated[
        str, typer.Option(help="Instead: all that a connection sent since then (ISO 8601).")
    ] = "",
    connection: Annotated[str, typer.Option(help="That connection.")] = "",
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why: it stays on every order's timeline.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what today's mapping makes of the stored bytes.")
    ] = False,
    actor: ActorOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Run messages again from their raw bytes. With --dry-run nothing is done: it ends with 1 where something differs."""
    if bool(order) == bool(since) or bool(since) != bool(connection):
        raise ConfigurationError("Name an order, or a --connection and --since when.")
    began = _moment(since) if since else None
    if dry_run:
        from crossdock.cli.rehearsing import rehearse

        raise typer.Exit(rehearse(config, order, connection, began, json=json))
    if not reason.strip():
        raise ConfigurationError("A replay says why. Add --reason.")
    body: dict[str, Any] = {"actor": actor_or_self(actor), "reason": reason}
    body |= {"order": order} if order else {"connection": connection, "since": began}
    accepted, gone, key = 0, 0, uuid4().hex
    with api(config, url) as hub:
        while True:
            answer = hub.post("/v1/replays", body, key=key)
            accepted += int(answer.get("accepted", 0))
            gone += int(answer.get("gone", 0))
            if not answer.get("next"):
                break
            body["after"] = answer["next"]
    if json:
        emit_json({"accepted": accepted, "gone": gone})
    else:
        say(f"{accepted} messages run again. What they change is on their orders' timelines.", "green")
        if gone:
            say(not_kept(gone), "yellow")


def _moment(text: str) -> Any:
    """A date begins at midnight UTC; a time says its offset."""
    from crossdock.config.values import Field, Wrong, read

    try:
        return read(Field(name="since", doc="", kind="since"), text)
    except Wrong as wrong:
        raise ConfigurationError(f"--since: {wrong.message} {wrong.remedy}", field="since") from wrong
