"""The proof: the invariants of the hub with their counts, read from the store while it works.

Letters are those of the list of invariants. A check that is not ok names what to look at; one that was not read to the end says so.
What a running hub finds when it reads everything, a little each minute (`bootstrap.proving`), is kept in the store, and stands in
every proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from crossdock.bootstrap import auditing
from crossdock.bootstrap.auditing import Audit, begin, go_on
from crossdock.domain.policy import Policy
from crossdock.engine.messages import subject_id
from crossdock.engine.sweeping import AGAIN_US, TOLD_AGAIN_US
from crossdock.errors import RetryableError
from crossdock.stores.reads import Reads

US = 1_000_000
TRANSACTION_S_MAX = 600
ORDERS_MAX = 5_000
"""So many of the newest a proof reads one by one, unless it is a full one: two seconds."""
KEPT = "proof"
COUNTERS = "counters equal the record"
DOCUMENTS = "no document belongs to two effects"
MOVEMENTS = "stock equals its movements"
CLOSING = (COUNTERS, DOCUMENTS, MOVEMENTS)


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """After how long somebody must have been told: of a call that waits, of an order that is not done."""

    effect_us: int = 15 * 60 * US
    order_us: int = 7 * 86_400 * US


def deadlines_of(policy: Policy) -> Deadlines:
    """When the hub itself tells somebody, and as long again as it takes to look."""
    late_us = int((policy.grace_s + policy.late_s) * US)
    return Deadlines(effect_us=late_us + AGAIN_US, order_us=int(policy.fulfilment_deadline_s * US) + AGAIN_US)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant: its letter, whether it holds, what was counted, and what to look at where it does not.

    whole: everything there is was read for it; else the text says how far it came.
    """

    letter: str
    name: str
    ok: bool
    count: int
    text: str
    whole: bool = True


class Kept(msgspec.Struct, kw_only=True):
    """What a running hub has found: when it looked last, when it had read everything last, and its checks."""

    at: int
    whole_at: int = 0
    checks: list[Check] = []
    deadlines: Deadlines = Deadlines()


def prove(
    reads: Reads,
    now: int,
    *,
    full: bool = False,
    orders_max: int = ORDERS_MAX,
    deadlines: Deadlines | None = None,
) -> list[Check]:
    """Check every invariant: what is under way altogether, of the orders the newest `orders_max`, or all in a `full` proof.

    Where not all orders are read, what the running hub has found of all of them counts too.
    """
    kept = kept_proof(reads)
    checks = standing(reads, now, deadlines or (kept.deadlines if kept is not None else Deadlines()))
    last = int(reads.rows("last_subject")[0][0])
    audit = begin(reads, now, after=0 if full else max(0, last - orders_max))
    whole = not audit.after
    if whole:
        go_on(reads, audit)
        return ordered([*checks, *audited(audit), *closing(reads, audit)])
    first = audit.after
    go_on(reads, audit)
    found = [*audited(audit, first), *_closing_of_some(reads, first, audit)]
    return ordered([*checks, *(_with_kept(check, kept) for check in found)])


def kept_proof(reads: Reads) -> Kept | None:
    """What a running hub has kept in the store; None where none has."""
    rows = reads.rows("kept_proof", KEPT)
    return msgspec.json.decode(rows[0][0], type=Kept) if rows else None


def ordered(checks: Sequence[Check]) -> list[Check]:
    """By letter."""
    return sorted(checks, key=lambda check: check.letter)


def standing(reads: Reads, now: int, deadlines: Deadlines) -> list[Check]:
    """What is under way, and what is counted once for all: a few questions."""
    return [
        *_accepted(reads),
        _orders_owned(reads, now, deadlines),
        _negative(reads),
        _overdue(reads, now, deadlines),
        _oldest_transaction(reads),
    ]


def audited(audit: Audit, first: int = 0) -> list[Check]:
    """What the audit has found so far. first: it began after this subject."""
    checks = []
    for rule, (letter, holds) in auditing.RULES.items():
        found, count = audit.of(rule), audit.counts.get(rule, 0)
        text = f"{count} {holds}"
        if found:
            many = f"{len(found)}{' or more' if len(found) >= auditing.FOUND_MAX else ''}"
            text = f"{many} of {count} break it, the first is {auditing.named(found[0])}"
        if first:
            text += f"; read from {subject_id(first + 1)} on"
        checks.append(Check(letter=letter, name=rule, ok=not found, count=count, text=text, whole=not first))
    return checks


def closing(reads: Reads, audit: Audit) -> list[Check]:
    """What concerns all orders at once, when the last of them has been read. Takes seconds of a large store."""
    return [
        _counters(reads, audit),
        _asked(DOCUMENTS, "c", lambda: _documents(reads, 0, audit.until)),
        _asked(MOVEMENTS, "f", lambda: _stock(reads)),
    ]


def _closing_of_some(reads: Reads, first: int, audit: Audit) -> list[Check]:
    unread = "not read; `crossdock proof --full` does"
    documents = _documents(reads, first, audit.until)
    text = f"{documents.text}; read from {subject_id(first + 1)} on"
    return [
        Check(letter="a", name=COUNTERS, ok=True, count=0, text=unread, whole=False),
        msgspec.structs.replace(documents, text=text, whole=False),
        Check(letter="f", name=MOVEMENTS, ok=True, count=0, text=unread, whole=False),
    ]


