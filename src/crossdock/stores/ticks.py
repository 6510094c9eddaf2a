"""What a schedule sends when it is due."""

from __future__ import annotations

import msgspec

from crossdock.engine.messages import DUE_AT, HUB, LANE_FREE, TICK, Arrival


def tick(connection: str, feed: str, cursor: str, due_at: int) -> Arrival:
    """The feed is to be read from its cursor on; due_at, in microseconds, is when it should have been asked for."""
    return Arrival(
        source=HUB,
        kind=TICK,
        body=msgspec.json.encode({"connection": connection, "feed": feed}),
        headers={"cursor": cursor, DUE_AT: str(due_at)},
        ref_kind="feed",
        ref=f"{connection}/{feed}",
        lane=LANE_FREE,
    )
