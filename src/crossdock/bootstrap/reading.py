"""Reading ahead: what a message says is worked out on the edge while the core is busy with those before it.

Translating is pure, so that it does not matter who does it, or whether it is done twice. What has not been read ahead when
its turn comes is read by the core.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Container, Sequence
from typing import Any, get_args

import msgspec

from crossdock.engine.messages import Arrival, Message, Receipt
from crossdock.flows.handler import RetailHandler
from crossdock.model.reports import Report

BUSY_FROM = 8
"""Arrivals that came together: with fewer, the core has read them sooner than it could be told."""
WINDOW = 4
"""So many batches the edge may be ahead, the one that the core is at among them."""
ASKED_MAX = 100_000
BODY_BYTES_MAX = 256 * 1024
"""A larger body is left to the core: whoever reads ahead also listens."""
READ_BYTES_MAX = 32 * 1024 * 1024
_REPORTS = get_args(Report)
log = logging.getLogger("crossdock")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Report, ...]).decode
"""JSON keeps a time as it was written, offset and all; MessagePack does not, and what is told twice would hash differently."""


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
    """What single messages of partners say, by message id. Whatever cannot be read, and whatever is our own, is left to
    the core.
    """
    read: list[tuple[int, bytes]] = []
    for message in messages:
        if len(message.body) > BODY_BYTES_MAX:
            continue
        try:
            if handler.inbound(message.source, message.kind) is None or handler.split(message) is not None:
                continue
            reports = handler.translate(message)
            if all(isinstance(report, _REPORTS) for report in reports):
                read.append((message.id, _encode(reports)))
        except Exception:  # noqa: S112 - it is the core that says what is wrong with it
            continue
    return read


class ReadAhead:
    """A handler that knows what has been read ahead. message: reads one of the inbox, with its body.

    What comes too late is not kept: its message may have been edited, or its person forgotten, by then.
    """

    def __init__(self, handler: RetailHandler, message: Callable[[int], Message | None]) -> None:
        self._handler, self._message = handler, message
        self._read: dict[int, bytes] = {}
        self.read: Container[int] = self._read.keys()
        self._bytes = 0
        self._asked: set[int] = set()
        self._passed = 0
        self._lock = threading.Lock()
        self.inbound, self.newer = handler.inbound, handler.newer
        self.needs, self.world, self.laid_over = handler.needs, handler.world, handler.laid_over

    # What any thread may tell

    def being_read(self, messages: Sequence[int]) -> None:
        """Whoever reads ahead has these."""
        with self._lock:
            if len(self._asked) < ASKED_MAX:
                self._asked.update(messages)

    def remember(self, read: Sequence[tuple[int, bytes]]) -> None:
        """What messages say, by message id."""
        with self._lock:
            for number, reports in read:
                if number > self._passed and self._bytes + len(reports) <= READ_BYTES_MAX:
                    self._read[number] = reports
                    self._bytes += len(reports)

    def alone(self) -> None:
        """Whoever read ahead is gone."""
        with self._lock:
            self._asked.clear()

    # The writer's thread

    def forget(self) -> None:
        """Whatever has been read, or is being read at the moment, counts no more."""
        with self._lock:
            self._passed = max(self._passed, max(self._asked, default=0), max(self._read, default=0))
            self._read.clear()
            self._asked.clear()
            self._bytes = 0

    def wanted(self, behind: Sequence[int]) -> list[int]:
        """Which of those that are behind the next batch are not read, and not being read yet."""
        found = [number for number in behind if number not in self._asked and number not in self._read]
        self.being_read(found)
        return found

    def split(self, message: Message) -> list[Arrival] | None:
        """As the handler's: what has been read ahead is a single message."""
        return None if message.attempt == 0 and message.id in self._read else self._handler.split(message)

    def translate(self, message: Message) -> tuple[Any, ...]:
        """As the handler's."""
        with self._lock:
            self._passed = max(self._passed, message.id)
            self._asked.discard(message.id)
            known = self._read.pop(message.id, None)
            self._bytes -= len(known or b"")
        if known is None or message.attempt > 0:
            return self._handler.translate(message)
        try:
            return _decode(known)
        except msgspec.DecodeError:  # ours, not the message's: whoever sent it must not suffer for it
            log.exception("what was read ahead of message %s is not understood; it is read again", message.id)
            return self._handler.translate(self._message(message.id) or message)  # it came without its body
