"""docs/CONFIGURATION.md, made of the forms and the connectors' specs: what is checked is what is described."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crossdock.config.connections import RESERVED
from crossdock.config.forms import SECTIONS, Section
from crossdock.config.registry import Registry
from crossdock.config.values import NAME_RULE, Field
from crossdock.sdk.spec import ConnectorSpec, Setting

INTRODUCTION = """\
# Configuration

One file, `crossdock.toml`, says whom the hub speaks to, which way orders go, and what is decided beforehand.
`crossdock init` writes a first one; [examples/crossdock.toml](../examples/crossdock.toml) is a whole one.

* `crossdock check` tells every mistake at once, each with its line, its field and what to do. Nothing starts while
  there is one. Warnings are doubts that keep nothing from starting.
* A secret never stands in the file. `token = "${ERP_TOKEN}"` takes it from the environment variable `ERP_TOKEN`; a
  secret that is written out is a mistake. Any other text may hold `${NAME}` as well.
* Names of connections and locations are yours: RULE.
  Kept for the hub itself: RESERVED.
* A relative `data` folder is relative to the file. It holds `crossdock.db`, `key` (the master key: without it nothing can
  be read, so back it up apart from the store) and `tokens` (hashes of the API's tokens).
* The file is read when the hub starts.

<!-- Made by `python -m crossdock.cli.reference`; a test holds it to the code. -->
"""


def configuration_page(registry: Registry) -> str:
    """The whole page as Markdown."""
    reserved = ", ".join(f"`{name}` ({meaning})" for name, meaning in RESERVED.items())
    parts = [INTRODUCTION.replace("RULE", NAME_RULE).replace("RESERVED", reserved)]
    parts += [_section(section) for section in SECTIONS]
    parts.append("## Settings of the connectors\n")
    parts.append(
        "They stand in `[connections.NAME]` beside the keys above. Numbers, `true` and `false`, lists (`a,b`) and"
    )
    parts.append(
        "tables (`k=v`) may be written as such. Connectors of other packages: `crossdock connectors NAME`.\n"
    )
    parts += [_connector(registry.get(name).spec) for name in registry.names()]
    return "\n".join(parts)


def _section(section: Section) -> str:
    title = f"[{section.name}.{section.named}]" if section.named else f"[{section.name}]"
    rows = [[f"`{f.name}`", _kind(f), _default(f), f.doc] for f in section.fields]
    return f"## `{title}`\n\n{section.doc}\n\n{_table(['key', 'kind', 'default', ''], rows)}"


def _kind(field: Field) -> str:
    if field.choices:
        return " or ".join(f"`{choice}`" for choice in field.choices)
    words = {
        "whole": "whole number",
        "money": "whole number, in cents",
        "flag": "`true` or `false`",
        "names": "list of texts",
        "map": "table of texts",
        "rates": "list of factors, as texts",
        "url": "http(s) address",
        "zone": "IANA time zone",
        "since": "date or time",
    }
    return words.get(field.kind, field.kind)


def _default(field: Field) -> str:
    if field.required:
        return "required"
    return "" if field.default in (None, "") else f"`{_written(field.default)}`"


def _written(value: Any) -> str:
    """A value as the file would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    return (
        f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _connector(spec: ConnectorSpec) -> str:
    rows = [
        [f"`{s.name}`", _need(s), f"`{s.default}`" if s.default else "", _about(s)] for s in spec.settings
    ]
    title = f"### `{spec.name}`: {spec.title} ({', '.join(spec.roles)})"
    return f"{title}\n\n{_table(['setting', '', 'default', ''], rows)}"


def _need(setting: Setting) -> str:
    return ", ".join(word for word in ("secret" * setting.secret, "required" * setting.required) if word)


def _about(setting: Setting) -> str:
    choices = " or ".join(f"`{choice}`" for choice in setting.choices)
    told = f"{setting.doc}: {choices}" if choices else setting.doc
    if setting.high is not None and setting.low is not None:
        told += f" ({setting.low:g} to {setting.high:g})" if "to" not in setting.doc.split() else ""
    return f"{told}."


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(columns)
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
