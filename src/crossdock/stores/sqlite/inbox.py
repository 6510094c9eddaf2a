"""Messages that are due, and what a batch of them leads to, written in one transaction."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import msgspec

from crossdock.domain.state import (
    Changes,
    Level,
    Needs,
    ProcessRow,
    Snapshot,
    Stored,
    TicketRow,
    Unseen,
    UnseenChanges,
    runs_of,
)
from crossdock.engine.messages import HUB, LANE_STREAM, Message, OpenCase
from crossdock.engine.port import Batch, Claim, Finished, Hold
from crossdock.errors import ConflictError
from crossdock.stores.hashes import kept_name
from crossdock.stores.sqlite.cache import Memory
from crossdock.stores.sqlite.database import Database, Program
from crossdock.stores.sqlite.intake import STATE_DELAYED, STATE_PARKED, STATE_WAITING, Intake
from crossdock.stores.sqlite.messages import read_messages
from crossdock.stores.vault import Vault

EFFECTS_PER_MESSAGE_MAX = 1024
DOCUMENT_VERSIONS_MAX = 1024
CLAIM_BYTES_MAX = 64 * 1024 * 1024
"""How many bytes of bodies one claim reads from the file: one SQLite value holds 1 GB, and they travel as hex."""
WORKER = 1

_stored = msgspec.json.Decoder(list[Stored])
_levels = msgspec.json.Decoder(list[Level])
_tickets = msgspec.json.Decoder(list[TicketRow])
_unseen = msgspec.json.Decoder(list[Unseen])


class Inbox:
    """Claims and commits for the pipeline. One worker on SQLite: its claim is the record of what it is at."""

    def __init__(
        self, database: Database, reader: Database, vault: Vault, intake: Intake, memory: Memory
    ) -> None:
        self._db, self._read, self._vault, self._intake = database, reader, vault, intake
        self._recent, self._written = memory.bodies, memory.documents
        self._claimed: dict[int, None] = {}
        self._crashed: tuple[int, int] | None = None

    def claim(self, limit: int, read: Container[int] = ()) -> Claim:
        """Inside a transaction: the next due messages that are not claimed yet, and the mark of a batch begun."""
        if self._crashed is None:
            self._crashed = self._read_marker()
        size, crashes = self._crashed
        if size:
            limit = max(1, min(limit, size // 2))
        ids = self.ready(limit)
        if not ids:
            return Claim(messages=[])
        ids = self._bounded(ids, read)
        messages = read_messages(self._db, self._vault, ids, self._recent, read)
        self._claimed.update(dict.fromkeys(ids))
        program = Program()
        program.add("batch", WORKER, next(iter(self._claimed)), len(ids), crashes)
        self._db.run_program(program)
        return Claim(messages=messages, crashes=crashes)

    def _read_marker(self) -> tuple[int, int]:
        """(size of the batch that the last process died on or 0, deaths on that very message when it was alone)."""
        found = self._db.run("read_batch_marker", WORKER)
        if not found:
            return 0, 0
        _, size, crashes = found[0]
        return size, crashes + 1 if size == 1 else 0

    def give_back(self, messages: Sequence[Message]) -> None:
        """Forget a claim whose batch was not committed; the messages are due again."""
        for message in messages:
            self._claimed.pop(message.id, None)

    def rest(self) -> None:
        """Inside a transaction: forget every claim, and the mark of the batch begun."""
        self._claimed.clear()
        program = Program()
        program.add("batch_done", WORKER)
        self._db.run_program(program)

    def claimed(self) -> set[int]:
        """Messages that somebody is at."""
        return set(self._claimed)

    def unclaim_all_but(self, kept: set[int]) -> None:
        """Forget claims of a transaction that came to nothing; the messages are due again."""
        self._claimed = {message: None for message in self._claimed if message in kept}

    def holds(self, subjects: Sequence[int]) -> dict[tuple[int, str], Hold]:
        """The streams of these subjects that wait for a head."""
        rows = self._read.ask("read_holds", list(dict.fromkeys(subjects)))
        return {(s, source): Hold(message=m, kind=k, parked=bool(parked)) for s, source, m, k, parked in rows}

    def load(self, needs: Needs) -> Snapshot:
        """One query a kind."""
        orders = self._read.text("load_processes", needs.orders, "[]")
        levels = _levels.decode(self._read.text("load_levels", needs.skus, "[]"))
        unseen = self._unseen(needs)
        cells = [*needs.cells, *dict.fromkeys((row.sku, row.location) for row in unseen)]
        levels += _levels.decode(self._read.text("load_cells", cells, "[]"))
        levels += _levels.decode(self._read.text("load_places", needs.places, "[]"))
        products = self._read.text("load_products", list(dict.fromkeys((*needs.skus, *needs.cards))), "{}")
        seen = self._read.ask("load_seen", needs.seen)
        return Snapshot(
            orders={s.subject: s for s in _stored.decode(orders)},
            levels={(level.sku, level.location): level for level in levels},
            products=msgspec.json.decode(products, type=dict[str, msgspec.Raw]),
            seen={(s, source, kind, version): digest for s, source, kind, version, digest in seen},
            days={(c, ref): stage for c, ref, stage in self._read.ask("load_days", needs.days)},
            tickets=self._tickets(needs),
            runs=runs_of(self._read.ask("load_runs", needs.runs)),
            firsts={
                (c, store, till): first
                for c, store, till, first in self._read.ask("load_firsts", needs.firsts)
                if first is not None
            },
            pulses={(c, store): at for c, store, at in self._read.ask("load_pulses", needs.pulses)},
            unseen=unseen,
        )

    def _unseen(self, needs: Needs) -> tuple[Unseen, ...]:
        """Each row once, by whichever need it is found."""
        found: dict[Unseen, None] = {}
        for name, wanted in (
            ("load_unseen", needs.unseen),
            ("load_unseen_of_places", needs.places),
            ("load_untold", needs.tokens),
        ):
            found.update(dict.fromkeys(_unseen.decode(self._read.text(name, wanted, "[]"))))
        return tuple(found)

    def _tickets(self, needs: Needs) -> dict[tuple[str, str, str], tuple[TicketRow, ...]]:
        found: dict[tuple[str, str, str], list[TicketRow]] = {}
        for row in _tickets.decode(self._read.text("load_tickets", needs.tickets, "[]")):
            found.setdefault(row.key, []).append(row)
        return {key: tuple(rows) for key, rows in found.items()}

    def ready(self, limit: int) -> list[int]:
        """Messages that are due and not claimed, in the order accepted."""
        text = self._db.run("ready_ids", limit + len(self._claimed))[0][0]
        found = msgspec.json.decode(text, type=list[int])
        return [number for number in found if number not in self._claimed][:limit]

    def of_partners(self, ids: Sequence[int]) -> list[int]:
        """Those of these that are not the hub's own, in the same order."""
        return [row[0] for row in self._db.ask("of_partners", ids, HUB)] if ids else []

    def _bounded(self, ids: list[int], read: Container[int]) -> list[int]:
        """The first of these whose bodies can be read together; always one."""
        missing = [i for i in ids if i not in read and self._recent.get(i) is None]
        total = 0
        for number, size in sorted(self._db.ask("body_sizes", missing)):
            total += size
            if total > CLAIM_BYTES_MAX and number != ids[0]:
                return ids[: ids.index(number)]
        return ids

    def message(self, number: int) -> Message | None:
        """One message of the inbox, whatever its state."""
        return next(iter(read_messages(self._read, self._vault, [number], self._recent)), None)

    # What a batch leads to

    def planned(self, batch: Batch) -> Program:
        """Everything that is to be written, in one program; nothing else may be written before it."""
        now = batch.now
        program = Program()
        if batch.changes is not None:
            self._changes(batch.changes, now, program)
        self._finish(batch.finished, now, program)
        self._delay(batch, now, program)
        self._cases(batch, now, program)
        _stage(batch.finished, now, program)
        self._supersede(batch, now, program)
        program.add("batch_done", WORKER)
        handled = {message.id for message in _handled(batch)}
        if behind := [number for number in self._claimed if number not in handled]:
            program.add("batch", WORKER, behind[0], len(behind), 0)  # decided on while this is written
        for subject, source in batch.freed:
            program.add("free", subject, source)
        children = [child for done in batch.finished for child in done.children]
        if children:
            self._intake.plan(children, now, program)
        return program

    def committed(self, batch: Batch) -> None:
        """After the transaction: forget what left."""
        self._crashed = (0, 0)
        for message in _handled(batch):
            self._claimed.pop(message.id, None)
            self._recent.drop(message.id)

    def _finish(self, finished: Sequence[Finished], now: int, program: Program) -> None:
        counts: dict[tuple[str, str], int] = {}
        finish, reference = program.to("finish"), program.to("reference")
        seen, event = program.to("seen"), program.to("event")
        for f in finished:
            message = f.message
            number, subject = message.id, message.subject
            name = (message.source, "unhandled" if f.outcome == "unhandled" else "processed")
            counts[name] = counts.get(name, 0) + 1
            finish((number, f.outcome, f.note, now, "handled on a later attempt"))
            for r in f.references:
                reference((r.connection, r.kind, kept_name(r.ref), subject))
            for s in f.seen:
                seen((subject, s.source, s.kind, s.version, s.hash, number, now))
            for n, e in enumerate(f.events):
                event((subject, number, n, e.type, e.data, now))
            if f.cursor is not None:
                program.add("cursor", *f.cursor, now)
        program.count(counts)

    def _supersede(self, batch: Batch, now: int, program: Program) -> None:
        for subject, source, message in batch.superseded:
            self.leave((subject, source, message), "superseded", "a newer version has come", now, program)

    @staticmethod
    def leave(about: tuple[int, str, int], outcome: str, text: str, now: int, program: Program) -> None:
        """A message (subject, source, id) leaves the inbox without being handled; those behind it are due."""
        subject, source, message = about
        program.add("left", message, outcome, text, now)
        program.add("count", source, "processed", 1)
        program.add("free", subject, source, message)

    @staticmethod
    def _delay(batch: Batch, now: int, program: Program) -> None:
        add = program.add
        for d in batch.delayed:
            message = d.message
            add("inbox_state", message.id, STATE_DELAYED, d.due_at, int(d.spent))
            if d.holds:
                add("hold", message.subject, message.source, message.id, d.kind)
            if d.spent:
                add("attempt", "message", message.id, message.attempt + 1, d.kind, d.text, now)
        for p in batch.parked:
            message = p.message
            add("inbox_state", message.id, STATE_PARKED, 0, 1)
            if message.lane == LANE_STREAM:
                add("hold", message.subject, message.source, message.id, "parked")
            add("attempt", "message", message.id, message.attempt + 1, p.case.reason, p.case.text, now)
        for message in batch.waiting:
            add("inbox_state", message.id, STATE_WAITING, 0, 0)

    @staticmethod
    def _cases(batch: Batch, now: int, program: Program) -> None:
        for f in batch.finished:
            for case in f.cases:
                program.add(*_case_row(f.message, case, case.about, case.effect), now)
            for c in f.closed:
                program.add("case_file", "closed", f.message.subject, c.reason, c.about, c.resolution, now)
        for p in batch.parked:
            about = p.case.about or f"message {p.message.id}"
            program.add(*_case_row(p.message, p.case, about, 0), now)

    def _changes(self, changes: Changes, now: int, program: Program) -> None:
        for p in changes.processes:
            program.add_with((p.value,), *_process_row(p), now)
        self._documents(changes, program)
        program.add_all("level", (msgspec.structs.astuple(level) for level in changes.levels))
        program.add_all("product", ((sku, msgspec.Raw(value)) for sku, value in changes.products))
        program.add_all("movement", (msgspec.structs.astuple(movement) for movement in changes.movements))
        program.add_all("posting", (msgspec.structs.astuple(posting) for posting in changes.postings))
        program.add_all("ticket", (msgspec.structs.astuple(ticket) for ticket in changes.tickets))
        program.add_all("pulse", changes.pulses)
        if changes.unseen is not None:
            _unseen_rows(changes.unseen, program)

    def _documents(self, changes: Changes, program: Program) -> None:
        if not changes.documents:
            return
        salts = self._db.ask("find_salts", list(dict.fromkeys(d.subject for d in changes.documents)))
        by_subject = {number: bytes.fromhex(salt) for number, salt in salts}
        for d in changes.documents:
            sealed = self._vault.seal(by_subject[d.subject], d.party)
            number = d.subject * DOCUMENT_VERSIONS_MAX + d.version
            program.add_with((sealed, d.value), "document", number)
            self._written.add((d.subject, d.version), (d.value, d.party), len(d.value) + len(d.party))


