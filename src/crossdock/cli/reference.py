"""`python -m crossdock.cli.reference [FOLDER]` writes docs/CLI.md and docs/CONFIGURATION.md from the code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INTRODUCTION = """\
# Command line

`crossdock COMMAND --help` says the same, shorter.

* The configuration is `./crossdock.toml`, or what `--config` or the variable `CROSSDOCK_CONFIG` names.
* What looks (`status`, `orders`, `trace`, `cases`, `proof`) reads the store, beside a running hub or where none runs. It
  needs the data folder and its key, and none of the partners' secrets. With the token `status` also asks the hub how its
  partners are.
* What acts (`cases retry`, `replay` ...) goes over the API of the running hub, with the token in `CROSSDOCK_TOKEN`, an
  actor and a reason. `--url` or `CROSSDOCK_URL` names a hub elsewhere.
* With `--json` there is JSON on stdout and nothing else; all that is no result goes to stderr.
* Times are UTC.
* Ends with 0; with 1 where something was found wanting (a payload that is not understood, a proof that does not balance, a
  partner that does not get its calls); with 2 for an error, which is told in one line with what to do.

Examples:

    crossdock init hub && cd hub && crossdock check && crossdock up
    crossdock translate --connector shopify --json deliveries/*.json
    crossdock trace '#1001'
    crossdock cases show 7 --raw > body.json
    crossdock cases edit 7 --file body.json --reason "price corrected with the shop"
    crossdock cases release 9 --reason "the cent is known; finance accepts it"
    crossdock replay '#1001' --dry-run
    crossdock feed --connection shop --times 2 --shuffle deliveries

<!-- Made by `python -m crossdock.cli.reference`; a test holds it to the code. -->
"""


def pages() -> dict[str, str]:
    """Name and text of every page."""
    from crossdock.config import Registry
    from crossdock.config.reference import configuration_page

    return {"CLI.md": cli_page(), "CONFIGURATION.md": configuration_page(Registry(installed=False))}


def cli_page() -> str:
    """Every command with its arguments and options."""
    return "\n".join([INTRODUCTION, *(_command(path, command) for path, command in commands())])


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its path, groups before what is in them."""
    from typer.main import get_command

    from crossdock.cli.app import app

    yield from _below("crossdock", get_command(app))


def parameters(command: Any) -> list[Any]:
    """Arguments and options of a command, without --help."""
    return [parameter for parameter in command.params if parameter.name != "help" and not parameter.hidden]


def _below(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from _below(f"{path} {name}", command)


def _command(path: str, command: Any) -> str:
    found = parameters(command)
    arguments = "".join(f" {_argument(p)}" for p in found if p.param_type_name == "argument")
    text = f"## `{path}{arguments}`\n\n{' '.join((command.help or '').split())}\n"
    rows = "".join(f"| {_names(p)} | {_default(p)} | {p.help or ''} |\n" for p in found)
    return f"{text}\n| | default | |\n| --- | --- | --- |\n{rows}" if rows else text


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return ", ".join(f"`{name}{value}`" for name in parameter.opts)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    return "" if default in (None, "", False, [], ()) or str(default) == "." else f"`{default}`"


def write(folder: Path) -> tuple[str, ...]:
    """Write every page and return their names."""
    texts = pages()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(texts)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    print(f"{', '.join(write(target))} written to {target}")
