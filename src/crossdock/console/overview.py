"""The hub at a glance: what came in, what is under way, which partner is well, what asks for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from crossdock.console import words
from crossdock.console.times import moment
from crossdock.stores.sqlite.reads import Reads

if TYPE_CHECKING:
    from crossdock.bootstrap.front import Front, PartnerState

SLOW_US = 60_000_000
RECENT_ORDERS = 500
RECENT_SUBJECTS = 500
RECENT_SUBJECTS_MAX = 20_000
"""Latencies are those of what came last, so that they tell of now and cost the same at any size. Stock is a subject too,
and there is much of it between two orders of a quiet night: so of orders, but not of more than that many subjects."""
READY, RETRYING, BEHIND, SENDING, PARKED, IN_DOUBT, HELD = range(7)

State = Literal["ok", "slow", "not_answering", "paused", "observing"]


class SourceCount(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one source: accepted = processed + parked + in_flight + unhandled, at any moment."""

    source: str
    accepted: int
    processed: int
    parked: int
    in_flight: int
    unhandled: int
    repeated: int
    """Deliveries that were known already, and are in none of the other numbers."""
    balanced: bool
    bodies_expired: int = 0
    deliveries_expired: int = 0
    """Raw bodies and delivery ids that were past their time, and are gone."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took lately: milliseconds at the 50th and the 95th percentile, of `count`."""

    name: str
    count: int
    p50_ms: float
    p95_ms: float


class ConnectionState(msgspec.Struct, frozen=True, kw_only=True):
    """One partner: how it is, in a code and in words, and what waits for it."""

    name: str
    connector: str
    mode: str
    state: State
    text: str
    waiting: int
    sending: int
    held: int
    parked: int
    in_doubt: int
    values_waiting: int
    oldest_s: float
    done: int
    failed: int
    latencies: list[Latency]


class CaseCount(msgspec.Struct, frozen=True, kw_only=True):
    """Open cases of one reason."""

    reason: str
    text: str
    count: int


