import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossdock.cli.app import app
from tests.cli.hub import CONFIG, SECRETS, order, serving, work


class Cli:
    """`crossdock` in a folder: called like a function, it gives what came of it."""

    def __init__(self, folder):
        self.folder: Path = folder
        self.env = {
            "CROSSDOCK_CONFIG": str(folder / "crossdock.toml"),
            "CROSSDOCK_TOKEN": "",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments, env=None):
        result = CliRunner().invoke(app, [str(a) for a in arguments], env={**self.env, **(env or {})})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments, env=None, code=0):
        result = self(*arguments, "--json", env=env)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path)


@pytest.fixture
def hub(cli):
    """A folder made by `init`, with a whole configuration and an empty store."""
    (cli.folder / "crossdock.toml").write_text(CONFIG)
    assert cli("init").exit_code == 0
    return cli


@pytest.fixture(scope="session")
def worked_once(tmp_path_factory):
    """Two orders that wait for stock, the second with an update that cannot be understood and one behind it."""
    folder = tmp_path_factory.mktemp("worked")
    (folder / "crossdock.toml").write_text(CONFIG)
    assert Cli(folder)("init", folder).exit_code == 0
    work(
        folder,
        [
            ("orders/create", order(1001)),
            ("orders/create", order(1002)),
            ("orders/updated", order(1002, total="99.00", at="2026-03-01T11:00:00Z")),
            ("fulfillments/create", {"id": 1002, "order_id": 1002}),
            ("carts/create", {"id": 7}),
        ],
    )
    return folder


@pytest.fixture
def worked(cli, worked_once):
    """A copy of a hub's folder with something in it."""
    shutil.copytree(worked_once, cli.folder, dirs_exist_ok=True)
    return cli


@pytest.fixture
def running():
    with serving() as found:
        yield found


@pytest.fixture
def secrets():
    return dict(SECRETS)
