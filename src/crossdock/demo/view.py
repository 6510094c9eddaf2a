"""What the live view says, put together from what was seen. Pure: numbers in, words out; how it looks is `screen`'s."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from crossdock.console.overview import ConnectionState, Overview
from crossdock.demo.options import Options
from crossdock.demo.retailer import ERP, PARTNERS, SHOP, WAREHOUSE
from crossdock.demo.watch import Look, Store, Tills

FIRST_CALL = {SHOP: "acknowledge", ERP: "create_sale", WAREHOUSE: "release"}
"""The call of each partner whose time is shown."""
BEHIND_S = 2.0
"""A partner whose oldest call waits longer than that is behind."""
FAILING_MIN = 5
"""From so many calls on that failed a partner that is behind is ill."""
DAY, DAY_CLOSED = "day_", "day_closed"
"""Stages of a store's day, which is no order."""
STAGES_MAX = 6
CASES_MAX = 6
FAULTS_MAX = 6
_ASIDE = re.compile(r" \(.*?\)")
FAULTS = {
    "duplicate": "webhooks sent twice",
    "reorder": "sent out of order",
    "lost_reply": "done, reply lost",
    "cut_body": "reply cut off",
    "lost_request": "request lost",
    "error": "500s",
    "throttled": "429s",
    "slow": "slow replies",
    "gone": "calls into the void",
}


class PartnerRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a partner is: calls that wait for it, for how long the oldest, how long a call takes, its health in words."""

    name: str
    waiting: int
    oldest_s: float
    p50_ms: float | None
    p95_ms: float | None
    health: Literal["ok", "behind", "ill"]
    text: str


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One picture. Times in seconds since the shop opened; `captured` is from webhook to the ERP's sale, in ms."""

    at_s: float
    phase: str
    target: int
    sold: int
    taken: int
    repeated: int
    known: int
    finished: int
    hub_up: bool
    dead: str
    memory_mib: float
    captured: tuple[float, float] | None
    stages: tuple[tuple[str, int], ...]
    cases: tuple[tuple[str, int], ...]
    partners: tuple[PartnerRow, ...]
    faults: tuple[tuple[str, int], ...]
    balanced: bool
    tills: str = ""
    """The stores in words; "" where there are none."""

    @property
    def under_way(self) -> int:
        """Orders that the hub knows and has not finished."""
        return self.known - self.finished

    @property
    def open_cases(self) -> int:
        """What waits for a person."""
        return sum(count for _, count in self.cases)

    @property
    def backlog(self) -> int:
        """Calls that wait, for whomever."""
        return sum(partner.waiting for partner in self.partners)


def picture(
    look: Look,
    last: Look,
    options: Options,
    *,
    at_s: float,
    phase: str,
    memory_mib: float = 0.0,
    dead: str = "",
) -> View:
    """Put a view together. What does not answer now is shown as it was in `last`; `dead`: the process that was killed."""
    hub, shop, store = look.hub or last.hub, look.shop or last.shop, look.store or last.store
    source = next((found for found in hub.sources if found.source == SHOP), None) if hub else None
    return View(
        at_s=at_s,
        phase=phase,
        target=options.orders,
        sold=shop.counts.orders if shop is not None else 0,
        taken=source.accepted if source is not None else 0,
        repeated=source.repeated if source is not None else 0,
        known=store.orders if store is not None else 0,
        finished=store.finished if store is not None else 0,
        hub_up=look.hub is not None,
        dead=dead,
        memory_mib=memory_mib,
        captured=_captured(hub),
        stages=_largest(_stages(hub), STAGES_MAX),
        cases=_largest(((c.text, c.count) for c in hub.cases), CASES_MAX) if hub is not None else (),
        partners=_partners(hub, store if options.store == "postgres" else None),
        faults=_faults(look),
        tills=_tills(look.tills or last.tills, hub, options),
        balanced=hub is None or all(found.balanced for found in hub.sources),
    )


def _stages(hub: Overview | None) -> list[tuple[str, int]]:
    stages = hub.stages if hub is not None else []
    return [(stage.text, stage.count) for stage in stages if not stage.stage.startswith(DAY)]


def _tills(tills: Tills | None, hub: Overview | None, options: Options) -> str:
    if tills is None:
        return ""
    waiting = sum(stage.count for stage in hub.stages if stage.stage == DAY_CLOSED) if hub is not None else 0
    posting = f" ({waiting} to be posted)" if tills.closed else ""
    words = [f"{tills.tickets:,} tickets", f"{tills.closed} of {options.stores} closed{posting}"]
    if tills.offline:
        words.append(f"{', '.join(tills.offline)} offline: {tills.waiting} wait")
    return ", ".join(words)


def _captured(hub: Overview | None) -> tuple[float, float] | None:
    found = hub.captured if hub is not None else []
    return (found[0].p50_ms, found[0].p95_ms) if found else None


def _partners(hub: Overview | None, store: Store | None) -> tuple[PartnerRow, ...]:
    if hub is None:
        return ()
    states = {state.name: state for state in hub.connections}
    failing = store.retrying if store is not None else {}
    return tuple(_row(states[name], failing.get(name, 0)) for name in PARTNERS if name in states)


def _row(state: ConnectionState, failing: int) -> PartnerRow:
    time = next((t for t in state.latencies if t.name == FIRST_CALL[state.name]), None)
    health: Literal["ok", "behind", "ill"] = "ok" if state.state in ("ok", "slow") else "ill"
    text = _ASIDE.sub("", state.text.partition(":")[0]).replace("does not answer", "no answer")
    waiting = state.waiting + state.sending
    behind_cases = state.parked + state.in_doubt + state.held
    if health == "ok" and state.oldest_s > BEHIND_S and waiting > behind_cases:
        health, text = "behind", "is slower than what comes"
        if (
            failing >= FAILING_MIN and 2 * failing >= waiting
        ):  # a gateway does not know what a dispatcher knows of a partner
            health, text = "ill", f"fails: {failing} calls are tried again"
    return PartnerRow(
        name=state.name,
        waiting=waiting,
        oldest_s=state.oldest_s,
        p50_ms=time.p50_ms if time is not None else None,
        p95_ms=time.p95_ms if time is not None else None,
        health=health,
        text=text,
    )


def _faults(look: Look) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for partner in look.partners:
        for name, count in partner.faults.items():
            counts[name] = counts.get(name, 0) + count
    return _largest(((FAULTS.get(name, name), count) for name, count in counts.items()), FAULTS_MAX)


def _largest(found: Iterable[tuple[str, int]], at_most: int) -> tuple[tuple[str, int], ...]:
    """The largest, largest first; what is beyond `at_most` is one sum."""
    rows: Sequence[tuple[str, int]] = sorted(found, key=lambda row: (-row[1], row[0]))
    if len(rows) <= at_most:
        return tuple(rows)
    rest = sum(count for _, count in rows[at_most - 1 :])
    return (*rows[: at_most - 1], ("other", rest))


def clock(at_s: float) -> str:
    """Minutes and seconds: 00:34."""
    whole = max(0, int(at_s))
    return f"{whole // 60:02d}:{whole % 60:02d}"


def brief_time(ms: float | None) -> str:
    """A time span for a narrow column: 12 ms, 3.4 s; a dash for none."""
    if ms is None:
        return "-"
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
