"""What a batch of messages leads to, written in one transaction: history first, stock last, so that workers do not wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from crossdock.domain.state import Changes, DocumentRow, ProcessRow, UnseenChanges
from crossdock.engine.messages import LANE_STREAM, OPERATOR, Message, OpenCase
from crossdock.engine.port import Batch, Finished
from crossdock.errors import ConflictError, LeaseLostError
from crossdock.stores.cache import Recent
from crossdock.stores.hashes import kept_name
from crossdock.stores.postgres.erasing import erase
from crossdock.stores.postgres.intake import STATE_DELAYED, STATE_PARKED, STATE_WAITING, Intake, count
from crossdock.stores.postgres.levels import write_levels
from crossdock.stores.postgres.session import Row, Session
from crossdock.stores.vault import Vault

EFFECTS_PER_MESSAGE_MAX = 1024
DOCUMENT_VERSIONS_MAX = 1024
READY, DELAYED, BEHIND, CLAIMED, PARKED, IN_DOUBT, HELD = range(7)

Documents = Recent[tuple[int, int], tuple[bytes, bytes, bytes]]
"""(value, persons, the salt that they were sealed under) by subject and version."""
encode = msgspec.json.Encoder().encode


class Writing:
    """Writes batches. The caller has checked the leases in the same transaction."""

    def __init__(self, vault: Vault, intake: Intake, documents: Documents) -> None:
        self._vault, self._intake, self._written = vault, intake, documents

    def write(self, session: Session, batch: Batch, carry_out: Callable[[], None]) -> None:
        """Inside a transaction: write everything, in the order in which one thing depends on another.

        carry_out: what persons have said. It comes when it is written what waits, for it may free that, and before the stock.
        """
        now, changes = batch.now, batch.changes or Changes()
        salts: dict[int, bytes] = dict(_lock(session, _touched(batch, changes)))
        _finish(session, batch.finished, now)
        _delay(session, batch, now)
        _cases(session, batch, now)
        self._history(session, changes, salts, now)
        _stage(session, batch.finished, now)
        for subject, source, message in batch.superseded:
            leave(session, (subject, source, message), "superseded", "a newer version has come", now)
        for subject, source in batch.freed:
            free(session, subject, source)
        carry_out()
        children = [child for done in batch.finished for child in done.children]
        self._intake.accept(session, children, now, salts)
        for subject in batch.erased():
            erase(session, self._vault, subject, salts[subject])
        _count_finished(session, batch.finished)
        _mark(session, batch.finished, now)
        if changes.unseen is not None:
            _unseen(session, changes.unseen)
        write_levels(session, changes)

    def _history(self, session: Session, changes: Changes, salts: Mapping[int, bytes], now: int) -> None:
        session.copy("process", [_process_row(p, now) for p in changes.processes if not p.expected])
        _change_processes(session, [p for p in changes.processes if p.expected], now)
        session.copy("document", [self._document(d, salts) for d in _latest(changes.documents)])
        session.copy("movement", [msgspec.structs.astuple(movement) for movement in changes.movements])
        session.copy(
            "posting",
            [
                (p.subject, p.message, p.position, p.currency, p.reason, encode(p.entries).decode(), p.at)
                for p in changes.postings
            ],
        )
        if changes.tickets:
            tickets = [
                (t.connection, t.store, t.day, t.till, t.sequence, t.subject, t.at, bytes(t.value).decode())
                for t in changes.tickets
            ]
            session.run("add_tickets", *_columns(tickets))
        if changes.pulses:
            session.run("put_pulses", *_columns(changes.pulses))
        if changes.products:
            products = dict(changes.products)
            session.run(
                "put_products", list(products), [value.decode() for value in map(bytes, products.values())]
            )

    def _document(self, d: DocumentRow, salts: Mapping[int, bytes]) -> Row:
        salt = salts[d.subject]
        self._written.add((d.subject, d.version), (d.value, d.party, salt), len(d.value) + len(d.party))
        number = d.subject * DOCUMENT_VERSIONS_MAX + d.version
        return (number, d.value.decode(), self._vault.seal(salt, d.party))


def leave(session: Session, about: tuple[int, str, int], outcome: str, text: str, now: int) -> None:
    """A message (subject, source, id) leaves the inbox without being handled; those behind it are due."""
    subject, source, message = about
    session.run("record_leaving", message, outcome, text, now)
    if session.change("close_cases_of_messages", [message], now, text):
        session.run("release_held", [subject], now)
    session.run("leave_inbox", [message])
    count(session, {(source, "processed"): 1})
    free(session, subject, source, message)


def free(session: Session, subject: int, source: str, message: int = 0) -> None:
    """Nothing holds the stream any more (or not this message): what waits in it is due, in its order."""
    session.run("drop_hold", subject, source, message)
    session.run("free_stream", subject, source)


def _touched(batch: Batch, changes: Changes) -> list[int]:
    """Subjects whose effects, cases or documents change."""
    touched = {f.message.subject for f in batch.finished if f.effects or f.cases or f.closed or f.children}
    touched.update(batch.erased())
    touched.update(p.message.subject for p in batch.parked)
    touched.update(f.message.subject for f in batch.finished if f.message.kind == OPERATOR)
    touched.update(d.subject for d in changes.documents)
    touched.update(subject for subject, _, _ in batch.superseded)
    return sorted(touched)


def _lock(session: Session, subjects: list[int]) -> list[Row]:
    return session.run("lock_subjects", subjects) if subjects else []


def _finish(session: Session, finished: Sequence[Finished], now: int) -> None:
    if not finished:
        return
    ids = [f.message.id for f in finished]
    if session.change("leave_inbox", ids) < len(ids):
        raise LeaseLostError(
            "Messages of the batch have been handled by another worker, or by this one before it lost its connection.",
            retry_after=0,
        )
    session.copy("message", [_message_row(f, now) for f in finished])
    if session.change("close_cases_of_messages", ids, now, "handled on a later attempt"):
        session.run("release_held", sorted({f.message.subject for f in finished}), now)
    references = dict.fromkeys(
        (r.connection, r.kind, kept_name(r.ref), f.message.subject) for f in finished for r in f.references
    )
    if references:
        session.run("add_references", *_columns(list(references)))
    seen = [
        (f.message.subject, s.source, s.kind, s.version, s.hash, f.message.id)
        for f in finished
        for s in f.seen
    ]
    if seen:
        session.run("add_seen", *_columns(seen), now)
    session.copy(
        "event",
        [
            (f.message.subject, f.message.id, n, e.type, encode(e.data).decode(), now)
            for f in finished
            for n, e in enumerate(f.events)
        ],
    )
    for f in finished:
        if f.cursor is not None:
            session.run("put_cursor", *f.cursor, now)


def _count_finished(session: Session, finished: Sequence[Finished]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for f in finished:
        key = (f.message.source, "unhandled" if f.outcome == "unhandled" else "processed")
        counts[key] = counts.get(key, 0) + 1
    count(session, counts)


def _delay(session: Session, batch: Batch, now: int) -> None:
    states: list[Row] = []
    for d in batch.delayed:
        message = d.message
        states.append((message.id, STATE_DELAYED, d.due_at, int(d.spent)))
        if d.holds:
            session.run("put_hold", message.subject, message.source, message.id, d.kind)
        if d.spent:
            session.run("add_attempt", "message", message.id, message.attempt + 1, d.kind, d.text, now)
    for p in batch.parked:
        message = p.message
        states.append((message.id, STATE_PARKED, 0, 1))
        if message.lane == LANE_STREAM:
            session.run("put_hold", message.subject, message.source, message.id, "parked")
        session.run(
            "add_attempt", "message", message.id, message.attempt + 1, p.case.reason, p.case.text, now
        )
    states += [(message.id, STATE_WAITING, 0, 0) for message in batch.waiting]
    if states and session.change("inbox_states", *_columns(states)) < len(states):
        raise LeaseLostError("Messages of the batch have left the inbox meanwhile.", retry_after=0)


def _cases(session: Session, batch: Batch, now: int) -> None:
    for f in batch.finished:
        subject = f.message.subject
        for case in f.cases:
            _open_case(session, f.message, case, case.about, now)
        for c in f.closed:
            if session.change("close_case", subject, c.reason, c.about, c.resolution, now):
                session.run("release_held", [subject], now)
    for p in batch.parked:
        _open_case(session, p.message, p.case, p.case.about or f"message {p.message.id}", now)


def _open_case(session: Session, message: Message, case: OpenCase, about: str, now: int) -> None:
    row = (
        message.subject,
        case.reason,
        about,
        case.field,
        case.text,
        message.source,
        message.id,
        case.effect,
    )
    session.run("open_case", *row, now)
    session.run("hold_effects", message.subject)


def _stage(session: Session, finished: Sequence[Finished], now: int) -> None:
    """Effects whose key is new; the first of its (connection, subject) is due, unless a case holds it.

    Within such a stream no two have one staged_at, and it never falls: that is their order, whatever the clock does.
    """
    staging = [f for f in finished if f.effects]
    if not staging:
        return
    subjects = sorted({f.message.subject for f in staging})
    known, waiting, cased = session.together(
        ("staged_keys", subjects), ("waiting_keys", subjects), ("subjects_with_case", subjects)
    )
    keys, held = set(known), {row[0] for row in cased}
    last = {(subject, connection): staged_at for subject, connection, staged_at in waiting}
    effects: list[Row] = []
    outbox: list[Row] = []
    for f in staging:
        message, subject = f.message.id, f.message.subject
        if len(f.effects) >= EFFECTS_PER_MESSAGE_MAX:
            raise ConflictError(f"Message {message} leads to {len(f.effects)} effects, which is too many.")
        for position, e in enumerate(f.effects):
            key = (subject, e.connection, e.operation, e.intent)
            if key in keys:
                continue
            keys.add(key)
            stream = (subject, e.connection)
            state = READY
            if e.held_by_case and subject in held:
                state = HELD
            elif stream in last:
                state = BEHIND
            elif e.due_at > now:
                state = DELAYED
            last[stream] = max(now, last.get(stream, 0) + 1)
            number = message * EFFECTS_PER_MESSAGE_MAX + position
            effects.append((*key, number, message, now))
            outbox.append(
                (
                    *(number, e.connection, e.operation, subject, e.intent, state, e.due_at, 0, 0, 0, ""),
                    *(int(e.held_by_case), e.command.decode(), e.document, last[stream]),
                )
            )
    session.copy("effect", effects)
    session.copy("outbox", outbox)


def _mark(session: Session, finished: Sequence[Finished], now: int) -> None:
    marks = {(m.connection, m.operation, m.key) for f in finished for m in f.marks}
    if marks:
        session.run("put_marks", *_columns(sorted(marks)), now)


def _change_processes(session: Session, rows: Sequence[ProcessRow], now: int) -> None:
    if not rows:
        return
    columns = _columns(
        [
            (
                *(
                    p.subject,
                    p.expected,
                    p.value.decode(),
                    p.number,
                    p.commitment,
                    p.custody,
                    p.money,
                    p.stage,
                ),
                *(int(p.finished), p.currency, p.total, p.placed_at),
            )
            for p in sorted(rows, key=lambda p: p.subject)
        ]
    )
    if session.change("change_processes", *columns, now) < len(rows):
        raise ConflictError(
            "An order was changed by another worker since it was read; the batch is done again."
        )


def _unseen(session: Session, unseen: UnseenChanges) -> None:
    """What masters have not seen. A row that is told by one worker while another applies a statement is told either way."""
    if unseen.raised:
        cells = sorted({(row.sku, row.location, unseen.forget_before - 1) for row in unseen.raised})
        session.run("forget_unseen", *_columns(cells))
        session.run("raise_unseen", *_columns([msgspec.structs.astuple(row) for row in unseen.raised]))
    for token, numbers, joined in unseen.joined:
        session.run("join_unseen", token, list(numbers), joined)
    if unseen.told:
        session.run("tell_unseen", *_columns(sorted(dict(unseen.told).items())))
    if unseen.forgotten:
        session.run("forget_unseen", *_columns(sorted(unseen.forgotten)))


def _columns(rows: Sequence[Row]) -> list[list[object]]:
    """Rows as parallel arrays."""
    return [list(column) for column in zip(*rows, strict=True)]


def _latest(documents: Sequence[DocumentRow]) -> Sequence[DocumentRow]:
    return list({(d.subject, d.version): d for d in documents}.values())


def _message_row(f: Finished, now: int) -> Row:
    m = f.message
    handled = (now, f.outcome, f.note, m.attempt + 1)
    return (m.id, m.source, m.kind, m.subject, m.received_at, *handled, m.parent, m.position, m.origin)


def _process_row(p: ProcessRow, now: int) -> Row:
    texts = (p.connection, p.external_id, p.number, p.commitment, p.custody, p.money, p.stage)
    return (p.subject, 1, p.value.decode(), *texts, int(p.finished), p.currency, p.total, p.placed_at, now)
