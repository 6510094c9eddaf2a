"""Messages of the inbox with their bodies, opened: for the core, and for the edge that reads ahead."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from crossdock.engine.messages import Message
from crossdock.stores.cache import Recent
from crossdock.stores.sqlite.database import Database
from crossdock.stores.vault import Vault

NOTHING: tuple[Mapping[str, str], bytes] = ({}, b"")
Bodies = Recent[int, tuple[Mapping[str, str], bytes]]


def read_messages(
    database: Database, vault: Vault, ids: Sequence[int], recent: Bodies, read: Container[int] = ()
) -> list[Message]:
    """Those of these that are in the inbox, by id. What is `recent` is not read and opened again.

    At its first attempt one that is in `read` comes without headers and body.
    """
    rows = sorted(database.ask("read_messages", ids))
    known = {  # once: another thread may forget one meanwhile
        row[0]: NOTHING if row[0] in read and not row[5] else recent.get(row[0]) for row in rows
    }
    missing = [number for number, found in known.items() if found is None]
    stored = {
        number: (headers, bytes.fromhex(raw)) for number, headers, raw in database.ask("read_bodies", missing)
    }
    messages = []
    for row in rows:
        number, source, kind, subject, lane, attempt, received, parent, position, origin, trace, salt = row
        found = known[number]
        if found is None:
            headers, sealed = stored[number]
            found = (headers, vault.open(bytes.fromhex(salt), sealed))
        messages.append(
            Message(
                id=number,
                source=source,
                kind=kind,
                subject=subject,
                lane=lane,
                attempt=attempt,
                received_at=received,
                trace=trace,
                headers=found[0],
                body=found[1],
                parent=parent,
                position=position,
                origin=origin,
            )
        )
    return messages
