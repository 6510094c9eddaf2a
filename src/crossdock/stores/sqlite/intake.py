"""The way in: arrivals become inbox rows, each once, under the subject that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crossdock.engine.messages import HUB, Arrival, Receipt, subject_number
from crossdock.errors import RejectedError
from crossdock.stores.hashes import named_to_keep, payload_hash
from crossdock.stores.sqlite.cache import Memory
from crossdock.stores.sqlite.database import Database, Program
from crossdock.stores.vault import Vault

STATE_READY, STATE_DELAYED, STATE_WAITING, STATE_PARKED = 0, 1, 2, 3
HUB_KIND = "hub"

__all__ = ["Intake", "payload_hash"]


class Intake:
    """Keeps arrivals. Ids are given in memory by the one writer, and only ever grow: gaps mean nothing."""

    def __init__(self, database: Database, vault: Vault, memory: Memory) -> None:
        self._db, self._vault, self._recent = database, vault, memory.bodies
        row = database.run("max_ids")[0]
        self._message, self._subject = int(row[0]), int(row[1])

    def accept(self, arrivals: Sequence[Arrival], now: int) -> list[Receipt]:
        """Inside a transaction: resolve subjects, drop deliveries seen before, keep the rest. In order."""
        program = Program()
        receipts = self.plan(arrivals, now, program)
        self._db.run_program(program)
        return receipts

    def plan(self, arrivals: Sequence[Arrival], now: int, program: Program) -> list[Receipt]:
        """As `accept`, but written when `program` is run."""
        arrivals = [named_to_keep(arrival) for arrival in arrivals]
        subjects = self._subjects(arrivals, now, program)
        earlier = self._earlier(arrivals, subjects)
        receipts: list[Receipt] = []
        counts: dict[tuple[str, str], int] = {}
        for arrival, (subject, salt, _) in zip(arrivals, subjects, strict=True):
            source = arrival.source
            digest = payload_hash(arrival.body) if arrival.delivery_id else ""
            key = (subject, source, arrival.delivery_id)
            known = earlier.get(key) if digest else None
            if known is not None and (known[0] == digest or arrival.strict):
                receipts.append(Receipt(known[1], subject, known[0] == digest, known[0] != digest))
                counts[source, "repeated"] = counts.get((source, "repeated"), 0) + 1
                continue
            self._message += 1
            number = self._message
            if digest and known is None:
                earlier[key] = (digest, number)
                program.add("seen", subject, source, "delivery", arrival.delivery_id, digest, number, now)
            program.add(*_inbox_row(number, subject, arrival, now))
            headers = msgspec.json.encode(arrival.headers)
            program.add_with((self._vault.seal(salt, arrival.body), headers), "body", number)
            self._recent.add(number, (arrival.headers, arrival.body), len(arrival.body))
            receipts.append(Receipt(number, subject))
            counts[source, "accepted"] = counts.get((source, "accepted"), 0) + 1
        program.count(counts)
        return receipts

    def _subjects(
        self, arrivals: Sequence[Arrival], now: int, program: Program
    ) -> list[tuple[int, bytes, bool]]:
        """(subject, salt, is new) of each arrival."""
        known = self._known(arrivals)
        salts = self._salts([a.subject or _named(a) for a in arrivals if a.subject or a.ref_kind == HUB_KIND])
        result: list[tuple[int, bytes, bool]] = []
        for arrival in arrivals:
            direct = arrival.subject or (_named(arrival) if arrival.ref_kind == HUB_KIND else 0)
            if direct and direct in salts:
                result.append((direct, salts[direct], False))
                continue
            if direct and arrival.source == HUB:
                raise RejectedError(f"There is no subject {direct}: nothing can be kept for it.")
            reference = arrival.name
            found = known.get(reference) if arrival.ref else None
            if found is None:
                self._subject += 1
                salt = self._vault.salt()
                found = (self._subject, salt, True)
                program.add("subject", self._subject, salt.hex(), arrival.trace, now)
                if arrival.ref:
                    known[reference] = (self._subject, salt, False)
                    program.add("reference", *reference, self._subject)
            result.append(found)
        return result

    def _known(self, arrivals: Sequence[Arrival]) -> dict[tuple[str, str, str], tuple[int, bytes, bool]]:
        wanted = dict.fromkeys(a.name for a in arrivals if a.ref and not a.subject)
        found = self._db.ask("find_references", list(wanted))
        return {(c, k, r): (subject, bytes.fromhex(salt), False) for c, k, r, subject, salt in found}

    def _salts(self, subjects: Sequence[int]) -> dict[int, bytes]:
        found = self._db.ask("find_salts", list(dict.fromkeys(s for s in subjects if s)))
        return {number: bytes.fromhex(salt) for number, salt in found}

    def _earlier(
        self, arrivals: Sequence[Arrival], subjects: Sequence[tuple[int, bytes, bool]]
    ) -> dict[tuple[int, str, str], tuple[str, int]]:
        """(hash, message) of deliveries seen before; a new subject cannot have any."""
        wanted = [
            (subject, arrival.source, arrival.delivery_id)
            for arrival, (subject, _, new) in zip(arrivals, subjects, strict=True)
            if arrival.delivery_id and not new
        ]
        found = self._db.ask("find_deliveries", wanted)
        return {
            (subject, source, version): (digest, message)
            for subject, source, version, digest, message in found
        }


def _inbox_row(number: int, subject: int, arrival: Arrival, now: int) -> tuple[Any, ...]:
    return (
        "inbox",
        number,
        arrival.source,
        arrival.kind,
        subject,
        arrival.lane,
        STATE_DELAYED if arrival.due_at > now else STATE_READY,
        arrival.due_at,
        arrival.received_at or now,
        arrival.parent,
        arrival.position,
        arrival.origin,
    )


def _named(arrival: Arrival) -> int:
    return (subject_number(arrival.ref) or 0) if arrival.ref_kind == HUB_KIND else 0
