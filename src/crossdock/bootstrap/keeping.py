"""How long what is kept for a time: from the days of a configuration."""

from __future__ import annotations

from crossdock.config import Config
from crossdock.engine.keeping import Keeping, Retention
from crossdock.engine.port import Store

DAY_US = 86_400 * 1_000_000


def keeping_of(config: Config, store: Store) -> Keeping:
    """What looks through a store for what is past its time."""
    return Keeping(store, retention_of(config))


def retention_of(config: Config) -> Retention:
    """The hub's days, and those that a connection has of its own."""
    policy, connections = config.plan.policy, config.connections
    bodies = {"": policy.bodies_days} | {
        name: c.bodies_days for name, c in connections.items() if c.bodies_days is not None
    }
    deliveries = {"": policy.deliveries_days} | {
        name: c.deliveries_days for name, c in connections.items() if c.deliveries_days is not None
    }
    return Retention(
        bodies_us={source: days * DAY_US for source, days in bodies.items()},
        deliveries_us={source: days * DAY_US for source, days in deliveries.items()},
    )
