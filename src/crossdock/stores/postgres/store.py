"""The store for many machines as the engine sees it: any thread may call, every method commits before it returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from crossdock.domain.state import Needs, Snapshot
from crossdock.engine.messages import HUB, Arrival, Message, Receipt
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
    Want,
)
from crossdock.stores.cache import Recent
from crossdock.stores.postgres.erasing import erase
from crossdock.stores.postgres.inbox import Inbox
from crossdock.stores.postgres.intake import Intake, partition_of
from crossdock.stores.postgres.leases import INBOX, RENEW_US
from crossdock.stores.postgres.opening import prepare
from crossdock.stores.postgres.operating import unpark
from crossdock.stores.postgres.outbox import Outbox
from crossdock.stores.postgres.session import Database, Questions, Session, check_url
from crossdock.stores.postgres.upkeep import Upkeep
from crossdock.stores.postgres.writing import Documents, Writing
from crossdock.stores.reads import Reads
from crossdock.stores.vault import Vault


class PostgresStore:
    """Implements `engine.port.SharedStore` for one of many processes.

    A process takes part in a kind of work from its first claim of that kind on (`claim`: messages; `claim_effects`,
    `claim_marks`: connections; `wake`: the schedule), and keeps its leases as long as it calls `tend`, or claims, each
    second.
    """

    def __init__(self, url: str, vault: Vault, owner: str = "") -> None:
        check_url(url)
        prepare(url)
        self.url, self._vault = url, vault
        self.owner = owner or os.urandom(8).hex()
        self._db = Database(url)
        self._bodies: Recent[int, tuple[Mapping[str, str], bytes, bytes]] = Recent()
        self._documents: Documents = Recent()
        self._intake = Intake(vault, self._bodies)
        self._inbox = Inbox(self.owner, vault, self._bodies)
        self._outbox = Outbox(self.owner, vault, self._intake, self._documents)
        self._upkeep = Upkeep(self.owner, self._intake)
        self._writing = Writing(vault, self._intake, self._documents)
        self._tended: dict[str, Callable[[Session, int], object]] = {}

    def reads(self) -> Reads:
        """A reader of its own for a face; close it when the thread ends."""
        return Reads(Questions(self.url), self._vault)

    def group(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run several writes in one durable transaction; an error is a result, and undoes only its own write.

        Raises where nothing at all was written; then nothing that they claimed is claimed either.
        """
        with self._or_as_before():
            return self._db.write("writing", lambda _: [self._alone(job) for job in jobs])

    def _alone(self, job: Callable[[], Any]) -> Any:
        """One write of a group. Where the connection is gone, nobody's goes on."""
        try:
            with self._or_as_before():
                return self._db.write("writing", lambda _: job())
        except Exception as error:
            if not self._db.nested:
                raise
            return error

    @contextmanager
    def _or_as_before(self) -> Iterator[None]:
        """What is claimed or settled inside is that only where it could be written, and so is what is taken part in."""
        messages, effects, connections = (
            self._inbox.claimed(),
            self._outbox.at(),
            self._outbox.leases.known,
        )
        try:
            yield
        except Exception:
            self._inbox.unclaim_all_but(messages)
            self._outbox.again_at(effects)
            self._outbox.leases.again(connections)
            raise

    def tend(self, now: int) -> int:
        """Renew what this process has leased of the work that it takes part in, take its share, give up what is too much.

        To be called each second, on any thread; returns when next. Nothing is lost where it is not: others take over.
        """
        for step in tuple(self._tended.values()):
            self._db.write("keeping the leases", partial(_step, step, now))
        return now + RENEW_US

    def _tending(self, session: Session, kind: Any, now: int, tend: Callable[[Session, int], object]) -> None:
        """Inside a transaction: take part from now on, and keep the leases where it is time for it."""
        self._tended[kind.leases.kind] = tend
        if kind.leases.due(now):
            tend(session, now)

    def accept(self, arrivals: Sequence[Arrival], now: int) -> list[Receipt]:
        return self._db.write(
            "taking messages in", lambda session: self._intake.accept(session, arrivals, now)
        )

    def claim(self, limit: int, now: int, read: Container[int] = ()) -> Claim:
        def work(session: Session) -> Claim:
            self._tending(session, self._inbox, now, self._inbox.tend)
            return self._inbox.claim(session, limit, now)

        with self._or_as_before():
            return self._db.write("claiming messages", work)

    def behind(self, batch: int, limit: int) -> list[int]:
        """Nothing: who of several claims what is not known before."""
        return []

    def tell_partners(self, states: Mapping[str, str]) -> None:
        """How partners are, of those that this process has leased, for the others to read."""
        told = {name: states[name] for name in self._outbox.leases.parts if name in states}
        if told:
            self._db.write(
                "telling how partners are",
                lambda session: session.run("tell_partners", list(told), list(told.values())),
            )

    def leads(self) -> bool:
        """Whether this process keeps the schedule."""
        return bool(self._upkeep.leases.parts)

    def keep_proof(self, told: Mapping[str, str], now: int) -> None:
        def work(session: Session) -> None:
            for name, text in sorted(told.items()):
                session.run("put_cursor", HUB, name, text, now)

        self._db.write("keeping the proof", work)

    def give_back(self, messages: Sequence[Message]) -> None:
        self._inbox.give_back(messages)

    def holds(self, subjects: Sequence[int]) -> dict[tuple[int, str], Hold]:
        return self._db.read("reading what waits", lambda session: self._inbox.holds(session, subjects))

    def message(self, number: int) -> Message | None:
        return self._db.read("reading a message", lambda session: self._inbox.message(session, number))

    def load(self, needs: Needs) -> Snapshot:
        return self._db.read("reading state", lambda session: self._inbox.load(session, needs))

    def commit(self, batch: Batch) -> None:
        def work(session: Session) -> None:
            self._inbox.leases.check(session, _partitions(batch))
            self._writing.write(session, batch, lambda: self._carry_out(session, batch))
            session.run("end_batch", INBOX, self.owner)

        self._db.write("writing a batch", work)
        self._inbox.committed(batch)
        if batch.erased():
            self._forget_all()

    def prepared(self, batch: Batch) -> Callable[[], None]:
        return lambda: self.commit(batch)

    def _carry_out(self, session: Session, batch: Batch) -> None:
        for word in batch.unparked:
            unpark(session, self._vault, self._intake, word, batch.now)

    def claim_effects(self, wants: Sequence[Want], now: int) -> list[ClaimedEffect]:
        def work(session: Session) -> list[ClaimedEffect]:
            self._outbox.leases.know(session, [want.connection for want in wants])
            self._tending(session, self._outbox, now, self._outbox.tend)
            return self._outbox.claim(session, wants, now)

        with self._or_as_before():
            return self._db.write("claiming effects", work)

    def settle(self, results: Sequence[EffectResult], now: int) -> None:
        with self._or_as_before():
            self._db.write("settling effects", lambda session: self._outbox.settle(session, results, now))
        self._outbox.settled(results)

    def claim_marks(self, wants: Sequence[Want], now: int) -> list[ClaimedMark]:
        def work(session: Session) -> list[ClaimedMark]:
            self._outbox.leases.know(session, [want.connection for want in wants])
            self._tending(session, self._outbox, now, self._outbox.tend)
            return self._outbox.claim_marks(session, wants, now)

        with self._or_as_before():
            return self._db.write("claiming values to send", work)

    def settle_marks(self, results: Sequence[MarkResult], now: int) -> None:
        self._db.write(
            "settling values sent", lambda session: self._outbox.settle_marks(session, results, now)
        )

    def wake(self, now: int) -> int | None:
        def work(session: Session) -> int | None:
            self._tending(session, self._upkeep, now, self._upkeep.leases.step)
            return self._upkeep.wake(session, now)

        try:
            return self._db.write("waking what is due", work)
        except Exception:
            self._upkeep.forget()
            raise

    def remind(self, kind: str, before: int, now: int, limit: int) -> int:
        def work(session: Session) -> int:
            self._tending(session, self._upkeep, now, self._upkeep.leases.step)
            return self._upkeep.remind(session, kind, before, now, limit)

        return self._db.write("reminding", work)

    def late(self, before: int) -> list[Late]:
        return self._db.read("reading what is late", lambda session: self._upkeep.late(session, before))

    def expire(self, terms: Terms, now: int, limit: int) -> Expired:
        def work(session: Session) -> Expired:
            self._tending(session, self._upkeep, now, self._upkeep.leases.step)
            return self._upkeep.expire(session, terms, now, limit)

        return self._db.write("dropping what is past its time", work)

    def schedules(self, wanted: Mapping[str, tuple[str, str, int]], now: int) -> None:
        self._db.write("writing schedules", lambda session: self._upkeep.schedules(session, wanted, now))

    def recover(self, now: int, grace_us: int, keyed: Collection[str] = ()) -> dict[str, int]:
        return self._db.write("recovering", lambda session: self._upkeep.recover(session, grace_us, keyed))

    def erase(self, subject: int, now: int) -> None:
        """Forget every person of a subject: its sealed bytes are gone here, and unreadable in every backup.

        Of a case stays what to do about it; what the hub has yet to tell itself stays. Other processes know
        what they remember by the salt, and forget it with that.
        """

        def work(session: Session) -> None:
            before = session.run("lock_subjects", [subject])[0][1]
            erase(session, self._vault, subject, before)

        self._db.write("erasing a person", work)
        self._forget_all()

    def _forget_all(self) -> None:
        self._bodies.clear()
        self._documents.clear()

    def checkpoint(self) -> int:
        """PostgreSQL does that itself."""
        return 0

    def restart_log(self) -> None:
        """There is none of ours."""

    def truncate_log(self, *, patient: bool = True) -> None:
        """Nothing: the server cuts its log by itself."""

    def wal_bytes(self) -> int:
        """0: the server bounds its log by itself."""
        return 0

    def rest(self) -> None:
        """Nobody here is at anything any more: a clean stop, and others take over at once."""

        def work(session: Session) -> None:
            self._inbox.rest(session)
            self._outbox.leases.release(session)
            self._upkeep.leases.release(session)

        self._db.write("coming to rest", work)
        self._tended.clear()

    def close(self) -> None:
        """Close the connections; what was accepted stays. Without `rest`, others take it for a crash."""
        self._db.close()


def _step(step: Callable[[Session, int], object], now: int, session: Session) -> None:
    step(session, now)


def _partitions(batch: Batch) -> set[str]:
    """The partitions whose messages the batch is about."""
    messages = [f.message for f in batch.finished] + [d.message for d in batch.delayed]
    subjects = {m.subject for m in (*messages, *(p.message for p in batch.parked), *batch.waiting)}
    subjects.update(stream[0] for stream in batch.superseded)
    subjects.update(stream[0] for stream in batch.freed)
    return {str(partition_of(subject)) for subject in subjects}


def open_store(url: str, vault: Vault) -> PostgresStore:
    """Open the store at `url`, making its tables where there are none."""
    return PostgresStore(url, vault)
