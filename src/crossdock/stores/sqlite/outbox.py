"""Effects and marks: taken in order per (connection, key), settled together with their replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossdock.engine.messages import Arrival
from crossdock.engine.port import ClaimedEffect, ClaimedMark, EffectResult, MarkResult, Want
from crossdock.stores.sqlite.cache import Memory
from crossdock.stores.sqlite.database import Database, Program
from crossdock.stores.sqlite.intake import Intake
from crossdock.stores.vault import Vault

READY, DELAYED, BEHIND, CLAIMED, PARKED, IN_DOUBT, HELD = range(7)
MARK_READY, MARK_DELAYED, MARK_CLAIMED, MARK_SENT = 0, 1, 3, 4
STATES = {"parked": PARKED, "in_doubt": IN_DOUBT, "retry": DELAYED, "pending": DELAYED, "released": READY}


class _Row(msgspec.Struct, frozen=True, array_like=True):
    id: int
    connection: str
    operation: str
    subject: int
    intent: str
    attempt: int
    unclear: int
    resume: str
    command: msgspec.Raw
    document: int
    trace: str
    lease_until: int
    staged_at: int


_rows = msgspec.json.Decoder(list[_Row])
_due = msgspec.json.Decoder(list[tuple[int, str, int, int]])


class Outbox:
    """Claims and settles for the dispatcher."""

    def __init__(self, database: Database, vault: Vault, intake: Intake, memory: Memory) -> None:
        self._db, self._vault, self._intake, self._documents = database, vault, intake, memory.documents

    def claim(self, wants: Sequence[Want]) -> list[ClaimedEffect]:
        """Inside a transaction: take due heads, in the order staged, connection after connection."""
        taken: list[tuple[int, int]] = []
        for want in wants:
            text = self._db.run("ready_effects", want.connection, want.effects_max, want.only)[0][0]
            taken += [(number, want.lease_until) for number in want.choose(_due.decode(text))]
        if not taken:
            return []
        program = Program()
        program.add_all("effect_claimed", taken)
        self._db.run_program(program)
        rows = _rows.decode(self._db.text("read_claimed", taken, "[]"))
        documents = self._read([(row.subject, row.document) for row in rows if row.document])
        return [_effect(row, documents) for row in sorted(rows, key=lambda row: row.id)]

    def _read(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[bytes, bytes]]:
        """Documents by subject and version: from memory where they have just been written."""
        found: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        missing: list[tuple[int, int]] = []
        for key in wanted:
            known = self._documents.get(key)
            if known is not None:
                found[key] = known
            else:
                missing.append(key)
        for subject, version, value, party, salt in self._db.ask("read_documents", missing):
            opened = self._vault.open(bytes.fromhex(salt), bytes.fromhex(party))
            found[subject, version] = (value.encode(), opened)
        return found

    def settle(self, results: Sequence[EffectResult], now: int) -> None:
        """Inside a transaction: record outcomes, let the next of each key go, take the replies in."""
        program = Program()
        replies: list[Arrival] = []
        counts: dict[tuple[str, str], int] = {}
        for result in results:
            effect = result.effect
            if result.state == "done":
                key = (effect.connection, f"done {effect.operation}")
                counts[key] = counts.get(key, 0) + 1
                program.add("effect_left", *_left(effect, "done", result.reference), now)
            else:
                given_back = 0 if result.spent else 1
                state = STATES[result.state]
                program.add(
                    "outbox_state",
                    effect.id,
                    state,
                    result.due_at,
                    given_back,
                    int(result.unclear),
                    result.resume,
                )
            if result.text:
                program.add("attempt", "effect", effect.id, effect.attempt, result.kind, result.text, now)
            if result.reply is not None:
                replies.append(result.reply)
            replies += result.told
        program.count(counts)
        if replies:
            self._intake.plan(replies, now, program)
        self._db.run_program(program)

    # Latest

    def claim_marks(self, wants: Sequence[Want]) -> list[ClaimedMark]:
        """Inside a transaction: take due keys."""
        marks: list[ClaimedMark] = []
        program = Program()
        for want in wants:
            text = self._db.run("ready_marks", want.connection, want.limit)[0][0]
            for connection, operation, key, attempt, marked_at, sent in msgspec.json.decode(text):
                program.add("mark_claimed", connection, operation, key, want.lease_until)
                marks.append(
                    ClaimedMark(
                        connection=connection,
                        operation=operation,
                        key=key,
                        attempt=attempt + 1,
                        marked_at=marked_at,
                        sent=sent,
                    )
                )
        self._db.run_program(program)
        return marks

    def settle_marks(self, results: Sequence[MarkResult], now: int) -> None:
        """Inside a transaction: what was sent is known; what was marked again is due again."""
        program = Program()
        for result in results:
            mark = result.mark
            state = MARK_SENT if result.sent is not None or result.due_at == 0 else MARK_DELAYED
            program.add(
                "mark_settled",
                mark.connection,
                mark.operation,
                mark.key,
                state,
                result.due_at,
                result.sent,
                now,
            )
        replies = [result.reply for result in results if result.reply is not None]
        if replies:
            self._intake.plan(replies, now, program)
        self._db.run_program(program)


def _effect(row: _Row, documents: Mapping[tuple[int, int], tuple[bytes, bytes]]) -> ClaimedEffect:
    value, party = documents.get((row.subject, row.document), (b"", b""))
    return ClaimedEffect(
        id=row.id,
        connection=row.connection,
        operation=row.operation,
        subject=row.subject,
        intent=row.intent,
        attempt=row.attempt,
        unclear=bool(row.unclear),
        resume=row.resume,
        command=bytes(row.command),
        document=row.document,
        value=value,
        party=party,
        trace=row.trace,
        lease_until=row.lease_until,
        staged_at=row.staged_at,
    )


def _left(effect: ClaimedEffect, outcome: str, reference: str) -> tuple[Any, ...]:
    return (
        effect.id,
        effect.subject,
        effect.connection,
        effect.operation,
        effect.intent,
        outcome,
        reference,
        effect.attempt,
    )
