import re

from crossdock.config import Registry, load_config


def test_the_example_is_read_without_a_word(repository):
    path = repository / "examples" / "crossdock.toml"
    names = re.findall(r"\$\{(\w+)\}", path.read_text("utf-8"))
    config = load_config(path, dict.fromkeys(names, "x"), Registry(installed=False))
    assert config.warnings == ()
    assert config.connections["shop"].settings["locations"] == "65616216276=berlin,24826418=lyon"
    assert config.plan.routes["shop"].locations == ("berlin", "lyon")


def test_the_example_names_every_variable_that_it_needs(repository):
    text = (repository / "examples" / "crossdock.toml").read_text("utf-8")
    head = text.partition("[hub]")[0]
    assert [name for name in re.findall(r"\$\{(\w+)\}", text) if name not in head] == []
