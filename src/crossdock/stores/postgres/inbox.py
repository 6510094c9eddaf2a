"""Messages that are due: those of the partitions that this process has leased, each partition in its order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from crossdock.domain.state import Level, Needs, Snapshot, Stored, TicketRow, Unseen, runs_of
from crossdock.engine.messages import Message
from crossdock.engine.port import Batch, Claim, Hold
from crossdock.stores.postgres.floors import Floors
from crossdock.stores.postgres.intake import PARTITIONS, STATE_PARKED, Bodies, partition_of
from crossdock.stores.postgres.leases import INBOX, Leases
from crossdock.stores.postgres.session import Row, Session
from crossdock.stores.vault import Vault

CLAIM_BYTES_MAX = 64 * 1024 * 1024
PER_PARTITION_MIN = 8
SILENT_US = 10_000_000
"""A worker that was not heard of for so long is dead; before, it may have lost only its way to the database."""

_headers = msgspec.json.Decoder(dict[str, str])
_LEVELS = ("load_levels", "load_cells", "load_places", "load_untold_levels")
_UNSEEN = ("load_unseen", "load_unseen_of_places", "load_untold")


class Inbox:
    """Claims for the pipeline of one process. What it is at stands in memory; the marker of its batch in the database."""

    def __init__(self, owner: str, vault: Vault, bodies: Bodies) -> None:
        self._owner, self._vault, self._recent = owner, vault, bodies
        self.leases = Leases(INBOX, owner, [str(part) for part in range(PARTITIONS)], self._is_at)
        self._claimed: dict[int, tuple[int, int]] = {}
        """Message -> (its subject, its turn)."""
        self._floors = Floors()
        self._halved = 0
        self._suspects: dict[int, list[str]] = {}
        """Message -> the workers that may have died of it, one after another."""

    def tend(self, session: Session, now: int) -> None:
        """Inside a transaction: keep the leases; look at what a dead worker was at whose partitions are now ours."""
        before = frozenset(self.leases.parts)
        dead = self.leases.step(session, now)
        if not before.issuperset(self.leases.parts):
            self._floors.reset()
        for first, size, owner, killed in session.run("batches_of", INBOX, dead) if dead else ():
            if size == 1:
                self._suspects[first] = [*filter(None, killed.split(",")), owner]
            self._halved = min(self._halved or size, size)

    def claim(self, session: Session, limit: int, now: int) -> Claim:
        """Inside a transaction: the next due messages that are not claimed yet, and the mark of a batch begun."""
        rows, killed = self._suspect(session)
        if not rows:
            rows = self._due(session, max(1, min(limit, self._halved // 2)) if self._halved else limit, now)
        if not rows:
            return Claim(messages=[])
        rows = _bounded(rows)
        messages = self._messages(session, rows)
        self._claimed.update((row[0], (row[3], row[10])) for row in rows)
        self._floors.saw(now, min(turn for _, turn in self._claimed.values()))
        first = next(iter(self._claimed))
        session.run("begin_batch", INBOX, self._owner, first, len(messages), len(killed), ",".join(killed))
        return Claim(messages=messages, crashes=len(killed))

    def _suspect(self, session: Session) -> tuple[list[Row], list[str]]:
        """A message to be tried alone, and the workers that died of it. With the second it is quarantined: so they must be dead.

        As long as that is not certain its partition rests.
        """
        resting = set()
        for first, killed in tuple(self._suspects.items()):
            rows = [row for row in session.run("due_message", first) if self._may(row)]
            if not rows:
                del self._suspects[first]
                continue
            if len(killed) > 1:
                silent: dict[str, bool] = dict(session.run("silent_members", INBOX, killed, SILENT_US))
                killed = self._suspects[first] = [owner for owner in killed if owner in silent]
                if len(killed) > 1 and not all(silent.values()):
                    resting.add(str(partition_of(rows[0][3])))
                    continue
            self._rest(resting)
            return rows, killed
        self._rest(resting)
        return [], []

    def _rest(self, parts: Iterable[str]) -> None:
        """Claim nothing from these partitions for now, and keep them: another worker would not know why."""
        self.leases.keeps = frozenset(parts)

    def _may(self, row: Row) -> bool:
        return row[0] not in self._claimed and str(partition_of(row[3])) in self.leases.parts

    def _due(self, session: Session, limit: int, now: int) -> list[Row]:
        parts = [int(part) for part in self.leases.parts if part not in self.leases.keeps]
        if not parts:
            return []
        floor, claimed = self._floors.floor(now), list(self._claimed) or [0]
        each = min(limit, max(PER_PARTITION_MIN, 4 * limit // len(parts)))
        rows = session.run("due_messages", parts, floor, limit, each, claimed)
        if len(rows) < limit and each < limit and len(rows) >= each:
            rows = session.run("due_messages", parts, floor, limit, limit, claimed)
        return rows

    def give_back(self, messages: Sequence[Message]) -> None:
        """Forget a claim whose batch was not committed; the messages are due again."""
        for message in messages:
            self._claimed.pop(message.id, None)

    def rest(self, session: Session) -> None:
        """Inside a transaction: forget every claim, and the mark of the batch begun; let others have the partitions."""
        self._claimed.clear()
        self.leases.release(session)

    def claimed(self) -> Collection[int]:
        """Messages that this process is at."""
        return set(self._claimed)

    def unclaim_all_but(self, kept: Collection[int]) -> None:
        """Forget claims of a transaction that came to nothing; the messages are due again."""
        self._claimed = {message: at for message, at in self._claimed.items() if message in kept}

    def committed(self, batch: Batch) -> None:
        """After the transaction: forget what left."""
        self._halved = 0
        handled = [f.message for f in batch.finished] + [d.message for d in batch.delayed]
        for message in (*handled, *(p.message for p in batch.parked), *batch.waiting):
            self._claimed.pop(message.id, None)
            self._suspects.pop(message.id, None)
            self._recent.drop(message.id)

    def _is_at(self, part: str) -> bool:
        return any(partition_of(subject) == int(part) for subject, _ in tuple(self._claimed.values()))

    # Reading

    def message(self, session: Session, number: int) -> Message | None:
        """One message of the inbox, whatever its state."""
        return next(iter(self._messages(session, session.run("one_message", number))), None)

    @staticmethod
    def holds(session: Session, subjects: Sequence[int]) -> dict[tuple[int, str], Hold]:
        """The streams of these subjects that wait for a head."""
        rows = session.run("read_holds", list(dict.fromkeys(subjects))) if subjects else []
        return {
            (subject, source): Hold(message=message, kind=kind, parked=state == STATE_PARKED)
            for subject, source, message, kind, state in rows
        }

    @staticmethod
    def load(session: Session, needs: Needs) -> Snapshot:
        """One query a kind, in one go."""
        asked = [
            (name, *(list(column) for column in zip(*rows, strict=True)))
            for name, rows in (
                ("load_processes", [(order,) for order in needs.orders]),
                ("load_levels", [(sku,) for sku in needs.skus]),
                ("load_cells", needs.cells),
                ("load_products", [(sku,) for sku in dict.fromkeys((*needs.skus, *needs.cards))]),
                ("load_seen", needs.seen),
                ("load_days", needs.days),
                ("load_tickets", needs.tickets),
                ("load_runs", needs.runs),
                ("load_firsts", needs.firsts),
                ("load_pulses", [(connection,) for connection in needs.pulses]),
                ("load_places", [(place,) for place in needs.places]),
                ("load_unseen", needs.unseen),
                ("load_unseen_of_places", [(place,) for place in needs.places]),
                ("load_untold", [(token,) for token in needs.tokens]),
                ("load_untold_levels", [(token,) for token in needs.tokens]),
            )
            if rows
        ]
        answers = session.together(*asked) if asked else []
        found = {ask[0]: answer for ask, answer in zip(asked, answers, strict=True)}
        return _snapshot(lambda name: found.get(name, ()))

    def _messages(self, session: Session, rows: Sequence[Row]) -> list[Message]:
        opened: dict[int, tuple[Mapping[str, str], bytes]] = {}
        salts: dict[int, bytes] = {}
        for row in rows:
            number, salt = row[0], row[13]
            recent = self._recent.get(number)
            if recent is not None and recent[2] == salt:
                opened[number] = recent[:2]
            else:
                salts[number] = salt
        for number, headers, sealed in session.run("read_bodies", list(salts)) if salts else ():
            opened[number] = (_headers.decode(headers), self._vault.open(salts[number], sealed))
        return [_message(row, *opened[row[0]]) for row in rows if row[0] in opened]


def _snapshot(found: Callable[[str], Sequence[Row]]) -> Snapshot:
    tickets: dict[tuple[str, str, str], list[TicketRow]] = {}
    for row in found("load_tickets"):
        connection, store, day, till, sequence, subject, at, value = row
        ticket = TicketRow(connection, store, day, till, sequence, subject, at, msgspec.Raw(value.encode()))
        tickets.setdefault(ticket.key, []).append(ticket)
    levels = [row for name in _LEVELS for row in found(name)]
    return Snapshot(
        orders={
            subject: Stored(subject, version, msgspec.Raw(value.encode()))
            for subject, version, value in found("load_processes")
        },
        levels={(row[0], row[1]): Level(*row) for row in levels},
        products={sku: msgspec.Raw(value.encode()) for sku, value in found("load_products")},
        seen={(s, source, kind, v): digest for s, source, kind, v, digest in found("load_seen")},
        days={(connection, ref): stage for connection, ref, stage in found("load_days")},
        tickets={key: tuple(rows) for key, rows in tickets.items()},
        runs=runs_of(found("load_runs")),
        firsts={(c, store, till): first for c, store, till, first in found("load_firsts")},
        pulses={(connection, store): at for connection, store, at in found("load_pulses")},
        unseen=tuple(dict.fromkeys(Unseen(*row) for name in _UNSEEN for row in found(name))),
    )


def _message(row: Row, headers: Mapping[str, str], body: bytes) -> Message:
    number, source, kind, subject, lane, attempt, received, parent, position, origin, _, _, trace, _ = row
    return Message(
        id=number,
        source=source,
        kind=kind,
        subject=subject,
        lane=lane,
        attempt=attempt,
        received_at=received,
        trace=trace,
        headers=headers,
        body=body,
        parent=parent,
        position=position,
        origin=origin,
    )


def _bounded(rows: list[Row]) -> list[Row]:
    """The first of these whose bodies can be read together; always one."""
    total = 0
    for at, row in enumerate(rows):
        total += row[11]
        if at and total > CLAIM_BYTES_MAX:
            return rows[:at]
    return rows
