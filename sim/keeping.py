"""What retention may not touch, asked of the store in the simulation's own words, at the moment that something has gone."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from sim.world import Violation

NEEDED = {
    "it is still to be handled": "select id from inbox where id not in (select message from body)",
    "its order is not finished": "select m.id from message m join process p on p.subject = m.subject "
    "where p.finished = 0 and m.id in (select value from json_each(?1))",
    "its order is somebody's case": "select m.id from message m join case_file c on c.subject = m.subject "
    "where c.closed_at = 0 and m.id in (select value from json_each(?1))",
    "its order has a call to be made": "select m.id from message m join outbox o on o.subject = m.subject "
    "where m.id in (select value from json_each(?1))",
}


def check_kept(database: apsw.Connection, gone: Sequence[int]) -> None:
    """Of these messages the bodies have just gone: nothing that is still needed, by a retry or by a person."""
    for why, sql in NEEDED.items():
        bindings = (msgspec.json.encode(list(gone)).decode(),) if "?1" in sql else ()
        for (number,) in database.execute(sql, bindings):
            raise Violation("kept", f"The body of message {number} has gone, and {why}.")
