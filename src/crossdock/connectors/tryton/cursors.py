"""How far a feed has been read. A cursor is JSON and says how far a pass has come, and from when on the next one asks.

A pass goes by id, and may take long: what changes meanwhile behind it, or is moved by others, is met by the next one, which
asks from where this one *began*. Passes overlap, for what was written first may be committed last.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from crossdock.connectors.tryton.rpc import Ask, Client, moment_of

OVERLAP = timedelta(seconds=60)


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """after: the last id of this pass; warehouse: whose levels it is at; since: what it asks for, "" for all; seen: the
    latest change when the pass began."""

    after: int = 0
    warehouse: str = ""
    since: str = ""
    seen: str = ""

    def on(self, after: int) -> Cursor:
        """The same pass, further on."""
        return Cursor(after=after, since=self.since, seen=self.seen)

    def over(self, overlap: timedelta) -> Cursor:
        """The pass is over: where the next one begins."""
        return Cursor(since=max(self.since, earlier(self.seen, overlap)))


def latest(client: Client, *models: str) -> Ask[str]:
    """When the latest of all records was made or written, by Tryton's own clock; "" where there is none."""
    found = ""
    for model in models:
        for field in ("write_date", "create_date"):
            rows = yield from client.search(
                model, [[field, "!=", None]], (field,), limit=1, order=[[field, "DESC"]]
            )
            found = max([found, *(moment_of(row[field]) for row in rows)])
    return found


def earlier(seen: str, overlap: timedelta) -> str:
    """A time less the overlap of passes."""
    return (datetime.fromisoformat(seen) - overlap).isoformat() if seen else ""
