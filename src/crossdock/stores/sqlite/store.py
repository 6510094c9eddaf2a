"""The embedded store as the engine sees it: one writer, whose methods commit before they return."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec

from crossdock.domain.state import Needs, Snapshot
from crossdock.engine.masking import masked
from crossdock.engine.messages import HUB, LANE_FREE, SETTLED, Arrival, Message, Receipt, Settled
from crossdock.engine.port import (
    Batch,
    Claim,
    ClaimedEffect,
    ClaimedMark,
    EffectResult,
    Expired,
    Hold,
    Late,
    MarkResult,
    Terms,
    Unpark,
    Want,
)
from crossdock.errors import NotFoundError
from crossdock.stores.expiring import look
from crossdock.stores.sqlite.cache import Memory
from crossdock.stores.sqlite.database import (
    BUSY_MS,
    PAGE_CACHE_KIB,
    Database,
    Program,
    check_durable,
    create_schema,
    encode,
    lock_file,
    translated,
)
from crossdock.stores.sqlite.expiring import Shelves
from crossdock.stores.sqlite.inbox import Inbox
from crossdock.stores.sqlite.intake import Intake
from crossdock.stores.sqlite.outbox import Outbox
from crossdock.stores.sqlite.reads import Reads
from crossdock.stores.ticks import tick
from crossdock.stores.vault import Vault


class SqliteStore:
    """Implements `engine.port.Store` for one process and one writing thread; reads may run on another."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self.path = path
        self._vault = vault
        self._lock = lock_file(path)
        self._db = Database(path)
        create_schema(self._db)
        check_durable(self._db)
        self._db.load_program()
        self._reader = Database(path, readonly=True, cache_kib=PAGE_CACHE_KIB)
        self._checkpointer = Database(path)
        self._memory = Memory()
        self._intake = Intake(self._db, vault, self._memory)
        self._inbox = Inbox(self._db, self._reader, vault, self._intake, self._memory)
        self._shelves = Shelves(self._db)
        self._outbox = Outbox(self._db, vault, self._intake, self._memory)

    def reads(self) -> Reads:
        """A reader of its own for a face; close it when the thread ends."""
        return Reads(Database(self.path, readonly=True), self._vault)

    def group(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run several writes in one durable transaction; an error is a result, and undoes only its own write.

        Raises where nothing at all was written; then nothing that they claimed is claimed either.
        """
        with self._or_unclaimed(), self._db.transaction("writing"):
            return [self._alone(job) for job in jobs]

    def _alone(self, job: Callable[[], Any]) -> Any:
        """One write of a group. Where SQLite has given the whole transaction up (a full disk), nobody's goes on."""
        try:
            with self._or_unclaimed(), self._db.transaction("writing"):
                return job()
        except Exception as error:
            if not self._db.connection.in_transaction:
                raise
            return error

    @contextmanager
    def _or_unclaimed(self) -> Iterator[None]:
        """What is claimed inside is claimed only where it could be written."""
        claimed = self._inbox.claimed()
        try:
            yield
        except Exception:
            self._inbox.unclaim_all_but(claimed)
            raise

    def accept(self, arrivals: Sequence[Arrival], now: int) -> list[Receipt]:
        with self._db.transaction("taking messages in"):
            return self._intake.accept(arrivals, now)

    def claim(self, limit: int, now: int, read: Container[int] = ()) -> Claim:
        with self._or_unclaimed(), self._db.transaction("claiming messages"):
            return self._inbox.claim(limit, read)

    def behind(self, batch: int, limit: int) -> list[int]:
        """Partners' messages among the `limit` due after the next `batch`, in the order accepted; for the writer's thread."""
        with translated("looking ahead"):
            return self._inbox.of_partners(self._inbox.ready(batch + limit)[batch:])

    def tell_partners(self, states: Mapping[str, str]) -> None:
        """Nobody else asks."""

    def leads(self) -> bool:
        """There is no other process."""
        return True

    def keep_proof(self, told: Mapping[str, str], now: int) -> None:
        program = Program()
        program.add_all("cursor", ((HUB, name, text, now) for name, text in told.items()))
        with self._db.transaction("keeping the proof"):
            self._db.run_program(program)

    def give_back(self, messages: Sequence[Message]) -> None:
        self._inbox.give_back(messages)

    def holds(self, subjects: Sequence[int]) -> dict[tuple[int, str], Hold]:
        with translated("reading what waits"):
            return self._inbox.holds(subjects)

    def message(self, number: int) -> Message | None:
        with translated("reading a message"):
            return self._inbox.message(number)

    def load(self, needs: Needs) -> Snapshot:
        with translated("reading state"):
            return self._inbox.load(needs)

    def commit(self, batch: Batch) -> None:
        self.prepared(batch)()

    def prepared(self, batch: Batch) -> Callable[[], None]:
        erased = batch.erased()
        with translated("making a batch ready"):
            program = self._db.bound(self._inbox.planned(batch))

        def write() -> None:
            with self._db.transaction("writing a batch"):
                self._db.run_bound(program)
                for unpark in batch.unparked:
                    self._unpark(unpark, batch.now)
                for subject in erased:
                    self._erase(subject)
            self._inbox.committed(batch)
            if erased:
                self._memory.clear()

        return write

    def claim_effects(self, wants: Sequence[Want], now: int) -> list[ClaimedEffect]:
        with self._db.transaction("claiming effects"):
            return self._outbox.claim(wants)

    def settle(self, results: Sequence[EffectResult], now: int) -> None:
        with self._db.transaction("settling effects"):
            self._outbox.settle(results, now)

    def claim_marks(self, wants: Sequence[Want], now: int) -> list[ClaimedMark]:
        with self._db.transaction("claiming values to send"):
            return self._outbox.claim_marks(wants)

    def settle_marks(self, results: Sequence[MarkResult], now: int) -> None:
        with self._db.transaction("settling values sent"):
            self._outbox.settle_marks(results, now)

    def wake(self, now: int) -> int | None:
        with self._db.transaction("waking what is due"):
            for name in ("wake_inbox", "wake_outbox", "wake_marks", "retake_marks"):
                self._db.run(name, now)
            due = self._db.run("due_schedules", now)
            arrivals = []
            for name, connection, feed, every, next_at, busy in due:
                self._db.run("move_schedule", name, now + every)
                if busy:
                    continue
                cursor = self._db.run("read_cursor", connection, feed)
                arrivals.append(tick(connection, feed, cursor[0][0] if cursor else "", next_at))
            if arrivals:
                self._intake.accept(arrivals, now)
            found = self._db.run("next_due")[0][0]
            return None if found is None else int(found)

    def remind(self, kind: str, before: int, now: int, limit: int) -> int:
        with self._db.transaction("reminding"):
            found = self._db.run("unfinished_since", before, kind, limit)
            arrivals = [
                Arrival(source=HUB, kind=kind, body=b"{}", subject=subject, delivery_id=kind, lane=LANE_FREE)
                for (subject,) in found
            ]
            if arrivals:
                self._intake.accept(arrivals, now)
            return len(arrivals)

    def late(self, before: int) -> list[Late]:
        with translated("reading what is late"):
            return [
                Late(connection=connection, operation=operation, count=count, oldest=oldest)
                for connection, operation, count, oldest in self._db.run("late_calls", before)
            ]

    def expire(self, terms: Terms, now: int, limit: int) -> Expired:
        with self._db.transaction("dropping what is past its time"):
            return look(self._shelves, terms, now, limit)

    def schedules(self, wanted: Mapping[str, tuple[str, str, int]], now: int) -> None:
        with self._db.transaction("writing schedules"):
            self._db.run("drop_schedules", encode(list(wanted)).decode())
            for name, (connection, feed, every) in wanted.items():
                self._db.run("put_schedule", name, connection, feed, every, now)

    def recover(self, now: int, grace_us: int, keyed: Collection[str] = ()) -> dict[str, int]:
        with self._db.transaction("recovering"):
            self._db.run("recover_outbox", grace_us)
            effects = self._db.changed()
            self._db.run("recover_keyed", encode(list(keyed)).decode())
            self._db.run("recover_marks")
            return {"effects": effects, "marks": self._db.changed()}

    def erase(self, subject: int, now: int) -> None:
        """Forget every person of a subject: its sealed bytes are gone here, and unreadable in every backup.

        Of a case stays what to do about it; what the hub has yet to tell itself stays.
        """
        with self._db.transaction("erasing a person"):
            self._erase(subject)
        self._memory.clear()

    def _erase(self, subject: int) -> None:
        salt = self._vault.salt()
        own = self._db.run("own_bodies", subject)
        before = self._db.run("subject_salt", subject)[0][1]
        for number, text in self._db.run("case_texts", subject):
            self._db.run("put_case_text", number, masked(text))
        for name in ("bodies", "bodies_before_edit", "parties", "attempts"):
            self._db.run(f"erase_{name}", subject)
        self._db.run("renew_salt", subject, salt)
        for message, sealed in own:
            self._db.run("put_body", message, self._vault.seal(salt, self._vault.open(before, sealed)))

    def checkpoint(self) -> int:
        """Move what can be moved of the log into the file, on a connection of its own, beside the writer.

        Returns how many pages the log held. Where somebody else is at it, nothing is left to do.
        """
        with translated("moving the log into the file"), suppress(apsw.BusyError):
            pages, _ = self._checkpointer.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            return int(pages)
        return 0

    def restart_log(self) -> None:
        """Move the rest of the log, so that the next transaction begins it anew; for the writer, between two of them.

        It waits for nobody: while a reader still needs the log, it goes on growing.
        """
        with translated("moving the rest of the log"), suppress(apsw.BusyError):
            self._db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def truncate_log(self, *, patient: bool = True) -> None:
        """Move all of the log and cut its file; for the writer, between two transactions.

        Readers that still need the log are waited for; who is not patient leaves it as it is.
        """
        with translated("cutting the log"):
            if patient:
                self._db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                return
            self._db.connection.set_busy_timeout(0)
            try:
                self._db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.BusyError:
                pass
            finally:
                self._db.connection.set_busy_timeout(BUSY_MS)

    def wal_bytes(self) -> int:
        """Size of the write-ahead log's file."""
        log = self.path.with_name(self.path.name + "-wal")
        return log.stat().st_size if log.exists() else 0

    def rest(self) -> None:
        """Nobody is at any message any more: a clean stop, which the next start does not take for a crash."""
        with self._db.transaction("coming to rest"):
            self._inbox.rest()

    def close(self) -> None:
        """Close the file; what was accepted stays."""
        self._reader.close()
        self._checkpointer.close()
        self._db.close()
        os.close(self._lock)

    def _unpark(self, unpark: Unpark, now: int) -> None:
        found = self._db.run("read_case", unpark.case)
        if not found:
            raise NotFoundError(f"There is no case {unpark.case}.")
        subject, _, about, source, message, effect, closed_at = found[0]
        if closed_at:
            return  # somebody else was quicker, or the facts were
        text = f"{unpark.action} by {unpark.actor}: {unpark.reason}"
        program = Program()
        program.add("case_signed", unpark.case, unpark.actor, text, now)
        if effect:
            self._unpark_effect(unpark, effect, text, now, program)
        elif about == f"message {message}":
            self._unpark_message(unpark, (subject, source, message), now, program)
        self._db.run_program(program)

    def _unpark_message(
        self, unpark: Unpark, about: tuple[int, str, int], now: int, program: Program
    ) -> None:
        subject, _, message = about
        if unpark.action == "edit":
            salt = self._db.run("subject_salt", subject)[0][1]
            sealed = self._vault.seal(salt, unpark.body)
            program.add_with((sealed,), "body_edited", message, unpark.actor, now)
        if unpark.action in ("retry", "edit"):
            program.add("message_retried", message)
        else:
            text = f"{unpark.action} by {unpark.actor}: {unpark.reason}"
            self._inbox.leave(about, "resolved", text, now, program)

    def _unpark_effect(self, unpark: Unpark, effect: int, text: str, now: int, program: Program) -> None:
        found = self._db.run("read_effect", effect)
        if not found:
            return
        connection, operation, subject, intent, attempt, _, _ = found[0]
        if unpark.action == "retry":
            program.add("effect_retried", effect)
            return
        outcome = "done" if unpark.action == "done" else "dropped"
        row = (effect, subject, connection, operation, intent, outcome, unpark.reference, attempt, now)
        program.add("effect_left", *row)
        settled = Settled(
            effect=effect,
            connection=connection,
            operation=operation,
            intent=intent,
            outcome="done" if outcome == "done" else "refused",
            code="" if outcome == "done" else "dropped",
            reference=unpark.reference,
            reason=text,
            attempts=attempt,
        )
        body = msgspec.json.encode(settled)
        reply = Arrival(source=HUB, kind=SETTLED, body=body, subject=subject, lane=LANE_FREE)
        self._intake.plan([reply], now, program)


def open_store(path: Path, vault: Vault) -> SqliteStore:
    """Open the store at `path`, making it where there is none."""
    return SqliteStore(path, vault)