def _handled(batch: Batch) -> list[Message]:
    """The messages that a batch is about."""
    handled = [f.message for f in batch.finished] + [d.message for d in batch.delayed]
    return handled + [p.message for p in batch.parked] + batch.waiting


def _unseen_rows(unseen: UnseenChanges, program: Program) -> None:
    astuple, before = msgspec.structs.astuple, unseen.forget_before
    program.add_all("unseen", ((*astuple(row), before) for row in unseen.raised))
    program.add_all("unseen_joined", unseen.joined)
    program.add_all("unseen_told", unseen.told)
    program.add_all("unseen_forgotten", unseen.forgotten)


def _stage(finished: Sequence[Finished], now: int, program: Program) -> None:
    marks: dict[tuple[str, str, str], None] = {}
    effect, raw = program.to("effect"), msgspec.Raw
    for f in finished:
        number, subject = f.message.id, f.message.subject
        if len(f.effects) >= EFFECTS_PER_MESSAGE_MAX:
            raise ConflictError(f"Message {number} leads to {len(f.effects)} effects, which is too many.")
        for position, stage in enumerate(f.effects):
            effect(
                (
                    number * EFFECTS_PER_MESSAGE_MAX + position,
                    stage.connection,
                    stage.operation,
                    subject,
                    stage.intent,
                    stage.due_at,
                    int(stage.held_by_case),
                    raw(stage.command),
                    stage.document,
                    number,
                    now,
                )
            )
        if f.marks:
            marks.update(dict.fromkeys((m.connection, m.operation, m.key) for m in f.marks))
    program.add_all("mark", ((*key, now) for key in marks))


def _process_row(p: ProcessRow) -> tuple[Any, ...]:
    return (
        "process",
        p.subject,
        p.expected,
        p.connection,
        p.external_id,
        p.number,
        p.commitment,
        p.custody,
        p.money,
        p.stage,
        int(p.finished),
        p.currency,
        p.total,
        p.placed_at,
    )


def _case_row(message: Message, case: OpenCase, about: str, effect: int) -> tuple[Any, ...]:
    return (
        "case_file",
        "opened",
        message.subject,
        case.reason,
        about,
        case.field,
        case.text,
        message.source,
        message.id,
        effect,
    )
