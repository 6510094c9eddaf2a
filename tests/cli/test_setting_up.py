import re
import subprocess
import sys

import apsw
import pytest

from crossdock import __version__
from crossdock.config import Registry, load_config
from crossdock.config.keys import read_key, read_tokens
from tests.cli.hub import CONFIG, SECRETS


def test_help_names_every_command(cli):
    result = cli("--help")
    assert result.exit_code == 0
    for command in [
        "init",
        "check",
        "up",
        "demo",
        "status",
        "orders",
        "trace",
        "cases",
        "replay",
        "proof",
        "translate",
        "feed",
        "connectors",
    ]:
        assert re.search(rf"│ {command} ", result.stdout), command


def test_help_needs_no_store_no_server_and_no_model():
    code = (
        "import sys; from crossdock.cli.app import app; "
        "print([m for m in ('apsw', 'granian', 'litestar', 'pyreqwest', 'cryptography', 'crossdock.model') "
        "if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_version_is_told(cli):
    assert cli("--version").stdout == f"crossdock {__version__}\n"


def test_init_makes_all_that_a_hub_needs(cli):
    result = cli("init", "here")
    assert result.exit_code == 0, result.output
    token = result.stdout.strip().removeprefix("CROSSDOCK_TOKEN=")
    folder = cli.folder / "here"
    assert len(read_key(folder / "data" / "key")) == 32
    assert read_tokens(folder / "data" / "tokens").owner(token) == "operator"
    assert token not in (folder / "data" / "tokens").read_text()
    assert [(folder / "data" / name).stat().st_mode & 0o777 for name in ("key", "tokens", "")] == [
        0o600,
        0o600,
        0o700,
    ]
    assert cli("check", "--config", folder / "crossdock.toml").exit_code == 0


def test_init_again_changes_nothing(cli):
    cli("init")
    before = {path: path.read_bytes() for path in cli.folder.rglob("*") if path.is_file()}
    again = cli("init")
    assert again.exit_code == 0
    assert again.stdout == ""
    assert {path: path.read_bytes() for path in cli.folder.rglob("*") if path.is_file()} == before


def test_init_adds_a_token_for_somebody_else(cli):
    cli("init")
    token = cli("init", "--token", "anna").stdout.strip().removeprefix("CROSSDOCK_TOKEN=")
    assert read_tokens(cli.folder / "data" / "tokens").owner(token) == "anna"
    result = cli("init", "--token", "anna")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "There is a token for 'anna' already." in result.stderr


def test_init_makes_no_new_key_for_an_old_store(cli):
    cli("init")
    (cli.folder / "data" / "key").unlink()
    (cli.folder / "data" / "crossdock.db").write_bytes(b"")
    result = cli("init")
    assert result.exit_code == 2
    assert "Restore" in result.stderr


def test_what_the_template_offers_is_right(cli):
    cli("init")
    path = cli.folder / "crossdock.toml"
    path.write_text(re.sub(r"(?m)^#(?=\S)", "", path.read_text()))
    names = re.findall(r"\$\{(\w+)\}", path.read_text())
    config = load_config(path, dict.fromkeys(names, "x"), Registry(installed=False))
    assert config.warnings == ()
    assert list(config.connections) == ["shop", "warehouse", "erp", "tills"]
    assert config.plan.routes["tills"].post == "day"
    assert config.plan.places["store-01"].zone == "Europe/Berlin"


def test_check_finds_nothing_in_a_whole_hub(hub, secrets):
    result = hub("check", env=secrets)
    assert result.exit_code == 0, result.output
    assert "nothing to complain of" in result.stdout
    assert hub.json("check", env=secrets) == {"ok": True, "problems": []}


def test_check_tells_every_mistake(hub):
    (hub.folder / "crossdock.toml").write_text("[hub]\nprot = 1\n\n[routes.shop]\n")
    result = hub("check")
    assert result.exit_code == 2
    assert (
        "error: crossdock.toml:2: hub.prot: there is no such key.\n    Did you mean 'port'?" in result.stdout
    )
    assert "error: crossdock.toml:4: routes.shop: there is no connection 'shop'." in result.stdout
    assert "2 mistakes, 1 warning." in result.stdout
    found = hub.json("check", code=2)
    assert found["ok"] is False
    assert found["problems"][1] == {
        "line": 2,
        "field": "hub.prot",
        "message": "there is no such key.",
        "remedy": "Did you mean 'port'?",
        "severity": "error",
    }


def test_check_names_the_variables_that_are_not_set(hub):
    result = hub("check")
    assert result.exit_code == 2
    assert all(name in result.stdout for name in SECRETS)


def test_check_looks_at_key_and_tokens(hub, secrets):
    (hub.folder / "data" / "key").write_bytes(b"x" * 31)
    (hub.folder / "data" / "tokens").chmod(0o644)
    found = hub.json("check", env=secrets, code=2)["problems"]
    assert [(p["field"], p["severity"]) for p in found] == [("data/key", "error"), ("data/tokens", "warning")]
    assert hub("check", "--file-only", env=secrets).exit_code == 0


def test_check_finds_a_key_that_does_not_fit_the_store(worked, secrets):
    assert worked.json("check", env=secrets)["ok"] is True
    (worked.folder / "data" / "key").write_bytes(b"x" * 32)
    found = worked.json("check", env=secrets, code=2)["problems"]
    assert [p["field"] for p in found] == ["data/store"]
    assert "does not open under this master key" in found[0]["message"]


def test_check_says_what_the_next_start_will_do_to_an_older_store(worked, secrets):
    path = worked.folder / "data" / "crossdock.db"
    set_version(path, 1)
    (found,) = worked.json("check", env=secrets)["problems"]
    assert (found["field"], found["severity"]) == ("data/store", "warning")
    assert "has schema version 1; `crossdock up` brings it to" in found["message"]
    set_version(path, 99)
    (found,) = worked.json("check", env=secrets, code=2)["problems"]
    assert "a later one has migrated it" in found["message"]


def set_version(path, number):
    database = apsw.Connection(str(path))
    database.pragma("user_version", number)
    database.close()


@pytest.mark.parametrize("command", ["status", "orders", "cases", "proof"])
def test_a_hub_that_never_ran_is_told_in_one_line(hub, command):
    result = hub(command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: There is no store in")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["status", "orders", "cases", "proof"])
def test_a_store_that_is_just_being_made_is_not_there_yet(hub, command):
    apsw.Connection(str(hub.folder / "data" / "crossdock.db")).pragma("journal_mode", "wal")
    result = hub(command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: There is no store in")


def test_no_configuration_is_told_in_one_line(cli):
    result = cli("status")
    assert result.exit_code == 2
    assert "Make one with `crossdock init`" in result.stderr


def test_up_refuses_a_wrong_configuration_before_anything_starts(hub):
    (hub.folder / "crossdock.toml").write_text(CONFIG + "x = 1\n")
    result = hub("up")
    assert result.exit_code == 2
    assert "policies.x: there is no such key." in result.stderr
    assert not (hub.folder / "data" / "crossdock.db").exists()