class StageCount(msgspec.Struct, frozen=True, kw_only=True):
    """Unfinished orders at one stage."""

    stage: str
    text: str
    count: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a person on duty looks at first."""

    hub: str
    at: datetime
    started_at: datetime
    sources: list[SourceCount]
    stages: list[StageCount]
    connections: list[ConnectionState]
    cases: list[CaseCount]
    decided: list[Latency]
    """From acceptance to the decision, per source."""
    captured: list[Latency] = []
    """From the message that made a sale of an order to that sale in the ERP, per ERP."""

    @property
    def balanced(self) -> bool:
        return all(source.balanced for source in self.sources)

    @property
    def open_cases(self) -> int:
        return sum(case.count for case in self.cases)


def overview(hub: Front, reads: Reads, now: int) -> Overview:
    """Read it all: a dozen brief questions."""
    last = reads.rows("last_subject")[0][0]
    far_back = reads.rows("order_so_far_back", RECENT_ORDERS)
    since = max(far_back[0][0] if far_back else 0, last - RECENT_SUBJECTS_MAX)
    called = reads.rows("recent_effect_times", since)
    calls: dict[str, list[Latency]] = {}
    for name, values in _grouped((f"{row[0]} {row[1]}", row[2]) for row in called).items():
        connection, _, operation = name.rpartition(" ")
        calls.setdefault(connection, []).append(_latency(operation, values))
    captured = _grouped(reads.rows("recent_capture_times", since))
    decided = _grouped((row[0], row[1]) for row in reads.rows("recent_message_times", last - RECENT_SUBJECTS))
    return Overview(
        hub=hub.config.hub.name,
        at=moment(now),
        started_at=moment(hub.started_at),
        sources=_sources(reads),
        stages=[
            StageCount(stage=stage, text=words.stage(stage), count=count)
            for stage, count in reads.rows("orders_by_stage")
        ],
        connections=_connections(hub, reads, calls, now),
        cases=[
            CaseCount(reason=reason, text=words.reason(reason), count=count)
            for reason, count in reads.rows("open_case_count")
        ],
        decided=[_latency(source, values) for source, values in decided.items()],
        captured=[_latency(erp, values) for erp, values in captured.items()],
    )


def partner_text(partner: PartnerState | None, name: str, now: int) -> str:
    """Why a connection does not get its calls now, in words; "" where it does."""
    _, text = _health(partner, now, 0)
    return "" if text == "is well" else f"{name} {text}"


def _sources(reads: Reads) -> list[SourceCount]:
    counted = {(source, name): value for source, name, value in reads.rows("counters")}
    return [_source(counted, *row) for row in reads.rows("source_balance")]


def _source(counted: Mapping[tuple[str, str], int], source: str, *counts: int) -> SourceCount:
    accepted, processed, unhandled, repeated, parked, in_flight = counts
    return SourceCount(
        source=source,
        accepted=accepted,
        processed=processed,
        parked=parked,
        in_flight=in_flight,
        unhandled=unhandled,
        repeated=repeated,
        balanced=accepted == processed + parked + in_flight + unhandled,
        bodies_expired=counted.get((source, "bodies_expired"), 0),
        deliveries_expired=counted.get((source, "deliveries_expired"), 0),
    )


def _connections(
    hub: Front, reads: Reads, calls: Mapping[str, list[Latency]], now: int
) -> list[ConnectionState]:
    counts: dict[str, dict[int, int]] = {}
    oldest: dict[str, int] = {}
    for connection, _, state, count, since in reads.rows("outbox_by_state"):
        of = counts.setdefault(connection, {})
        of[state] = of.get(state, 0) + count
        if state in (READY, RETRYING, BEHIND, SENDING):
            oldest[connection] = min(oldest.get(connection, since), since)
    values: dict[str, int] = {}
    for connection, state, count in reads.rows("marks_by_state"):
        if state != 4:
            values[connection] = values.get(connection, 0) + count
    found = []
    for name, partner in hub.partners().items():
        of = counts.get(name, {})
        age = max(0, now - oldest[name]) if name in oldest else 0
        state_, text = _health(partner, now, age)
        found.append(
            ConnectionState(
                name=name,
                connector=partner.title,
                mode=hub.config.connections[name].mode,
                state=state_,
                text=text,
                waiting=sum(of.get(code, 0) for code in (READY, RETRYING, BEHIND)),
                sending=of.get(SENDING, 0),
                held=of.get(HELD, 0),
                parked=of.get(PARKED, 0),
                in_doubt=of.get(IN_DOUBT, 0),
                values_waiting=values.get(name, 0),
                oldest_s=round(age / 1_000_000, 1),
                done=partner.done,
                failed=partner.failed,
                latencies=calls.get(name, []),
            )
        )
    return found


def _health(partner: PartnerState | None, now: int, age: int) -> tuple[State, str]:
    if partner is None:
        return "paused", "is not configured any more: its work waits until it is"
    if partner.unattended:
        return (
            "paused",
            "is called by nobody: no dispatcher runs; start one with `crossdock up --role dispatcher`",
        )
    if now < partner.paused_until:
        wait = words.duration(partner.paused_until - now)
        return "paused", f"is paused for {wait} more: it asked us to wait, or refuses our credentials"
    if partner.breaker.tripped:
        failures = f"{partner.breaker.failures} failures in a row"
        if now < partner.breaker.until:
            return (
                "not_answering",
                f"does not answer ({failures}); next probe in {words.duration(partner.breaker.until - now)}",
            )
        return "not_answering", f"does not answer ({failures}); a probe is due now"
    if not partner.live:
        return "observing", "is only observed: its feeds are read, and nothing is sent"
    if age > SLOW_US:
        return "slow", f"is behind: the oldest call has waited {words.duration(age)}"
    if partner.paced > 0:
        return "ok", f"is well, and takes {partner.paced:g} a second"
    return "ok", "is well"


def _grouped(rows: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for key, value in rows:
        groups.setdefault(key, []).append(value)
    return groups


def _latency(name: str, values: list[int]) -> Latency:
    values.sort()
    return Latency(
        name=name, count=len(values), p50_ms=_percentile(values, 50), p95_ms=_percentile(values, 95)
    )


def _percentile(values: list[int], percent: int) -> float:
    return round(values[min(len(values) - 1, len(values) * percent // 100)] / 1000, 1)
