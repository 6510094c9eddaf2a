"""Events: which there are, and telling a subscriber again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from crossdock.cli.context import (
    DEFAULT_CONFIG,
    ActorOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    actor_or_self,
    api,
)
from crossdock.cli.output import emit_json, say, table
from crossdock.errors import ConfigurationError


def types(*, json: JsonOption = False) -> None:
    """Which events there are, and what the data of each says."""
    import inspect

    from crossdock.model.event_types import BUSINESS, EVENT_TYPES

    rows = [
        (
            name,
            "by default" if name in BUSINESS else "by name",
            inspect.cleandoc(data.__doc__ or "").partition("\n")[0],
        )
        for name, data in EVENT_TYPES.items()
    ]
    if json:
        emit_json([{"type": name, "told": told, "data": text} for name, told, text in rows])
    else:
        table("", ["type", "told", "data"], [list(row) for row in rows])


def replay(
    *,
    to: Annotated[str, typer.Option("--to", help="The subscriber: a connection.")],
    since: Annotated[
        str, typer.Option("--since", help="From when on (a date, or ISO 8601 with its offset).")
    ],
    until: Annotated[str, typer.Option("--until", help="Up to when; else up to now.")] = "",
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why: it stays with every event that is told again.")
    ],
    actor: ActorOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Tell a subscriber again what happened since a time, under the ids that it had.

    The same command again tells nothing twice, and goes on where it was broken off; another --reason tells all of it
    once more.
    """
    from crossdock.cli.acting import _moment

    if not reason.strip():
        raise ConfigurationError("A replay says why. Add --reason.")
    body: dict[str, Any] = {
        "to": to,
        "actor": actor_or_self(actor),
        "reason": reason,
        "since": _moment(since),
    }
    if until:
        body["until"] = _moment(until)
    told = {"events": 0, "accepted": 0, "repeated": 0}
    with api(config, url) as hub:
        while True:
            answer = hub.post("/v1/events/replays", body)
            for key in told:
                told[key] += int(answer.get(key, 0))
            if not answer.get("next"):
                break
            body["after"] = answer["next"]
    if json:
        emit_json(told)
    elif told["events"] and not told["accepted"]:
        say(
            f"The same replay of {told['events']} events was asked for before. Give another --reason to repeat it."
        )
    else:
        say(f"{told['events']} events are told to {to} again, under the ids that they had.", "green")
