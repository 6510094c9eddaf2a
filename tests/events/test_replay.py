"""What happened is told again since a time: under the old ids, for a reason, and by a double click once."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from crossdock.cli.app import app
from crossdock.config.keys import add_token
from crossdock.flows.announcing import REPLAY
from crossdock.sdk.calls import post
from crossdock.sdk.webhooks import bearer
from crossdock.transport.http import HttpTransport
from tests.bootstrap.waiting import eventually
from tests.events.subscribed import WHSEC, subscribed

pytestmark = pytest.mark.slow
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def shop(tmp_path):
    with subscribed(tmp_path, subscribers=("audit", "other")) as made:
        made.token = add_token(tmp_path / "data" / "tokens", "replayer")
        made.stop()
        made.start()
        made.send(3)
        made.settled()
        quiet(made)
        yield made


def quiet(shop):
    """All that was asked is decided, and all that was decided is told."""
    eventually(lambda: not shop.rows("inbox_by_state"))
    eventually(lambda: shop.waiting("audit") + shop.waiting("other") == 0)


def asked(shop, **changes):
    body = {"to": "audit", "since": LONG_AGO, "actor": "ann", "reason": "audit lost its disk", **changes}
    reply = HttpTransport(shop.url, bearer(shop.token)).send(post("/v1/events/replays", json=body), 20)
    return reply.status, json.loads(reply.body)


def forget(shop, name="audit"):
    """The subscriber has lost everything; what it had."""
    there = shop.subscriber(name)
    had = dict(there.events)
    there.events.clear()
    there._last.clear()
    return had


def test_a_subscriber_that_lost_everything_is_told_again_under_the_same_ids(shop):
    had = forget(shop)
    others = shop.subscriber("other").received
    status, answer = asked(shop)
    assert (status, answer["events"]) == (202, len(had))
    quiet(shop)
    assert shop.subscriber().events == had
    assert shop.subscriber("other").received == others, "nobody else is told again"
    assert shop.cases() == []


def test_a_double_click_tells_nothing_twice_and_another_reason_does(shop):
    forget(shop)
    _, first = asked(shop)
    _, again = asked(shop)
    assert first["accepted"] > 0
    assert (again["accepted"], again["repeated"]) == (0, first["accepted"])
    quiet(shop)
    there = shop.subscriber()
    assert there.repeated == 0
    asked(shop, reason="once more")
    quiet(shop)
    assert there.repeated == first["events"]


def test_parts_come_to_the_same_as_the_whole(shop):
    had = forget(shop)
    after, parts = "", 0
    while True:
        status, answer = asked(shop, limit=7, after=after)
        assert status == 202
        parts += 1
        after = answer["next"]
        if not after:
            break
    assert parts > 3
    quiet(shop)
    assert shop.subscriber().events == had


def test_the_replay_names_its_origin_actor_and_reason_on_every_order(shop):
    asked(shop)
    quiet(shop)
    order = shop.accepted["shop"][0]
    told = [row for row in shop.timeline(order)["messages"] if row["kind"] == REPLAY]
    assert [row["origin"] for row in told] == ["replay by ann: audit lost its disk"]
    (event,) = [row for row in shop.timeline(order)["events"] if row["type"] == "events.replayed"]
    assert event["data"]["actor"] == "ann"
    shop.stop()
    shop.check_hub()


def test_only_what_happened_in_the_time_is_told(shop):
    forget(shop)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert asked(shop, since=later)[1]["events"] == 0
    assert asked(shop, until="2021-01-01T00:00:00Z")[1]["events"] == 0
    assert asked(shop, until=later)[1]["events"] > 0


WRONG = [
    ({"to": "wms"}, "to"),
    ({"to": "nobody"}, "to"),
    ({"reason": " "}, "reason"),
    ({"since": "2020-01-01T00:00:00"}, "since"),
    ({"after": "1.2"}, "after"),
    ({"limit": 0}, "limit"),
    ({"more": 1}, "more"),
]


def test_what_cannot_be_asked_is_refused_with_its_field(shop):
    for changes, field in WRONG:
        status, problem = asked(shop, **changes)
        assert 400 <= status < 500, changes
        assert field in json.dumps(problem), changes


def test_the_command_tells_again_and_says_so(shop, monkeypatch):
    from typer.testing import CliRunner

    monkeypatch.setenv("CROSSDOCK_TOKEN", shop.token)
    had = forget(shop)
    command = [
        "events",
        "replay",
        "--to",
        "audit",
        "--since",
        "2020-01-01",
        "-r",
        "lost",
        "-c",
        str(shop.config),
    ]
    first = CliRunner(env={**os.environ, "WHSEC": WHSEC}).invoke(app, command)
    assert first.exit_code == 0, first.output
    assert f"{len(had)} events are told to audit again" in first.output
    again = CliRunner().invoke(app, command)
    assert "was asked for before" in again.output
    quiet(shop)
    assert shop.subscriber().events == had
    assert CliRunner().invoke(app, [*command[:-4], "-r", " ", "-c", str(shop.config)]).exit_code != 0


def test_the_command_names_every_type():
    from typer.testing import CliRunner

    from crossdock.model.event_types import EVENT_TYPES

    result = CliRunner().invoke(app, ["events", "types", "--json"])
    assert {row["type"] for row in json.loads(result.output)} == set(EVENT_TYPES)
