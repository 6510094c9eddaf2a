"""What is polled: orders that changed, payouts and their statements, page by page with a cursor of ours.

A round reads everything since a time, in pages that Shopify links; the next round begins a little before the newest
that this one saw, so that nothing is missed that Shopify had not shown yet. What is read twice is known by its version.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from urllib.parse import parse_qs, urlsplit

import msgspec

from crossdock.errors import RejectedError
from crossdock.model import Instant
from crossdock.model.commands import Poll
from crossdock.sdk.calls import Calls, Intent, Page, get, refused

OVERLAP_S = 120
"""How far a round reaches back before the newest change that the last one saw."""
SETTLED_S = 10
"""Age of the newest change that is read: a younger one may be followed by another under the same second."""
PAGE_MAX = "250"

_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')


class Feed(msgspec.Struct, frozen=True):
    """A list of the REST API: where, the page's kind, what it is asked with, and by what it advances."""

    path: str
    kind: str
    query: dict[str, str]
    by: str = ""


FEEDS = {
    "orders": Feed("orders.json", "page.orders", {"status": "any", "order": "updated_at asc"}, "updated_at"),
    "payouts": Feed("shopify_payments/payouts.json", "page.payouts", {}),
    "balance": Feed("shopify_payments/balance/transactions.json", "page.balance", {}),
}


class Cursor(msgspec.Struct, omit_defaults=True):
    """Where we are. since: what this round began with; seen: the newest change so far; page: Shopify's own mark."""

    since: str = ""
    seen: str = ""
    page: str = ""


class _Changed(msgspec.Struct, gc=False):
    updated_at: Instant | None = None


class _Orders(msgspec.Struct, gc=False):
    orders: list[_Changed] = []


def poll(version: str, command: Poll, intent: Intent, start: str) -> Calls:
    """Read the next page of a feed; `start` is where the very first round begins."""
    feed = FEEDS.get(command.feed)
    if feed is None:
        raise RejectedError(f"Shopify has no feed {command.feed!r}; it has {', '.join(FEEDS)}.", field="feed")
    cursor = _read(command.cursor) or Cursor(since=(start or command.since or intent.now) if feed.by else "")
    path = f"/admin/api/{version}/{feed.path}"
    reply = yield get(path, query=_query(feed, cursor, intent.now), accept=(400,) if cursor.page else ())
    if reply.status in (400, 404) and cursor.page:
        # Shopify forgets its page marks; the round begins again, and what was read is known by its versions.
        cursor = Cursor(since=cursor.since)
        reply = yield get(path, query=_query(feed, cursor, intent.now))
    if reply.status >= 400:
        return refused(reply)
    seen = cursor.seen
    if feed.by:
        for order in reply.decode(_Orders).orders:
            if order.updated_at is not None:
                seen = max(seen, order.updated_at.astimezone(UTC).isoformat())
    following = _next_page(reply.headers.get("link", ""))
    more = bool(following) and following != cursor.page
    if more:
        after = Cursor(since=cursor.since, seen=seen, page=following)
    else:
        after = Cursor(since=_moved(seen, -OVERLAP_S) if seen else cursor.since)
    return Page(kind=feed.kind, body=reply.body, cursor=msgspec.json.encode(after).decode(), more=more)


def _query(feed: Feed, cursor: Cursor, now: str) -> dict[str, str]:
    """A page is asked for by its mark alone; Shopify refuses any other filter beside it."""
    if cursor.page:
        return {"limit": PAGE_MAX, "page_info": cursor.page}
    query = {"limit": PAGE_MAX, **feed.query}
    if feed.by and cursor.since:
        query[f"{feed.by}_min"] = cursor.since
    if feed.by and now:
        query[f"{feed.by}_max"] = _moved(now, -SETTLED_S)
    return query


def _next_page(link: str) -> str:
    """The mark of the next page out of a Link header; "" on the last one."""
    found = _NEXT.search(link)
    if found is None:
        return ""
    return parse_qs(urlsplit(found.group(1)).query).get("page_info", [""])[0]


def _moved(time: str, seconds: int) -> str:
    return (msgspec.convert(time, Instant) + timedelta(seconds=seconds)).isoformat()


def _read(cursor: str) -> Cursor | None:
    """Our own cursor; one that is not readable begins anew rather than stopping the feed for ever."""
    if not cursor:
        return None
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except msgspec.DecodeError:
        return None
