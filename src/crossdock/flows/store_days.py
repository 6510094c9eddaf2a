"""A store's business day: opened by its first ticket or by word, closed by its Z report, counted, posted, supplemented.

Tickets leave rows and go on; the day is counted from them: when it is closed, when a late ticket tells it, and again while
something differs. So whatever order tickets and close come in, the same end is reached. A difference to the close holds the
first posting back until tickets come that settle it, or a person releases the hold `difference`.
"""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.domain.policy import Place
from crossdock.domain.running import unfollowed
from crossdock.domain.state import TicketRow
from crossdock.domain.store_day import (
    GIVEN_UP,
    DayState,
    Difference,
    Held,
    day_end,
    differences,
    gaps,
    hold,
    unposted,
    valued,
)
from crossdock.domain.tax_rates import known_rates
from crossdock.domain.tickets import Value
from crossdock.errors import MappingError
from crossdock.flows.day_book import Touched, day_mode, day_ref, store_place, told_store
from crossdock.flows.desk import SECOND, Again, Desk, canonical_hash
from crossdock.flows.posting_sales import post_again, post_day
from crossdock.flows.watching import WATCH, watch, watch_closed, watch_open
from crossdock.model.currency import EXPONENTS
from crossdock.model.money import decimal_text
from crossdock.model.reports import StoreDayReported
from crossdock.model.versions import is_newer

COUNT, LATE = "store_day.count", "store_day.late"
DAY_TIMERS = (COUNT, WATCH, LATE)
DIFFERENCE = "difference"
RECOUNT_S = 900
RECOUNTED_S = 86_400
"""How long a day that differs is counted again by itself after its close; after that only when a ticket comes."""
GAPS_SHOWN_MAX = 20

Standing = tuple[str, str, str, str]
"""(reason, about, text, the field of the close or of the tickets)"""


def take_day(desk: Desk, report: StoreDayReported) -> str:
    """Record the opening or the close of a day. Returns the outcome."""
    told = report.store_day
    name = told_store(told.location, told.location_ref)
    place = store_place(desk.plan, name)
    if place is None:
        raise MappingError(
            f"The day {told.business_date} is of store {name!r}, which is none of our locations. Add "
            f"[locations.{name}] or give one that partner_code, then retry.",
            field="store",
        )
    if told.state != "open" and not desk.first_time("store_day", told.version or "1", canonical_hash(told)):
        return "duplicate"
    day = open_day(desk, place, Touched(store=name, date=told.business_date, currency=told.currency))
    if told.state == "open":
        desk.event("store_day.told_open", {"store": day.store, "date": day.date})
        return "processed"
    if day.control is not None and is_newer(day.version, told.version):
        desk.event("store_day.stale_ignored", {"version": told.version, "held": day.version})
        return "stale"
    day.control, day.version, day.checked = told, told.version, False
    day.closed_at = desk.now
    desk.process.currency = told.currency
    for reason in ("store.silent", "store_day.not_closed"):
        desk.close(reason, "the day was closed")
    watch_closed(desk, day)
    desk.event(
        "store_day.closed",
        {"store": day.store, "date": day.date, "tickets": told.tickets},
    )
    _count_at(desk, desk.now + desk.plan.policy.day_settle_s * SECOND)
    return "processed"


def take_touched(desk: Desk, touched: Touched) -> str:
    """A ticket came for a day that was not known, or not open any more. Returns the outcome."""
    place = store_place(desk.plan, touched.store)
    if place is None:
        raise MappingError(f"There is no store {touched.store!r} any more.", field="store")
    day = open_day(desk, place, touched)
    if day.control is not None:
        return count(desk, day)
    if not desk.decision.events:
        desk.event("store_day.told_open", {"store": day.store, "date": day.date})
    return "processed"


def open_day(desk: Desk, place: Place, told: Touched) -> DayState:
    """The day, made where it is new."""
    process, policy, currency, day = desk.process, desk.plan.policy, told.currency, told.date
    if process.day is not None:
        process.currency = process.currency or currency
        return process.day
    ends = day_end(day, place.zone, policy.day_ends_hour)
    process.day = DayState(store=told.store, place=place.id, date=day.isoformat(), opened_at=desk.now)
    process.known, process.channel, process.commitment = True, "till", "committed"
    process.connection = desk.message.source
    process.external_id = process.number = day_ref(told.store, day.isoformat())
    process.currency, process.placed_at = currency, desk.now
    process.mode = day_mode(desk.plan, process.connection, place, day)
    desk.event("store_day.opened", {"store": told.store, "date": day.isoformat()})
    watch_open(desk, process.day)
    desk.timer(LATE, max(desk.now, ends + policy.day_late_s * SECOND), Again())
    return process.day


