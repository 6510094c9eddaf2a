"""Reading ahead: what a message says is worked out on the edge while the core is busy with those before it.

Translating is pure, so that it does not matter who does it, or whether it is done twice. What has not been read ahead when
its turn comes is read by the core.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from crossdock.engine.messages import Arrival, Message, Receipt
from crossdock.flows.handler import RetailHandler
from crossdock.model.reports import Report

BUSY_FROM = 8
"""Arrivals that came together: with fewer, the core has read them sooner than it could be told."""
WINDOW = 4
"""So many batches the edge may be ahead, the one that the core is at among them."""
REMEMBERED_MAX = 10_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Report, ...]).decode


def messages_of(arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> list[Message]:
    """What has just been taken in, as the messages that it became."""
    return [
        Message(
            id=receipt.message,
            source=arrival.source,
            kind=arrival.kind,
            subject=receipt.subject,
            lane=arrival.lane,
            attempt=0,
            received_at=arrival.received_at,
            trace=arrival.trace,
            headers=arrival.headers,
            body=arrival.body,
        )
        for arrival, receipt in zip(arrivals, receipts, strict=True)
        if not (receipt.duplicate or receipt.conflict)
    ]


def read_ahead(handler: RetailHandler, messages: Sequence[Message]) -> list[tuple[int, bytes]]:
    """What single messages of partners say, by message id. Whatever cannot be read is left to the core."""
    read: list[tuple[int, bytes]] = []
    for message in messages:
        if handler.inbound(message.source, message.kind) is None:
            continue
        try:
            if handler.split(message) is None:
                read.append((message.id, _encode(handler.translate(message))))
        except Exception:  # noqa: S112 - it is the core that says what is wrong with it
            continue
    return read


class ReadAhead:
    """A handler that knows what has been read ahead. What comes too late is not kept: its message may be edited by then."""

    def __init__(self, handler: RetailHandler) -> None:
        self._handler = handler
        self._read: dict[int, bytes] = {}
        self._lock = threading.Lock()
        self._asked = self._passed = 0
        self.inbound, self.newer = handler.inbound, handler.newer
        self.needs, self.world = handler.needs, handler.world

    def remember(self, read: Sequence[tuple[int, bytes]]) -> None:
        """What messages say, by message id. Any thread may tell."""
        with self._lock:
            for number, reports in read:
                if number > self._passed and len(self._read) < REMEMBERED_MAX:
                    self._read[number] = reports

    def being_read(self, message: int) -> None:
        """The edge reads ahead up to here."""
        self._asked = max(self._asked, message)

    def wanted(self, ready: Sequence[int], batch: int) -> list[int]:
        """Which of those that are due next are to be read ahead, and have not been asked for yet."""
        found = [number for number in ready[batch:] if number > self._asked]
        if found:
            self._asked = found[-1]
        return found

    def split(self, message: Message) -> list[Arrival] | None:
        """As the handler's: what has been read ahead is a single message."""
        return None if message.attempt == 0 and message.id in self._read else self._handler.split(message)

    def translate(self, message: Message) -> tuple[Any, ...]:
        """As the handler's."""
        with self._lock:
            self._passed = max(self._passed, message.id)
            known = self._read.pop(message.id, None)
        return self._handler.translate(message) if known is None or message.attempt > 0 else _decode(known)
