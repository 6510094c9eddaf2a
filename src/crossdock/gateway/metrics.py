"""`/metrics` for Prometheus: the overview as counters and gauges, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from crossdock.console.face import Face
from crossdock.console.overview import ConnectionState, Overview
from crossdock.gateway.problems import READING

STATES = ("ok", "slow", "not_answering", "paused", "observing")


def registry_of(face: Face) -> CollectorRegistry:
    """A registry of this hub's own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProcessesCollector(face.hub.processes))
    registry.register(HubCollector(face))
    return registry


class ProcessesCollector(Collector):
    """What Prometheus' own clients tell of a process, of each one that the hub consists of, labelled by its part."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._parts = {
            part: ProcessCollector(pid=partial(int, number), registry=None)
            for part, number in processes.items()
        }

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        for part, collector in self._parts.items():
            for metric in collector.collect():
                family = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    family.add_sample(sample.name, {**sample.labels, "part": part}, sample.value)
        yield from found.values()


class HubCollector(Collector):
    """Reads the overview at every scrape."""

    def __init__(self, face: Face) -> None:
        self._face = face

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the store is not asked while the registry is built."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        found = self._face.overview()
        yield from _messages(found)
        yield from _work(found)
        yield from _connections(found.connections)
        yield from _proof(self._face)


def _messages(found: Overview) -> Iterator[Metric]:
    total = CounterMetricFamily(
        "crossdock_messages", "Messages by source and what became of them.", labels=["source", "outcome"]
    )
    held = GaugeMetricFamily(
        "crossdock_messages_held", "Messages that are not finished, by source.", labels=["source", "state"]
    )
    expired = CounterMetricFamily(
        "crossdock_expired",
        "Raw bodies and delivery ids that were past their time.",
        labels=["source", "what"],
    )
    for source in found.sources:
        for outcome in ("accepted", "processed", "unhandled", "repeated"):
            total.add_metric([source.source, outcome], getattr(source, outcome))
        for state in ("in_flight", "parked"):
            held.add_metric([source.source, state], getattr(source, state))
        for what in ("bodies", "deliveries"):
            expired.add_metric([source.source, what], getattr(source, f"{what}_expired"))
    yield from (total, held, expired)
    seconds = GaugeMetricFamily(
        "crossdock_decided_seconds",
        "From acceptance to decision, of the orders that came last.",
        labels=["source", "quantile"],
    )
    for latency in found.decided:
        seconds.add_metric([latency.name, "0.5"], latency.p50_ms / 1000)
        seconds.add_metric([latency.name, "0.95"], latency.p95_ms / 1000)
    yield seconds
    captured = GaugeMetricFamily(
        "crossdock_capture_to_sale_seconds",
        "From an order's first message to its sale in the ERP, of the orders that came last.",
        labels=["connection", "quantile"],
    )
    for latency in found.captured:
        captured.add_metric([latency.name, "0.5"], latency.p50_ms / 1000)
        captured.add_metric([latency.name, "0.95"], latency.p95_ms / 1000)
    yield captured


def _work(found: Overview) -> Iterator[Metric]:
    stages = GaugeMetricFamily("crossdock_orders_unfinished", "Unfinished orders by stage.", labels=["stage"])
    for stage in found.stages:
        stages.add_metric([stage.stage], stage.count)
    yield stages
    cases = GaugeMetricFamily("crossdock_cases_open", "Open cases by reason.", labels=["reason"])
    for case in found.cases:
        cases.add_metric([case.reason], case.count)
    yield cases
    balanced = GaugeMetricFamily(
        "crossdock_messages_balanced", "1 while every accepted message is accounted for."
    )
    balanced.add_metric([], int(found.balanced))
    yield balanced
    started = GaugeMetricFamily("crossdock_start_time_seconds", "When this process began, in Unix time.")
    started.add_metric([], found.started_at.timestamp())
    yield started


def _connections(connections: list[ConnectionState]) -> Iterator[Metric]:
    effects = GaugeMetricFamily(
        "crossdock_effects",
        "Calls to a partner that are not finished, by state.",
        labels=["connection", "state"],
    )
    oldest = GaugeMetricFamily(
        "crossdock_effect_oldest_seconds", "Age of the oldest call that waits.", labels=["connection"]
    )
    state = GaugeMetricFamily(
        "crossdock_connection_state",
        "1 for the state that a connection is in.",
        labels=["connection", "state"],
    )
    calls = CounterMetricFamily(
        "crossdock_calls",
        "Calls since the process began, by how they ended.",
        labels=["connection", "result"],
    )
    values = GaugeMetricFamily(
        "crossdock_values_waiting", "Quantities still to be told.", labels=["connection"]
    )
    seconds = GaugeMetricFamily(
        "crossdock_effect_seconds",
        "From decision to the partner's answer, of the orders that came last.",
        labels=["connection", "operation", "quantile"],
    )
    for connection in connections:
        name = connection.name
        for label in ("waiting", "sending", "held", "parked", "in_doubt"):
            effects.add_metric([name, label], getattr(connection, label))
        oldest.add_metric([name], connection.oldest_s)
        for code in STATES:
            state.add_metric([name, code], int(connection.state == code))
        calls.add_metric([name, "done"], connection.done)
        calls.add_metric([name, "failed"], connection.failed)
        values.add_metric([name], connection.values_waiting)
        for latency in connection.latencies:
            seconds.add_metric([name, latency.name, "0.5"], latency.p50_ms / 1000)
            seconds.add_metric([name, latency.name, "0.95"], latency.p95_ms / 1000)
    yield from (effects, oldest, state, calls, values, seconds)


def _proof(face: Face) -> Iterator[Metric]:
    proof = face.last_proof()
    if proof is None:
        return
    checks = GaugeMetricFamily(
        "crossdock_invariant_ok",
        "1 where an invariant held when it was last checked.",
        labels=["letter", "name"],
    )
    worst: dict[tuple[str, str], int] = {}
    for check in proof.checks:
        key = (check.letter, check.name)
        worst[key] = min(worst.get(key, 1), int(check.ok))
    for (letter, name), ok in worst.items():
        checks.add_metric([letter, name], ok)
    yield checks
    at = GaugeMetricFamily(
        "crossdock_proof_time_seconds", "When the invariants were last checked, in Unix time."
    )
    at.add_metric([], proof.at.timestamp())
    yield at


@get(
    "/metrics",
    sync_to_thread=True,
    tags=["Operation"],
    summary="Numbers for Prometheus",
    media_type="text/plain",
    responses=READING,
)
def metrics(registry: NamedDependency[CollectorRegistry]) -> Response[bytes]:
    """The text format of Prometheus."""
    return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})
