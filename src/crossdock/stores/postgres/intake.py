"""The way in: arrivals become inbox rows, each once, under the subject that they are about; from any number of gateways."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import msgspec

from crossdock.engine.messages import HUB, Arrival, Receipt, subject_number
from crossdock.errors import RejectedError, RetryableError
from crossdock.stores.cache import Recent
from crossdock.stores.hashes import named_to_keep, payload_hash
from crossdock.stores.postgres.session import Row, Session
from crossdock.stores.vault import Vault

PARTITIONS = 64
STATE_READY, STATE_DELAYED, STATE_WAITING, STATE_PARKED = range(4)
HUB_KIND = "hub"

Reference = tuple[str, str, str]
Subject = tuple[int, bytes]
Bodies = Recent[int, tuple[Mapping[str, str], bytes, bytes]]
"""(headers, raw bytes, the salt that they were sealed under) by message: of use as long as the salt is the subject's."""


def partition_of(subject: int) -> int:
    """Where a subject's messages stand; subjects are numbered one after the other, so this spreads them evenly."""
    return subject % PARTITIONS


class Intake:
    """Keeps arrivals. Numbers come from the database, in the order of acceptance: gaps mean nothing."""

    def __init__(self, vault: Vault, bodies: Bodies) -> None:
        self._vault, self._bodies = vault, bodies
        self._spare: list[int] = []
        self._lock = threading.Lock()

    def accept(
        self,
        session: Session,
        arrivals: Sequence[Arrival],
        now: int,
        salts: Mapping[int, bytes] | None = None,
    ) -> list[Receipt]:
        """Inside a transaction: resolve subjects, drop deliveries seen before, keep the rest. In order.

        `salts`: those that the caller has at hand. An arrival that names its subject directly needs no other question.
        """
        if not arrivals:
            return []
        arrivals = [_kept(arrival) for arrival in arrivals]
        subjects = self._subjects(session, arrivals, now, dict(salts or {}))
        numbers = [row[0] for row in session.run("next_turns", len(arrivals))]
        earlier = _earlier(session, arrivals, subjects, numbers, now)
        receipts: list[Receipt] = []
        inbox: list[Row] = []
        bodies: list[Row] = []
        counts: dict[tuple[str, str], int] = {}
        for arrival, (subject, salt), number in zip(arrivals, subjects, numbers, strict=True):
            source = arrival.source
            known = earlier.get((subject, source, arrival.delivery_id)) if arrival.delivery_id else None
            if known is not None and known[1] != number:
                same = known[0] == payload_hash(arrival.body)
                if same or arrival.strict:
                    receipts.append(Receipt(known[1], subject, same, not same))
                    counts[source, "repeated"] = counts.get((source, "repeated"), 0) + 1
                    continue
            inbox.append(_inbox_row(number, subject, arrival, now))
            headers = msgspec.json.encode(arrival.headers).decode()
            bodies.append((number, headers, self._vault.seal(salt, arrival.body)))
            self._bodies.add(number, (arrival.headers, arrival.body, salt), len(arrival.body))
            receipts.append(Receipt(number, subject))
            counts[source, "accepted"] = counts.get((source, "accepted"), 0) + 1
        session.copy("inbox", inbox)
        session.copy("body", bodies)
        count(session, counts)
        return receipts

    def _subjects(
        self, session: Session, arrivals: Sequence[Arrival], now: int, salts: dict[int, bytes]
    ) -> list[Subject]:
        """(subject, salt) of each arrival; those that nobody knows yet are made."""
        named = {a.subject or _named(a) for a in arrivals} - {0} - salts.keys()
        if named:
            salts.update(session.run("find_salts", sorted(named)))
        known: dict[Reference, Subject] = {}
        wanted = dict.fromkeys(a.name for a in arrivals if a.ref and (a.subject or _named(a)) not in salts)
        if wanted:
            known = _found(session, list(wanted))
        missing = [reference for reference in wanted if reference not in known]
        result: list[Subject | None] = []
        nameless = 0
        for arrival in arrivals:
            direct = arrival.subject or _named(arrival)
            if direct in salts:
                result.append((direct, salts[direct]))
                continue
            if direct and arrival.source == HUB:
                raise RejectedError(f"There is no subject {direct}: nothing can be kept for it.")
            nameless += not arrival.ref
            result.append(None)
        made = [(number, self._vault.salt()) for number in self._numbers(session, len(missing) + nameless)]
        traces = [""] * len(made)
        for at, reference in enumerate(missing):
            known[reference] = made[at]
        at = len(missing)
        for place, arrival in enumerate(arrivals):
            if result[place] is None:
                if arrival.ref:
                    result[place] = known[arrival.name]
                else:
                    result[place] = made[at]
                    traces[at] = arrival.trace
                    at += 1
        self._traces(arrivals, missing, traces)
        lost = _add_references(session, missing, made)
        for reference, subject in lost.items():
            before = known[reference]
            result = [subject if found == before else found for found in result]
        gone = {known[reference] for reference in lost}
        rows = [
            (number, salt, trace, now)
            for (number, salt), trace in zip(made, traces, strict=True)
            if (number, salt) not in gone
        ]
        session.copy("subject", rows)
        return [found for found in result if found is not None]

    @staticmethod
    def _traces(arrivals: Sequence[Arrival], missing: Sequence[Reference], traces: list[str]) -> None:
        """A subject's trace is that of the first arrival about it."""
        places = {reference: at for at, reference in enumerate(missing)}
        for arrival in reversed(arrivals):
            at = places.get(arrival.name)
            if at is not None:
                traces[at] = arrival.trace

    def _numbers(self, session: Session, wanted: int) -> list[int]:
        return [row[0] for row in session.run("next_subjects", wanted)] if wanted else []


