"""`init`, `check`, `up` and `demo`: from an empty folder to a running hub."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from crossdock.cli.context import DEFAULT_CONFIG, ConfigOption, JsonOption, configured, hub_of, opened
from crossdock.cli.output import emit_json, note, say
from crossdock.errors import ConfigurationError, CrossdockError

if TYPE_CHECKING:
    from crossdock.config import Config, Problem

FIRST_TOKEN = "operator"  # noqa: S105  # whom it is for


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the hub shall live; made where it is not.")
    ] = Path(),
    token: Annotated[
        str, typer.Option("--token", metavar="NAME", help="Make a token for NAME as well.")
    ] = "",
) -> None:
    """Make a configuration, a data folder, the master key and a token of the API. What is there already stays."""
    from crossdock.config.keys import add_token, make_key

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DEFAULT_CONFIG.name
    if path.exists():
        note(f"{path} is there already, and stays as it is.")
    else:
        path.write_text(files("crossdock.cli").joinpath("template.toml").read_text("utf-8"), "utf-8")
        note(f"{path} written: add your connections to it.")
    hub = hub_of(path)
    hub.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hub.key.exists():
        note(f"{hub.key} is there already, and stays as it is.")
    elif isinstance(hub.store, Path) and hub.store.exists():
        raise ConfigurationError(
            f"{hub.store} is there, but not its master key. Restore {hub.key} from your backup."
        )
    else:
        make_key(hub.key)
        note(
            f"{hub.key} made: the master key. Back it up apart from the store; without it nothing can be read."
        )
    name = token or ("" if hub.tokens.exists() else FIRST_TOKEN)
    if name:
        made = add_token(hub.tokens, name)
        note(f"A token of the API for {name!r}. It is shown this once; only its hash is kept.")
        say(f"CROSSDOCK_TOKEN={made}")
    note("Next: `crossdock check`, then `crossdock up`.")


def check(
    config: ConfigOption = DEFAULT_CONFIG,
    file_only: Annotated[
        bool, typer.Option("--file-only", help="Check the file, not the data folder.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Tell every mistake of the configuration, with its line and what to do, and whether store and key fit."""
    from crossdock.config import ConfigurationErrors

    problems: list[Problem]
    try:
        found = configured(config, all_secrets=True)
    except ConfigurationErrors as errors:
        problems = list(errors.problems)
    else:
        problems = [*found.warnings, *([] if file_only else _of_the_data(found))]
    failed = any(problem.severity == "error" for problem in problems)
    if json:
        emit_json({"ok": not failed, "problems": problems})
    else:
        _print_problems(config, problems, failed)
    if failed:
        raise typer.Exit(2)


def _print_problems(path: Path, problems: list[Problem], failed: bool) -> None:
    for problem in problems:
        style = "red" if problem.severity == "error" else "yellow"
        place = f"{path.name}:{problem.line}" if problem.line else path.name
        say(f"{problem.severity}: {place}: {problem.field}: {problem.message}", style)
        if problem.remedy:
            say(f"    {problem.remedy}")
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    counted = f"{errors} mistake{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    say(
        f"{path}: {counted}." if problems else f"{path}: nothing to complain of.",
        "red" if failed else "green",
    )


def _of_the_data(config: Config) -> list[Problem]:
    """What is wrong with the data folder: keys, tokens, store."""
    from crossdock.config import Problem
    from crossdock.config.keys import read_key, read_tokens, seen_by_others

    found = []
    tests: tuple[tuple[str, Path, Callable[[Path], object]], ...] = (
        ("key", config.hub.key, read_key),
        ("tokens", config.hub.tokens, read_tokens),
        ("store", config.hub.data, lambda _: _try_store(config)),
    )
    for field, path, test in tests:
        try:
            test(path)
        except CrossdockError as error:
            found.append(Problem(line=0, field=f"data/{field}", message=error.message, remedy=""))
            continue
        if path.exists() and field != "store" and seen_by_others(path):
            message = f"other users of this machine may read {path}."
            found.append(
                Problem(
                    line=0,
                    field=f"data/{field}",
                    message=message,
                    remedy=f"chmod 600 {path}",
                    severity="warning",
                )
            )
    if not any(problem.field == "data/store" for problem in found):
        found += _migration_ahead(config)
        found += _blind(config)
    return found


def _blind(config: Config) -> list[Problem]:
    """Whether the database hides from us what the proof is to watch."""
    from crossdock.config import Problem

    if isinstance(config.hub.store, Path):
        return []
    from crossdock.stores.postgres.opening import BLIND, SEE, blind

    if not blind(config.hub.store):
        return []
    return [Problem(line=0, field="data/store", message=BLIND, remedy=SEE, severity="warning")]