def take_day_timer(desk: Desk, kind: str, day: DayState) -> str:
    """Do what a day's own message reminds of. Returns the outcome; one that time has overtaken is stale."""
    if kind == COUNT:
        return count(desk, day)
    if kind == WATCH:
        return watch(desk, day)
    if day.control is not None:
        desk.event("store_day.timer_over", {"store": day.store, "date": day.date})
        return "stale"
    text = (
        f"The day {day.date} of {day.store} ({desk.process.connection}) has ended and was not closed. Ask the store for "
        "its Z report; until it comes nothing of the day is posted in sum."
    )
    desk.case("store_day.not_closed", text)
    desk.event("store_day.not_closed", {"store": day.store, "date": day.date})
    return "processed"


def follow_day(desk: Desk) -> None:
    """After a person's word, or the ERP's: count again where something can be posted now."""
    process, day = desk.process, desk.process.day
    if day is None or day.control is None:
        return
    if GIVEN_UP in process.lifted:
        post_again(desk, day)
    if (day.left or day.untold) and not day.on_its_way and DIFFERENCE not in process.holds:
        _count_at(desk, desk.now)


def count(desk: Desk, day: DayState) -> str:
    """Compare what is held with what the close states, and post what is in no posting. Returns the outcome."""
    process, control = desk.process, day.control
    if control is None:
        desk.event("store_day.timer_over", {"store": day.store, "date": day.date})
        return "stale"
    rows = desk.book.tickets((process.connection, day.store, day.date))
    values = valued(rows)
    held = hold(values)
    found = differences(held, control)
    missing = gaps(held, control)
    day.tickets, day.total, day.checked = held.tickets, held.total, True
    if DIFFERENCE in process.lifted and not day.accepted:
        day.accepted = tuple((each.about, each.stated, each.held) for each in found)
    found = [each for each in found if (each.about, each.stated, each.held) not in day.accepted]
    standing = [_differs(day, process.currency, difference) for difference in found]
    standing += [_gap(day, till, ranges) for till, ranges in missing.items()]
    between = unfollowed(
        held.numbers, control.sequences, desk.book.before((process.connection, day.store, day.date))
    )
    standing += [_night(day, till, *numbers) for till, numbers in between.items()]
    standing += _currencies(day, held)
    _stand(desk, day, standing)
    _hold(desk, day, differs=bool(found) or len(held.currencies) > 1)
    _across(desk, day, values)
    _post(desk, day, rows, values, mixed=len(held.currencies) > 1)
    desk.event(
        "store_day.counted",
        {
            "store": day.store,
            "date": day.date,
            "tickets": held.tickets,
            "total": held.total,
            "differences": len(found),
            "missing": sum(last - first + 1 for ranges in missing.values() for first, last in ranges)
            + sum(last - first + 1 for _, first, last in between.values()),
            "left": day.left,
        },
    )
    if standing and desk.now < day.closed_at + RECOUNTED_S * SECOND:
        _count_at(desk, desk.now + RECOUNT_S * SECOND)
    return "processed"


def _post(
    desk: Desk,
    day: DayState,
    rows: Sequence[TicketRow],
    values: list[tuple[TicketRow, Value]],
    *,
    mixed: bool,
) -> None:
    route = desk.route
    if route is None or not route.erp or route.post == "each":
        day.left = 0
        return
    process = desk.process
    as_its_day = process.mode != "observe"
    live = {
        (row.till, row.sequence): value
        for row, value in values
        if (as_its_day if value.live is None else value.live)
    }
    if any(value.live for value in live.values()) and not as_its_day:
        process.mode = "live"  # its connection has gone live on this day, with no start named
    left = [
        (row, live[row.till, row.sequence])
        for row in unposted(rows, day.postings)
        if (row.till, row.sequence) in live
    ]
    day.left = len(left)
    if DIFFERENCE not in process.holds and not mixed:
        place = desk.plan.places.get(day.place, Place(id=day.place))
        rates = known_rates(place.tax_rates, (value for _, value in values))
        day.left = post_day(desk, day, left, rates)


