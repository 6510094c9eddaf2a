"""Messages that are due, and what a batch of them leads to, written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crossdock.domain.state import Changes, Level, Needs, Snapshot, Stored
from crossdock.engine.messages import LANE_STREAM, Message, OpenCase
from crossdock.engine.port import Batch, Claim, Finished, Hold
from crossdock.errors import ConflictError
from crossdock.stores.sqlite.cache import Recent
from crossdock.stores.sqlite.database import Database
from crossdock.stores.sqlite.intake import STATE_DELAYED, STATE_PARKED, STATE_WAITING, Intake
from crossdock.stores.vault import Vault

EFFECTS_PER_MESSAGE_MAX = 1024
DOCUMENT_VERSIONS_MAX = 1024
WORKER = 1

_stored = msgspec.json.Decoder(list[Stored])
_levels = msgspec.json.Decoder(list[Level])


class Inbox:
    """Claims and commits for the pipeline. One worker on SQLite: its claim is the record of what it is at."""

    def __init__(
        self, database: Database, reader: Database, vault: Vault, intake: Intake, recent: Recent
    ) -> None:
        self._db, self._read, self._vault, self._intake, self._recent = (
            database,
            reader,
            vault,
            intake,
            recent,
        )
        self._claimed: dict[int, None] = {}
        self._crashed: tuple[int, int] | None = None

    def claim(self, limit: int) -> Claim:
        """Inside a transaction: the next due messages that are not claimed yet, and the mark of a batch begun."""
        if self._crashed is None:
            self._crashed = self._read_marker()
        size, crashes = self._crashed
        if size:
            limit = max(1, min(limit, size // 2))
        ids = [i for i in self._ids(limit + len(self._claimed)) if i not in self._claimed][:limit]
        if not ids:
            return Claim(messages=[])
        messages = self._messages(ids)
        self._claimed.update(dict.fromkeys(ids))
        self._db.run("set_batch_marker", WORKER, next(iter(self._claimed)), len(ids), crashes)
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

    def holds(self, subjects: Sequence[int]) -> dict[tuple[int, str], Hold]:
        """The streams of these subjects that wait for a head."""
        rows = self._read.ask("read_holds", list(dict.fromkeys(subjects)))
        return {(s, source): Hold(message=m, kind=k, parked=bool(parked)) for s, source, m, k, parked in rows}

    def load(self, needs: Needs) -> Snapshot:
        """One query a kind."""
        orders = self._read.text("load_processes", needs.orders, "[]")
        levels = self._read.text("load_levels", needs.skus, "[]")
        products = self._read.text("load_products", needs.skus, "{}")
        seen = self._read.ask("load_seen", needs.seen)
        return Snapshot(
            orders={s.subject: s for s in _stored.decode(orders)},
            levels={(level.sku, level.location): level for level in _levels.decode(levels)},
            products=msgspec.json.decode(products, type=dict[str, msgspec.Raw]),
            seen={(s, source, kind, version): digest for s, source, kind, version, digest in seen},
        )

    def _ids(self, limit: int) -> list[int]:
        text = self._db.run("ready_ids", limit)[0][0]
        return msgspec.json.decode(text, type=list[int])

    def _messages(self, ids: Sequence[int]) -> list[Message]:
        rows = sorted(self._db.ask("read_messages", ids))
        missing = [row[0] for row in rows if self._recent.peek(row[0]) is None]
        stored = {
            number: (headers, bytes.fromhex(raw))
            for number, headers, raw in self._db.ask("read_bodies", missing)
        }
        messages = []
        for (
            number,
            source,
            kind,
            subject,
            lane,
            attempt,
            received,
            parent,
            position,
            origin,
            trace,
            salt,
        ) in rows:
            found = self._recent.peek(number)
            if found is None:
                headers, sealed = stored[number]
                found = (headers, self._vault.open(bytes.fromhex(salt), sealed))
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

    # What a batch leads to

    def commit(self, batch: Batch) -> None:
        """Inside a transaction: write everything."""
        now = batch.now
        changes: Changes | None = batch.changes
        if changes is not None:
            self._write_changes(changes, now)
        self._finish(batch.finished, now)
        self._delay(batch, now)
        self._write_cases(batch, now)
        self._stage(batch.finished, now)
        children = [child for done in batch.finished for child in done.children]
        if children:
            self._intake.accept(children, now)
        for done in batch.finished:
            if done.cursor is not None:
                self._db.run("set_cursor", *done.cursor, now)
        self._supersede(batch, now)
        self._db.run("clear_batch_marker", WORKER)
        gone = batch.freed + [(subject, source) for subject, source, _ in batch.superseded]
        self._db.bulk("drop_holds", gone)
        self._db.bulk("free_streams", gone)

    def committed(self, batch: Batch) -> None:
        """After the transaction: forget what left."""
        handled = [f.message for f in batch.finished] + [d.message for d in batch.delayed]
        handled += [p.message for p in batch.parked] + batch.waiting
        self._crashed = (0, 0)
        for message in handled:
            self._claimed.pop(message.id, None)
            self._recent.take(message.id)

    def _finish(self, finished: Sequence[Finished], now: int) -> None:
        self._db.bulk("finish_messages", [(f.message.id, f.outcome, f.note) for f in finished], now)
        self._db.bulk("leave_inbox", [f.message.id for f in finished])
        counts: dict[tuple[str, str], int] = {}
        for f in finished:
            name = "unhandled" if f.outcome == "unhandled" else "processed"
            counts[f.message.source, name] = counts.get((f.message.source, name), 0) + 1
        self._intake.count(counts)
        self._db.bulk(
            "add_references",
            [(r.connection, r.kind, r.ref, f.message.subject) for f in finished for r in f.references],
        )
        self._db.bulk(
            "add_seen",
            [
                (f.message.subject, s.source, s.kind, s.version, s.hash, f.message.id, now)
                for f in finished
                for s in f.seen
            ],
        )
        self._db.bulk(
            "add_events",
            [
                (f.message.subject, f.message.id, n, e.type, msgspec.Raw(msgspec.json.encode(e.data)))
                for f in finished
                for n, e in enumerate(f.events)
            ],
            now,
        )

    def _supersede(self, batch: Batch, now: int) -> None:
        self.leave(
            [
                (message, "superseded", "a newer version has come", source)
                for _, source, message in batch.superseded
            ],
            now,
            "a newer version has come",
        )

    def leave(self, rows: Sequence[tuple[int, str, str, str]], now: int, resolution: str) -> None:
        """Messages (id, outcome, note, source) leave the inbox without being handled; their cases are closed."""
        self._db.bulk("finish_messages", [row[:3] for row in rows], now)
        self._db.bulk("leave_inbox", [row[0] for row in rows])
        self._db.bulk("close_message_cases", [row[0] for row in rows], now, resolution)
        counts: dict[tuple[str, str], int] = {}
        for row in rows:
            counts[row[3], "processed"] = counts.get((row[3], "processed"), 0) + 1
        self._intake.count(counts)

    def _delay(self, batch: Batch, now: int) -> None:
        states: list[Any] = [(d.message.id, STATE_DELAYED, d.due_at, int(d.spent)) for d in batch.delayed]
        states += [(p.message.id, STATE_PARKED, 0, 1) for p in batch.parked]
        states += [(m.id, STATE_WAITING, 0, 0) for m in batch.waiting]
        self._db.bulk("set_inbox_state", states)
        holds: list[Any] = [
            (d.message.subject, d.message.source, d.message.id, d.kind) for d in batch.delayed if d.holds
        ]
        holds += [
            (p.message.subject, p.message.source, p.message.id, "parked")
            for p in batch.parked
            if p.message.lane == LANE_STREAM
        ]
        self._db.bulk("add_holds", holds)
        attempts: list[Any] = [
            ("message", d.message.id, d.message.attempt + 1, d.kind, d.text) for d in batch.delayed if d.spent
        ]
        attempts += [
            ("message", p.message.id, p.message.attempt + 1, p.case.reason, p.case.text) for p in batch.parked
        ]
        self._db.bulk("add_attempts", attempts, now)

    def _write_cases(self, batch: Batch, now: int) -> None:
        rows: list[Any] = []
        closed: list[Any] = []
        for f in batch.finished:
            rows += [_case_row(f.message, case, case.about, f.effect) for case in f.cases]
            closed += [(f.message.subject, c.reason, c.about, c.resolution) for c in f.closed]
        for p in batch.parked:
            about = p.case.about or f"message {p.message.id}"
            rows.append(_case_row(p.message, p.case, about, 0))
        self._db.bulk("open_cases", rows, now)
        self._db.bulk("close_cases", closed, now)
        self._db.bulk(
            "close_message_cases", [f.message.id for f in batch.finished], now, "handled on a later attempt"
        )
        self._db.bulk("hold_effects", list(dict.fromkeys(row[0] for row in rows)))
        self._db.bulk("unhold_effects", list(dict.fromkeys(f.message.subject for f in batch.finished)), now)

    def _stage(self, finished: Sequence[Finished], now: int) -> None:
        rows: list[Any] = []
        heads: dict[tuple[int, str], None] = {}
        marks: dict[tuple[str, str, str], None] = {}
        for f in finished:
            if len(f.effects) >= EFFECTS_PER_MESSAGE_MAX:
                raise ConflictError(
                    f"Message {f.message.id} leads to {len(f.effects)} effects, which is too many."
                )
            for position, stage in enumerate(f.effects):
                head = (f.message.subject, stage.connection)
                rows.append(
                    (
                        f.message.id * EFFECTS_PER_MESSAGE_MAX + position,
                        stage.connection,
                        stage.operation,
                        f.message.subject,
                        stage.intent,
                        stage.due_at,
                        int(stage.held_by_case),
                        msgspec.Raw(stage.command),
                        stage.document,
                        f.message.id,
                        int(head in heads),
                    )
                )
                heads[head] = None
            marks.update(dict.fromkeys((m.connection, m.operation, m.key) for m in f.marks))
        if rows:
            self._db.bulk("add_effects", rows, now)
            added = self._db.changed()
            self._db.bulk("add_outbox", rows, now)
            if added < len(rows):
                self._db.bulk("release_heads", list(heads), now)
        self._db.bulk("put_marks", list(marks), now)

    def _write_changes(self, changes: Changes, now: int) -> None:
        new = [_process_row(p) for p in changes.processes if not p.expected]
        old = [_process_row(p) for p in changes.processes if p.expected]
        self._db.bulk("add_processes", new, now)
        self._db.bulk("update_processes", old, now)
        if old and self._db.changed() != len(old):
            raise ConflictError(
                "An order was changed by another worker since it was read; the batch is done again."
            )
        self._write_documents(changes)
        self._db.bulk("put_levels", changes.levels)
        self._db.bulk("put_products", [(sku, msgspec.Raw(value)) for sku, value in changes.products])
        self._db.bulk("add_movements", changes.movements)
        self._db.bulk("add_postings", changes.postings)

    def _write_documents(self, changes: Changes) -> None:
        if not changes.documents:
            return
        salts = self._db.ask("find_salts", list(dict.fromkeys(d.subject for d in changes.documents)))
        by_subject = {number: bytes.fromhex(salt) for number, salt in salts}
        rows = []
        parties = bytearray()
        for d in changes.documents:
            sealed = self._vault.seal(by_subject[d.subject], d.party)
            number = d.subject * DOCUMENT_VERSIONS_MAX + d.version
            rows.append((number, msgspec.Raw(d.value), len(parties) + 1, len(sealed)))
            parties += sealed
        self._db.bulk("add_documents", rows, bytes(parties))


def _process_row(p: Any) -> tuple[Any, ...]:
    return (
        p.subject,
        p.expected,
        msgspec.Raw(p.value),
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
    return (message.subject, case.reason, about, case.field, case.text, message.source, message.id, effect)
