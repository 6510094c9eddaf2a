"""Every command, option, key and setting stands in the documentation as it stands in the code."""

import re

import pytest

from crossdock.cli.reference import commands, pages, parameters
from crossdock.config import Registry
from crossdock.config.forms import SECTIONS


@pytest.mark.parametrize("name", ["CLI.md", "CONFIGURATION.md"])
def test_the_pages_are_those_of_the_code(repository, name):
    written = (repository / "docs" / name).read_text("utf-8")
    assert written == pages()[name], "run `python -m crossdock.cli.reference`"


def test_every_command_and_option_is_documented(repository):
    text = (repository / "docs" / "CLI.md").read_text("utf-8")
    found = list(commands())
    assert len(found) > 15
    for path, command in found:
        section = text.partition(f"## `{path}")[2].partition("\n## ")[0]
        assert section, path
        assert (command.help or "").strip(), path
        for parameter in parameters(command):
            assert parameter.help, (path, parameter.name)
            assert all(f"`{name}" in section for name in parameter.opts if name.startswith("-")), (
                path,
                parameter.opts,
            )


def test_every_key_and_setting_is_documented(repository):
    text = (repository / "docs" / "CONFIGURATION.md").read_text("utf-8")
    for section in SECTIONS:
        part = text.partition(f"## `[{section.name}")[2].partition("\n## ")[0]
        assert all(f"| `{field.name}` |" in part for field in section.fields), section.name
    registry = Registry(installed=False)
    for name in registry.names():
        part = text.partition(f"### `{name}`")[2].partition("\n### ")[0]
        assert all(f"| `{setting.name}` |" in part for setting in registry.get(name).spec.settings), name


def test_what_the_pages_link_to_is_there(repository):
    for name in ("CLI.md", "CONFIGURATION.md"):
        text = (repository / "docs" / name).read_text("utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (repository / "docs" / target).exists(), target
