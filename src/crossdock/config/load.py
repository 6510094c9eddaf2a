"""From the file to the checked configuration, or to everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crossdock.config.connections import read_connections
from crossdock.config.forms import HUB, LIMITS, RETRIES, TOP_LEVEL
from crossdock.config.lines import lines_of
from crossdock.config.model import Config, ConfigurationErrors, HubConfig, LimitsConfig, Problem
from crossdock.config.plan import read_plan
from crossdock.config.reading import Reading
from crossdock.config.registry import Registry
from crossdock.config.values import is_loopback
from crossdock.engine.recovery import RetryPolicy
from crossdock.errors import ConfigurationError

FILE_BYTES_MAX = 1024 * 1024
FOREVER = float("inf")

_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")
_TWICE = re.compile(
    r"Cannot declare \((.*?),?\) twice|Cannot overwrite a value|Duplicate inline table key '(.*)'"
)


def load_config(
    path: Path, environ: Mapping[str, str], registry: Registry | None = None, *, all_secrets: bool = True
) -> Config:
    """Read and check the file; raise ConfigurationErrors with every mistake in it, its line and its remedy.

    Secrets come from `environ`; without `all_secrets` those that are not set there are left out, which is enough to look
    and to translate. Nothing is opened, made or sent. Raises ConfigurationError where there is no such file.
    """
    reading = _reading(path, environ)
    reading.unknown_keys((), reading.tree, list(TOP_LEVEL))
    hub = _hub(reading, path)
    connections = read_connections(reading, registry or Registry(), all_secrets=all_secrets)
    plan = read_plan(reading, connections)
    retries, limits = reading.section(RETRIES), reading.section(LIMITS)
    if retries.get("cap_s", FOREVER) < retries.get("base_s", 0):
        reading.note(
            ("policies", "retries", "cap_s"),
            "the longest pause is below the first.",
            "Raise it to base_s or more.",
        )
    problems = reading.in_order()
    if hub is None or any(problem.severity == "error" for problem in problems):
        raise ConfigurationErrors(path, problems)
    return Config(
        path=path,
        hub=hub,
        connections=connections.good,
        plan=plan,
        retries=RetryPolicy(**retries),
        limits=LimitsConfig(**limits),
        warnings=problems,
    )


def load_hub(path: Path, environ: Mapping[str, str]) -> HubConfig:
    """Read `[hub]` alone: enough to look into the store and to call the hub, whatever the rest is like."""
    reading = _reading(path, environ)
    hub = _hub(reading, path)
    if hub is None or reading.problems:
        raise ConfigurationErrors(path, reading.in_order())
    return hub


def _reading(path: Path, environ: Mapping[str, str]) -> Reading:
    text = _text_of(path)
    return Reading(_parsed(path, text), lines_of(text), environ)


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no {path}. Make one with `crossdock init`, or name yours with --config or CROSSDOCK_CONFIG."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}. Mend its permissions.") from error
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigurationError(
            f"{path} has {len(raw)} bytes, more than {FILE_BYTES_MAX}. Is it the right file?"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _alone(path, line, "the file is not UTF-8 here.", "Save it as UTF-8.") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = _AT.search(message)
        line = int(at.group(1)) if at else text.count("\n") + 1
        column = f" (column {at.group(2)})" if at else " (end of the file)"
        message = message[: at.start()] if at else message.removesuffix(" (at end of document)")
        if _TWICE.search(message):
            remedy = "It stands there twice: take one of the two out."
        else:
            remedy = "Texts stand in quotes, tables in [brackets], one key = value a line."
        raise _alone(path, line, f"not TOML{column}: {message}.", remedy) from error


def _alone(path: Path, line: int, message: str, remedy: str) -> ConfigurationErrors:
    return ConfigurationErrors(path, [Problem(line=line, field="file", message=message, remedy=remedy)])


def _check_database(reading: Reading, address: str) -> None:
    if address and not address.startswith(("postgresql://", "postgres://")):
        reading.note(
            ("hub", "database"),
            "it is no address of a PostgreSQL database.",
            "Write postgresql://user@host:5432/name, or take the key out for a file in `data`.",
        )
    written = str(reading.table(("hub",)).get("database", ""))
    if re.search(r"://[^/@:]*:(?!\$\{)[^@/]+@", written):
        reading.note(
            ("hub", "database"),
            "its password stands in the file.",
            "Write the address as ${CROSSDOCK_DATABASE}, or the password as ${...}, and choose a new one.",
        )


def _hub(reading: Reading, path: Path) -> HubConfig | None:
    values = reading.section(HUB)
    host = values.get("host", "")
    if not host.strip():
        reading.note(("hub", "host"), "it is empty.", "Write 127.0.0.1 for this machine alone.")
    elif not is_loopback(host) and not values.get("allow_remote"):
        reading.note(
            ("hub", "host"),
            f"{host} can be reached from other machines.",
            "Write 127.0.0.1, or put TLS in front of it and add allow_remote = true.",
        )
    if not values.get("name", "x").strip():
        reading.note(("hub", "name"), "it is empty.", 'Write name = "crossdock", or take the key out.')
    if not values.get("data", "x").strip():
        reading.note(("hub", "data"), "it is empty.", "Name a folder on a local disk.")
    _check_database(reading, values.get("database", ""))
    if any(field.name not in values for field in HUB.fields):
        return None
    hub = HubConfig(
        name=values["name"],
        data=(path.absolute().parent / Path(values["data"]).expanduser()).resolve(),
        host=host,
        port=values["port"],
        public_url=values["public_url"],
        database=values["database"],
    )
    return hub if hub.public_url else msgspec.structs.replace(hub, public_url=hub.local_url)
