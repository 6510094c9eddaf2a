"""`translate` and `connectors`: the tools of integrators. Neither needs a hub, a configuration or a secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossdock.cli.context import JsonOption
from crossdock.cli.output import emit_json, note, say, table
from crossdock.errors import ConfigurationError

if TYPE_CHECKING:
    from crossdock.config.registry import Entry
    from crossdock.domain.totals import TotalsDifference
    from crossdock.model.reports import Report
    from crossdock.sdk.spec import Connector
    from crossdock.sdk.translate import TranslationResult


def translate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Raw payloads; bodies, or recorded deliveries.")
    ],
    connector: Annotated[str, typer.Option(help="Whose payloads they are: shopify, wms, erp ...")],
    kind: Annotated[
        str, typer.Option(help="What they are, in the sender's word (orders/create); else told by the file.")
    ] = "",
    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the connector, such as currency=EUR."),
    ] = [],  # noqa: B006  # Typer reads it, nobody changes it
    json: JsonOption = False,
) -> None:
    """Print the canonical objects of raw payloads, or the error that names the field; ends with 1 where one failed."""
    from crossdock.config import Registry
    from crossdock.sdk.translate import Failure, TranslationResult, translate_file

    entry = Registry().get(connector)
    built = _built(entry, settings)
    failed = 0
    for file in files:
        try:
            raw = file.read_bytes()
        except OSError as error:
            failure = Failure(kind="file", field="", message=f"{file} cannot be read: {error.strerror}.")
            result = TranslationResult(ok=False, error=failure)
        else:
            result = translate_file(built, raw, kind or None, connector, check=what_does_not_add_up)
        failed += not result.ok
        if json:
            emit_json(_line(file, result))
        else:
            _print(file, result)
    if not json and len(files) > 1:
        note(f"{len(files) - failed} of {len(files)} understood.", "red" if failed else "green")
    if failed:
        raise typer.Exit(1)


def what_does_not_add_up(report: Report) -> Iterator[TotalsDifference]:
    """What a report states that its parts do not make."""
    import msgspec

    from crossdock.domain.totals import check_refund, check_totals
    from crossdock.model.reports import OrderReported, RefundReported

    if isinstance(report, OrderReported):
        yield from check_totals(report.order)
        for n, refund in enumerate(report.refunds):
            for found in check_refund(refund):
                yield msgspec.structs.replace(found, field=f"refunds[{n}].{found.field}")
    elif isinstance(report, RefundReported):
        yield from check_refund(report.refund)


def _built(entry: Entry, given: list[str]) -> Connector:
    """A connector with the settings that are given, and the spec's defaults."""
    names = [setting.name for setting in entry.spec.settings]
    values = {setting.name: setting.default for setting in entry.spec.settings if setting.default}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or name not in names:
            raise ConfigurationError(
                f"--set {pair}: write NAME=VALUE with one of {', '.join(names)}.", field="set"
            )
        values[name] = value
    return entry.build(values)


def _line(file: Path, result: TranslationResult) -> Mapping[str, Any]:
    told = {"objects": result.objects} if result.ok else {"error": result.error}
    return {"file": str(file), "ok": result.ok, **told}


def _print(file: Path, result: TranslationResult) -> None:
    import msgspec

    if result.error is not None:
        note(f"{file}: {result.error.kind}: {result.error.message}", "red")
        return
    note(f"{file}: {len(result.objects)} object{'s' * (len(result.objects) != 1)}", "green")
    for report in result.objects:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")


def connectors(
    name: Annotated[
        str, typer.Argument(help="One connector: its settings, limits, operations and messages.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """List the connectors, or all that is known of one."""
    from crossdock.config import Registry

    registry = Registry()
    specs = [registry.get(name).spec] if name else [registry.get(found).spec for found in registry.names()]
    if json:
        emit_json(specs[0] if name else specs)
    elif name:
        _print_spec(specs[0])
    else:
        rows = [
            [s.name, s.title, ", ".join(s.roles), len(s.settings), len(s.operations), len(s.inbound)]
            for s in specs
        ]
        numbers = ["settings", "operations", "messages"]
        table("", ["connector", "", "roles", *numbers], rows, numbers)
        say("`crossdock connectors NAME` tells all of one.", "dim")


def _print_spec(spec: Any) -> None:
    limits = spec.limits
    rate = (
        f"{limits.requests_per_s:g} requests/s, bursts of {limits.burst}"
        if limits.requests_per_s
        else "no limit of its own"
    )
    say(f"{spec.name}: {spec.title} ({', '.join(spec.roles)})", "bold")
    say(f"Pace: {rate}, {limits.concurrency_max} at a time. Mapping revision {spec.mapping_revision}.")
    settings = [[s.name, _need(s), s.default, " | ".join(s.choices), s.doc] for s in spec.settings]
    table("Settings", ["name", "", "default", "choices", ""], settings)
    operations = [
        [o.name, o.kind, o.doubles, o.batch_max, f"{o.deadline_s:g} s", o.doc] for o in spec.operations
    ]
    table(
        "What the hub asks of it",
        ["operation", "kind", "doubles", "batch", "deadline", ""],
        operations,
        ["batch"],
    )
    inbound = [[i.kind, "overtakes" if i.overtakes else "", i.doc] for i in spec.inbound]
    table("What it tells", ["kind", "", ""], inbound)


def _need(setting: Any) -> str:
    return ("secret, " if setting.secret else "") + ("required" if setting.required else "optional")
