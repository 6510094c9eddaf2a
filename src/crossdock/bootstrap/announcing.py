"""Who is told what happened: the subscribers of a configuration."""

from __future__ import annotations

from crossdock.config import Config
from crossdock.flows.announcing import Announcer, source_of
from crossdock.sdk.telling import TELL, Wants


def announcer_of(config: Config) -> Announcer | None:
    """What stages events for every subscriber that is live; None, which costs nothing, where there is none."""
    subscribers = {
        name: Wants(connection.settings)
        for name, connection in config.connections.items()
        if connection.mode != "observe" and connection.spec.operation(TELL) is not None
    }
    return Announcer(source_of(config.hub.name), subscribers) if subscribers else None
