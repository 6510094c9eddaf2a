"""Running messages again from their raw bytes, as far as these are kept; each replay names its actor and its reason."""

from __future__ import annotations

from datetime import datetime

import msgspec

from crossdock.console.acting import require_named
from crossdock.console.face import Face
from crossdock.engine.messages import HUB, Arrival, Receipt, subject_id
from crossdock.errors import MappingError, NotFoundError, RejectedError
from crossdock.stores.sqlite.reads import TIMELINE_ROWS_MAX

REPLAY_MAX = 1_000
REPLAYS_PER_S_MAX = 100
"""A bulk replay takes a tenth of what a small machine handles."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay took in again. `next`: pass it as `after` to go on; "" where nothing is left.

    `repeated`: what the same request, by its key, had taken in before. `gone`: what could not, for its raw bytes are not
    kept any more.
    """

    accepted: int
    repeated: int = 0
    gone: int = 0
    next: str = ""


def replay_order(face: Face, subject: int, actor: str, reason: str, once: str = "") -> Replayed:
    """Run everything that ever came about an order again, from its raw bytes, in order. `once`: as for a case."""
    require_named(actor, reason)
    with face.reads() as reads:
        rows = reads.rows("timeline_messages", subject, TIMELINE_ROWS_MAX)
        messages = [(row[0], subject) for row in rows if row[1] != HUB and row[5] != "split" and not row[9]]
    if not messages:
        raise NotFoundError(f"Nothing of {subject_id(subject)} is kept that could be replayed.")
    replayed = _again(face, messages, f"replay by {actor}: {reason}", once)
    if replayed.gone == len(messages):
        raise _none_kept(subject_id(subject), replayed.gone)
    return replayed


def replay_since(
    face: Face,
    connection: str,
    since: datetime,
    *,
    after: int,
    limit: int,
    actor: str,
    reason: str,
    once: str = "",
    now: int = 0,
) -> Replayed:
    """Run what a connection has sent since a time again, at most `limit` messages of it, in order.

    With `now` it is paced, lest live messages wait behind it: each is due a little later than the one before, the
    first after what other replays have left.
    """
    require_named(actor, reason)
    if connection not in face.sources():
        raise MappingError(f"connection: there is no connection {connection[:60]!r}.", field="connection")
    if since.tzinfo is None:
        raise MappingError("since: say the time with its offset, as in 2026-03-01T00:00:00Z.", field="since")
    began = int(since.timestamp() * 1_000_000)
    with face.reads() as reads:
        rows = reads.rows("messages_since", connection, began, after, limit)
        first = max(now, reads.rows("replays_until")[0][0]) if now else 0
    messages = [(row[0], row[1]) for row in rows]
    replayed = _again(face, messages, f"replay by {actor}: {reason}", once, first)
    following = str(rows[-1][0]) if len(rows) == limit else ""
    if messages and replayed.gone == len(messages) and not (after or following):
        raise _none_kept(f"what {connection} has sent since {since:%Y-%m-%d %H:%M %Z}", replayed.gone)
    return msgspec.structs.replace(replayed, next=following)


def _none_kept(what: str, gone: int) -> RejectedError:
    """What was asked for has no bytes that could be run again."""
    return RejectedError(
        f"Replay of {what}: the raw bytes of its {gone} messages are not kept any more; their time was over (bodies_days), or a "
        "person was erased. What was decided stands. Have the source send it again, or feed it from your own files.",
        field="order",
    )


def _again(face: Face, messages: list[tuple[int, int]], origin: str, once: str, first: int = 0) -> Replayed:
    """What was taken in, known already, not kept. From `first` on, one after the other at the pace of replays; all at once for 0."""
    arrivals: list[Arrival] = []
    with face.reads() as reads:
        for number, subject in messages:
            raw = reads.raw(number, subject)
            if raw is None or not raw["body"]:
                continue  # beyond its retention, or erased
            arrivals.append(
                Arrival(
                    source=raw["source"],
                    kind=raw["kind"],
                    body=raw["body"],
                    headers=raw["headers"],
                    subject=subject,
                    origin=origin,
                    parent=number,
                    delivery_id=f"replay\x1f{once}\x1f{number}" if once else "",
                    due_at=first + len(arrivals) * 1_000_000 // REPLAYS_PER_S_MAX if first else 0,
                )
            )
    receipts: list[Receipt] = []
    for start in range(0, len(arrivals), 200):
        receipts += face.accept(arrivals[start : start + 200])
    repeated = sum(receipt.duplicate for receipt in receipts)
    gone = len(messages) - len(arrivals)
    return Replayed(accepted=len(receipts) - repeated, repeated=repeated, gone=gone)