def count(session: Session, counts: Mapping[tuple[str, str], int]) -> None:
    """Counters move in the transaction of what they count, each connection's on rows of its own."""
    if counts:
        keys = sorted(counts)
        names = [source for source, _ in keys], [name for _, name in keys]
        session.run("count", session.slot, *names, [counts[key] for key in keys])


def _found(session: Session, wanted: Sequence[Reference]) -> dict[Reference, Subject]:
    rows = session.run("find_references", *(list(column) for column in zip(*wanted, strict=True)))
    return {(connection, kind, ref): (subject, salt) for connection, kind, ref, subject, salt in rows}


def _add_references(
    session: Session, missing: Sequence[Reference], made: Sequence[Subject]
) -> dict[Reference, Subject]:
    """Write new references; returns those that another gateway has made meanwhile, with their subjects."""
    if not missing:
        return {}
    columns = (list(column) for column in zip(*missing, strict=True))
    added = set(session.run("add_references", *columns, [number for number, _ in made[: len(missing)]]))
    lost = [reference for reference in missing if reference not in added]
    if not lost:
        return {}
    found = _found(session, lost)
    if len(found) < len(lost):
        raise RetryableError("Another gateway was just taking the same order in.", retry_after=1)
    return found


def _earlier(
    session: Session,
    arrivals: Sequence[Arrival],
    subjects: Sequence[Subject],
    numbers: Sequence[int],
    now: int,
) -> dict[tuple[int, str, str], tuple[str, int]]:
    """(hash, message) of each delivery: the first under its id, whether it was kept before or is one of these."""
    first: dict[tuple[int, str, str], tuple[str, int]] = {}
    for arrival, (subject, _), number in zip(arrivals, subjects, numbers, strict=True):
        if arrival.delivery_id:
            key = (subject, arrival.source, arrival.delivery_id)
            if key not in first:
                first[key] = (payload_hash(arrival.body), number)
    if not first:
        return first
    columns = [list(column) for column in zip(*first, strict=True)]
    hashes, messages = [digest for digest, _ in first.values()], [number for _, number in first.values()]
    added = {row[0] for row in session.run("add_deliveries", *columns, hashes, messages, now)}
    known = [key for key, (_, number) in first.items() if number not in added]
    if known:
        columns = [list(column) for column in zip(*known, strict=True)]
        for subject, source, version, digest, message in session.run("find_deliveries", *columns):
            first[subject, source, version] = (digest, message)
    return first


def _inbox_row(number: int, subject: int, arrival: Arrival, now: int) -> Row:
    return (
        number,
        arrival.source,
        arrival.kind,
        subject,
        arrival.lane,
        STATE_DELAYED if arrival.due_at > now else STATE_READY,
        arrival.due_at,
        0,
        arrival.received_at or now,
        arrival.parent,
        arrival.position,
        arrival.origin,
        partition_of(subject),
        number,
        len(arrival.body),
    )


def _kept(arrival: Arrival) -> Arrival:
    """The arrival with texts that PostgreSQL can keep: it takes no NUL, and bears long ones in no index."""
    arrival = named_to_keep(arrival)
    if "\0" not in f"{arrival.kind}{arrival.ref_kind}{arrival.ref}{arrival.delivery_id}{arrival.trace}":
        return arrival
    names = ("kind", "ref_kind", "ref", "delivery_id", "trace")
    return msgspec.structs.replace(
        arrival, **{name: getattr(arrival, name).replace("\0", "\u2400") for name in names}
    )


def _named(arrival: Arrival) -> int:
    return (subject_number(arrival.ref) or 0) if arrival.ref_kind == HUB_KIND else 0
