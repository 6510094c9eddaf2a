"""Effects and latest values: one process at a time has a connection, so that its pace and breaker are right by themselves.

A claim is a row of its own besides: whoever dies leaves claims that are taken over as "may have happened", and what a late
one reports is taken only as long as nobody has tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crossdock.engine.messages import Arrival
from crossdock.engine.port import ClaimedEffect, ClaimedMark, EffectResult, MarkResult, Want
from crossdock.stores.postgres.floors import Floors
from crossdock.stores.postgres.intake import Intake, count
from crossdock.stores.postgres.leases import CONNECTION, Leases
from crossdock.stores.postgres.session import Row, Session
from crossdock.stores.postgres.writing import (
    CLAIMED,
    DELAYED,
    DOCUMENT_VERSIONS_MAX,
    IN_DOUBT,
    PARKED,
    READY,
    Documents,
)
from crossdock.stores.vault import Vault

MARK_DELAYED, MARK_SENT = 1, 4
STATES = {"parked": PARKED, "in_doubt": IN_DOUBT, "retry": DELAYED, "pending": DELAYED, "released": READY}
REPORTABLE = (CLAIMED, DELAYED, READY)
"""A claim that was taken over, and not tried again yet, may still be reported."""

Document = tuple[bytes, bytes]


class Outbox:
    """Claims and settles for the dispatcher of one process."""

    def __init__(self, owner: str, vault: Vault, intake: Intake, documents: Documents) -> None:
        self._owner, self._vault, self._intake, self._documents = owner, vault, intake, documents
        self.leases = Leases(CONNECTION, owner, (), self._is_at)
        self._at: dict[int, str] = {}
        """Effects that this process has claimed and not settled -> their connection."""
        self._unsure = False
        """A transaction came to nothing, or its reply was lost: effects may be claimed by us that we never got."""
        self._effect_floors: dict[str, Floors] = {}
        self._mark_floors: dict[str, Floors] = {}

    def tend(self, session: Session, now: int) -> None:
        """Inside a transaction: keep the leases."""
        before = frozenset(self.leases.parts)
        self.leases.step(session, now)
        if not before.issuperset(self.leases.parts):
            self._effect_floors.clear()
            self._mark_floors.clear()

    def claim(self, session: Session, wants: Sequence[Want], now: int) -> list[ClaimedEffect]:
        """Inside a transaction: take due heads, in the order in which they became due, connection after connection."""
        held = self._held(session, wants)
        if self._unsure:
            self._give_back_lost(session)
        rows: list[Row] = []
        for want in wants:
            if want.connection in held:
                floors = self._effect_floors.setdefault(want.connection, Floors())
                asked = (want.connection, floors.floor(now), want.effects_max, want.only)
                due = session.run("due_effects", *asked)
                if due:
                    floors.saw(now, due[0][4])
                    chosen = want.choose([row[:4] for row in due])
                    rows += session.run("claim_effects", chosen, want.lease_until, self._owner)
        if not rows:
            return []
        subjects: dict[int, Row] = {
            row[0]: row for row in session.run("find_traces", sorted({row[3] for row in rows}))
        }
        documents = self._read(session, [(row[3], row[9]) for row in rows if row[9]], subjects)
        effects = [_effect(row, subjects[row[3]][2], documents) for row in sorted(rows)]
        self._at.update((effect.id, effect.connection) for effect in effects)
        return effects

    def at(self) -> dict[int, str]:
        """What this process has claimed and not settled."""
        return dict(self._at)

    def again_at(self, before: Mapping[int, str]) -> None:
        """A transaction has come to nothing, as far as is known: what was claimed before it is, what was settled in it is not."""
        self._at, self._unsure = dict(before), True

    def _give_back_lost(self, session: Session) -> None:
        """Inside a transaction: what was claimed for us, and the reply was lost, was never begun: it is due again."""
        rows = [
            (number, READY, 0, 1, unclear, resume)
            for number, unclear, resume in session.run("lost_claims", self._owner, list(self._at))
        ]
        if rows:
            session.run("outbox_states", *(list(column) for column in zip(*rows, strict=True)))
        self._unsure = False

    def _held(self, session: Session, wants: Sequence[Want]) -> frozenset[str]:
        """The wanted connections that are this process's to work on, until the transaction ends."""
        return frozenset(self.leases.held_now(session, [want.connection for want in wants]))

    def _read(
        self, session: Session, wanted: Sequence[tuple[int, int]], subjects: Mapping[int, Row]
    ) -> dict[tuple[int, int], Document]:
        """Documents by subject and version: from memory where they have just been written."""
        found: dict[tuple[int, int], Document] = {}
        missing: list[int] = []
        for key in dict.fromkeys(wanted):
            known = self._documents.get(key)
            if known is not None and known[2] == subjects[key[0]][1]:
                found[key] = known[:2]
            else:
                missing.append(key[0] * DOCUMENT_VERSIONS_MAX + key[1])
        for number, value, sealed in session.run("read_documents", missing) if missing else ():
            subject, version = divmod(number, DOCUMENT_VERSIONS_MAX)
            found[subject, version] = (value.encode(), self._vault.open(subjects[subject][1], sealed))
        return found

    def settle(self, session: Session, results: Sequence[EffectResult], now: int) -> None:
        """Inside a transaction: record outcomes, let the next of each key go, take the replies in."""
        if not results:
            return
        ids = sorted(result.effect.id for result in results)
        salts: dict[int, bytes] = dict(
            session.run("lock_subjects", sorted({result.effect.subject for result in results}))
        )
        current = {
            (number, attempt)
            for number, attempt, state in session.run("outbox_now", ids)
            if state in REPORTABLE
        }
        live = [result for result in results if (result.effect.id, result.effect.attempt) in current]
        self._done(session, [result for result in live if result.state == "done"], now)
        states: list[Row] = []
        replies: list[Arrival] = []
        for result in live:
            effect = result.effect
            if result.state != "done":
                given_back = 0 if result.spent else 1
                row = (
                    effect.id,
                    STATES[result.state],
                    result.due_at,
                    given_back,
                    int(result.unclear),
                    result.resume,
                )
                states.append(row)
            if result.text:
                attempt = (effect.id, effect.attempt, result.kind, result.text, now)
                session.run("add_attempt", "effect", *attempt)
            if result.reply is not None:
                replies.append(result.reply)
            replies += result.told
        if states:
            session.run("outbox_states", *(list(column) for column in zip(*states, strict=True)))
        self._intake.accept(session, replies, now, salts)

    def settled(self, results: Sequence[EffectResult]) -> None:
        """After the transaction: this process is done with them."""
        for result in results:
            self._at.pop(result.effect.id, None)

    def _done(self, session: Session, results: Sequence[EffectResult], now: int) -> None:
        if not results:
            return
        effects = [result.effect for result in results]
        session.run("leave_outbox", [effect.id for effect in effects])
        left_outbox(
            session,
            [
                (e.subject, e.connection, e.operation, e.intent, "done", result.reference, e.attempt)
                for e, result in zip(effects, results, strict=True)
            ],
            now,
        )
        again = [effect for effect in effects if effect.attempt > 1]
        if again:
            session.run("close_cases_of_effects", [e.subject for e in again], [e.id for e in again], now)
        next_of_keys(session, [(effect.subject, effect.connection) for effect in effects], now)
        counts: dict[tuple[str, str], int] = {}
        for effect in effects:
            key = (effect.connection, f"done {effect.operation}")
            counts[key] = counts.get(key, 0) + 1
        count(session, counts)

    def _is_at(self, connection: str) -> bool:
        return connection in tuple(self._at.values())

    # Latest

    def claim_marks(self, session: Session, wants: Sequence[Want], now: int) -> list[ClaimedMark]:
        """Inside a transaction: take due keys, operation after operation."""
        held = self._held(session, wants)
        marks: list[ClaimedMark] = []
        for want in wants:
            if want.connection not in held:
                continue
            floors = self._mark_floors.setdefault(want.connection, Floors())
            asked = (want.connection, floors.floor(now), want.limit, want.lease_until, self._owner)
            rows = session.run("claim_marks", *asked)
            if rows:
                floors.saw(now, min(row[6] for row in rows))
            marks += [
                ClaimedMark(
                    connection=connection,
                    operation=operation,
                    key=key,
                    attempt=attempt,
                    marked_at=marked_at,
                    sent=sent,
                )
                for connection, operation, key, attempt, marked_at, sent, _ in sorted(rows)
            ]
        return marks

    def settle_marks(self, session: Session, results: Sequence[MarkResult], now: int) -> None:
        """Inside a transaction: what was sent is known; what was marked again is due again."""
        if not results:
            return
        rows = [
            (
                result.mark.connection,
                result.mark.operation,
                result.mark.key,
                MARK_SENT if result.sent is not None or result.due_at == 0 else MARK_DELAYED,
                result.due_at,
                int(result.sent is not None),
                result.sent or "",
            )
            for result in results
        ]
        session.run("settle_marks", *(list(column) for column in zip(*rows, strict=True)), now)
        self._intake.accept(session, [result.reply for result in results if result.reply is not None], now)


def left_outbox(session: Session, rows: Sequence[Row], now: int) -> None:
    """Record what became of effects: (subject, connection, operation, intent, outcome, reference, attempts)."""
    session.run("effects_done", *(list(column) for column in zip(*rows, strict=True)), now)


def next_of_keys(session: Session, keys: Sequence[tuple[int, str]], now: int) -> None:
    """The next of each (subject, connection) is due."""
    keys = sorted(set(keys))
    session.run("next_of_keys", *(list(column) for column in zip(*keys, strict=True)), now)


def _effect(row: Row, trace: str, documents: Mapping[tuple[int, int], Document]) -> ClaimedEffect:
    number, connection, operation, subject, intent, attempt, unclear, *rest = row
    resume, command, document, until, staged = rest
    value, party = documents.get((subject, document), (b"", b""))
    return ClaimedEffect(
        id=number,
        connection=connection,
        operation=operation,
        subject=subject,
        intent=intent,
        attempt=attempt,
        unclear=bool(unclear),
        resume=resume,
        command=command.encode(),
        document=document,
        value=value,
        party=party,
        trace=trace,
        lease_until=until,
        staged_at=staged,
    )