def _try_store(config: Config) -> None:
    """Open the store, where there is one, look at its schema, and open something sealed with the key."""
    from crossdock.stores.sqlite.database import Database, version_of

    store = config.hub.store
    if not isinstance(store, Path):
        from crossdock.stores.postgres.opening import prepare

        prepare(store)
        return
    if not store.exists():
        return
    database = Database(store, readonly=True)
    try:
        version_of(database)
    finally:
        database.close()
    if config.hub.key.exists():
        with opened(config.hub) as reads:
            next(reads.documents(page=1), None)


def _migration_ahead(config: Config) -> list[Problem]:
    """What the next start will do to the store's schema, where it will do something."""
    from crossdock.config import Problem
    from crossdock.stores.sqlite.database import SCHEMA_VERSION, Database

    store = config.hub.store
    if not isinstance(store, Path) or not store.exists():
        return []
    database = Database(store, readonly=True)
    version = database.connection.pragma("user_version")
    database.close()
    if not 0 < version < SCHEMA_VERSION:
        return []
    return [
        Problem(
            line=0,
            field="data/store",
            message=f"it has schema version {version}; `crossdock up` brings it to {SCHEMA_VERSION} when it starts.",
            remedy="Copy the store and its key first: there is no way back to the release before.",
            severity="warning",
        )
    ]


class Role(StrEnum):
    """A part of a hub that can be a process of its own."""

    gateway = "gateway"
    worker = "worker"
    dispatcher = "dispatcher"
    scheduler = "scheduler"


def up(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    role: Annotated[
        Role | None,
        typer.Option(
            help="One part of a hub whose store is a database that processes share; any number of each. Without it, all parts."
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Listen here, and not where the file says.")
    ] = None,
) -> None:
    """Run the hub until it is told to stop (Ctrl-C, SIGTERM)."""
    found = configured(config, all_secrets=True)
    for warning in found.warnings:
        note(f"warning: {found.path.name}: {warning}", "yellow")
    from crossdock.gateway.running import run, run_role

    if port is not None:
        found = msgspec.structs.replace(found, hub=msgspec.structs.replace(found.hub, port=port))
    raise typer.Exit(run(found) if role is None else run_role(found, role.value))


class DemoErp(StrEnum):
    """Which ERP the demo's retailer has."""

    simulated = "simulated"
    tryton = "tryton"


class DemoStore(StrEnum):
    """What the demo's hub runs on."""

    sqlite = "sqlite"
    postgres = "postgres"


def demo(
    *,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=1000, help="Orders a second: 20, or 1 with Tryton.")
    ] = None,
    tickets: Annotated[
        float | None,
        typer.Option(
            min=0, max=1000, help="Tickets a second of all stores: 15, or 5 with Tryton; 0: no stores."
        ),
    ] = None,
    stores: Annotated[
        int | None, typer.Option(min=10, max=999, help="How many stores: 300, or 20 with Tryton.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long orders come.")] = 90.0,
    seed: Annotated[int, typer.Option(help="Seed of orders and faults; the same seed, the same day.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the page; 0 is any free one.")] = 0,
    faults: Annotated[
        bool, typer.Option("--faults/--no-faults", help="Let things go wrong, and kill the hub.")
    ] = True,
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay up after the proof until Ctrl-C, and keep the folder.")
    ] = False,
    store: Annotated[
        DemoStore,
        typer.Option(help="Where the hub keeps things: a file of one process, or a PostgreSQL of several."),
    ] = DemoStore.sqlite,
    erp: Annotated[
        DemoErp, typer.Option(help="The ERP: simulated, or a real Tryton, which takes minutes.")
    ] = DemoErp.simulated,
    json: JsonOption = False,
) -> None:
    """Run a whole retailer on this machine: stores, shop, warehouse and ERP simulated, faults on, the proof at the end."""
    from crossdock.demo import USUAL, Options, run_demo

    usual_rate, usual_tickets, usual_stores = USUAL[erp.value]
    options = Options(
        rate=usual_rate if rate is None else rate,
        tickets=usual_tickets if tickets is None else tickets,
        stores=usual_stores if stores is None else stores,
        erp=erp.value,
        seconds=seconds,
        seed=seed,
        port=port,
        faults=faults,
        keep=keep,
        json=json,
        store=store.value,
    )
    raise typer.Exit(run_demo(options))
