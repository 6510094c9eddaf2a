"""Reading `[connections.NAME]`: common keys, the settings of its connector, secrets, and the connector's own opinion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.config.forms import CONNECTION
from crossdock.config.lines import KeyPath
from crossdock.config.model import ConnectionConfig
from crossdock.config.reading import Reading, only_a_variable
from crossdock.config.registry import Entry, Registry
from crossdock.config.settings import advice, as_text, checked
from crossdock.config.values import Wrong, did_you_mean
from crossdock.errors import ConfigurationError, CrossdockError
from crossdock.sdk.spec import ConnectorSpec, Setting

RESERVED = {"hub": "the hub's own messages", "api": "orders that are posted to the hub's own API"}
_PACE = ("requests_per_s", "burst", "concurrency_max")


class Connections:
    """What was read of the connections. `roles` knows those, too, that have mistakes elsewhere; None: it cannot be told."""

    def __init__(self) -> None:
        self.good: dict[str, ConnectionConfig] = {}
        self.roles: dict[str, tuple[str, ...] | None] = {}


def read_connections(reading: Reading, registry: Registry, *, all_secrets: bool) -> Connections:
    """Read every connection; what has a mistake is left out, and its mistake kept."""
    found = Connections()
    for name, table in reading.named_tables(CONNECTION):
        path = ("connections", name)
        found.roles[name] = None
        if name in RESERVED:
            reading.note(path, f"the name {name!r} is kept for {RESERVED[name]}.", "Choose another one.")
        entry = _entry(reading, registry, path, table)
        if entry is None:
            continue
        found.roles[name] = entry.spec.roles
        connection = _connection(reading, entry, name, table, all_secrets)
        if connection is not None:
            found.good[name] = connection
    return found


def _entry(reading: Reading, registry: Registry, path: KeyPath, table: Mapping[str, Any]) -> Entry | None:
    """The connector that is named; without it nothing but the common keys can be checked."""
    field = CONNECTION.fields[0]
    connector = reading.value(path, table, field)
    if isinstance(connector, str):
        try:
            return registry.get(connector)
        except ConfigurationError as error:
            reading.note((*path, field.name), *advice(error.message, "`crossdock connectors` lists them."))
    for other in CONNECTION.fields[1:]:
        reading.value(path, table, other)
    return None


def _connection(
    reading: Reading, entry: Entry, name: str, table: Mapping[str, Any], all_secrets: bool
) -> ConnectionConfig | None:
    path = ("connections", name)
    before = len(reading.problems)
    values = reading.section(CONNECTION, path, also=tuple(setting.name for setting in entry.spec.settings))
    settings = {}
    for setting in entry.spec.settings:
        if setting.secret and not all_secrets and reading.lacks(table.get(setting.name)):
            continue
        value = _setting(reading, path, table, setting)
        if value or (value is not None and setting.name in table):
            settings[setting.name] = value
    spec = entry.spec
    if not _errors_since(reading, before):
        spec = _built(reading, entry, path, settings)
    _check_feeds(reading, path, values, spec)
    if _errors_since(reading, before):
        return None
    return ConnectionConfig(
        name=name,
        connector=entry.name,
        spec=spec,
        mode=values["mode"],
        since=values.get("since"),
        settings=settings,
        limits=msgspec.structs.replace(spec.limits, **{key: values[key] for key in _PACE if key in values}),
        poll_every_s=values["poll_every_s"],
        feeds=values["feeds"],
        bodies_days=values.get("bodies_days"),
        deliveries_days=values.get("deliveries_days"),
    )


def _errors_since(reading: Reading, before: int) -> bool:
    return any(problem.severity == "error" for problem in reading.problems[before:])


def _built(reading: Reading, entry: Entry, path: KeyPath, settings: Mapping[str, str]) -> ConnectorSpec:
    """Let the connector look at its settings: it is pure, and knows more of them than the spec says."""
    try:
        return entry.build(settings).spec
    except CrossdockError as error:
        place = (*path, error.field) if error.field and error.field in settings else path
        doc = next((s.doc for s in entry.spec.settings if s.name == error.field), "")
        page = f"{doc or 'Its settings are told'}; see `crossdock connectors {entry.name}`."
        reading.note(place, *advice(error.message, page))
    except Exception as error:
        reading.note(
            path,
            f"the connector {entry.name!r} fails on these settings: {type(error).__name__}.",
            "Tell its author.",
        )
    return entry.spec


def _check_feeds(reading: Reading, path: KeyPath, values: Mapping[str, Any], spec: ConnectorSpec) -> None:
    every, feeds = values.get("poll_every_s", 0), values.get("feeds", ())
    if not (every or feeds):
        return
    place = (*path, "feeds" if "feeds" in reading.table(path) else "poll_every_s")
    polls = [operation for operation in spec.operations if operation.kind == "poll"]
    if not polls:
        reading.note(place, f"the connector {spec.name!r} has no feeds.", "Take the key out.")
    elif not feeds:
        reading.note(place, "no feeds are named.", f'Add feeds = ["..."]. {polls[0].doc}.')
    elif not every:
        reading.note(place, "the feeds are never read.", "Add poll_every_s = 60, or take them out.")
    for unknown in [feed for feed in feeds if spec.feeds and feed not in spec.feeds]:
        remedy = did_you_mean(unknown, spec.feeds) or f"There is {', '.join(spec.feeds)}."
        reading.note(place, f"the connector {spec.name!r} has no feed {unknown!r}.", remedy)


def _setting(reading: Reading, path: KeyPath, table: Mapping[str, Any], setting: Setting) -> str | None:
    """One setting as text; None where it is wrong or missing."""
    place = (*path, setting.name)
    if setting.name not in table:
        if setting.required and not setting.default:
            value = f'"${{{_variable(path, setting)}}}"' if setting.secret else "..."
            reading.note(path, f"{setting.name} is missing.", f"Add {setting.name} = {value}: {setting.doc}.")
            return None
        return setting.default
    raw = table[setting.name]
    if setting.secret and not only_a_variable(raw):
        if raw == "" and not setting.required:
            return ""
        reading.note(
            place,
            "it is a secret, and stands in the file.",
            f'Write {setting.name} = "${{{_variable(path, setting)}}}", set that variable, and make a new secret.',
        )
        return None
    given = reading.expanded(place, raw)
    if given is None:
        return None
    try:
        return checked(reading, place, setting, as_text(given))
    except Wrong as wrong:
        reading.note(place, wrong.message, wrong.remedy)
        return None


def _variable(path: KeyPath, setting: Setting) -> str:
    """The name of an environment variable for a secret."""
    return re.sub(r"[^A-Z0-9]+", "_", f"{path[-1]}_{setting.name}".upper())
