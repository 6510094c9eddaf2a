import base64
import json
import re
from contextlib import closing

import apsw
import pytest

TOKEN = {"CROSSDOCK_TOKEN": "cdk_test"}


def call(running):
    hub, url = running
    hub.answer = lambda path, headers, body: (202, {"message": "9", "case": "7"})
    return hub, {**TOKEN, "CROSSDOCK_URL": url}


@pytest.mark.parametrize("action", ["retry", "resolve", "release"])
def test_a_case_is_settled_over_the_api_with_actor_and_reason(cli, running, action):
    hub, env = call(running)
    result = cli("cases", action, "7", "--reason", "mended", "--actor", "anna", env=env)
    assert result.exit_code == 0, result.output
    [(path, headers, body)] = hub.asked
    assert path == f"/v1/cases/7/{action}"
    assert headers["authorization"] == "Bearer cdk_test"
    assert json.loads(body) == {"actor": "anna", "reason": "mended"}
    assert re.match(
        r"(What case 7 is about|Case 7|The hold of case 7) is .*, in the name of anna\.", result.stdout
    )


def test_a_corrected_body_is_handed_over_byte_by_byte(cli, running):
    hub, env = call(running)
    file = cli.folder / "body.json"
    file.write_bytes(b'{"caf\xe9": 1}\r\n')
    assert cli("cases", "edit", "7", "--file", file, "-r", "typo", env=env).exit_code == 0
    path, _, body = hub.asked[0]
    assert path == "/v1/cases/7/edit"
    assert base64.b64decode(json.loads(body)["body_base64"]) == file.read_bytes()


def test_what_happened_is_told_with_the_partners_reference(cli, running):
    hub, env = call(running)
    assert cli.json("cases", "done", "7", "--reference", "SO-1", "-r", "seen", env=env) == {
        "message": "9",
        "case": "7",
    }
    assert json.loads(hub.asked[0][2])["reference"] == "SO-1"


def test_the_actor_is_who_sits_here_where_none_is_named(cli, running, monkeypatch):
    hub, env = call(running)
    monkeypatch.setattr("getpass.getuser", lambda: "otto")
    cli("cases", "retry", "7", "-r", "x", env=env)
    assert json.loads(hub.asked[0][2])["actor"] == "otto"


def test_an_action_without_a_reason_is_refused(cli, running):
    hub, env = call(running)
    assert cli("cases", "retry", "7", env=env).exit_code == 2
    assert hub.asked == []


@pytest.mark.parametrize(
    ("status", "problem", "words"),
    [
        (401, {}, "The hub does not know the token in CROSSDOCK_TOKEN."),
        (404, {"detail": "There is no case 7."}, "There is no case 7."),
        (409, {"detail": "Case 7 is closed: retry by anna."}, "Case 7 is closed"),
        (422, {"detail": "say why", "field": "reason"}, "The hub answered 422. reason: say why"),
        (503, {"detail": "Too many messages wait."}, "The hub answered 503. Too many messages wait."),
        (500, b"<html>", "The hub answered 500."),
        (200, b"<html>", "is no hub. Look at the address."),
    ],
)
def test_a_refusal_is_told_in_one_line(cli, running, status, problem, words):
    hub, env = call(running)
    hub.answer = lambda path, headers, body: (status, problem)
    result = cli("cases", "retry", "7", "-r", "x", env=env)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_hub_that_does_not_run_is_told(cli):
    result = cli("cases", "retry", "7", "-r", "x", env={**TOKEN, "CROSSDOCK_URL": "http://127.0.0.1:9"})
    assert result.exit_code == 2
    assert "No hub answers at http://127.0.0.1:9. Start it with `crossdock up`" in result.stderr


def test_a_token_that_is_not_set_is_told(cli):
    result = cli("cases", "retry", "7", "-r", "x", env={"CROSSDOCK_URL": "http://127.0.0.1:9"})
    assert result.exit_code == 2
    assert "CROSSDOCK_TOKEN is not set." in result.stderr


def test_an_order_is_replayed(cli, running):
    hub, env = call(running)
    hub.answer = lambda path, headers, body: (202, {"accepted": 3, "next": ""})
    assert cli.json("replay", "#1001", "-r", "new mapping", "--actor", "anna", env=env) == {
        "accepted": 3,
        "gone": 0,
    }
    [(path, _, body)] = hub.asked
    assert path == "/v1/replays"
    assert json.loads(body) == {"actor": "anna", "reason": "new mapping", "order": "#1001"}


def test_what_a_connection_sent_is_replayed_part_by_part(cli, running):
    hub, env = call(running)
    answers = iter([{"accepted": 1000, "gone": 2, "next": "77"}, {"accepted": 5, "gone": 1, "next": ""}])
    hub.answer = lambda path, headers, body: (202, next(answers))
    found = cli.json(
        "replay", "--connection", "shop", "--since", "2026-03-01", "-r", "x", "--actor", "a", env=env
    )
    assert found == {"accepted": 1005, "gone": 3}
    asked = [json.loads(body) for _, _, body in hub.asked]
    assert [(body["connection"], body["since"], body.get("after")) for body in asked] == [
        ("shop", "2026-03-01T00:00:00Z", None),
        ("shop", "2026-03-01T00:00:00Z", "77"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("#1", "--connection", "shop"),
        ("#1", "--since", "2026-03-01", "--connection", "shop"),
        ("--since", "2026-03-01"),
        ("--since", "soon", "--connection", "shop"),
        ("#1",),
    ],
)
def test_a_replay_that_does_not_say_what_or_why_is_refused(cli, running, arguments):
    hub, env = call(running)
    assert cli("replay", *arguments, env=env).exit_code == 2
    assert hub.asked == []


def test_a_dry_run_shows_what_would_come_out_otherwise(worked):
    result = worked("replay", "#1002", "--dry-run", "--json")
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["kind"], line["verdict"]) for line in lines] == [
        ("orders/create", "same"),
        ("orders/updated", "failed"),
        ("fulfillments/create", "understood"),
    ]
    assert lines[1]["field"] == "total_price"
    assert "Nothing was changed." in worked("replay", "#1002", "--dry-run").stdout


def test_a_dry_run_compares_with_todays_settings(worked):
    assert worked("replay", "#1001", "--dry-run").exit_code == 0
    config = worked.folder / "crossdock.toml"
    config.write_text(
        config.read_text().replace("[connections.wms]", 'own_services = "other"\n[connections.wms]')
    )
    result = worked("replay", "--connection", "shop", "--since", "2026-01-01", "--dry-run", "--json")
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["verdict"] for line in found if line["kind"] == "orders/create"} == {"differs"}
    assert all(d["stored"] != d["today"] for line in found for d in line["differences"])
    assert "secret.person" not in result.stdout


def test_of_what_is_not_kept_any_more_a_dry_run_only_says_so(worked):
    with closing(apsw.Connection(str(worked.folder / "data" / "crossdock.db"))) as database:
        database.execute("delete from body")
    result = worked("replay", "#1002", "--dry-run")
    assert result.exit_code == 0
    assert "3 more cannot be run again: their raw bytes are not kept any more" in result.stdout
