import re

import pytest

from crossdock.config import ConfigurationErrors, Registry, load_config


def test_the_example_is_read_without_a_word(repository):
    path = repository / "examples" / "crossdock.toml"
    names = re.findall(r"\$\{(\w+)\}", path.read_text("utf-8"))
    config = load_config(path, dict.fromkeys(names, "x"), Registry(installed=False))
    assert config.warnings == ()
    assert config.connections["shop"].settings["locations"] == "65616216276=berlin,24826418=lyon"
    assert config.plan.routes["shop"].locations == ("berlin", "lyon")


def test_what_the_example_holds_as_comments_is_right_too(repository, tmp_path):
    text = (repository / "examples" / "crossdock.toml").read_text("utf-8")
    path = tmp_path / "crossdock.toml"
    path.write_text(re.sub(r"(?m)^#(?=\S)", "", text))
    config = load_config(
        path, dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "x"), Registry(installed=False)
    )
    assert config.warnings == ()
    assert config.plan.routes["tills"].post == "day"
    assert config.plan.places["store-01"].zone == "Europe/Berlin"


def test_the_example_names_every_variable_that_it_needs(repository):
    text = (repository / "examples" / "crossdock.toml").read_text("utf-8")
    head = text.partition("[hub]")[0]
    assert [name for name in re.findall(r"\$\{(\w+)\}", text) if name not in head] == []


VALUES = [
    "-1",
    "true",
    "[]",
    "[[1]]",
    '""',
    '"x"',
    "nan",
    "1979-05-27",
    "9" * 40,
    '"${X}"',
    '"${"',
    "{ a = [1] }",
    '"\\u0000"',
]


@pytest.mark.fault(47)
@pytest.mark.parametrize("value", VALUES)
def test_no_value_anywhere_is_more_than_a_mistake_on_its_line(repository, tmp_path, value):
    text = (repository / "examples" / "crossdock.toml").read_text("utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "x")
    path = tmp_path / "crossdock.toml"
    given = text.splitlines()
    for number, line in enumerate(given, start=1):
        key, equals, _ = line.partition(" = ")
        if not equals or line.startswith("#"):
            continue
        path.write_text("\n".join([*given[: number - 1], f"{key} = {value}", *given[number:]]))
        found = mistakes(path, environ)
        assert not found or any(p.line == number for p in found) or value == '"x"', (line, found)


def mistakes(path, environ):
    try:
        load_config(path, environ, Registry(installed=False))
    except ConfigurationErrors as errors:
        return errors.problems
    return ()
