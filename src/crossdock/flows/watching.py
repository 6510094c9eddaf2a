"""Stores that fall silent while others of their connection sell: in an open day, or before their next one has begun.

A day looks at itself while it is open. Once it is closed it looks for the day that follows, from the hour on at which it had
begun itself, until that is there: a store that never sends its first ticket has no day of its own that could look.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crossdock.domain.store_day import DayState, day_end
from crossdock.flows.day_book import day_ref, store_place
from crossdock.flows.desk import SECOND, Again, Desk, moment

WATCH = "store_day.watch"
FOLLOWING_DAYS_MAX = 14
"""How long a store is expected back, in days; one that is closed for longer is not expected any more."""
KNOWN_S = 7 * 86_400
"""What has been heard within this time is a store that sells."""
HOUR = 3600 * SECOND


def following(day: date) -> list[str]:
    """The dates of the days that may follow one."""
    return [(day + timedelta(days=n)).isoformat() for n in range(1, FOLLOWING_DAYS_MAX + 1)]


def watch_open(desk: Desk, day: DayState) -> None:
    """Look at a day that was opened, in time."""
    _again_at(desk, day, desk.now + desk.plan.policy.silence_s * SECOND)


def watch_closed(desk: Desk, day: DayState) -> None:
    """Look for the day after one that was closed, in time."""
    day.silent = False
    _again_at(desk, day, _expected(desk, day) + desk.plan.policy.silence_s * SECOND)


def watch(desk: Desk, day: DayState) -> str:
    """Tell a person of a store that is silent while others sell; look again in time. Returns the outcome."""
    if desk.now < day.watch_at or (day.control is not None and not day.watch_at):
        desk.event("store_day.timer_over", {"store": day.store, "date": day.date})
        return "stale"
    if day.control is not None and (_followed(desk, day) or _given_up(desk, day)):
        _tell(desk, day, silent=False, since=0)
        day.watch_at = 0
        return "processed"
    limit = desk.plan.policy.silence_s * SECOND
    heard = desk.book.heard(desk.process.connection)
    since = max(heard.get(day.store, 0), day.opened_at)
    others = _most_sell(desk, day, heard) if day.control is not None else _one_sells(desk, day, heard)
    silent = desk.now - since >= limit and others
    _tell(desk, day, silent=silent, since=since)
    often = max(limit if day.control is not None and not silent else limit // 4, SECOND)
    _again_at(desk, day, max(since + limit, desk.now + often))
    return "processed"


def _tell(desk: Desk, day: DayState, *, silent: bool, since: int) -> None:
    if silent and not day.silent:
        minutes = (desk.now - since) // (60 * SECOND)
        begun = "" if day.control is None else f", and has begun no day since that of {day.date}"
        desk.case(
            "store.silent",
            f"{day.store} ({desk.process.connection}) has sent no ticket for {minutes} minutes{begun}, while other stores "
            "sell. Call the store, or look at its line; what it sells meanwhile comes later and is applied once.",
        )
        desk.event("store.silent", {"store": day.store, "date": day.date, "minutes": minutes})
    elif day.silent and not silent:
        desk.close("store.silent", "it is heard again")
        desk.event("store.heard", {"store": day.store, "date": day.date})
    else:
        desk.event("store_day.watched", {"store": day.store, "date": day.date})
    day.silent = silent


def _one_sells(desk: Desk, day: DayState, heard: dict[str, int]) -> bool:
    limit = desk.plan.policy.silence_s * SECOND
    return any(store != day.store and desk.now - at < limit for store, at in heard.items())


def _most_sell(desk: Desk, day: DayState, heard: dict[str, int]) -> bool:
    """Whether half of the others sell, of its own zone where there are some: on a Sunday a few airports do."""
    known = [store for store, at in heard.items() if store != day.store and desk.now - at < KNOWN_S * SECOND]
    zone = _zone(desk, day.store)
    peers = [store for store in known if _zone(desk, store) == zone] or known
    limit = desk.plan.policy.silence_s * SECOND
    selling = sum(desk.now - heard[store] < limit for store in peers)
    return selling > 0 and 2 * selling >= len(peers)


def _zone(desk: Desk, store: str) -> str:
    place = store_place(desk.plan, store)
    return "UTC" if place is None else place.zone


def _expected(desk: Desk, day: DayState) -> int:
    """When the store should begin its next day: at the hour, by its own clock, at which it began this one."""
    zone = ZoneInfo(_zone(desk, day.store))
    ends = day_end(date.fromisoformat(day.date), zone.key, desk.plan.policy.day_ends_hour)
    began: time = moment(day.opened_at).astimezone(zone).time()
    last = moment(ends).astimezone(zone)
    found = datetime.combine(last.date(), began, tzinfo=zone)
    if found < last:
        found = datetime.combine(last.date() + timedelta(days=1), began, tzinfo=zone)
    return int(found.timestamp()) * SECOND


def _followed(desk: Desk, day: DayState) -> bool:
    """Whether a later day of the store is known: that looks at itself."""
    dates = following(date.fromisoformat(day.date))
    return any(desk.book.stage(desk.process.connection, day_ref(day.store, each)) for each in dates)


def _given_up(desk: Desk, day: DayState) -> bool:
    return desk.now > _expected(desk, day) + FOLLOWING_DAYS_MAX * 24 * HOUR


def _again_at(desk: Desk, day: DayState, due: int) -> None:
    """Only the last look that was asked for counts; those before it find the day later than themselves."""
    day.watch_at = due
    desk.timer(WATCH, due, Again(request=desk.process.connection, intent=desk.process.external_id))
