"""The proof: the invariants of the hub with their counts, read from the store while it works.

Letters are those of the design's list of invariants. A check that is not ok names what to look at.
"""

from __future__ import annotations

import msgspec

from crossdock.domain.totals import check_totals
from crossdock.engine.sweeping import TOLD_AGAIN_US
from crossdock.flows.documents import join_document
from crossdock.stores.reads import Reads

US = 1_000_000
EFFECT_DEADLINE_US = 15 * 60 * US
ORDER_DEADLINE_US = 7 * 86_400 * US
TRANSACTION_S_MAX = 600
STATES = ("ready", "delayed", "waiting", "parked")
TOTALS_CHECKED_MAX = 50_000


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant: its letter, whether it holds, what was counted, and what to look at where it does not."""

    letter: str
    name: str
    ok: bool
    count: int
    text: str


def prove(reads: Reads, now: int, *, totals_checked_max: int = TOTALS_CHECKED_MAX) -> list[Check]:
    """Check every invariant that can be read from the store. Brief reads; totals of at most `totals_checked_max`."""
    return [
        *_accepted(reads),
        _orders_owned(reads, now),
        _effects_once(reads),
        _totals(reads, totals_checked_max),
        _postings(reads),
        _stock(reads),
        _negative(reads),
        _quantities(reads),
        _overdue(reads, now),
        _oldest_transaction(reads),
        _replays(reads),
    ]


def _accepted(reads: Reads) -> list[Check]:
    """a. accepted = processed + unhandled + parked + in flight, per source."""
    counted: dict[str, dict[str, int]] = {}
    for source, name, value in reads.rows("counters"):
        counted.setdefault(source, {})[name] = value
    held: dict[str, dict[str, int]] = {}
    for source, state, number, _ in reads.rows("inbox_by_state"):
        held.setdefault(source, {})[STATES[state]] = number
    checks = []
    for source in sorted(counted | held):
        totals, inbox = counted.get(source, {}), held.get(source, {})
        accepted = totals.get("accepted", 0)
        processed, unhandled = totals.get("processed", 0), totals.get("unhandled", 0)
        parked = inbox.get("parked", 0)
        flying = sum(inbox.values()) - parked
        ok = accepted == processed + unhandled + parked + flying
        text = (
            f"{source}: {accepted} accepted = {processed} processed + {parked} parked + {flying} in flight + "
            f"{unhandled} unhandled; {totals.get('repeated', 0)} repeated deliveries were known"
        )
        checks.append(Check(letter="a", name="nothing is dropped", ok=ok, count=accepted, text=text))
    return checks


def _orders_owned(reads: Reads, now: int) -> Check:
    total, finished = reads.rows("order_count")[0]
    unowned, first = reads.rows("unowned_orders", now - ORDER_DEADLINE_US)[0]
    text = f"{total} orders, {finished} finished, {total - finished} in progress"
    if unowned:
        text += f"; {unowned} stand still with nobody's case, the first is CD{first:010d}"
    return Check(
        letter="b",
        name="every order is in progress, finished, or a case",
        ok=not unowned,
        count=total,
        text=text,
    )


def _effects_once(reads: Reads) -> Check:
    twice = reads.rows("effects_twice")[0][0]
    text = (
        "no partner's document belongs to two effects"
        if not twice
        else f"{twice} documents belong to two effects"
    )
    return Check(letter="c", name="one document per effect key", ok=not twice, count=twice, text=text)


def _totals(reads: Reads, checked_max: int) -> Check:
    checked, wrong, first = 0, 0, 0
    for subject, value, _ in reads.documents():
        order = join_document(value, b"")
        if order.commitment == "committed":
            checked += 1
            if check_totals(order):
                wrong, first = wrong + 1, first or subject
        if checked >= checked_max:
            break
    text = f"{checked} committed documents add up to their totals"
    if wrong:
        text = f"{wrong} of {checked} documents do not add up, the first is CD{first:010d}"
    return Check(letter="d", name="parts add up to the total", ok=not wrong, count=checked, text=text)


def _postings(reads: Reads) -> Check:
    wrong, first = reads.rows("unbalanced_postings")[0]
    count = reads.rows("posting_count")[0][0]
    text = (
        f"{count} postings balance"
        if not wrong
        else f"{wrong} postings do not balance, the first of CD{first:010d}"
    )
    return Check(letter="e", name="debits = credits", ok=not wrong, count=count, text=text)


def _stock(reads: Reads) -> Check:
    rows = reads.rows("stock_differences")
    text = "every level equals its movements"
    if rows:
        sku, location, bucket, held, moved = rows[0]
        text = f"{sku} at {location}: {bucket} is {held}, its movements add up to {moved}"
    return Check(letter="f", name="stock equals its movements", ok=not rows, count=len(rows), text=text)


def _negative(reads: Reads) -> Check:
    count = reads.rows("negative_without_case")[0][0]
    text = (
        "no level is below zero without a case"
        if not count
        else f"{count} levels are below zero without a case"
    )
    return Check(letter="f", name="negative stock is a case", ok=not count, count=count, text=text)


def _quantities(reads: Reads) -> Check:
    wrong, first = reads.rows("broken_quantities")[0]
    text = "no line was shipped, cancelled or returned beyond what it had, without a case"
    if wrong:
        text = f"{wrong} orders have a line beyond its quantity and no case, the first is CD{first:010d}"
    return Check(letter="g", name="returned <= shipped <= ordered", ok=not wrong, count=wrong, text=text)


def _overdue(reads: Reads, now: int) -> Check:
    count, _ = reads.rows("overdue_effects", now - EFFECT_DEADLINE_US, now - TOLD_AGAIN_US)[0]
    text = (
        "nothing waits in the outbox beyond its deadline"
        if not count
        else f"{count} effects are overdue without a case"
    )
    return Check(letter="i", name="nothing is overdue unseen", ok=not count, count=count, text=text)


def _oldest_transaction(reads: Reads) -> Check:
    """What a transaction that stays open keeps, every claim has to pass over."""
    seconds, count = reads.rows("oldest_transaction")[0]
    ok = seconds < TRANSACTION_S_MAX
    text = "nobody keeps a transaction of the database open"
    if not ok:
        text = (
            f"a transaction of the database has been open for {seconds // 60} minutes, {count} in all: find it in "
            "pg_stat_activity (xact_start) and end it; until then what is finished cannot be cleared away"
        )
    return Check(letter="i", name="no transaction stays open", ok=ok, count=int(count), text=text)


def _replays(reads: Reads) -> Check:
    count = reads.rows("nameless_replays")[0][0]
    text = "every replay names its actor and reason" if not count else f"{count} replays name nobody"
    return Check(letter="j", name="a replay names its reason", ok=not count, count=count, text=text)
