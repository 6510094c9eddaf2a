"""The layers of docs/ARCHITECTURE.md as a test; the contracts themselves stand in pyproject.toml."""

import pytest
from importlinter import api, cli


def test_imports_point_down(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    status = cli.lint_imports(config_filename=str(repository / "pyproject.toml"), no_cache=True)
    if status != cli.EXIT_STATUS_SUCCESS:
        pytest.fail(
            f"import-linter found an import that points up:\n{capsys.readouterr().out}", pytrace=False
        )


def test_the_contracts_are_the_ones_of_the_design(repository, monkeypatch):
    monkeypatch.chdir(repository)
    contracts = {contract["id"]: contract for contract in api.read_configuration()["contracts_options"]}
    assert contracts["layers"]["layers"][-2:] == ["(model)", "(errors)"]
    assert contracts["connectors-independent"]["type"] == "independence"
    assert "crossdock.engine" in contracts["connectors-public-surface"]["forbidden_modules"]
    doors = {"apsw", "psycopg", "pyreqwest", "nats", "confluent_kafka", "socket", "ssl", "http", "granian"}
    assert doors <= set(contracts["io-at-the-edge"]["forbidden_modules"])
