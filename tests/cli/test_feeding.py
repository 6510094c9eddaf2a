import json
import random

import pytest

from crossdock.config import Registry
from crossdock.errors import SignatureError
from tests.cli.hub import SECRETS, delivery, order, shopify_signature


@pytest.fixture
def recordings(hub):
    folder = hub.folder / "recorded"
    folder.mkdir()
    for n in (1, 2, 3):
        value = delivery(order(1000 + n), name=f"d{n}")
        (folder / f"{n}.json").write_text(json.dumps(value, indent=2))
    return folder


@pytest.fixture
def gate(running, secrets):
    """The stand-in verifies like a hub, and knows a delivery again."""
    hub, url = running
    connector = Registry(installed=False).get("shopify").build({"webhook_secret": SECRETS["SHOP_SECRET"]})
    seen = {}

    def answer(path, headers, body):
        try:
            connector.verify(headers, body)
        except SignatureError as error:
            return 401, {"detail": error.message, "field": error.field}
        name = headers["x-shopify-webhook-id"]
        duplicate = name in seen
        return 200, {"message": str(seen.setdefault(name, len(seen) + 1)), "duplicate": duplicate}

    hub.answer = answer
    return hub, {**secrets, "CROSSDOCK_URL": url}


def test_recordings_are_posted_signed_anew(hub, recordings, gate):
    server, env = gate
    found = hub.json("feed", "--connection", "shop", recordings, env=env)
    assert (found["accepted"], found["repeated"], found["refused"], found["failed"]) == (3, 0, 0, 0)
    path, headers, body = server.asked[0]
    assert path == "/in/shop"
    assert headers["x-shopify-hmac-sha256"] == shopify_signature("shop-secret", body)
    assert headers["content-length"] == str(len(body))


def test_bodies_go_out_byte_by_byte(hub, recordings, gate):
    server, env = gate
    body = '{ "id": 820982911946154508,\n "price": 10.00, "name": "caf\\u00e9", "updated_at": "x" }'
    one = recordings / "1.json"
    one.write_text(json.dumps(delivery(0))[:-1].removesuffix("0") + body + "}")
    assert json.loads(one.read_text())["body"]["id"] == 820982911946154508
    hub("feed", "--connection", "shop", one, env=env)
    assert server.asked[0][2] == body.encode()


def test_a_body_that_was_recorded_as_text_is_that_text(hub, recordings, gate):
    server, env = gate
    (recordings / "1.json").write_text(json.dumps(delivery('{"id": 1}\n')))
    hub("feed", "--connection", "shop", recordings / "1.json", env=env)
    assert server.asked[0][2] == b'{"id": 1}\n'


def test_recordings_are_posted_again_and_out_of_order(hub, recordings, gate):
    server, env = gate
    arguments = ("feed", "--connection", "shop", recordings, "--times", "2", "--shuffle", "--seed", "7")
    found = hub.json(*arguments, env=env)
    assert (found["accepted"], found["repeated"]) == (3, 3)
    expected = ["d1", "d2", "d3"] * 2
    random.Random(7).shuffle(expected)
    assert [headers["x-shopify-webhook-id"] for _, headers, _ in server.asked] == expected


def test_a_table_says_what_became_of_each(hub, recordings, gate):
    _, env = gate
    result = hub("feed", "--connection", "shop", recordings, "--times", "2", env=env)
    assert result.exit_code == 0
    assert "6 posted to" in result.stdout
    assert "3 accepted, 3 repeated, 0 refused, 0 failed." in result.stdout


def test_a_delivery_that_is_refused_ends_with_one(hub, recordings, running, secrets):
    server, url = running
    server.answer = lambda path, headers, body: (
        413,
        {"detail": "The body has more than 5 bytes.", "field": ""},
    )
    env = {**secrets, "CROSSDOCK_URL": url}
    result = hub("feed", "--connection", "shop", recordings, env=env)
    assert result.exit_code == 1
    assert "413 The body has more than 5 bytes." in result.stdout
    assert hub.json("feed", "--connection", "shop", recordings, env=env, code=1)["refused"] == 3


def test_a_busy_hub_is_asked_again(hub, recordings, gate, monkeypatch):
    server, env = gate
    monkeypatch.setattr("time.sleep", lambda _: None)
    taken, answers = server.answer, iter([503, 429])
    server.answer = lambda *asked: (next(answers, None), {}) if len(server.asked) < 3 else taken(*asked)
    assert hub.json("feed", "--connection", "shop", recordings, env=env)["accepted"] == 3
    assert len(server.asked) == 5


def test_a_file_that_is_no_delivery_is_left_out(hub, recordings, gate):
    _, env = gate
    (recordings / "0.json").write_text('{"id": 1}')
    result = hub("feed", "--connection", "shop", recordings, env=env)
    assert result.exit_code == 0
    assert "0.json is left out" in result.stderr
    assert "3 accepted" in result.stdout


def test_a_secret_that_is_not_set_is_told_before_anything_is_posted(hub, recordings, running):
    server, url = running
    result = hub("feed", "--connection", "shop", recordings, env={"CROSSDOCK_URL": url})
    assert result.exit_code == 2
    assert "none is set" in result.stderr
    assert server.asked == []


def test_a_connection_that_is_not_there_is_told(hub, recordings, secrets):
    result = hub("feed", "--connection", "shpo", recordings, env=secrets)
    assert result.exit_code == 2
    assert "There are shop, wms, erp." in result.stderr


def test_our_own_signature_is_made_where_none_was_recorded(hub, running, secrets):
    server, url = running
    server.answer = lambda path, headers, body: (200, {"message": "1", "duplicate": False})
    value = {
        "headers": {"X-Crossdock-Event": "stock.changed", "X-Crossdock-Delivery": "1"},
        "body": {"levels": []},
    }
    (hub.folder / "one.json").write_text(json.dumps(value))
    env = {**secrets, "CROSSDOCK_URL": url}
    assert hub.json("feed", "--connection", "wms", hub.folder / "one.json", env=env)["accepted"] == 1
    headers, body = server.asked[0][1:]
    Registry(installed=False).get("wms").build({"webhook_secret": "wms-secret"}).verify(headers, body)