def _across(desk: Desk, day: DayState, values: Sequence[tuple[TicketRow, Value]]) -> None:
    """Tell a person, once, of what was sold after the start on a day that had begun before it: it is not ours to post."""
    sold = [value for _, value in values if value.across]
    if not sold or day.across:
        return
    day.across = True
    connection, currency = desk.process.connection, desk.process.currency
    total = _figure(sum(value.total for value in sold), currency, "total")
    desk.case(
        "store_day.across_start",
        f"The day {day.date} of {day.store} had begun before {connection} went live, so that all of it is left to what posted "
        f"before. {len(sold)} tickets of it were sold after the start, {total} in all: see that they are posted there with "
        "their day, then close this case.",
    )


def _hold(desk: Desk, day: DayState, *, differs: bool) -> None:
    """What differs holds the first document only: a late ticket of a posted day makes a supplement whatever the close says."""
    process = desk.process
    first = not day.documents and not day.on_its_way
    if differs and first and DIFFERENCE not in process.lifted:
        process.holds[DIFFERENCE] = "what is held is not what the close states"
    else:
        process.holds.pop(DIFFERENCE, None)


def _stand(desk: Desk, day: DayState, standing: list[Standing]) -> None:
    """Open or renew the cases that the count asks for, close those that it no longer does."""
    names = [f"{reason}|{about}" for reason, about, _, _ in standing]
    for reason, about, text, field in standing:
        desk.case(reason, text, about=about, field=field)
    for name in desk.process.cases:
        if name not in names:
            reason, _, about = name.partition("|")
            accepted = about in {each for each, _, _ in day.accepted} and reason == "store_day.difference"
            why = "posted with this difference" if accepted else "the tickets that came since settle it"
            desk.close(reason, why, about=about)
    desk.process.cases = names


def _differs(day: DayState, currency: str, difference: Difference) -> Standing:
    where = f"till {difference.till}" if difference.till else "all tills"
    stated, held, apart = (
        _figure(amount, currency, difference.what)
        for amount in (difference.stated, difference.held, difference.held - difference.stated)
    )
    states = (
        f"the Z report states {stated}"
        if difference.named
        else f"the Z report does not name {difference.what}"
    )
    text = (
        f"{day.store}, {where}, {difference.what} of {day.date}: {states}, the tickets held come to "
        f"{held}, a difference of {apart}. Ask the store for what is missing, or for the right report; or post what is held "
        f"with this difference: on the case's page, or `crossdock cases release` (the hold '{DIFFERENCE}')."
    )
    return "store_day.difference", difference.about, text, difference.field


def _figure(amount: int, currency: str, what: str) -> str:
    if what == "tickets" or currency not in EXPONENTS:
        return str(amount)
    return f"{decimal_text(amount, currency)} {currency}"


def _gap(day: DayState, till: str, missing: list[tuple[int, int]]) -> Standing:
    shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in missing[:GAPS_SHOWN_MAX])
    more = f" and {len(missing) - GAPS_SHOWN_MAX} more gaps" if len(missing) > GAPS_SHOWN_MAX else ""
    text = (
        f"{day.store}, till {till} of {day.date}: tickets {shown}{more} are missing. A ticket that came and was not "
        "understood is among the cases: settle it there. Else ask the store to send them, or to say that these numbers "
        "were never used."
    )
    return "store_day.gap", till, text, ""


def _night(day: DayState, till: str, before: str, first: int, last: int) -> Standing:
    text = (
        f"{day.store}, till {till}: tickets {first if first == last else f'{first}-{last}'} are missing between its last of {before} "
        f"and its first of {day.date}. Ask the store to send them, or to say that these numbers were never used; then close "
        "this case."
    )
    return "store_day.gap", f"{till}/{before}", text, ""


def _currencies(day: DayState, held: Held) -> list[Standing]:
    if len(held.currencies) < 2:
        return []
    text = (
        f"{day.store} of {day.date} holds tickets in {' and '.join(held.currencies)}. One day is posted in one currency: "
        "correct the tickets at the store."
    )
    return [("store_day.currencies", "", text, "currency")]


def _count_at(desk: Desk, due: int) -> None:
    desk.timer(COUNT, due, _again(desk))


def _again(desk: Desk) -> Again:
    """What must be at hand when the day looks at itself: its connection and its name there."""
    return Again(request=desk.process.connection, intent=desk.process.external_id)
