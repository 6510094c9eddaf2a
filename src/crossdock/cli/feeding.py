"""`feed`: recorded deliveries posted into a running hub, as if their sender sent them again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossdock.cli.context import DEFAULT_CONFIG, ConfigOption, JsonOption, UrlOption, configured
from crossdock.cli.output import emit_json, say, table
from crossdock.errors import NotFoundError

if TYPE_CHECKING:
    from crossdock.cli.deliveries import Fed

RESULTS = ("accepted", "repeated", "refused", "failed")


def feed(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, help="Files that hold {headers, body}; or one file.")
    ],
    *,
    connection: Annotated[str, typer.Option(help="The connection that they came over.")],
    times: Annotated[int, typer.Option(min=1, max=100, help="How often each is posted.")] = 1,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Post them in any order.")] = False,
    seed: Annotated[int, typer.Option(help="The order of --shuffle.")] = 1,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = "",
    json: JsonOption = False,
) -> None:
    """Post recorded deliveries into the running hub, signed anew; ends with 1 where one was not taken."""
    from crossdock.cli.deliveries import post_delivery, recorded, secrets_of, signed
    from crossdock.config import Registry
    from crossdock.transport.http import HttpTransport

    found = configured(config)
    wanted = found.connections.get(connection)
    if wanted is None:
        raise NotFoundError(
            f"There is no connection {connection!r}. There are {', '.join(found.connections) or 'none'}."
        )
    connector = Registry().get(wanted.connector).build(wanted.settings)
    secrets = secrets_of(wanted)
    deliveries = [signed(delivery, connector, secrets) for delivery in recorded(folder)] * times
    if shuffle:
        random.Random(seed).shuffle(deliveries)  # noqa: S311  # an order, no secret
    address = (url or found.hub.local_url).rstrip("/")
    transport = HttpTransport(address)
    try:
        results = [post_delivery(transport, connection, delivery) for delivery in deliveries]
    finally:
        transport.close()
    _tell(results, address, json=json)
    if any(fed.result in ("refused", "failed") for fed in results):
        raise typer.Exit(1)


def _tell(results: list[Fed], address: str, *, json: bool) -> None:
    counts = {name: sum(fed.result == name for fed in results) for name in RESULTS}
    if json:
        emit_json({"url": address, **counts, "deliveries": results})
        return
    by_file: dict[str, list[Fed]] = {}
    for fed in results:
        by_file.setdefault(fed.file, []).append(fed)
    rows = [
        [Path(file).name, *(sum(fed.result == name for fed in feds) or "" for name in counts), _details(feds)]
        for file, feds in sorted(by_file.items())
    ]
    table("", ["delivery", *counts, ""], rows, list(counts))
    total = ", ".join(f"{count} {name}" for name, count in counts.items())
    say(
        f"{len(results)} posted to {address}: {total}.",
        "red" if counts["refused"] + counts["failed"] else "green",
    )


def _details(feds: list[Fed]) -> str:
    return "; ".join(dict.fromkeys(f"{fed.status} {fed.detail}".strip() for fed in feds if fed.detail))