def _with_kept(check: Check, kept: Kept | None) -> Check:
    """A check that did not read everything, with what the hub found when it read everything last."""
    if kept is None or check.whole:
        return check
    for known in kept.checks:
        if known.name == check.name and not known.ok and check.ok:
            return msgspec.structs.replace(check, ok=False, text=f"{known.text} (seen at {_clock(kept.at)})")
    if not kept.whole_at:
        return check
    return msgspec.structs.replace(
        check, text=f"{check.text}; all there was held when it was read until {_clock(kept.whole_at)}"
    )


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at // US, UTC).strftime("%d %b %H:%M UTC")


def _asked(name: str, letter: str, ask: Callable[[], Check]) -> Check:
    """A question over everything; a database that takes too long for it has told nothing."""
    try:
        return ask()
    except RetryableError as error:
        return Check(letter=letter, name=name, ok=True, count=0, text=f"not read: {error}", whole=False)


def _accepted(reads: Reads) -> list[Check]:
    """a. accepted = processed + unhandled + parked + in flight, per source; of one moment."""
    checks = []
    for source, accepted, processed, unhandled, repeated, parked, flying in reads.rows("source_balance"):
        ok = accepted == processed + unhandled + parked + flying
        text = (
            f"{source}: {accepted} accepted = {processed} processed + {parked} parked + {flying} in flight + "
            f"{unhandled} unhandled; {repeated} repeated deliveries were known"
        )
        checks.append(Check(letter="a", name="nothing is dropped", ok=ok, count=accepted, text=text))
    return checks


def _counters(reads: Reads, audit: Audit) -> Check:
    """a. What was handled while the audit went on may or may not be among what it has counted."""
    after = dict(reads.rows("handled_messages"))
    counted = sum(audit.handled.values())
    for source in sorted({*audit.before, *audit.handled, *after}):
        least, found, most = audit.before.get(source, 0), audit.handled.get(source, 0), after.get(source, 0)
        if not least <= found <= most:
            text = f"{source}: {most} messages were handled by the counters, {found} are on record"
            return Check(letter="a", name=COUNTERS, ok=False, count=counted, text=text)
    text = f"{counted} messages are on record, as many as the counters say"
    return Check(letter="a", name=COUNTERS, ok=True, count=counted, text=text)


def _orders_owned(reads: Reads, now: int, deadlines: Deadlines) -> Check:
    total, finished = reads.rows("order_count")[0]
    unowned, first = reads.rows("unowned_orders", now - deadlines.order_us)[0]
    text = f"{total} orders, {finished} finished, {total - finished} in progress"
    if unowned:
        text += f"; {unowned} stand still with nobody's case, the first is {subject_id(first)}"
    return Check(
        letter="b",
        name="every order is in progress, finished, or a case",
        ok=not unowned,
        count=total,
        text=text,
    )


def _documents(reads: Reads, after: int, until: int) -> Check:
    twice, first = reads.rows("effects_twice", after, until)[0]
    text = "no partner's document belongs to two effects"
    if twice:
        text = f"{twice} documents belong to two effects, the first is one of {subject_id(first)}"
    return Check(letter="c", name=DOCUMENTS, ok=not twice, count=twice, text=text)


def _stock(reads: Reads) -> Check:
    rows = reads.rows("stock_differences")
    text = "every level equals its movements"
    if rows:
        sku, location, bucket, held, moved = rows[0]
        text = f"{sku} at {location}: {bucket} is {held}, its movements add up to {moved}"
    return Check(letter="f", name=MOVEMENTS, ok=not rows, count=len(rows), text=text)


def _negative(reads: Reads) -> Check:
    count = reads.rows("negative_without_case")[0][0]
    text = (
        "no level is below zero without a case"
        if not count
        else f"{count} levels are below zero without a case"
    )
    return Check(letter="f", name="negative stock is a case", ok=not count, count=count, text=text)


def _overdue(reads: Reads, now: int, deadlines: Deadlines) -> Check:
    count, _ = reads.rows("overdue_effects", now - deadlines.effect_us, now - TOLD_AGAIN_US)[0]
    text = (
        "nothing waits in the outbox beyond its deadline"
        if not count
        else f"{count} effects are overdue without a case"
    )
    return Check(letter="i", name="nothing is overdue unseen", ok=not count, count=count, text=text)


def _oldest_transaction(reads: Reads) -> Check:
    """What a transaction that stays open keeps, every claim has to pass over."""
    seconds, count, who, hidden = reads.rows("oldest_transaction")[0]
    ok = seconds < TRANSACTION_S_MAX
    text = "nobody keeps a transaction of the database open"
    if not ok:
        text = (
            f"a transaction of the database has been open for {seconds // 60} minutes ({who}), {count} in all: look at it in "
            "pg_stat_activity and end it; until then what is finished cannot be cleared away"
        )
    elif hidden:
        text = (
            f"whether others keep a transaction open cannot be seen: of {hidden} sessions the hub's role may not know. "
            "Grant it pg_read_all_stats (pg_monitor has it)"
        )
    return Check(letter="i", name="no transaction stays open", ok=ok, count=int(count), text=text)
