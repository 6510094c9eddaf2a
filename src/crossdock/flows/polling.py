"""Polls: a tick asks for a page, a page moves the cursor and asks for the next."""

from __future__ import annotations

import msgspec

from crossdock.engine.messages import DUE_AT, PAGE_PREFIX, Stage
from crossdock.flows.desk import Desk, moment
from crossdock.model.commands import Poll

FIRST = "first asked for at "
"""Begins the cursor of a feed of which no page has been understood yet. Without it a first page that cannot be read at once
would lose what came before the second: a partner that is asked without a cursor may begin at the moment."""
_encode = msgspec.json.Encoder().encode


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a `schedule.tick`: which feed is due."""

    connection: str
    feed: str


def take_tick(desk: Desk, tick: Tick) -> str:
    """Ask for what changed since the cursor that came with the tick. Returns the outcome."""
    if "poll" not in desk.plan.offers.get(tick.connection, ()):
        desk.event("poll.not_offered", {"connection": tick.connection, "feed": tick.feed})
        return "unhandled"
    cursor = desk.message.headers.get("cursor", "")
    if not cursor:
        asked_at = int(desk.message.headers.get(DUE_AT) or desk.message.received_at)
        cursor = FIRST + moment(asked_at).isoformat()
        desk.decision.cursor = (tick.connection, tick.feed, cursor)
    if cursor.startswith(FIRST):
        _poll(desk, tick.connection, tick.feed, "", since=cursor.removeprefix(FIRST))
    else:
        _poll(desk, tick.connection, tick.feed, cursor)
    desk.event("poll.asked", {"connection": tick.connection, "feed": tick.feed})
    return "processed"


def take_page(desk: Desk) -> str:
    """Move the cursor with the page's children, and ask for the next page where there is more. Returns the outcome."""
    message = desk.message
    feed = message.kind[len(PAGE_PREFIX) :]
    cursor = message.headers.get("cursor", "")
    desk.decision.cursor = (message.source, feed, cursor)
    more = message.headers.get("more", "") == "true"
    if more:
        _poll(desk, message.source, feed, cursor)
    desk.event("page.split", {"connection": message.source, "feed": feed, "more": more})
    return "processed"


def _poll(desk: Desk, connection: str, feed: str, cursor: str, since: str = "") -> None:
    """Reading is no effect on anyone, so it goes on while we only observe."""
    command = _encode(Poll(feed=feed, cursor=cursor, since=since))
    intent = f"{feed}:{desk.message.id}"
    desk.decision.effects.append(
        Stage(connection=connection, operation="poll", intent=intent, command=command)
    )
