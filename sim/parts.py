"""Small parts of the hub: what `crossdock.bootstrap.hub` makes of a configuration, and signals that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crossdock.config import Config
from crossdock.engine.calling import Transport
from crossdock.engine.keeping import Retention
from crossdock.engine.lanes import Lane
from crossdock.engine.pace import Breaker, bucket
from crossdock.flows.quantities import Offer
from crossdock.sdk.spec import Connector
from crossdock.stores.reads import Reads
from sim.retailer import Traits
from sim.watched import WatchedStore
from sim.world import DAY, HOUR, SECOND


class Quiet:
    """A signal that nobody waits for: turns are planned instead."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def wait(self, _: float = 0) -> None: ...
    def is_set(self) -> bool:
        return False


class SimWriter:
    """Does every write at once, in a transaction of its own, as the hub's writer does when nobody else waits."""

    def __init__(self, store: WatchedStore) -> None:
        self._store = store

    def call(self, job: Callable[[], Any], wait_s: float | None = None) -> Any:
        """Do it; its result, or its error raised."""
        result = self._store.group([job])[0]
        if isinstance(result, Exception):
            raise result
        return result


def lane_of(config: Config, name: str, connector: Connector, transport: Transport) -> Lane:
    """The lane of a connection."""
    connection = config.connections[name]
    limits = connection.limits
    return Lane(
        name=name,
        connector=connector,
        transport=transport,
        policy=config.retries,
        concurrency_max=limits.concurrency_max,
        pace=bucket(limits.requests_per_s, limits.burst),
        breaker=Breaker(),
        live=connection.mode != "observe",
    )


def keyed(connectors: Mapping[str, Connector]) -> list[str]:
    """Operations that can be repeated at once after a crash."""
    return [
        f"{name} {operation.name}"
        for name, connector in connectors.items()
        for operation in connector.spec.operations
        if operation.doubles == "key"
    ]


def schedules(config: Config) -> dict[str, tuple[str, str, int]]:
    """What is polled, and how often."""
    return {
        f"{name}/{feed}": (name, feed, int(connection.poll_every_s * SECOND))
        for name, connection in config.connections.items()
        for feed in connection.feeds
        if connection.poll_every_s > 0
    }


def retention(traits: Traits) -> Retention:
    """Hours instead of days, so that much goes while orders are under way. Deliveries are known for longer than partners repeat them."""
    return Retention(bodies_us={"": traits.kept_h * HOUR}, deliveries_us={"": 2 * DAY})


def values_of(
    config: Config, reads: Reads, connection: str, keys: Sequence[str]
) -> Mapping[str, tuple[str, Any]]:
    """What a channel is to be told of these SKUs, read now."""
    return Offer(config.plan, connection).commands(keys, reads.levels(keys).values())
