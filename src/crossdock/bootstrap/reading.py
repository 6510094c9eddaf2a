"""Reading ahead: what a message says is worked out on the edge while the core is busy with those before it.

Translating is pure, so that it does not matter who does it, or whether it is done twice. What has not been read ahead when
its turn comes is read by the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crossdock.engine.messages import Arrival, Message, Receipt
from crossdock.flows.handler import RetailHandler
from crossdock.model.reports import Report
from crossdock.stores.cache import Recent

BUSY_FROM = 8
"""Arrivals that came together: with fewer, the core has read them sooner than it could be told."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Report, ...]).decode


def read_ahead(
    handler: RetailHandler, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]
) -> list[tuple[int, bytes]]:
    """What single messages of partners say, by message id. Whatever cannot be read is left to the core."""
    read: list[tuple[int, bytes]] = []
    for arrival, receipt in zip(arrivals, receipts, strict=True):
        if receipt.duplicate or receipt.conflict or handler.inbound(arrival.source, arrival.kind) is None:
            continue
        message = Message(
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
        try:
            if handler.split(message) is None:
                read.append((message.id, _encode(handler.translate(message))))
        except Exception:  # noqa: S112 - it is the core that says what is wrong with it
            continue
    return read


class ReadAhead:
    """A handler that knows what has been read ahead."""

    def __init__(self, handler: RetailHandler) -> None:
        self._handler = handler
        self._read: Recent[int, bytes] = Recent()
        self.inbound, self.newer = handler.inbound, handler.newer
        self.needs, self.world = handler.needs, handler.world

    def remember(self, read: Sequence[tuple[int, bytes]]) -> None:
        """What messages say, by message id. Any thread may tell."""
        for number, reports in read:
            self._read.add(number, reports, len(reports))

    def split(self, message: Message) -> list[Arrival] | None:
        """As the handler's: what has been read ahead is a single message."""
        return self._handler.split(message) if self._known(message) is None else None

    def translate(self, message: Message) -> tuple[Any, ...]:
        """As the handler's."""
        known = self._known(message)
        if known is None:
            return self._handler.translate(message)
        self._read.drop(message.id)
        return _decode(known)

    def _known(self, message: Message) -> bytes | None:
        return self._read.get(message.id) if message.attempt == 0 else None
